"""A session's stretches sum to its totals, and their energy is that of its slices everywhere."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import wire
from schemas.units import SLICE_MS
from streams.core.derive import derive
from streams.core.facts import Facts
from streams.core.pricing.usage import Flow, Usage
from streams.core.slices import slice_session
from streams.session_usage import usage_of_facts
from tests.streams.core.core_events import ms, sample, start, state, stop
from tests.streams.core.fleet_kit import expected
from tests.streams.core.fleet_strategies import fleets

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def energy_until(usage: Usage, instant_ms: int) -> int:
    """Energy of all stretches before an instant."""
    total = 0
    for flow in usage.flows():
        if flow.end_ms <= instant_ms and flow.start_ms < instant_ms:
            total += flow.energy_mwh
        elif flow.start_ms < instant_ms:
            total += flow.energy_until(instant_ms)
    return total


def covers(facts: Facts) -> None:
    """Assert that the usage is whole, in order, and agrees with totals and slices."""
    usage = usage_of_facts(facts, STOCKHOLM)
    flows = usage.flows()
    assert sum(f.energy_mwh for f in flows) == usage.energy_mwh == (facts.energy_mwh or 0)
    assert sum(f.charging_ms for f in flows) == usage.charging_ms == facts.charging_ms
    assert sum(f.parking_ms for f in flows) == usage.parking_ms == facts.idle_ms
    assert flows[0].start_ms == usage.start_ms
    assert flows[-1].end_ms == usage.end_ms
    assert all(a.end_ms == b.start_ms for a, b in pairwise(flows))
    assert all(f.charging_ms + f.parking_ms in (0, f.end_ms - f.start_ms) for f in flows)
    slices = slice_session(facts)
    for k in range(1, len(slices)):
        before = sum(s.energy_mwh for s in slices[:k])
        assert energy_until(usage, slices[k].start) == before
    per_slice: dict[int, int] = defaultdict(int)
    for f in flows:
        if f.end_ms > f.start_ms and f.start_ms // SLICE_MS == (f.end_ms - 1) // SLICE_MS:
            per_slice[f.start_ms // SLICE_MS * SLICE_MS] += f.charging_ms
    charging = {s.start: s.charging_ms for s in slices}
    assert all(per_slice[at] <= charging[at] for at in per_slice if at in charging)


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(fleets())
def test_stretches_of_any_session_sum_to_its_totals_and_agree_with_its_slices(
    events: list[wire.WireEvent],
) -> None:
    for facts in expected(events).values():
        if facts.started_ms is not None and (facts.energy_mwh or 0) >= 0 and slice_session(facts):
            covers(facts)


STATES = st.sampled_from(["Charging", "SuspendedEV", "SuspendedEVSE", "EVConnected"])


@settings(max_examples=400, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.lists(st.tuples(st.integers(-40, 200), st.integers(0, 40_000)), max_size=8),
    st.lists(st.tuples(st.integers(-10, 180), STATES), max_size=5),
    st.none() | st.integers(0, 160),
    st.booleans(),
    st.none() | st.integers(0, 50_000_000),
)
def test_readings_anywhere_around_a_session_are_covered(
    readings: list[tuple[int, int]],
    states: list[tuple[int, str]],
    end: int | None,
    metered: bool,
    stated: int | None,
) -> None:
    values = sorted(value for _, value in readings)
    events: set[Any] = {start(0, 0 if metered else None)}
    events |= {sample(m, v) for (m, _), v in zip(sorted(readings), values, strict=True)}
    events |= {state(m, name) for m, name in states}
    if end is not None:
        meter = (values[-1] if values else 0) if metered else None
        events.add(stop(end, meter, energy_mwh=stated))
    facts = derive(events)
    if slice_session(facts) and (facts.energy_mwh or 0) >= 0:
        covers(facts)


def test_a_power_holds_until_the_next_and_the_first_holds_before() -> None:
    facts = derive(
        {
            start(0, 0),
            sample(10, 1000, power_mw=6_000_000),
            sample(20, 3000, power_mw=11_000_000, extra=(("current", 16_000),)),
            sample(30, 5000),
            stop(40, 6000),
        }
    )
    flows = usage_of_facts(facts, STOCKHOLM).flows()

    assert [_measured(f) for f in flows] == [
        (0, 10, 1_000_000, 6_000_000, 16_000),
        (10, 20, 2_000_000, 6_000_000, 16_000),
        (20, 30, 2_000_000, 11_000_000, 16_000),
        (30, 40, 1_000_000, 11_000_000, 16_000),
    ]
    assert all(f.low_power_mw == f.high_power_mw for f in flows)


def _measured(f: Flow) -> tuple[int, int, int, int | None, int | None]:
    minutes = [(t - ms(0)) // 60_000 for t in (f.start_ms, f.end_ms)]
    return (minutes[0], minutes[1], f.energy_mwh, f.high_power_mw, f.high_current_ma)


def test_time_held_back_by_the_charger_is_neither_charging_nor_parking() -> None:
    facts = derive(
        {
            start(0, 0),
            state(0, "Charging"),
            state(10, "SuspendedEVSE"),
            state(25, "SuspendedEV"),
            stop(40, 6000),
        }
    )
    usage = usage_of_facts(facts, STOCKHOLM)

    minutes = [(f.charging_ms // 60_000, f.parking_ms // 60_000) for f in usage.flows()]
    assert minutes == [(10, 0), (0, 0), (0, 15)]
    assert [f.energy_mwh for f in usage.flows()] == [6_000_000, 0, 0]
