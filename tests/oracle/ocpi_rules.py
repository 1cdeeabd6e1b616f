"""Single rules of an OCPI tariff, read from its raw JSON: prices, the clock, what was used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
CLOCK = {"start_time", "end_time", "start_date", "end_date", "day_of_week"}
MWH_PER_KWH, MS_PER_HOUR, MS_PER_MINUTE = 1_000_000, 3_600_000, 60_000
UNITS = {"ENERGY": MWH_PER_KWH, "TIME": MS_PER_HOUR, "PARKING_TIME": MS_PER_HOUR, "FLAT": 1}
"""The volume that one price pays for, in mWh, ms or times."""


class Price(NamedTuple):
    """A price component: `rate` is its VAT as a share, None where none is applicable."""

    element: int
    dimension: str
    excl: Fraction
    incl: Fraction
    rate: Fraction | None
    step: int


def without_nulls(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """An object of the document; a null field is an absent one."""
    return {name: one for name, one in (value or {}).items() if one is not None}


def price_of(document: Mapping[str, Any], element: int, component: Mapping[str, Any]) -> Price:
    """A component before and with its VAT."""
    price, vat = Fraction(component["price"]), component.get("vat")
    included = document.get("tax_included") or "NO"
    rate = None if vat is None or included == "N/A" else Fraction(vat) / 100
    factor = 1 + (rate or 0)
    excl = price / factor if included == "YES" else price
    return Price(
        element, component["type"], excl, excl * factor, rate, int(component.get("step_size") or 0)
    )


def _minutes(text: str) -> int:
    hour, minute = text.split(":")[:2]
    return int(hour) * 60 + int(minute)


def clock_allows(rules: Mapping[str, Any], local: datetime) -> bool:
    """Time of day, weekday and date at a local instant."""
    start = _minutes(rules.get("start_time", "00:00"))
    end = _minutes(rules.get("end_time", "00:00")) or 1440
    now = local.hour * 60 + local.minute
    if start % 1440 != end % 1440:
        inside = start <= now < end if start < end else now >= start or now < end
        if not inside:
            return False
    today = local.date().isoformat()
    return (
        (not rules.get("day_of_week") or DAYS[local.weekday()] in rules["day_of_week"])
        and rules.get("start_date", today) <= today
        and ("end_date" not in rules or today < rules["end_date"])
    )


class Limit(NamedTuple):
    """`min_…` or `max_…` of one quantity, in mWh, ms, mW or mA."""

    quantity: str
    least: bool
    bound: Fraction


def limits_of(rules: Mapping[str, Any]) -> list[Limit]:
    """Bounds on what was used."""
    units = {"kwh": MWH_PER_KWH, "duration": 1000, "power": 1_000_000, "current": 1000}
    return [
        Limit(quantity, side == "min", Fraction(rules[f"{side}_{quantity}"]) * unit)
        for quantity, unit in units.items()
        for side in ("min", "max")
        if f"{side}_{quantity}" in rules
    ]


def use_allows(limits: list[Limit], use: Mapping[str, tuple[int | None, int | None]]) -> bool:
    """`use`: (trough, peak) of each quantity. What was not measured allows nothing."""
    for quantity, least, bound in limits:
        value = use[quantity][0 if least else 1]
        if value is None or (value < bound if least else value >= bound):
            return False
    return True
