"""Open sessions derived on from what is remembered of them equal those derived whole."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import SLICE_MS
from streams.core.columns import ABSENT, Bits, Ints, Many, Past, Sessions
from streams.core.events import Sample
from streams.core.many import derive_many
from streams.core.many_past import NOTHING, Kept, go_on, kept_of, past_of
from tests.streams.core.core_events import sample, start, state
from tests.streams.core.many_cases import odd, ordinary
from tests.streams.core.many_kit import Case, derived, found, sessions_of


@dataclass
class Story:
    """An open session, told in parts: `cuts` say how many samples are known when it is derived."""

    case: Case
    cuts: Sequence[int]

    def known(self, step: int) -> list[Sample]:
        """All samples by then, in order of time."""
        samples = sorted(set(self.case.samples), key=lambda s: (s.ts, s.seq))
        return samples[: self.cuts[step]]


def tell(stories: Sequence[Story]) -> list[int]:
    """Derive all, step by step, each on from the step before where that is possible; every result
    must be the slow way's of all that is known. How many were derived on in each step after the
    first.
    """
    steps = len(stories[0].cuts)
    went_on: list[int] = []
    kept: Kept | None = None
    for step in range(steps):
        parts = [(s.case._replace(samples=s.known(step)), s) for s in stories]
        past, cases = None, [case for case, _ in parts]
        if kept is not None and step:
            anchors = [s.known(step - 1)[-1:] for s in stories]
            news = [s.known(step)[len(s.known(step - 1)) :] for s in stories]
            rows = [[*anchor, *new] for anchor, new in zip(anchors, news, strict=True)]
            chosen = _go_on(rows, anchors, kept, news)
            past = _past(kept, chosen, anchors, stories)
            cases = [
                case._replace(samples=new) if on else case
                for case, new, on in zip(cases, news, chosen.tolist(), strict=True)
            ]
            went_on.append(int(chosen.sum()))
        sessions = sessions_of(cases)
        sessions.past = past
        many = derive_many(sessions)
        anchored = np.zeros(len(stories), np.bool_) if past is None else past.anchored
        _compare(many, [case for case, _ in parts], anchored, stories, step)
        kept = _kept(many, sessions, anchored, [s.known(step) for s in stories])
    return went_on


def _go_on(
    rows: list[list[Sample]],
    anchors: list[list[Sample]],
    kept: Kept,
    news: list[list[Sample]],
) -> Bits:
    out = (kept.energy_mwh != NOTHING) & np.array([bool(new) for new in news])
    at = np.flatnonzero(out)
    if at.size:
        samples = sessions_of([Case(start(0), None, (), rows[i]) for i in at]).samples
        counts = np.array([len(rows[i]) for i in at])
        out[at] = go_on(samples, counts, np.array([anchors[i][0].ts for i in at]))
    return np.array(out, np.bool_)


def _past(kept: Kept, chosen: Bits, anchors: list[list[Sample]], stories: Sequence[Story]) -> Past:
    at_ms = _ints([a[0].ts if a else 0 for a in anchors])
    at_mwh = _ints([(a[0].import_mwh or 0) if a else 0 for a in anchors])
    first = _ints([s.case.start.ts // SLICE_MS * SLICE_MS for s in stories])
    return past_of(kept, chosen, at_ms, at_mwh, first)


def _kept(many: Many, sessions: Sessions, past: Bits, known: list[list[Sample]]) -> Kept:
    newest = _ints([samples[-1].ts if samples else ABSENT for samples in known])
    kept = kept_of(many, sessions.start_ts, sessions.change_first, newest, past)
    # As records hold them: what does not fit there must not be kept.
    small = [np.where(kept.energy_mwh == NOTHING, NOTHING, column) for column in kept]
    assert all((column == column.astype(np.int32)).all() for column in small)
    return Kept(*small)


def _compare(
    many: Many, cases: list[Case], anchored: Bits, stories: Sequence[Story], step: int
) -> None:
    for out, case, on, story in zip(found(many), cases, anchored, stories, strict=True):
        if out is None:
            continue
        wanted = derived(case)
        if on:
            anchor = story.known(step - 1)[-1]
            wanted["slices"] = _led(wanted["slices"], anchor.ts // SLICE_MS * SLICE_MS)
        assert out == wanted


def _led(slices: list[tuple[int, ...]], border: int) -> list[tuple[int, ...]]:
    """Those before the border as one."""
    before = [one for one in slices if one[0] < border]
    if not before:
        return slices
    sums = (sum(column) for column in list(zip(*before, strict=True))[1:])
    return [(before[0][0], *sums), *slices[len(before) :]]


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, np.int64)


def _stories(chance: random.Random, make: Any, size: int, steps: int) -> list[Story]:
    out: list[Story] = []
    while len(out) < size:
        case = make(chance)._replace(end=None, superseded=False)
        count = len(set(case.samples))
        out.append(Story(case, sorted(chance.randrange(count + 1) for _ in range(steps))))
    return out


def _many(seed: int, size: int) -> None:
    chance = random.Random(seed)
    plain = tell(_stories(chance, ordinary, size, 4))
    spoilt = tell(_stories(chance, odd, size, 4))

    assert min(plain) > 0.02 * size, plain
    assert min(spoilt) > 0.005 * size, spoilt


def test_sessions_told_in_parts_equal_those_told_whole() -> None:
    _many(3, 1000)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(5))
def test_many_more_sessions_told_in_parts_equal_those_told_whole(seed: int) -> None:
    _many(300 + seed, 5000)


NAMES = st.sampled_from(["", "Charging", "SuspendedEVSE", "Idle"])
MINUTES = st.integers(0, 60).map(lambda n: n * 2.5)
CONTEXTS = st.sampled_from(["Sample.Periodic"] * 6 + ["Transaction.Begin", "Transaction.End"])
READING = st.tuples(
    st.sampled_from([5, 5, 10, 15, 40]),  # so that many meet on slice borders
    st.none() | st.sampled_from([0, 0, 700, 1_400, 3_333.333]),
    st.sampled_from([1, 1, 1, 1, 1, 0, -1]),
    st.none() | st.integers(0, 50_000),
    CONTEXTS,
)


@st.composite
def small_stories(draw: st.DrawFn) -> Story:
    """Readings whose registers rise, with now and then something odd; two cuts among them."""
    begin = start(0, draw(st.sampled_from([None, 0, 100, 5_000.5])), 0, state=draw(NAMES))
    changes = draw(st.lists(st.builds(state, MINUTES, NAMES, st.just(-1)), max_size=2))
    samples: list[Sample] = []
    minute, wh, seq = draw(st.sampled_from([0, 5])), 100.0, 0
    for gap, step, more, power, context in draw(st.lists(READING, min_size=4, max_size=9)):
        minute, wh, seq = minute + gap, wh + (step or 0), max(-1, seq + more)
        samples.append(
            sample(minute, None if step is None else wh, seq, context=context, power_mw=power)
        )
    cuts = draw(st.tuples(st.integers(3, len(samples)), st.integers(3, len(samples))))
    return Story(Case(begin, None, changes, samples), [*sorted(cuts), len(samples)])


@settings(max_examples=500, deadline=None)
@given(st.lists(small_stories(), min_size=1, max_size=6))
def test_small_sessions_of_any_shape_told_in_parts_equal_those_told_whole(
    stories: list[Story],
) -> None:
    tell(stories)


FIVE = [sample(5 * i, 100 + 300 * i, i, power_mw=7_000 - i) for i in range(1, 6)]
CHARGES = Case(start(0, 100, 0), None, (), FIVE)
ZERO = [r._replace(import_mwh=(r.import_mwh or 0) - 100_000) for r in FIVE]
MUST_BE_WHOLE = {
    "too few readings": (CHARGES, [1, 5]),
    "a register out of nothing": (CHARGES._replace(start=start(0, None, 0)), [3, 5]),
    "the newest has no register": (
        CHARGES._replace(samples=[*FIVE[:3], FIVE[3]._replace(import_mwh=None), FIVE[4]]), [4, 5],
    ),
    "a change after the newest": (CHARGES._replace(changes=[state(21, "Idle", -1)]), [4, 5]),
    "a number lower than before": (CHARGES._replace(samples=[*FIVE[:4], FIVE[4]._replace(seq=3)]),
                                   [4, 5]),
    "without a number": (CHARGES._replace(samples=[*FIVE[:4], FIVE[4]._replace(seq=-1)]), [4, 5]),
}  # fmt: skip


@pytest.mark.parametrize("why", MUST_BE_WHOLE)
def test_what_has_to_be_seen_whole_is(why: str) -> None:
    assert tell([Story(*MUST_BE_WHOLE[why])]) == [0]


@pytest.mark.parametrize(
    "case",
    [
        CHARGES,
        CHARGES._replace(start=start(0, 0, 0), samples=ZERO),
        CHARGES._replace(changes=[state(7, "Charging", -1)]),
        CHARGES._replace(samples=[*FIVE[:4], FIVE[4]._replace(import_mwh=None)]),
    ],
)
def test_the_usual_ones_go_on_from_the_newest_reading(case: Case) -> None:
    assert tell([Story(case, [3, 4, 5])]) == [1, 1]


def test_the_past_of_no_session_is_empty() -> None:
    nothing = [np.zeros(0, np.int64)] * 7
    past = past_of(Kept(*nothing), np.zeros(0, np.bool_), *nothing[:3])
    assert isinstance(past, Past)
    assert not len(past.anchored)
