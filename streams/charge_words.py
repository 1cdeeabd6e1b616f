"""`words.because` for a worker: the same sentences, at a tenth of the cost.

What a sentence says of a component is the same for every session, so it is kept; only quantity
and times are written anew. Wherever that would be more than that, `because` itself is asked.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
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


class Known(NamedTuple):
    """What holds for a component in every session. `unit_micro`: price of one unit before taxes,
    in micro-units; `vat`: percent in 1/10000, None: no tax applies; `middle` of its sentences,
    empty where they are not made of three parts.
    """

    unit_micro: int
    vat: int | None
    middle: str


class ChargeWords:
    """Sentences of charge lines under one catalogue snapshot; made anew with each."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Known] = {}
        self._alive: list[Component] = []  # or their ids would be given to others
        self._last: tuple[object, ...] = ()
        self._when = ""

    def sentence(self, line: Line, known: Known, tariff: Tariff | None, zone: ZoneInfo) -> str:
        """Why the line is there, one English sentence; `known` of its component."""
        if known.middle and (line.billed == line.quantity or line.dimension == FLAT):
            flat = line.dimension == FLAT
            key = (line.start_ms, line.end_ms, line.stretches, flat, zone)
            if key != self._last:  # the lines of a session mostly hold from its start to its end
                self._last, self._when = key, _when(line, zone)
            if self._when:
                return f"{_counted(line)}{known.middle}{self._when}."
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


def _known(line: Line, tariff: Tariff | None, zone: ZoneInfo) -> Known:
    component = line.component
    if component is None:
        return Known(0, percent(line.tax_share), "")
    price = component.price
    if tariff is not None and tariff.tax_included == TAX_INCLUDED:
        price /= 1 + component.tax_share
    plain = line._replace(
        billed=line.quantity,
        start_ms=line.start_ms // 1000 * 1000,
        end_ms=line.end_ms // 1000 * 1000,
    )
    whole, before, after = _because(plain, tariff, zone), _counted(plain), f"{_when(plain, zone)}."
    fits = whole.startswith(before) and whole.endswith(after) and len(after) > 1
    return Known(
        half_up(price.numerator * MICRO, price.denominator),
        percent(line.tax_share),
        whole[len(before) : -len(after)] if fits else "",
    )


def _because(line: Line, tariff: Tariff | None, zone: ZoneInfo) -> str:
    if tariff is None:
        return because(line, NO_RESTRICTIONS, "", zone, LANG, tax_included=TAX_EXCLUDED)
    restrictions = next(
        (e.restrictions for e in tariff.elements if e.index == line.element), NO_RESTRICTIONS
    )
    return because(
        line, restrictions, tariff.currency, zone, LANG, tax_included=tariff.tax_included
    )


def _counted(line: Line) -> str:
    if line.dimension == FLAT:
        return ""
    if line.dimension != ENERGY:
        return duration_words(line.quantity, LANG)
    whole, part = divmod(line.quantity, MICRO)
    return f"{whole:,}.{part:06d}".rstrip("0").rstrip(".") if part else f"{whole:,}"


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
