"""Spreads a price over slices of time: the `accrual` basis of domain rules 2.7.

Energy is priced where it flowed, time where it passed, a flat fee where it became due, what
step_size added where its dimension was last billed, and what a price limit changed where the
session ended. Sums are exact; a slice is a difference of two rounded running sums, so the slices
sum to the session to the last micro-unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from schemas.units import SLICE_MS
from streams.core.pricing.model import ENERGY, FLAT, PARKING_TIME, TIME
from streams.core.pricing.priced import (
    DISCOUNT,
    FREE,
    Line,
    Money,
    Priced,
    Segment,
    half_up,
)
from streams.core.pricing.usage import Flow, Usage
from streams.core.slices import Slice

SliceOf = Callable[[int], int]


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
    walked = {segment.reservation for segment in priced.segments}
    for line in priced.lines:
        if line.component is None or line.dimension == FLAT or line.reservation in walked:
            part = _leftover(line, slice_of, last)
            excl[part.slice] += part.excl
            incl[part.slice] += part.incl
        else:
            _spread_evenly(line, slices, excl, incl)
    for part in _segmented(priced, usage, slice_of):
        excl[part.slice] += part.excl
        incl[part.slice] += part.incl
    _reduce(priced, excl, incl)
    return _rounded(excl, incl, priced.scale)


def _rate(line: Line) -> tuple[int, int]:
    """A line's price of one unit, exact: amounts are whole multiples of what was billed."""
    return (line.excl // line.billed, line.incl // line.billed) if line.billed else (0, 0)


def _leftover(line: Line, slice_of: SliceOf, last: int) -> _Part:
    """What of a line no stretch of time accounts for: fees, top-ups of step_size, limits."""
    if line.component is None:
        reduced = line.dimension in (DISCOUNT, FREE)
        return _Part(last, 0, 0) if reduced else _Part(last, line.excl, line.incl)
    if line.dimension == FLAT:
        return _Part(slice_of(line.start_ms), line.excl, line.incl)
    extra, (excl, incl) = line.billed - line.quantity, _rate(line)
    return _Part(slice_of(max(line.start_ms, line.end_ms - 1)), extra * excl, extra * incl)


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


def _segmented(priced: Priced, usage: Usage, slice_of: SliceOf) -> Iterator[_Part]:
    if not priced.segments:  # then nobody builds the flows of a plain session
        return
    rates = _rates(priced)
    flows = {False: usage.flows(), True: usage.reservation}
    where = (-1, False)
    done = 0
    nothing = (0, 0)
    for segment in priced.segments:
        start, end, energy, charging, parking, e, t, p, number, reservation = segment
        if (number, reservation) != where:
            where, done = (number, reservation), 0
        of = rates[reservation]
        prices = of.get(e, nothing), of.get(t, nothing), of.get(p, nothing)
        first = slice_of(start)
        if first == slice_of(max(start, end - 1)):
            (e_excl, e_incl), (t_excl, t_incl), (p_excl, p_incl) = prices
            yield _Part(
                first,
                energy * e_excl + charging * t_excl + parking * p_excl,
                energy * e_incl + charging * t_incl + parking * p_incl,
            )
        else:
            yield from _spread(segment, flows[reservation][number], done, prices, slice_of)
        done += energy


def _rates(priced: Priced) -> dict[bool, dict[int, tuple[int, int]]]:
    """Rates by context and component index, at the scale of `priced`."""
    index = {(element, id(c)): i for i, (element, c) in enumerate(priced.components)}
    out: dict[bool, dict[int, tuple[int, int]]] = {False: {}, True: {}}
    for line in priced.lines:
        if line.component is not None and line.dimension in (ENERGY, TIME, PARKING_TIME):
            out[line.reservation][index[line.element, id(line.component)]] = _rate(line)
    return out


def _spread(
    segment: Segment,
    flow: Flow,
    done: int,
    prices: Sequence[tuple[int, int]],
    slice_of: SliceOf,
) -> Iterator[_Part]:
    """One segment over the slices it touches; volumes are differences of running ones."""
    start, end = segment.start_ms, segment.end_ms
    first, last = slice_of(start), slice_of(max(start, end - 1))
    before = (0, 0, 0)
    whole = (segment.energy_mwh, segment.charging_ms, segment.parking_ms)
    border = (start // SLICE_MS + 1) * SLICE_MS
    for k in range(first, last + 1):
        until = whole
        if k < last:
            energy = flow.energy_until(border) - done
            width = flow.end_ms - flow.start_ms
            until = (
                min(max(energy, before[0]), whole[0]),
                _between(flow.charging_ms, flow, start, border, width),
                _between(flow.parking_ms, flow, start, border, width),
            )
            border += SLICE_MS
        volumes = [u - b for u, b in zip(until, before, strict=True)]
        yield _Part(
            k,
            sum(v * price[0] for v, price in zip(volumes, prices, strict=True)),
            sum(v * price[1] for v, price in zip(volumes, prices, strict=True)),
        )
        before = until


def _between(total_ms: int, flow: Flow, start: int, border: int, width: int) -> int:
    begin = flow.start_ms
    return total_ms * (border - begin) // width - total_ms * (start - begin) // width


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
    out: list[Money] = []
    sums, done = [0, 0], [0, 0]
    for both in zip(excl, incl, strict=True):
        step = []
        for i, amount in enumerate(both):
            sums[i] += amount
            reached = half_up(sums[i], scale)
            step.append(reached - done[i])
            done[i] = reached
        out.append(Money(*step))
    return out
