"""A simulated fleet with every fault through the worker: the rows equal the simulator's ledger."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from laddstream.catalogue import read
from laddstream.catalogue.changes import State, settle
from producers.simulator import FAULTS, Fault, Simulation, SimulationSpec, master_data
from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue
from streams.sink.catalogue_sql import CATALOGUE
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


def simulated(seed: int) -> Simulation:
    """A few stations for a day, each fault at two in a hundred."""
    rates = {**dict.fromkeys(FAULTS, 0.02), Fault.CORRUPT_BYTES: 0.002}
    return Simulation(SimulationSpec(stations=6, days=1, seed=seed, rates=rates))


def catalogue_of(simulation: Simulation, folder: Path) -> Catalogue:
    """The fleet's own master data, as `laddstream catalog load` would store it."""
    path = folder / "catalogue.json"
    path.write_bytes(msgspec.json.encode(master_data(simulation.fleet, simulation.spec.start)))
    contents = read([path], "default")
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in CATALOGUE}
    for change in settle(contents, State()):
        table, *key = change.key
        names = CATALOGUE[table][0].split(", ")
        row = dict(zip(names, key, strict=False)) | {"from_ms": change.from_ms}
        tables[table].append(row | (change.values or {}))
    assert contents.faults == []
    return build_catalogue(1, **tables)


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
def test_a_fleet_with_every_fault_is_told_as_the_ledger_knows_it(seed: int, tmp_path: Path) -> None:
    simulation = simulated(seed)
    values: list[bytes | None] = [record.value for record in simulation.records()]
    known = catalogue_of(simulation, tmp_path)
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
def test_disorder_and_crashes_leave_the_rows_of_a_quiet_run(seed: int, tmp_path: Path) -> None:
    simulation = simulated(seed)
    values: list[bytes | None] = [record.value for record in simulation.records()]
    known = catalogue_of(simulation, tmp_path)
    quiet = played(values, known, seed, crashes=False)
    random.Random(seed).shuffle(values)

    rough = played(values, known, seed, crashes=True)

    assert sessions_in(rough) == sessions_in(quiet)
    assert slices_in(rough) == slices_in(quiet)
    assert charges_in(rough) == charges_in(quiet)
    assert homes_in(rough) == homes_in(quiet)
