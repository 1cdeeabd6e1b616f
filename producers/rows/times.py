"""Points in time as data sets write them, made UTC: formats, zones, clock changes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from producers.rows.numbers import round_half_up

FIXED_FORMATS = ("iso", "epoch_s", "epoch_ms", "excel")
"""Formats by name: ISO 8601, seconds or milliseconds since 1970, Excel's day number."""

REPEATED_HOUR = "repeated_hour"
"""Flag: the local time exists twice (clocks went back)."""

SPRING_GAP = "spring_gap"
"""Flag: the local time does not exist (clocks went forward); read with the offset before."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # local by nature
_MS = timedelta(milliseconds=1)
_DAY_MS = 86_400_000
_FIRST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MS
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MS
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII)


@lru_cache(maxsize=1024)
def parse_zone(text: str) -> tzinfo:
    """The zone of an IANA name or of a fixed offset such as `+01:00`. Raises ValueError."""
    plain = text.strip()
    if plain.upper() in {"Z", "UTC", "GMT"}:
        return UTC
    if found := _OFFSET.fullmatch(plain):
        sign, hours, minutes = found[1], int(found[2]), int(found[3] or 0)
        offset = timedelta(hours=hours, minutes=minutes)
        if offset < timedelta(days=1) and minutes < 60:
            return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(plain)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"{text[:60]!r} is no time zone: write an IANA name such as 'Europe/London' "
            "or an offset such as '+01:00'"
        ) from error


def parse_moment(parts: Sequence[object], formats: Sequence[str], separator: str = " ") -> datetime:
    """The time in the cells `parts`: aware if they say the zone, else naive local.

    Cells of spreadsheets that are dates or times already need no format. Raises ValueError.
    """
    if any(isinstance(part, date | time) for part in parts):
        return _native(parts, formats, separator)
    return _parse_text(separator.join(str(part).strip() for part in parts), tuple(formats))


@lru_cache(maxsize=65_536)
def _parse_text(text: str, formats: tuple[str, ...]) -> datetime:
    for each in formats:
        try:
            return _parse_one(text, each)
        except (ValueError, OverflowError, InvalidOperation):
            continue
    raise ValueError(f"{text[:60]!r} is in none of the formats {', '.join(map(repr, formats))}")


def _parse_one(text: str, time_format: str) -> datetime:
    match time_format:
        case "iso":
            return datetime.fromisoformat(text)
        case "epoch_s":
            return _EPOCH + round_half_up(_finite(text) * 1000) * _MS
        case "epoch_ms":
            return _EPOCH + round_half_up(_finite(text)) * _MS
        case "excel":
            days = sum(map(_finite, text.split() or [""]), Fraction(0))
            return _EXCEL_EPOCH + round_half_up(days * _DAY_MS) * _MS
        case _:
            return datetime.strptime(text, time_format)  # noqa: DTZ007  # the zone comes later


def _finite(text: str) -> Fraction:
    number = Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > 20:
        raise ValueError(text)
    return Fraction(number)


def _native(parts: Sequence[object], formats: Sequence[str], separator: str) -> datetime:
    """Date and time cells of a spreadsheet, alone, together, or one beside a text."""
    if len(parts) == 1 and isinstance(parts[0], datetime):
        return parts[0]
    texts = []
    for part in parts:
        if isinstance(part, datetime):
            texts.append(part.date().isoformat() if len(parts) > 1 else part.isoformat())
        elif isinstance(part, date | time):
            texts.append(part.isoformat())
        else:
            texts.append(str(part).strip())
    try:
        return datetime.fromisoformat(" ".join(texts))
    except ValueError:
        return _parse_text(separator.join(texts), tuple(formats))


def swap_day_and_month(moment: datetime) -> datetime:
    """Day and month exchanged wherever both readings are dates (day 12 or less)."""
    if moment.day > 12 or moment.day == moment.month:
        return moment
    return moment.replace(day=moment.month, month=moment.day)


def to_utc(
    moment: datetime, zone: tzinfo | None, not_before_ms: int | None = None
) -> tuple[int, tuple[str, ...]]:
    """Epoch milliseconds of a local time, and the flags of a clock change.

    In the repeated hour the first reading holds, unless it lies before `not_before_ms` and
    the second does not. A time in the spring gap is read with the offset before the change.
    Raises ValueError for a time without zone or beyond the calendar.
    """
    if moment.tzinfo is not None:
        return _ms(moment), ()
    if zone is None:
        raise ValueError("the time has no zone, and the mapping names none")
    first = _ms(moment.replace(tzinfo=zone, fold=0))
    second = _ms(moment.replace(tzinfo=zone, fold=1))
    if first == second:
        return first, ()
    if second < first:
        return first, (SPRING_GAP,)
    if not_before_ms is not None and first < not_before_ms <= second:
        return second, (REPEATED_HOUR,)
    return first, (REPEATED_HOUR,)


def within_calendar(epoch_ms: int) -> int:
    """`epoch_ms`, unless it lies outside the years 1 to 9999: then ValueError."""
    if not _FIRST_MS <= epoch_ms <= _LAST_MS:
        raise ValueError("the time is beyond the calendar")
    return epoch_ms


def _ms(moment: datetime) -> int:
    return within_calendar((moment - _EPOCH) // _MS)
