"""CPU seconds per million events, each figure beside its reference from the same run.

    python -m bench [--events 2000000] [--only job_a,freshness] [--kafka HOST:PORT]

job_a        stitch JSON events to sessions, energy, money and quarters of an hour through the
             real Faust app, nothing stored; the answer is compared with a plain pass
bare_read    the same topic read and thrown away: record batches as our transport takes them,
             and a librdkafka loop
stock_faust  the same job as an ordinary Faust agent, on a tenth of the events
job_b        everything: validated, stitched, priced, inserted into the embedded store
freshness    a live fleet; from publishing a start or an end to seeing it in mart
memory       a worker's resident memory per open session of 20 samples

Starts a broker and a store of its own in a throw-away home. Writes build/bench.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import freshness, job_b
from bench.answer import expected
from bench.machine import Stack, about, apache, child, load, say, stack, topic
from bench.report import ratios, show
from bench.stream import job_a, make

PARTS = ("job_a", "bare_read", "stock_faust", "job_b", "freshness", "memory")
_TENTH = 10
_LEAST_EVENTS = 1_000


def main() -> int:
    """Run the chosen parts; exit code 1 where an answer is wrong."""
    options = _options()
    only = [name for name in options.only.split(",") if name] or list(PARTS)
    begun = time.monotonic()
    with ExitStack() as running:
        kafka = options.kafka
        if kafka == "apache":
            say("starting Apache Kafka")
            kafka = running.enter_context(apache())
        found: dict[str, Any] = {"machine": about(), "events": options.events}
        found["machine"]["broker"] = options.kafka or "embedded"
        if set(only) & {"job_a", "bare_read", "stock_faust", "job_b"}:
            with stack(kafka) as services:
                found |= _jobs(services, options, only)
        if "freshness" in only:
            with stack(kafka) as services:
                found["freshness_ms"] = freshness.run(services, options.rate, options.seconds)
        if "memory" in only:
            say(f"memory: {options.sessions:,} open sessions of 20 samples")
            weighed = child("bench.memory", "--sessions", options.sessions)
            found["bytes_per_open_session"] = weighed.pop("bytes_per_open_session")
            found["memory"] = weighed
    found["ratios"] = ratios(found)
    found["took_s"] = round(time.monotonic() - begun)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n")
    show(found)
    parts = (found.get(name, {}) for name in ("job_a", "stock_faust", "job_b"))
    return 0 if all(part.get("right", True) for part in parts) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--only", default="", help=f"of {','.join(PARTS)}")
    parser.add_argument("--runs", type=int, default=3, help="of job_a and bare_read; medians")
    parser.add_argument("--rate", type=int, default=50_000, help="freshness: events a second")
    parser.add_argument("--seconds", type=int, default=20, help="freshness: how long")
    parser.add_argument("--sessions", type=int, default=1_000_000, help="memory: open sessions")
    parser.add_argument("--workers", type=int, default=1, help="job_b: worker processes")
    parser.add_argument("--kafka", default="", help="HOST:PORT; apache: of ../shared/kafka")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    options = parser.parse_args()
    if unknown := {name for name in options.only.split(",") if name} - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    if options.events < _LEAST_EVENTS:
        parser.error(f"at least {_LEAST_EVENTS:,} events")
    return options


def _jobs(services: Stack, options: argparse.Namespace, only: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    events: int = options.events
    say(f"making {events:,} events")
    stream = make(events)
    if "job_a" in only or "bare_read" in only:
        with topic(services.broker, "a") as name:
            load(services.broker, name, job_a(stream))
            found |= _reading(services, name, events, only, options.runs)
        if "job_a" in found:
            answer = asdict(expected(stream))
            found["job_a"]["right"] = all(a == answer for a in found["job_a"].pop("answers"))
    if "stock_faust" in only:
        found["stock_faust"] = _stock(services, events // _TENTH)
    if "job_b" in only:
        say("job_b: loading")
        found["job_b"] = job_b.run(services, stream, options.workers)
    return found


def _reading(
    services: Stack, name: str, events: int, only: Sequence[str], runs: int
) -> dict[str, Any]:
    """Job A and both ways of reading bare, in turns."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for run in range(runs):
        say(f"job_a, bare_read: run {run + 1} of {runs}")
        where = (services.broker, name, events)
        if "bare_read" in only:
            for how in ("batches", "loop"):
                row = child("bench.bare", *where, how, environment=services.environment)
                rows.setdefault(how, []).append(row)
        if "job_a" in only:
            row = child("bench.job_a", *where, environment=services.environment)
            rows.setdefault("job_a", []).append(row)
    found = {}
    if "batches" in rows:
        loop = _figures(rows["loop"], events)
        found["bare_read"] = _figures(rows["batches"], events) | {
            "librdkafka_cpu_s_per_million": loop["cpu_s_per_million"],
            "librdkafka_events_per_s": loop["events_per_s"],
        }
    if "job_a" in rows:
        answers = [row["answer"] for row in rows["job_a"]]
        found["job_a"] = _figures(rows["job_a"], events) | {"answers": answers}
    return found


def _figures(rows: list[dict[str, Any]], events: int) -> dict[str, Any]:
    """Medians over runs."""
    figures: dict[str, Any] = {
        "events_per_s": round(statistics.median(events / row["wall_s"] for row in rows)),
        "cpu_s_per_million": round(
            statistics.median(row["cpu_s"] / events * 1e6 for row in rows), 3
        ),
        "runs": len(rows),
    }
    if peaks := [row["peak_rss_mb"] for row in rows if "peak_rss_mb" in row]:
        figures["peak_rss_mb"] = max(peaks)
    return figures


def _stock(services: Stack, events: int) -> dict[str, Any]:
    say(f"stock_faust: {events:,} events")
    stream = make(max(_LEAST_EVENTS, events))
    with topic(services.broker, "stock") as name:
        load(services.broker, name, job_a(stream))
        row = child(
            "bench.stock", services.broker, name, stream.events, environment=services.environment
        )
    right = row["answer"] == asdict(expected(stream))
    return _figures([row], stream.events) | {"events": stream.events, "right": right}


if __name__ == "__main__":
    sys.exit(main())
