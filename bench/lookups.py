"""CPU of looking up unknown session ids in a full store, beside Job B's at the same rate.

python -m bench.lookups [--sessions 20000000] [--seconds 40]     prints one JSON line

A store of its own is filled with ended sessions of the fleet's stations, written as a worker
writes them and made by the store's own SQL; the last of each EVSE is open. A worker that knows
nothing of them takes starts of new sessions, 4,000 a second, through the real HTTP sink, as fast
as it can: none of their ids is stored, but only the store can tell. Counted is the worker's CPU
in `streams.lookup`, statements, HTTP and answers included, per second of that stream. What it
asks when it meets each station for the first time is told apart. The reference is the worker of
Job B, from Kafka into a store, at the rate of events that so many new sessions mean;
`share_of_bare_worker` compares with that worker without transport, HTTP and inserts.
20,000,000 sessions take some 5 GB of disk for a few minutes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client

from bench import job_b
from bench.job_b import client_of
from bench.live import stream_line
from bench.machine import Stack, cpu_s, say, stack
from bench.stream import BEGIN_MS, make, station_name
from laddstream.migrate import address_of
from laddstream.settings import ClickHouseSettings, Settings
from streams.chunk import Chunk, TopicPartition
from streams.lookup import Lookup
from streams.memory import Memory
from streams.sink.clickhouse import ClickHouseSink
from streams.worker import Worker

RATE = 4_000
"""New sessions a second."""

_STEP = 1_000_000
_APART_MS = 97 * 60_000
_PATIENCE_S = 180.0

FILL = """
INSERT INTO {database}.sessions
    (tenant, station_id, session_id, version, protocol, evse_id, connector_id, transaction_id,
    transaction_ids, driver_key, area, country, time_zone, status, started_at, ended_at,
    last_event_at, first_event_at, meter_start_wh, meter_stop_wh, energy_wh, export_wh, duration_s,
    charging_s, idle_s, suspended_evse_s, max_power_w, stop_reason, currency, tariff_id,
    amount_excl_vat, amount_vat, amount_incl_vat, grade, flags, quarantine_reason, event_count,
    slice_first, slice_last, payer, unpriced_reason, rounded_excl_vat, rounded_incl_vat,
    contract_because)
WITH
    sipHash64(number) AS chance,
    number >= {sessions} - 2 * {stations} AS open,
    {begin} - intDiv(({sessions} - number) * {apart}, {stations}) AS begun,
    begun + 900000 + chance % 6300000 AS over,
    lower(hex(sipHash128('transaction', number))) AS transaction,
    1000 + chance % 40000 AS wh,
    toDecimal64(wh * 0.004, 6) AS excl
SELECT 'default', concat('ST-', leftPad(toString(number % {stations}), 5, '0')),
    reinterpretAsUUID(sipHash128('session', number)), 1099511627776 + 40 + chance % 40,
    'ocpp2.0.1', 1 + intDiv(number, {stations}) % 2, 1, transaction, [transaction],
    concat('TOK', leftPad(toString(chance % 10000000000), 10, '0')),
    ['Harbour', 'Old Town', 'Station', 'Campus', 'Airport'][number % {stations} % 5 + 1], 'SE',
    'Europe/Stockholm', if(open, 'active', 'ended'), fromUnixTimestamp64Milli(begun, 'UTC'),
    if(open, NULL, fromUnixTimestamp64Milli(over, 'UTC')),
    fromUnixTimestamp64Milli(over, 'UTC'), fromUnixTimestamp64Milli(begun, 'UTC'),
    1000000 + number % 1000000, 1000000 + number % 1000000 + wh, wh, 0, (over - begun) / 1000,
    (over - begun) / 1000, 0, 0, 11000 + chance % 1000, if(open, '', 'EVDisconnected'), 'SEK',
    'plain', excl, toDecimal64(excl * 0.25, 6), toDecimal64(excl * 1.25, 6), 'metered', [],
    if(open, 'not_ended', ''), 20 + chance % 20,
    toDateTime(intDiv(begun, 900000) * 900, 'UTC'), toDateTime(intDiv(over, 900000) * 900, 'UTC'),
    'driver', '', round(excl, 2), round(toDecimal64(excl * 1.25, 6), 2), ['tariff of the station']
FROM numbers({first}, {count})
"""
"""Ended sessions in the order of their starts, station after station, two EVSEs in turns."""


@dataclass(slots=True)
class Clock:
    """CPU seconds of this process and of the store, and the wall time of each call."""

    store_pid: int
    cpu: float = 0.0
    store: float = 0.0
    walls: list[float] = field(default_factory=list)

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """What is done inside counts."""
        store, wall, cpu = cpu_s(self.store_pid), time.monotonic(), time.process_time()
        yield
        self.cpu += time.process_time() - cpu
        self.walls.append(time.monotonic() - wall)
        self.store += cpu_s(self.store_pid) - store

    def reset(self) -> None:
        """Begin anew."""
        self.cpu = self.store = 0.0
        self.walls = []


class WatchedLookup(Lookup):
    """Tells apart what is asked of stations when they are new, and of sessions."""

    stations: Clock
    sessions: Clock

    def resolve(self) -> None:
        """Of stations."""
        with self.stations.ticking():
            super().resolve()

    def load_dirty(self) -> None:
        """Of sessions."""
        with self.sessions.ticking():
            super().load_dirty()


class WatchedWorker(Worker):
    """A worker whose look-ups are counted, fed and flushed as the app does."""

    def __init__(self, sink: ClickHouseSink, store_pid: int) -> None:
        super().__init__(Settings(), sink)
        self.watched = WatchedLookup(self._book, self._groups, sink, self._fast)
        self.watched.stations, self.watched.sessions = Clock(store_pid), Clock(store_pid)
        self._lookup = self.watched
        self._memory = Memory()
        # not 0: its owner sweeps all open sessions once a minute, which is no look-up
        self._tp = TopicPartition("charging.events", 1)
        self._offset = 0
        self.assigned([self._tp])
        self._memory.start()

    def take(self, values: Sequence[bytes], now_ms: int) -> None:
        """One chunk, and the flush that is due after it."""
        first, self._offset = self._offset, self._offset + len(values)
        nobody: list[bytes | None] = [None] * len(values)
        chunk = Chunk(self._tp, range(first, self._offset), values, nobody, self._offset)
        self.accept(chunk, now_ms)
        batch = self.prepare(now_ms)
        if batch is not None:
            self.write(batch)
            self.done(batch, now_ms)
            self._memory.landed()


def starts(first: int, count: int, stations: int, at_ms: int) -> list[bytes]:
    """Wire events of new sessions, station after station, two EVSEs in turns; own ids each."""
    ids = np.random.default_rng(first + 1).bytes(16 * count).hex()
    stamp = str(np.datetime64(at_ms, "ms")).encode() + b"Z"
    return [
        b'{"type":"session_started","tenant":"default","station_id":"%s","protocol":"ocpp2.0.1",'
        b'"evse_id":%d,"connector_id":1,"transaction_id":"%s","timestamp":"%s","seq_no":0,'
        b'"id_token":"TOK%010d","meter_start_wh":%d}'
        % (
            station_name(n % stations).encode(),
            1 + n // stations % 2,
            ids[32 * at : 32 * (at + 1)].encode(),
            stamp,
            n,
            n,
        )
        for at, n in enumerate(range(first, first + count))
    ]


def fill(services: Stack, sessions: int, stations: int) -> dict[str, Any]:
    """Store so many sessions; how long it took and what it takes."""
    client, database = client_of(services), ClickHouseSettings().database
    begun = time.monotonic()
    for first in range(0, sessions, _STEP):
        shape = {"sessions": sessions, "stations": stations, "begin": BEGIN_MS, "apart": _APART_MS}
        count = min(_STEP, sessions - first)
        client.command(FILL.format(database=database, first=first, count=count, **shape))
        say(f"  lookups: {first + count:,} sessions stored")
    _wait(client)
    rows, parts, size = client.query(
        "SELECT sum(rows), count(), sum(bytes_on_disk) FROM system.parts"
        " WHERE active AND table = 'sessions' AND database = {db:String}",
        parameters={"db": database},
    ).result_rows[0]
    took = round(time.monotonic() - begun, 1)
    return {"sessions_in_store": rows, "parts": parts, "disk_mb": size >> 20, "fill_s": took}


def _wait(client: Client) -> None:
    """Until the store has merged what it wants to merge, for a while at most."""
    until, quiet = time.monotonic() + _PATIENCE_S, 0
    while quiet < 4 and time.monotonic() < until:
        time.sleep(0.5)
        busy = int(client.command("SELECT count() FROM system.merges"))  # type: ignore[arg-type]
        quiet = 0 if busy else quiet + 1


def look_up(
    services: Stack, stations: int, seconds: int, flush_s: float, rate: int = RATE
) -> dict[str, Any]:
    """Meet all stations, then take new sessions for so long; CPU and wall time of the asking."""
    address = address_of(Settings(home=services.home, clickhouse=ClickHouseSettings(url="")))
    sink = ClickHouseSink(
        address.url, address.user, address.password, ClickHouseSettings().database
    )
    worker = WatchedWorker(sink, services.store_pid)
    asked, met = worker.watched.sessions, worker.watched.stations
    each, now = round(rate * flush_s), BEGIN_MS + _APART_MS
    worker.take(starts(0, 2 * stations, stations, now), now)  # one on every EVSE
    out = {
        "meet_stations_cpu_s": round(met.cpu, 3),
        "meet_stations_wall_s": round(sum(met.walls), 2),
        "meet_stations_store_cpu_s": round(met.store, 2),
        "meet_open_sessions_wall_s": round(sum(asked.walls), 2),
    }
    asked.reset()
    met.reset()
    for flush in range(round(seconds / flush_s)):
        now += round(flush_s * 1000)
        worker.take(starts(2 * stations + flush * each, each, stations, now), now)
    p50, p99 = np.percentile(np.array(asked.walls) * 1000, (50, 99))
    return out | {
        "rate": rate,
        "seconds": seconds,
        "flush_s": flush_s,
        "lookup_cpu_s_per_s": round((asked.cpu + met.cpu) / seconds, 4),
        "lookup_cpu_us_per_session": round((asked.cpu + met.cpu) / seconds / rate * 1e6, 1),
        "lookup_ms_p50": round(float(p50), 1),
        "lookup_ms_p99": round(float(p99), 1),
        "lookup_wall_s_per_s": round(sum(asked.walls) / seconds, 3),
        "lookup_store_cpu_s_per_s": round(asked.store / seconds, 3),
    }


def job_b_rate(events: int, rate: int) -> dict[str, float]:
    """Job B's worker CPU a second, at the events that so many new sessions a second mean."""
    stream = make(events)
    bare = stream_line(events).cpu_s_per_million
    with stack() as services:
        cost = job_b.run(services, stream)["cpu_s_per_million"]
    per_s = stream.events / stream.sessions * rate
    return {
        "job_b_events_per_s": round(per_s),
        "job_b_cpu_s_per_million": round(cost, 2),
        "job_b_cpu_s_per_s": round(cost * per_s / 1e6, 4),
        "bare_worker_cpu_s_per_million": round(bare, 2),
    }


def measure(
    sessions: int = 20_000_000,
    seconds: int = 40,
    stations: int = 5_000,
    flush_s: float = 0.25,
    reference: int = 400_000,
) -> dict[str, Any]:
    """Fill, look up, compare."""
    with stack() as services:
        found = fill(services, sessions, stations)
        found |= {"stations": stations} | look_up(services, stations, seconds, flush_s)
    found |= job_b_rate(reference, RATE)
    share = found["lookup_cpu_s_per_s"] / found["job_b_cpu_s_per_s"]
    bare = share * found["job_b_cpu_s_per_million"] / found["bare_worker_cpu_s_per_million"]
    return found | {"share": round(share, 4), "share_of_bare_worker": round(bare, 4)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.lookups",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sessions", type=int, default=20_000_000, help="in the store")
    parser.add_argument("--seconds", type=int, default=40, help="of 4,000 new sessions each")
    parser.add_argument("--stations", type=int, default=5_000)
    parser.add_argument("--flush-s", type=float, default=0.25, help="between flushes")
    parser.add_argument("--reference", type=int, default=400_000, help="events of Job B")
    print(json.dumps(measure(**vars(parser.parse_args()))))
