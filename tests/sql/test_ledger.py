"""Plans, companies and fees settled by the views, against an independent calculation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from reports.query import Address, Store, connect
from schemas.currencies import minor_exponent
from tests.oracle.plans_ledger import Account, Plan, Subscription, fees, settle, utc
from tests.sql.mart_store import insert, mart_address, session, session_id
from tests.sql.plans_rows import (
    COMPANIES,
    PLANS,
    SUBSCRIPTIONS,
    company_row,
    plan_row,
    rows_of,
    sessions_of,
    subscription_row,
)

__all__ = ["mart_address"]
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def store(mart_address: Address) -> Iterator[Store]:
    with closing(connect(mart_address)) as connection:
        yield connection


def rows(store: Store, statement: str, **parameters: str) -> list[dict[str, Any]]:
    return store.fetch(statement, parameters).records()


def fill(address: Address, tenant: str, seed: int, count: int) -> dict[str, Account]:
    sessions = sessions_of(seed, tenant, count)
    made = [rows_of(tenant, one) for one in sessions]
    insert(address, "sessions", *(row for row, _ in made))
    insert(address, "session_charges", *(line for _, lines in made for line in lines))
    insert(address, "plans", *(plan_row(tenant, name, plan) for name, plan in PLANS.items()))
    insert(address, "companies", *(company_row(tenant, *one) for one in COMPANIES.items()))
    return settle(sessions, PLANS, COMPANIES)


@pytest.mark.parametrize("seed", range(12))
def test_settlement_equals_the_calculation_session_by_session(
    mart_address: Address, store: Store, seed: int
) -> None:
    tenant = f"settled {seed}"
    expected = fill(mart_address, tenant, seed, 400)
    found = rows(store, "SELECT * FROM mart.session_settlement WHERE tenant = {t:String}", t=tenant)
    assert len(found) > 200
    for row in found:
        account = expected[row["session_id"]]
        got = [
            (row[f"{part}_excl_vat"], row[f"{part}_incl_vat"])
            for part in ("included", "capped", "share", "limit")
        ]
        wanted = [account.included, account.capped, account.share, account.limited]
        assert (got, row["included_wh"]) == (wanted, account.covered_wh), row
    owed: dict[str, dict[tuple[str, str], tuple[Decimal, Decimal]]] = defaultdict(dict)
    for row in rows(store, "SELECT * FROM mart.session_owed WHERE tenant = {t:String}", t=tenant):
        key = (row["payer"], row["payer_id"])
        owed[row["session_id"]][key] = (row["owed_excl_vat"], row["owed_incl_vat"])
        assert row["because"]
    assert owed == {key: account.owed for key, account in expected.items()}
    kinds = ("included", "capped", "share", "limited")
    busy = [sum(1 for a in expected.values() if getattr(a, k) != (0, 0)) for k in kinds]
    assert min(busy) >= 5, "every rule took hold"


def test_the_ledger_adds_up_to_what_each_payer_owes(mart_address: Address, store: Store) -> None:
    fill(mart_address, "sums", 99, 400)
    off = rows(
        store,
        """
        SELECT session_id, payer, sum(excl), sum(incl) FROM (
            SELECT session_id, payer, payer_id, amount_excl_vat AS excl, amount_incl_vat AS incl
            FROM mart.ledger WHERE tenant = 'sums' AND session_id IS NOT NULL
            UNION ALL
            SELECT session_id, payer, payer_id, -owed_excl_vat, -owed_incl_vat
            FROM mart.session_owed WHERE tenant = 'sums'
        ) GROUP BY session_id, payer, payer_id HAVING sum(excl) != 0 OR sum(incl) != 0
        """,
    )
    assert off == []
    ids = rows(
        store,
        "SELECT count() AS n, uniqExact(entry_id) AS ids, countIf(because = '') AS bare, "
        "countIf(amount_excl_vat + amount_vat != amount_incl_vat) AS vat "
        "FROM mart.ledger WHERE tenant = 'sums'",
    )[0]
    assert ids["n"] == ids["ids"]
    assert (ids["bare"], ids["vat"]) == (0, 0)
    exact = rows(
        store,
        "SELECT sum(amount_incl_vat) AS a FROM mart.ledger WHERE tenant = 'sums' AND kind NOT IN "
        "('rounding', 'included_energy', 'included_session', 'cap')",
    )
    assert exact == rows(
        store, "SELECT sum(amount_incl_vat) AS a FROM mart.sessions WHERE tenant = 'sums'"
    )


def test_fees_and_their_days_equal_the_calculation(mart_address: Address, store: Store) -> None:
    tenant = "fees"
    insert(mart_address, "plans", *(plan_row(tenant, *one) for one in PLANS.items()))
    insert(mart_address, "subscriptions", *(subscription_row(tenant, s) for s in SUBSCRIPTIONS))
    expected = fees(SUBSCRIPTIONS, PLANS, datetime.now(UTC))
    found = {
        (row["driver_id"], row["plan_id"], datetime.fromisoformat(row["starts_at"]), row["month"]):
        ([date.fromisoformat(day) for day in row["held"]], row["amount_excl_vat"],
         row["amount_incl_vat"])
        for row in rows(store, "SELECT * FROM mart.subscription_fees WHERE tenant = 'fees'")
    }  # fmt: skip
    assert found == expected
    days = rows(
        store,
        "SELECT driver_id, plan_id, starts_at, month, groupArray(day) AS held, "
        "sum(amount_excl_vat) AS excl, sum(amount_incl_vat) AS incl, "
        "max(amount_incl_vat) - min(amount_incl_vat) AS spread FROM "
        "(SELECT * FROM mart.subscription_revenue WHERE tenant = 'fees' ORDER BY day) "
        "GROUP BY driver_id, plan_id, starts_at, month",
    )
    for row in days:
        start = datetime.fromisoformat(row["starts_at"])
        held, excl, incl = expected[row["driver_id"], row["plan_id"], start, row["month"]]
        assert [date.fromisoformat(day) for day in row["held"]] == held
        assert (row["excl"], row["incl"]) == (excl, incl)
        assert row["spread"] <= Decimal("0.000001")
    assert len(days) == sum(1 for days_, _, _ in expected.values() if days_)


def test_a_fee_by_hand(mart_address: Address, store: Store) -> None:
    # 17 of the 31 days of March from the 15th: 79.20 x 17 / 31 = 43.432258; with 25 %: 54.290323.
    insert(mart_address, "plans", plan_row("hand", "kwh", PLANS["kwh"]))
    one = Subscription("d1", "kwh", utc("2026-03-15T08:00:00"), utc("2026-03-31T22:00:00"))
    insert(mart_address, "subscriptions", subscription_row("hand", one))
    found = rows(
        store, "SELECT kind, amount_excl_vat, amount_incl_vat, because, payer_id FROM mart.ledger "
        "WHERE tenant = 'hand' ORDER BY kind DESC",
    )  # fmt: skip
    assert [(r["kind"], r["amount_excl_vat"], r["amount_incl_vat"]) for r in found] == [
        ("subscription_fee", Decimal("43.432258"), Decimal("54.290323")),
        ("rounding", Decimal("-0.002258"), Decimal("-0.000323")),
    ]
    assert found[0]["because"] == (
        "Plan kwh costs 79.2 SEK without VAT a month, for 17 of 31 days from 2026-03-15"
    )
    assert found[0]["payer_id"] == "d1"


def test_terms_of_a_month_are_those_in_force_when_it_begins(
    mart_address: Address, store: Store
) -> None:
    tenant = "terms"
    old, new = Plan("SEK", "UTC", included_sessions=1), Plan("SEK", "UTC", included_sessions=0)
    insert(
        mart_address, "plans", plan_row(tenant, "p", old),
        plan_row(tenant, "p", new, valid_from="2026-03-15 00:00:00", revision=2),
        plan_row(tenant, "p", new, valid_from="2026-05-01 00:00:00", revision=3, deleted=1),
    )  # fmt: skip
    for month in ("03", "04", "05"):
        insert(mart_address, "sessions", session(
            tenant, month, started_at=f"2026-{month}-20 10:00:00", driver_id="d", plan_id="p",
            payer="driver", payer_id="d", ended_at=f"2026-{month}-20 11:00:00",
        ))  # fmt: skip
    found = rows(
        store, "SELECT month, included_session FROM mart.session_settlement "
        "WHERE tenant = 'terms' ORDER BY month",
    )  # fmt: skip
    assert [row["included_session"] for row in found] == [1, 0, 0]


def test_an_adjustment_is_an_entry_of_its_own_when_it_became_known(
    mart_address: Address, store: Store
) -> None:
    insert(mart_address, "sessions", session("late", "a", version=3))
    insert(mart_address, "adjustments", {
        "tenant": "late", "session_id": session_id("late/a"), "version": 3, "replaces": 2,
        "station_id": "S1", "driver_key": "D1", "reason": "late_event", "detail": "2 more readings",
        "currency": "SEK",
        "before_excl_vat": "4", "before_incl_vat": "5", "after_excl_vat": "5",
        "after_incl_vat": "6.25", "at": "2026-04-01 00:00:00",
    })  # fmt: skip
    found = rows(
        store, "SELECT period, kind, amount_incl_vat, because FROM mart.ledger "
        "WHERE tenant = 'late' ORDER BY at",
    )  # fmt: skip
    assert found == [
        {"period": "2026-03", "kind": "session", "amount_incl_vat": 5,
         "because": "Priced with tariff T1"},
        {"period": "2026-04", "kind": "adjustment", "amount_incl_vat": Decimal("1.25"),
         "because": "late_event: 2 more readings"},
    ]  # fmt: skip


def test_minor_units_of_every_currency_are_those_of_iso_4217(
    mart_address: Address, store: Store
) -> None:
    codes = ["JPY", "KWD", "CLF", "UYW", "ISK", "TND", "SEK", "XAF", "BHD", "HUF", "IDR"]
    whole = {
        0: 123457,
        2: Decimal("123456.79"),
        3: Decimal("123456.790"),
        4: Decimal("123456.7895"),
    }
    insert(
        mart_address, "plans", plan_row("minor", "p", Plan("SEK", "UTC", included_kwh=Decimal(0)))
    )
    insert(mart_address, "sessions", *(
        session("minor", code, currency=code, amount_incl_vat="123456.78951", payer="driver",
                plan_id="p", driver_id="d", payer_id="d") for code in codes
    ))  # fmt: skip
    found = rows(
        store, "SELECT currency, owed_incl_vat FROM mart.session_owed WHERE tenant = 'minor'"
    )
    assert {row["currency"]: row["owed_incl_vat"] for row in found} == {
        code: whole[minor_exponent(code) or 0] for code in codes
    }


def test_what_a_plan_covers_is_not_left_to_correct_on_an_invoice(
    mart_address: Address, store: Store
) -> None:
    tenant = "invoiced"
    insert(mart_address, "plans", plan_row(tenant, "p", Plan("SEK", "UTC", cap=Decimal(4))))
    for name in ("a", "b"):
        insert(
            mart_address, "sessions",
            session(tenant, name, driver_id="d", plan_id="p", payer="driver", payer_id="d"),
        )  # fmt: skip
        insert(mart_address, "invoiced_sessions", {
            "tenant": tenant, "session_id": session_id(f"{tenant}/{name}"), "invoice_id": "I-1",
            "currency": "SEK", "amount_excl_vat": "3.2", "amount_incl_vat": "4",
        })  # fmt: skip
    found = rows(
        store, "SELECT owed_incl_vat, open_incl_vat FROM mart.invoiced_sessions "
        "WHERE tenant = 'invoiced' ORDER BY owed_incl_vat DESC",
    )  # fmt: skip
    assert [tuple(row.values()) for row in found] == [(4, 0), (0, -4)]
