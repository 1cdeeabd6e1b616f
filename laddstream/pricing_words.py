"""A priced session as sentences, in Swedish or English, and as JSON for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from laddstream.pricing_bill import Bill, Share
from schemas.units import iso_ms
from streams.core.ocpi.findings import Finding
from streams.core.ocpi.swedish import note_words, place_words
from streams.core.pricing.model import (
    ENERGY,
    NO_RESTRICTIONS,
    PARKING_TIME,
    TIME,
    Restrictions,
)
from streams.core.pricing.priced import NO_COMPONENT, Line, Segment, half_up
from streams.core.pricing.words import because
from streams.core.pricing.words_numbers import money_words, number_words

_PLACES: Final = 12
_EXACT: Final = Context(prec=80, rounding=ROUND_HALF_UP)
_UNITS: Final = {ENERGY: ("kWh", 1_000_000), TIME: ("h", 3_600_000), PARKING_TIME: ("h", 3_600_000)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WIDTH: Final = 80

_ENGLISH: Final = {
    "head": "Session of {0} kWh from {1} to {2} ({3}), tariff {4}.",
    "unnamed": "without id",
    "nothing": "Nothing is charged.",
    "line": "{0} That is {1}.",
    "with_tax": "{0}, {1} with tax",
    "total": "Total: {0} before tax, {1} with tax.",
    "exact": "Before rounding: {0} and {1}.",
    "notes": "To be known:",
}
_SWEDISH: Final = {
    "head": "Session på {0} kWh från {1} till {2} ({3}), tariff {4}.",
    "unnamed": "utan id",
    "nothing": "Ingenting debiteras.",
    "line": "{0} Det blir {1}.",
    "with_tax": "{0}, {1} med skatt",
    "total": "Summa: {0} före skatt, {1} med skatt.",
    "exact": "Före avrundning: {0} och {1}.",
    "notes": "Att veta:",
}


def bill_json(bill: Bill, lang: str = "en") -> dict[str, Any]:
    """The bill as JSON data. Amounts are decimal strings; `element` counts from 0."""
    excl, incl = bill.exact
    rounded = bill.rounded
    return {
        "currency": bill.currency,
        "total_excl_vat": minor(rounded.excl, bill.exponent),
        "total_incl_vat": minor(rounded.incl, bill.exponent),
        "exact": {
            "total_excl_vat": decimal(excl, bill.exponent),
            "total_incl_vat": decimal(incl, bill.exponent),
        },
        "lines": [
            _line_json(bill, share, line, lang)
            for share in bill.shares
            for line in share.priced.lines
        ],
        "periods": [
            _period_json(bill, share, period) for share in bill.shares for period in share.periods
        ],
        "warnings": [
            {"code": note.code, "message": note_words(note, lang), "pointer": note.pointer}
            for note in bill.warnings
        ],
    }


def bill_text(bill: Bill, lang: str = "en") -> str:
    """The bill as sentences of at most 80 columns."""
    words, zone = _table(lang), bill.usage.zone
    start, end = (_clock(ms, zone) for ms in _span(bill))
    energy = number_words(Fraction(bill.usage.energy_mwh, 1_000_000), lang)
    ids = ", ".join(share.tariff.tariff_id or words["unnamed"] for share in bill.shares)
    out = [_wrapped(words["head"].format(energy, start, end, zone.key, ids)), ""]
    lines = [(share, line) for share in bill.shares for line in share.priced.lines]
    for share, line in lines:
        unit = share.priced.scale * 1_000_000
        excl = money_words(Fraction(line.excl, unit), bill.currency, lang)
        incl = money_words(Fraction(line.incl, unit), bill.currency, lang)
        amount = excl if excl == incl else words["with_tax"].format(excl, incl)
        sentence = because_of(share, line, zone, lang)
        out.append(_wrapped(words["line"].format(sentence, amount), "- "))
    if not lines:
        out.append(words["nothing"])
    out += ["", *_totals(bill, lang)]
    if bill.warnings:
        notes = dict.fromkeys(_grouped(bill.warnings, lang))
        out += ["", words["notes"], *(_wrapped(note, "- ") for note in notes)]
    return "\n".join(out) + "\n"


def because_of(share: Share, line: Line, zone: ZoneInfo, lang: str) -> str:
    """Why this line is charged, one sentence."""
    tariff = share.tariff
    return because(
        line,
        _restrictions(share, line),
        tariff.currency,
        zone,
        lang,
        tax_included=tariff.tax_included,
    )


def decimal(value: Fraction, least: int) -> str:
    """An exact decimal, `least` decimals or more; one without end is rounded to twelve."""
    scaled = half_up(value.numerator * 10**_PLACES, value.denominator)
    text = f"{Decimal(scaled).scaleb(-_PLACES, _EXACT):.{_PLACES}f}"
    whole, _, decimals = text.partition(".")
    kept = decimals.rstrip("0").ljust(least, "0")
    return f"{whole}.{kept}" if kept else whole


def minor(amount: int, exponent: int) -> str:
    """Minor units as a decimal of the currency: 1234 with 2 decimals is 12.34."""
    return f"{Decimal(amount).scaleb(-exponent, _EXACT):.{exponent}f}"


def _totals(bill: Bill, lang: str) -> list[str]:
    words, rounded = _table(lang), bill.rounded
    unit = 10**bill.exponent
    totals = [Fraction(rounded.excl, unit), Fraction(rounded.incl, unit)]
    shown = [money_words(amount, bill.currency, lang) for amount in totals]
    out = [_wrapped(words["total"].format(*shown))]
    if list(bill.exact) != totals:
        exact = [money_words(amount, bill.currency, lang) for amount in bill.exact]
        out.append(_wrapped(words["exact"].format(*exact)))
    return out


def _line_json(bill: Bill, share: Share, line: Line, lang: str) -> dict[str, Any]:
    component, zone = line.component, bill.usage.zone
    unit, size = _UNITS.get(line.dimension, ("session", 1))
    money = share.priced.scale * 1_000_000
    share_of_tax = line.tax_share
    adjustment = component is None
    return {
        "dimension": line.dimension,
        "tariff_id": share.tariff.tariff_id,
        "element": line.element,
        "pointer": "" if component is None else component.pointer,
        "reservation": line.reservation,
        "quantity": decimal(Fraction(1 if adjustment else line.quantity, size), 0),
        "quantity_billed": decimal(Fraction(1 if adjustment else line.billed, size), 0),
        "unit": unit,
        "unit_price": None if component is None else component.price_text,
        "vat_percent": None if share_of_tax is None else decimal(share_of_tax * 100, 0),
        "from": iso_ms(line.start_ms),
        "to": iso_ms(line.end_ms),
        "from_local": _local(line.start_ms, zone),
        "to_local": _local(line.end_ms, zone),
        "amount_excl_vat": decimal(Fraction(line.excl, money), bill.exponent),
        "amount_incl_vat": decimal(Fraction(line.incl, money), bill.exponent),
        "because": because_of(share, line, zone, lang),
    }


def _period_json(bill: Bill, share: Share, period: Segment) -> dict[str, Any]:
    zone = bill.usage.zone
    prices = {
        dimension: _price_json(share, index)
        for dimension, index, volume in (
            (ENERGY, period.energy, period.energy_mwh),
            (TIME, period.time, period.charging_ms),
            (PARKING_TIME, period.parking, period.parking_ms),
        )
        if volume
    }
    return {
        "start": iso_ms(period.start_ms),
        "end": iso_ms(period.end_ms),
        "start_local": _local(period.start_ms, zone),
        "end_local": _local(period.end_ms, zone),
        "tariff_id": share.tariff.tariff_id,
        "reservation": period.reservation,
        "energy_kwh": decimal(Fraction(period.energy_mwh, 1_000_000), 0),
        "charging_s": decimal(Fraction(period.charging_ms, 1000), 0),
        "parking_s": decimal(Fraction(period.parking_ms, 1000), 0),
        "prices": prices,
    }


def _price_json(share: Share, index: int) -> dict[str, Any] | None:
    """The price in force; None: the volume is free, no element matches."""
    if index == NO_COMPONENT:
        return None
    element, component = share.priced.components[index]
    return {"element": element, "price": component.price_text}


def _restrictions(share: Share, line: Line) -> Restrictions:
    for element in share.tariff.elements:
        if element.index == line.element:
            return element.restrictions
    return NO_RESTRICTIONS


def _span(bill: Bill) -> tuple[int, int]:
    reserved = bill.usage.reservation
    start = min([bill.usage.start_ms, *(flow.start_ms for flow in reserved)])
    return start, bill.usage.end_ms


def _moment(ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone)


def _local(ms: int, zone: ZoneInfo) -> str:
    return _moment(ms, zone).isoformat()


def _clock(ms: int, zone: ZoneInfo) -> str:
    return f"{_moment(ms, zone):%Y-%m-%d %H:%M:%S}"


def _table(lang: str) -> dict[str, str]:
    return _SWEDISH if lang.lower().startswith("sv") else _ENGLISH


def _grouped(notes: Iterable[Finding], lang: str) -> list[str]:
    """Sentences; fields that are missing without harm share one."""
    every = list(notes)
    harmless = [n for n in every if n.code == "missing_field" and "does not need" in n.message]
    out = [note_words(note, lang) for note in every if note not in harmless]
    if harmless:
        names = ", ".join(place_words(note.pointer) for note in harmless)
        swedish = _table(lang) is _SWEDISH
        text = (
            "{0} saknas; priset behöver det inte."
            if swedish
            else ("{0}: missing, and not needed for the price.")
        )
        out.append(text.format(names))
    return out


def _wrapped(text: str, bullet: str = "") -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_on_hyphens=False,
    )
