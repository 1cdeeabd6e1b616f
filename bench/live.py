"""CPU per event of a live fleet, beside Job B's, both with a store that keeps nothing.

python -m bench.live [--sessions 100000] [--minutes 15]     prints one JSON line

Each session reports once a minute, and the worker flushes when it wants to, as in the app. So
nearly every sample makes its session due again: one in `reports` ends it, the next begins a new
one. At the start all sessions have a past of 0 to `reports` samples, on average half of it.
`rows_allowed` counts, apart from the worker, the rows of `sessions` that the policy lets it write:
when a session is new, when it ended, and when it is open, has news and was not written for
`live_interval_s`. The reference is Job B's stream through the same worker in the same process.
No broker, no HTTP, no store: their CPU is in `python -m bench`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from bench.job_b import catalogue_of
from bench.memory import NothingStored
from bench.stream import job_b, make
from laddstream.settings import Settings
from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue
from streams.chunk import Chunk, TopicPartition
from streams.memory import Memory
from streams.worker import Worker

CHUNK = 4_000
"""Records the transport delivers together where there are many."""

BEGIN_MS = 1_772_323_200_000
MINUTE_MS = 60_000
_CHUNK_MS = 20
_GROUP = 2_000
_WARM = 10


class Counted(NothingStored):
    """Keeps nothing but the number of rows by table; every station has a plain tariff."""

    def __init__(self, stations: Sequence[str] = ()) -> None:
        self.rows: Counter[str] = Counter()
        self._catalogue = priced(stations) if stations else Catalogue()

    def insert(self, table: str, rows: pa.Table) -> None:
        """Counts the rows."""
        self.rows[table] += rows.num_rows

    def catalogue(self, known: Catalogue) -> Catalogue:  # noqa: ARG002
        """Always the same."""
        return self._catalogue


def priced(stations: Sequence[str]) -> Catalogue:
    """The stations of Job B and their tariff, as a worker knows them."""
    found = catalogue_of(list(stations))
    nothing = {"tenant": "default", "city": "", "rated_power_w": None}
    tariffs = [
        {"tenant": "default", "tariff_id": tariff["id"], "ocpi_json": json.dumps(tariff).encode()}
        for tariff in found["tariffs"]
    ]
    return build_catalogue(1, [nothing | place for place in found["stations"]], tariffs)


@dataclass(slots=True)
class Line:
    """A worker fed and flushed as the app does, with the CPU seconds and events of both."""

    sink: Counted
    partitions: int = 1
    worker: Worker = field(init=False)
    memory: Memory = field(init=False)
    accept_s: float = 0.0
    flush_s: float = 0.0
    events: int = 0
    _offsets: list[int] = field(init=False)

    def __post_init__(self) -> None:
        """Partitions are assigned, and what is alive now is left out of garbage collection."""
        self.worker, self.memory = Worker(Settings(), self.sink), Memory()
        self._offsets = [0] * self.partitions
        self.worker.assigned([self._tp(number) for number in range(self.partitions)])
        self.memory.start()

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition("charging.events", partition)

    def take(self, values: Sequence[bytes], now_ms: int, partition: int = 0) -> None:
        """Records of one partition, in chunks."""
        for at in range(0, len(values), CHUNK):
            part = values[at : at + CHUNK]
            first = self._offsets[partition]
            after = self._offsets[partition] = first + len(part)
            chunk = Chunk(self._tp(partition), range(first, after), part, [None] * len(part), after)
            begun = time.process_time()
            self.worker.accept(chunk, now_ms)
            self.accept_s += time.process_time() - begun
            self.events += len(part)

    def flush(self, now_ms: int, *, always: bool = True) -> bool:
        """Close the open batch and write it; where it need not be, only if the worker wants.
        Gives whether it was.
        """
        begun = time.process_time()
        wanted = always or self.worker.wants_flush(now_ms)
        batch = self.worker.prepare(now_ms) if wanted else None
        if batch is not None:
            self.worker.write(batch)
            self.worker.done(batch, now_ms)
            self.memory.landed()
        self.flush_s += time.process_time() - begun
        return wanted

    def forget_figures(self) -> None:
        """What came so far was to get warm."""
        self.accept_s = self.flush_s = 0.0
        self.events = 0
        self.sink.rows.clear()

    @property
    def cpu_s_per_million(self) -> float:
        """CPU seconds of everything per million events."""
        return (self.accept_s + self.flush_s) / max(1, self.events) * 1e6


def stream_line(events: int) -> Line:
    """Job B's stream, as it comes at 200,000 events a second, through a worker of its own."""
    stream = make(events)
    line = Line(Counted(stream.stations))
    values = [value for _, value in job_b(stream)]
    now = BEGIN_MS
    for at in range(0, len(values), CHUNK):
        line.take(values[at : at + CHUNK], now)
        now += _CHUNK_MS
        line.flush(now, always=False)
        if at // CHUNK == len(values) // CHUNK // _WARM:
            line.flush(now)
            line.forget_figures()
    line.flush(now)
    line.memory.forgot()
    return line


@dataclass(frozen=True, slots=True)
class Fleet:
    """Charge points, two a station; each reports once a minute at its own time in the minute."""

    points: int
    reports: int

    def past(self, point: int) -> int:
        """Reports of the first session that lie before minute 0."""
        return point * 7_919 % (self.reports - 1)

    def said(self, point: int, minute: int) -> tuple[int, int, bool]:
        """Session, number of the event in it, and whether it ends it."""
        session, number = divmod(self.past(point) + minute, self.reports)
        return session, number, number == self.reports - 1

    def at_ms(self, point: int, minute: int) -> int:
        """When a point reports."""
        return BEGIN_MS + minute * MINUTE_MS + point * MINUTE_MS // self.points

    def station(self, point: int) -> str:
        """Name of its station."""
        return f"ST-{point // 2:07d}"

    def values(self, moments: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """Wire events of (point, minute)."""
        times = np.array([self.at_ms(*moment) for moment in moments], np.int64)
        stamps = np.datetime_as_string(times.astype("M8[ms]"), timezone="UTC").astype("S24")
        for (point, minute), stamp in zip(moments, stamps.tolist(), strict=True):
            session, number, over = self.said(point, minute)
            register = point * 10 + (minute + self.reports) * 183
            if number == 0:
                kind = b"session_started"
                rest = b'"id_token":"TOK%08d","meter_start_wh":%d' % (point, register)
            elif over:
                kind, rest = b"session_ended", b'"meter_stop_wh":%d' % register
            else:
                kind, rest = b"meter_sampled", b'"import_wh":%d,"power_w":11000' % register
            yield (
                b'{"type":"%s","tenant":"default","station_id":"%s","protocol":"ocpp2.0.1",'
                b'"evse_id":%d,"connector_id":1,"transaction_id":"%08x-7e57-4000-8000-%012x",'
                b'"timestamp":"%s","seq_no":%d,%s}'
                % (
                    kind, self.station(point).encode(), 1 + point % 2, point, session,
                    stamp, number, rest,
                )
            )  # fmt: skip


class Policy:
    """Which rows of `sessions` may be written, told without the worker; one session a point."""

    def __init__(self, points: int, live_ms: int) -> None:
        self.rows = 0
        self._live_ms = live_ms
        self._written = np.zeros(points, np.int64)
        self._news = np.zeros(points, np.bool_)
        self._must = np.zeros(points, np.bool_)

    def said(self, points: Sequence[int], borders: Sequence[bool]) -> None:
        """These reported; `borders`: whether it was a start or an end."""
        self._news[points] = True
        self._must[points] |= borders

    def flushed(self, now_ms: int) -> None:
        """Count what may be written now."""
        due = self._news & (self._must | (now_ms - self._written >= self._live_ms))
        self.rows += int(due.sum())
        self._written[due] = now_ms
        self._news[due] = self._must[due] = False


def fleet_line(fleet: Fleet, minutes: int, tick_s: float) -> tuple[Line, Policy]:
    """A fleet with its past, then so many minutes of it, counted from minute 0 on."""
    line = Line(Counted([fleet.station(point) for point in range(0, fleet.points, 2)]))
    policy = Policy(fleet.points, round(Settings().worker.live_interval_s * 1000))

    def tell(moments: list[tuple[int, int]], now: int, *, always: bool) -> None:
        said = [fleet.said(*moment) for moment in moments]
        policy.said([point for point, _ in moments], [n == 0 or over for _, n, over in said])
        line.take(list(fleet.values(moments)), now)
        if line.flush(now, always=always):
            policy.flushed(now)

    for first in range(0, fleet.points, _GROUP):
        points = range(first, min(first + _GROUP, fleet.points))
        moments = [(p, m) for m in range(-fleet.reports, 0) for p in points if m >= -fleet.past(p)]
        tell(moments, fleet.at_ms(points[-1], -1) + 1, always=True)
    line.forget_figures()
    policy.rows = 0
    ticks = round(MINUTE_MS / 1000 / tick_s)
    for minute in range(minutes):
        for number in range(ticks):
            edges = [fleet.points * at // ticks for at in (number, number + 1)]
            now = BEGIN_MS + minute * MINUTE_MS + (number + 1) * MINUTE_MS // ticks
            tell([(point, minute) for point in range(*edges)], now, always=False)
    return line, policy


def measure(
    sessions: int = 100_000,
    minutes: int = 15,
    reports: int = 40,
    tick_s: float = 0.05,
    reference: int = 400_000,
) -> dict[str, Any]:
    """Both, one after the other; CPU seconds per million events, and rows by table."""
    stream = stream_line(reference)
    line, policy = fleet_line(Fleet(sessions, reports), minutes, tick_s)
    rows = line.sink.rows
    return {
        "sessions": sessions,
        "events": line.events,
        "tick_s": tick_s,
        "cpu_s_per_million": round(line.cpu_s_per_million, 2),
        "accept_s_per_million": round(line.accept_s / line.events * 1e6, 2),
        "flush_s_per_million": round(line.flush_s / line.events * 1e6, 2),
        "job_b_cpu_s_per_million": round(stream.cpu_s_per_million, 2),
        "ratio_to_job_b": round(line.cpu_s_per_million / stream.cpu_s_per_million, 2),
        "rows": dict(sorted(rows.items())),
        "rows_allowed": policy.rows,
        "within_policy": rows["sessions"] <= policy.rows,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sessions", type=int, default=100_000, help="open at a time")
    parser.add_argument("--minutes", type=int, default=15, help="how long is measured")
    parser.add_argument("--reports", type=int, default=40, help="events of a session")
    parser.add_argument("--tick-s", type=float, default=0.05, help="between chunks of the topic")
    parser.add_argument("--reference", type=int, default=400_000, help="events of Job B")
    print(json.dumps(measure(**vars(parser.parse_args()))))
