"""The same job on other engines and on ours, from one real Kafka, in one run.

    python -m bench.peers [--only flink,quix] [--runs 1] [--out build/peers.json]

The programs, the events and the answer are those of ../shared/peers; what they need is fetched
and built once, under build/peers. Needs Java 17 and Maven. An engine that cannot be built or run
is in the table with the reason; one that gives another answer is marked.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.machine import ROOT, about, child, free_port, say

PEERS = ROOT.parent / "shared" / "peers"
WORK = ROOT / "build" / "peers"
TOPIC = "bench.events"
OURS = "laddstream"
ENGINES = (
    "raw-librdkafka", "raw-aiokafka", "raw-batches", "flink", "kstreams", "quix", "quix-state",
    "bytewax", "pathway", "faust-stock", "faust-naive", "plain", "faust-chunks",
    "faust-librdkafka", "faust-batches", "limit-librdkafka", "limit-batches",
)  # fmt: skip
TARGETS = {
    "flink": 0.3,
    "kstreams": 0.3,
    "quix": 0.2,
    "bytewax": 0.15,
    "pathway": 0.15,
    "faust-stock": 0.025,
}
"""Our CPU over theirs, at most."""

_BUILD_S = 1_200
_ANSWER = ("sessions", "total_wh", "micro_eur", "slices_sha")


def main() -> int:
    """Run the engines; exit code 1 where ours is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--only", default="", help="engines, separated by commas; default all")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "peers.json")
    options = parser.parse_args()
    engines = [name for name in options.only.split(",") if name] or list(ENGINES)
    if unknown := set(engines) - set(ENGINES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(ENGINES)}")
    if not PEERS.is_dir():
        say(f"{PEERS} is not there: nothing to compare with")
        return 2
    with kafka() as environment:
        result = _measure(environment, engines, options.runs)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    show(result)
    return 0 if result["engines"][OURS]["right"] else 1


@contextmanager
def kafka() -> Iterator[Mapping[str, str]]:
    """A real Kafka with the events in it; gives the environment of the peers' script."""
    WORK.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "PEERS_WORK": str(WORK),
        "PEERS_KAFKA": f"127.0.0.1:{free_port()}",
        "KAFKA_LIBS": str(WORK / "kafka-libs"),
        "PYTHONPATH": str(ROOT),
    }
    if not (WORK / "oracle.json").exists():  # an earlier run was cut off: its topic is half full
        subprocess.run(
            [str(PEERS.parent / "kafka" / "kafka.sh"), "wipe", str(WORK / "kafka")], check=False
        )
    say("starting Kafka; the first time it is fetched and 2,000,000 events are made")
    try:
        _script(environment, "up")
        yield environment
    finally:
        _script(environment, "down")


def _script(environment: Mapping[str, str], *arguments: str) -> str:
    """What peers.sh prints; raises RuntimeError with its last words."""
    command = ["bash", str(PEERS / "peers.sh"), *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_BUILD_S, check=False
    )
    text = done.stdout + done.stderr
    if done.returncode:
        raise RuntimeError(_reason(text) or f"exit code {done.returncode}")
    return text


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line]
    return (telling or lines or [""])[-1][:200]


def _measure(environment: Mapping[str, str], engines: list[str], runs: int) -> dict[str, Any]:
    oracle = json.loads((WORK / "oracle.json").read_text())
    bootstrap = environment["PEERS_KAFKA"]
    ours = [_ours(environment, bootstrap, oracle) for _ in range(runs)]
    found: dict[str, Any] = {}
    for name in engines:
        say(f"{name}: {runs} run{'s' * (runs > 1)}")
        try:
            found[name] = _peer(environment, name, runs)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            say(f"  not run: {error}")
            found[name] = {"error": str(error)}
    ours += [_ours(environment, bootstrap, oracle) for _ in range(runs)]
    mine = found[OURS] = summary(ours)
    for name, row in found.items():
        if row.get("cpu_s_per_million") and name != OURS:
            row["ours_to_this"] = round(mine["cpu_s_per_million"] / row["cpu_s_per_million"], 3)
            row["target"] = TARGETS.get(name)
    return {"machine": about(), "events": oracle["events"], "runs": runs, "engines": found}


def _ours(
    environment: Mapping[str, str], bootstrap: str, oracle: Mapping[str, Any]
) -> dict[str, Any]:
    say(f"{OURS}: Job A through Faust")
    clean = {k: v for k, v in environment.items() if not k.startswith("LADDSTREAM_")}
    events = oracle["events"]
    row = child("bench.job_a", bootstrap, TOPIC, events, environment=clean)
    return {
        "evs": events / row["wall_s"],
        "cpu_per_m": row["cpu_s"] / events * 1e6,
        "maxrss_mb": row["peak_rss_mb"],
        "right": all(row["answer"][name] == oracle[name] for name in _ANSWER),
    }


def _peer(environment: Mapping[str, str], name: str, runs: int) -> dict[str, Any]:
    log = WORK / "results.jsonl"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    said = _script(environment, "run", name, str(runs))
    lines = log.read_text().splitlines()[before:] if log.exists() else []
    rows = [row for row in map(json.loads, lines) if row["engine"] == name]
    if not rows:
        raise RuntimeError(_reason(said) or "it gave no result")
    return summary(rows)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over runs. `right` is None for an engine that reads only, or only a part."""
    rights = [row["right"] for row in rows]
    return {
        "events_per_s": round(statistics.median(row["evs"] for row in rows)),
        "cpu_s_per_million": round(statistics.median(row["cpu_per_m"] for row in rows), 3),
        "peak_rss_mb": max(round(row["maxrss_mb"]) for row in rows),
        "right": None if None in rights else all(rights),
        "runs": len(rows),
    }


def show(result: Mapping[str, Any]) -> None:
    """The table, 80 columns wide, cheapest first."""
    rows = result["engines"]
    order = sorted(rows, key=lambda name: rows[name].get("cpu_s_per_million", 1e9))
    print(
        f"{'engine':18}{'events/s':>11}{'CPU s/M':>9}{'MB':>7}{'right':>7}{'ours':>8}{'target':>8}"
    )
    for name in order:
        row = rows[name]
        if "error" in row:
            print(f"{name:18}not run: {row['error'][:52]}")
            continue
        right = {None: "-", True: "yes", False: "NO"}[row["right"]]
        ratio, target = row.get("ours_to_this"), row.get("target")
        print(
            f"{name:18}{row['events_per_s']:>11,}{row['cpu_s_per_million']:>9.2f}"
            f"{row['peak_rss_mb']:>7,}{right:>7}{f'{ratio:.3f}' if ratio else '':>8}"
            f"{f'{target:g}' if target else '':>8}"
        )
    print("ours: our CPU over this engine's; right '-': it reads only, or a part of the events")


if __name__ == "__main__":
    begun = time.monotonic()
    code = main()
    say(f"{time.monotonic() - begun:.0f} s")
    sys.exit(code)
