"""Spreads a price over slices of time: the `accrual` basis of domain rules 2.7.

Energy is priced where it flowed, time where it passed, a flat fee where it became due, what
step_size added where its dimension was last billed, and what a price limit changed where the
session ended. Sums are exact; a slice is a difference of two rounded running sums, so the slices
sum to the session to the last micro-unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas.units import SLICE_MS
from streams.core.pricing.model import ENERGY, FLAT, PARKING_TIME, TIME
from streams.core.pricing.priced import (
    DISCOUNT,
    FREE,
    Line,
    Money,
    Priced,
    half_up,
)
from streams.core.pricing.usage import Flow, Usage
from streams.core.slices import Slice

SliceOf = Callable[[int], int]
_Flows = tuple[Sequence[Flow], Sequence[Flow]]
"""Of the session, and of its reservation."""

_COLUMNS = {
    ENERGY: Slice._fields.index("energy_mwh"),
    TIME: Slice._fields.index("charging_ms"),
    PARKING_TIME: Slice._fields.index("idle_ms"),
}


class _Part(NamedTuple):
    """An exact amount in one slice."""

    slice: int
    excl: int
    incl: int


def accrue(priced: Priced, usage: Usage, slices: Sequence[Slice]) -> list[Money]:
    """Micro-units of each slice, before and with taxes; they sum to `priced.micro`.

    `slices` are the session's, contiguous and in order of time; empty gives an empty list.
    """
    if not slices:
        return []
    first, last = slices[0].start // SLICE_MS, len(slices) - 1

    def slice_of(instant_ms: int) -> int:
        return min(max(instant_ms // SLICE_MS - first, 0), last)

    excl, incl = [0] * len(slices), [0] * len(slices)
    flows = (usage.flows(), usage.reservation) if priced.segments else ((), ())  # seldom built
    walked = {one.reservation for one in (*priced.segments[:1], *priced.segments[-1:])}
    for line in priced.lines:
        if line.component is None or line.dimension == FLAT or line.reservation in walked:
            part = _leftover(line, priced, flows, slice_of, last)
            excl[part.slice] += part.excl
            incl[part.slice] += part.incl
        else:
            _spread_evenly(line, slices, excl, incl)
    _spread_segments(priced, flows, first, excl, incl)
    _reduce(priced, excl, incl)
    return _rounded(excl, incl, priced.scale)


def _rate(line: Line) -> tuple[int, int]:
    """A line's price of one unit, exact: amounts are whole multiples of what was billed."""
    return (line.excl // line.billed, line.incl // line.billed) if line.billed else (0, 0)


def _leftover(line: Line, priced: Priced, flows: _Flows, slice_of: SliceOf, last: int) -> _Part:
    """What of a line no stretch of time accounts for: fees, top-ups of step_size, limits."""
    if line.component is None:
        reduced = line.dimension in (DISCOUNT, FREE)
        return _Part(last, 0, 0) if reduced else _Part(last, line.excl, line.incl)
    if line.dimension == FLAT:
        return _Part(slice_of(line.start_ms), line.excl, line.incl)
    extra, (excl, incl) = line.billed - line.quantity, _rate(line)
    at = _last_used(line, priced, flows, slice_of) if extra else 0
    return _Part(at, extra * excl, extra * incl)


def _spread_evenly(line: Line, slices: Sequence[Slice], excl: list[int], incl: list[int]) -> None:
    """One price from start to end: by the volumes of the slices; the last of them is topped up."""
    rate_excl, rate_incl = _rate(line)
    left = line.billed
    last = 0
    column = _COLUMNS[line.dimension]
    for k, part in enumerate(slices):
        volume = part[column]
        if volume:
            excl[k] += volume * rate_excl
            incl[k] += volume * rate_incl
            left -= volume
            last = k
    excl[last] += left * rate_excl
    incl[last] += left * rate_incl


def _spread_segments(
    priced: Priced, flows: _Flows, first: int, excl: list[int], incl: list[int]
) -> None:
    """Every segment over the slices it touches; volumes are differences of running ones.

    The hot path of the whole worker: plain integers, no call unless a slice ends inside.
    """
    last = len(excl) - 1
    rates = _rates(priced)
    of, reserved, done = -1, False, 0
    for start, end, energy, charging, parking, e, t, p, number, reservation in priced.segments:
        if number != of or reservation is not reserved:
            of, reserved, done = number, reservation, 0
        prices = (*rates[reservation][e], *rates[reservation][t], *rates[reservation][p])
        k = min(max(start // SLICE_MS - first, 0), last)
        until = min(max((end - 1) // SLICE_MS - first, k), last)
        volumes = (energy, charging, parking)
        if k < until:
            for part in _until_last(flows[reservation][number], done, start, until - k, volumes):
                excl[k] += part[0] * prices[0] + part[1] * prices[2] + part[2] * prices[4]
                incl[k] += part[0] * prices[1] + part[1] * prices[3] + part[2] * prices[5]
                volumes = (volumes[0] - part[0], volumes[1] - part[1], volumes[2] - part[2])
                k += 1
        excl[k] += volumes[0] * prices[0] + volumes[1] * prices[2] + volumes[2] * prices[4]
        incl[k] += volumes[0] * prices[1] + volumes[1] * prices[3] + volumes[2] * prices[5]
        done += energy


def _last_used(line: Line, priced: Priced, flows: _Flows, slice_of: SliceOf) -> int:
    """The slice in which what a line bills was last used: of a segment's last slice so little may
    be that it is less than a unit.
    """
    column = (ENERGY, TIME, PARKING_TIME).index(line.dimension)
    component = _numbers(priced)[line.element, id(line.component)]
    for at in reversed(range(len(priced.segments))):
        start, end, *told = priced.segments[at]
        volumes, components, (number, reservation) = told[:3], told[3:6], told[6:]
        if reservation is line.reservation and components[column] == component and volumes[column]:
            break
    else:
        return slice_of(max(line.start_ms, line.end_ms - 1))
    k, until = slice_of(start), max(slice_of(start), slice_of(end - 1))
    if k == until:
        return k
    before = (one for one in priced.segments[:at] if one[8] == number and one[9] is reservation)
    done = sum(one[2] for one in before)
    whole = (volumes[0], volumes[1], volumes[2])
    parts = _until_last(flows[reservation][number], done, start, until - k, whole)
    if volumes[column] > sum(part[column] for part in parts):
        return until
    return k + max(i for i, part in enumerate(parts) if part[column])


def _numbers(priced: Priced) -> dict[tuple[int, int], int]:
    """Components as segments count them, by element and identity."""
    return {(element, id(c)): i for i, (element, c) in enumerate(priced.components)}


def _rates(priced: Priced) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Rates by component index, charging and reserved; the last is NO_COMPONENT's: nothing."""
    index = _numbers(priced)
    nothing = (0, 0)
    out = ([nothing] * (len(index) + 1), [nothing] * (len(index) + 1))
    for line in priced.lines:
        if line.component is not None and line.dimension != FLAT:
            out[line.reservation][index[line.element, id(line.component)]] = _rate(line)
    return out


def _until_last(
    flow: Flow, done: int, start: int, borders: int, whole: tuple[int, int, int]
) -> list[tuple[int, int, int]]:
    """Energy, charging and parking of a segment in each slice that ends inside it."""
    begin, width = flow.start_ms, flow.end_ms - flow.start_ms
    energy, gone = done, start - begin
    charging, parking = flow.charging_ms * gone // width, flow.parking_ms * gone // width
    border = start // SLICE_MS * SLICE_MS
    out = []
    for _ in range(borders):
        border += SLICE_MS
        gone = border - begin
        now = min(max(flow.energy_until(border), energy), done + whole[0])
        charged, parked = flow.charging_ms * gone // width, flow.parking_ms * gone // width
        out.append((now - energy, charged - charging, parked - parking))
        energy, charging, parking = now, charged, parked
    return out


def _reduce(priced: Priced, excl: list[int], incl: list[int]) -> None:
    """A discount lowers every slice alike; free of charge leaves nothing."""
    for line in priced.lines:
        if line.dimension == FREE:
            excl[:], incl[:] = [0] * len(excl), [0] * len(incl)
            return
        if line.dimension == DISCOUNT:
            off, of = line.quantity, line.billed
            excl[:] = [amount * (of - off) // of for amount in excl]
            incl[:] = [amount * (of - off) // of for amount in incl]
            return


def _rounded(excl: Sequence[int], incl: Sequence[int], scale: int) -> list[Money]:
    return list(map(Money, _steps(excl, scale), _steps(incl, scale)))


def _steps(amounts: Sequence[int], scale: int) -> list[int]:
    """Differences of the rounded running sum."""
    out: list[int] = []
    total = done = 0
    double = 2 * scale
    for amount in amounts:
        total += amount
        reached = (2 * total + scale) // double if total >= 0 else half_up(total, scale)
        out.append(reached - done)
        done = reached
    return out
