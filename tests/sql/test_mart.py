"""The views of `mart` on a real store: current rows only, local times, hand-made sums."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from laddstream.migrate import SQL, apply, status, view_statements
from reports.query import Address, Store, connect, connect_client
from schemas.errors import DefectError, UserError
from tests.sql.mart_store import DATABASE, insert, mart_address, session, session_id, slice_of

__all__ = ["mart_address"]
pytestmark = pytest.mark.integration

PROMISED = {
    "sessions": (
        "session_id tenant station_id connector_id driver_key company_id area city country "
        "started_at ended_at status energy_wh duration_s charging_s idle_s amount_excl_vat "
        "amount_vat amount_incl_vat currency tariff_id payment_method grade flags "
        "quarantine_reason event_count version updated_at"
    ),
    "session_slices": (
        "session_id slice_start station_id area driver_key tariff_id currency energy_wh "
        "amount_excl_vat amount_incl_vat provisional"
    ),
    "meter_curve": "session_id timestamp import_wh export_wh power_w soc_percent",
}
"""What others rely on, column by column, from the design."""


@pytest.fixture
def store(mart_address: Address) -> Iterator[Store]:
    with closing(connect(mart_address)) as connection:
        yield connection


def rows(store: Store, statement: str, **parameters: str) -> list[dict[str, Any]]:
    return store.fetch(statement, parameters).records()


def test_a_second_migration_changes_nothing(mart_address: Address) -> None:
    assert apply(mart_address, DATABASE) == []
    found = status(mart_address, DATABASE)
    assert found.pending == found.changed == ()
    assert found.applied == tuple(sorted(p.stem for p in (SQL / "migrations").glob("*.sql")))


def test_a_migration_that_was_edited_afterwards_is_refused(mart_address: Address) -> None:
    with closing(connect_client(mart_address)) as client:
        client.command("CREATE DATABASE edited")
        client.command(f"CREATE TABLE edited.schema_versions AS {DATABASE}.schema_versions")
        client.command(
            "INSERT INTO edited.schema_versions SELECT version, 'other', script, created_at "
            "FROM laddstream.schema_versions"
        )
    with pytest.raises(DefectError, match="md5 is not equal"):
        apply(mart_address, "edited")


def test_a_database_name_that_is_sql_is_refused(mart_address: Address) -> None:
    with pytest.raises(UserError, match="no name for a database"):
        apply(mart_address, "x`; DROP DATABASE laddstream; --")


def test_every_view_answers_and_is_explained(store: Store) -> None:
    names = list(view_statements(DATABASE))
    for name in names:
        store.fetch(f"SELECT * FROM {name} LIMIT 1")
    tables = rows(store, "SELECT name, comment FROM system.tables WHERE database = 'mart'")
    assert {f"mart.{t['name']}" for t in tables} == set(names)
    assert [t["name"] for t in tables if len(t["comment"]) < 20] == []
    bare = rows(
        store, "SELECT table, name FROM system.columns WHERE database = 'mart' AND comment = ''"
    )
    assert bare == []


@pytest.mark.parametrize("view", PROMISED)
def test_promised_columns_come_first_and_in_order(store: Store, view: str) -> None:
    promised = PROMISED[view].split()
    columns = store.fetch(f"SELECT * FROM mart.{view} LIMIT 0").names
    assert list(columns[: len(promised)]) == promised


def test_no_view_carries_energy_or_money_as_a_float(store: Store) -> None:
    floats = rows(
        store,
        "SELECT table, name FROM system.columns WHERE database = 'mart' AND type ILIKE '%float%'",
    )
    assert floats == []


def test_units_are_in_the_text_of_every_measured_column(store: Store) -> None:
    units = {"_wh": "Wh", "_s": "seconds", "_w": "W", "_percent": "percent", "_at": "UTC"}
    columns = rows(store, "SELECT name, comment FROM system.columns WHERE database = 'mart'")
    missing = [
        c["name"]
        for c in columns
        for suffix, unit in units.items()
        if c["name"].endswith(suffix) and unit not in c["comment"]
    ]
    assert missing == []


def test_the_highest_version_of_a_session_is_shown_once(
    mart_address: Address, store: Store
) -> None:
    insert(mart_address, "sessions", session("versions", "a", version=3, energy_wh="3000"))
    insert(mart_address, "sessions", session("versions", "a", version=2, energy_wh="2000"))
    insert(mart_address, "sessions", session("versions", "a", version=3, energy_wh="3000"))
    found = rows(store, "SELECT energy_wh, version FROM mart.sessions WHERE tenant = 'versions'")
    assert found == [{"energy_wh": 3000, "version": 3}]


def test_a_released_session_disappears(mart_address: Address, store: Store) -> None:
    insert(mart_address, "sessions", session("released", "a"), session("released", "b"))
    insert(mart_address, "sessions", session("released", "a", version=2, status="released"))
    found = rows(store, "SELECT transaction_id FROM mart.sessions WHERE tenant = 'released'")
    assert found == [{"transaction_id": "b"}]


def test_an_open_session_without_a_reason_is_still_not_in_the_totals(
    mart_address: Address, store: Store
) -> None:
    row = session("open", "a", status="active", ended_at=None, quarantine_reason="")
    insert(mart_address, "sessions", row)
    found = rows(store, "SELECT quarantine_reason FROM mart.sessions WHERE tenant = 'open'")
    assert found == [{"quarantine_reason": "active"}]
    aside = rows(store, "SELECT reason, open FROM mart.set_aside_sessions WHERE tenant = 'open'")
    assert aside == [{"reason": "active", "open": 1}]


@pytest.mark.parametrize(
    ("zone", "utc", "local"),
    [
        ("Europe/Stockholm", "2026-03-29 00:59:59", "2026-03-29 01:59:59"),
        ("Europe/Stockholm", "2026-03-29 01:00:00", "2026-03-29 03:00:00"),
        ("Europe/Stockholm", "2026-10-25 00:30:00", "2026-10-25 02:30:00"),
        ("Europe/Stockholm", "2026-10-25 01:30:00", "2026-10-25 02:30:00"),
        ("Asia/Kathmandu", "2026-10-25 18:30:00", "2026-10-26 00:15:00"),
        ("", "2026-10-25 18:30:00", None),
        ("Moon/Crater", "2026-10-25 18:30:00", None),
    ],
)
def test_local_times_follow_the_zone_of_the_row(
    mart_address: Address, store: Store, zone: str, utc: str, local: str | None
) -> None:
    tenant = f"zone {zone} {utc}"
    insert(mart_address, "sessions", session(tenant, "a", time_zone=zone, started_at=utc))
    found = rows(
        store, "SELECT started_local FROM mart.sessions WHERE tenant = {t:String}", t=tenant
    )
    assert found == [{"started_local": local}]


def test_a_slice_that_no_longer_applies_is_not_shown(mart_address: Address, store: Store) -> None:
    at = "2026-03-02 10:15:00"
    insert(mart_address, "stations", {
        "tenant": "slices", "station_id": "S1", "revision": 1, "time_zone": "Europe/Stockholm",
    })  # fmt: skip
    insert(mart_address, "session_slices", slice_of("slices", "a", "2026-03-02 10:00:00"))
    insert(mart_address, "session_slices", slice_of("slices", "a", at))
    nothing = dict.fromkeys(
        ("energy_wh", "occupied_s", "charging_s", "idle_s", "amount_excl_vat", "amount_incl_vat"),
        "0",
    )
    insert(mart_address, "session_slices", slice_of("slices", "a", at, version=2, **nothing))
    found = rows(
        store, "SELECT slice_start, slice_local FROM mart.session_slices WHERE tenant = 'slices'"
    )
    assert found == [{"slice_start": "2026-03-02T10:00:00Z", "slice_local": "2026-03-02 11:00:00"}]


def test_lines_of_an_older_pricing_are_not_shown(mart_address: Address, store: Store) -> None:
    def line(number: int, version: int, amount: str) -> dict[str, Any]:
        return {
            "tenant": "charges", "session_id": session_id("charges/bill"), "line": number,
            "version": version, "dimension": "ENERGY", "quantity": "1", "unit": "kWh",
            "unit_price": amount, "amount_excl_vat": amount, "amount_vat": "0", "currency": "SEK",
            "because": "test",
        }  # fmt: skip

    insert(mart_address, "session_charges", line(1, 1, "1"), line(2, 1, "2"), line(3, 1, "3"))
    insert(mart_address, "session_charges", line(1, 2, "5"), line(2, 2, "7.000001"))
    insert(mart_address, "sessions", session("charges", "bill", version=2))
    shown = (
        "SELECT line, amount_excl_vat FROM mart.session_charges WHERE tenant = 'charges' "
        "ORDER BY line"
    )
    assert rows(store, shown) == [
        {"line": 1, "amount_excl_vat": 5},
        {"line": 2, "amount_excl_vat": Decimal("7.000001")},
    ]

    insert(mart_address, "sessions", session("charges", "bill", version=3))
    assert rows(store, shown) == [], "the session has no price any more"


def event(tenant: str, at: str, kind: str, **changes: Any) -> dict[str, Any]:
    row = {
        "tenant": tenant, "station_id": "S1", "timestamp": at, "type": kind,
        "session_id": session_id(tenant), "protocol": "ocpp1.6",
    }  # fmt: skip
    return row | changes


def test_an_event_that_arrives_again_is_one_event(mart_address: Address, store: Store) -> None:
    at = "2026-03-02 10:00:00"
    for offset in (1, 2):
        insert(mart_address, "events", event(
            "again", at, "session_started", meter_wh="10", message_id=f"m{offset}",
            kafka_topic="t", kafka_partition=0, kafka_offset=offset,
        ))  # fmt: skip
    insert(mart_address, "events", event("again", at, "session_started", meter_wh="11"))
    found = rows(store, "SELECT meter_wh FROM mart.events WHERE tenant = 'again' ORDER BY 1")
    assert [row["meter_wh"] for row in found] == [10, 11]


def test_the_curve_has_samples_and_both_registers_but_nothing_of_imports(
    mart_address: Address, store: Store
) -> None:
    insert(
        mart_address, "events",
        event("curve", "2026-03-02 10:00:00", "session_started", meter_wh="100"),
        event("curve", "2026-03-02 10:10:00", "meter_sampled", import_wh="1100.5", power_w="7000",
              context="Sample.Periodic", soc_percent="55.5"),
        event("curve", "2026-03-02 10:20:00", "session_ended", meter_wh="2100"),
        event("curve", "2026-03-02 10:15:00", "charging_state_changed"),
        event("curve", "2026-03-02 10:16:00", "meter_sampled", import_wh="5",
              session_id="00000000-0000-0000-0000-000000000000"),
        event("curve", "2026-03-02 10:17:00", "session_ended", meter_wh="9", protocol="import"),
    )  # fmt: skip
    found = rows(
        store,
        "SELECT import_wh, power_w, soc_percent, context FROM mart.meter_curve "
        "WHERE tenant = 'curve' ORDER BY timestamp",
    )
    none = {"power_w": None, "soc_percent": None}
    assert found == [
        {"import_wh": 100, "context": "Transaction.Begin", **none},
        {"import_wh": Decimal("1100.5"), "power_w": 7000, "soc_percent": Decimal("55.5"),
         "context": "Sample.Periodic"},
        {"import_wh": 2100, "context": "Transaction.End", **none},
    ]  # fmt: skip


def test_status_events_are_read_from_the_attributes(mart_address: Address, store: Store) -> None:
    text = '{"status":"Faulted","error_code":"GroundFailure","info":"it\'s wet"}'
    insert(mart_address, "events", event(
        "status", "2026-03-02 10:00:00", "station_status", attributes=text
    ))  # fmt: skip
    found = rows(store, "SELECT status, error_code, vendor_error_code, info "
                        "FROM mart.status_events WHERE tenant = 'status'")  # fmt: skip
    assert found == [
        {"status": "Faulted", "error_code": "GroundFailure", "vendor_error_code": "",
         "info": "it's wet"}
    ]  # fmt: skip


def test_energy_between_two_sessions_is_missing_energy(mart_address: Address, store: Store) -> None:
    def metered(
        name: str, hour: int, start: str, stop: str | None, **changes: Any
    ) -> dict[str, Any]:
        return session(
            "missing", name, started_at=f"2026-03-02 {hour:02}:00:00", meter_start_wh=start,
            meter_stop_wh=stop, **changes,
        )  # fmt: skip

    insert(
        mart_address, "sessions",
        metered("a", 8, "1000", "2000"),
        metered("b", 10, "2000", "3000"),  # nothing between a and b
        metered("c", 12, "3500.5", "4000"),  # 500.5 Wh between b and c
        metered("d", 14, "0", "100"),  # a new meter: no energy is missing, and none is negative
        metered("e", 9, "9000", "9100", connector_id=2),  # another connector
        metered("f", 11, "99999", "99999", protocol="import"),  # made registers
    )  # fmt: skip
    found = rows(
        store,
        "SELECT previous_session_id, next_session_id, missing_wh, meter_from_wh, meter_to_wh "
        "FROM mart.missing_energy WHERE tenant = 'missing'",
    )
    assert found == [
        {
            "previous_session_id": session_id("missing/b"),
            "next_session_id": session_id("missing/c"),
            "missing_wh": Decimal("500.5"), "meter_from_wh": 3000, "meter_to_wh": Decimal("3500.5"),
        }
    ]  # fmt: skip


def test_dead_letters_are_named_and_belong_to_the_tenant_of_their_key(
    mart_address: Address, store: Store
) -> None:
    def letter(key: str, index: int) -> dict[str, Any]:
        return {
            "kafka_topic": "charging.events", "kafka_partition": 3, "kafka_offset": 17,
            "kafka_index": index, "reason": "not_json", "kafka_key": key,
        }  # fmt: skip

    insert(mart_address, "dead_letters", letter("letters/A/1", -1), letter("broken", 4))
    insert(mart_address, "dead_letters", letter("letters/A/1", -1))
    found = rows(
        store,
        "SELECT dead_letter_id, tenant, station_id FROM mart.dead_letters "
        "WHERE kafka_offset = 17 ORDER BY 1",
    )
    assert found == [
        {"dead_letter_id": "charging.events-3-17", "tenant": "letters", "station_id": "A/1"},
        {"dead_letter_id": "charging.events-3-17-4", "tenant": "", "station_id": ""},
    ]


@pytest.mark.parametrize(("basis", "at"), [("start", "10:00"), ("completion", "11:00")])
def test_a_session_counts_at_the_instant_of_its_basis(
    mart_address: Address, store: Store, basis: str, at: str
) -> None:
    tenant = f"facts {basis}"
    insert(mart_address, "sessions", session(tenant, "a"))
    insert(mart_address, "sessions", session(
        tenant, "b", ended_at="1970-01-01 00:00:00", quarantine_reason="clock_bad",
    ))  # fmt: skip
    found = rows(
        store,
        "SELECT at, state FROM mart.facts WHERE tenant = {t:String} AND basis = {b:String} "
        "ORDER BY state",
        t=tenant, b=basis,
    )  # fmt: skip
    assert found == [
        {"at": f"2026-03-02T{at}:00.000Z", "state": "counted"},
        {"at": "2026-03-02T10:00:00.000Z", "state": "set_aside"},
    ]


def test_the_manual_has_every_view_and_column_as_the_store_has_them(store: Store) -> None:
    manual = (SQL.parent / "docs" / "mart.md").read_text(encoding="utf-8")
    columns = rows(
        store, "SELECT table, name, type, comment FROM system.columns WHERE database = 'mart'"
    )
    for part in manual.split("\n## mart.")[1:]:
        view = part.split("\n", 1)[0]
        told = [line for line in part.splitlines() if line.startswith("| `")]
        real = [f"| `{c['name']}` | {c['type']} | {c['comment']} |" for c in columns
                if c["table"] == view]  # fmt: skip
        assert told == real, view
    assert {c["table"] for c in columns} == set(
        re.findall(r"^## mart\.(\w+)$", manual, re.MULTILINE)
    )
