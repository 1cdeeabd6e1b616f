"""Two programs, one truth: the ledger, and the core fed with the faulty events."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from producers.simulator import DEFAULT_RATES, SessionTruth, Simulation, SimulationSpec, master_data
from producers.simulator.people import discount_percent
from schemas import wire
from streams.convert import to_core
from streams.core.allot import Start, Tagged, allot
from streams.core.derive import derive
from streams.core.events import CoreEvent, Started
from streams.core.facts import Facts
from streams.core.identity import start_session_id, transaction_session_id
from streams.core.ocpi.tariffs import read_tariff
from streams.core.pricing.adjust import discounted
from streams.core.pricing.compiled import Compiled, compile_tariff
from streams.core.pricing.contract import UTC_ZONE
from streams.core.pricing.engine import price
from streams.core.slices import slice_session
from streams.session_usage import usage_of_facts

DECODER = msgspec.json.Decoder(wire.AnyEvent)
Sessions = dict[str, set[CoreEvent]]


def epoch_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def read(simulation: Simulation) -> list[tuple[wire.WireEvent, CoreEvent]]:
    """Every readable event that is about a session."""
    out = []
    for record in simulation.records():
        try:
            event = DECODER.decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if event.timestamp.endswith("Z") and (core := to_core(event, epoch_ms(event.timestamp))):
            out.append((event, core))
    return out


def stitched(events: list[tuple[wire.WireEvent, CoreEvent]]) -> Sessions:
    """Session id to its events, by the core's rules of identity and allotment."""
    sessions: Sessions = defaultdict(set)
    starts: dict[str, dict[str, Start]] = defaultdict(dict)
    others: dict[str, set[Tagged]] = defaultdict(set)
    for event, core in events:
        station, transaction = event.station_id, event.transaction_id or ""
        if event.protocol != "ocpp1.6":
            sessions[str(transaction_session_id(event.tenant, station, transaction))].add(core)
        elif isinstance(core, Started):
            found = start_session_id(
                event.tenant, station, event.connector_id, core.id_token, event.timestamp,
                core.meter_mwh,
            )  # fmt: skip
            starts[station][str(found)] = Start(found, core, frozenset({transaction}))
            sessions[str(found)].add(core)
        else:
            others[station].add(Tagged(transaction, core))
    for station, tagged in others.items():
        for one, home in allot(starts[station].values(), tagged).items():
            orphan = transaction_session_id("default", station, one.transaction_id)
            sessions[str(home or orphan)].add(one.event)
    return sessions


def last_starts(events: list[tuple[wire.WireEvent, CoreEvent]]) -> dict[tuple[str, int], int]:
    """The newest start on each connector."""
    newest: dict[tuple[str, int], int] = {}
    for event, core in events:
        if isinstance(core, Started):
            key = (event.station_id, max(core.evse, core.connector * (core.evse < 0)))
            newest[key] = max(newest.get(key, 0), core.ts)
    return newest


def compare(truth: SessionTruth, facts: Facts, tariff: Compiled) -> None:
    assert (facts.status, facts.quarantine_reason) == (truth.status, truth.reason)
    if not truth.counted:
        return
    assert facts.energy_mwh == truth.energy_mwh
    assert facts.started_ms == epoch_ms(truth.started_at)
    assert facts.ended_ms == epoch_ms(truth.ended_at)
    assert facts.id_token == truth.driver
    assert (facts.charging_ms, facts.idle_ms) == (truth.charging_s * 1000, truth.idle_s * 1000)
    share = Fraction(discount_percent(truth.driver), 100)
    priced = discounted(price(tariff, usage_of_facts(facts, UTC_ZONE)), share, facts.until_ms)
    assert priced.micro == (truth.excl_micro, truth.excl_micro + truth.vat_micro)
    if truth.slices is not None:
        slices = {s.start // 1000: s.energy_mwh for s in slice_session(facts) if s.energy_mwh}
        assert slices == truth.slices


@pytest.mark.parametrize("seed", range(3))
def test_the_core_finds_every_session_energy_slice_and_amount_of_the_ledger(seed: int) -> None:
    rates = {fault: min(1.0, rate * 4) for fault, rate in DEFAULT_RATES.items()}
    simulation = Simulation(SimulationSpec(stations=40, days=1.5, seed=seed, rates=rates))
    events = read(simulation)
    sessions, newest = stitched(events), last_starts(events)
    fleet = simulation.fleet
    rated = {station.station_id: station.power.power_w for station in fleet.stations}
    decoder = msgspec.json.Decoder(dict[str, list[dict[str, Any]]], float_hook=Decimal)
    catalogue = decoder.decode(msgspec.json.encode(master_data(fleet, simulation.spec.start)))
    read_tariffs = [read_tariff(document).tariff for document in catalogue["tariffs"]]
    tariffs = {tariff.tariff_id: compile_tariff(tariff) for tariff in read_tariffs if tariff}
    truths = simulation.ledger.sessions

    assert {truth.session_id for truth in truths} == sessions.keys()
    for truth in truths:
        found = sessions[truth.session_id]
        facts = derive(found, rated_power_w=rated[truth.station_id])
        number = facts.evse if facts.evse >= 0 else facts.connector
        later = newest.get((truth.station_id, number), 0)
        if facts.started_ms is not None and facts.started_ms < later:
            facts = derive(found, superseded=True, rated_power_w=rated[truth.station_id])
        compare(truth, facts, tariffs[truth.tariff_id])
