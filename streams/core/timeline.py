"""What the vehicle did when: charging, suspended by the charger, or idle.

Sources: OCPP 2.0.1 ChargingStateEnumType; OCPI 2.2.1 note of 2026-05-28: parking means the
vehicle requests no power, so SuspendedEVSE (smart charging) is neither charging nor parking.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from streams.core.curve import Point

CHARGING, SUSPENDED_EVSE, IDLE = "Charging", "SuspendedEVSE", "Idle"


class Span(NamedTuple):
    """One state from `start` to `end`, epoch ms, end exclusive."""

    start: int
    end: int
    state: str


def spans_from_states(
    changes: list[tuple[int, str]], started_ms: int, ended_ms: int
) -> tuple[Span, ...]:
    """Spans from reported states, in session order; times never run backwards.

    Before the first report the session was charging, unless that report is Charging.
    """
    first = changes[0][1]
    state = IDLE if first == CHARGING else CHARGING
    spans: list[Span] = []
    at = started_ms
    for t, new in changes:
        moment = min(max(t, at), ended_ms)
        if moment > at:
            _append(spans, at, moment, state)
            at = moment
        state = new if new in (CHARGING, SUSPENDED_EVSE) else IDLE
    if ended_ms > at:
        _append(spans, at, ended_ms, state)
    return tuple(spans)


def spans_from_energy(points: list[Point], started_ms: int, ended_ms: int) -> tuple[Span, ...]:
    """Spans where no state was ever reported: charging is where energy flowed."""
    spans: list[Span] = []
    at = started_ms
    for (t0, e0), (t1, e1) in itertools.pairwise(points):
        begin, end = max(t0, at), min(t1, ended_ms)
        if end <= begin:
            continue
        if begin > at:
            _append(spans, at, begin, IDLE)
        _append(spans, begin, end, CHARGING if e1 > e0 else IDLE)
        at = end
    if ended_ms > at:
        _append(spans, at, ended_ms, IDLE)
    return tuple(spans)


def _append(spans: list[Span], start: int, end: int, state: str) -> None:
    if spans and spans[-1].state == state and spans[-1].end == start:
        spans[-1] = Span(spans[-1].start, end, state)
    else:
        spans.append(Span(start, end, state))


def total_ms(spans: tuple[Span, ...], state: str) -> int:
    """Milliseconds spent in one state."""
    return sum(s.end - s.start for s in spans if s.state == state)


def overlap_ms(spans: tuple[Span, ...], state: str, start: int, end: int) -> int:
    """Milliseconds of one state inside [start, end)."""
    total = 0
    for s in spans:
        if s.state == state and s.start < end and s.end > start:
            total += min(s.end, end) - max(s.start, start)
    return total
