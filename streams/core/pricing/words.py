"""Prices, restrictions and priced lines as sentences, in Swedish ("sv") and English ("en")."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from streams.core.pricing.model import (
    ENERGY,
    FLAT,
    PARKING_TIME,
    TAX_EXCLUDED,
    TAX_INCLUDED,
    TAX_NOT_APPLICABLE,
    TIME,
    Component,
    Restrictions,
)
from streams.core.pricing.priced import Line
from streams.core.pricing.words_numbers import (
    duration_words,
    first_words,
    listed,
    money_words,
    number_words,
)
from streams.core.pricing.words_phrases import phrases

__all__ = [
    "because",
    "component_words",
    "day_words",
    "duration_words",
    "listed",
    "money_words",
    "number_words",
    "price_words",
    "restriction_words",
    "step_words",
    "tax_words",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MWH_PER_KWH = 1_000_000


def restriction_words(r: Restrictions, lang: str) -> list[str]:
    """Each condition as a phrase that can follow a price; empty: no restrictions."""
    table = phrases(lang)
    words = [table[r.reservation].format()] if r.reservation in table else []
    words += [day_words(r.days, lang)] if r.days and len(r.days) < 7 else []
    words += [
        *_clock_words(r, lang),
        *_date_words(r, lang),
        *_energy_words(r, lang),
        *_duration_words(r, lang),
        *_bounds("power", r.min_power_mw, r.max_power_mw, 1_000_000, lang),
        *_bounds("current", r.min_current_ma, r.max_current_ma, 1_000, lang),
    ]
    spans = {
        "charging_min": r.min_charging_ms,
        "charging_max": r.max_charging_ms,
        "idle_min": r.min_idle_ms,
        "idle_max": r.max_idle_ms,
    }
    words += [
        table[key].format(duration_words(ms, lang)) for key, ms in spans.items() if ms is not None
    ]
    return words + ([table["never"].format(r.never)] if r.never else [])


def day_words(days: frozenset[int], lang: str) -> str:
    """Weekdays (Monday 0): "from Monday to Friday", "on Saturday and Sunday"."""
    table = phrases(lang)
    names = table["days"].split("|")
    run = next(
        (first for first in sorted(days) if {(first + i) % 7 for i in range(len(days))} == days), -1
    )
    if run >= 0 and len(days) >= 3:
        return table["day_range"].format(names[run], names[(run + len(days) - 1) % 7])
    return table["on_days"].format(listed([names[day] for day in sorted(days)], lang))


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _clock_words(r: Restrictions, lang: str) -> list[str]:
    table, start, end = phrases(lang), r.start_minute, r.end_minute
    whole_day = start is not None and start == end
    if whole_day or (not start and end in {None, 0, 1440}):
        return []
    if start is None or (start == 0 and end is not None):
        return [table["time_until"].format(_clock(end or 0))]
    if end is None:
        return [table["time_from"].format(_clock(start))]
    if end in {0, 1440}:
        return [table["to_midnight"].format(_clock(start))]
    return [table["times"].format(_clock(start), _clock(end))]


def _date_words(r: Restrictions, lang: str) -> list[str]:
    table, start, end = phrases(lang), r.start_day, r.end_day
    if start is not None and end is not None:
        return [table["dates"].format(_day(start), _day(end))]
    if start is not None:
        return [table["date_from"].format(_day(start))]
    return [] if end is None else [table["date_until"].format(_day(end))]


def _day(days: int) -> str:
    ordinal = date(1970, 1, 1).toordinal() + days
    return date.fromordinal(min(max(ordinal, 1), date.max.toordinal())).isoformat()


def _energy_words(r: Restrictions, lang: str) -> list[str]:
    table = phrases(lang)
    low, high = (
        None if mwh is None else number_words(Fraction(mwh, _MWH_PER_KWH), lang)
        for mwh in (r.min_mwh, r.max_mwh)
    )
    if r.min_mwh and high is not None:
        return [table["energy_between"].format(low, high)]
    if high is not None:
        return [table["energy_first"].format(high)]
    return [table["energy_after"].format(low)] if r.min_mwh else []


def _duration_words(r: Restrictions, lang: str) -> list[str]:
    table, low, high = phrases(lang), r.min_duration_ms, r.max_duration_ms
    if low and high is not None:
        return [table["between"].format(duration_words(low, lang), duration_words(high, lang))]
    if high is not None:
        return [first_words(high, lang)]
    return [table["after"].format(duration_words(low, lang))] if low else []


def _bounds(what: str, low: int | None, high: int | None, unit: int, lang: str) -> list[str]:
    table = phrases(lang)
    at_least, below = (
        None if bound is None else number_words(Fraction(bound, unit), lang)
        for bound in (low, high)
    )
    if low is not None and high is not None:
        return [table[f"{what}_between"].format(at_least, below)]
    if high is not None:
        return [table[f"{what}_max"].format(below)]
    return [] if low is None else [table[f"{what}_min"].format(at_least)]


def tax_words(c: Component, lang: str) -> str:
    """The taxes of a component: "10 % VAT", "6 % federal and 4 % state"; empty without."""
    table = phrases(lang)
    return listed(
        [
            table["tax"].format(
                number_words(tax.share * 100, lang),
                table["VAT"] if tax.name.upper() in {"", "VAT"} else tax.name,
            )
            for tax in c.taxes
        ],
        lang,
    )


def price_words(c: Component, currency: str, lang: str) -> str:
    """The price without taxes being mentioned: "0.25 EUR per kWh", "free of charge"."""
    table = phrases(lang)
    if c.price == 0:
        return table["free"]
    money = money_words(c.price, currency, lang)
    if c.dimension == FLAT:
        return money
    return table["per_kwh" if c.dimension == ENERGY else "per_hour"].format(money)


def component_words(c: Component, currency: str, tax_included: str, lang: str) -> str:
    """Price and taxes: "0.25 EUR per kWh plus 10 % VAT"."""
    table, price = phrases(lang), price_words(c, currency, lang)
    if c.price == 0 or tax_included == TAX_NOT_APPLICABLE:
        return price
    if tax_included == TAX_INCLUDED:
        key = "including_tax" if c.taxes else "including_taxes"
        return table[key].format(price, tax_words(c, lang))
    return table["plus_tax"].format(price, tax_words(c, lang)) if c.taxes else price


def step_words(c: Component, lang: str) -> str:
    """What volume is billed in: "100 Wh", "15 minutes"."""
    if c.dimension != ENERGY:
        return duration_words(c.step_size * 1000, lang)
    if c.step_size % 1000 == 0:
        return f"{number_words(c.step_size // 1000, lang)} kWh"
    return f"{number_words(c.step_size, lang)} Wh"


def because(  # the first five are the contract
    line: Line,
    restrictions: Restrictions,
    currency: str,
    zone: ZoneInfo,
    lang: str = "en",
    *,
    tax_included: str = TAX_EXCLUDED,
) -> str:
    """One sentence: what was counted, rounded and charged, by which element, and when.

    Times are the site's. `tax_included` of the tariff says how the price is to be understood.
    """
    table, component = phrases(lang), line.component
    when = _when(line, zone, lang)
    if component is None:
        return f"{table[line.dimension]}; {when}."
    price = component_words(component, currency, tax_included, lang)
    if line.dimension == FLAT:
        what = table["FLAT_RESERVED" if line.reservation else "FLAT"].format(price)
    else:
        charged = price if component.price == 0 else table["at_price"].format(price)
        what = table["priced"].format(_quantity(line, component, lang), charged)
    conditions = ", ".join(restriction_words(restrictions, lang))
    key = "element_when" if conditions else "element"
    return f"{what}; {table[key].format(line.element + 1, conditions)}; {when}."


def _quantity(line: Line, component: Component, lang: str) -> str:
    """The volume, and what step_size made of it."""
    table = phrases(lang)
    name = "RESERVED" if line.reservation else line.dimension
    counted = table[f"quantity_{name}"].format(_volume(line.dimension, line.quantity, lang))
    if line.billed == line.quantity:
        return counted
    unit = {ENERGY: 1000, TIME: 1000, PARKING_TIME: 1000}.get(line.dimension, 1)
    whole = line.billed % max(component.step_size * unit, 1) == 0
    suffix = " kWh" if line.dimension == ENERGY else ""
    billed = _volume(line.dimension, line.billed, lang) + suffix
    return table["rounded" if whole else "topped"].format(
        counted, billed, step_words(component, lang)
    )


def _volume(dimension: str, quantity: int, lang: str) -> str:
    if dimension == ENERGY:
        return number_words(Fraction(quantity, _MWH_PER_KWH), lang)
    return duration_words(quantity, lang)


def _when(line: Line, zone: ZoneInfo, lang: str) -> str:
    """When the line held, by the site's clock; the offset too where the clocks change between."""
    table = phrases(lang)
    start, end = (
        (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone)
        for ms in (line.start_ms, line.end_ms)
    )
    shifted = start.utcoffset() != end.utcoffset()
    first = _instant(start, shifted=shifted)
    if start == end or line.dimension == FLAT:
        return table["at"].format(first)
    last = _instant(end, shifted=shifted, dated=start.date() != end.date())
    return table["stretches" if line.stretches > 1 else "from_to"].format(
        first, last, line.stretches
    )


def _instant(at: datetime, *, shifted: bool, dated: bool = True) -> str:
    text = f"{at:%Y-%m-%d %H:%M}" if dated else f"{at:%H:%M}"
    if at.second or at.microsecond:
        text += f":{at:%S}"
    if at.microsecond:
        text += f".{at.microsecond // 1000:03d}"
    return f"{text} (UTC{at.isoformat()[-6:]})" if shifted else text
