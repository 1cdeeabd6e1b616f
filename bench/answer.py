"""What a right answer to the jobs is: a slow, obvious pass in plain Python over the truth.

Energy of a quarter of an hour follows from the register at its borders: linear between two
readings, rounded down. Money of Job A is 400 micro-units a Wh. All numbers are exact integers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from bench.stream import Stream

SLICE_MS = 900_000
MICRO_PER_WH = 400

Points = list[tuple[int, int]]
"""Time in milliseconds and register in Wh, in order."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Sessions, energy, money, and a digest of energy by quarter of an hour."""

    sessions: int
    total_wh: int
    micro_eur: int
    slices_sha: str


def digest(slices: Mapping[int, int]) -> str:
    """The digest of the peers: 16 hexadecimal digits over all slices with energy."""
    text = "\n".join(f"{start}:{wh}" for start, wh in sorted(slices.items()) if wh)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def answer_of(sessions: int, total_wh: int, slices: Mapping[int, int]) -> Answer:
    """The answer that follows from the sums."""
    return Answer(sessions, total_wh, total_wh * MICRO_PER_WH, digest(slices))


def expected(stream: Stream) -> Answer:
    """The right answer to Job A."""
    slices: dict[int, int] = {}
    total = 0
    for points in sessions_of(stream):
        add_slices(points, slices)
        total += points[-1][1] - points[0][1]
    if sum(slices.values()) != total:
        raise AssertionError("the slices do not add up to the energy")
    return answer_of(stream.sessions, total, slices)


def sessions_of(stream: Stream) -> Iterable[Points]:
    """Each session's readings."""
    points = list(zip(stream.time.tolist(), stream.register.tolist(), strict=True))
    borders = stream.first.tolist()
    return (points[a:b] for a, b in pairwise(borders))


def add_slices(points: Points, slices: dict[int, int]) -> None:
    """Add one session's energy to the quarters of an hour it touches."""
    before, register = points[0]
    done = register
    for after, reading in points[1:]:
        border = before // SLICE_MS * SLICE_MS + SLICE_MS
        while border <= after:
            there = register + (reading - register) * (border - before) // (after - before)
            start = border - SLICE_MS
            slices[start] = slices.get(start, 0) + there - done
            done = there
            border += SLICE_MS
        before, register = after, reading
    start = before // SLICE_MS * SLICE_MS
    slices[start] = slices.get(start, 0) + register - done
