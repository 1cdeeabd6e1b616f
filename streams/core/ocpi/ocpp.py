"""OCPP 2.1 TariffType into the engine's model.

Prices are per kWh, per minute and once; conditions in Wh, W, A and seconds; taxes stack; a
fixed fee is decided once, at the start (OCPP 2.1 part 2, I12.FR.30). OCPP knows no step size.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple

from streams.core.ocpi import money
from streams.core.ocpi.reading import Notes, Path
from streams.core.ocpi.restrictions import OCPP, read_restrictions
from streams.core.ocpi.values import decimals, pointer, shown
from streams.core.ocpi.version import OCPP21
from streams.core.pricing.model import (
    ENERGY,
    FLAT,
    PARKING_TIME,
    RESERVATION,
    TIME,
    Component,
    Element,
    Tariff,
    Tax,
)

_MINUTES_PER_HOUR = 60


class _Part(NamedTuple):
    field: str
    dimension: str
    price: str
    times: int = 1
    reservation: str = ""


_PARTS: Final = (
    _Part("energy", ENERGY, "priceKwh"),
    _Part("chargingTime", TIME, "priceMinute", _MINUTES_PER_HOUR),
    _Part("idleTime", PARKING_TIME, "priceMinute", _MINUTES_PER_HOUR),
    _Part("fixedFee", FLAT, "priceFixed"),
    _Part("reservationTime", TIME, "priceMinute", _MINUTES_PER_HOUR, RESERVATION),
    _Part("reservationFixed", FLAT, "priceFixed", 1, RESERVATION),
)
_FIELDS: Final = frozenset(
    {part.field for part in _PARTS}
    | {"tariffId", "currency", "description", "validFrom", "minCost", "maxCost", "customData"}
    | {"tenant", "valid_from"}
)


def read_ocpp(document: Mapping[str, Any], notes: Notes) -> Tariff:
    """The tariff as far as it can be read; the notes say what is wrong."""
    notes.unknown_fields(document, _FIELDS, ())
    elements: list[Element] = []
    for part in _PARTS:
        elements.extend(_elements(document.get(part.field), part, len(elements), notes))
    if not elements and not notes.failed:
        notes.error("no_elements", (), "The tariff has no prices.")
    tariff_id = document.get("tariffId")
    if tariff_id is None:
        notes.warn("missing_field", ("tariffId",), "tariffId is missing.")
    low, high = (
        money.price_limit(document.get(name), (name,), "NO", notes)
        for name in ("minCost", "maxCost")
    )
    return Tariff(
        tariff_id="" if tariff_id is None else str(tariff_id),
        currency=money.read_currency(document.get("currency"), ("currency",), notes),
        elements=tuple(elements),
        min_price=low,
        max_price=high,
        valid_from_ms=notes.instant(document.get("validFrom"), ("validFrom",)),
        flat_at_start=True,
        version=OCPP21,
    )


def _elements(raw: object, part: _Part, first: int, notes: Notes) -> list[Element]:
    if raw is None:
        return []
    path: Path = (part.field,)
    if not isinstance(raw, Mapping):
        notes.error("bad_value", path, f"{part.field} {shown(raw)} is no object.")
        return []
    notes.unknown_fields(raw, {"prices", "taxRates", "customData"}, path)
    taxes = money.stacked_taxes(raw.get("taxRates"), (*path, "taxRates"), notes)
    prices = raw.get("prices")
    if not isinstance(prices, list | tuple) or not prices:
        notes.error("no_price_components", (*path, "prices"), f"{part.field} has no prices.")
        return []
    out: list[Element] = []
    for i, item in enumerate(prices):
        where = (*path, "prices", i)
        if not isinstance(item, Mapping):
            notes.error("bad_value", where, f"Price {shown(item)} is no object.")
            continue
        component = _component(item, part, taxes, where, notes)
        limits = read_restrictions(
            item.get("conditions"), (*where, "conditions"), OCPP, notes, part.reservation
        )
        if component is not None:
            out.append(Element(first + len(out), (component,), limits))
    return out


def _component(
    raw: Mapping[str, Any], part: _Part, taxes: tuple[Tax, ...], path: Path, notes: Notes
) -> Component | None:
    notes.unknown_fields(raw, {part.price, "conditions", "customData"}, path)
    if raw.get(part.price) is None:
        notes.error("missing_field", (*path, part.price), f"{part.price} is missing.")
    value = notes.number(raw.get(part.price), (*path, part.price))
    if value is None:
        return None
    text = f"{value * part.times:.{decimals(value)}f}"
    exact = Fraction(value) * part.times
    return Component(part.dimension, exact, text, taxes, 0, pointer(*path))
