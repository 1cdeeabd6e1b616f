"""When a line of a frame log says that the server got the frame."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from producers.ocpp.clock import parse_time

_ZONE_NAME = re.compile(r"[A-Za-z]+(?:[/_+-][A-Za-z0-9_+-]+)*")
_ZONE_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])([0-9]{1,2})(?::?([0-9]{2}))?")
_LATEST_S = 4_102_444_800
"""2100-01-01 in epoch seconds: a larger number counts milliseconds."""


def received_ms(line: Mapping[str, object]) -> int | None:
    """When the server got the frame: `received_at` (text or epoch), else local time and zone.

    None where the line does not say, or says it without a zone.
    """
    at, zone = line.get("received_at"), zone_of(line.get("server_tz"))
    if isinstance(at, int | Decimal) and not isinstance(at, bool):
        seconds = at <= _LATEST_S
        return int(at * 1000 if seconds else at) if 0 <= at <= _LATEST_S * 1000 else None
    for value, fallback in ((at, zone or UTC), (line.get("received_local"), zone)):
        parsed = parse_time(value, fallback)
        if parsed is not None and not (parsed[1] and fallback is None):
            return parsed[0]
    return None


def zone_of(value: object) -> tzinfo | None:
    """The zone a text like `Europe/Zurich (CET, UTC+1)`, `UTC+1` or `+05:30` starts with."""
    if not isinstance(value, str) or not value.strip():
        return None
    text = value.strip()
    offset = _ZONE_OFFSET.match(text)
    if offset is not None:
        sign, hours, minutes = offset.groups()
        total = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return None if total >= timedelta(days=1) else timezone(-total if sign == "-" else total)
    name = _ZONE_NAME.match(text)
    if name is None:
        return None
    try:
        return ZoneInfo("UTC" if name[0].upper() in {"Z", "UTC", "GMT"} else name[0])
    except (KeyError, OSError, ValueError):
        return None
