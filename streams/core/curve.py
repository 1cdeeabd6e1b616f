"""From register readings to one cumulative energy curve (domain rule: energy algorithm).

A curve is a list of `(t_ms, cum_mwh)`, both never falling, beginning with 0. One series a
session: total import register, else the sum of phases, else intervals, else power.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from streams.core.events import Ended, Sample, Started

Point = tuple[int, int]

JITTER_MWH = 10_000
"""Registers in steps of 10 Wh may seem to fall by one step; more is a reset."""

UNRATED_POWER_W = 1_000_000
"""Bound used to tell a placeholder 0 from a real reading where no rated power is known."""

_SLACK_MWH = 1_000_000
BEGIN, END = "Transaction.Begin", "Transaction.End"


@dataclass(slots=True)
class Curve:
    """Cumulative energy over time, with what was noticed while building it."""

    points: list[Point] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    estimated: bool = False
    first_mwh: int | None = None
    last_mwh: int | None = None

    @property
    def energy_mwh(self) -> int | None:
        """Total, or None where fewer than two readings exist."""
        return self.points[-1][1] if len(self.points) > 1 else None


def build_curve(
    start: Started | None, samples: list[Sample], end: Ended | None, rated_power_w: int | None
) -> Curve:
    """The session's energy curve. `samples` are in session order with rising times."""
    registers = _Registers(start, samples, end)
    if registers.known > 1 or not any(s.extra or s.power_mw for s in samples):
        return _from_registers(registers, rated_power_w)
    for series in (_phase_curve, _interval_curve, _power_curve):
        curve = series(start, samples)
        if curve is not None:
            return curve
    return _from_registers(registers, rated_power_w)


class _Registers:
    """Readings of the total import register: begin, in between, end.

    A reading in context Transaction.Begin is the begin wherever it arrives: some stations
    repeat it in every message, some send it only with the Ended (E01.FR.17).
    """

    __slots__ = ("begin", "begin_ts", "end", "end_ts", "final", "readings")

    def __init__(self, start: Started | None, samples: list[Sample], end: Ended | None) -> None:
        self.readings: list[Point] = []
        self.begin = start.meter_mwh if start is not None else None
        self.begin_ts = start.ts if start is not None else (samples[0].ts if samples else 0)
        self.end = end.meter_mwh if end is not None else None
        self.end_ts = end.ts if end is not None else 0
        self.final = end is None
        read = self.readings.append
        for _, ts, _, context, value, *_ in samples:
            if value is None:
                continue
            if context == BEGIN:
                if self.begin is None:
                    self.begin = value
            else:
                read((ts, value))
                if context == END:
                    self.final = True

    @property
    def known(self) -> int:
        """How many readings there are."""
        return len(self.readings) + (self.begin is not None) + (self.end is not None)


def _from_registers(known: _Registers, rated_power_w: int | None) -> Curve:
    curve = Curve()
    first, last, readings = known.begin, known.end, known.readings
    if first is not None and last is not None and readings:
        readings, first, last = _one_basis(curve, first, readings, last)
    points: list[Point] = []
    if first is not None:
        points.append((known.begin_ts, first))
    elif readings:
        curve.flags.append("start_inferred")
    points.extend(readings)
    if last is not None:
        points.append((known.end_ts, last))
    elif points and not known.final:
        curve.flags.append("end_inferred")
    if len(points) > 2 and _is_placeholder(points, rated_power_w):  # 0, then two
        curve.flags.append("placeholder_start")
        del points[0]
    _accumulate(curve, points, closed=last is not None)
    return curve


def _one_basis(
    curve: Curve, first: int, readings: list[Point], last: int
) -> tuple[list[Point], int | None, int | None]:
    """Bring samples that count from another zero onto the basis of start and stop.

    A session-relative register in the samples (or in start and stop) makes stop - start the
    energy; the samples give only its shape. stop == start with energy in the samples makes
    the samples the truth.
    """
    values = [value for _, value in readings]
    if first == last:
        if max(values) - values[0] > 0 and len(values) > 1:
            curve.flags.append("stop_equals_start")
            return readings, None, None
        return readings, first, last
    if last < first or any(first <= value <= last + JITTER_MWH for value in values):
        return readings, first, last
    curve.flags.append("register_basis_mixed")
    shift = first if values[0] < first else first - values[0]
    shaped: list[Point] = []
    top = first
    for t, value in readings:
        top = max(top, min(last, value + shift))
        shaped.append((t, top))
    return shaped, first, last


def _is_placeholder(points: list[Point], rated_power_w: int | None) -> bool:
    """A first register of exactly 0 that no charger could have left so fast."""
    (t0, r0), (t1, r1) = points[0], points[1]
    if r0 != 0:
        return False
    watts = rated_power_w or UNRATED_POWER_W
    possible_mwh = watts * max(0, t1 - t0) * 11 // 36_000 + _SLACK_MWH
    return r1 > possible_mwh


def _accumulate(curve: Curve, points: list[Point], *, closed: bool) -> None:
    """Sum of segments: a fall beyond jitter opens a new one, and what it hid stays unmetered."""
    if not points:
        return
    curve.first_mwh, curve.last_mwh = points[0][1], points[-1][1]
    out: list[Point] = [(points[0][0], 0)]
    cum = 0
    top = points[0][1]
    clock = points[0][0]
    for t, register in points[1:]:
        clock = max(clock, t)
        step = register - top
        if step >= 0:
            cum += step
            top = register
        elif step < -JITTER_MWH:
            curve.flags.append("register_reset")
            top = register
        out.append((clock, cum))
    curve.points = out
    overshoot = top - points[-1][1]
    if closed and 0 < overshoot <= JITTER_MWH:
        curve.flags.append("register_jitter")
        cum = max(0, cum - overshoot)
        curve.points = [(t, min(value, cum)) for t, value in out]


def _origin(start: Started | None, samples: list[Sample]) -> int:
    return start.ts if start is not None else samples[0].ts


def _phase_curve(_: Started | None, samples: list[Sample]) -> Curve | None:
    names = sorted({n for s in samples for n, _ in s.extra if n in ("l1", "l2", "l3")})
    if not names:
        return None
    points: list[Point] = []
    for s in samples:
        values = dict(s.extra)
        if all(n in values for n in names):
            points.append((s.ts, sum(values[n] for n in names)))
    curve = Curve(flags=["phases_summed", "start_inferred"])
    _accumulate(curve, points, closed=False)
    return curve if len(points) > 1 else None


def _interval_curve(start: Started | None, samples: list[Sample]) -> Curve | None:
    ends: dict[int, int] = {}
    for s in samples:
        value = dict(s.extra).get("interval")
        if value is not None:
            ends[s.ts] = max(value, ends.get(s.ts, 0))
    if not ends:
        return None
    points: list[Point] = [(min(_origin(start, samples), *ends), 0)]
    for t in sorted(ends):
        points.append((t, points[-1][1] + max(0, ends[t])))
    return Curve(points=points, flags=["intervals_summed"])


def _power_curve(_: Started | None, samples: list[Sample]) -> Curve | None:
    powered = [(s.ts, max(0, s.power_mw)) for s in samples if s.power_mw is not None]
    if len(powered) < 2:  # an integral needs two ends
        return None
    points: list[Point] = [(powered[0][0], 0)]
    for (t0, p0), (t1, p1) in itertools.pairwise(powered):
        step = (p0 + p1) * max(0, t1 - t0) // 7_200_000
        points.append((max(t1, points[-1][0]), points[-1][1] + step))
    return Curve(points=points, flags=["integrated_from_power"], estimated=True)
