"""The simulator's commands, the live view, and the demo as a stranger runs it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from laddstream import ledger_check, live
from laddstream.cli import simulate
from laddstream.ledger_check import Found
from producers.simulator import DEFAULT_RATES, LedgerReport, Simulation, SimulationSpec
from schemas.errors import UserError
from schemas.units import micro_to_decimal, mwh_to_wh

RUNNER = CliRunner()


def invoke(*arguments: str) -> Any:
    """`laddstream simulate` with these arguments; our own errors come out as they are."""
    app = typer.Typer()
    simulate.register(app)
    result = RUNNER.invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def ledger() -> LedgerReport:
    rates = {fault: min(1.0, rate * 4) for fault, rate in DEFAULT_RATES.items()}
    simulation = Simulation(SimulationSpec(stations=15, days=1, seed=4, rates=rates))
    for _ in simulation.records():
        pass
    return simulation.ledger.report()


@pytest.fixture
def found(ledger: LedgerReport) -> Found:
    """What a correct store would answer about the ledger's fleet."""
    sums: dict[str, Any] = {
        tariff_id: {
            "tariff_id": tariff_id,
            "sessions": revenue.sessions,
            "energy_wh": Decimal(0),
            "excl": micro_to_decimal(revenue.excl_micro),
            "vat": micro_to_decimal(revenue.vat_micro),
        }
        for tariff_id, revenue in ledger.totals.revenue.items()
    }
    for truth in ledger.sessions:
        if truth.counted:
            sums[truth.tariff_id]["energy_wh"] += mwh_to_wh(truth.energy_mwh)
    return Found(
        sessions=list(stored_sessions(ledger)),
        slices=list(stored_slices(ledger)),
        sums=list(sums.values()),
        set_aside=dict(ledger.totals.set_aside),
        dead_letters=dict(ledger.dead_letters),
        events=ledger.records.distinct,
    )


def stored_sessions(ledger: LedgerReport) -> Iterator[dict[str, Any]]:
    for truth in ledger.sessions:
        yield {
            "session_id": truth.session_id,
            "station_id": truth.station_id,
            "status": truth.status,
            "quarantine_reason": truth.reason,
            "area": truth.area,
            "started_at": truth.started_at or None,
            "ended_at": truth.ended_at or None,
            "driver_key": truth.driver,
            "tariff_id": truth.tariff_id,
            "currency": truth.currency,
            "energy_wh": mwh_to_wh(truth.energy_mwh),
            "charging_s": truth.charging_s,
            "idle_s": truth.idle_s,
            "amount_excl_vat": micro_to_decimal(truth.excl_micro),
            "amount_vat": micro_to_decimal(truth.vat_micro),
        }


def stored_slices(ledger: LedgerReport) -> Iterator[dict[str, Any]]:
    """Energy where the ledger has it, all money in the first slice."""
    for truth in ledger.sessions:
        if not truth.counted:
            continue
        excl = micro_to_decimal(truth.excl_micro)
        incl = excl + micro_to_decimal(truth.vat_micro)
        for slice_, mwh in (truth.slices or {0: truth.energy_mwh}).items():
            yield {
                "session_id": truth.session_id,
                "slice": slice_,
                "energy_wh": mwh_to_wh(mwh),
                "amount_excl_vat": excl,
                "amount_incl_vat": incl,
            }
            excl = incl = Decimal(0)


def test_a_store_that_says_what_the_ledger_says_is_equal(
    ledger: LedgerReport, found: Found
) -> None:
    assert ledger_check.compare(ledger, found) == []


def test_a_missing_session_and_one_nobody_sent_are_named(
    ledger: LedgerReport, found: Found
) -> None:
    gone, *rest = found.sessions
    stranger = {**gone, "session_id": "stranger"}
    differences = ledger_check.compare(ledger, replace(found, sessions=[*rest, stranger]))

    assert {(one.where, one.found) for one in differences} == {
        (gone["session_id"], "missing"),
        ("stranger", gone["status"]),
    }


def test_one_milliwatt_hour_and_one_micro_unit_are_seen(ledger: LedgerReport, found: Found) -> None:
    index = next(i for i, truth in enumerate(ledger.sessions) if truth.counted)
    row = dict(found.sessions[index])
    row["energy_wh"] += Decimal("0.001")
    row["amount_vat"] += Decimal("0.000001")
    sessions = [*found.sessions[:index], row, *found.sessions[index + 1 :]]
    differences = ledger_check.compare(ledger, replace(found, sessions=sessions))

    assert {one.what for one in differences} == {"energy_wh", "amount_vat"}
    assert {one.where for one in differences} == {row["session_id"]}


def test_energy_in_the_wrong_slice_is_seen(ledger: LedgerReport, found: Found) -> None:
    wrong: list[Any] = [dict(row) for row in found.slices]
    wrong[0]["slice"] += 900 * 10_000
    differences = ledger_check.compare(ledger, replace(found, slices=wrong))

    assert len(differences) == 2
    assert all(one.what.startswith("slice ") for one in differences)


def test_dead_letters_and_events_are_compared_by_count(ledger: LedgerReport, found: Found) -> None:
    wrong = replace(found, dead_letters={**found.dead_letters, "empty": 1}, events=found.events - 1)
    differences = ledger_check.compare(ledger, wrong)

    assert {(one.where, one.what) for one in differences} == {
        ("dead letters", "empty"),
        ("totals", "distinct events"),
    }


def test_the_live_view_fits_a_terminal_of_80_by_24() -> None:
    snapshot = live.Snapshot(
        stations=20_000, speed=900, simulated=datetime(2026, 3, 1, 12, tzinfo=UTC), sent=10**9,
        events=999_000_000, duplicates=9_999_999, dead_letters=999_999, open_sessions=99_999,
        done=10**9 - 123_456, rate=123_456.7,
    )  # fmt: skip
    window: live.Row = {
        "slice_start": "2026-03-01T11:45:00Z",
        "sessions": 99_999,
        "energy_kwh": Decimal("12345.678"),
        "SEK": Decimal("123456.78"),
        "EUR": 0,
    }
    station: live.Row = {
        "station_id": "SE-STO-00123",
        "area": "Höfuðborgarsvæðið",
        "city": "Reykjavík",
        "sessions": 4,
        "energy_kwh": Decimal("123.4"),
        "power_kw": 700,
        "stations": 234,
    }
    snapshot.windows, snapshot.charging = [window] * live.WINDOWS, [station] * live.STATIONS
    console = Console(width=80, height=24, file=io.StringIO())
    console.print(live.screen(snapshot))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]

    assert len(lines) < 24
    assert max(len(line) for line in lines) <= 80
    assert "123,457" in "".join(lines)


def test_an_empty_store_shows_an_empty_view() -> None:
    console = Console(width=80, file=io.StringIO())
    console.print(live.screen(live.Snapshot(1, 900, datetime(2026, 3, 1, tzinfo=UTC))))

    assert "Stations now charging: 0" in console.file.getvalue()  # type: ignore[attr-defined]


def test_simulate_writes_values_ledger_and_catalogue_without_kafka(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("a.jsonl", "ledger.json", "fleet.json")]
    options = ["--out", "--ledger", "--catalogue"]
    paired = [str(part) for pair in zip(options, names, strict=True) for part in pair]
    result = invoke(
        "--stations", "5", "--days", "0.5", "--seed", "3", "--fault", "all", "--fault",
        "duplicate=0.1", *paired,
    )  # fmt: skip
    lines = names[0].read_bytes().splitlines()
    ledger = msgspec.json.decode(names[1].read_bytes(), type=LedgerReport)

    assert result.exit_code == 0
    assert len(lines) == ledger.records.sent > 300
    assert ledger.faults["duplicate"].count > len(lines) * 0.05
    assert len(json.loads(names[2].read_text())["stations"]) == 5
    assert f"{ledger.records.sent:,}" in result.output


def test_simulate_says_the_same_in_json(tmp_path: Path) -> None:
    result = invoke("--stations", "2", "--days", "0.2", "--out", str(tmp_path / "x"), "--json")
    said = json.loads(result.output)

    assert said["records"]["sent"] == len((tmp_path / "x").read_bytes().splitlines())
    assert said["totals"]["sessions"] == said["sessions"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--start", "2026-03-01"), "zone"),
        (("--start", "soon"), "--start"),
        (("--speed", "0"), "--speed"),
        (("--speed", "fast"), "--speed"),
        (("--fault", "gremlins=1"), "gremlins"),
        (("--out", "/nowhere/at/all"), "/nowhere/at/all"),
    ],
)
def test_wrong_options_get_one_sentence(arguments: tuple[str, ...], word: str) -> None:
    with pytest.raises(UserError, match=word):
        invoke("--days", "0.05", "--stations", "1", *arguments)


def test_the_faults_can_be_listed() -> None:
    output = invoke("--list-faults").output

    assert all(len(line) <= 100 for line in output.splitlines())
    assert "minus_one_transaction" in output


def still_runs(pid: int) -> bool:
    """Whether a process exists and is no mere entry that nobody has collected yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def demo(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "laddstream", "demo", *arguments],
        env={**os.environ, "LADDSTREAM_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.integration
@pytest.mark.timeout(240)
def test_a_finite_demo_finds_everything_its_ledger_knows(tmp_path: Path) -> None:
    process = demo(tmp_path, "--once", "--stations", "60", "--seed", "7", "--json")
    output, errors = process.communicate(timeout=200)
    said = json.loads(output)

    assert said["differences"] == []
    assert said["equal"]
    assert process.returncode == 0, errors
    assert said["ledger"]["records"]["sent"] > 30_000
    assert all(fault["count"] for fault in said["ledger"]["faults"].values())
    assert {len(rows) > 0 for rows in said["reports"].values()} == {True}


@pytest.mark.integration
@pytest.mark.timeout(120)
def test_ctrl_c_stops_the_endless_demo_and_everything_it_started(tmp_path: Path) -> None:
    process = demo(tmp_path, "--stations", "40", "--json")
    assert process.stdout is not None
    for line in process.stdout:
        snapshot = json.loads(line)
        if snapshot["events"] > 0 and snapshot["windows"]:
            break
    second = demo(tmp_path)
    assert "already runs" in second.communicate(timeout=30)[1]
    assert second.returncode == 2

    pids = [json.loads(path.read_text())["pid"] for path in (tmp_path / "demo/run").glob("*.json")]
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert time.monotonic() - begin < 20
    assert len(pids) >= 4
    assert [pid for pid in pids if still_runs(pid)] == []
