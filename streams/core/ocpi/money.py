"""Taxes, price limits, currency and step sizes: what OCPI and OCPP 2.1 tariffs share."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from schemas.currencies import minor_exponent
from streams.core.ocpi.reading import Notes, Path, mappings
from streams.core.ocpi.values import shown
from streams.core.pricing.model import TAX_EXCLUDED, TAX_INCLUDED, PriceLimit, Tax

_EXCL = ("before_taxes", "excl_vat", "exclTax")
_INCL = ("after_taxes", "incl_vat", "inclTax")
_LIMIT_FIELDS = frozenset((*_EXCL, *_INCL, "taxes", "taxRates", "customData"))


def read_currency(raw: object, path: Path, notes: Notes) -> str:
    """An ISO 4217 code; lower case is read. Anything else is an error."""
    if raw is None:
        notes.error("missing_field", path, f"{path[-1]} is missing.")
        return ""
    code = raw.strip().upper() if isinstance(raw, str) else ""
    if minor_exponent(code) is None:
        notes.error("unknown_currency", path, f"{path[-1]} {shown(raw)} is not in ISO 4217.")
    elif code != raw:
        notes.warn("letter_case", path, f"{path[-1]} {shown(raw)} is read as {code}.", code)
    return code


def percent(raw: object, name: str, path: Path, notes: Notes) -> tuple[Tax, ...]:
    """One tax in percent; absent: none is applicable."""
    value = notes.number(raw, path)
    if value is None:
        return ()
    if value < 0:
        notes.error("negative_tax", path, f"{path[-1]} {value} is negative.")
        return ()
    return (Tax(name, Fraction(value) / 100),)


def named_taxes(raw: object, path: Path, notes: Notes) -> tuple[Tax, ...]:
    """A list of taxes with `name` and `percentage`, as sent with OCPI 2.3.0 prices."""
    taxes: list[Tax] = []
    for i, entry in mappings(raw):
        name = str(entry.get("name") or "VAT")[:60]
        share = entry.get("percentage", entry.get("percent", entry.get("vat")))
        if share is None:
            notes.error("missing_field", (*path, i), f"{name} has no percentage.")
        key = "percentage" if "percentage" in entry else "percent" if "percent" in entry else "vat"
        taxes.extend(percent(share, name, (*path, i, key), notes))
    return tuple(taxes)


def stacked_taxes(raw: object, path: Path, notes: Notes) -> tuple[Tax, ...]:
    """OCPP 2.1 taxRates: a tax is on the price and on all taxes of lower stack levels."""
    levels: dict[int, list[Tax]] = {}
    for i, entry in mappings(raw):
        stack = notes.number(entry.get("stack"), (*path, i, "stack")) or Decimal(0)
        if stack != int(stack) or stack < 0:
            notes.error("bad_number", (*path, i, "stack"), f"stack {stack} is no level from 0.")
            continue
        name = str(entry.get("type") or "VAT")[:60]
        if entry.get("tax") is None:
            notes.error("missing_field", (*path, i, "tax"), f"{name} has no tax.")
        levels.setdefault(int(stack), []).extend(
            percent(entry.get("tax"), name, (*path, i, "tax"), notes)
        )
    out: list[Tax] = []
    base = Fraction(1)
    for level in sorted(levels):
        stacked = [Tax(tax.name, tax.share * base) for tax in levels[level]]
        base += sum((tax.share for tax in stacked), Fraction(0))
        out.extend(stacked)
    return tuple(out)


def price_limit(raw: object, path: Path, tax_included: str, notes: Notes) -> PriceLimit | None:
    """min_price, max_price, minCost, maxCost: {excl_vat, incl_vat}, {before_taxes, after_taxes},
    {exclTax, inclTax}, with a list of taxes instead of the latter, or one plain number.
    """
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        value = notes.number(raw, path)
        if value is None:
            return None
        with_tax, without_tax = tax_included == TAX_INCLUDED, tax_included == TAX_EXCLUDED
        kind = "with taxes" if with_tax else "before taxes"
        notes.warn("plain_limit", path, f"{path[-1]} is a plain number; it is read {kind}.")
        amount = Fraction(value)
        return PriceLimit(None if with_tax else amount, None if without_tax else amount)
    notes.unknown_fields(raw, _LIMIT_FIELDS, path)
    excl, incl = (_first(raw, names, path, notes) for names in (_EXCL, _INCL))
    if excl is not None and incl is None:
        incl = _with_taxes(raw, excl, path, notes)
    if excl is None and incl is None:
        notes.warn("empty_limit", path, f"{path[-1]} has no amount: it is ignored.")
        return None
    if excl is not None and incl is not None and incl < excl:
        notes.warn("limit_taxes_negative", path, f"{path[-1]} is lower with taxes than before.")
    return PriceLimit(excl, incl)


def _first(
    raw: Mapping[str, Any], names: tuple[str, ...], path: Path, notes: Notes
) -> Fraction | None:
    for name in names:
        value = notes.number(raw.get(name), (*path, name))
        if value is not None:
            return Fraction(value)
    return None


def _with_taxes(
    raw: Mapping[str, Any], excl: Fraction, path: Path, notes: Notes
) -> Fraction | None:
    """The limit with its own taxes, where it lists them; None where nobody knows."""
    if raw.get("taxRates"):
        taxes = stacked_taxes(raw["taxRates"], (*path, "taxRates"), notes)
        return excl * (1 + sum(tax.share for tax in taxes))
    listed = mappings(raw.get("taxes"))
    if not listed:
        return None
    total = excl
    for i, tax in listed:
        amount = notes.number(tax.get("amount"), (*path, "taxes", i, "amount"))
        if amount is None:
            share = percent(tax.get("percentage"), "", (*path, "taxes", i, "percentage"), notes)
            total += excl * share[0].share if share else 0
        else:
            total += Fraction(amount)
    return total


def step_size(raw: object, path: Path, notes: Notes) -> int:
    """A step in Wh or s; absent means 0, which rounds nothing."""
    value = notes.number(raw, path)
    if value is None:
        return 0
    if value < 0:
        notes.error("negative_step_size", path, f"step_size {value} is negative.")
    elif value != int(value):
        notes.error("bad_number", path, f"step_size {value} is no whole number.")
    else:
        return int(value)
    return 0
