"""Stops and deaths that people and machines bring about: nothing is lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.conftest import StartPipeline
from tests.integration.stack_help import ROOT, TRACEBACK, Feed, Pipeline

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.parametrize("bootstrap", ["embedded"], indirect=True, scope="session"),
]

MAPPING = """\
name = "rows"
zone = "UTC"
station = "station"
start = "start"
duration = { column = "minutes", unit = "min" }
energy = { column = "wh", unit = "Wh" }
"""
TOTALS = "SELECT count(), sum(energy_wh) FROM mart.sessions WHERE quarantine_reason = ''"


def rows_file(path: Path, stations: int, sessions: int, first_wh: int = 1) -> int:
    """Sessions of so many stations, one an hour each; gives the energy of all, Wh."""
    lines, total = ["station,start,minutes,wh\n"], 0
    for station in range(stations):
        for number in range(sessions):
            wh = first_wh + station * sessions + number
            moment = f"2026-03-{1 + number // 24:02}T{number % 24:02}:00:00"
            lines.append(f"{path.stem}-{station},{moment},30,{wh}\n")
            total += wh
    path.write_text("".join(lines), "utf-8")
    return total


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, what
        time.sleep(0.1)


def test_a_worker_told_to_stop_writes_and_commits_all_it_has_read(
    start: StartPipeline, tmp_path: Path
) -> None:
    # So long between flushes that only the stop can be what wrote the rows
    stack: Pipeline = start(workers=0, WORKER__FLUSH_INTERVAL_S="600")
    mapping = tmp_path / "rows.toml"
    mapping.write_text(MAPPING, "utf-8")
    energy = rows_file(tmp_path / "rows.csv", 40, 50)
    log = stack.home / "logs" / "stopped.log"
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "laddstream", "worker"],
            cwd=ROOT, env=stack.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
        try:
            wait_until(lambda: bool(stack.assignments().get(worker.pid)), 60, "no partitions")
            stack.run("import", tmp_path / "rows.csv", "--mapping", mapping)
            time.sleep(3.0)
            before = (stack.lag(), stack.rows(TOTALS)[0][0])
            worker.terminate()
            code = worker.wait(30)
        finally:
            worker.kill()
            worker.wait()
    assert before == (4000, 0)
    assert code == 0
    assert TRACEBACK not in log.read_text("utf-8")
    assert stack.lag() == 0
    assert stack.rows("SELECT count() FROM mart.events") == [(4000,)]
    assert stack.rows(TOTALS) == [(2000, Decimal(energy))]


def test_a_store_killed_at_work_comes_back_and_nothing_is_lost(
    start: StartPipeline, tmp_path: Path
) -> None:
    stack: Pipeline = start()
    mapping = tmp_path / "rows.toml"
    mapping.write_text(MAPPING, "utf-8")
    files = [tmp_path / f"rows{number}.csv" for number in range(4)]
    energy = sum(rows_file(file, 30, 100) for file in files)
    wait_until(lambda: any(stack.assignments().values()), 60, "no worker is at work")
    workers, killed = stack.workers(), []
    feed = Feed(stack, [("import", file, "--mapping", mapping) for file in files])
    for _ in range(2):
        feed.go_on()
        wait_until(lambda: stack.lag() > 0, 30, "nothing was published")
        store = stack.store()
        assert store is not None
        os.kill(store.pid, signal.SIGKILL)
        killed.append(store.pid)
        wait_until(
            lambda: (now := stack.store()) is not None and now.pid not in killed, 30, "no store"
        )
    for command in feed.rest():
        stack.run(*command)
    stack.settle()

    assert stack.log("up").count("store ended with exit code -9") == 2
    assert stack.workers() == workers
    assert stack.rows("SELECT count() FROM mart.events") == [(24_000,)]
    assert stack.rows(TOTALS) == [(12_000, Decimal(energy))]
    assert stack.rows("SELECT count() FROM mart.set_aside_sessions") == [(0,)]
