"""The general path's rows told again as columns, and a catalogue with all kinds of plain terms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue
from streams.core.columns import ABSENT, Ints, Many, PricedLine, PricedMany
from streams.core.pricing.compiled import Compiled, Rule
from streams.core.pricing.model import ENERGY, FLAT, PARKING_TIME, TIME
from streams.core.pricing.priced import Line
from streams.lasting import Found
from streams.many_arrow import Objects, texts
from streams.many_rows import ManyRows
from streams.said import Said
from streams.session_rows import Derived

TARIFFS: dict[str, tuple[str, str | None, list[tuple[str, float, int | None, int]]]] = {
    "kwh": ("SEK", None, [("ENERGY", 2.5, 25, 1)]),
    "steps": ("EUR", None, [("FLAT", 0.5, 6, 1), ("ENERGY", 0.339, 25, 1000),
                            ("PARKING_TIME", 7.77, 25, 300)]),
    "time": ("EUR", "YES", [("TIME", 3.6, 25, 60), ("ENERGY", 0, None, 1)]),
    "yen": ("JPY", "NO", [("ENERGY", 33, 10, 1), ("TIME", 100, 10, 1), ("FLAT", 50, None, 1)]),
    "untaxed": ("EUR", "N/A", [("ENERGY", 0.25, None, 0)]),
    "refused": ("EUR", None, []),
}  # fmt: skip
"""Currency, tax_included, components: type, price, vat, step_size."""

STATIONS = {
    "S1": ("North", "Lund", "Europe/Stockholm", "kwh"),
    "S2": ("", "", "Australia/Lord_Howe", "steps"),
    "S3": ("South", "Lund", "America/New_York", "time"),
    "S4": ("North", "Kyoto", "Asia/Tokyo", "yen"),
    "S5": ("", "", "", "untaxed"),
    "S6": ("West", "", "Europe/Stockholm", "steps"),
    "S7": ("West", "", "Europe/Stockholm", "nowhere"),
    "S8": ("", "", "Europe/Stockholm", ""),
    "S9": ("East", "", "Europe/Stockholm", "refused"),
}
"""Area, city, zone, tariff. Tenant t; of tenant u nothing is known."""


def known() -> Catalogue:
    """Stations and tariffs of above; card C1 is an employee's, whose company pays, with a plan."""
    stations = [
        {"tenant": "t", "station_id": name, "area": area, "city": city, "region": f"{city}s",
         "country": "SE", "time_zone": zone, "rated_power_w": 22_000, "tariff_id": tariff}
        for name, (area, city, zone, tariff) in STATIONS.items()
    ]  # fmt: skip
    tariffs = [_tariff(name) for name in TARIFFS]
    return build_catalogue(
        3, stations, tariffs,
        drivers=[{"tenant": "t", "driver_key": "C1", "driver_id": "d-1", "company_id": "acme"}],
        companies=[{"tenant": "t", "company_id": "acme",
                    "company_json": json.dumps({"currency": "SEK", "pays": {}})}],
        plans=[{"tenant": "t", "plan_id": "p", "plan_json": "{}"}],
        subscriptions=[{"tenant": "t", "driver_id": "d-1", "plan_id": "p", "from_ms": 0}],
    )  # fmt: skip


def _tariff(name: str) -> dict[str, Any]:
    currency, tax_included, components = TARIFFS[name]
    parts = [
        {"type": kind, "price": price, "step_size": step} | ({} if vat is None else {"vat": vat})
        for kind, price, vat, step in components
    ]
    document: dict[str, Any] = {
        "id": name,
        "currency": currency,
        "elements": [{"price_components": parts}],
    }
    if tax_included is not None:
        document["tax_included"] = tax_included
    return {"tenant": "t", "tariff_id": name, "ocpi_json": json.dumps(document)}


def columns_of(derived: Sequence[Derived], catalogue: Catalogue) -> ManyRows:
    """The same figures as columns."""
    facts = [d.facts for d in derived]
    groups: dict[int, tuple[Compiled, list[int]]] = {}
    for i, row in enumerate(derived):
        compiled = catalogue.compiled(row.contract)
        if row.priced is not None:
            assert compiled is not None
            groups.setdefault(id(compiled), (compiled, []))[1].append(i)
    return ManyRows(
        said=said_of(derived),
        ids=np.frombuffer(b"".join(d.session.session_bytes for d in derived), np.int64).reshape(
            -1, 2
        ),
        start_ms=_ints([d.session.start_ts for d in derived]),
        versions=_ints([d.version for d in derived]),
        event_counts=_ints([d.event_count for d in derived]),
        connector=_ints([f.connector for f in facts]),
        evse=_ints([f.evse for f in facts]),
        many=many_of(derived),
        unpriced=Objects.of([d.unpriced_reason for d in derived]),
        prices=[
            (_ints(members), compiled, priced_of(compiled, [derived[i] for i in members]))
            for compiled, members in groups.values()
        ],
        slices_from_s=_ints([None] * len(derived)),
    )


def said_of(derived: Sequence[Derived]) -> Said:
    """Names, terms and texts."""
    sessions, facts = [d.session for d in derived], [d.facts for d in derived]
    return Said(
        tenants=texts([s.station.tenant for s in sessions]),
        stations=texts([s.station.station_id for s in sessions]),
        transactions=texts([s.transaction_ids[0] for s in sessions]),
        id_tokens=texts([f.id_token for f in facts]),
        protocols=Objects.of([s.protocol for s in sessions]),
        terms=Objects.of([Found(d.station, d.contract) for d in derived]),
        areas=Objects.of([f.area for f in facts]),
        stop_reasons=Objects.of([f.stop_reason for f in facts]),
        marked=np.zeros(len(derived), np.bool_),
    )


def many_of(derived: Sequence[Derived]) -> Many:
    """Facts and slices."""
    facts = [d.facts for d in derived]
    slices = [s for d in derived for s in d.slices]

    def of(name: str) -> Ints:
        return _ints([getattr(f, name) for f in facts])

    def named(name: str) -> np.ndarray[Any, Any]:
        out = np.empty(len(facts), np.object_)
        out[:] = [getattr(f, name) for f in facts]
        return out

    flags = np.empty(len(facts), np.object_)
    for i, f in enumerate(facts):
        flags[i] = f.flags
    return Many(
        ok=np.ones(len(facts), np.bool_),
        status=named("status"),
        quarantine=named("quarantine_reason"),
        grade=named("grade"),
        flags=flags,
        until_ms=of("until_ms"),
        settled_ms=of("until_ms"),
        closed=np.array([f.ended_ms is not None for f in facts]),
        first_event_ms=of("first_event_ms"),
        last_event_ms=of("last_event_ms"),
        energy_mwh=of("energy_mwh"),
        meter_start_mwh=of("meter_start_mwh"),
        meter_stop_mwh=of("meter_stop_mwh"),
        readings=np.zeros(len(facts), np.int64),
        max_power_mw=of("max_power_mw"),
        charging_ms=of("charging_ms"),
        idle_ms=of("idle_ms"),
        suspended_evse_ms=of("suspended_evse_ms"),
        duration_ms=of("duration_ms"),
        slice_counts=_ints([len(d.slices) for d in derived]),
        slice_start_ms=_ints([s.start for s in slices]),
        slice_energy_mwh=_ints([s.energy_mwh for s in slices]),
        slice_occupied_ms=_ints([s.occupied_ms for s in slices]),
        slice_charging_ms=_ints([s.charging_ms for s in slices]),
        slice_idle_ms=_ints([s.idle_ms for s in slices]),
    )


def priced_of(compiled: Compiled, rows: Sequence[Derived]) -> PricedMany:
    """The prices of sessions under one tariff."""
    charging = compiled.charging
    rules = [
        (rule.component, dimension, rule)
        for dimension, found in (
            (ENERGY, charging.energy), (TIME, charging.time),
            (PARKING_TIME, charging.parking), (FLAT, charging.flat),
        )
        for rule in found
    ]  # fmt: skip
    rules.sort(key=lambda entry: entry[0])
    totals = [r.total or (0, 0) for r in rows]
    rounded = [r.rounded or (0, 0) for r in rows]
    amounts = [a for r in rows for a in r.amounts]
    return PricedMany(
        ok=np.ones(len(rows), np.bool_),
        lines=[_line(compiled, dimension, rule, rows) for _, dimension, rule in rules],
        excl_micro=_ints([t[0] for t in totals]),
        incl_micro=_ints([t[1] for t in totals]),
        rounded_excl_micro=_ints([m[0] for m in rounded]),
        rounded_incl_micro=_ints([m[1] for m in rounded]),
        slice_excl_micro=_ints([a[0] for a in amounts]),
        slice_incl_micro=_ints([a[1] for a in amounts]),
    )


def _line(compiled: Compiled, dimension: str, rule: Rule, rows: Sequence[Derived]) -> PricedLine:
    element, component = compiled.components[rule.component]
    found: list[tuple[Line, tuple[int, int]] | None] = []
    for row in rows:
        assert row.priced is not None
        mine = zip(row.priced.lines, row.priced.line_micro(), strict=True)
        found.append(
            next((x for x in mine if x[0].component is component and x[0].element == element), None)
        )

    def of(name: str) -> Ints:
        return _ints([0 if x is None else getattr(x[0], name) for x in found])

    return PricedLine(
        dimension=dimension,
        rule=rule,
        present=np.array([x is not None for x in found]),
        quantity=of("quantity"),
        billed=of("billed"),
        rest_ms=of("start_ms"),
        start_ms=of("start_ms"),
        end_ms=of("end_ms"),
        excl_micro=_ints([0 if x is None else x[1][0] for x in found]),
        incl_micro=_ints([0 if x is None else x[1][1] for x in found]),
    )


def _ints(values: Sequence[int | None]) -> Ints:
    return np.array([ABSENT if v is None else v for v in values], np.int64)
