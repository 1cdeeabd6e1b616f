"""A catalogue snapshot from rows of the store's tables.

Rows are mappings with the columns of `schemas.records`, `valid_from` and the like as epoch
milliseconds (`from_ms`, `until_ms`); what a row leaves out takes the column's default. A row may
tell of several stations that are alike: `station_ids` instead of `station_id`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from streams.catalogue import Catalogue, StationInfo, StoredTariff, Terms
from streams.core.ocpi.findings import ERROR
from streams.core.ocpi.tariffs import read_tariff
from streams.core.pricing.choice import (
    FOREVER,
    Assignment,
    Company,
    Driver,
    Plan,
    Rule,
    Subscription,
    Timeline,
    Version,
    index_assignments,
    timeline,
)
from streams.core.pricing.compiled import compile_tariff
from streams.core.pricing.contract import UTC_ZONE

Row = Mapping[str, Any]
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
END_OF_DAY = 1440

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
T = TypeVar("T")


def build_catalogue(
    revision: int,
    stations: Iterable[Row],
    tariffs: Iterable[Row],
    **tables: Iterable[Row],
) -> Catalogue:
    """A snapshot; `tables`: drivers, companies, plans, subscriptions, assignments."""
    found = _timelines(tariffs, "tariff_id", _tariff)
    ready = {
        id(stored.tariff): stored.compiled
        for versions in found.values()
        for _, stored, _ in versions
        if stored is not None and stored.tariff is not None and stored.compiled is not None
    }
    return Catalogue(revision, _stations(stations), found, _terms(tables), ready)


def zone_of(name: str) -> ZoneInfo:
    """The zone of that name; UTC where there is none."""
    try:
        return ZoneInfo(name) if name else UTC_ZONE
    except (KeyError, ValueError, OSError):
        return UTC_ZONE


def minute_of(text: str) -> int:
    """Local time hh:mm as minutes since midnight."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes or 0)


def _timelines(
    rows: Iterable[Row], key: str, read: Callable[[Row], T]
) -> dict[tuple[str, str], Timeline[T]]:
    found: dict[tuple[str, str], list[Version[T]]] = defaultdict(list)
    for row in rows:
        value = None if row.get("deleted") else read(row)
        version = Version(row.get("from_ms", 0), value, row.get("revision", 0))
        found[row["tenant"], row[key]].append(version)
    return {name: timeline(versions) for name, versions in found.items()}


def _stations(rows: Iterable[Row]) -> dict[tuple[str, str], Timeline[StationInfo]]:
    """Timelines of stations; alike ones share theirs, which is what makes many of them light."""
    found: dict[tuple[str, str], Timeline[StationInfo]] = {}
    known: dict[StationInfo, StationInfo] = {}  # equal ones are one: terms are shared by them
    for row in sorted(rows, key=_begins):
        value = None if row.get("deleted") else _station(row)
        value = value and known.setdefault(value, value)
        alone = timeline([Version(_begins(row), value, row.get("revision", 0))])
        for name in row.get("station_ids") or [row["station_id"]]:
            key = (row["tenant"], name)
            before = found.get(key)
            found[key] = alone if before is None else (*before, *alone)
    return found


def _begins(row: Row) -> int:
    begins: int = row.get("from_ms", 0)
    return begins


def _station(row: Row) -> StationInfo:
    return StationInfo(
        row["area"],
        row["city"],
        row["country"],
        row["time_zone"],
        row["rated_power_w"],
        row["tariff_id"],
        row.get("region", ""),
        zone_of(row["time_zone"]),
    )


def _tariff(row: Row) -> StoredTariff:
    try:
        document = _DECODER.decode(row["ocpi_json"])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return StoredTariff(None, None, f"not JSON: {error}")
    if not isinstance(document, dict):
        return StoredTariff(None, None, "not an object")
    reading = read_tariff(document)
    if reading.tariff is None:
        errors = [finding for finding in reading.findings if finding.severity == ERROR]
        why = f"{errors[0].pointer or '/'} {errors[0].message}" if errors else "unreadable"
        return StoredTariff(None, None, why)
    return StoredTariff(reading.tariff, compile_tariff(reading.tariff))


def _terms(tables: Mapping[str, Iterable[Row]]) -> dict[str, Terms]:
    drivers = _timelines(tables.get("drivers", ()), "driver_key", _driver)
    companies = _timelines(tables.get("companies", ()), "company_id", _company)
    plans = _timelines(tables.get("plans", ()), "plan_id", _plan)
    subscriptions = list(tables.get("subscriptions", ()))
    assignments = list(tables.get("assignments", ()))
    keys = [*drivers, *companies, *plans]
    tenants = {tenant for tenant, _ in keys}
    tenants |= {row["tenant"] for row in [*subscriptions, *assignments]}
    out = {}
    for tenant in tenants:
        held = [row for row in subscriptions if row["tenant"] == tenant]
        assigned = [row for row in assignments if row["tenant"] == tenant]
        out[tenant] = Terms(
            {key.casefold(): v for key, v in _of(drivers, tenant).items()},
            _of(companies, tenant),
            _of(plans, tenant),
            _subscriptions(held),
            _subscribed(held),
            index_assignments(_assignments(assigned)),
            max((row.get("revision", 0) for row in assigned), default=0),
        )
    return out


def _of(timelines: Mapping[tuple[str, str], T], tenant: str) -> dict[str, T]:
    return {key: value for (owner, key), value in timelines.items() if owner == tenant}


def _driver(row: Row) -> Driver:
    return Driver(
        row["driver_id"],
        row.get("company_id", ""),
        frozenset(row.get("groups", ())),
        row.get("partner_id", ""),
    )


def _company(row: Row) -> Company:
    entry = _DECODER.decode(row["company_json"])
    pays = entry.get("pays")
    rule = None if pays is None else _rule(pays)
    return Company(row["company_id"], rule, zone_of(entry.get("time_zone", "")))


def _rule(pays: Row) -> Rule:
    days = frozenset(WEEKDAYS.index(day) for day in pays.get("days", ()))
    start = minute_of(pays.get("start_time") or "00:00")
    end = minute_of(pays.get("end_time") or "24:00")
    if end == 0 and not pays.get("start_time"):
        end = END_OF_DAY  # a lone end of 00:00 is the end of the day, as in OCPI
    areas, stations = pays.get("areas", ()), pays.get("stations", ())
    groups = pays.get("driver_groups", ())
    words = [_day_words(days)] if days else []
    if (start, end) != (0, END_OF_DAY):
        words.append(f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}")
    words = [" ".join(words)] if words else []
    words += [f"area {', '.join(areas)}"] if areas else []
    words += [f"station {', '.join(stations)}"] if stations else []
    words += [f"group {', '.join(groups)}"] if groups else []
    return Rule(
        days,
        start,
        end,
        frozenset(areas),
        frozenset(stations),
        frozenset(groups),
        "; ".join(words) or "everything",
    )


def _day_words(days: frozenset[int]) -> str:
    if days == frozenset(range(5)):
        return "weekdays"
    if days == {5, 6}:
        return "weekends"
    return ", ".join(WEEKDAYS[day].capitalize() for day in sorted(days))


def _plan(row: Row) -> Plan:
    entry = _DECODER.decode(row["plan_json"])
    percent = Decimal(str(entry.get("discount_percent") or 0)).normalize()
    own = entry.get("tariff_id") or ""
    words = ["own tariff"] if own else []
    words += [f"{percent:f} % discount"] if percent else []
    zone = zone_of(entry.get("time_zone", ""))
    return Plan(row["plan_id"], own, Fraction(percent) / 100, ", ".join(words), zone)


def _subscriptions(rows: Iterable[Row]) -> dict[str, tuple[Subscription, ...]]:
    found: dict[str, list[Subscription]] = defaultdict(list)
    for row in rows:
        if not row.get("deleted"):
            until = row.get("until_ms")
            one = Subscription(row["plan_id"], row["from_ms"], FOREVER if until is None else until)
            found[row["driver_id"]].append(one)
    return {
        driver: tuple(sorted(held, key=lambda one: (-one.from_ms, one.plan_id)))
        for driver, held in found.items()
    }


def _subscribed(rows: Iterable[Row]) -> dict[str, int]:
    out: dict[str, int] = defaultdict(int)
    for row in rows:
        out[row["driver_id"]] = max(out[row["driver_id"]], row.get("revision", 0))
    return dict(out)


def _assignments(rows: Iterable[Row]) -> Iterable[Assignment]:
    """Each row until the next of its id begins, or its own end."""
    by_id: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_id[row["assignment_id"]].append(row)
    for versions in by_id.values():
        ends = FOREVER
        for row in sorted(versions, key=lambda one: -one.get("from_ms", 0)):
            begins = row.get("from_ms", 0) or -FOREVER
            until = row.get("until_ms")
            if not row.get("deleted"):
                yield _assignment(row, begins, ends if until is None else min(ends, until))
            ends = begins


def _assignment(row: Row, from_ms: int, until_ms: int) -> Assignment:
    return Assignment(
        row["assignment_id"],
        from_ms,
        until_ms,
        row.get("priority", 0),
        row.get("tariff_id", ""),
        bool(row.get("free", 0)),
        frozenset(row.get("stations", ())),
        frozenset(row.get("areas", ())),
        row.get("driver_group", ""),
        row.get("company_id", ""),
        row.get("partner_id", ""),
    )
