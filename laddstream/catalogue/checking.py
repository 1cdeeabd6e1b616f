"""Raw entries into rows of the store's tables, with everything that is wrong in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from pydantic import ValidationError

from laddstream.catalogue.converting import Raw
from laddstream.catalogue.documents import Fault
from laddstream.catalogue.entries import (
    MODELS,
    AssignmentEntry,
    CompanyEntry,
    DriverEntry,
    Entry,
    PlanEntry,
    StationEntry,
    SubscriptionEntry,
    plain,
)
from laddstream.catalogue.tariff_entry import read_entry

_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_MICRODEGREE = Decimal("0.000001")

Key = tuple[str, ...]
"""(table, tenant, id …): what has one history."""

KEYS = {
    "stations": "station_id",
    "tariffs": "id",
    "companies": "company_id",
    "plans": "plan_id",
    "drivers": "driver_id",
    "subscriptions": "driver_id",
    "assignments": "assignment_id",
}

Values = dict[str, Any]
"""The columns of a row without key, time and revision."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row as it shall be from an instant on; `values` None: ended. `owner`: the driver whose
    other tokens end with it.
    """

    key: Key
    from_ms: int
    values: Values | None
    raw: Raw
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Defaults:
    """For entries that do not say: tenant, from when on, and the zone of local times."""

    tenant: str
    valid_from: datetime | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    ignore_unknown: bool = False


@dataclass(slots=True)
class Contents:
    """What the files hold, checked as far as that goes without the store."""

    defaults: Defaults
    rows: list[Wanted] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    late: list[tuple[Raw, SubscriptionEntry]] = field(default_factory=list)
    """Subscriptions in local time of a plan that only the store knows."""
    refused: set[tuple[str, str]] = field(default_factory=set)
    """Lists and ids of entries with faults: whoever names them names nothing unknown."""


def check(raws: Iterable[Raw], defaults: Defaults) -> Contents:
    """Every entry checked for itself, and that none is there twice."""
    out = Contents(defaults)
    entries = [(raw, entry) for raw in raws if (entry := _entry(raw, out)) is not None]
    zones = {
        (entry.tenant or defaults.tenant, entry.plan_id): ZoneInfo(entry.time_zone)
        for _, entry in entries
        if isinstance(entry, PlanEntry) and entry.time_zone
    }
    for raw, entry in entries:
        tenant = entry.tenant or defaults.tenant
        if raw.section == "tariffs":
            out.rows.extend(_tariff(raw, entry, tenant, defaults, out))
        elif isinstance(entry, SubscriptionEntry):
            zone = zones.get((tenant, entry.plan_id))
            if zone is None and _is_local(entry) and not entry.backwards:
                out.late.append((raw, entry))
            else:
                out.rows.append(subscription_row(raw, entry, tenant, zone or defaults.zone, out))
        else:
            out.rows.extend(_rows(raw, entry, tenant, defaults, out))
    out.faults.extend(_repeated(out.rows))
    return out


def _entry(raw: Raw, out: Contents) -> Entry | None:
    section = "drivers" if raw.section == "tokens" else raw.section
    model = MODELS[section][1 if raw.fields.get("deleted") is True else 0]
    fields = raw.fields
    if section == "tariffs":
        fields = fields | {"id": fields.get("id") or fields.get("tariffId")}
    fields = {name: value for name, value in fields.items() if value is not None}
    if section == "companies" and raw.fields.get("pays", "") is None:
        fields["pays"] = None
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False):
            out.faults.append(raw.fault(tuple(one["loc"]), _sentence(dict(one))))
        if section == "tariffs" and fields.get("deleted") is not True:
            ignoring = out.defaults.ignore_unknown
            reading = read_entry(raw, _document(raw), ignore_unknown=ignoring)
            out.faults.extend(_of_prices(raw, reading.faults))
        out.refused.add((section, str(fields.get(KEYS[section], ""))))
        return None


_SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "no field of this list",
    "string_pattern_mismatch": "line breaks and control characters are not allowed",
    "too_short": "at least one is needed",
    "string_too_short": "must not be empty",
}


def _sentence(error: dict[str, Any]) -> str:
    kind, message = error["type"], error["msg"]
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    what = message.removeprefix("Input ")
    what = what[:1].lower() + what[1:]
    if kind == "model_type":
        what = "should be an object with the fields of docs/catalogue.md"
    return what if kind == "one" else f"{what}, not {str(error['input'])[:60]!r}"


def instant(value: datetime, zone: ZoneInfo) -> int:
    """Epoch milliseconds; a time without zone is on the clock of `zone`."""
    aware = value if value.tzinfo else value.replace(tzinfo=zone)
    return round(aware.timestamp() * 1000)


def _from(entry: Entry, own: datetime | None, defaults: Defaults) -> int:
    value = own or entry.valid_from or defaults.valid_from
    return max(0, instant(value, defaults.zone)) if value else 0


def _rows(
    raw: Raw, entry: Entry, tenant: str, defaults: Defaults, out: Contents
) -> Iterator[Wanted]:
    from_ms = _from(entry, getattr(entry, "from_", None), defaults)
    section = "drivers" if raw.section == "tokens" else raw.section
    if entry.deleted:
        key: Key = (section, tenant, getattr(entry, KEYS[section]))
        if section == "subscriptions":
            key = (*key, getattr(entry, "plan_id", ""))
        yield Wanted(key, from_ms, None, raw, key[2] if section == "drivers" else "")
    elif isinstance(entry, DriverEntry):
        owner = "" if raw.section == "tokens" else entry.driver_id
        for token in entry.tokens:
            yield Wanted(("drivers", tenant, token), from_ms, _driver(entry), raw, owner)
    elif isinstance(entry, StationEntry):
        yield Wanted(("stations", tenant, entry.station_id), from_ms, _station(entry), raw)
    elif isinstance(entry, CompanyEntry):
        values: Values = {"name": entry.name, "company_json": _json(plain(entry))}
        yield Wanted(("companies", tenant, entry.company_id), from_ms, values, raw)
    elif isinstance(entry, PlanEntry):
        values = {"name": entry.name, "plan_json": _json(plain(entry))}
        yield Wanted(("plans", tenant, entry.plan_id), from_ms, values, raw)
    elif isinstance(entry, AssignmentEntry):
        values = _assignment(entry, defaults)
        until_ms = values["until_ms"]
        if isinstance(until_ms, int) and until_ms <= from_ms:
            out.faults.append(raw.fault(("until",), "is not after from"))
        yield Wanted(("assignments", tenant, entry.assignment_id), from_ms, values, raw)


def _json(document: Mapping[str, Any]) -> str:
    return _ENCODER.encode(document).decode()


def _station(entry: StationEntry) -> Values:
    powers = [one.power_w for one in entry.connectors if one.power_w]
    connectors = [one.model_dump(exclude_defaults=True) for one in entry.connectors]
    return {
        "name": entry.name,
        "area": entry.area,
        "city": entry.city,
        "region": entry.region,
        "country": entry.country,
        "latitude": entry.latitude if entry.latitude is None
        else entry.latitude.quantize(_MICRODEGREE),
        "longitude": entry.longitude if entry.longitude is None
        else entry.longitude.quantize(_MICRODEGREE),
        "time_zone": entry.time_zone,
        "rated_power_w": entry.rated_power_w or max(powers, default=None),
        "tariff_id": entry.tariff_id,
        "location_id": entry.location_id,
        "connectors": _ENCODER.encode(connectors).decode() if connectors else "",
    }  # fmt: skip


def _driver(entry: DriverEntry) -> Values:
    return {
        "driver_id": entry.driver_id,
        "name": entry.name,
        "company_id": entry.company_id,
        "groups": sorted(set(entry.groups)),
        "partner_id": entry.partner_id,
    }


def _assignment(entry: AssignmentEntry, defaults: Defaults) -> Values:
    return {
        "until_ms": None if entry.until is None else instant(entry.until, defaults.zone),
        "priority": entry.priority,
        "tariff_id": entry.tariff_id,
        "free": int(entry.free),
        "stations": sorted(set(entry.stations)),
        "areas": sorted(set(entry.areas)),
        "driver_group": entry.driver_group,
        "company_id": entry.company_id,
        "partner_id": entry.partner_id,
    }


def _is_local(entry: SubscriptionEntry) -> bool:
    return any(value is not None and value.tzinfo is None for value in (entry.from_, entry.until))


def subscription_row(
    raw: Raw, entry: SubscriptionEntry, tenant: str, zone: ZoneInfo, out: Contents
) -> Wanted:
    """The row of a subscription; local times are on the clock of its plan."""
    from_ms = max(0, instant(entry.from_, zone))
    until_ms = None if entry.until is None else instant(entry.until, zone)
    if until_ms is not None and until_ms <= from_ms:
        out.faults.append(raw.fault(("until",), "is not after from"))
    key = ("subscriptions", tenant, entry.driver_id, entry.plan_id)
    return Wanted(key, from_ms, {"until_ms": until_ms}, raw)


def _tariff(
    raw: Raw, entry: Entry, tenant: str, defaults: Defaults, out: Contents
) -> Iterator[Wanted]:
    key: Key = ("tariffs", tenant, str(getattr(entry, "id", "")))
    from_ms = _from(entry, None, defaults)
    if entry.deleted:
        yield Wanted(key, from_ms, None, raw)
        return
    document = _document(raw)
    reading = read_entry(raw, document, ignore_unknown=defaults.ignore_unknown)
    out.faults.extend(_of_prices(raw, reading.faults))
    out.notes.extend(reading.notes)
    if entry.valid_from is None and reading.begins_ms is not None:
        from_ms = max(from_ms, reading.begins_ms)
    yield Wanted(key, from_ms, {"ocpi_json": _VERBATIM.encode(document).decode()}, raw)


def _of_prices(raw: Raw, faults: list[Fault]) -> Iterator[Fault]:
    """All but what follows from a price of a CSV row that could not be read."""
    return (one for one in faults if not (raw.flat and raw.faults and one.field == "energy"))


def _document(raw: Raw) -> dict[str, Any]:
    """The tariff without what is ours."""
    return {k: v for k, v in raw.fields.items() if k not in Entry.model_fields}


_VERBATIM = msgspec.json.Encoder(decimal_format="number")


def _repeated(rows: Iterable[Wanted]) -> Iterator[Fault]:
    """Two entries of one key that begin at one instant; tokens differ in more than case."""
    seen: dict[tuple[Any, ...], Raw] = {}
    for row in rows:
        key: tuple[Any, ...] = (*row.key, row.from_ms)
        if row.key[0] == "drivers":
            key = ("token", *(part.casefold() for part in row.key[1:]), row.from_ms)
        names = [(key, row.key[2])]
        if row.owner:
            names.append((("driver", row.key[1], row.owner, row.from_ms), row.owner))
        for name, shown in names:
            first = seen.setdefault(name, row.raw)
            if first is not row.raw:
                where = first.fault((), "")
                yield row.raw.fault((), f"{shown} is there already: {where.file}:{where.line}")
                break
