"""Numbers as data sets write them: decimal signs, thousands, units, durations. Exact."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

ENERGY_UNITS: dict[str, Fraction] = {
    "Wh": Fraction(1),
    "kWh": Fraction(1000),
    "MWh": Fraction(10**6),
    "GWh": Fraction(10**9),
    "J": Fraction(1, 3600),
    "kJ": Fraction(10, 36),
    "MJ": Fraction(10_000, 36),
    "GJ": Fraction(10**7, 36),
}
"""Watt-hours in one unit."""

DURATION_UNITS: dict[str, Fraction] = {
    "ms": Fraction(1),
    "s": Fraction(1000),
    "min": Fraction(60_000),
    "h": Fraction(3_600_000),
    "days": Fraction(86_400_000),
}
"""Milliseconds in one unit."""

HMS = "hms"
"""Duration text: `1:30:00`, `01:30`, `1 day, 2:03:04`."""

_ENERGY = {name.casefold(): value for name, value in ENERGY_UNITS.items()}
_DURATION = {name.casefold(): value for name, value in DURATION_UNITS.items()}
_PLAIN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?", re.IGNORECASE | re.ASCII)
_HMS = re.compile(
    r"(?P<sign>-)?(?:(?P<days>\d{1,6})\s*(?:d|days?),?\s*)?"
    r"(?P<h>\d{1,6}):(?P<m>[0-5]?\d)(?::(?P<s>[0-5]?\d(?:\.\d{1,9})?))?",
    re.IGNORECASE | re.ASCII,
)
_BLANKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-"})
_MAX_DIGITS = 30
_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)


def parse_number(raw: object, decimal: str = ".", thousands: str | None = None) -> Decimal:
    """The exact number in a cell. Raises ValueError saying what is wrong with it.

    A float is read by its shortest decimal form. With `thousands` the groups must be of
    three digits, so that `1.5` is not silently fifteen.
    """
    if isinstance(raw, int | float | Decimal) and not isinstance(raw, bool):
        number = Decimal(str(raw))
    else:
        number = Decimal(_plain(str(raw), decimal, thousands))
    if not number.is_finite() or (number and abs(number.adjusted()) > _MAX_DIGITS):
        raise ValueError(f"{str(raw)[:40]!r} is not a usable number")
    return number


def _plain(raw: str, decimal: str, thousands: str | None) -> str:
    text = raw.translate(_BLANKS).strip()
    whole, mark, rest = text.partition(decimal)
    if thousands is not None and thousands in whole:
        if not re.fullmatch(rf"[+-]?\d{{1,3}}({re.escape(thousands)}\d{{3}})+", whole, re.ASCII):
            raise ValueError(f"{raw[:40]!r} is not a number with thousands sign {thousands!r}")
        whole = whole.replace(thousands, "")
    plain = f"{whole}.{rest}" if mark else whole
    if not _PLAIN.fullmatch(plain) or (decimal != "." and "." in whole + rest):
        raise ValueError(f"{raw[:40]!r} is not a number with decimal sign {decimal!r}")
    return plain


def round_half_up(value: Fraction) -> int:
    """The nearest integer; halves go away from zero."""
    magnitude = (abs(value.numerator) * 2 + value.denominator) // (value.denominator * 2)
    return -magnitude if value < 0 else magnitude


def energy_wh(number: Decimal, unit: str, factor: Decimal = Decimal(1)) -> int:
    """Whole watt-hours of `number` × `factor` units, rounded half up once."""
    return round_half_up(Fraction(number) * Fraction(factor) * _ENERGY[unit.casefold()])


def duration_ms(number: Decimal, unit: str, factor: Decimal = Decimal(1)) -> int:
    """Whole milliseconds of `number` × `factor` units."""
    return round_half_up(Fraction(number) * Fraction(factor) * _DURATION[unit.casefold()])


def parse_hms(raw: object) -> int:
    """Milliseconds of a duration text, or of a time or duration cell of a spreadsheet."""
    if isinstance(raw, timedelta):
        return raw // timedelta(milliseconds=1)
    if isinstance(raw, datetime):
        return (raw - datetime(1899, 12, 30)) // timedelta(milliseconds=1)  # noqa: DTZ001  # a span
    if isinstance(raw, time):
        return ((raw.hour * 60 + raw.minute) * 60 + raw.second) * 1000 + raw.microsecond // 1000
    found = _HMS.fullmatch(str(raw).strip())
    if found is None:
        raise ValueError(f"{str(raw)[:40]!r} is not a duration such as 1:30:00")
    minutes = (int(found["days"] or 0) * 24 + int(found["h"])) * 60 + int(found["m"])
    total = minutes * 60_000 + round_half_up(Fraction(found["s"] or 0) * 1000)
    return -total if found["sign"] else total


def plain_text(number: Decimal) -> str:
    """Decimal text without exponent."""
    return format(_EXACT.plus(number), "f")
