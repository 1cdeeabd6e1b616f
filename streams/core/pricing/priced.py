"""A priced session: lines that say why, segments that say when, exact and rounded sums.

Amounts are integers in 1/`scale` of a micro-unit, exact: no rounding happened to them. From
them come micro-units (rounded half up once, on the session's total; lines and slices are
differences of rounded running sums, so they add up to it) and minor units (rounded half up once
per tax rate and session, domain rules 2.6 rule 12).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from streams.core.pricing.model import Component

MIN_PRICE, MAX_PRICE, DISCOUNT, FREE = "MIN_PRICE", "MAX_PRICE", "DISCOUNT", "FREE"
"""Dimensions of lines that no component made."""

MICRO = 1_000_000
NO_COMPONENT = -1


class Line(NamedTuple):
    """One component's part of the price, or an adjustment (`component` None, element -1).

    `quantity` in mWh, ms or 1; `billed` is the same after step_size. `stretches`: in how many
    separate stretches it was active between `start_ms` and `end_ms`. `tax_share` None: no tax is
    applicable. `excl`/`incl` in 1/scale micro-units.
    """

    dimension: str
    reservation: bool
    element: int
    component: Component | None
    quantity: int
    billed: int
    start_ms: int
    end_ms: int
    stretches: int
    tax_share: Fraction | None
    excl: int
    incl: int


class Segment(NamedTuple):
    """A stretch in which no price changed; `energy`, `time`, `parking` index `Priced.components`,
    -1: free. Volumes as in a Flow; `flow` is the index of the stretch of usage it lies in.
    """

    start_ms: int
    end_ms: int
    energy_mwh: int
    charging_ms: int
    parking_ms: int
    energy: int
    time: int
    parking: int
    flow: int
    reservation: bool = False


class Money(NamedTuple):
    """An amount before and after taxes, in micro-units or in minor units."""

    excl: int
    incl: int


@dataclass(frozen=True, slots=True)
class Priced:
    """The price of one session. `warnings` are codes, such as `power_not_measured`.

    `components` holds (element index, component) in the order of the tariff. `segments` is empty
    where the tariff has no restrictions: one price holds from start to end.
    """

    currency: str
    scale: int
    lines: tuple[Line, ...]
    segments: tuple[Segment, ...]
    components: tuple[tuple[int, Component], ...]
    warnings: tuple[str, ...] = ()

    @property
    def excl(self) -> int:
        """Exact total before taxes, 1/scale micro-units."""
        return sum(line.excl for line in self.lines)

    @property
    def incl(self) -> int:
        """Exact total with taxes, 1/scale micro-units."""
        return sum(line.incl for line in self.lines)

    @property
    def micro(self) -> Money:
        """The total in micro-units."""
        return Money(half_up(self.excl, self.scale), half_up(self.incl, self.scale))

    def line_micro(self) -> list[Money]:
        """Each line in micro-units; they sum to `micro`."""
        out: list[Money] = []
        excl = incl = excl_done = incl_done = 0
        for line in self.lines:
            excl += line.excl
            incl += line.incl
            to_excl, to_incl = half_up(excl, self.scale), half_up(incl, self.scale)
            out.append(Money(to_excl - excl_done, to_incl - incl_done))
            excl_done, incl_done = to_excl, to_incl
        return out

    def rounded(self, exponent: int) -> Money:
        """The total in minor units of a currency with `exponent` decimals: each tax rate's sums
        before and with taxes are rounded half up once; a limit that took hold is itself rounded.
        """
        unit = self.scale * 10 ** (6 - exponent)
        if any(line.dimension in (MIN_PRICE, MAX_PRICE) for line in self.lines):
            return Money(half_up(self.excl, unit), half_up(self.incl, unit))
        first = self.lines[0].tax_share if self.lines else None
        if all(line.tax_share is first for line in self.lines):  # most tariffs have one rate
            return Money(half_up(self.excl, unit), half_up(self.incl, unit))
        sums: dict[Fraction | None, list[int]] = {}
        for line in self.lines:
            both = sums.setdefault(line.tax_share, [0, 0])
            both[0] += line.excl
            both[1] += line.incl
        return Money(
            sum(half_up(both[0], unit) for both in sums.values()),
            sum(half_up(both[1], unit) for both in sums.values()),
        )


def half_up(numerator: int, denominator: int) -> int:
    """The quotient rounded to an integer, halves away from zero; the denominator is positive."""
    if numerator >= 0:
        return (2 * numerator + denominator) // (2 * denominator)
    return -((-2 * numerator + denominator) // (2 * denominator))
