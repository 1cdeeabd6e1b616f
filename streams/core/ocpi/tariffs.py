"""Tariff documents into the engine's model: OCPI 2.1.1, 2.2.1 and 2.3.0, and OCPP 2.1.

Real tariffs are sloppy: what can be read safely is read and noted, what cannot is an error. A
component of an unknown dimension is left out with the warning `unknown_dimension`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from streams.core.ocpi import money, values
from streams.core.ocpi.findings import Finding
from streams.core.ocpi.ocpp import read_ocpp
from streams.core.ocpi.reading import Notes, Path, unwrapped
from streams.core.ocpi.restrictions import OCPI, read_restrictions
from streams.core.ocpi.values import pointer, shown
from streams.core.ocpi.version import CDR, OCPP21, SESSION, guess_version
from streams.core.pricing.model import (
    ALWAYS,
    DIMENSIONS,
    TAX_EXCLUDED,
    TAX_INCLUDED,
    TAX_NOT_APPLICABLE,
    WHEN_CHARGED,
    Component,
    Element,
    PriceLimit,
    Tariff,
    Tax,
)

TARIFF_FIELDS: Final = frozenset(
    {"country_code", "party_id", "id", "currency", "type", "tariff_alt_text", "tariff_alt_url"}
    | {"min_price", "max_price", "preauthorize_amount", "elements", "tax_included", "tenant"}
    | {"start_date_time", "end_date_time", "energy_mix", "last_updated", "min_price_applies"}
    | {"valid_from"}
)
ELEMENT_FIELDS: Final = frozenset({"price_components", "restrictions"})
COMPONENT_FIELDS: Final = frozenset({"type", "price", "vat", "taxes", "step_size"})
TARIFF_TYPES: Final = (
    "AD_HOC_PAYMENT",
    "PROFILE_CHEAP",
    "PROFILE_FAST",
    "PROFILE_GREEN",
    "REGULAR",
)


@dataclass(frozen=True, slots=True)
class TariffReading:
    """`tariff` is None exactly when a finding has severity "error"."""

    tariff: Tariff | None
    findings: tuple[Finding, ...]


def read_tariff(document: object) -> TariffReading:
    """Read one tariff object; never raises on decoded JSON."""
    notes = Notes()
    if not isinstance(document, Mapping):
        notes.error("not_a_tariff", (), "It is no JSON object.")
        return TariffReading(None, tuple(notes.found))
    version, kind = guess_version(document)[:2]
    if kind in {CDR, SESSION} and "elements" not in document:
        called = "CDR" if kind == CDR else "session"
        notes.error("not_a_tariff", (), f"It is a {called} without tariffs.")
        return TariffReading(None, tuple(notes.found))
    if "elements" not in document and version == OCPP21:
        tariff = read_ocpp(document, notes)
    else:
        tariff = _read_ocpi(document, version, notes)
    _check_limits(tariff, notes)
    return TariffReading(None if notes.failed else tariff, tuple(notes.found))


def tariffs_in(document: object) -> list[Mapping[str, Any]]:
    """The tariff objects of a document: one, a list, an OCPI response, a CDR's or a file's
    `tariffs`, an OCPP 2.1 SetDefaultTariff's `tariff`. Empty where there are none.
    """
    out: list[Mapping[str, Any]] = []
    for item in unwrapped(document):
        inner, single = item.get("tariffs"), item.get("tariff")
        if isinstance(inner, list | tuple):
            out.extend(tariff for tariff in inner if isinstance(tariff, Mapping))
        elif isinstance(single, Mapping):
            out.append(single)
        else:
            out.append(item)
    return out


def _read_ocpi(document: Mapping[str, Any], version: str, notes: Notes) -> Tariff:
    notes.unknown_fields(document, TARIFF_FIELDS, ())
    tax_included = _tax_included(document.get("tax_included"), notes)
    return Tariff(
        tariff_id=_identifier(document.get("id"), notes),
        currency=money.read_currency(document.get("currency"), ("currency",), notes),
        elements=_elements(document.get("elements"), notes),
        tax_included=tax_included,
        min_price=money.price_limit(document.get("min_price"), ("min_price",), tax_included, notes),
        max_price=money.price_limit(document.get("max_price"), ("max_price",), tax_included, notes),
        min_price_applies=_choice(document, "min_price_applies", (ALWAYS, WHEN_CHARGED), notes)
        or ALWAYS,
        valid_from_ms=notes.instant(document.get("start_date_time"), ("start_date_time",)),
        valid_until_ms=notes.instant(document.get("end_date_time"), ("end_date_time",)),
        tariff_type=_choice(document, "type", TARIFF_TYPES, notes),
        version=version,
    )


def _identifier(raw: object, notes: Notes) -> str:
    if raw is None or isinstance(raw, Mapping | list):
        notes.warn("missing_field", ("id",), "id is missing.")
        return ""
    if not isinstance(raw, str):
        notes.warn("text_expected", ("id",), f"id {shown(raw)} is no text; it is read as such.")
    return str(raw)


def _choice(document: Mapping[str, Any], name: str, known: tuple[str, ...], notes: Notes) -> str:
    raw = document.get(name)
    if raw is None:
        return ""
    read = values.word(raw, known)
    if read is None:
        meant = values.likely(raw, known)
        hint = f"; was {meant} meant?" if meant else "."
        notes.error("bad_value", (name,), f"{name} {shown(raw)} is unknown{hint}", meant)
        return ""
    notes.noted(read, raw, (name,))
    return read.value


def _tax_included(raw: object, notes: Notes) -> str:
    """OCPI 2.3.0 TaxIncluded; before 2.3.0 prices are without VAT."""
    if isinstance(raw, bool):
        meant = TAX_INCLUDED if raw else TAX_EXCLUDED
        text = f"tax_included {shown(raw)} is read as {meant}."
        notes.warn("letter_case", ("tax_included",), text, meant)
        return meant
    known = (TAX_INCLUDED, TAX_EXCLUDED, TAX_NOT_APPLICABLE)
    return _choice({"tax_included": raw}, "tax_included", known, notes) or TAX_EXCLUDED


def _elements(raw: object, notes: Notes) -> tuple[Element, ...]:
    raw = notes.listed(raw, ("elements",))
    if not isinstance(raw, list | tuple) or not raw:
        notes.error(
            "no_elements", ("elements",), "The tariff has no elements: nothing has a price."
        )
        return ()
    out: list[Element] = []
    for index, element in enumerate(raw):
        path = ("elements", index)
        if not isinstance(element, Mapping):
            notes.error("bad_value", path, f"Element {index + 1} {shown(element)} is no object.")
            continue
        notes.unknown_fields(element, ELEMENT_FIELDS, path)
        components = _components(element.get("price_components"), path, notes)
        where = (*path, "restrictions")
        limits = read_restrictions(element.get("restrictions"), where, OCPI, notes)
        if components:
            out.append(Element(index, components, limits))
    if not out and not notes.failed:
        if any(f.code == "unknown_dimension" and f.likely for f in notes.found):
            text = "The only prices are of misspelt dimensions: nothing would be charged."
            notes.error("no_elements", ("elements",), text)
        else:
            text = "No element has a price of a known dimension: nothing is charged."
            notes.warn("nothing_priced", ("elements",), text)
    return tuple(out)


def _components(raw: object, path: Path, notes: Notes) -> tuple[Component, ...]:
    where = (*path, "price_components")
    raw = notes.listed(raw, where)
    if not isinstance(raw, list | tuple) or not raw:
        text = f"Element {int(path[1]) + 1} has no price components."
        notes.error("no_price_components", where, text)
        return ()
    found = [_component(item, (*where, i), notes) for i, item in enumerate(raw)]
    return tuple(component for component in found if component is not None)


def _component(raw: object, path: Path, notes: Notes) -> Component | None:
    if not isinstance(raw, Mapping):
        notes.error("bad_value", path, f"Price component {shown(raw)} is no object.")
        return None
    notes.unknown_fields(raw, COMPONENT_FIELDS, path)
    kind = raw.get("type")
    if kind is None:
        notes.error("missing_field", (*path, "type"), "A price component has no type.")
        return None
    dimension = values.word(kind, DIMENSIONS)
    if dimension is None:
        meant = values.likely(kind, DIMENSIONS)
        hint = f"; was {meant} meant?" if meant else "."
        text = f"{shown(kind)} is no dimension of a tariff, its price is ignored{hint}"
        notes.warn("unknown_dimension", (*path, "type"), text, meant)
        return None
    notes.noted(dimension, kind, (*path, "type"))
    price = raw.get("price")
    if price is None:
        notes.error("missing_field", (*path, "price"), f"{dimension.value} has no price.")
    value = notes.number(price, (*path, "price"))
    step = money.step_size(raw.get("step_size"), (*path, "step_size"), notes)
    taxes = _taxes(raw, path, notes)
    if value is None:
        return None
    return Component(dimension.value, Fraction(value), f"{value:f}", taxes, step, pointer(*path))


def _taxes(raw: Mapping[str, Any], path: Path, notes: Notes) -> tuple[Tax, ...]:
    listed = raw.get("taxes")
    if isinstance(listed, list | tuple) and listed:
        if raw.get("vat") is not None:
            notes.warn("vat_and_taxes", (*path, "vat"), "taxes is read, vat beside it is not.")
        return money.named_taxes(listed, (*path, "taxes"), notes)
    return money.percent(raw.get("vat"), "VAT", (*path, "vat"), notes)


def _check_limits(tariff: Tariff, notes: Notes) -> None:
    low, high = tariff.min_price, tariff.max_price
    where = "maxCost" if tariff.version == OCPP21 else "max_price"
    if low is not None and high is not None and _above(low, high):
        text = f"{where} is below the minimum: no price can satisfy both."
        notes.error("contradicting_limits", (where,), text)
    since, until = tariff.valid_from_ms, tariff.valid_until_ms
    if since is not None and until is not None and until <= since:
        text = "end_date_time is not after start_date_time: the tariff is never valid."
        notes.error("contradicting_dates", ("end_date_time",), text)


def _above(low: PriceLimit, high: PriceLimit) -> bool:
    # Taxes are never negative: a minimum without them may not be above a maximum with them.
    pairs = ((low.excl, high.excl), (low.incl, high.incl), (low.excl, high.incl))
    return any(a is not None and b is not None and a > b for a, b in pairs)
