"""Simulated time against real time: hold records back until they are due."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from producers.simulator.simulation import Record

_FINEST_S = 0.02


def paced(
    records: Iterable[Record],
    speed: float,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], object],
) -> Iterator[Record]:
    """Records `speed` times faster than real time, counted from the first one.

    `clock` and `sleep` are in seconds. What is behind is let through at once.
    """
    first: Record | None = None
    begin = 0.0
    for record in records:
        if first is None:
            first, begin = record, clock()
        ahead = begin + (record.arrival_ms - first.arrival_ms) / 1000 / speed - clock()
        if ahead > _FINEST_S:
            sleep(ahead)
        yield record
