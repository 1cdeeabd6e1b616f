"""The benchmark as a person runs it, on a small stream."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from bench import fleet
from bench.freshness import Seen, percentiles, summary

ROOT = Path(__file__).parents[2]


@pytest.mark.integration
@pytest.mark.slow
def test_a_small_run_of_job_a_is_right_and_leaves_its_figures(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench", "--events", "20000", "--only", "job_a,bare_read"]
    command += ["--runs", "1", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = json.loads(out.read_text())
    assert found["job_a"]["right"] is True
    assert found["job_a"]["cpu_s_per_million"] > 0
    assert found["bare_read"]["events_per_s"] > 0
    assert set(found["ratios"]) == {"job_a_to_bare_read"}


def test_each_charge_point_tells_whole_sessions_one_after_another() -> None:
    for point in range(40):
        told = [fleet.said(point, second) for second in range(100)]
        for before, after in pairwise(told):
            if before[2]:
                assert after == (before[0] + 1, 0, False)
            else:
                assert (after[0], after[1]) == (before[0], before[1] + 1)
        assert told[0][1] == 0


def test_every_marked_start_and_end_after_the_warm_up_is_told_once() -> None:
    points, seconds = 1_000, 60
    sent_at = [float(n) for n in range(seconds * 100)]
    marks = fleet.marks(points, seconds, sent_at)
    kinds = {b"session_started": "new", b"session_ended": "ended"}
    found: dict[str, dict[str, float]] = {"new": {}, "ended": {}}
    for number, group in enumerate(fleet.values(points, seconds, 1_772_323_200_000)):
        for key, value in group:
            event = json.loads(value)
            kind = kinds.get(event["type"].encode())
            if kind and fleet.MARK.encode() in key and number >= fleet.WARM_S * 100:
                found[kind][event["transaction_id"]] = float(number)
    assert marks == found
    assert len(marks["new"]) > 10


def test_a_session_counts_from_its_publishing_to_the_first_answer_that_shows_it() -> None:
    seen = Seen()
    seen.take([("a", 0)], 10.5)
    seen.take([("a", 1), ("b", 0)], 11.0)
    seen.take([("a", 1), ("b", 1)], 12.0)
    found = summary({"new": {"a": 10.0, "b": 10.0}, "ended": {"a": 10.0, "c": 10.0}}, seen)
    assert found["missing"] == 1
    assert found["new"] == {"sessions": 2, "p50": 1000, "p99": 1000}
    assert found["ended"] == {"sessions": 1, "p50": 1000, "p99": 1000}


def test_percentiles_of_nothing_are_nothing() -> None:
    assert percentiles([]) == {"p50": 0, "p99": 0}
    assert percentiles([float(n) for n in range(1, 101)]) == {"p50": 51, "p99": 100}
