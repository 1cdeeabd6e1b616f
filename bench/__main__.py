"""CPU seconds of one worker per million events, beside a bare librdkafka consume loop.

    python -m bench [--events 2000000] [--out build/bench.json]

Starts a store and a broker of its own in a throw-away home, loads the topic with a
simulated fleet (faults on), reads it bare, then starts one worker on the loaded topic with
everything on: decode, stitch, slices, price, insert into the embedded store. Its CPU counts
from the moment it is ready to the last commit; start-up and the store's own CPU are told
beside it. The answer is checked against the simulator's ledger.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EVENTS_PER_STATION_DAY = 340
_DAYS = 7
_TICK_S = 1.0
_PATIENCE_S = 600.0
_JIFFIES = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Run the benchmark; exit code 1 where the answer is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").strip())
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="laddstream-bench-"))
    environment = {**os.environ, "LADDSTREAM_HOME": str(home)}
    try:
        result = _measure(home, environment, options.events)
    finally:
        _laddstream(environment, "down")
        shutil.rmtree(home, ignore_errors=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    _show(result)
    return 0 if result["right"] else 1


def _measure(home: Path, environment: Mapping[str, str], events: int) -> dict[str, Any]:
    _laddstream(environment, "up", "--detach", "--workers", "0")
    ledger = home / "ledger.json"
    stations = str(max(1, round(events / _DAYS / EVENTS_PER_STATION_DAY)))
    fleet = ["--stations", stations, "--days", str(_DAYS), "--seed", "7", "--fault", "all"]
    catalogue = str(home / "fleet.json")
    _say("loading the topic")
    _laddstream(environment, "simulate", *fleet, "--ledger", str(ledger), "--catalogue", catalogue)
    _laddstream(environment, "catalog", "load", catalogue)
    truth = json.loads(ledger.read_text())
    records = truth["records"]["sent"]
    broker = json.loads((home / "run" / "broker.json").read_text())["address"]
    _say(f"{records:,} records loaded; reading them bare")
    bare = _bare(environment, broker, records)
    _say("one worker, everything on")
    worker = _worker(home, environment, records)
    return {
        "records": records,
        "bare": bare,
        "worker": worker,
        "cpu_s_per_million": round(worker["cpu_s"] / records * 1e6, 3),
        "bare_cpu_s_per_million": round(bare["cpu_s"] / records * 1e6, 3),
        "ratio_to_bare": round(worker["cpu_s"] / bare["cpu_s"], 2),
        "store_cpu_s_per_million": round(worker["store_cpu_s"] / records * 1e6, 3),
        "events_per_s": round(records / worker["wall_s"]),
        "right": _right(environment, truth["totals"]),
    }


def _bare(environment: Mapping[str, str], broker: str, records: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.bare", broker, "charging.events", str(records)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # our own line


def _worker(home: Path, environment: Mapping[str, str], records: int) -> dict[str, float]:
    store_pid = json.loads((home / "run" / "store.json").read_text())["pid"]
    store_before = _cpu_s(store_pid)
    process = subprocess.Popen(
        [sys.executable, "-m", "laddstream", "worker"],
        env=environment,
        stdout=subprocess.PIPE,
    )
    try:
        if process.stdout is None or not process.stdout.readline():
            raise SystemExit("the worker did not start")
        begun, startup = time.monotonic(), _cpu_s(process.pid)
        while time.monotonic() - begun < _PATIENCE_S:
            time.sleep(_TICK_S)
            if _processed(environment) >= records:
                break
            if process.poll() is not None:
                message = f"the worker ended with {process.returncode}"
                raise SystemExit(message)
        wall = time.monotonic() - begun
        peak = _peak_mb(process.pid)
        cpu = _cpu_s(process.pid) - startup
    finally:
        process.terminate()
        process.wait(30)
    return {
        "cpu_s": cpu,
        "startup_cpu_s": startup,
        "wall_s": wall,
        "store_cpu_s": _cpu_s(store_pid) - store_before,
        "peak_rss_mb": peak,
    }


def _processed(environment: Mapping[str, str]) -> int:
    """Records the group has committed, asked in a process of its own."""
    lag = json.loads(_laddstream(environment, "lag", "--json"))
    return sum(max(0, (row["committed"] or 0)) for row in lag["partitions"])


def _right(environment: Mapping[str, str], totals: Mapping[str, Any]) -> bool:
    _laddstream(environment, "sql", "SELECT 1")
    rows = json.loads(
        _laddstream(
            environment,
            "sql",
            "SELECT count() AS sessions, toInt64(sum(energy_wh) * 1000) AS energy_mwh"
            " FROM mart.sessions WHERE quarantine_reason = ''",
            "--format",
            "json",
        )
    )
    return (int(rows[0]["sessions"]), int(rows[0]["energy_mwh"])) == (
        totals["sessions"],
        totals["energy_mwh"],
    )


def _laddstream(environment: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "laddstream", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _JIFFIES


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _show(result: Mapping[str, Any]) -> None:
    worker, bare = result["worker"], result["bare"]
    print(f"records                       {result['records']:>12,}")
    print(f"worker, CPU s per million     {result['cpu_s_per_million']:>12}")
    print(f"  its start-up, CPU s         {worker['startup_cpu_s']:>12.2f}")
    print(f"bare loop, CPU s per million  {result['bare_cpu_s_per_million']:>12}")
    print(f"ratio                         {result['ratio_to_bare']:>12}")
    print(f"store, CPU s per million      {result['store_cpu_s_per_million']:>12}")
    print(f"events a second               {result['events_per_s']:>12,}")
    print(f"worker peak memory, MB        {worker['peak_rss_mb']:>12,.0f}")
    print(f"bare loop, events a second    {result['records'] / bare['wall_s']:>12,.0f}")
    print(f"answer equals the ledger      {'yes' if result['right'] else 'NO':>12}")


if __name__ == "__main__":
    sys.exit(main())
