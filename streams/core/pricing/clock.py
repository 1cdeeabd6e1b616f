"""The clock on the wall of a site: its offsets from UTC over a span, and when it strikes.

Daylight saving is in it: an hour that the clock repeats strikes twice, one that it skips never.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_PROBE_MS = 12 * 3_600_000
"""No zone has changed its offset there and back within twelve hours."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def offset_ms(zone: ZoneInfo, instant_ms: int) -> int:
    """Offset of local time from UTC at an instant; positive east of Greenwich."""
    local = (_EPOCH + timedelta(milliseconds=instant_ms)).astimezone(zone)
    offset = local.utcoffset()
    return 0 if offset is None else offset // timedelta(milliseconds=1)


def offsets(zone: ZoneInfo, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """(instant from which it holds, offset) over [start_ms, end_ms], the first at `start_ms`."""
    here = offset_ms(zone, start_ms)
    out = [(start_ms, here)]
    at = start_ms
    while at < end_ms:
        probe = min(at + _PROBE_MS, end_ms)
        there = offset_ms(zone, probe)
        if there != here:
            out.append((_transition(zone, at, probe, here), there))
            here = there
        at = probe
    return out


def _transition(zone: ZoneInfo, low: int, high: int, before: int) -> int:
    """The first instant of (low, high] whose offset is no longer `before`."""
    while high - low > 1:
        middle = (low + high) // 2
        if offset_ms(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def strikes(regimes: Sequence[tuple[int, int]], end_ms: int, minutes: Sequence[int]) -> list[int]:
    """Instants inside the span at which the local clock shows one of `minutes` of the day, and
    those at which it is set; ascending, without the span's own start and end.
    """
    found: set[int] = {at for at, _ in regimes[1:]}
    for i, (begin, offset) in enumerate(regimes):
        end = regimes[i + 1][0] if i + 1 < len(regimes) else end_ms
        for day in range((begin + offset) // DAY_MS, (end + offset) // DAY_MS + 1):
            midnight = day * DAY_MS - offset
            for minute in minutes:
                at = midnight + minute * _MINUTE_MS
                if begin < at < end:
                    found.add(at)
    return sorted(found)
