"""Does a worker's resident memory stay flat over many events?

python -m bench.soak [--events 50000000] [--sessions 20000]     prints one JSON line

Every charge point (two a station, the stations stay the same) tells session after session: a
start, samples every 20 s, an end; then the next one begins. So the number of open sessions is
steady, and after `samples` + 2 rounds all of them are new ones. The worker is fed and flushed as
the app does, with a clock that goes with the events and a store that keeps nothing.

A worker remembers ended sessions, up to a number, to recognise what is sent again: memory is
level only when that many have ended. `warm_up` events are left out of the slope: a fifth, or
those until then where they are more. The slope is the line of least squares through the resident
memory after every `step` events, and `swing_mb` the widest distance from it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from bench.live import BEGIN_MS, Counted, Line
from bench.machine import memory_mb
from streams.forgetting import OPEN_IN_MEMORY, PACKED_IN_MEMORY

NOON_MS = BEGIN_MS + 12 * 3_600_000
"""The beginning: what a worker knows of a day is forgotten in the middle of the run."""

EVERY_MS = 20_000
"""Between two events of a charge point: a third of them is due to be written."""

_FIRST_WH = 100_000_000
_STEP_WH = 183
_FEWEST = 3
"""Points of a line: below them a slope says nothing."""


@dataclass(slots=True)
class Points:
    """Charge points in as many groups as a session has events; a group speaks at one instant.

    In round r the events of group g have the number (r + g) % reports in their sessions. What
    the events of a session have in common is made once a session.
    """

    count: int
    samples: int
    _heads: dict[int, list[bytes]] = field(default_factory=dict)

    @property
    def reports(self) -> int:
        """Events of a session."""
        return self.samples + 2

    @property
    def stations(self) -> list[str]:
        """All names."""
        return [f"ST-{number:07d}" for number in range(-(-self.count // 2))]

    def events(self) -> Iterator[tuple[list[bytes], int]]:
        """Wire events of one group after another, without end, and their instant in epoch ms.

        In the first rounds a group waits until its first session begins.
        """
        turn = 0
        while True:
            for group in range(self.reports):
                session, number = divmod(turn + group, self.reports)
                if number == 0:
                    self._heads[group] = list(self._sessions(group, session))
                if group in self._heads:
                    at_ms = NOON_MS + turn * EVERY_MS + group * EVERY_MS // self.reports
                    yield self._told(self._heads[group], number, at_ms), at_ms
            turn += 1

    def _sessions(self, group: int, session: int) -> Iterator[bytes]:
        for point in range(group, self.count, self.reports):
            yield (
                b'"tenant":"default","station_id":"ST-%07d","protocol":"ocpp2.0.1","evse_id":%d,'
                b'"connector_id":1,"transaction_id":"%08x-7e57-4000-8000-%012x",'
                % (point // 2, 1 + point % 2, point, session)
            )

    def _told(self, heads: list[bytes], number: int, at_ms: int) -> list[bytes]:
        register = _FIRST_WH + (at_ms - NOON_MS) // EVERY_MS * _STEP_WH
        if number == 0:
            kind, rest = b"session_started", b'"id_token":"TOKEN","meter_start_wh":%d' % register
        elif number == self.reports - 1:
            kind, rest = b"session_ended", b'"meter_stop_wh":%d' % register
        else:
            kind, rest = b"meter_sampled", b'"import_wh":%d,"power_w":11000' % register
        stamp = str(np.datetime64(at_ms, "ms")).encode()
        begin = b'{"type":"%s",' % kind
        end = b'"timestamp":"%sZ","seq_no":%d,%s}' % (stamp, number, rest)
        return [begin + head + end for head in heads]


class Watched(Counted):
    """Keeps of all rows only what the worker says of itself."""

    open_sessions = 0

    def insert(self, table: str, rows: pa.Table) -> None:
        """Counts the rows."""
        Counted.insert(self, table, rows)
        if table == "worker_status":
            self.open_sessions = rows["open_sessions"][0].as_py()


@dataclass(slots=True)
class Soak:
    """A worker that hears charge points, and how much memory it had after how many events."""

    points: Points
    step: int
    flush_events: int
    sink: Watched = field(init=False)
    line: Line = field(init=False)
    weighed: list[tuple[int, float]] = field(default_factory=list)
    """(events so far, resident MB)."""
    open_sessions: list[int] = field(default_factory=list)
    """Open sessions at the same moments."""

    def __post_init__(self) -> None:
        """The stations have a plain tariff."""
        self.sink = Watched(self.points.stations)
        self.line = Line(self.sink)

    def hear(self, events: int) -> None:
        """Feed at least so many events, and weigh after each step."""
        line, waiting = self.line, 0
        for values, at_ms in self.points.events():
            line.take(values, at_ms)
            waiting += len(values)
            if waiting >= self.flush_events:
                line.flush(at_ms)
                waiting = 0
                if line.events // self.step > len(self.weighed):
                    self.weighed.append((line.events, memory_mb()))
                    self.open_sessions.append(self.sink.open_sessions)
                if line.events >= events:
                    return


def slope(weighed: list[tuple[int, float]]) -> tuple[float, float]:
    """MB per million events of the line of least squares, and the widest distance from it in MB."""
    if len(weighed) < _FEWEST:
        return float("nan"), float("nan")
    events, mb = np.array(weighed, np.float64).T
    millions = (events - events[0]) / 1e6
    gradient, level = np.polyfit(millions, mb, 1)
    return float(gradient), float(np.abs(mb - (gradient * millions + level)).max())


def measure(
    events: int = 50_000_000,
    sessions: int = 20_000,
    samples: int = 20,
    step: int = 1_000_000,
    flush_events: int = 5_000,
) -> dict[str, Any]:
    """Hear so many events, and tell what memory did."""
    points = Points(sessions, samples)
    soak = Soak(points, step, flush_events)
    begun, cpu = time.monotonic(), time.process_time()
    soak.hear(events)
    cpu = time.process_time() - cpu
    remembered = sessions + OPEN_IN_MEMORY + PACKED_IN_MEMORY
    warm_up = max(events // 5, remembered * points.reports)
    level = [(at, mb) for at, mb in soak.weighed if at >= warm_up]
    gradient, swing = slope(level)
    known = len(level) >= _FEWEST
    return {
        "events": soak.line.events,
        "warm_up": warm_up,
        "weighed": len(level),
        "slope_mb_per_million": round(gradient, 3) if known else None,
        "swing_mb": round(swing, 2) if known else None,
        "resident_mb": [round(mb) for _, mb in soak.weighed],
        "open_sessions": [min(soak.open_sessions), max(soak.open_sessions)],
        "sessions_written": soak.sink.rows["sessions"],
        "cpu_s_per_million": round(soak.line.cpu_s_per_million, 2),
        "cpu_s": round(cpu, 1),
        "wall_s": round(time.monotonic() - begun, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--sessions", type=int, default=20_000, help="open at a time")
    parser.add_argument("--samples", type=int, default=20, help="of a session")
    parser.add_argument("--step", type=int, default=1_000_000, help="events between weighings")
    parser.add_argument("--flush-events", type=int, default=5_000)
    print(json.dumps(measure(**vars(parser.parse_args()))))
