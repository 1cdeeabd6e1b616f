"""How long after it was published an event is visible in `mart`, under a live fleet.

A publisher (`bench.fleet`) sends at a steady rate; every 100 ms the sessions of the marked stations
are asked for, as any reader would. Counted is from publishing a start or an end to the answer that
shows the session, or shows it as ended.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any

from bench.fleet import MARK, station
from bench.job_b import catalogue_of, client_of, running
from bench.machine import Stack, cpu_s, say

_POLL_S = 0.1
_PATIENCE_S = 15.0
_ASK = """
SELECT transaction_id, ended_at IS NOT NULL FROM mart.sessions
WHERE tenant = 'default' AND startsWith(station_id, {mark:String})
"""


class Seen:
    """When a session, and its end, were first in an answer."""

    def __init__(self) -> None:
        self.at: dict[str, dict[str, float]] = {"new": {}, "ended": {}}

    def take(self, rows: Iterable[tuple[str, int]], now: float) -> None:
        """One answer."""
        for transaction, over in rows:
            self.at["new"].setdefault(transaction, now)
            if over:
                self.at["ended"].setdefault(transaction, now)


def run(stack: Stack, rate: int, seconds: int) -> dict[str, Any]:
    """Publish and ask at the same time; percentiles in milliseconds."""
    catalogue = stack.home / "catalogue.json"
    catalogue.write_text(json.dumps(catalogue_of([station(point) for point in range(rate)])))
    stack.laddstream("catalog", "load", str(catalogue))
    client, seen = client_of(stack), Seen()
    arguments = [stack.broker, stack.events_topic, str(rate), str(seconds)]
    asked = 0.0
    with running(stack) as (worker,):
        say(f"  freshness: {rate:,} events a second for {seconds} s")
        before, store_before = cpu_s(worker.pid), cpu_s(stack.store_pid)
        fleet = subprocess.Popen(
            [sys.executable, "-m", "bench.fleet", *arguments],
            env=stack.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        begun, over_at = time.monotonic(), 0.0
        questions = 0
        while not over_at or time.monotonic() < over_at + _PATIENCE_S:
            asking = time.monotonic()
            rows = client.query(_ASK, parameters={"mark": MARK}).result_rows
            seen.take(rows, time.time())  # type: ignore[arg-type]  # two columns
            asked, questions = asked + time.monotonic() - asking, questions + 1
            time.sleep(max(0.0, _POLL_S - (time.monotonic() - asking)))
            if not over_at and fleet.poll() is not None:
                over_at = time.monotonic()
                if fleet.returncode or fleet.stdout is None:
                    raise SystemExit("the publisher failed")
                told = json.loads(fleet.stdout.read().splitlines()[-1])
            if over_at and not _missing(told["marks"], seen):
                break
            if time.monotonic() - begun > 10 * seconds + 120:
                raise SystemExit("freshness takes too long")
        used = cpu_s(worker.pid) - before
        store = cpu_s(stack.store_pid) - store_before
    events = rate * seconds
    return summary(told["marks"], seen) | {
        "rate": told["rate"],
        "rate_asked": rate,
        "publisher_late_s": told["late_s"],
        "question_ms": round(asked / questions * 1000, 1),
        "worker_cpu_s_per_million": round(used / events * 1e6, 2),
        "store_cpu_s_per_million": round(store / events * 1e6, 2),
    }


def _missing(marks: dict[str, dict[str, float]], seen: Seen) -> int:
    return sum(len(ids.keys() - seen.at[kind].keys()) for kind, ids in marks.items())


def summary(marks: dict[str, dict[str, float]], seen: Seen) -> dict[str, Any]:
    """p50 and p99 in milliseconds, of both kinds together and of each."""
    out: dict[str, Any] = {"missing": _missing(marks, seen)}
    both: list[float] = []
    for kind, ids in marks.items():
        there = seen.at[kind]
        took = [1000 * (there[name] - at) for name, at in ids.items() if name in there]
        both += took
        out[kind] = {"sessions": len(took), **percentiles(took)}
    return {**percentiles(both), **out}


def percentiles(took: list[float]) -> dict[str, int]:
    """The middle, and what 99 of 100 keep within."""
    if not took:
        return {"p50": 0, "p99": 0}
    ordered = sorted(took)
    return {
        "p50": round(ordered[len(ordered) // 2]),
        "p99": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]),
    }
