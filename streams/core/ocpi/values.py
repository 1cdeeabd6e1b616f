"""Values of JSON documents as they are met: numbers as text, unpadded times, missing zones.

Each reader returns the value with a note, the code of a finding where it was not written as it
should be; None where it cannot be read safely.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

NUMBER_AS_TEXT, DECIMAL_COMMA = "number_as_text", "decimal_comma"
SLOPPY_TIME, SLOPPY_DATE, NO_ZONE = "sloppy_time", "sloppy_date", "no_zone"

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
_MAX_DIGITS = 40
_CLOSE, _SOMEWHAT, _UNLIKE = 0.8, 0.6, 0.45
_BEGUN = 3

_DATE = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})", re.ASCII)
_TIME = re.compile(r"(\d{1,2})[:.](\d{1,2})(?::(\d{1,2})(?:\.0+)?)?|(\d\d)(\d\d)", re.ASCII)
_STAMP = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:T|t| +)(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d+))?)?)?"
    r"\s*(?:([Zz]|UTC)|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)
_PADDED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_NUMERAL = re.compile(r"[+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_COMMA = re.compile(r"-?(?:\d+,\d{1,2}|0,\d+|\d+,\d{4,})", re.ASCII)


class Read(NamedTuple, Generic[T]):
    """A value and how it was written: `note` is the code of a finding, empty where all is well."""

    value: T
    note: str = ""


def number(raw: object) -> Read[Decimal] | None:
    """A finite number of at most 40 digits. Text is read too; "0,25" with a note of its own, but
    not "1,250", which may be a thousand.
    """
    note = ""
    if isinstance(raw, str):
        raw, note = raw.strip(), NUMBER_AS_TEXT
        if _COMMA.fullmatch(raw):
            raw, note = raw.replace(",", "."), DECIMAL_COMMA
        if not _NUMERAL.fullmatch(raw):
            return None
    elif isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
        return None
    if isinstance(raw, int) and raw.bit_length() > 128:
        return None
    value = Decimal(repr(raw)) if isinstance(raw, float) else Decimal(raw)
    sane = value.is_finite() and len(value.as_tuple().digits) <= _MAX_DIGITS
    if not sane or (value and abs(value.adjusted()) > _MAX_DIGITS):
        return None
    return Read(value, note)


def decimals(value: Decimal) -> int:
    """How many decimals a number is written with."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def scaled(value: Decimal, unit: int) -> int:
    """The number times `unit` as an integer, halves away from zero."""
    exact = Fraction(value) * unit
    doubled = 2 * abs(exact.numerator) + exact.denominator
    whole = doubled // (2 * exact.denominator)
    return -whole if exact < 0 else whole


def time_of_day(raw: object) -> Read[int] | None:
    """Minutes since midnight, 0 to 1440. "9:00", "0900", "9.00", "09:00:00" are noted; 23:59:59
    is the end of the day.
    """
    if not isinstance(raw, str) or (match := _TIME.fullmatch(raw.strip())) is None:
        return None
    hour, minute, second = (int(match[i] or match[j] or 0) for i, j in ((1, 4), (2, 5), (3, 3)))
    if (hour, minute, second) == (23, 59, 59):
        return Read(1440, SLOPPY_TIME)
    if second or minute > 59 or hour * 60 + minute > 1440:
        return None
    padded = f"{hour:02d}:{minute:02d}"
    return Read(hour * 60 + minute, "" if raw == padded and hour < 24 else SLOPPY_TIME)


def day(raw: object) -> Read[int] | None:
    """A date as days since 1970-01-01. "2024-1-5", "2024/01/05" and a time of 00:00 are noted."""
    if not isinstance(raw, str):
        return None
    text = re.sub(r"[Tt ]00?:00(:00(\.0+)?)?([Zz]|\+00:?00)?$", "", raw.strip())
    match = _DATE.fullmatch(text)
    if match is None or (not match[2] and len(text) != 8):
        return None
    try:
        found = date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return None
    return Read(found.toordinal() - _EPOCH_DAY, "" if raw == found.isoformat() else SLOPPY_DATE)


def instant(raw: object) -> Read[int] | None:
    """An instant as epoch milliseconds; without zone it is UTC, as OCPI says, and noted."""
    if not isinstance(raw, str) or (match := _STAMP.fullmatch(raw.strip())) is None:
        return None
    year, month, day_, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    fraction, zulu, sign, off_hour, off_minute = match.groups()[6:]
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        return None
    try:
        days = date(year, month, day_).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    ms = days * _DAY_MS + (hour * 3600 + minute * 60 + second) * 1000
    if fraction:
        ms += scaled(Decimal(f"0.{fraction[:12]}"), 1000)
    if sign:
        away = (int(off_hour) * 60 + int(off_minute or 0)) * 60_000
        if away > _DAY_MS:
            return None
        ms += away if sign == "-" else -away
    if not zulu and not sign:
        return Read(ms, NO_ZONE)
    return Read(ms, "" if _PADDED.fullmatch(raw) else SLOPPY_TIME)


def word(raw: object, known: Collection[str]) -> Read[str] | None:
    """One of `known`; other letter cases and separators ("parking-time") are read and noted."""
    if not isinstance(raw, str):
        return None
    if raw in known:
        return Read(raw)
    plain = _plain(raw)
    found = [name for name in known if _plain(name) == plain]
    return Read(found[0], "letter_case") if len(found) == 1 else None


def likely(raw: object, known: Collection[str]) -> str:
    """What a misspelt name was probably meant to be, or empty: a close one, the only one that
    begins so ("Mon"), or the only one that is somewhat like it ("pris").
    """
    if not isinstance(raw, str) or len(raw) > 60:
        return ""
    text = _plain(raw)
    by_plain = {_plain(name): name for name in known}
    begun = [name for name in by_plain if len(text) >= _BEGUN and name.startswith(text)]
    if len(begun) == 1:
        return by_plain[begun[0]]
    close = difflib.get_close_matches(text, by_plain, n=2, cutoff=_UNLIKE)
    if not close:
        return ""
    ratio = difflib.SequenceMatcher(None, close[0], text).ratio()
    near = ratio >= _CLOSE or (ratio >= _SOMEWHAT and len(close) == 1)
    return by_plain[close[0]] if near else ""


def _plain(text: str) -> str:
    return "".join(c for c in text.upper() if c.isalnum())


def pointer(*parts: str | int) -> str:
    """An RFC 6901 pointer from its parts."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def shown(raw: object) -> str:
    """A value of a document, short enough for a sentence."""
    words = {None: "null", True: "true", False: "false"}
    text = words[raw] if raw is None or isinstance(raw, bool) else ""
    text = text or (f"{raw!r}" if isinstance(raw, str) else str(raw))
    return text if len(text) <= 40 else f"{text[:37]}..."


def iso_day(days: int) -> str:
    """Days since 1970-01-01 as "2024-01-05"."""
    return date.fromordinal(days + _EPOCH_DAY).isoformat()
