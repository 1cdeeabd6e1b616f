"""`words.because` for a worker: the same sentences, at a tenth of the cost.

What a sentence says of a component is the same for every session, so it is kept; only quantities
and times are written anew. Wherever that would be more than that, `because` itself is asked.

    12.345 kWh, rounded up to 13 kWh (steps of 1 kWh), at 2.00 SEK …; element 1, …; from … to ….
    quantity    between       billed after                                          when
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.core.pricing.model import (
    ENERGY,
    FLAT,
    NO_RESTRICTIONS,
    TAX_EXCLUDED,
    TAX_INCLUDED,
    Component,
    Tariff,
)
from streams.core.pricing.priced import MICRO, Line, half_up
from streams.core.pricing.words import because, duration_words

LANG = "en"

_EXAMPLE = 123_456_789
_MWH_PER_WH, _MS_PER_S = 1000, 1000


class Known(NamedTuple):
    """What holds for a component in every session. `unit_micro`: price of one unit before taxes,
    in micro-units; `vat`: percent in 1/10000, None: no tax applies; `middle` of its sentences,
    between quantity and when, empty where they are not made of three parts; `between`, `after`:
    the same around what was billed, where it is the quantity rounded up to a multiple of `step`
    (mWh or ms, 0: none).
    """

    unit_micro: int
    vat: int | None
    middle: str
    between: str = ""
    after: str = ""
    step: int = 0


class ChargeWords:
    """Sentences of charge lines under one catalogue snapshot; made anew with each."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Known] = {}
        self._alive: list[Component] = []  # or their ids would be given to others
        self._last: tuple[object, ...] = ()
        self._when = ""

    def sentence(self, line: Line, known: Known, tariff: Tariff | None, zone: ZoneInfo) -> str:
        """Why the line is there, one English sentence; `known` of its component."""
        flat = line.dimension == FLAT
        if flat or line.billed == line.quantity:
            middle = known.middle
        elif known.step and line.billed % known.step == 0:
            middle = f"{known.between}{volume_words(line.dimension, line.billed)}{known.after}"
        else:
            return _because(line, tariff, zone)
        if known.middle:
            key = (line.start_ms, line.end_ms, line.stretches, flat, zone)
            if key != self._last:  # the lines of a session mostly hold from its start to its end
                self._last, self._when = key, _when(line, zone)
            if self._when:
                quantity = volume_words(line.dimension, line.quantity)
                return f"{quantity}{middle}{self._when}."
        return _because(line, tariff, zone)

    def known(self, line: Line, tariff: Tariff | None, zone: ZoneInfo) -> Known:
        """What is kept of the line's component, made on first sight."""
        key = (id(line.component), line.element)
        found = self._known.get(key)
        if found is None:
            found = _known(line, tariff, zone)
            if line.component is not None:
                self._known[key] = found
                self._alive.append(line.component)
        return found


def percent(share: Fraction | None) -> int | None:
    """A share of tax as percent with four decimals, an integer."""
    return None if share is None else half_up(share.numerator * MICRO, share.denominator)


def volume_words(dimension: str, quantity: int) -> str:
    """A quantity (mWh, ms) as a sentence begins with it; a fixed fee has none."""
    if dimension == FLAT:
        return ""
    if dimension != ENERGY:
        return kept_duration_words(quantity)
    if quantity < 0:
        return f"-{volume_words(dimension, -quantity)}"
    whole, part = divmod(quantity, MICRO)
    return f"{whole:,}.{part:06d}".rstrip("0") if part else f"{whole:,}"


@lru_cache(maxsize=1 << 14)  # durations of whole seconds come again and again
def kept_duration_words(ms: int) -> str:
    """`duration_words` in English."""
    return duration_words(ms, LANG)


def _known(line: Line, tariff: Tariff | None, zone: ZoneInfo) -> Known:
    component = line.component
    if component is None:
        return Known(0, percent(line.tax_share), "")
    price = component.price
    if tariff is not None and tariff.tax_included == TAX_INCLUDED:
        price /= 1 + component.tax_share
    known = Known(half_up(price.numerator * MICRO, price.denominator), percent(line.tax_share), "")
    quantity = 1 if line.dimension == FLAT else _EXAMPLE
    plain = line._replace(quantity=quantity, billed=quantity, start_ms=0, end_ms=0, stretches=1)
    middle = _rest(plain, tariff, zone)
    step = component.step_size * (_MWH_PER_WH if line.dimension == ENERGY else _MS_PER_S)
    if not middle or not step or line.dimension == FLAT:
        return known._replace(middle=middle)
    rounded = plain._replace(billed=(quantity // step + 1) * step)
    # No digit stands before what was billed: its first appearance is it.
    parts = _rest(rounded, tariff, zone).partition(volume_words(line.dimension, rounded.billed))
    between, found, after = parts
    if not found:
        return known._replace(middle=middle)
    return known._replace(middle=middle, between=between, after=after, step=step)


def _rest(line: Line, tariff: Tariff | None, zone: ZoneInfo) -> str:
    """An example's sentence without its quantity and its time; empty where it does not begin and
    end with them.
    """
    before, after = volume_words(line.dimension, line.quantity), f"{_when(line, zone)}."
    whole = _because(line, tariff, zone)
    fits = whole.startswith(before) and whole.endswith(after) and len(after) > 1
    return whole[len(before) : -len(after)] if fits else ""


def _because(line: Line, tariff: Tariff | None, zone: ZoneInfo) -> str:
    if tariff is None:
        return because(line, NO_RESTRICTIONS, "", zone, LANG, tax_included=TAX_EXCLUDED)
    restrictions = next(
        (e.restrictions for e in tariff.elements if e.index == line.element), NO_RESTRICTIONS
    )
    return because(
        line, restrictions, tariff.currency, zone, LANG, tax_included=tariff.tax_included
    )


def _when(line: Line, zone: ZoneInfo) -> str:
    """Empty where the clocks change in between, or where there are fractions of a second."""
    if line.start_ms % 1000 or line.end_ms % 1000:
        return ""
    start = datetime.fromtimestamp(line.start_ms // 1000, zone)
    end = datetime.fromtimestamp(line.end_ms // 1000, zone)
    if start.utcoffset() != end.utcoffset():
        return ""
    first = _instant(start)
    if line.start_ms == line.end_ms or line.dimension == FLAT:
        return f"at {first}"
    last = _instant(end)
    if first[:10] == last[:10]:
        last = last[11:]
    if line.stretches > 1:
        return f"in {line.stretches} stretches from {first} to {last}"
    return f"from {first} to {last}"


def _instant(at: datetime) -> str:
    text = at.isoformat(" ")
    return text[:19] if at.second else text[:16]
