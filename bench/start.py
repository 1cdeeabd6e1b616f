"""How soon a new worker applies the first event, where the store is full of open sessions.

python -m bench.start [--sessions 1000000] [--speaking 1000]     prints one JSON line

A store of its own is filled with open sessions of 20 samples, two a station, all of a few minutes
ago. A worker writes the first of them and the store's own SQL copies its rows, with the ids they
would have: the worker finds them again. Then one new sample each of some of them lies in the topic,
and the product's worker is started as a person starts it. Counted is from the start of its process:

import_s       loading the modules, measured apart
start_s        until it says that it is ready
applied_s      until the first of these sessions is in `sessions` with its new sample
all_applied_s  until all of them are

The first flush reads the whole catalogue: here half as many stations as sessions. 1,000,000
sessions take some 1 GB of disk and two minutes to fill.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client

from bench.job_b import catalogue_of, client_of, running
from bench.machine import Stack, cpu_s, load, memory_mb, say, stack
from laddstream.migrate import address_of
from laddstream.settings import ClickHouseSettings, Settings
from streams.chunk import Chunk, TopicPartition
from streams.sink.clickhouse import ClickHouseSink
from streams.worker import Worker

SAMPLES = 20
FIRST_WH = 1_000_000
STEP_WH = 183

_MODULES = "import laddstream.cli.app, streams.app, streams.worker, streams.sink.clickhouse"
TEMPLATE = 10_000
_STEP = 200_000
_CHUNK = 4_000
_AGO_MS = 30 * 60_000
_POLL_S = 0.05
_SETTLE_S = 60.0
_PATIENCE_S = 300.0

_COPIES = """
    SELECT tenant, session_id AS was,
        toUInt32(substring(station_id, 4)) + copy * {stations} AS place,
        concat('ST-', leftPad(toString(place), 7, '0')) AS station,
        concat(lower(leftPad(hex(toUInt32(2 * place + evse_id - 1)), 8, '0')),
            '-7e57-4000-8000-00000000beef') AS transaction,
        SHA1(concat(unhex('6c61646473745265a16d000000000001'),
            tenant, char(31), station, char(31), transaction)) AS digest,
        lower(hex(digest)) AS h,
        toUUID(concat(substring(h, 1, 8), '-', substring(h, 9, 4), '-5', substring(h, 14, 3), '-',
            substring('89ab', 1 + bitAnd(intDiv(ascii(substring(digest, 9, 1)), 16), 3), 1),
            substring(h, 18, 3), '-', substring(h, 21, 12))) AS session
    FROM (SELECT tenant, session_id, station_id, assumeNotNull(evse_id) AS evse_id
        FROM {database}.sessions FINAL WHERE toUInt32(substring(station_id, 4)) < {stations}) AS t
    CROSS JOIN (SELECT number AS copy FROM numbers({first}, {count})) AS n
"""
"""Sessions of the template, as they are called in so many copies (`streams.core.identity`)."""

_INSERT = """
INSERT INTO {database}.{table} SELECT t.* REPLACE ({replaced})
FROM {database}.{table} AS t INNER JOIN ({copies}) AS c ON t.session_id = c.was
"""

_REPLACED = {
    "events": "station AS station_id, session AS session_id, transaction AS transaction_id",
    "session_slices": "station AS station_id, session AS session_id",
    "session_charges": "session AS session_id",
    "sessions": (
        "station AS station_id, session AS session_id, transaction AS transaction_id,"
        " [transaction] AS transaction_ids"
    ),
}

_STATIONS = """
INSERT INTO {database}.stations SELECT t.* REPLACE (
    concat('ST-', leftPad(
        toString(toUInt32(substring(t.station_id, 4)) + copy * {stations}), 7, '0'))
    AS station_id)
FROM {database}.stations AS t CROSS JOIN (SELECT number AS copy FROM numbers({first}, {count})) AS n
WHERE toUInt32(substring(t.station_id, 4)) < {stations}
"""

_APPLIED = """
SELECT uniqExact(session_id), uniqExactIf(session_id, energy_wh = {energy} AND status = 'active')
FROM {database}.sessions WHERE event_count = {count}
"""


def value(session: int, number: int, at_ms: int) -> bytes:
    """A wire event of an open session: its start is number 0, then its samples."""
    register = FIRST_WH + number * STEP_WH  # of all alike: most are copies
    if number == 0:
        kind = b"session_started"
        rest = b'"id_token":"TOK%08d","meter_start_wh":%d' % (session, register)
    else:
        kind, rest = b"meter_sampled", b'"import_wh":%d,"power_w":11000' % register
    stamp = str(np.datetime64(at_ms, "ms")).encode()
    return (
        b'{"type":"%s","tenant":"default","station_id":"%s","protocol":"ocpp2.0.1","evse_id":%d,'
        b'"connector_id":1,"transaction_id":"%08x-7e57-4000-8000-00000000beef",'
        b'"timestamp":"%sZ","seq_no":%d,%s}'
        % (kind, station(session).encode(), 1 + session % 2, session, stamp, number, rest)
    )


def station(session: int) -> str:
    """Where a session is."""
    return f"ST-{session // 2:07d}"


def fill(services: Stack, sessions: int, template: int = TEMPLATE) -> int:
    """Open so many sessions in an empty store, or a few more; gives how many.

    `template`, an even number, is how many a worker writes.
    """
    template = min(template, sessions + sessions % 2)
    copies = -(-sessions // template)
    catalogue = services.home / "catalogue.json"
    names = [station(number) for number in range(0, template, 2)]
    catalogue.write_text(json.dumps(catalogue_of(names)))
    services.laddstream("catalog", "load", str(catalogue))
    _write(services, template)
    client = client_of(services)
    database = _settings(services).clickhouse.database
    step = max(1, _STEP // template)
    for first in range(1, copies, step):
        place = {
            "database": database,
            "stations": template // 2,
            "first": first,
            "count": min(step, copies - first),
        }
        for table, replaced in _REPLACED.items():
            text = _COPIES.format(**place)
            client.command(_INSERT.format(table=table, replaced=replaced, copies=text, **place))
        client.command(_STATIONS.format(**place))
        say(f"  {min(first + step, copies) * template:,} sessions")
    _settled(client)
    return copies * template


def _write(services: Stack, sessions: int) -> None:
    """The first sessions, through a worker."""
    settings = _settings(services)
    address = address_of(settings)
    sink = ClickHouseSink(address.url, address.user, address.password, settings.clickhouse.database)
    worker = Worker(settings, sink)
    tp = TopicPartition(services.events_topic, 1)  # the owner of 0 does what is done once for all
    worker.assigned([tp])
    now = time.time_ns() // 1_000_000
    lines = list(_begun(sessions, now))
    for at in range(0, len(lines), _CHUNK):
        part = lines[at : at + _CHUNK]
        after = at + len(part)
        worker.accept(Chunk(tp, range(at, after), part, [None] * len(part), after), now)
    batch = worker.prepare(now)
    if batch is not None:
        worker.write(batch)
        worker.done(batch, now)


def _begun(sessions: int, now_ms: int) -> Iterator[bytes]:
    for number in range(SAMPLES + 1):
        at_ms = now_ms - _AGO_MS + number * 60_000
        for session in range(sessions):
            yield value(session, number, at_ms)


def _settings(services: Stack) -> Settings:
    return Settings(home=services.home, clickhouse=ClickHouseSettings(url=""))


def _settled(client: Client) -> None:
    """Wait until the store merges nothing more."""
    until, quiet = time.monotonic() + _SETTLE_S, 0
    while quiet < 3 and time.monotonic() < until:
        time.sleep(0.5)
        busy = int(client.command("SELECT count() FROM system.merges"))  # type: ignore[arg-type]
        quiet = 0 if busy else quiet + 1


def speak(services: Stack, sessions: Iterable[int]) -> int:
    """Publish one new sample of each of these."""
    now = time.time_ns() // 1_000_000
    return load(
        services.broker,
        services.events_topic,
        (
            (b"default/" + station(session).encode(), value(session, SAMPLES + 1, now))
            for session in sessions
        ),
    )


def begin(services: Stack, expected: int) -> dict[str, Any]:
    """Start a worker and wait until the new samples of so many sessions are applied."""
    client = client_of(services)
    database = _settings(services).clickhouse.database
    energy = (SAMPLES + 1) * STEP_WH
    question = _APPLIED.format(database=database, energy=energy, count=SAMPLES + 2)
    store_before, begun = cpu_s(services.store_pid), time.monotonic()
    found: dict[str, Any] = {}
    with running(services) as (worker,):
        found["start_s"] = round(time.monotonic() - begun, 2)
        applied = right = 0
        while applied < expected:
            applied, right = client.query(question).result_rows[0]
            passed = round(time.monotonic() - begun, 2)
            if applied:
                found.setdefault("applied_s", passed)
            if worker.poll() is not None or passed > _PATIENCE_S:
                raise SystemExit(f"{applied:,} of {expected:,} applied after {passed} s")
            time.sleep(_POLL_S)
        return found | {
            "all_applied_s": passed,
            "right": right == expected,
            "worker_cpu_s": round(cpu_s(worker.pid), 2),
            "store_cpu_s": round(cpu_s(services.store_pid) - store_before, 2),
            "resident_mb": round(memory_mb(worker.pid)),
            "peak_mb": round(memory_mb(worker.pid, peak=True)),
            "store_resident_mb": round(memory_mb(services.store_pid)),
        }


def _imported(services: Stack) -> float:
    begun = time.monotonic()
    command = [sys.executable, "-c", _MODULES]
    subprocess.run(command, env=services.environment, check=True, capture_output=True)
    return time.monotonic() - begun


def measure(
    sessions: int = 1_000_000, speaking: int = 1_000, template: int = TEMPLATE
) -> dict[str, Any]:
    """Fill a store, let some sessions speak, start a worker; seconds from its start on."""
    with stack() as services:
        say(f"start: {sessions:,} open sessions of {SAMPLES} samples")
        begun = time.monotonic()
        stored = fill(services, sessions, template)
        filled = time.monotonic() - begun
        imported = _imported(services)
        chosen = range(0, stored, max(1, stored // speaking))[:speaking]
        spoken = speak(services, chosen)
        found: dict[str, Any] = {"sessions": stored, "stations": stored // 2, "speaking": spoken}
        found["import_s"] = round(imported, 2)
        return found | begin(services, spoken) | {"fill_s": round(filled, 1)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.start",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sessions", type=int, default=1_000_000, help="open in the store")
    parser.add_argument("--speaking", type=int, default=1_000, help="of them have a new sample")
    parser.add_argument("--template", type=int, default=TEMPLATE, help="written by a worker; even")
    print(json.dumps(measure(**vars(parser.parse_args()))))
