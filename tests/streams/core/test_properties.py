"""What holds for every set of events: order never matters, sums are exact, curves never fall."""

from __future__ import annotations

import itertools
import random
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.units import SLICE_MS
from streams.core.allot import Start, Tagged, allot
from streams.core.derive import derive
from streams.core.events import CoreEvent
from streams.core.slices import slice_session
from tests.streams.core.core_events import given_up, row_end, sample, start, state, stop

MANY = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
MINUTES = st.integers(-5, 300)
FINE_MINUTES = st.integers(-5 * 600, 300 * 600).map(lambda tenths: tenths / 600)
REGISTERS = st.none() | st.integers(0, 60_000) | st.integers(900_000, 910_000)
SEQS = st.sampled_from([-1, -1, 0, 1, 2, 3, 5])
STATES = st.sampled_from(["Charging", "EVConnected", "SuspendedEV", "SuspendedEVSE", "Idle"])
CONTEXTS = st.sampled_from(
    ["Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End"]
)
EXTRA = st.dictionaries(st.sampled_from(["l1", "l2", "l3", "interval"]), st.integers(0, 10**7),
                        max_size=3).map(lambda d: tuple(sorted(d.items())))  # fmt: skip
STARTS = st.builds(start, FINE_MINUTES, REGISTERS, SEQS, state=st.just("") | STATES,
                   connector=st.integers(-1, 2))  # fmt: skip
SAMPLES = st.builds(sample, FINE_MINUTES, REGISTERS, SEQS, context=CONTEXTS,
                    power_mw=st.none() | st.integers(0, 50_000_000),
                    export_mwh=st.none() | st.integers(0, 10**7),
                    extra=st.just(()) | EXTRA)  # fmt: skip
STOPS = st.builds(stop, FINE_MINUTES, REGISTERS, SEQS, state=st.just("") | STATES) | st.builds(
    row_end, FINE_MINUTES, st.integers(-10, 300_000)
)
EVENTS = st.tuples(
    st.lists(STARTS, max_size=2),
    st.lists(SAMPLES, max_size=8),
    st.lists(STOPS, max_size=2),
    st.lists(st.builds(state, FINE_MINUTES, STATES, SEQS), max_size=4),
    st.lists(st.builds(given_up, MINUTES), max_size=1),
).map(lambda parts: list(itertools.chain(*parts)))
SESSIONS = EVENTS.filter(bool)
RATED = st.none() | st.sampled_from([3_700, 22_000, 350_000])


@MANY
@given(SESSIONS, RATED, st.booleans(), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_a_session(
    events: list[CoreEvent], rated: int | None, superseded: bool, chance: random.Random
) -> None:
    known = derive(set(events), superseded=superseded, rated_power_w=rated)
    again = list(dict.fromkeys(events + events[::2]))
    chance.shuffle(again)

    assert derive(again, superseded=superseded, rated_power_w=rated) == known


FEW = st.sampled_from([None, 0, 1000])
CROWD = st.lists(
    st.builds(sample, st.integers(0, 1), FEW, st.integers(-1, 1), power_mw=FEW, export_mwh=FEW,
              connector=st.integers(1, 2), extra=EXTRA)
    | st.builds(start, st.integers(0, 1), FEW)
    | st.builds(stop, st.integers(0, 1), FEW),
    min_size=1, max_size=6,
)  # fmt: skip
"""Events that share instants and sequence numbers and differ in little else."""


@MANY
@given(CROWD, st.randoms(use_true_random=False))
def test_order_changes_nothing_where_events_contradict_each_other_at_one_instant(
    events: list[CoreEvent], chance: random.Random
) -> None:
    distinct = list(dict.fromkeys(events))
    known = derive(distinct)

    chance.shuffle(distinct)

    assert derive(distinct) == known


@MANY
@given(SESSIONS, RATED)
def test_a_curve_begins_at_nothing_and_never_falls_nor_runs_backwards(
    events: list[CoreEvent], rated: int | None
) -> None:
    facts = derive(set(events), rated_power_w=rated)

    if facts.curve:
        assert facts.curve[0][1] == 0
    for (t0, e0), (t1, e1) in itertools.pairwise(facts.curve):
        assert t1 >= t0
        assert e1 >= e0


@MANY
@given(SESSIONS, RATED, st.booleans())
def test_slices_sum_to_the_session_to_the_milliwatt_hour_and_millisecond(
    events: list[CoreEvent], rated: int | None, superseded: bool
) -> None:
    facts = derive(set(events), superseded=superseded, rated_power_w=rated)
    slices = slice_session(facts)

    if not slices:
        assert facts.started_ms is None or facts.until_ms < facts.started_ms
        return
    assert sum(s.energy_mwh for s in slices) == (facts.energy_mwh or 0)
    assert sum(s.occupied_ms for s in slices) == facts.duration_ms
    assert sum(s.charging_ms for s in slices) == facts.charging_ms
    assert sum(s.idle_ms for s in slices) == facts.idle_ms
    assert [s.start for s in slices] == [slices[0].start + i * SLICE_MS for i in range(len(slices))]
    for s in slices:
        assert s.start % SLICE_MS == 0
        assert 0 <= s.charging_ms + s.idle_ms <= s.occupied_ms <= SLICE_MS
    if (facts.energy_mwh or 0) >= 0:
        assert min(s.energy_mwh for s in slices) >= 0


@MANY
@given(SESSIONS)
def test_the_vehicle_is_in_one_state_at_any_time_of_the_session(events: list[CoreEvent]) -> None:
    facts = derive(set(events))

    for one, two in itertools.pairwise(facts.spans):
        assert one.end <= two.start
    assert all(s.start < s.end for s in facts.spans)
    if facts.started_ms is not None and facts.until_ms >= facts.started_ms:
        told = facts.charging_ms + facts.idle_ms + facts.suspended_evse_ms
        assert told == facts.duration_ms


@MANY
@given(SESSIONS, RATED)
def test_a_session_is_in_the_totals_exactly_when_closed_and_nothing_speaks_against_it(
    events: list[CoreEvent], rated: int | None
) -> None:
    facts = derive(set(events), rated_power_w=rated)

    if not facts.quarantine_reason:
        assert facts.status in {"ended", "ended_gaps", "ended_estimated"}
        assert facts.energy_mwh is not None
        assert 0 <= facts.energy_mwh <= 250_000_000
        assert facts.ended_ms is not None
    assert (facts.grade == "set_aside") == bool(facts.quarantine_reason)


IDS = st.sampled_from(["1", "2", "-1", "0", ""])
STARTS16 = st.lists(
    st.builds(
        start, MINUTES, st.integers(0, 3).map(lambda k: k * 1000),
        id_token=st.sampled_from(["A", "B"]), connector=st.integers(1, 2),
    ),
    max_size=4, unique=True,
)  # fmt: skip
TAGGED = st.lists(
    st.builds(
        Tagged, IDS,
        st.builds(sample, MINUTES, REGISTERS, connector=st.integers(-1, 2))
        | st.builds(stop, MINUTES, REGISTERS, id_token=st.sampled_from(["", "A", "B"])),
    ),
    max_size=8, unique=True,
)  # fmt: skip


@MANY
@given(STARTS16, st.data(), TAGGED, st.randoms(use_true_random=False))
def test_the_session_of_a_16_event_does_not_depend_on_the_order_of_arrival(
    begun: list[Any], data: st.DataObject, tagged: list[Tagged], chance: random.Random
) -> None:
    starts = [
        Start(UUID(int=i + 1), event, frozenset(data.draw(st.sets(IDS, min_size=1, max_size=2))))
        for i, event in enumerate(begun)
    ]
    homes = allot(starts, tagged)

    chance.shuffle(starts)
    chance.shuffle(tagged)

    assert allot(starts, tagged) == homes
    assert set(homes) == set(tagged)
    for home in homes.values():
        assert home is None or home.int <= len(starts)
