"""CPU per event of two workers on two partitions each, beside one worker on all four.

python -m bench.workers [--events 1000000] [--rounds 1] [--kafka HOST:PORT]   prints one JSON line

Job B, everything on, with one worker process and then with two; each time in a throw-away home
with a broker and a store of its own, so that neither finds what the other stored. Rounds take
turns (1, 2, 2, 1, …), medians are told. `events_by_worker` says how evenly the topic was shared:
where one worker read nearly all of it, the ratio says nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from typing import Any

from bench import job_b
from bench.machine import say, stack
from bench.stream import Stream, make

ONE, TWO = 1, 2


def turns(rounds: int) -> list[int]:
    """Numbers of workers, in the order in which they run: what warms up favours neither."""
    return [count for turn in range(rounds) for count in ((ONE, TWO), (TWO, ONE))[turn % 2]]


def run(stream: Stream, workers: int, kafka: str = "") -> dict[str, Any]:
    """Job B with so many workers, in a stack of its own."""
    with stack(kafka) as services:
        found = job_b.run(services, stream, workers)
        rows = services.sql("SELECT events_total FROM mart.worker_status")
        found["events_by_worker"] = sorted(int(row["events_total"]) for row in rows)
    return found


def summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians of each way, and two workers' CPU per event over one's."""
    out: dict[str, Any] = {"right": all(each["right"] for each in runs)}
    for count, name in ((ONE, "one"), (TWO, "two")):
        mine = [each for each in runs if each["workers"] == count]
        out[name] = {
            figure: round(statistics.median(each[figure] for each in mine), 3)
            for figure in ("cpu_s_per_million", "store_cpu_s_per_million", "events_per_s")
        }
        out[name]["events_by_worker"] = [each["events_by_worker"] for each in mine]
    two, one = out["two"]["cpu_s_per_million"], out["one"]["cpu_s_per_million"]
    return {"ratio": round(two / one, 3), **out}


def measure(events: int = 1_000_000, rounds: int = 1, kafka: str = "") -> dict[str, Any]:
    """Both ways, in turns, on the same stream."""
    stream = make(events)
    runs = []
    for workers in turns(rounds):
        say(f"workers: {events:,} events, {workers} worker{'s' * (workers > 1)}")
        runs.append(run(stream, workers, kafka))
    return {"events": events, "rounds": rounds, **summary(runs)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.workers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1, help="of both ways; medians")
    parser.add_argument("--kafka", default="", help="HOST:PORT; default: the embedded broker")
    print(json.dumps(measure(**vars(parser.parse_args()))))
