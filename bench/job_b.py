"""Job B, everything: the product's worker from Kafka into the store, with a price on each session.

Worker and store CPU are told apart: the workers' from ready to the last commit, the store's until
its merges are through. The same rows are then inserted bare, as Arrow, into empty tables of the
same schema: what storing them costs at the least.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from bench.machine import Committed, Stack, cpu_s, load, memory_mb, say
from bench.stream import AREAS, Stream, job_b
from laddstream.migrate import address_of
from laddstream.settings import ClickHouseSettings, Settings
from reports.query import connect_client
from streams.sink.clickhouse import ClickHouseSink

FLUSH_EVENTS = 100_000
MICRO_PER_WH, MICRO_PER_SESSION, VAT = 4_000, 2_000_000, 25
"""Without VAT: 4 SEK a kWh and 2 SEK a session, in millionths of a SEK."""

_TICK_S = 0.25
_PATIENCE_S = 900.0
_SETTLE_S = 30.0
_RAW = "bench_raw"
_TABLES = {
    "events": "kafka_offset",
    "sessions": "last_event_at",
    "session_slices": "slice_start",
    "session_charges": "session_id",
}
"""The tables a session fills, each in about the order in which its rows come."""

_ANSWER = """
SELECT count() AS sessions, toInt64(sum(energy_wh) * 1000) AS energy_mwh,
    toInt64(sum(amount_excl_vat) * 1000000) AS micro_excl,
    toInt64(sum(amount_incl_vat) * 1000000) AS micro_incl,
    (SELECT toInt64(sum(energy_wh) * 1000) FROM mart.session_slices
     WHERE counted = 1 AND provisional = 0) AS slices_mwh,
    (SELECT count() FROM mart.events) AS events
FROM mart.sessions WHERE quarantine_reason = ''
"""


def run(stack: Stack, stream: Stream, workers: int = 1) -> dict[str, Any]:
    """Load the topic, run the workers to the end, check the answer, insert the rows bare."""
    catalogue = stack.home / "catalogue.json"
    catalogue.write_text(json.dumps(catalogue_of(stream.stations)))
    stack.laddstream("catalog", "load", str(catalogue))
    load(stack.broker, stack.events_topic, job_b(stream))
    say(f"  job_b: {workers} worker{'s' * (workers > 1)}, everything on")
    found = _work(stack, stream.events, workers)
    found["right"] = _right(stack, expected(stream))
    say("  job_b: the same rows inserted bare")
    found |= _raw_insert(stack, stream.events)
    found["store_ratio_to_raw"] = round(
        found["store_cpu_s_per_million"] / found["raw_insert_cpu_s_per_million"], 2
    )
    return found


def catalogue_of(stations: list[str]) -> dict[str, Any]:
    """A plain tariff, and every station on it."""
    price = {"vat": VAT, "step_size": 1}
    components = [
        {"type": "ENERGY", "price": MICRO_PER_WH / 1_000, **price},
        {"type": "FLAT", "price": MICRO_PER_SESSION / 1_000_000, **price},
    ]
    tariff = {"id": "plain", "currency": "SEK", "elements": [{"price_components": components}]}
    places = [
        {
            "station_id": name,
            "area": AREAS[number % len(AREAS)],
            "country": "SE",
            "time_zone": "Europe/Stockholm",
            "tariff_id": "plain",
        }
        for number, name in enumerate(stations)
    ]
    return {"tariffs": [tariff], "stations": places}


def expected(stream: Stream) -> dict[str, int]:
    """The right answer, from the truth and in plain integers."""
    registers, first = stream.register.tolist(), stream.first.tolist()
    begins = [registers[at] for at in first[:-1]]
    ends = [registers[at - 1] for at in first[1:]]
    energy = sum(ends) - sum(begins)
    excl = energy * MICRO_PER_WH + stream.sessions * MICRO_PER_SESSION
    return {
        "sessions": stream.sessions,
        "energy_mwh": energy * 1000,
        "micro_excl": excl,
        "micro_incl": excl * (100 + VAT) // 100,
        "slices_mwh": energy * 1000,
        "events": len(registers),
    }


@contextmanager
def running(stack: Stack, count: int = 1) -> Iterator[list[subprocess.Popen[str]]]:
    """Workers of the product, ready; ended afterwards."""
    command = [sys.executable, "-m", "laddstream", "worker"]
    log = (stack.home / "worker.log").open("a")
    processes = [
        subprocess.Popen(
            command, env=stack.environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        for _ in range(count)
    ]
    try:
        for process in processes:
            if process.stdout is None or not process.stdout.readline():
                raise SystemExit(f"a worker did not start: {_last_words(stack)}")
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)
        log.close()


def _last_words(stack: Stack) -> str:
    return (stack.home / "worker.log").read_text()[-2000:]


def _work(stack: Stack, records: int, workers: int) -> dict[str, Any]:
    committed = Committed(stack.broker, stack.events_topic, stack.events_topic)
    store_before = cpu_s(stack.store_pid)
    with running(stack, workers) as processes:
        begun = time.monotonic()
        startup = [cpu_s(process.pid) for process in processes]
        while (done := committed.records()) < records:
            time.sleep(_TICK_S)
            if any(process.poll() is not None for process in processes):
                raise SystemExit(f"a worker ended: {_last_words(stack)}")
            if time.monotonic() - begun > _PATIENCE_S:
                raise SystemExit(f"only {done:,} of {records:,} events after {_PATIENCE_S:g} s")
        wall = time.monotonic() - begun
        used = sum(cpu_s(process.pid) for process in processes) - sum(startup)
        peak = max(memory_mb(process.pid, peak=True) for process in processes)
        _settled(client_of(stack))
    committed.close()
    store = cpu_s(stack.store_pid) - store_before
    return {
        "records": records,
        "wall_s": round(wall, 2),
        "events_per_s": round(records / wall),
        "cpu_s_per_million": round(used / records * 1e6, 3),
        "store_cpu_s_per_million": round(store / records * 1e6, 3),
        "startup_cpu_s": round(sum(startup), 2),
        "peak_rss_mb": round(peak),
        "workers": workers,
    }


def _right(stack: Stack, wanted: dict[str, int]) -> bool:
    rows = stack.sql(_ANSWER)
    found = {name: int(value or 0) for name, value in rows[0].items()}
    wrong = [f"{n}: {found[n]:,}, not {wanted[n]:,}" for n in wanted if found[n] != wanted[n]]
    for line in wrong:
        say(f"  job_b is wrong: {line}")
    return not wrong


def _settings(stack: Stack) -> Settings:
    return Settings(home=stack.home, clickhouse=ClickHouseSettings(url=""))


def client_of(stack: Stack) -> Client:
    """A connection to the store with full rights."""
    return connect_client(address_of(_settings(stack)))


def _settled(client: Client) -> None:
    """Wait until the store merges nothing more."""
    until = time.monotonic() + _SETTLE_S
    quiet = 0
    while quiet < 4 and time.monotonic() < until:
        time.sleep(0.5)
        busy = int(client.command("SELECT count() FROM system.merges"))  # type: ignore[arg-type]
        quiet = 0 if busy else quiet + 1


def _raw_insert(stack: Stack, events: int) -> dict[str, Any]:
    settings = _settings(stack)
    address, database = address_of(settings), settings.clickhouse.database
    client = connect_client(address)
    client.command(f"CREATE DATABASE {_RAW}")
    flushes = max(1, round(events / FLUSH_EVENTS))
    batches: dict[str, list[pa.Table]] = {}
    for table, order in _TABLES.items():
        client.command(f"CREATE TABLE {_RAW}.{table} AS {database}.{table}")
        batches[table] = _parts(_stored(client, database, table, order), flushes)
    rows = sum(part.num_rows for parts in batches.values() for part in parts)
    sink = ClickHouseSink(address.url, address.user, address.password, _RAW)
    _settled(client)
    before = cpu_s(stack.store_pid)
    for flush in range(flushes):
        for table, parts in batches.items():
            if flush < len(parts):
                sink.insert(table, parts[flush])
    _settled(client)
    used = cpu_s(stack.store_pid) - before
    return {
        "raw_insert_cpu_s_per_million": round(used / events * 1e6, 3),
        "raw_insert_cpu_s_per_million_rows": round(used / max(1, rows) * 1e6, 3),
        "rows_stored": rows,
    }


def _stored(client: Client, database: str, table: str, order: str) -> pa.Table:
    """All rows of a table with the columns a worker sends, from the store itself."""
    names = client.query(
        "SELECT name FROM system.columns WHERE database = {db:String} AND table = {t:String}"
        " AND default_kind NOT IN ('MATERIALIZED', 'ALIAS')"
        " AND name NOT IN ('ingested_at', 'updated_at') ORDER BY position",
        parameters={"db": database, "t": table},
    ).result_rows
    columns = ", ".join(name for (name,) in names)
    return client.query_arrow(f"SELECT {columns} FROM {database}.{table} ORDER BY {order}")  # noqa: S608


def _parts(table: pa.Table, count: int) -> list[pa.Table]:
    size = max(1, -(-table.num_rows // count))
    return [table.slice(at, size) for at in range(0, table.num_rows, size)]
