"""The simulator's promises: reproducible, valid, and a ledger that can be recomputed."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from producers.simulator import DEFAULT_RATES, Fault, Simulation, SimulationSpec
from producers.simulator.ledger import LedgerReport
from producers.simulator.simulation import Record
from schemas import wire
from schemas.events import EVENT_ADAPTER
from schemas.units import wh_to_mwh

DECODER = msgspec.json.Decoder(wire.AnyEvent)
FAULTY = {fault: min(1.0, rate * 5) for fault, rate in DEFAULT_RATES.items()}
CLEAN_SPEC = SimulationSpec(stations=12, days=1, seed=5)
FAULTY_SPEC = SimulationSpec(stations=30, days=2, seed=6, rates=FAULTY)


@cache
def drawn(faulty: bool) -> tuple[tuple[Record, ...], LedgerReport]:
    simulation = Simulation(FAULTY_SPEC if faulty else CLEAN_SPEC)
    return tuple(simulation.records()), simulation.ledger.report()


def readable(records: tuple[Record, ...]) -> list[wire.WireEvent]:
    """Every record that both forms of the contract accept, decoded."""
    out: list[wire.WireEvent] = []
    for record in records:
        try:
            event = DECODER.decode(record.value)
            EVENT_ADAPTER.validate_json(record.value)
        except (ValidationError, msgspec.DecodeError, UnicodeDecodeError):
            continue
        out.append(event)
    return out


def distinct(events: list[wire.WireEvent]) -> list[wire.WireEvent]:
    """Events without resends: the message id is no identity."""
    plain = (msgspec.structs.replace(event, message_id=None) for event in events)
    return list({wire.encode(event): event for event in plain}.values())


@given(seed=st.integers(0, 2**63), rate=st.sampled_from([0.0, 0.2]))
@settings(max_examples=8, deadline=None)
def test_the_same_seed_gives_the_same_bytes_and_the_same_ledger(seed: int, rate: float) -> None:
    spec = SimulationSpec(stations=3, days=0.5, seed=seed, rates=dict.fromkeys(Fault, rate))
    one, other = Simulation(spec), Simulation(spec)

    assert list(one.records()) == list(other.records())
    assert one.ledger.report() == other.ledger.report()


def test_another_seed_gives_another_fleet_life() -> None:
    records, _ = drawn(faulty=False)

    assert list(Simulation(replace(CLEAN_SPEC, seed=9)).records()) != list(records)


def test_records_come_in_order_of_arrival_under_the_key_of_their_station() -> None:
    records, _ = drawn(faulty=True)

    assert all(one.arrival_ms <= two.arrival_ms for one, two in pairwise(records))
    for event, key in {(e.station_id, wire.key_of(e)) for e in readable(records)}:
        assert key == f"default/{event}".encode()


def test_every_event_is_what_both_forms_of_the_contract_accept() -> None:
    records, _ = drawn(faulty=False)

    assert len(readable(records)) == len(records) > 2_000
    for record in records[::7]:
        text = EVENT_ADAPTER.validate_json(record.value).model_dump_json(exclude_defaults=True)
        assert msgspec.json.decode(text)["station_id"] == DECODER.decode(record.value).station_id


def test_all_three_dialects_and_all_event_types_of_a_charger_occur() -> None:
    events = readable(drawn(faulty=False)[0])

    assert {e.protocol for e in events} == {"ocpp1.6", "ocpp2.0.1", "ocpp2.1"}
    assert {type(e) for e in events} == {
        wire.SessionStarted, wire.MeterSampled, wire.ChargingStateChanged, wire.SessionEnded,
        wire.StationStatus, wire.Authorization,
    }  # fmt: skip


def test_without_faults_the_ledger_is_the_plain_sum_of_the_events() -> None:
    records, report = drawn(faulty=False)
    registers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for event in readable(records):
        value = {
            wire.SessionStarted: getattr(event, "meter_start_wh", None),
            wire.MeterSampled: getattr(event, "import_wh", None),
            wire.SessionEnded: getattr(event, "meter_stop_wh", None),
        }.get(type(event))
        if value is not None:
            registers[event.station_id, event.transaction_id or ""].append(wh_to_mwh(value))

    energies = {key: values[-1] - values[0] for key, values in registers.items()}
    assert energies == {(s.station_id, s.transaction_id): s.energy_mwh for s in report.sessions}
    assert report.totals.energy_mwh == sum(energies.values())
    assert report.totals.sessions == len(energies)
    assert report.records.sent == report.records.distinct == len(set(records)) == len(records)
    assert not report.dead_letters
    assert {s.status for s in report.sessions} == {"ended"}


def test_every_fault_occurs_and_is_counted() -> None:
    records, report = drawn(faulty=True)

    assert {name for name, fault in report.faults.items() if fault.count == 0} == set()
    assert report.records.sent == len(records)
    assert report.records.duplicates == (
        report.faults["duplicate"].count + report.faults["start_resent"].count
    )
    marked = Counter(s.fault for s in report.sessions)
    for name in ("gap", "missing_start", "missing_stop", "register_reset", "unit_mix"):
        assert marked[name] == report.faults[name].count


def test_damaged_records_and_only_they_are_refused_and_nothing_true_is_lost() -> None:
    records, report = drawn(faulty=True)
    good = readable(records)

    assert len(records) - len(good) == report.records.corrupt == sum(report.dead_letters.values())
    assert len(distinct(good)) == report.records.distinct
    assert len(report.dead_letters) == 5


def test_with_faults_the_energy_of_each_counted_session_can_be_recomputed() -> None:
    records, report = drawn(faulty=True)
    by_transaction: dict[tuple[str, str], list[wire.WireEvent]] = defaultdict(list)
    for event in distinct(readable(records)):
        by_transaction[event.station_id, event.transaction_id or ""].append(event)

    for session in report.sessions:
        if not session.counted:
            continue
        events = by_transaction[session.station_id, session.transaction_id]
        if session.fault == "minus_one_transaction":
            events += [
                e
                for e in by_transaction[session.station_id, "-1"]
                if e.timestamp == session.ended_at and e.id_token == session.driver  # type: ignore[attr-defined]
            ]
        assert recomputed_mwh(events, session.fault) == session.energy_mwh, session


def recomputed_mwh(events: list[wire.WireEvent], fault: str) -> int:
    """Rises of the register in time order; stop minus start where the samples count otherwise."""
    readings = []
    for event in events:
        if isinstance(event, wire.SessionStarted) and event.meter_start_wh is not None:
            readings.append((event.timestamp, 0, wh_to_mwh(event.meter_start_wh)))
        if isinstance(event, wire.MeterSampled) and event.import_wh is not None:
            readings.append((event.timestamp, 1, wh_to_mwh(event.import_wh)))
        if isinstance(event, wire.SessionEnded) and event.meter_stop_wh is not None:
            readings.append((event.timestamp, 2, wh_to_mwh(event.meter_stop_wh)))
    values = [value for *_, value in sorted(readings)]
    if fault == "session_relative_register":
        return values[-1] - values[0]
    return sum(max(0, later - before) for before, later in pairwise(values))


def test_sessions_are_plausible_for_their_charger_and_slices_sum_to_them() -> None:
    for faulty in (False, True):
        _, report = drawn(faulty)
        rated = {s.station_id: s.power.power_w for s in Simulation(
            FAULTY_SPEC if faulty else CLEAN_SPEC).fleet.stations}  # fmt: skip
        for session in report.sessions:
            if not session.counted:
                continue
            seconds = session.charging_s + session.idle_s
            assert 0 < session.energy_mwh <= 250_000_000
            assert session.energy_mwh <= rated[session.station_id] * max(seconds, 60) * 1000 // 3600
            if session.slices is not None:
                assert sum(session.slices.values()) == session.energy_mwh


def test_without_faults_a_meter_never_forgets() -> None:
    starts: dict[tuple[str, int | None], list[tuple[str, float, str]]] = defaultdict(list)
    stops: dict[tuple[str, str], float] = {}
    for event in readable(drawn(faulty=False)[0]):
        if isinstance(event, wire.SessionStarted) and event.meter_start_wh is not None:
            start = (event.timestamp, int(event.meter_start_wh), event.transaction_id or "")
            starts[event.station_id, event.connector_id].append(start)
        if isinstance(event, wire.SessionEnded) and event.meter_stop_wh is not None:
            stops[event.station_id, event.transaction_id or ""] = int(event.meter_stop_wh)

    assert any(len(sessions) > 2 for sessions in starts.values())
    for (station, _), sessions in starts.items():
        for (_, _, transaction), (_, register, _) in pairwise(sorted(sessions)):
            assert stops[station, transaction] == register


def test_a_driver_is_at_one_place_at_a_time() -> None:
    _, report = drawn(faulty=False)
    visits: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for session in report.sessions:
        visits[session.driver].append((session.started_at, session.ended_at))

    assert any(len(times) > 1 for times in visits.values())
    for times in visits.values():
        for (_, left), (came, _) in pairwise(sorted(times)):
            assert left < came


def test_a_lost_stop_is_closed_by_the_next_start_or_the_session_stays_open() -> None:
    _, report = drawn(faulty=True)
    lost = [s for s in report.sessions if s.fault == "missing_stop"]

    assert {s.status for s in lost} <= {"ended_estimated", "active"}
    for session in lost:
        assert session.counted == (session.status == "ended_estimated")


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_can_be_switched_on_alone(fault: Fault) -> None:
    simulation = Simulation(SimulationSpec(stations=8, days=1, seed=3, rates={fault: 0.5}))
    for _ in simulation.records():
        pass
    counts = {name: f.count for name, f in simulation.ledger.report().faults.items() if f.count}

    assert set(counts) == {fault}
