"""Prices a session and spreads the amounts over its slices, equal to the last micro-unit.

Each line's cumulative amount is rounded half up to a micro-unit; a slice is the difference
of two cumulative amounts, so the slices of a line sum to the line whatever the rounding.
FLAT falls into the slice of the start; VAT follows its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from streams.core.pricing.tariff import ENERGY, PARKING_TIME, TIME, Component, Tariff
from streams.core.slices import Slice

_MS_PER_HOUR = 3_600_000
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What is priced: energy in mWh, charging and parking time in ms."""

    energy_mwh: int
    charging_ms: int
    parking_ms: int


@dataclass(frozen=True, slots=True)
class Line:
    """One priced dimension. `quantity` in mWh, ms, or 1 for FLAT; amounts in micro-units."""

    component: Component
    quantity: int
    excl_micro: int
    vat_micro: int


@dataclass(frozen=True, slots=True)
class Priced:
    """The lines of a session and their sums in micro-units."""

    currency: str
    lines: tuple[Line, ...]

    @property
    def excl_micro(self) -> int:
        """Total without VAT."""
        return sum(line.excl_micro for line in self.lines)

    @property
    def vat_micro(self) -> int:
        """Total VAT."""
        return sum(line.vat_micro for line in self.lines)


def price(tariff: Tariff, usage: Usage) -> Priced:
    """Price one session."""
    lines = []
    for component in tariff.components:
        quantity = _quantity(component, usage)
        excl, vat = _amounts(component, quantity)
        lines.append(Line(component, quantity, excl, vat))
    return Priced(tariff.currency, tuple(lines))


def accrue(tariff: Tariff, slices: Sequence[Slice]) -> list[tuple[int, int]]:
    """Per slice (excl, incl) in micro-units; sums equal `price` of the summed usage."""
    excl = [0] * len(slices)
    incl = [0] * len(slices)
    for component in tariff.components:
        quantities = _cumulative(component, slices)
        excl_done = incl_done = 0
        for i, quantity in enumerate(quantities):
            amount, vat = _amounts(component, quantity)
            excl[i] += amount - excl_done
            incl[i] += amount + vat - incl_done
            excl_done, incl_done = amount, amount + vat
    return list(zip(excl, incl, strict=True))


def _cumulative(component: Component, slices: Sequence[Slice]) -> Iterable[int]:
    dimension = component.dimension
    if dimension == ENERGY:
        return accumulate([s.energy_mwh for s in slices])
    if dimension == TIME:
        return accumulate([s.charging_ms for s in slices])
    if dimension == PARKING_TIME:
        return accumulate([s.idle_ms for s in slices])
    return [1] * len(slices)


def _quantity(component: Component, usage: Usage) -> int:
    if component.dimension == ENERGY:
        return usage.energy_mwh
    if component.dimension == TIME:
        return usage.charging_ms
    return usage.parking_ms if component.dimension == PARKING_TIME else 1


def _amounts(component: Component, quantity: int) -> tuple[int, int]:
    """Micro-units (excl, vat): a price per kWh is the same number of micro-units per mWh."""
    price_, dimension = component.price, component.dimension
    if dimension == ENERGY:
        count, unit = quantity, 1
    elif dimension in (TIME, PARKING_TIME):
        count, unit = quantity * _MICRO, _MS_PER_HOUR
    else:
        count, unit = _MICRO, 1
    excl = price_.times(count, unit)
    if component.vat is None:
        return excl, 0
    vat = component.vat
    num, den = price_.num * vat.num * count, price_.den * vat.den * unit
    return excl, (2 * num + den) // (2 * den) if num >= 0 else -((-2 * num + den) // (2 * den))
