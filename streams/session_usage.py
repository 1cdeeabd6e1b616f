"""What the engine prices of a session of ours: its facts as even stretches.

Energy up to any instant is that of the slices (`streams.core.slices`): it flows evenly between
two readings, or over the charging time between them where states were reported, floored on the
whole of it. Energy that no two readings inside the session account for stands in a stretch of
no length: what came before the start at the start, a jump at its instant, the rest at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.core.facts import Facts
from streams.core.pricing.usage import Flow, Usage
from streams.core.timeline import CHARGING, IDLE, Span

Steps = list[tuple[int, int]]
"""(from epoch ms, value): holds until the next one."""

_new = tuple.__new__  # a NamedTuple's own __new__ is a Python call more, for every stretch


class _Even(NamedTuple):
    """Energy flowing evenly from `start` to `end`; `share` as in a Flow, offset at `start`."""

    start: int
    end: int
    share: tuple[int, int, int]


def usage_of_facts(facts: Facts, zone: ZoneInfo) -> Usage:
    """The usage of one derived session. Charging time is TIME, idle time PARKING_TIME;
    SuspendedEVSE is neither (OCPI 2.2.1, note of 2026-05-28). Unknown energy counts as 0.
    """
    start = _start(facts)
    return Usage(
        start_ms=start,
        end_ms=max(start, facts.until_ms),
        energy_mwh=facts.energy_mwh or 0,
        charging_ms=facts.charging_ms,
        parking_ms=facts.idle_ms,
        flows=cache(lambda: _flows(facts, start, max(start, facts.until_ms))),
        zone=zone,
    )


def _start(facts: Facts) -> int:
    if facts.started_ms is not None:
        return facts.started_ms
    return facts.spans[0].start if facts.spans else facts.until_ms


def _flows(facts: Facts, start: int, end: int) -> tuple[Flow, ...]:
    power, current = _steps(facts.power, start, end), _steps(facts.current, start, end)
    evens, jumps = _energies(facts, start, end)
    cuts = {start, end, *jumps}
    for steps in (power, current):
        cuts.update([at for at, _ in steps])
    cuts.update([t for t, _ in facts.curve if start < t < end])
    for span in facts.spans:
        cuts.add(span.start)
        cuts.add(span.end)
    spans = facts.spans
    out: list[Flow] = []
    given = s = n = p = c = 0
    for at, until in pairwise(sorted(cuts)):
        while s < len(spans) and spans[s].end <= at:
            s += 1
        while n < len(evens) and evens[n].end <= at:
            n += 1
        while p + 1 < len(power) and power[p + 1][0] <= at:
            p += 1
        while c + 1 < len(current) and current[c + 1][0] <= at:
            c += 1
        watts = power[p][1] if power else None
        amps = current[c][1] if current else None
        if at in jumps:
            given += jumps[at]
            out.append(_new(Flow, (at, at, jumps[at], 0, 0, watts, watts, amps, amps, None)))
        energy, share = 0, None
        if n < len(evens) and evens[n].start <= at:
            whole, width, offset = evens[n].share
            offset += at - evens[n].start
            energy = whole * (offset + until - at) // width - whole * offset // width
            share = (whole, width, offset)
            given += energy
        state = spans[s].state if s < len(spans) else ""
        charging, parking = (until - at) * (state == CHARGING), (until - at) * (state == IDLE)
        values = (at, until, energy, charging, parking, watts, watts, amps, amps, share)
        out.append(_new(Flow, values))
    rest = (facts.energy_mwh or 0) - given
    if rest or not out:
        watts, amps = (steps[-1][1] if steps else None for steps in (power, current))
        out.append(Flow(end, end, rest, 0, 0, watts, watts, amps, amps))
    return tuple(out)


def _steps(series: Steps, start: int, end: int) -> Steps:
    """A value holds until the next; before the first, the first's. Only changes inside."""
    steps: Steps = []
    for ts, value in series:
        at = max(ts, start)
        if not steps:
            steps.append((start, value))
        elif at >= end:
            break
        elif steps[-1][0] == at:
            steps[-1] = (at, value)
        elif steps[-1][1] != value:
            steps.append((at, value))
    return steps


def _energies(facts: Facts, start: int, end: int) -> tuple[list[_Even], dict[int, int]]:
    """Even flows inside the session, in order, and energy at one instant before its end."""
    evens: list[_Even] = []
    jumps: dict[int, int] = {}
    charging = [s for s in facts.spans if s.state == CHARGING] if facts.by_state else []
    first = 0
    for (t0, e0), (t1, e1) in pairwise(facts.curve):
        if t0 >= end:
            break
        energy = e1 - e0
        if energy == 0:
            continue
        if t1 <= start or t1 == t0:
            at = max(t0, start)
            jumps[at] = jumps.get(at, 0) + energy
            continue
        while first < len(charging) and charging[first].end <= t0:
            first += 1
        if first < len(charging) and charging[first].start < t1:
            evens.extend(_while_charging(charging, first, t0, t1, energy))
            continue
        width = t1 - t0
        early = energy * (start - t0) // width if t0 < start else 0
        if early:
            jumps[start] = jumps.get(start, 0) + early
        begin = max(t0, start)
        evens.append(_Even(begin, min(t1, end), (energy, width, begin - t0)))
    return evens, jumps


def _while_charging(
    charging: Sequence[Span], first: int, t0: int, t1: int, energy: int
) -> list[_Even]:
    """The energy between two readings over the charging time between them."""
    parts: list[tuple[int, int, int]] = []
    offset = 0
    for i in range(first, len(charging)):
        begin, end = max(charging[i].start, t0), min(charging[i].end, t1)
        if begin >= end:
            break
        parts.append((begin, end, offset))
        offset += end - begin
    return [_Even(begin, end, (energy, offset, before)) for begin, end, before in parts]
