"""Sessions derived by the thousand equal those derived one by one."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.units import SLICE_MS
from streams.core.events import CoreEvent
from streams.core.many import derive_many
from tests.streams.core.core_events import sample, start, state, stop
from tests.streams.core.many_cases import odd, ordinary
from tests.streams.core.many_kit import Case, case_of, columns_of, derived, found, sessions_of

Features = dict[str, Callable[[Case, dict[str, Any]], bool]]
FEATURES: Features = {
    "active": lambda _, out: out["status"] == "active",
    "ended": lambda _, out: out["status"] == "ended",
    "gaps": lambda _, out: out["status"] == "ended_gaps",
    "no gaps among 10 numbers": lambda c, out: (
        out["status"] == "ended" and c.end is not None and c.end.seq > 10
    ),
    "no energy": lambda _, out: out["quarantine"] == "no_energy",
    "too fast": lambda _, out: out["quarantine"] == "implausible_power",
    "fast": lambda _, out: "fast" in out["flags"] and out["grade"] == "flagged",
    "attempt": lambda _, out: "attempt" in out["flags"],
    "exact": lambda _, out: out["grade"] == "exact",
    "start inferred": lambda _, out: "start_inferred" in out["flags"],
    "end inferred": lambda _, out: "end_inferred" in out["flags"],
    "start's register": lambda c, _: c.start.meter_mwh is not None,
    "end's register": lambda c, _: c.end is not None and c.end.meter_mwh is not None,
    "begin": lambda c, _: any(s.context == "Transaction.Begin" for s in c.samples),
    "last": lambda c, _: any(s.context == "Transaction.End" for s in c.samples),
    "states spread energy": lambda _, out: (
        len(out["slices"]) > 2 and out["energy_mwh"] and out["suspended_evse_ms"] > 0
    ),
    "no states": lambda c, out: not _states(c) and out["charging_ms"] > 0 and out["idle_ms"] > 0,
    "zero length": lambda _, out: out["duration_ms"] == 0,
    "zero energy": lambda _, out: out["energy_mwh"] == 0,
    "no sample": lambda c, _: not c.samples,
    "one sample": lambda c, _: len(c.samples) == 1,
    "ends on a border": lambda _, out: out["until_ms"] % SLICE_MS == 0 and len(out["slices"]) > 1,
    "sample on a border": lambda c, _: any(s.ts % SLICE_MS == 0 for s in c.samples),
    "superseded": lambda c, _: c.superseded,
    "unknown numbers": lambda c, _: c.start.seq < 0,
    "samples under the end's number": lambda c, _: (
        c.end is not None and any(s.seq == c.end.seq >= 0 for s in c.samples)
    ),
    "from zero": lambda _, out: out["meter_start_mwh"] == 0 and (out["energy_mwh"] or 0) > 0,
    "change after the end": lambda _, out: out["last_event_ms"] > out["until_ms"],
}


def _states(case: Case) -> bool:
    bounds = (case.start,) if case.end is None else (case.start, case.end)
    return any(e.state for e in (*bounds, *case.changes))


def _agree(cases: list[Case]) -> list[tuple[Case, dict[str, Any]]]:
    """Those that took the fast way, with what it found; each as the slow way has it."""
    taken: list[tuple[Case, dict[str, Any]]] = []
    for case, fast in zip(cases, found(derive_many(sessions_of(cases))), strict=True):
        if fast is not None:
            assert fast == derived(case), case
            taken.append((case, fast))
    return taken


def _differential(seed: int, size: int) -> None:
    chance = random.Random(seed)
    plain = _agree([ordinary(chance) for _ in range(size)])
    spoilt = _agree([odd(chance) for _ in range(size)])
    mixed = _agree([chance.choice([ordinary, odd])(chance) for _ in range(size)])

    assert len(plain) > 0.6 * size
    assert len(spoilt) > 0.1 * size
    assert len(mixed) > 0.3 * size
    seen = {name: sum(bool(is_so(*one)) for one in plain) for name, is_so in FEATURES.items()}
    assert min(seen.values()) >= 5, seen


def test_many_sessions_at_once_equal_each_by_itself() -> None:
    _differential(7, 1000)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(5))
def test_many_more_sessions_at_once_equal_each_by_itself(seed: int) -> None:
    _differential(100 + seed, 3000)


MINUTES = st.integers(-1, 9).map(lambda n: n * 5)  # so that all meet on slice borders
WH = st.none() | st.integers(0, 6).map(lambda n: n * 700)
SEQS = st.sampled_from([-1, 0, 1, 2, 3, 4, 5])
NAMES = st.sampled_from(["", "Charging", "SuspendedEVSE", "Idle"])
CONTEXTS = st.sampled_from(["Sample.Periodic"] * 3 + ["Transaction.Begin", "Transaction.End"])
POWER = st.none() | st.integers(0, 50_000)
SMALL_SESSIONS = st.tuples(
    st.builds(start, MINUTES, WH, SEQS, state=NAMES),
    st.none() | st.builds(stop, MINUTES, WH, SEQS, state=NAMES),
    st.lists(st.builds(state, MINUTES, NAMES, SEQS), max_size=3),
    st.lists(st.builds(sample, MINUTES, WH, SEQS, context=CONTEXTS, power_mw=POWER), max_size=4),
    st.booleans(),
    st.sampled_from([None, 0, 3_700]),
).map(lambda parts: Case(*parts))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(SMALL_SESSIONS, min_size=1, max_size=8))
def test_small_sessions_of_any_shape_agree_wherever_they_take_the_fast_way(
    cases: list[Case],
) -> None:
    _agree(cases)


def test_slices_before_the_settled_instant_stay_when_later_samples_come() -> None:
    chance, several = random.Random(11), 0
    cases = [case for case in (ordinary(chance) for _ in range(10_000)) if len(case.samples) > 1]
    wholes = [_open(case, chance) for case in cases]
    parts = [_without_last(case, chance) for case in wholes]
    many, later = derive_many(sessions_of(parts)), found(derive_many(sessions_of(wholes)))

    for settled, before, after in zip(many.settled_ms.tolist(), found(many), later, strict=True):
        if before is not None and after is not None:
            border = settled // SLICE_MS * SLICE_MS
            stay = [one for one in before["slices"] if one[0] < border]
            assert stay == [one for one in after["slices"] if one[0] < border]
            several += len(stay) > 1
    assert several > 100


def _open(case: Case, chance: random.Random) -> Case:
    """The same without its end; now and then its last reading tells the register of the begin."""
    *most, last = sorted(set(case.samples))
    if chance.random() < 0.1:
        least = min((s.import_mwh for s in most if s.import_mwh is not None), default=0)
        last = last._replace(context="Transaction.Begin", import_mwh=max(0, least - 5_000))
    return case._replace(end=None, superseded=False, samples=[*most, last])


def _without_last(case: Case, chance: random.Random) -> Case:
    """The same before its last samples came."""
    samples = sorted(set(case.samples))
    kept = samples[: chance.randrange(1, len(samples))]
    return case._replace(samples=kept)


def test_no_session_at_all_is_derived_to_nothing() -> None:
    assert found(derive_many(sessions_of([]))) == []


def test_a_session_of_a_start_alone_is_active() -> None:
    ((_, out),) = _agree([Case(start(0, state="Charging"), None)])

    assert (out["status"], out["duration_ms"], out["energy_mwh"]) == ("active", 0, None)


def test_energy_flows_in_charging_time_only() -> None:
    case = Case(
        start(0, 0, 0, state="Charging"),
        stop(60, 3_000, 4),
        [state(10, "SuspendedEVSE", 1), state(50, "Charging", 2)],
        [sample(60, 3_000, 3)],
    )
    ((_, out),) = _agree([case])

    assert [s[1] for s in out["slices"]] == [1_500_000, 0, 0, 1_500_000]


PLAIN = Case(start(0, 100, 0), stop(30, 900, 3), (), [sample(10, 300, 1), sample(20, 500, 2)])
IN_NEED = {
    "superseded without end": PLAIN._replace(end=None, superseded=True),
    "ended before it began": PLAIN._replace(end=stop(-5, 900, 3)),
    "too long": PLAIN._replace(end=stop(61 * 24 * 60, 900, 3)),
    "an unset clock": Case(start(-15_000_000, 100, 0), stop(-14_999_990, 900, 1)),
    "a reading before the start": PLAIN._replace(samples=[sample(-1, 100, 1)]),
    "a reading after the end": PLAIN._replace(samples=[sample(31, 900, 1)]),
    "a reading before the begin's": Case(
        start(0), None, (), [sample(-1, 99), sample(0, 99, context="Transaction.Begin")]
    ),
    "two readings at an instant": PLAIN._replace(samples=[sample(9, 300, 1), sample(9, 300, 2)]),
    "a clock that jumped": PLAIN._replace(samples=[sample(10, 300, 2), sample(20, 500, 1)]),
    "a register that falls": PLAIN._replace(samples=[sample(10, 300, 1), sample(20, 299, 2)]),
    "a register below the start's": PLAIN._replace(samples=[sample(10, 99, 1)]),
    "a register above the end's": PLAIN._replace(samples=[sample(10, 901, 1)]),
    "energy of a lorry depot": PLAIN._replace(end=stop(30, 300_000, 3)),
    "a placeholder": PLAIN._replace(
        start=start(0, 0, 0), samples=[sample(1, 800_000, 1)], end=stop(9, 800_001)
    ),
    "power only": Case(start(0), None, (), [sample(t, None, power_mw=9) for t in (1, 2)]),
}


@pytest.mark.parametrize("why", IN_NEED)
def test_what_needs_mending_is_left_to_the_slow_way_and_harms_no_neighbour(why: str) -> None:
    cases = [PLAIN, IN_NEED[why], PLAIN]

    out = found(derive_many(sessions_of(cases)))

    assert out == [derived(PLAIN), None, derived(PLAIN)]


def test_samples_that_came_with_the_end_may_bear_its_number_anywhere() -> None:
    samples = [sample(1, 100, 9), sample(5, 200, 1), sample(9, 300, 9), sample(10, 300, 2)]
    case = PLAIN._replace(samples=samples, end=stop(30, 900, 9))

    ((_, out),) = _agree([case])

    assert out["status"] == "ended_gaps"
    assert _agree([case._replace(end=stop(30, 900, 8))]) == []


def test_numbers_do_not_speak_of_clocks_where_the_last_sample_has_none() -> None:
    samples = [sample(1, 100, 3), sample(5, 200, 1), sample(9, 300, -1)]

    assert len(_agree([PLAIN._replace(samples=samples)])) == 1


@pytest.mark.parametrize(("minutes", "wh", "flags"), [
    (1, 500, ()), (1, 499.999, ("attempt",)), (0.999, 500, ("attempt",)),
])  # fmt: skip
def test_an_attempt_is_less_than_a_minute_or_half_a_kwh(
    minutes: float, wh: float, flags: tuple[str, ...]
) -> None:
    ((_, out),) = _agree([Case(start(0, 0), stop(minutes, wh))])

    assert out["flags"] == flags


def test_a_register_from_zero_is_believed_where_the_rated_power_is_told_as_none() -> None:
    case = Case(start(0, 0), stop(60, 5_000), (), [sample(30, 2_500)], rated=0)

    ((_, out),) = _agree([case])

    assert out["quarantine"] == "implausible_power"


def test_what_columns_cannot_express_has_no_place_in_them() -> None:
    events: list[set[CoreEvent]] = [
        {start(0), stop(9)},
        {stop(9)},
        {start(0), start(1)},
        {start(0), sample(1, 1, export_mwh=3)},
        {start(0, flags=("clock_bad",))},
        {start(0), sample(3, 3, extra=(("current", 5),))},
    ]

    columned = columns_of(events, superseded=[False] * 6, rated=[None, 1, 2, 3, 4, 5])

    assert columned.places == [0, None, None, None, None, 1]
    assert columned.sessions.rated_power_w.tolist() == [-1, 5]
    assert case_of(set(itertools.chain(*events))) is None
