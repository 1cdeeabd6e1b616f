"""An OCPI tariff as exact integers (OCPI 2.2.1 mod_tariffs, without restrictions)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

ENERGY, TIME, PARKING_TIME, FLAT = "ENERGY", "TIME", "PARKING_TIME", "FLAT"
DIMENSIONS = (ENERGY, TIME, PARKING_TIME, FLAT)


@dataclass(frozen=True, slots=True)
class Ratio:
    """An exact non-negative-denominator fraction."""

    num: int
    den: int

    def times(self, count: int, unit: int = 1) -> int:
        """`count` × this ÷ `unit`, rounded half away from zero."""
        num, den = self.num * count, self.den * unit
        return (2 * num + den) // (2 * den) if num >= 0 else -((-2 * num + den) // (2 * den))


@dataclass(frozen=True, slots=True)
class Component:
    """One price of one dimension: per kWh, per hour, or once. `vat` is a share: 0.25 = 25 %."""

    dimension: str
    price: Ratio
    price_text: str
    vat: Ratio | None
    vat_text: str


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff this engine prices exactly: at most one component a dimension."""

    tariff_id: str
    currency: str
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A tariff this engine must not price: sessions under it stay unpriced and say so."""

    tariff_id: str
    reason: str


def parse_tariff(document: Mapping[str, Any]) -> Tariff | Unsupported:
    """Read an OCPI 2.2.1 tariff object. Never guesses: what it cannot price is `Unsupported`."""
    tariff_id = str(document.get("id", ""))
    currency = document.get("currency")
    elements = document.get("elements")
    if not isinstance(currency, str) or not isinstance(elements, list) or not elements:
        return Unsupported(tariff_id, "no currency or no elements")
    if document.get("min_price") or document.get("max_price"):
        return Unsupported(tariff_id, "min_price or max_price")
    found: dict[str, Component] = {}
    for element in elements:
        if element.get("restrictions"):
            return Unsupported(tariff_id, "restrictions")
        for raw in element.get("price_components", ()):
            component = _component(raw)
            if isinstance(component, str):
                return Unsupported(tariff_id, component)
            found.setdefault(component.dimension, component)
    order = {d: i for i, d in enumerate(DIMENSIONS)}
    parts = tuple(sorted(found.values(), key=lambda c: order[c.dimension]))
    return Tariff(tariff_id, currency, parts)


def _component(raw: Mapping[str, Any]) -> Component | str:
    dimension = raw.get("type")
    if dimension not in DIMENSIONS:
        return f"dimension {dimension!r}"
    if dimension != FLAT and raw.get("step_size", 1) not in (0, 1):
        return f"step_size {raw.get('step_size')} on {dimension}"
    price, vat = _ratio(raw.get("price")), _ratio(raw.get("vat"), 100)
    if price is None:
        return f"price {raw.get('price')!r}"
    return Component(
        dimension, price, str(raw.get("price")), vat, "" if vat is None else str(raw.get("vat"))
    )


def _ratio(value: object, unit: int = 1) -> Ratio | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        num, den = Decimal(str(value)).as_integer_ratio()
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return Ratio(num, den * unit)
