"""A simulated fleet with every fault through the worker: the rows equal the simulator's ledger."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import msgspec
import pytest

from producers.simulator import FAULTS, Fault, Simulation, SimulationSpec, master_data
from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue
from streams.sink.memory import MemorySink
from tests.streams.core.fleet_kit import (
    Drive,
    charges_in,
    homes_in,
    sessions_in,
    settings_of,
    sink_of,
    slices_in,
)

STATION = {"tenant": "default", "area": "", "city": "", "country": "", "time_zone": "",
           "rated_power_w": None, "tariff_id": ""}  # fmt: skip


def simulated(seed: int) -> Simulation:
    """A few stations for a day, each fault at two in a hundred."""
    rates = {**dict.fromkeys(FAULTS, 0.02), Fault.CORRUPT_BYTES: 0.002}
    return Simulation(SimulationSpec(stations=6, days=1, seed=seed, rates=rates))


def catalogue_of(simulation: Simulation) -> Catalogue:
    """The fleet's own master data."""
    data: Any = master_data(simulation.fleet)
    tariffs = [
        {"tenant": "default", "tariff_id": t["id"], "ocpi_json": msgspec.json.encode(t)}
        for t in data["tariffs"]
    ]
    return build_catalogue(1, [STATION | s for s in data["stations"]], tariffs)


def played(values: list[bytes | None], known: Catalogue, seed: int, *, crashes: bool) -> MemorySink:
    """The values through a worker that packs at once and, if told, dies now and then."""
    chance = random.Random(seed)
    drive = Drive(values, sink_of(known), settings_of(keep_s=0))
    while drive.position < len(values):
        drive.take(chance.randint(1, 900))
        what = chance.random()
        if crashes and what < 0.15:
            drive.restart()
        elif crashes and what < 0.3:
            drive.crash_in_flush(chance.randint(0, 4))
        elif what < 0.7:
            drive.flush()
    drive.finish()
    return drive.sink


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fleet_with_every_fault_is_told_as_the_ledger_knows_it(seed: int) -> None:
    simulation = simulated(seed)
    values: list[bytes | None] = [record.value for record in simulation.records()]
    known = catalogue_of(simulation)
    report = simulation.ledger.report()

    sink = played(values, known, seed, crashes=False)

    rows = {key[2]: row for key, row in sessions_in(sink).items()}
    truth = {UUID(str(s.session_id)): s for s in report.sessions}
    assert rows.keys() == truth.keys()
    for sid, session in truth.items():
        row = rows[sid]
        assert (row["status"], row["quarantine_reason"]) == (session.status, session.reason)
        if session.counted:
            assert int(row["energy_wh"] * 1000) == session.energy_mwh
            assert int((row["amount_excl_vat"] or 0) * 10**6) == session.excl_micro
            assert int((row["amount_vat"] or 0) * 10**6) == session.vat_micro
    assert len(sink.tables["dead_letters"]) == sum(report.dead_letters.values())
    assert len(sink.tables["events"]) == report.records.distinct


@pytest.mark.parametrize("seed", [4, 5])
def test_disorder_and_crashes_leave_the_rows_of_a_quiet_run(seed: int) -> None:
    simulation = simulated(seed)
    values: list[bytes | None] = [record.value for record in simulation.records()]
    known = catalogue_of(simulation)
    quiet = played(values, known, seed, crashes=False)
    random.Random(seed).shuffle(values)

    rough = played(values, known, seed, crashes=True)

    assert sessions_in(rough) == sessions_in(quiet)
    assert slices_in(rough) == slices_in(quiet)
    assert charges_in(rough) == charges_in(quiet)
    assert homes_in(rough) == homes_in(quiet)
