"""Reports about money: dimensions together, what plans cover, fees, changes, what has no price."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from reports.catalogue import Request, find, parse_where, run
from reports.query import Address, Store, connect
from reports.render import Format, render
from schemas.errors import UserError
from tests.oracle.plans_ledger import Plan, Subscription, utc
from tests.sql.mart_store import insert, mart_address, session, session_id, slice_of
from tests.sql.plans_rows import plan_row, subscription_row

__all__ = ["mart_address"]
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def store(mart_address: Address) -> Iterator[Store]:
    with closing(connect(Address(mart_address.url))) as connection:
        yield connection


def ask(store: Store, name: str, tenant: str, *by: str, **more: Any) -> list[dict[str, Any]]:
    where = {"tenant": [tenant], **more.pop("where", {})}
    return run(store, find(name), Request(by=by, where=where, **more)).result.records()


def table(store: Store, name: str, tenant: str, *by: str, **more: Any) -> str:
    where = {"tenant": [tenant]}
    text = render(run(store, find(name), Request(by=by, where=where, **more)), Format.TABLE, 80)
    assert max(map(len, text.splitlines())) <= 80, text
    return text


def fill(address: Address, tenant: str) -> None:
    """One driver with two tokens, one of a company, one unknown; two currencies."""
    insert(
        address, "sessions",
        session(tenant, "a", driver_id="d1", driver_key="T1", payer="driver", region="West",
                payment_method="card"),
        session(tenant, "b", driver_id="d1", driver_key="T2", payer="driver", region="West",
                tariff_id="T2", amount_incl_vat="10", amount_excl_vat="8", amount_vat="2",
                ended_at="2026-04-01 00:30:00"),
        session(tenant, "c", driver_id="d2", driver_key="T3", company_id="acme", payer="company",
                payer_id="acme", area="Area B", currency="EUR", region="East"),
        session(tenant, "d", driver_key="T4", amount_incl_vat=None, amount_excl_vat=None,
                amount_vat=None, currency="", tariff_id="gone", unpriced_reason="tariff_missing"),
        session(tenant, "e", driver_key="T4", amount_incl_vat=None, amount_excl_vat=None,
                amount_vat=None, currency="", tariff_id="", status="active", ended_at=None),
    )  # fmt: skip


def test_several_dimensions_stand_side_by_side(mart_address: Address, store: Store) -> None:
    fill(mart_address, "side")
    by = ("month", "area", "region", "user", "company", "tariff", "payment_method", "payer")
    rows = ask(store, "revenue", "side", *by, basis="completion")
    names = ["period", *(f"dimension{n}" for n in ("", 2, 3, 4, 5, 6, 7)), "currency"]
    assert [tuple(row[name] for name in [*names, "amount_incl_vat"]) for row in rows] == [
        ("2026-03", "Area B", "East", "d2", "acme", "T1", "", "company", "EUR", Decimal("6.25")),
        ("2026-03", "Area A", "West", "d1", "", "T1", "card", "driver", "SEK", Decimal("6.25")),
        ("2026-04", "Area A", "West", "d1", "", "T2", "", "driver", "SEK", 10),
    ]
    request = Request(by=("area", "user"), where={"tenant": ["side"]}, basis="start")
    answer = run(store, find("revenue"), request)
    assert render(answer, Format.CSV).startswith("area,driver,currency,amount_incl_vat,")
    with pytest.raises(UserError, match="up to 7 more"):
        ask(store, "revenue", "side", "area", "area")
    with pytest.raises(UserError, match="one each of"):
        ask(store, "charging-time", "side", "station", "area")


@pytest.mark.parametrize(
    ("filters", "total"),
    [
        (["user=d1"], Decimal("16.25")),
        (["driver=T2"], 10),
        (["company=acme"], Decimal("6.25")),
        (["region=West", "tariff=T1"], Decimal("6.25")),
        (["payer=company", "payer=driver", "currency=SEK"], Decimal("16.25")),
        (["method=card"], Decimal("6.25")),
        (["plan="], Decimal("22.5")),
        (["plan=x"], 0),
    ],
)
def test_revenue_is_narrowed_by_every_filter(
    mart_address: Address, store: Store, filters: list[str], total: Decimal
) -> None:
    fill(mart_address, "narrow")
    rows = ask(store, "revenue", "narrow", basis="start", where=parse_where(filters))
    assert sum(row["amount_incl_vat"] for row in rows) == total


def test_a_filter_that_a_report_cannot_use_is_refused(store: Store) -> None:
    with pytest.raises(UserError, match="--where reason=… does not fit report energy"):
        ask(store, "energy", "x", where={"reason": ["late_event"]})


@pytest.mark.parametrize("basis", ["accrual", "completion", "start"])
def test_what_a_plan_covers_is_not_session_revenue_on_any_basis(
    mart_address: Address, store: Store, basis: str
) -> None:
    # 10 kWh for 5.00 + 25 %, of which the plan includes 4 kWh: 40 % of 6.25 is 2.50.
    tenant = f"covered {basis}"
    plan = Plan("SEK", "UTC", included_kwh=Decimal(4), fee=Decimal(31), vat=Decimal(25))
    insert(mart_address, "plans", plan_row(tenant, "p", plan))
    insert(mart_address, "subscriptions", subscription_row(
        tenant, Subscription("d1", "p", utc("2026-03-01T00:00:00"), utc("2026-04-01T00:00:00"))
    ))  # fmt: skip
    insert(mart_address, "sessions", session(
        tenant, "a", driver_id="d1", plan_id="p", payer="driver", payer_id="d1",
        rounded_excl_vat="5", rounded_incl_vat="6.25",
    ))  # fmt: skip
    insert(mart_address, "session_charges", {
        "tenant": tenant, "session_id": session_id(f"{tenant}/a"), "line": 1, "version": 1,
        "dimension": "ENERGY", "quantity": "10", "unit": "kWh", "unit_price": "0.5",
        "amount_excl_vat": "5", "amount_vat": "1.25", "currency": "SEK", "because": "",
    })  # fmt: skip
    insert(mart_address, "session_slices", *(
        slice_of(tenant, "a", f"2026-03-02 10:{minute}:00") for minute in ("00", "15", "30", "45")
    ))  # fmt: skip
    names = ("amount_incl_vat", "covered_incl_vat", "revenue_incl_vat", "revenue_excl_vat")
    rows = ask(store, "revenue", tenant, "month", "plan", basis=basis)
    assert [[row[name] for name in names] for row in rows] == [
        [Decimal("6.25"), Decimal("2.5"), Decimal("3.75"), 3]
    ]
    assert [row["sessions"] for row in rows] == [1]
    fees = ask(store, "subscriptions", tenant)
    assert [(r["period"], r["dimension"], r["amount_incl_vat"]) for r in fees] == [
        ("2026-03", "p", Decimal("38.75"))
    ]
    kinds = ask(store, "ledger", tenant, "month", "kind")
    assert {row["kind"]: row["amount_incl_vat"] for row in kinds} == {
        "session": Decimal("6.25"), "included_energy": Decimal("-2.5"),
        "subscription_fee": Decimal("38.75"),
    }  # fmt: skip
    assert "covered" in table(store, "revenue", tenant, "month", basis=basis)
    assert table(store, "subscriptions", tenant)
    assert "included_energy" in table(store, "ledger", tenant, "session")
    items = {row["kind"]: row["because"] for row in ask(store, "ledger", tenant, "session")}
    assert items["included_energy"] == (
        "Plan p includes 4 kWh a month: 4 of the 10 kWh of this session are in it "
        "(4 used in 2026-03)"
    )


def test_fees_are_earned_day_by_day_between_from_and_to(
    mart_address: Address, store: Store
) -> None:
    insert(
        mart_address, "plans", plan_row("days", "p", Plan("EUR", "Europe/Berlin", fee=Decimal(31)))
    )
    insert(mart_address, "subscriptions", subscription_row(
        "days", Subscription("d1", "p", utc("2026-02-28T23:00:00"), utc("2026-03-31T22:00:00"))
    ))  # fmt: skip
    rows = ask(
        store, "subscriptions", "days", "day", zone="Europe/Berlin",
        since=utc("2026-03-02T23:00:00"), until=utc("2026-03-05T23:00:00"),
    )  # fmt: skip
    assert [(row["period"], row["amount_incl_vat"]) for row in rows] == [
        ("2026-03-03", 1), ("2026-03-04", 1), ("2026-03-05", 1),
    ]  # fmt: skip


def test_adjustments_by_reason_and_one_by_one(mart_address: Address, store: Store) -> None:
    def change(name: str, version: int, reason: str, after: str, **more: Any) -> dict[str, Any]:
        return {
            "tenant": "adjust", "session_id": session_id(f"adjust/{name}"), "version": version,
            "replaces": version - 1, "station_id": "S1", "driver_key": "D1",
            "reason": reason, "detail": f"to {after}",
            "currency": "SEK", "before_excl_vat": "8", "before_incl_vat": "10",
            "after_excl_vat": "0", "after_incl_vat": after, "before_energy_wh": "1000",
            "after_energy_wh": "1500", "at": "2026-05-02 00:00:00", **more,
        }  # fmt: skip

    insert(mart_address, "sessions", session("adjust", "a"), session("adjust", "b"))
    insert(
        mart_address, "adjustments",
        change("a", 2, "late_event", "12.5"), change("a", 3, "catalogue", "9"),
        change("b", 2, "late_event", "11"), change("b", 2, "late_event", "11"),
        change("b", 4, "late_event", "7", currency="EUR", at="2026-06-01 00:00:00"),
    )  # fmt: skip
    rows = ask(store, "adjustments", "adjust")
    assert [
        (r["period"], r["reason"], r["currency"], r["difference_incl_vat"], r["count"])
        for r in rows
    ] == [
        ("2026-05", "late_event", "SEK", Decimal("3.5"), 2),
        ("2026-05", "catalogue", "SEK", -1, 1),
        ("2026-06", "late_event", "EUR", -3, 1),
    ]
    one = ask(store, "adjustments", "adjust", "session", where={"reason": ["catalogue"]})
    assert [(r["dimension"], r["detail"], r["station"]) for r in one] == [
        (session_id("adjust/a"), "to 9", "S1")
    ]
    assert table(store, "adjustments", "adjust")
    assert table(store, "adjustments", "adjust", "session")


def test_what_has_no_price_is_listed_until_it_has_one(mart_address: Address, store: Store) -> None:
    fill(mart_address, "unpriced")
    rows = ask(store, "unpriced", "unpriced")
    names = ("reason", "tariff", "station", "sessions", "open", "energy_kwh")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("tariff_missing", "gone", "S1", 1, 0, 10),
        ("no_tariff", "", "S1", 0, 1, 0),
    ]
    assert table(store, "unpriced", "unpriced")
    assert table(store, "unpriced", "unpriced", "session")
    insert(mart_address, "sessions", session("unpriced", "d", version=2))
    assert [row["reason"] for row in ask(store, "unpriced", "unpriced")] == ["no_tariff"]
