"""A simulated fleet with every fault, workers killed while it speaks: the ledger's figures."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from laddstream import ledger_check
from laddstream.migrate import address_of
from producers.simulator import FAULTS, LedgerReport
from reports.query import connect
from tests.integration.conftest import StartPipeline
from tests.integration.stack_help import Feed, Pipeline, kill_workers_at_work

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

FLEET = ("--stations", "100", "--days", "1", "--seed", "20")
KILLS = 3


@pytest.mark.parametrize("bootstrap", ["embedded"], indirect=True, scope="session")
def test_every_fault_and_killed_workers_leave_the_ledger_s_figures(
    start: StartPipeline, tmp_path: Path
) -> None:
    stack: Pipeline = start(workers=KILLS)
    ledger, catalogue = tmp_path / "ledger.json", tmp_path / "fleet.json"
    stack.run("simulate", *FLEET, "--catalogue", catalogue, "--out", tmp_path / "values")
    stack.run("catalog", "load", catalogue)
    feed = Feed(
        stack, [("simulate", *FLEET, "--fault", "all", "--speed", "3000", "--ledger", ledger)]
    )
    kills = kill_workers_at_work(stack, KILLS, feed, seed=4)
    assert feed.rest() == []
    stack.settle()

    assert len({kill.pid for kill in kills}) == KILLS
    assert all(kill.lag > 0 for kill in kills)
    truth = msgspec.json.decode(ledger.read_bytes(), type=LedgerReport)
    assert truth.records.distinct > 20_000
    assert {fault for fault, found in truth.faults.items() if found.count} == set(FAULTS)
    with closing(connect(address_of(stack.settings))) as store:
        found = ledger_check.read(store, stack.settings.tenant)
    assert ledger_check.compare(truth, found) == []
