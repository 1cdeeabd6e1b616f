"""One repair a code of finding: what it does to a document, and what it may change.

A repair alters the document it is given and returns its sentence, or None where it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from schemas.units import iso_ms
from streams.core.ocpi import values
from streams.core.ocpi.findings import Finding
from streams.core.ocpi.fix_places import Document, parts_of, place_of, value_at
from streams.core.ocpi.fix_swaps import swap_bounds_of, swap_dates, swap_limits, swap_taxes
from streams.core.ocpi.lint_amounts import likely_percent

KEEPS, PROVED, CHANGES = "keeps", "proved", "changes"
"""Checked against the price before; proved harmless by the finding itself; may change prices."""


class Repair(NamedTuple):
    """`order`: the lowest is made first. `once`: never twice at one place, for swaps."""

    kind: str
    make: Callable[[Document, Finding], str | None]
    order: int = 1
    once: bool = False


def _remove(document: Document, finding: Finding) -> str | None:
    holder, key = place_of(document, finding)
    if isinstance(holder, dict) and key in holder:
        del holder[key]
        return f"{key} removed."
    return None


def _write(document: Document, finding: Finding, value: object) -> str | None:
    holder, key = place_of(document, finding)
    before = value_at(document, parts_of(finding.pointer))
    if not isinstance(holder, dict | list) or value is None or before is None:
        return None
    holder[key] = value
    return f"{values.shown(before)} is now {values.shown(value)}."


def _write_likely(document: Document, finding: Finding) -> str | None:
    return _write(document, finding, finding.likely or None)


def _write_number(document: Document, finding: Finding) -> str | None:
    read = values.number(value_at(document, parts_of(finding.pointer)))
    if read is None:
        return None
    value = read.value
    return _write(document, finding, int(value) if value == int(value) else value)


def _write_instant(document: Document, finding: Finding) -> str | None:
    """A time of day as it is read; an instant in UTC as RFC 3339 writes it."""
    raw = value_at(document, parts_of(finding.pointer))
    if finding.likely and finding.code != values.NO_ZONE:
        return _write(document, finding, finding.likely)
    read = values.instant(raw)
    return None if read is None else _write(document, finding, iso_ms(read.value))


def _rename(document: Document, finding: Finding) -> str | None:
    holder, key = place_of(document, finding)
    if not isinstance(holder, dict) or not finding.likely or finding.likely in holder:
        return None
    renamed = {finding.likely if name == key else name: value for name, value in holder.items()}
    holder.clear()
    holder.update(renamed)
    return f"{key} is now called {finding.likely}."


def _wrap(document: Document, finding: Finding) -> str | None:
    value = value_at(document, parts_of(finding.pointer))
    return None if value is None or isinstance(value, list) else _write(document, finding, [value])


def _write_text(document: Document, finding: Finding) -> str | None:
    value = value_at(document, parts_of(finding.pointer))
    return _write(document, finding, str(value))


def _default_step(document: Document, finding: Finding) -> str | None:
    holder, key = place_of(document, finding)
    if key != "step_size" or not isinstance(holder, dict) or key in holder:
        return None
    holder[key] = 0
    return "step_size 0 added, which rounds nothing, as without it."


def _round(document: Document, finding: Finding) -> str | None:
    """To four decimals, never to nothing; OCPP 2.1 has six."""
    value = value_at(document, parts_of(finding.pointer))
    if not isinstance(value, Decimal) or abs(value) >= 10**20:
        return None
    places = Decimal(1).scaleb(-6 if "tariffId" in document else -4)
    rounded = value.quantize(places, ROUND_HALF_UP)
    if rounded == value:
        plain = value.normalize()
        rounded = plain if plain.as_tuple().exponent < -2 else value.quantize(Decimal("0.01"))  # type: ignore[operator]
    return None if not rounded and value else _write(document, finding, rounded)


def _drop_item(document: Document, finding: Finding) -> str | None:
    """A component or an element that is never reached; an element left empty goes with it."""
    parts = parts_of(finding.pointer)
    holder = value_at(document, parts[:-1])
    if not isinstance(holder, list) or not parts[-1].isdecimal() or int(parts[-1]) >= len(holder):
        return None
    if len(holder) == 1 and len(parts) > 2:
        return _drop_item(document, finding._replace(pointer="/" + "/".join(parts[:-2])))
    if len(holder) == 1 and parts[0] == "elements":
        return None
    del holder[int(parts[-1])]
    return "removed: it was never reached."


def _drop_never(document: Document, finding: Finding) -> str | None:
    """What its own bounds keep from ever matching."""
    parts = parts_of(finding.pointer)
    done = _drop_item(document, finding._replace(pointer="/" + "/".join(parts[:-2])))
    return done and "removed: its bounds never match."


def _no_taxes(document: Document, finding: Finding) -> str | None:
    done = _remove(document, finding)
    return done and f"{done[:-1]}: it was not added."


def _positive(document: Document, finding: Finding) -> str | None:
    """Without its sign; a step rounded up to a whole one."""
    read = values.number(value_at(document, parts_of(finding.pointer)))
    if read is None:
        return None
    step = finding.pointer.endswith("/step_size")
    size = abs(read.value)
    return _write(document, finding, int(size.to_integral_value(ROUND_CEILING)) if step else size)


def _no_step(document: Document, finding: Finding) -> str | None:
    return _write(document, finding, 1)


def _no_times(document: Document, finding: Finding) -> str | None:
    holder, _ = place_of(document, finding)
    if not isinstance(holder, dict):
        return None
    holder.pop("start_time", None)
    holder.pop("end_time", None)
    return "start_time and end_time removed: the whole day was meant."


def _swap_bounds(document: Document, finding: Finding) -> str | None:
    """Lower and upper bound, where swapping puts them in order; else what they guard goes."""
    return swap_bounds_of(document, finding) or _drop_never(document, finding)


def _percent(document: Document, finding: Finding) -> str | None:
    read = values.number(value_at(document, parts_of(finding.pointer)))
    meant = None if read is None else likely_percent(Fraction(read.value))
    if meant is None:
        return None
    number = Decimal(meant.numerator) / Decimal(meant.denominator)
    whole = number == int(number)
    return _write(document, finding, int(number) if whole else number.normalize())


def _fallback_last(document: Document, finding: Finding) -> str | None:
    """The component in an element of its own at the end; the whole element where it is alone."""
    parts = parts_of(finding.pointer)
    elements = document.get("elements")
    if len(parts) != 4 or not isinstance(elements, list):
        return None
    element = elements[int(parts[1])]
    component = element["price_components"].pop(int(parts[3]))
    rest = {name: value for name, value in element.items() if name != "price_components"}
    if not element["price_components"]:
        del elements[int(parts[1])]
    elements.append({**rest, "price_components": [component]})
    return "moved to an element of its own at the end."


REPAIRS: Final[Mapping[str, Repair]] = {
    "not_a_list": Repair(KEEPS, _wrap, 0),
    "null_field": Repair(KEEPS, _remove, 0),
    "letter_case": Repair(KEEPS, _write_likely),
    "number_as_text": Repair(KEEPS, _write_number),
    "decimal_comma": Repair(KEEPS, _write_number),
    "sloppy_time": Repair(KEEPS, _write_instant),
    "sloppy_date": Repair(KEEPS, _write_likely),
    "no_zone": Repair(KEEPS, _write_instant),
    "text_expected": Repair(KEEPS, _write_text),
    "bad_value": Repair(KEEPS, _write_likely),
    "unknown_field": Repair(KEEPS, _rename),
    "unknown_dimension": Repair(KEEPS, _write_likely),
    "missing_field": Repair(KEEPS, _default_step),
    "excessive_precision": Repair(KEEPS, _round),
    "empty_list": Repair(KEEPS, _remove),
    "tax_not_applicable": Repair(PROVED, _no_taxes),
    "empty_limit": Repair(KEEPS, _remove),
    "equal_times": Repair(KEEPS, _no_times),
    "zero_bound": Repair(KEEPS, _remove),
    "step_never_bites": Repair(KEEPS, _no_step),
    "contradicting_restrictions": Repair(CHANGES, _swap_bounds, 2, once=True),
    "contradicting_limits": Repair(CHANGES, swap_limits, 3, once=True),
    "contradicting_dates": Repair(CHANGES, swap_dates, 2, once=True),
    "limit_taxes_negative": Repair(CHANGES, swap_taxes, 2, once=True),
    "negative_step_size": Repair(CHANGES, _positive, 2),
    "negative_tax": Repair(CHANGES, _positive, 2),
    "bad_number": Repair(CHANGES, _positive, 2, once=True),
    "implausible_vat": Repair(CHANGES, _percent, 2, once=True),
    "fallback_first": Repair(CHANGES, _fallback_last, 3),
    "duplicate_component": Repair(PROVED, _drop_item, 4),
    "reservation_dimension": Repair(PROVED, _drop_item, 4),
    "element_never_reached": Repair(PROVED, _drop_item, 4),
    "component_never_reached": Repair(PROVED, _drop_item, 4),
}
