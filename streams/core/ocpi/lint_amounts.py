"""Prices, taxes and steps that can hardly be meant.

Thresholds are in euro and turned into the tariff's currency by a rough rate: they look for
slips of a factor of ten and more, not for dear prices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple

from streams.core.ocpi.findings import Finding
from streams.core.ocpi.reading import mappings
from streams.core.ocpi.values import pointer
from streams.core.ocpi.version import OCPP21
from streams.core.pricing.model import ENERGY, FLAT, PARKING_TIME, TIME, Component, Tariff


class Usual(NamedTuple):
    """Euro per unit: what lies outside can hardly be meant; zero is always free of charge."""

    least: Fraction
    most: Fraction
    unit: str


USUAL: Final[Mapping[str, Usual]] = {
    ENERGY: Usual(Fraction(1, 200), Fraction(5), "per kWh"),
    TIME: Usual(Fraction(1, 100), Fraction(120), "per hour"),
    PARKING_TIME: Usual(Fraction(1, 100), Fraction(120), "per hour"),
    FLAT: Usual(Fraction(1, 100), Fraction(100), "a session"),
}

PER_EURO: Final[Mapping[str, Fraction]] = {
    "EUR": Fraction("1"), "USD": Fraction("1.1"), "GBP": Fraction("0.85"),
    "CHF": Fraction("0.95"), "SEK": Fraction("11"), "NOK": Fraction("11.5"),
    "DKK": Fraction("7.5"), "ISK": Fraction("145"), "PLN": Fraction("4.3"),
    "CZK": Fraction("25"), "HUF": Fraction("395"), "RON": Fraction("5"), "BGN": Fraction("1.96"),
    "BAM": Fraction("1.96"), "RSD": Fraction("117"), "MKD": Fraction("61.5"),
    "ALL": Fraction("98"), "MDL": Fraction("19"), "UAH": Fraction("45"), "TRY": Fraction("40"),
    "GEL": Fraction("3"), "AMD": Fraction("430"), "RUB": Fraction("95"), "BYN": Fraction("3.5"),
    "KZT": Fraction("560"), "CAD": Fraction("1.55"), "MXN": Fraction("21"),
    "BRL": Fraction("6.2"), "ARS": Fraction("1500"), "CLP": Fraction("1050"),
    "COP": Fraction("4600"), "PEN": Fraction("4.1"), "AUD": Fraction("1.7"),
    "NZD": Fraction("1.9"), "JPY": Fraction("165"), "CNY": Fraction("8"),
    "KRW": Fraction("1550"), "TWD": Fraction("36"), "HKD": Fraction("8.6"),
    "SGD": Fraction("1.5"), "MYR": Fraction("4.8"), "THB": Fraction("37"),
    "IDR": Fraction("18500"), "VND": Fraction("28500"), "PHP": Fraction("64"),
    "INR": Fraction("98"), "PKR": Fraction("310"), "LKR": Fraction("330"),
    "BDT": Fraction("133"), "AED": Fraction("4"), "SAR": Fraction("4.1"), "QAR": Fraction("4"),
    "ILS": Fraction("4"), "JOD": Fraction("0.78"), "KWD": Fraction("0.34"),
    "BHD": Fraction("0.41"), "OMR": Fraction("0.42"), "EGP": Fraction("55"),
    "MAD": Fraction("10.8"), "TND": Fraction("3.4"), "ZAR": Fraction("20"),
    "KES": Fraction("145"), "NGN": Fraction("1700"), "GHS": Fraction("13"),
}  # fmt: skip
"""Rough rates of 2025, to tell slips of a factor of ten: units of the currency for one euro."""

_VAT_LEAST, _VAT_MOST = Fraction(1, 100), Fraction(1, 2)
_STEP_MOST: Final[Mapping[str, int]] = {ENERGY: 100_000, TIME: 86_400, PARKING_TIME: 86_400}


def amount_findings(tariff: Tariff, document: Mapping[str, Any]) -> Iterator[Finding]:
    """Findings about the components of a tariff and its limits; `document` is where they stand."""
    rate = PER_EURO.get(tariff.currency)
    ocpp = tariff.version == OCPP21
    for element in tariff.elements:
        for component in element.components:
            yield from _price(component, tariff.currency, rate, ocpp=ocpp)
            yield from _taxes(component, document)
            yield from _step(component)
    for name, limit in (("min_price", tariff.min_price), ("max_price", tariff.max_price)):
        bound = None if limit is None else limit.excl if limit.excl is not None else limit.incl
        if bound is not None and rate and name == "min_price" and bound > 100 * rate:
            text = f"min_price {_text(bound)} {tariff.currency} is more than charging ever costs."
            yield Finding("implausible_price", "/minCost" if ocpp else f"/{name}", text)


def _price(
    component: Component, currency: str, rate: Fraction | None, *, ocpp: bool
) -> Iterator[Finding]:
    where = component.pointer if ocpp else f"{component.pointer}/price"
    if component.price < 0:
        text = f"{component.dimension} has a price below zero: the driver is paid."
        yield Finding("negative_price", where, text)
    usual = USUAL.get(component.dimension)
    if rate is None or usual is None or component.price <= 0:
        return
    said = f"{_text(component.price)} {currency} {usual.unit}"
    if component.price > usual.most * rate:
        text = f"{said} for {component.dimension} is far above what charging costs."
        yield Finding("implausible_price", where, text)
    elif component.price < usual.least * rate:
        text = f"{said} for {component.dimension} is next to nothing: is the unit right?"
        yield Finding("implausible_price", where, text)


def _taxes(component: Component, document: Mapping[str, Any]) -> Iterator[Finding]:
    """A tax above the most there is; one below the least only where it stands alone."""
    for i, tax in enumerate(component.taxes):
        least = _VAT_LEAST if len(component.taxes) == 1 else 0
        if tax.share and not least <= tax.share <= _VAT_MOST:
            meant = likely_percent(tax.share * 100)
            hint = f"; was {_text(meant)} meant?" if meant else "."
            text = f"{tax.name} of {_text(tax.share * 100)} % is implausible{hint}"
            where = _tax_pointer(document, component, i)
            yield Finding("implausible_vat", where, text, likely=_text(meant) if meant else "")


def _tax_pointer(document: Mapping[str, Any], component: Component, index: int) -> str:
    """Where the percentage of a tax stands: OCPI `vat` or `taxes`, OCPP 2.1 `taxRates`."""
    parts = component.pointer.split("/")[1:]
    if parts[0] != "elements":
        return f"/{parts[0]}/taxRates"
    raw: Any = document
    for part in parts:
        # One object may stand where a list belongs.
        raw = raw[int(part)] if isinstance(raw, list | tuple) else raw.get(part, raw)
    listed = mappings(raw.get("taxes"))
    if not listed:
        return f"{component.pointer}/vat"
    place, entry = listed[min(index, len(listed) - 1)]
    name = next((n for n in ("percentage", "percent", "vat") if n in entry), "")
    return component.pointer + pointer("taxes", place, *([name] if name else []))


def likely_percent(percent: Fraction) -> Fraction | None:
    """The percentage that a share (0.25) or a percentage times 100 (2100) probably stands for."""
    for meant in (percent * 100, percent / 100):
        if 5 <= meant <= 30:
            return meant
    return None


def _step(component: Component) -> Iterator[Finding]:
    where = f"{component.pointer}/step_size"
    if component.step_size <= 1:
        return
    if component.dimension == FLAT or component.price == 0:
        what = "FLAT" if component.dimension == FLAT else "a price of zero"
        text = f"step_size {component.step_size} on {what} rounds nothing."
        yield Finding("step_never_bites", where, text)
    elif component.step_size > _STEP_MOST.get(component.dimension, component.step_size):
        unit = "Wh" if component.dimension == ENERGY else "seconds"
        text = f"step_size {component.step_size} {unit} is more than a session uses: is it meant?"
        yield Finding("implausible_step", where, text)


def _text(value: Fraction) -> str:
    text = f"{float(round(value, 6)):.6f}"
    return text.rstrip("0").rstrip(".")
