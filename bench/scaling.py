"""How a worker's CPU per event grows with open sessions, stations, partitions and workers.

python -m bench.scaling [--events 200000] [--skip workers]     a table, then one JSON line

Each point is a fleet through the worker's own object with a store that keeps nothing, as 200,000
events a second would come; sessions have 20 events and a past when the count begins. One size
changes at a time:

sessions     1,000 to 100,000 open ones, two a station: the whole fleet grows
stations     100 to 10,000 with 10,000 open sessions on them, each on an EVSE of its own
partitions   1 to 64 of one fleet; what comes in a chunk is shared among them
workers      1 and 2 processes, from Kafka into the store (`bench.workers`); cost is all of theirs

`slope` is that of log cost on log size, least squares: 0 is no growth, 1 is in proportion.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import workers
from bench.live import BEGIN_MS, CHUNK, Counted, Fleet, Line

SESSIONS = (1_000, 3_000, 10_000, 30_000, 100_000)
STATIONS = (100, 300, 1_000, 3_000, 10_000)
PARTITIONS = (1, 4, 16, 64)
OPEN = 10_000
"""Open sessions where something else is the size."""

PARTS = ("sessions", "stations", "partitions", "workers")

_REPORTS = 20
_CHUNK_MS = 20
_WARM_CHUNKS = 5
_WORKERS_EVENTS = 600_000

Points = dict[int, float]
"""CPU seconds per million events by size."""


@dataclass(frozen=True, slots=True)
class Spread(Fleet):
    """A fleet on a given number of stations, each point an EVSE of its own there."""

    stations: int

    def station(self, point: int) -> str:
        """Name of its station."""
        return f"ST-{point % self.stations:07d}"

    def values(self, moments: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """The same events, each with its own EVSE."""
        usual = super(Spread, self).values(moments)  # slots: a bare super() finds no class
        for (point, _), value in zip(moments, usual, strict=True):
            head, mark, rest = value.partition(b'"evse_id":')
            evse = 1 + point // self.stations
            yield b"%s%s%d%s" % (head, mark, evse, rest[1:])  # theirs is one digit

    def names(self) -> list[str]:
        """Every station."""
        return [self.station(number) for number in range(min(self.stations, self.points))]


def cost(fleet: Spread, events: int, partitions: int = 1) -> float:
    """CPU seconds per million of so many events, after each session's past and a warm-up."""
    line = Line(Counted(fleet.names()), partitions)
    now = BEGIN_MS
    for moments in _past(fleet):
        now = _tell(line, fleet, moments, now)
    line.flush(now)
    told = 0
    for number, moments in enumerate(_present(fleet)):
        if number == _WARM_CHUNKS:
            line.flush(now)
            line.forget_figures()
        elif number > _WARM_CHUNKS and told >= events:
            break
        now = _tell(line, fleet, moments, now)
        told = line.events
    line.flush(now)
    line.memory.forgot()
    return line.cpu_s_per_million


def _tell(line: Line, fleet: Spread, moments: list[tuple[int, int]], now: int) -> int:
    """What comes together, shared among the partitions by station; then what is due."""
    shares: list[list[tuple[int, int]]] = [[] for _ in range(line.partitions)]
    for moment in moments:
        shares[moment[0] % fleet.stations % line.partitions].append(moment)
    for partition, share in enumerate(shares):
        line.take(list(fleet.values(share)), now, partition)
    now += _CHUNK_MS
    line.flush(now, always=False)
    return now


def _past(fleet: Spread) -> Iterator[list[tuple[int, int]]]:
    moments = (
        (point, minute)
        for minute in range(-fleet.reports, 0)
        for point in range(fleet.points)
        if minute >= -fleet.past(point)
    )
    return _chunks(moments)


def _present(fleet: Spread) -> Iterator[list[tuple[int, int]]]:
    """From minute 0 on, for ever."""
    told = iter(range(1 << 62))
    return _chunks((n % fleet.points, n // fleet.points) for n in told)


def _chunks(moments: Iterator[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    chunk: list[tuple[int, int]] = []
    for moment in moments:
        chunk.append(moment)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def by_sessions(events: int, sizes: Sequence[int] = SESSIONS) -> Points:
    """Fleets of so many open sessions."""
    return {n: cost(Spread(n, _REPORTS, max(1, n // 2)), events) for n in sizes}


def by_stations(events: int, sizes: Sequence[int] = STATIONS, points: int = OPEN) -> Points:
    """The same number of open sessions on so many stations."""
    return {n: cost(Spread(points, _REPORTS, n), events) for n in sizes}


def by_partitions(events: int, sizes: Sequence[int] = PARTITIONS, points: int = OPEN) -> Points:
    """The same fleet in so many partitions."""
    return {n: cost(Spread(points, _REPORTS, points // 2), events, n) for n in sizes}


def by_workers(events: int) -> Points:
    """Job B with one worker process and with two."""
    found = workers.measure(events)
    return {1: found["one"]["cpu_s_per_million"], 2: found["two"]["cpu_s_per_million"]}


def slope(points: Mapping[int, float]) -> float:
    """Of log cost on log size, least squares."""
    sizes, costs = np.log(list(points)), np.log(list(points.values()))
    away = sizes - sizes.mean()
    return float((away * (costs - costs.mean())).sum() / (away * away).sum())


def table(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Two lines a part, 80 columns: sizes, and CPU seconds per million events below them."""
    lines = [f"{'CPU s per million events by':28}{'slope':>8}"]
    for name, part in found.items():
        points: Mapping[str, float] = part["cpu_s_per_million"]
        lines.append(f"  {name:12}{'':14}{'':8}" + "".join(f"{int(n):>8,}" for n in points))
        costs = "".join(f"{value:>8.2f}" for value in points.values())
        lines.append(f"{'':28}{part['slope']:>8.3f}{costs}")
    return lines


def measure(events: int = 200_000, skip: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """All parts that are not skipped; by name the points and the slope."""
    parts: dict[str, Callable[[], Points]] = {
        "sessions": lambda: by_sessions(events),
        "stations": lambda: by_stations(events),
        "partitions": lambda: by_partitions(events),
        "workers": lambda: by_workers(_WORKERS_EVENTS),
    }
    out: dict[str, dict[str, Any]] = {}
    for name, part in parts.items():
        if name in skip:
            continue
        points = part()
        rounded = {str(size): round(value, 3) for size, value in points.items()}
        out[name] = {"slope": round(slope(points), 4), "cpu_s_per_million": rounded}
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=200_000, help="of each point")
    parser.add_argument("--skip", nargs="*", default=(), choices=PARTS)
    result = measure(**vars(parser.parse_args()))
    print("\n".join(table(result)))
    print(json.dumps(result))
