"""The price of many sessions under one plain tariff at once: `price` and `accrue` in columns.

A plain tariff has at most one rule a dimension, so a line of all sessions is one column:

    sessions     s0              s1     s2
    billed       q0              q1     q2          one column a line: quantity + top-up
    slices       v00 v01 v02     (none) v20 v21     flat, `_Layout.owner` = 0 0 0 2 2
    exact        volume × rate, what is left of billed × rate in one slice of each session
    micro-units  differences of rounded running sums

Amounts are int64 in 1/scale micro-units, so a session is `ok` only where an upper bound of all
its amounts stays far below 2^63. The slow twin is `streams.core.pricing.engine.price` with
`streams.core.pricing.accrual.accrue`; both must agree to the last micro-unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.units import SLICE_MS
from streams.core.columns import Bits, Ints, PricedLine, PricedMany
from streams.core.pricing.compiled import Compiled, Context, Rule
from streams.core.pricing.model import ENERGY, FLAT, PARKING_TIME, TIME
from streams.core.pricing.priced import MICRO

_SAFE = 1 << 61
"""Amounts whose estimate (float64, good to 12 digits) stays below this fit int64 with room."""


@dataclass(slots=True)
class Volumes:
    """What is priced of P sessions; mWh, ms and epoch ms, as `usage_of_facts` gives them.

    Slices are flat, one session after the other; `slice_counts[p]` of session p, may be 0.
    """

    start_ms: Ints
    end_ms: Ints
    energy_mwh: Ints
    """0 where unknown."""
    charging_ms: Ints
    parking_ms: Ints
    slice_counts: Ints
    slice_start_ms: Ints
    slice_energy_mwh: Ints
    slice_charging_ms: Ints
    slice_idle_ms: Ints


class _Line(NamedTuple):
    """One rule's line of all sessions, before its money is known."""

    dimension: str
    rule: Rule
    step: int
    """What `quantity` is rounded up to a multiple of, 0: it is not, nor is a fee."""
    quantity: Ints
    billed: Ints


class _Spread(NamedTuple):
    """A line over the slices: `volumes` of each slice (None: a fee), and what they leave of
    `billed`: `left` goes to slice `at`, one entry a session that has slices.
    """

    volumes: Ints | None
    left: Ints
    at: Ints


class _Layout(NamedTuple):
    """Where the slices of each session lie."""

    owner: Ints
    """Session of each slice."""
    having: Ints
    """Sessions with slices; the next two have an entry for each of them."""
    first: Ints
    last: Ints

    @classmethod
    def of(cls, counts: Ints) -> _Layout:
        having = np.flatnonzero(counts)
        ends = np.cumsum(counts[having])
        owner = np.repeat(np.arange(len(counts)), counts)
        return cls(owner, having, ends - counts[having], ends - 1)

    def running(self, amounts: Ints) -> Ints:
        """Running sums that begin anew with each session.

        The sum over all sessions may wrap; the difference of two such sums is exact again
        wherever it fits int64 itself.
        """
        total = np.cumsum(amounts)
        before = total[self.first] - amounts[self.first]
        return total - np.repeat(before, self.last - self.first + 1)


def can_price_many(compiled: Compiled) -> bool:
    """Whether `price_many` can price under this tariff: no restrictions, no price limits, and
    numbers that leave room for the amounts of a session.
    """
    if not compiled.plain or compiled.minimum is not None or compiled.maximum is not None:
        return False
    rules = _rules(compiled.charging)
    numbers = [n for _, rule in rules for n in (rule.rate_excl, rule.rate_incl, rule.step)]
    return all(abs(number) < _SAFE for number in (*numbers, compiled.scale * MICRO))


def price_many(compiled: Compiled, currency_exponent: int, volumes: Volumes) -> PricedMany:
    """Price P sessions as `price` and `accrue` would, to the last micro-unit, where `ok`.

    `currency_exponent`: decimals of the currency's minor unit, 0 to 6. Raises ValueError for a
    tariff that `can_price_many` refuses. Columns of sessions that are not `ok` mean nothing.
    """
    if not can_price_many(compiled):
        raise ValueError(f"tariff {compiled.tariff.tariff_id!r} is not for pricing in columns")
    layout = _Layout.of(volumes.slice_counts)
    lines = _lines(compiled.charging, volumes)
    spreads = [_spread(line, volumes, layout) for line in lines]
    sides = [line.rule.rate_excl for line in lines], [line.rule.rate_incl for line in lines]
    minor = MICRO // 10**currency_exponent
    rests = [_rest_ms(spread, volumes, layout) for spread in spreads]
    (excl, incl), (rounded_excl, rounded_incl), (slice_excl, slice_incl) = (
        [_line_sums(lines, rates, compiled.scale, len(volumes.start_ms)) for rates in sides],
        [_rounded(lines, rates, compiled.scale, minor, len(volumes.start_ms)) for rates in sides],
        [_slice_micro(spreads, rates, compiled.scale, layout) for rates in sides],
    )
    return PricedMany(
        ok=_fits(lines, spreads, layout, len(volumes.start_ms)),
        lines=[
            _priced_line(line, volumes, rest_ms, excl[i + 1] - excl[i], incl[i + 1] - incl[i])
            for i, (line, rest_ms) in enumerate(zip(lines, rests, strict=True))
        ],
        excl_micro=excl[-1],
        incl_micro=incl[-1],
        rounded_excl_micro=rounded_excl,
        rounded_incl_micro=rounded_incl,
        slice_excl_micro=slice_excl,
        slice_incl_micro=slice_incl,
    )


def _rules(context: Context) -> list[tuple[str, Rule]]:
    """The rules of a plain context, at most one a dimension, in the order of the tariff."""
    dimensions = (
        (ENERGY, context.energy),
        (TIME, context.time),
        (PARKING_TIME, context.parking),
        (FLAT, context.flat),
    )
    found = [(dimension, rules[0]) for dimension, rules in dimensions if rules]
    return sorted(found, key=lambda entry: entry[1].component)


def _lines(context: Context, volumes: Volumes) -> list[_Line]:
    """Quantities, and what is billed of them after step_size."""
    quantities = {
        ENERGY: volumes.energy_mwh,
        TIME: volumes.charging_ms,
        PARKING_TIME: volumes.parking_ms,
        FLAT: np.ones(len(volumes.start_ms), np.int64),
    }
    out = []
    for dimension, rule in _rules(context):
        quantity = billed = quantities[dimension]
        step = 0 if dimension == FLAT else rule.step
        if step:
            extra = -quantity % step
            if dimension == TIME and context.parking:  # where parking is billed, it alone is
                extra[volumes.parking_ms != 0] = 0
            billed = quantity + extra
        out.append(_Line(dimension, rule, step, quantity, billed))
    return out


def _spread(line: _Line, volumes: Volumes, layout: _Layout) -> _Spread:
    """Volumes where they flowed; a fee where it became due."""
    if line.dimension == FLAT:
        ahead = volumes.start_ms[layout.having] // SLICE_MS
        ahead -= volumes.slice_start_ms[layout.first] // SLICE_MS
        at = np.clip(layout.first + ahead, layout.first, layout.last)
        return _Spread(None, line.billed[layout.having], at)
    given = {
        ENERGY: volumes.slice_energy_mwh,
        TIME: volumes.slice_charging_ms,
        PARKING_TIME: volumes.slice_idle_ms,
    }[line.dimension]
    owed = line.billed != 0  # nothing billed, nothing to spread, whatever the slices hold
    parts = given if owed.all() else np.where(owed[layout.owner], given, 0)
    left = line.billed[layout.having] - layout.running(parts)[layout.last]
    numbered = np.where(parts != 0, np.arange(len(parts)), 0)
    # The last slice with volume; one of an earlier session means: none, so the first slice.
    at = np.maximum(np.maximum.accumulate(numbered)[layout.last], layout.first)
    return _Spread(parts, left, at)


def _line_sums(lines: list[_Line], rates: list[int], scale: int, sessions: int) -> list[Ints]:
    """Rounded running sums over the lines: before the first, after each; the last is the total."""
    total = np.zeros(sessions, np.int64)
    sums = [total]
    for line, rate in zip(lines, rates, strict=True):
        total = total + line.billed * rate
        sums.append(_half_up(total, scale))
    return sums


def _rounded(lines: list[_Line], rates: list[int], scale: int, minor: int, sessions: int) -> Ints:
    """The totals rounded once per tax rate to `minor` micro-units, told in micro-units."""
    by_tax: dict[object, Ints] = {}
    for line, rate in zip(lines, rates, strict=True):
        amounts, share = line.billed * rate, line.rule.tax_share
        by_tax[share] = by_tax[share] + amounts if share in by_tax else amounts
    total = np.zeros(sessions, np.int64)
    for amounts in by_tax.values():
        total += _half_up(amounts, scale * minor)
    return total * minor


def _slice_micro(spreads: list[_Spread], rates: list[int], scale: int, layout: _Layout) -> Ints:
    """Micro-units of each slice: differences of the rounded running sums of its session."""
    exact = np.zeros(len(layout.owner), np.int64)
    for spread, rate in zip(spreads, rates, strict=True):
        if spread.volumes is not None:
            exact += spread.volumes * rate
        exact[spread.at] += spread.left * rate  # no slice stands in `at` twice
    reached = _half_up(layout.running(exact), scale)
    micro = np.diff(reached, prepend=0)
    micro[layout.first] = reached[layout.first]
    return micro


def _half_up(amounts: Ints, unit: int) -> Ints:
    """`amounts` / `unit` rounded, halves away from zero; never doubles what might not fit."""
    floor = amounts // unit
    rest = amounts - floor * unit
    up: Bits = 2 * rest + (amounts >= 0) > unit  # rest in [0, unit), unit < 2^61
    return floor + up


def _fits(lines: list[_Line], spreads: list[_Spread], layout: _Layout, sessions: int) -> Bits:
    """Sessions whose quantities and amounts, exact and summed in any order, stay below 2^61."""
    amount = np.zeros(sessions)
    largest = np.zeros(sessions)
    for line, spread in zip(lines, spreads, strict=True):
        rule = line.rule
        volume = np.abs(line.quantity.astype(np.float64)) + line.step
        if spread.volumes is not None:
            magnitudes = np.abs(spread.volumes.astype(np.float64))
            # Twice: once in the slices, once in what they leave of `billed`.
            volume += 2 * np.bincount(layout.owner, magnitudes, sessions)
        largest = np.maximum(largest, volume)
        amount += volume * float(max(abs(rule.rate_excl), abs(rule.rate_incl)))
    fits: NDArray[np.bool_] = (amount < _SAFE) & (largest < _SAFE)
    return fits


def _rest_ms(spread: _Spread, volumes: Volumes, layout: _Layout) -> Ints:
    out = volumes.start_ms.copy()
    out[layout.having] = volumes.slice_start_ms[spread.at]
    return out


def _priced_line(
    line: _Line, volumes: Volumes, rest_ms: Ints, excl_micro: Ints, incl_micro: Ints
) -> PricedLine:
    return PricedLine(
        dimension=line.dimension,
        rule=line.rule,
        present=line.quantity != 0,
        quantity=line.quantity,
        billed=line.billed,
        rest_ms=rest_ms,
        start_ms=volumes.start_ms,
        end_ms=volumes.start_ms if line.dimension == FLAT else volumes.end_ms,
        excl_micro=excl_micro,
        incl_micro=incl_micro,
    )
