"""OCPI CDRs and Sessions (2.1.1, 2.2.1, 2.3.0) as the usage that the engine prices.

charging_periods are the volumes; a period ends where the next begins. What pricing does not need
may be missing and is named. Sources: mod_cdrs and mod_sessions of the three versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from streams.core.ocpi.findings import Finding
from streams.core.ocpi.periods import Parts, energy_unit, flows_of, read_periods
from streams.core.ocpi.places import check_coordinates, find_zone
from streams.core.ocpi.reading import Notes, mappings
from streams.core.ocpi.values import scaled, shown
from streams.core.ocpi.version import TARIFF, guess_version
from streams.core.ocpi.volumes import HOUR_MS, hours_ms, same_hours
from streams.core.pricing.usage import Flow, Usage, usage_of

_LONGEST_MS: Final = 366 * 86_400_000
_LATEST_MS: Final = 84_006 * 86_400_000  # 2200-01-01
_START: Final = ("start_date_time", "start_datetime")
_END: Final = ("end_date_time", "stop_date_time", "end_datetime")
_CDR_FIELDS: Final = (
    "country_code", "party_id", "id", "cdr_token", "auth_method", "cdr_location", "currency",
    "total_cost", "total_energy", "total_time", "last_updated",
)  # fmt: skip
_SESSION_FIELDS: Final = (
    "country_code", "party_id", "id", "kwh", "cdr_token", "auth_method", "location_id",
    "currency", "status", "last_updated",
)  # fmt: skip
_2_1_1: Final = {
    "country_code": "id", "party_id": "id", "cdr_token": "auth_id", "cdr_location": "location",
    "location_id": "location",
}  # fmt: skip
"""What stands in a 2.1.1 document instead."""


@dataclass(frozen=True, slots=True)
class TariffPart:
    """The stretches of a session under one tariff id ("" where the periods name none)."""

    tariff_id: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class SessionDocument:
    """A session as it can be priced. `parts` in order of time: one unless its periods name
    several tariffs. `tariffs`: those the document carries. `credit`: the price is negated.
    `billable`: a Session of status INVALID is not. `total_excl`: the cost the document states.
    """

    usage: Usage
    parts: tuple[TariffPart, ...]
    tariffs: tuple[Mapping[str, Any], ...]
    currency: str
    credit: bool = False
    billable: bool = True


@dataclass(frozen=True, slots=True)
class SessionReading:
    """`session` is None exactly when a finding has severity "error"."""

    session: SessionDocument | None
    findings: tuple[Finding, ...]


def read_session(document: object, tz: ZoneInfo | None = None) -> SessionReading:
    """Read one CDR or Session object; never raises on decoded JSON.

    The zone is the location's, else `tz`, else UTC with a warning.
    """
    notes = Notes()
    if not isinstance(document, Mapping):
        notes.error("not_a_session", (), "It is no JSON object.")
        return SessionReading(None, tuple(notes.found))
    if guess_version(document).kind == TARIFF and "charging_periods" not in document:
        notes.error("not_a_session", (), "It is a tariff.")
        return SessionReading(None, tuple(notes.found))
    zone = find_zone(document, tz, notes)
    check_coordinates(document, notes)
    credit = _credit(document, notes)
    times = _times(document, notes)
    if times is None:
        return SessionReading(None, tuple(notes.found))
    parts = _parts(document, times, notes, credit=credit)
    _missing(document, notes)
    if notes.failed:
        return SessionReading(None, tuple(notes.found))
    currency = document.get("currency")
    status = document.get("status")
    billable = not (isinstance(status, str) and status.upper() == "INVALID")
    if not billable:
        notes.warn("session_invalid", ("status",), "A session of status INVALID is never billed.")
    usage = _usage(parts.flows, parts, zone)
    if not _plausible(usage):
        text = "The time stamps are before 1970, after 2200 or more than a year apart."
        notes.error("bad_date", ("start_date_time",), text)
        return SessionReading(None, tuple(notes.found))
    session = SessionDocument(
        usage=usage,
        parts=_by_tariff(parts, usage, zone),
        tariffs=tuple(item for _, item in mappings(document.get("tariffs"))),
        currency=currency.strip().upper() if isinstance(currency, str) else "",
        credit=credit,
        billable=billable,
    )
    return SessionReading(session, tuple(notes.found))


def _credit(document: Mapping[str, Any], notes: Notes) -> bool:
    """A credit CDR takes back what another one charged: 2.2.1 mod_cdrs, Credit CDRs."""
    stated = document.get("credit")
    credit = stated is True or (isinstance(stated, str) and stated.strip().lower() == "true")
    credit = credit or (stated is None and bool(document.get("credit_reference_id")))
    if credit:
        text = "A credit CDR: its price is the negated price of its volumes."
        notes.warn("credit_cdr", ("credit",), text)
    return credit


def _times(document: Mapping[str, Any], notes: Notes) -> tuple[int, int | None] | None:
    """Start and end; the start may come from the first period. None: no time at all."""
    start = _first_time(document, _START, notes)
    end = _first_time(document, _END, notes)
    if start is None:
        stamps = [
            notes.instant(period.get("start_date_time"), ("charging_periods", i, "start_date_time"))
            for i, period in mappings(document.get("charging_periods"))
        ]
        known = [stamp for stamp in stamps if stamp is not None]
        if not known:
            if not notes.failed:
                kind, text = guess_version(document).kind, "Nothing says when it began."
                if kind:
                    notes.error("missing_field", ("start_date_time",), text)
                else:
                    notes.error("not_a_session", (), "It looks like none.")
            return None
        start = min(known)
        text = "start_date_time is missing: the first charging period's is taken."
        notes.warn("missing_field", ("start_date_time",), text)
    if end is not None and end < start:
        notes.error("bad_date", ("end_date_time",), "The end is before the start.")
        return None
    return start, end


def _first_time(document: Mapping[str, Any], names: tuple[str, ...], notes: Notes) -> int | None:
    for name in names:
        if document.get(name) is not None:
            return notes.instant(document[name], (name,))
    return None


def _parts(
    document: Mapping[str, Any], times: tuple[int, int | None], notes: Notes, *, credit: bool
) -> Parts:
    start, end = times
    raw = notes.listed(document.get("charging_periods"), ("charging_periods",))
    if raw is not None and not isinstance(raw, list | tuple):
        notes.error("bad_value", ("charging_periods",), f"{shown(raw)} is no list of periods.")
    periods = read_periods(raw, start, notes, credit=credit)
    if not periods:
        return _totals_only(document, times, notes, credit=credit)
    total = _total_energy(document, notes, credit=credit)
    wh = energy_unit(periods, total, notes)
    if end is None:
        end = _open_end(document, periods[-1].start_ms, notes)
    elif end < periods[0].start_ms:
        text = "All charging periods are later than the session's end: their time stamps count."
        notes.warn("period_outside", ("charging_periods",), text)
        start, end = periods[0].start_ms, periods[-1].start_ms
    return flows_of(periods, start, end, wh, notes)


def _total_energy(document: Mapping[str, Any], notes: Notes, *, credit: bool) -> Decimal | None:
    name = "total_energy" if document.get("total_energy") is not None else "kwh"
    total = notes.number(document.get(name), (name,))
    return -total if credit and total is not None and total < 0 else total


def _open_end(document: Mapping[str, Any], last_ms: int, notes: Notes) -> int:
    """An unfinished session ends, for now, where it was last heard of."""
    updated = notes.instant(document.get("last_updated"), ("last_updated",))
    end = last_ms if updated is None else max(last_ms, updated)
    text = "end_date_time is missing: the session is taken to end with its last sign of life."
    notes.warn("missing_field", ("end_date_time",), text)
    return end


def _totals_only(
    document: Mapping[str, Any], times: tuple[int, int | None], notes: Notes, *, credit: bool
) -> Parts:
    """Without charging periods the totals are all there is."""
    text = "There are no charging_periods: energy and time are the document's totals."
    notes.warn("no_charging_periods", ("charging_periods",), text)
    energy = _total_energy(document, notes, credit=credit)
    if energy is None:
        notes.warn("missing_field", ("kwh",), "No energy is stated: it is counted as 0.")
    elif energy < 0:
        notes.warn("negative_volume", ("kwh",), f"Energy {energy} is negative: it counts as 0.")
    start, end = times
    end = _open_end(document, start, notes) if end is None else end
    length, parking = end - start, 0
    hours = notes.number(document.get("total_time"), ("total_time",))
    if hours is not None and not same_hours(abs(hours), length):
        length = hours_ms(abs(hours))
        if length > end - start:
            text = f"total_time {hours} h is more than the {(end - start) / HOUR_MS:.4f} h between."
            notes.warn("volume_exceeds_time", ("total_time",), text)
    parked = notes.number(document.get("total_parking_time"), ("total_parking_time",))
    if parked is not None:
        parking = min(length, hours_ms(abs(parked)))
    mwh = max(0, scaled(energy or Decimal(0), 1_000_000))
    return Parts((Flow(start, end, mwh, length - parking, parking),), ("",))


def _usage(flows: tuple[Flow, ...], parts: Parts, zone: ZoneInfo) -> Usage:
    return usage_of(
        flows,
        zone,
        reservation=parts.reservation,
        reservation_expired=parts.reservation_expired,
    )


def _plausible(usage: Usage) -> bool:
    first = min([usage.start_ms, *(flow.start_ms for flow in usage.reservation)])
    return first >= 0 and usage.end_ms < _LATEST_MS and usage.end_ms - first <= _LONGEST_MS


def _by_tariff(parts: Parts, whole: Usage, zone: ZoneInfo) -> tuple[TariffPart, ...]:
    """Periods that name no tariff go with the one before, the first ones with the first named."""
    named = [tariff_id for tariff_id in parts.tariff_ids if tariff_id]
    if len(set(named)) < 2:
        return (TariffPart(named[0] if named else "", whole),)
    out: dict[str, list[Flow]] = {}
    current = named[0]
    for flow, tariff_id in zip(parts.flows, parts.tariff_ids, strict=True):
        current = tariff_id or current
        out.setdefault(current, []).append(flow)
    return tuple(
        TariffPart(tariff_id, _usage(tuple(flows), parts if i == 0 else Parts(), zone))
        for i, (tariff_id, flows) in enumerate(out.items())
    )


def _missing(document: Mapping[str, Any], notes: Notes) -> None:
    """Name what the specification requires and pricing can do without."""
    is_session = "kwh" in document or "status" in document
    for name in _SESSION_FIELDS if is_session else _CDR_FIELDS:
        if document.get(name) is None and document.get(_2_1_1.get(name, name)) is None:
            notes.warn("missing_field", (name,), f"{name} is missing; the price does not need it.")
