"""Numbers, money and durations as Swedish and English write them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from schemas.currencies import minor_exponent
from streams.core.pricing.priced import half_up
from streams.core.pricing.words_phrases import phrases

_UNIT_MS: Final = {"hour": 3_600_000, "minute": 60_000, "second": 1_000}
_SYMBOLS: Final = {"hour": "h", "minute": "min", "second": "s"}


def number_words(value: Fraction | Decimal | int, lang: str, least: int = 0, most: int = 6) -> str:
    """A number with the language's decimal sign, `least` to `most` decimals, halves up."""
    exact = Fraction(value)
    scaled = half_up(exact.numerator * 10**most, exact.denominator)
    whole, part = divmod(abs(scaled), 10**most)
    decimals = f"{part:0{most}d}".rstrip("0").ljust(least, "0") if most else ""
    text = f"{whole:,}".replace(",", phrases(lang)["group"])
    sign = "-" if scaled < 0 else ""
    return f"{sign}{text}{phrases(lang)['point']}{decimals}" if decimals else f"{sign}{text}"


def money_words(amount: Fraction | Decimal, currency: str, lang: str) -> str:
    """An amount with at least the currency's decimals: "0.25 EUR", in Swedish "2,50 kr"."""
    unit = "kr" if currency == "SEK" and phrases(lang)["VAT"] == "moms" else currency
    exponent = minor_exponent(currency)
    least = 2 if exponent is None else exponent
    return f"{number_words(amount, lang, least)} {unit}".strip()


def duration_words(ms: int, lang: str) -> str:
    """A duration: "30 minutes", "1 hour", or with symbols where units mix: "1 h 58 min 23 s"."""
    whole = _whole_units(ms)
    if whole:
        count, unit = whole
        forms = phrases(lang)[unit].split("|")
        return f"{count} {forms[0] if count == 1 else forms[1]}"
    sign, rest, parts = ("-" if ms < 0 else ""), abs(ms), []
    for unit in ("hour", "minute"):
        count, rest = divmod(rest, _UNIT_MS[unit])
        if count:
            parts.append(f"{count} {_SYMBOLS[unit]}")
    if rest or not parts:
        parts.append(f"{number_words(Fraction(rest, 1000), lang, 0, 3)} s")
    return sign + " ".join(parts)


def _whole_units(ms: int) -> tuple[int, str] | None:
    """Count and unit, where one unit alone says the duration."""
    for unit, size in _UNIT_MS.items():
        if ms > 0 and ms % size == 0 and ms // size < (100 if unit == "hour" else 60):
            return ms // size, unit
    return None


def first_words(ms: int, lang: str) -> str:
    """The stretch from the start: "during the first 30 minutes", "den första timmen"."""
    table, whole = phrases(lang), _whole_units(ms)
    if whole is None:
        return table["first_many"].format(duration_words(ms, lang))
    count, unit = whole
    one, many = table[unit].split("|")[2:]
    return (
        table["first_one"].format(one)
        if count == 1
        else table["first_many"].format(f"{count} {many}")
    )


def listed(words: list[str], lang: str) -> str:
    """Words in a row: "a", "a and b", "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {phrases(lang)['and']} {words[-1]}"
