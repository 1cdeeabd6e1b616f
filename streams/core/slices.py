"""Spreads a session over 15-minute UTC slices so that the slices sum to it exactly.

Everything is a difference of a cumulative value at slice borders, floored to whole mWh
(energy) or exact in ms (time), so sums telescope. Energy flows evenly between two readings,
or, where charging states were reported, evenly over the charging time between them.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.units import SLICE_MS
from streams.core.facts import Facts
from streams.core.timeline import CHARGING, SUSPENDED_EVSE, overlap_ms
from streams.core.verdict import MAX_DURATION_MS


class Slice(NamedTuple):
    """One session in one slice: energy in mWh, times in ms; `start` is epoch ms."""

    start: int
    energy_mwh: int
    occupied_ms: int
    charging_ms: int
    idle_ms: int


def slice_session(facts: Facts) -> list[Slice]:
    """Slices from the session's start to its end, contiguous; empty where times are unusable."""
    start = facts.started_ms
    if start is None:
        return []
    end = facts.until_ms
    if end < start or end - start > MAX_DURATION_MS:
        return []
    first = start // SLICE_MS
    last = max(first, (end - 1) // SLICE_MS)
    energies = _energies(facts, first, last)
    charging, idle = _times(facts, first, last)
    if first == last:
        return [Slice(first * SLICE_MS, energies[0], end - start, charging[0], idle[0])]
    occupied = [SLICE_MS] * (last - first + 1)
    occupied[0] -= start - first * SLICE_MS
    occupied[-1] -= (last + 1) * SLICE_MS - end
    begins = range(first * SLICE_MS, (last + 1) * SLICE_MS, SLICE_MS)
    return list(map(Slice, begins, energies, occupied, charging, idle))


def _times(facts: Facts, first: int, last: int) -> tuple[list[int], list[int]]:
    """Charging and idle time of each slice, ms."""
    charging, idle = [0] * (last - first + 1), [0] * (last - first + 1)
    for start, end, state in facts.spans:
        if state == SUSPENDED_EVSE:
            continue
        times = charging if state == CHARGING else idle
        k, until = start // SLICE_MS, (end - 1) // SLICE_MS
        if k == until:
            times[k - first] += end - start
            continue
        times[k - first] += (k + 1) * SLICE_MS - start
        times[until - first] += end - until * SLICE_MS
        for full in range(k + 1 - first, until - first):
            times[full] += SLICE_MS
    return charging, idle


def _energies(facts: Facts, first: int, last: int) -> list[int]:
    """Energy of each slice; the last takes what is left, so the sum is the session's energy."""
    total = facts.energy_mwh or 0
    if total <= 0 or first == last:
        return [0] * (last - first) + [total]
    out: list[int] = []
    points = facts.curve
    i = 1
    done = 0
    for k in range(first, last):
        border = (k + 1) * SLICE_MS
        while i < len(points) and points[i][0] < border:
            i += 1
        if i >= len(points):
            cum = total
        else:
            (t0, e0), (t1, e1) = points[i - 1], points[i]
            cum = e0 if border <= t0 else e0 + _part(facts, t0, t1, e1 - e0, border)
        out.append(cum - done)
        done = cum
    out.append(total - done)
    return out


def _part(facts: Facts, t0: int, t1: int, energy: int, border: int) -> int:
    """The share of `energy`, flowing from t0 to t1, that came before `border`; floored."""
    if energy == 0:
        return 0
    if facts.by_state:
        whole = overlap_ms(facts.spans, CHARGING, t0, t1)
        if whole > 0:
            return energy * overlap_ms(facts.spans, CHARGING, t0, border) // whole
    return energy * (border - t0) // (t1 - t0)
