"""A session of ours as a document: what `laddstream session ID --json` prints, or a bare row.

With its events the session is derived anew, exactly as the worker does; without them the meter
curve gives its shape, and without that either, energy and times flow evenly from start to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.units import wh_to_mwh
from streams.core.derive import derive
from streams.core.events import ENDED, SAMPLE, STARTED, CoreEvent, Ended, Sample, Started
from streams.core.facts import Facts
from streams.core.ocpi import values
from streams.core.ocpi.cdrs import SessionDocument, SessionReading, TariffPart
from streams.core.ocpi.places import find_zone
from streams.core.ocpi.reading import Notes, mappings
from streams.core.pricing.usage import Flow, Usage, usage_of
from streams.event_rows import READ_COLUMNS, core_event
from streams.session_usage import usage_of_facts

_TEXTS: Final = ("context", "charging_state", "id_token", "attributes", "flags", "protocol")
_SESSION_TYPES: Final = frozenset(
    {"session_started", "meter_sampled", "charging_state_changed", "session_ended"}
    | {"session_expired"}
)


def is_ours(document: object) -> bool:
    """Whether a document is a session of ours: an object with `session`, or a row of sessions."""
    return isinstance(document, Mapping) and (
        isinstance(document.get("session"), Mapping) or "started_at" in document
    )


def read_ours(document: Mapping[str, Any], tz: ZoneInfo | None = None) -> SessionReading:
    """Read it; what is wrong is a finding. The zone is the row's, else `tz`, else UTC."""
    notes = Notes()
    row = document.get("session")
    if not isinstance(row, Mapping):
        row = document
    start = notes.instant(row.get("started_at"), ("started_at",))
    end = notes.instant(row.get("ended_at"), ("ended_at",))
    if end is None:
        end = notes.instant(row.get("last_event_at"), ("last_event_at",))
    if start is None:
        notes.error("missing_field", ("started_at",), "started_at is missing: no start is known.")
        return SessionReading(None, tuple(notes.found))
    if end is None or end < start:
        notes.error("bad_date", ("ended_at",), "ended_at is missing or before started_at.")
        return SessionReading(None, tuple(notes.found))
    zone = find_zone(row, tz, notes)
    usage = _derived(document, row, (start, end), zone, notes)
    if usage is None:
        usage = _even(row, start, end, zone, notes)
    if notes.failed:
        return SessionReading(None, tuple(notes.found))
    billable = row.get("status") != "invalid"
    if not billable:
        notes.warn("session_invalid", ("status",), "A session of status invalid is never billed.")
    part = TariffPart(str(row.get("tariff_id") or ""), usage)
    currency = str(row.get("currency") or "")
    session = SessionDocument(usage, (part,), (), currency, billable=billable)
    return SessionReading(session, tuple(notes.found))


def _derived(
    document: Mapping[str, Any],
    row: Mapping[str, Any],
    times: tuple[int, int],
    zone: ZoneInfo,
    notes: Notes,
) -> Usage | None:
    events = _events(document, notes) or _curve(document, row, times)
    if not events:
        return None
    facts = derive(events)
    _compare(facts, row, notes)
    return usage_of_facts(facts, zone)


def _events(document: Mapping[str, Any], notes: Notes) -> set[CoreEvent]:
    """The session's events; none at all where one of them cannot be read."""
    found: set[CoreEvent] = set()
    for i, raw in mappings(document.get("events")):
        if raw.get("type") not in _SESSION_TYPES:
            continue
        try:
            found.add(core_event(_stored(raw)))
        except (ValueError, TypeError, AttributeError, msgspec.MsgspecError):
            text = "This event cannot be read: the meter curve or the totals are taken instead."
            notes.warn("bad_event", ("events", i), text)
            return set()
    return found


def _stored(raw: Mapping[str, Any]) -> dict[str, Any]:
    """An event as `mart.events` shows it, as the sink gives it back."""
    out: dict[str, Any] = dict.fromkeys(READ_COLUMNS)
    numbers = {name: raw.get(name) for name in ("seq_no", "connector_id", "evse_id")}
    if not all(value is None or type(value) is int for value in numbers.values()):
        raise ValueError("number")
    out.update(numbers, type=raw["type"])
    out.update({name: str(raw.get(name) or "") for name in _TEXTS})
    read = values.instant(raw.get("timestamp"))
    if read is None:
        raise ValueError("timestamp")
    out["timestamp_ms"] = read.value
    for name in ("meter", "import", "export"):
        out[f"{name}_mwh"] = _milli(raw.get(f"{name}_wh"))
    out["power_mw"] = _milli(raw.get("power_w"))
    return out


def _milli(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, int | str | Decimal | float):
        return wh_to_mwh(value)
    raise ValueError("number")


def _curve(
    document: Mapping[str, Any], row: Mapping[str, Any], times: tuple[int, int]
) -> set[CoreEvent]:
    """The meter curve as samples between a start and an end; too few points are no curve."""
    samples: set[CoreEvent] = set()
    for _, raw in mappings(document.get("curve")):
        at = values.instant(raw.get("timestamp"))
        try:
            register, power = _milli(raw.get("import_wh")), _milli(raw.get("power_w"))
        except ValueError:
            continue
        if at is not None and (register is not None or power is not None):
            samples.add(Sample(SAMPLE, at.value, -1, "", register, power_mw=power))
    if len(samples) < 2:
        return set()
    try:
        stop = _milli(row.get("meter_stop_wh"))
        begin = _milli(row.get("meter_start_wh"))
    except ValueError:
        begin = stop = None
    start, end = times
    return samples | {Started(STARTED, start, -1, begin), Ended(ENDED, end, -1, stop)}


def _compare(facts: Facts, row: Mapping[str, Any], notes: Notes) -> None:
    stated = values.number(row.get("energy_wh"))
    if stated is None or facts.energy_mwh is None:
        return
    if values.scaled(stated.value, 1000) != facts.energy_mwh:
        text = f"energy_wh {stated.value} differs from what its readings give: they count."
        notes.warn("energy_differs", ("session", "energy_wh"), text)


def _even(row: Mapping[str, Any], start: int, end: int, zone: ZoneInfo, notes: Notes) -> Usage:
    """A row alone: its totals, spread evenly."""
    energy = notes.number(row.get("energy_wh"), ("energy_wh",))
    if energy is None:
        notes.warn("missing_field", ("energy_wh",), "No energy is known: it is counted as 0.")
    idle = notes.number(row.get("idle_s"), ("idle_s",))
    parking = 0 if idle is None else values.scaled(idle, 1000)
    charged = notes.number(row.get("charging_s"), ("charging_s",))
    if charged is None:
        text = "charging_s is missing: all time but idle_s is taken as charging."
        notes.warn("missing_field", ("charging_s",), text)
        charging = max(0, end - start - parking)
    else:
        charging = values.scaled(charged, 1000)
    mwh = values.scaled(energy or Decimal(0), 1000)
    return usage_of([Flow(start, end, max(0, mwh), max(0, charging), max(0, parking))], zone)
