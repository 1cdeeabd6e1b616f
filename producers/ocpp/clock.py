"""Times of chargers: reading what they write, and repairing what their clocks do.

Rules: domain-rules 2.5 rows 24-26. All times are UTC epoch milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from producers.ocpp.fields import list_of, object_of
from producers.ocpp.model import Clock, Flag, Flags

QUARTER_MS = 15 * 60 * 1000
TOLERANCE_MS = 2 * 60 * 1000
MAX_QUARTERS = 14 * 4
"""UTC+14 is the largest offset in use."""

DAY_MS = 24 * 60 * 60 * 1000
EARLIEST_MS = int(datetime(2010, 1, 1, tzinfo=UTC).timestamp()) * 1000
"""OCPP-J is younger: an earlier stamp comes from a clock that was never set."""

LATEST_MS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(
    r"([0-9]{4})-?([0-9]{1,2})-?([0-9]{1,2})[Tt ]\s*([0-9]{1,2}):?([0-9]{2})(?::?([0-9]{2}))?"
    r"(?:[.,]([0-9]+))?\s*(?:([Zz]|UTC|GMT)|([+-])([0-9]{2}):?([0-9]{2})?)?"
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """An event time and what had to be done to it."""

    ms: int
    flags: Flags = ()


def parse_time(value: object, zone: tzinfo | None = None) -> tuple[int, bool] | None:
    """ISO 8601 as chargers write it: epoch milliseconds, and whether the zone was missing.

    Offsets `+03`, `+0300`, `+03:00`, `z`; any number of decimals (cut to milliseconds), a blank
    for `T`. Without zone the time is local to `zone`, else UTC; the repeated hour of autumn
    is taken as its first. None: no time, or one before 1970.
    """
    if not isinstance(value, str) or len(value) > 100:
        return None
    match = _TIME.fullmatch(value.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, utc, sign, off_h, off_m = match.groups()
    try:
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=UTC)
        naive = utc is None and sign is None
        if naive and zone is not None:
            local = local.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    seconds, offset = int(second or 0), int(off_h or 0) * 60 + int(off_m or 0)
    if seconds > 60 or offset > 18 * 60:
        return None
    ms = (local - _EPOCH) // timedelta(milliseconds=1) + seconds * 1000
    ms += int((fraction or "0")[:3].ljust(3, "0"))
    ms -= (-offset if sign == "-" else offset) * 60_000
    return (ms, naive) if ms >= 0 else None


def main_time(payload: Mapping[str, object], zone: tzinfo | None) -> int | None:
    """When a message says it was written: its own stamp, else the newest of its meter values."""
    own = parse_time(payload.get("timestamp"), zone)
    if own is not None:
        return own[0]
    entries = [object_of(entry) for entry in list_of(payload.get("meterValue"))]
    times = [parse_time(entry.get("timestamp"), zone) for entry in entries]
    return max((time[0] for time in times if time is not None), default=None)


def observe(clock: Clock, stamp_ms: int | None, received_ms: int | None, *, live: bool) -> Clock:
    """Learn from one message whether the station stamps local time as UTC.

    A stamp ahead of its receipt by n x 15 minutes proves it at once. A stamp behind proves
    nothing, it may have been queued; but status messages right after a boot (`live`) are
    never queued: two that agree prove an offset of either sign, also against the time that
    the boot answer told where nobody noted the receipt.
    """
    fresh = clock.fresh and live
    reference = received_ms if received_ms is not None else clock.told_ms if fresh else None
    clock = replace(clock, fresh=fresh)
    if stamp_ms is None or reference is None or not EARLIEST_MS <= stamp_ms < LATEST_MS:
        return clock
    lead = stamp_ms - reference
    quarters = (lead + QUARTER_MS // 2) // QUARTER_MS
    if abs(lead - quarters * QUARTER_MS) > TOLERANCE_MS or abs(quarters) > MAX_QUARTERS:
        return clock
    if (received_ms is not None and quarters >= 0) or (fresh and clock.suspect == quarters):
        return replace(clock, offset_ms=quarters * QUARTER_MS, suspect=None)
    return replace(clock, suspect=quarters) if fresh else clock


def settle(
    value: object, clock: Clock, received_ms: int | None, zone: tzinfo | None
) -> Stamp | None:
    """The event time for what a message wrote; None where there is nothing to go by."""
    parsed = parse_time(value, zone)
    if parsed is None:
        if received_ms is None:
            return None
        absent = value is None or value == ""
        flag = Flag.TIMESTAMP_RECEIVED if absent else Flag.TIMESTAMP_UNREADABLE
        return Stamp(received_ms, (flag.value,))
    ms, naive = parsed
    flags: Flags = (Flag.TIMESTAMP_NAIVE.value,) if naive else ()
    future = received_ms is not None and ms > received_ms + DAY_MS
    if future or not EARLIEST_MS <= ms < LATEST_MS:
        return Stamp(ms if received_ms is None else received_ms, (*flags, Flag.CLOCK_BAD.value))
    if clock.offset_ms:
        return Stamp(ms - clock.offset_ms, (*flags, Flag.CLOCK_CORRECTED.value))
    if received_ms is not None and ms > received_ms + QUARTER_MS:
        flags = (*flags, Flag.CLOCK_AHEAD.value)
    return Stamp(ms, flags)
