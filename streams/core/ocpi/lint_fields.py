"""What the raw document shows: null and missing fields, precision, duplicates, bounds of nothing.

Which fields are required: OCPI 2.1.1, 2.2.1 and 2.3.0 mod_tariffs; OCPP 2.1 TariffType.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from streams.core.ocpi import values
from streams.core.ocpi.findings import Finding
from streams.core.ocpi.reading import mappings
from streams.core.ocpi.values import pointer
from streams.core.ocpi.version import OCPP21, V211, V221, V230, guess_version
from streams.core.pricing.model import ENERGY, PARKING_TIME, TAX_NOT_APPLICABLE

Path = tuple[str | int, ...]

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    V211: ("id", "currency", "elements", "last_updated"),
    V221: ("country_code", "party_id", "id", "currency", "elements", "last_updated"),
    V230: (
        "country_code", "party_id", "id", "currency", "elements", "tax_included", "last_updated",
    ),
    OCPP21: ("tariffId", "currency"),
}  # fmt: skip
_REQUIRED_OF_COMPONENT: Final = ("type", "price", "step_size")
_NEVER_UNKNOWN: Final = ("min_kwh", "min_duration")
_LOWER: Final = (*_NEVER_UNKNOWN, "min_power", "min_current")
_MAX_DEPTH: Final = 12
_DECIMALS: Final = 4
_DECIMALS_OCPP: Final = 6


def field_findings(document: Mapping[str, Any]) -> list[Finding]:
    """Findings of one tariff object that the reader has no reason to make."""
    version = guess_version(document).version or V221
    out = [*_missing(document, version), *_nulls(document, ())]
    out += _without_effect(document)
    out += _country(document.get("country_code"))
    out += _precision(document, (), _DECIMALS_OCPP if version == OCPP21 else _DECIMALS)
    for i, element in mappings(document.get("elements")):
        out += _of_element(element, ("elements", i))
    return out


def _missing(document: Mapping[str, Any], version: str) -> Iterator[Finding]:
    called = "OCPP 2.1" if version == OCPP21 else f"OCPI {version}"
    for name in REQUIRED[version]:
        if name not in document:
            yield Finding("missing_field", pointer(name), f"{called} requires {name}.")
    for i, element in mappings(document.get("elements")):
        for j, component in mappings(element.get("price_components")):
            where = pointer("elements", i, "price_components", j)
            for name in _REQUIRED_OF_COMPONENT:
                if name not in component:
                    text = f"A price component must have {name}."
                    yield Finding("missing_field", f"{where}/{name}", text)


def _country(code: object) -> Iterator[Finding]:
    """ISO 3166-1 alpha-2 (OCPI types CiString(2)): two capitals."""
    if isinstance(code, str) and not re.fullmatch(r"[A-Z]{2}", code):
        meant = code.upper() if re.fullmatch(r"[A-Za-z]{2}", code) else ""
        text = f"country_code {values.shown(code)} is no code of two capital letters, such as SE."
        yield Finding("letter_case" if meant else "bad_value", "/country_code", text, likely=meant)


def _without_effect(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Taxes where none apply, and what a reservation cannot have (mod_tariffs: FLAT and TIME)."""
    untaxed = values.word(document.get("tax_included"), (TAX_NOT_APPLICABLE,)) is not None
    for i, element in mappings(document.get("elements")):
        restrictions = element.get("restrictions")
        reserved = isinstance(restrictions, Mapping) and bool(restrictions.get("reservation"))
        for j, component in mappings(element.get("price_components")):
            where = ("elements", i, "price_components", j)
            for name in ("vat", "taxes") if untaxed else ():
                if component.get(name):
                    text = f"tax_included says that no tax applies: {name} is not added."
                    yield Finding("tax_not_applicable", pointer(*where, name), text)
            kind = values.word(component.get("type"), (ENERGY, PARKING_TIME))
            if reserved and kind is not None:
                text = f"A reservation has no {kind.value}, only FLAT and TIME: this never counts."
                yield Finding("reservation_dimension", pointer(*where), text)


def _nulls(value: object, path: Path) -> Iterator[Finding]:
    for name, inner, where in _members(value, path):
        if inner is None:
            text = f"{name} is null: leave the field out."
            yield Finding("null_field", pointer(*where), text)
        else:
            yield from _nulls(inner, where)


def _precision(value: object, path: Path, most: int) -> Iterator[Finding]:
    for name, inner, where in _members(value, path):
        read = values.number(inner) if isinstance(inner, Decimal) else None
        if read is not None and values.decimals(read.value) > most:
            text = f"{name} {inner} has more than {most} decimals."
            yield Finding("excessive_precision", pointer(*where), text)
        elif name != "energy_mix":
            yield from _precision(inner, where, most)


def _members(value: object, path: Path) -> Iterator[tuple[str | int, Any, Path]]:
    if len(path) > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield name, inner, (*path, name)
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield i, inner, (*path, i)


def _of_element(element: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for j, component in mappings(element.get("price_components")):
        kind = component.get("type")
        if isinstance(kind, str) and first.setdefault(kind.upper(), j) != j:
            text = f"{kind} stands twice in one element: the first one counts."
            yield Finding("duplicate_component", pointer(*path, "price_components", j), text)
    restrictions = element.get("restrictions")
    if not isinstance(restrictions, Mapping):
        return
    where = (*path, "restrictions")
    for name in _LOWER:
        read = values.number(restrictions.get(name))
        if read is not None and read.value <= 0:
            always = f"{name} {read.value:f} says nothing: every session has that much."
            asks = f"{name} {read.value:f} asks no more than that there is a measurement."
            text = always if name in _NEVER_UNKNOWN else asks
            yield Finding("zero_bound", pointer(*where, name), text)
    start, end = (values.time_of_day(restrictions.get(f"{edge}_time")) for edge in ("start", "end"))
    if start is not None and end is not None and start.value % 1440 == end.value % 1440:
        text = "start_time equals end_time: it is read as the whole day; leave both out."
        yield Finding("equal_times", pointer(*where, "end_time"), text)
