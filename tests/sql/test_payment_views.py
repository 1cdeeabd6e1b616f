"""Payments on a real store: linked, counted once, set against what is owed; sums by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from reports.catalogue import Request, find, run
from reports.query import Address, Store, connect
from tests.sql.mart_store import insert, mart_address, session, session_id

__all__ = ["mart_address"]
pytestmark = pytest.mark.integration

NIL = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def store(mart_address: Address) -> Iterator[Store]:
    with closing(connect(Address(mart_address.url))) as connection:
        yield connection


def payment(tenant: str, name: str, amount: str = "6.25", **changes: Any) -> dict[str, Any]:
    """A captured card payment in SEK, five minutes after the usual session's end."""
    row = {
        "tenant": tenant, "psp": "acme", "payment_id": name, "kind": "captured",
        "timestamp": "2026-03-02 11:05:00", "amount": amount, "currency": "SEK", "method": "card",
    }  # fmt: skip
    return row | changes


def of(tenant: str, name: str) -> dict[str, str]:
    return {"session_id": session_id(f"{tenant}/{name}")}


def ask(store: Store, name: str, tenant: str, *by: str, **where: str) -> list[dict[str, Any]]:
    wanted = {"tenant": [tenant]} | {key: [value] for key, value in where.items()}
    return run(store, find(name), Request(by=by, where=wanted)).result.records()


def rows(store: Store, columns: str, tenant: str, view: str = "payments") -> list[tuple[Any, ...]]:
    found = store.fetch(
        f"SELECT {columns} FROM mart.{view} WHERE tenant = {{t:String}} ORDER BY ALL",
        {"t": tenant},
    )
    return [tuple(row) for row in found.data]


def test_a_payment_sent_again_is_one_payment(mart_address: Address, store: Store) -> None:
    for offset in (4, 9):
        insert(mart_address, "payments", payment("again", "p1", kafka_offset=offset))
    assert rows(store, "payment_id, amount, counted, conflict", "again") == [
        ("p1", Decimal("6.25"), 1, 0)
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_contradictions_are_kept_and_flagged_and_count_once_in_any_order(
    mart_address: Address, store: Store, order: tuple[int, ...]
) -> None:
    tenant = f"conflict {order}"
    told = [
        payment(tenant, "p1", "10"),
        payment(tenant, "p1", "12"),
        payment(tenant, "p2", "5"),
    ]
    for index in order:
        insert(mart_address, "payments", told[index])
    assert rows(store, "payment_id, amount, counted, conflict", tenant) == [
        ("p1", 10, 0, 1), ("p1", 12, 1, 1), ("p2", 5, 1, 0),
    ]  # fmt: skip
    (row,) = ask(store, "payments", tenant)
    assert (row["captured_incl_vat"], row["count"], row["conflicts"]) == (17, 2, 1)


def test_a_settlement_line_confirms_an_event_and_is_no_second_payment(
    mart_address: Address, store: Store
) -> None:
    # Two refunds of 2 are two events; the settlement has both, later, and one more of 3.
    t = "settled"
    live = {"kind": "refunded", "session_id": session_id("settled/a")}
    line = {"kind": "refunded", "settlement_id": "batch-7", "fee_amount": "0.1", "method": "other"}
    insert(mart_address, "sessions", session(t, "a"))
    insert(
        mart_address, "payments",
        payment(t, "p1", "2", **live),
        payment(t, "p1", "2", **live, timestamp="2026-03-03 10:00:00"),
        payment(t, "p1", "2", **line, timestamp="2026-03-04 00:00:00"),
        payment(t, "p1", "2", **line, timestamp="2026-03-05 00:00:00"),
        payment(t, "p1", "3", **line, timestamp="2026-03-06 00:00:00"),
    )  # fmt: skip
    assert rows(store, "at, amount, counted, settlement_id, fee_amount, linked, method", t) == [
        ("2026-03-02T11:05:00.000Z", 2, 1, "batch-7", Decimal("0.1"), "session_id", "card"),
        ("2026-03-03T10:00:00.000Z", 2, 1, "batch-7", Decimal("0.1"), "session_id", "card"),
        ("2026-03-04T00:00:00.000Z", 2, 0, "batch-7", Decimal("0.1"), "payment", "card"),
        ("2026-03-05T00:00:00.000Z", 2, 0, "batch-7", Decimal("0.1"), "payment", "card"),
        ("2026-03-06T00:00:00.000Z", 3, 1, "batch-7", Decimal("0.1"), "payment", "card"),
    ]  # fmt: skip
    assert rows(store, "refunded, net, fee_amount", t, "session_payments") == [
        (7, -7, Decimal("0.3"))
    ]


def test_a_payment_finds_its_session_and_its_driver(mart_address: Address, store: Store) -> None:
    t = "linked"
    second = {"started_at": "2026-03-05 10:00:00", "ended_at": "2026-03-05 11:00:00"}
    insert(
        mart_address, "sessions",
        session(t, "a", driver_id="driver-17", company_id="c-1"),
        session(t, "b", transaction_id="77", transaction_ids=["77", "-1"]),
        session(t, "c", transaction_id="77", transaction_ids=["77"], **second),
        session(t, "gone", status="released"),
    )  # fmt: skip
    insert(mart_address, "drivers", {
        "tenant": t, "driver_key": "D9", "valid_from": "2020-01-01 00:00:00", "revision": 1,
        "driver_id": "driver-9", "groups": [],
    })  # fmt: skip
    at_s1 = {"station_id": "S1"}
    insert(
        mart_address, "payments",
        payment(t, "by id", **of(t, "a")),
        payment(t, "by transaction", **at_s1, transaction_id="77"),
        payment(t, "later one", **at_s1, transaction_id="77", timestamp="2026-03-05 11:01:00"),
        payment(t, "before its start", **at_s1, transaction_id="77",
                timestamp="2026-03-01 11:01:00"),
        payment(t, "by reference", reference=session_id(f"{t}/a").upper()),
        payment(t, "by payment", kind="authorised", **of(t, "a")),
        payment(t, "by payment", timestamp="2026-03-02 12:00:00"),
        payment(t, "unknown session", **of(t, "never")),
        payment(t, "tombstone", **of(t, "gone")),
        payment(t, "no transaction", **at_s1, transaction_id="-1"),
        payment(t, "another station", station_id="S2", transaction_id="77"),
        payment(t, "names none", driver_key="D9"),
    )  # fmt: skip
    names = {session_id(f"{t}/{name}"): name for name in "abc"} | {NIL: ""}
    found = rows(
        store, "payment_id, kind, session_id, linked, driver_key, driver_id, company_id", t
    )
    assert [(*row[:2], names[row[2]], *row[3:]) for row in found] == [
        ("another station", "captured", "", "unknown", "", "", ""),
        ("before its start", "captured", "b", "transaction", "D1", "", ""),
        ("by id", "captured", "a", "session_id", "D1", "driver-17", "c-1"),
        ("by payment", "authorised", "a", "session_id", "D1", "driver-17", "c-1"),
        ("by payment", "captured", "a", "payment", "D1", "driver-17", "c-1"),
        ("by reference", "captured", "a", "reference", "D1", "driver-17", "c-1"),
        ("by transaction", "captured", "b", "transaction", "D1", "", ""),
        ("later one", "captured", "c", "transaction", "D1", "", ""),
        ("names none", "captured", "", "", "D9", "driver-9", ""),
        ("no transaction", "captured", "", "unknown", "", "", ""),
        ("tombstone", "captured", "", "unknown", "", "", ""),
        ("unknown session", "captured", "", "unknown", "", "", ""),
    ]


def fill(address: Address, t: str) -> None:
    """A session of every kind of difference; each owes 6.25 SEK unless said otherwise."""
    free = {"amount_excl_vat": "0", "amount_vat": "0", "amount_incl_vat": "0"}
    insert(
        address, "sessions",
        *(session(t, name) for name in (
            "paid", "unpaid", "under", "over", "twice", "refunded", "euro", "two", "declined",
            "held", "corrected",
        )),
        session(t, "free", **free), session(t, "gift", **free),
        session(t, "firm", payer="company", payer_id="c-1", company_id="c-1"),
        session(t, "open", status="active", ended_at=None, quarantine_reason="not_ended"),
    )  # fmt: skip
    insert(
        address, "payments",
        payment(t, "1", kind="authorised", **of(t, "paid")), payment(t, "1", **of(t, "paid")),
        payment(t, "2", "6", **of(t, "under")),
        payment(t, "3", "7", **of(t, "over"), method="app"),
        payment(t, "4", **of(t, "twice")), payment(t, "5", **of(t, "twice")),
        payment(t, "6", **of(t, "refunded")), payment(t, "6", kind="refunded", **of(t, "refunded")),
        payment(t, "7", "0.6", currency="EUR", **of(t, "euro")),
        payment(t, "8", "3", **of(t, "two")), payment(t, "9", "3.25", **of(t, "two")),
        payment(t, "10", kind="failed", **of(t, "declined")),
        payment(t, "11", kind="authorised", **of(t, "held")),
        payment(t, "12", "8", **of(t, "corrected")),
        payment(t, "12", "1.75", kind="refunded", **of(t, "corrected")),
        payment(t, "13", "2", **of(t, "gift")),
        payment(t, "14", "4", **of(t, "open")),
        payment(t, "15", "5"), payment(t, "15", "1", kind="refunded"),
        payment(t, "16", kind="failed"),
    )  # fmt: skip


def test_every_difference_is_listed_with_its_reason(mart_address: Address, store: Store) -> None:
    t = "differences"
    fill(mart_address, t)
    names = {session_id(f"{t}/{n}"): n for n in (
        "under", "unpaid", "over", "twice", "refunded", "euro", "declined", "held", "gift", "open",
    )} | {"": ""}  # fmt: skip
    found = {
        (names[row["session_id"]], row["currency"]): (
            row["reason"], row["owed_incl_vat"], row["captured_incl_vat"],
            row["refunded_incl_vat"], row["difference_incl_vat"], row["because"],
        )
        for row in ask(store, "reconciliation", t)
    }  # fmt: skip
    owed = Decimal("6.25")
    assert found == {
        ("unpaid", "SEK"): ("unpaid", owed, 0, 0, -owed, ""),
        ("declined", "SEK"): ("unpaid", owed, 0, 0, -owed, "A payment failed"),
        ("held", "SEK"): ("unpaid", owed, 0, 0, -owed, "Authorised, never captured"),
        ("under", "SEK"): ("underpaid", owed, 6, 0, Decimal("-0.25"), ""),
        ("over", "SEK"): ("overpaid", owed, 7, 0, Decimal("0.75"), ""),
        ("twice", "SEK"): (
            "captured_twice", owed, 2 * owed, 0, owed, "2 captures, some of the same amount: 4, 5",
        ),
        ("refunded", "SEK"): ("refunded", owed, owed, owed, -owed, ""),
        ("euro", "SEK"): ("wrong_currency", owed, 0, 0, -owed, "Paid in another currency"),
        ("euro", "EUR"): (
            "wrong_currency", 0, Decimal("0.6"), 0, Decimal("0.6"), "Owed in another currency",
        ),
        ("gift", "SEK"): ("nothing_owed", 0, 2, 0, 2, "The session costs nothing"),
        ("open", "SEK"): ("nothing_owed", 0, 4, 0, 4, "The session is still open"),
        ("", "SEK"): ("paid_without_session", 0, 5, 1, 4, "No known session: payment 15"),
    }  # fmt: skip
    summed = {
        (row["dimension"], row["currency"]): (row["count"], row["difference_incl_vat"])
        for row in ask(store, "reconciliation", t, "reason")
    }
    assert summed[("agrees", "SEK")] == (4, 0)  # paid, two, corrected, free
    assert summed[("invoiced", "SEK")] == (1, -owed)
    assert summed[("unpaid", "SEK")] == (3, -3 * owed)


def test_a_session_says_how_money_for_it_was_captured(mart_address: Address, store: Store) -> None:
    t = "methods"
    names = ("two", "held", "declined", "till", "none", "several", "back")
    insert(mart_address, "sessions", *(session(t, name) for name in names))
    insert(mart_address, "sessions", session(t, "told", payment_method="rfid"))
    insert(
        mart_address, "payments",
        payment(t, "1", kind="authorised", **of(t, "two")),
        payment(t, "2", method="wallet", **of(t, "two")),
        payment(t, "3", kind="authorised", **of(t, "held")),
        payment(t, "4", kind="failed", **of(t, "declined")),
        payment(t, "5", method="other", **of(t, "till")),
        payment(t, "6", "3", method="cash", **of(t, "several")),
        payment(t, "7", "3.25", **of(t, "several")),
        payment(t, "8", **of(t, "back")), payment(t, "8", kind="refunded", **of(t, "back")),
    )  # fmt: skip
    expected = {
        "two": "wallet", "held": "", "declined": "", "till": "other", "none": "",
        "several": "card+cash", "back": "card", "told": "rfid",
    }  # fmt: skip
    by_id = {session_id(f"{t}/{name}"): method for name, method in expected.items()}
    assert dict(rows(store, "toString(session_id), payment_method", t, "sessions")) == by_id
    facts = rows(store, "DISTINCT toString(session_id), payment_method", t, "facts")
    assert dict(facts) == by_id


def test_unpaid_lists_what_drivers_owe_and_shows_the_others_apart(
    mart_address: Address, store: Store
) -> None:
    t = "owing"
    fill(mart_address, t)
    found = ask(store, "unpaid", t)
    assert sorted((row["reason"], row["missing_incl_vat"]) for row in found) == [
        ("refunded", Decimal("6.25")), ("underpaid", Decimal("0.25")),
        *[("unpaid", Decimal("6.25"))] * 3, ("wrong_currency", Decimal("6.25")),
    ]  # fmt: skip
    assert {row["payer"] for row in found} == {"driver"}
    assert all(row["age_days"] > 100 for row in found)
    by_payer = {
        row["dimension"]: row["missing_incl_vat"] for row in ask(store, "unpaid", t, "payer")
    }
    assert by_payer == {"driver": Decimal("31.5"), "company": Decimal("6.25")}
    (firm,) = ask(store, "unpaid", t, payer="company")
    assert (firm["reason"], firm["missing_incl_vat"]) == ("invoiced", Decimal("6.25"))


def test_payments_are_summed_by_kind_and_never_over_currencies(
    mart_address: Address, store: Store
) -> None:
    # SEK captured: 6.25+6+7+12.5+6.25+3+3.25+8+2+4+5 = 63.25; given back 6.25+1.75+1 = 9.
    t = "sums"
    fill(mart_address, t)
    euro, krona = ask(store, "payments", t, "month")
    assert (euro["currency"], euro["captured_incl_vat"]) == ("EUR", Decimal("0.6"))
    assert {name: krona[name] for name in krona if name.endswith("_vat")} == {
        "captured_incl_vat": Decimal("63.25"), "refunded_incl_vat": 9,
        "net_incl_vat": Decimal("54.25"), "authorised_incl_vat": Decimal("12.5"),
        "failed_incl_vat": Decimal("12.5"), "fee_incl_vat": 0, "unlinked_incl_vat": 4,
    }  # fmt: skip
    assert (krona["period"], krona["failed_count"]) == ("2026-03", 2)
    apps = [row for row in ask(store, "payments", t, "method") if row["dimension"] == "app"]
    assert [row["net_incl_vat"] for row in apps] == [7]
    answer = run(store, find("payments"), Request(where={"tenant": [t]})).result
    assert answer.totals is not None
    totals = dict(zip(answer.names, answer.totals, strict=True))
    assert (totals["currency"], totals["captured_incl_vat"]) == ("several", None)
