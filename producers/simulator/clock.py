"""Whole seconds since the epoch as wire time stamps, fast: only the day needs a calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

_DAY_S = 86_400
_SECONDS = tuple(f"{second:02d}.000Z" for second in range(60))
_MINUTES = tuple(f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return f"{datetime.fromtimestamp(number * _DAY_S, UTC):%Y-%m-%dT}"


def iso(at: int) -> str:
    """`2026-03-01T12:00:00.000Z` for seconds since the epoch."""
    day, second = divmod(at, _DAY_S)
    return _day(day) + _MINUTES[second // 60] + _SECONDS[second % 60]
