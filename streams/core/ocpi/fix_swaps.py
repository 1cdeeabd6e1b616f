"""Repairs that put two reversed values in order. Each alters the document it is given and returns
its sentence, or None where it does not know.
"""

from __future__ import annotations

from typing import Final

from streams.core.ocpi import values
from streams.core.ocpi.findings import Finding
from streams.core.ocpi.fix_places import Document, parts_of, place_of, value_at

_TAXES: Final = (
    ("excl_vat", "incl_vat"),
    ("before_taxes", "after_taxes"),
    ("exclTax", "inclTax"),
)


def _swap(holder: object, one: str, other: str) -> str | None:
    if not isinstance(holder, dict) or holder.get(one) is None or holder.get(other) is None:
        return None
    holder[one], holder[other] = holder[other], holder[one]
    return f"{one} and {other} swapped."


def swap_bounds_of(document: Document, finding: Finding) -> str | None:
    """Lower and upper bound, where swapping puts them in order."""
    holder, high = place_of(document, finding)
    pairs = {"end_date": "start_date", "validToDate": "validFromDate"}
    low = pairs.get(high) or str(high).replace("max", "min", 1)
    if not isinstance(holder, dict):
        return None
    below, above = (values.number(holder.get(name)) for name in (low, high))
    if high not in pairs and (below is None or above is None or above.value <= 0):
        return None
    return None if holder.get(low) == holder.get(high) else _swap(holder, low, str(high))


def swap_limits(document: Document, finding: Finding) -> str | None:
    """min_price and max_price: the sides that contradict, else all of both."""
    ocpp = finding.pointer == "/maxCost"
    names = ("minCost", "maxCost") if ocpp else ("min_price", "max_price")
    low, high = (document.get(name) for name in names)
    if not isinstance(low, dict) or not isinstance(high, dict):
        return _swap(document, *names)
    sides = [key for key in low if _above(low[key], high.get(key))]
    for key in sides:
        low[key], high[key] = high[key], low[key]
    # Amounts with taxes below those without are another finding's, and not to be made here.
    inside_out = any(
        _above(limit.get(excl), limit.get(incl)) for limit in (low, high) for excl, incl in _TAXES
    )
    if inside_out:
        return None
    return (
        f"{' and '.join(sides)} of {' and '.join(names)} swapped."
        if sides
        else _swap(document, *names)
    )


def _above(one: object, other: object) -> bool:
    low, high = values.number(one), values.number(other)
    return low is not None and high is not None and low.value > high.value


def swap_dates(document: Document, finding: Finding) -> str | None:
    """Start and end of a tariff's validity."""
    return _swap(document, "start_date_time", "end_date_time") if finding.pointer else None


def swap_taxes(document: Document, finding: Finding) -> str | None:
    """The amounts of one limit with and without taxes."""
    holder = value_at(document, parts_of(finding.pointer))
    for one, other in _TAXES:
        if done := _swap(holder, one, other):
            return done
    return None
