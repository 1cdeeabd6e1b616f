"""Reports against rows whose sums are worked out by hand in the comments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from reports.catalogue import Request, find, parse_moment, parse_where, reports, run
from reports.query import Address, Store, connect
from reports.render import Format, render
from tests.sql.mart_store import insert, mart_address, session, slice_of

__all__ = ["mart_address"]
pytestmark = pytest.mark.integration

STOCKHOLM = "Europe/Stockholm"


@pytest.fixture(scope="module")
def store(mart_address: Address) -> Iterator[Store]:
    with closing(connect(Address(mart_address.url))) as connection:
        yield connection


def ask(
    store: Store, name: str, tenant: str, *by: str, zone: str = "UTC", basis: str = "", **more: Any
) -> list[dict[str, Any]]:
    where = {"tenant": [tenant], **more.pop("where", {})}
    request = Request(by=by, zone=zone, basis=basis, where=where, **more)
    return run(store, find(name), request).result.records()


def totals(store: Store, name: str, tenant: str, *by: str, basis: str = "") -> dict[str, Any]:
    answer = run(store, find(name), Request(by=by, basis=basis, where={"tenant": [tenant]}))
    assert answer.result.totals is not None
    return dict(zip(answer.result.names, answer.result.totals, strict=True))


def pick(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


@pytest.mark.parametrize("name", reports())
def test_every_report_returns_the_columns_it_documents(store: Store, name: str) -> None:
    where = {"tenant": ["nobody"], "driver": ["nobody"]}
    answer = run(store, find(name), Request(where=where))
    assert answer.result.names == tuple(find(name).columns)
    assert answer.result.data == []


@pytest.mark.parametrize(
    ("first", "count", "hours"),
    [("2026-03-28T23:00", 92, 23), ("2026-10-24T22:00", 100, 25), ("2026-06-01T22:00", 96, 24)],
)
def test_a_local_day_has_as_many_hours_as_the_clock_gives_it(
    mart_address: Address, store: Store, first: str, count: int, hours: int
) -> None:
    # One slice before the local day, one for each quarter of it, one after it.
    start = parse_moment(first, "UTC").timestamp()
    tenant = f"day of {hours} hours"
    moments = [start + 900 * i for i in range(-1, count + 1)]
    insert(mart_address, "session_slices", *(
        slice_of(tenant, "a", str(int(at)), energy_wh="0.001") for at in moments
    ))  # fmt: skip
    days = ask(store, "energy", tenant, "day", zone=STOCKHOLM)
    assert [row["energy_kwh"] for row in days] == [
        Decimal("0.000001"), Decimal("0.000001") * count, Decimal("0.000001"),
    ]  # fmt: skip
    by_hour = ask(store, "energy", tenant, "hour", zone=STOCKHOLM)[1:-1]
    assert len(by_hour) == hours
    assert {row["energy_kwh"] for row in by_hour} == {Decimal("0.000004")}
    labels = [row["period"] for row in by_hour]
    assert len(set(labels)) == hours
    if hours == 25:
        assert labels[2:4] == ["2026-10-25 02:00 +0200", "2026-10-25 02:00 +0100"]


def test_local_days_and_months_are_those_of_the_zone_asked_for(
    mart_address: Address, store: Store
) -> None:
    # Ends 2016-12-31 23:30 in London, which is 05:15 of the new year in Kathmandu.
    insert(mart_address, "sessions", session("zones", "a", ended_at="2016-12-31 23:30:00"))
    for by, zone, label in (
        ("month", "Europe/London", "2016-12"),
        ("month", "Asia/Kathmandu", "2017-01"),
        ("day", "Asia/Kathmandu", "2017-01-01"),
        ("week", "Asia/Kathmandu", "2016-W52"),  # ISO: 1 January 2017 is a Sunday
        ("quarter", "Europe/London", "2016-Q4"),
        ("year", "Asia/Kathmandu", "2017"),
        ("hour", "Asia/Kathmandu", "2017-01-01 05:00 +0545"),
    ):
        rows = ask(store, "energy", "zones", by, zone=zone, basis="completion")
        assert pick(rows, "period", "energy_kwh") == [(label, 10)]


def test_the_three_bases_put_one_night_where_the_rules_say(
    mart_address: Address, store: Store
) -> None:
    # Domain rules 2.7: 22:30-01:30, register 0/20/25/30 kWh at 22:30/23:30/00:30/01:30,
    # 0.40/kWh + 0.50 start: accrual 9.50 | 3.00, start 12.50 | 0, completion 0 | 12.50.
    # 23:30-00:30 has 5 kWh, half of it before midnight: 20 + 2.5 kWh is 9.00 + 0.50 start.
    insert(mart_address, "sessions", session(
        "night", "a", started_at="2026-06-01 22:30:00", ended_at="2026-06-02 01:30:00",
        energy_wh="30000", amount_excl_vat="12.50", amount_vat="0", amount_incl_vat="12.50",
    ))  # fmt: skip
    wh = [5000] * 4 + [1250] * 8
    insert(mart_address, "session_slices", *(
        slice_of(
            "night", "a", str(1780353000 + 900 * i), energy_wh=str(each),
            amount_excl_vat=(cost := str(Decimal(each) * 4 / 10000 + (i == 0) * Decimal("0.5"))),
            amount_incl_vat=cost,
        )
        for i, each in enumerate(wh)
    ))  # fmt: skip
    wanted = {
        "accrual": [
            ("2026-06-01", Decimal("9.5"), Decimal("22.5")),
            ("2026-06-02", 3, Decimal("7.5")),
        ],
        "start": [("2026-06-01", Decimal("12.5"), 30)],
        "completion": [("2026-06-02", Decimal("12.5"), 30)],
    }
    for basis, expected in wanted.items():
        rows = ask(store, "energy", "night", "day", basis=basis)
        assert pick(rows, "period", "amount_incl_vat", "energy_kwh") == expected
    assert totals(store, "energy", "night", "day")["sessions"] == 1


def fill(address: Address, tenant: str) -> None:
    """Four counted sessions, two currencies; one open; one set aside; one resent; one released."""
    insert(
        address, "sessions",
        session(tenant, "a", amount_excl_vat="5", amount_incl_vat="6.25"),
        session(tenant, "b", started_at="2026-03-03 10:00:00", ended_at="2026-03-03 10:30:00",
                driver_key="D2", station_id="S2", energy_wh="2345.678", duration_s="1800",
                charging_s="1800", idle_s="0", amount_excl_vat="1.1", amount_incl_vat="1.375"),
        session(tenant, "c", currency="EUR", area="Area B", station_id="S3", driver_key="D2",
                amount_excl_vat="0.333333", amount_incl_vat="0.416666"),
        session(tenant, "d", currency="", tariff_id="", amount_excl_vat=None, amount_vat=None,
                amount_incl_vat=None, connector_id=2, energy_wh="0"),
        session(tenant, "e", status="active", ended_at=None, quarantine_reason="not_ended",
                energy_wh="700"),
        session(tenant, "f", status="invalid", quarantine_reason="end_before_start",
                energy_wh="5000", amount_incl_vat="99"),
        session(tenant, "g", status="released"),
    )  # fmt: skip
    insert(address, "sessions", session(tenant, "a", amount_excl_vat="5", amount_incl_vat="6.25"))


def test_sessions_are_counted_once_and_the_others_beside_them(
    mart_address: Address, store: Store
) -> None:
    fill(mart_address, "count")
    rows = ask(store, "sessions-per-day", "count")
    names = ("period", "sessions", "drivers", "stations", "energy_kwh", "open", "set_aside")
    assert pick(rows, *names) == [
        ("2026-03-02", 3, 2, 2, 20, 1, 1),
        ("2026-03-03", 1, 1, 1, Decimal("2.345678"), 0, 0),
    ]
    total = totals(store, "sessions-per-day", "count")
    assert [total[n] for n in names[1:]] == [4, 2, 3, Decimal("22.345678"), 1, 1]


def test_currencies_are_never_added(mart_address: Address, store: Store) -> None:
    fill(mart_address, "money")
    names = ("currency", "amount_incl_vat", "amount_excl_vat")
    by_day = ask(store, "energy", "money", "day", basis="completion")
    assert pick(by_day, *names) == [
        ("several", None, None),
        ("SEK", Decimal("1.375"), Decimal("1.1")),
    ]
    rows = ask(store, "revenue", "money", "month", basis="completion")
    assert pick(rows, *names) == [
        ("EUR", Decimal("0.416666"), Decimal("0.333333")),
        ("SEK", Decimal("7.625"), Decimal("6.1")),
    ]
    total = totals(store, "revenue", "money", basis="completion")
    assert (total["currency"], total["amount_incl_vat"]) == ("several", None)
    assert rows[1]["set_aside_incl_vat"] == 99
    assert rows[1]["open_incl_vat"] == Decimal("6.25")


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("area", [("Area B", "EUR", "0.416666"), ("Area A", "SEK", "7.625")]),
        ("station", [("S3", "EUR", "0.416666"), ("S1", "SEK", "6.25"), ("S2", "SEK", "1.375")]),
        ("driver", [("D2", "EUR", "0.416666"), ("D1", "SEK", "6.25"), ("D2", "SEK", "1.375")]),
        ("connector",
         [("S3/1", "EUR", "0.416666"), ("S1/1", "SEK", "6.25"), ("S2/1", "SEK", "1.375")]),
        ("tariff", [("T1", "EUR", "0.416666"), ("T1", "SEK", "7.625")]),
        ("city", [("City", "EUR", "0.416666"), ("City", "SEK", "7.625")]),
    ],
)  # fmt: skip
def test_revenue_by_every_dimension(
    mart_address: Address, store: Store, by: str, expected: list[tuple[str, str, str]]
) -> None:
    fill(mart_address, f"revenue by {by}")
    rows = ask(store, "revenue", f"revenue by {by}", by, basis="completion")
    assert pick(rows, "dimension", "currency", "amount_incl_vat") == [
        (name, currency, Decimal(amount)) for name, currency, amount in expected
    ]


def test_average_times_come_from_sums(mart_address: Address, store: Store) -> None:
    fill(mart_address, "times")
    # a, c, d: 3600 s occupied, 1800 s charging; b: 1800 s both. 12600 / 4 and 7200 / 4.
    names = ("sessions", "avg_occupied_s", "avg_charging_s", "avg_idle_s", "occupied_s")
    total = totals(store, "charging-time", "times")
    assert [total[n] for n in names] == [4, 3150, 1800, 1350, 12600]
    rows = ask(store, "charging-time", "times", "station")
    assert pick(rows, "dimension", *names) == [
        ("S1", 2, 3600, 1800, 1800, 7200),
        ("S2", 1, 1800, 1800, 0, 1800),
        ("S3", 1, 3600, 1800, 1800, 3600),
    ]


def test_an_average_of_nothing_is_unknown(mart_address: Address, store: Store) -> None:
    insert(mart_address, "sessions", session("none", "a", quarantine_reason="negative_energy"))
    assert pick(ask(store, "charging-time", "none"), "sessions", "avg_occupied_s") == [(0, None)]


def test_popular_stations_are_ranked_and_named(mart_address: Address, store: Store) -> None:
    fill(mart_address, "popular")
    insert(
        mart_address, "stations",
        {"tenant": "popular", "station_id": "S1", "revision": 1, "name": "Old name"},
        {"tenant": "popular", "station_id": "S1", "revision": 2, "name": "Harbour",
         "valid_from": "2026-01-01 00:00:00"},
    )  # fmt: skip
    rows = ask(store, "popular-stations", "popular")
    assert pick(rows, "station", "name", "sessions", "energy_kwh", "avg_occupied_s") == [
        ("S1", "Harbour", 2, 10, 3600),
        ("S3", "", 1, 10, 3600),
        ("S2", "", 1, Decimal("2.345678"), 1800),
    ]


@pytest.mark.parametrize(
    ("report", "key", "expected"),
    [
        ("revenue-per-user", "driver",
         [("D2", "EUR", "0.416666"), ("D1", "SEK", "6.25"), ("D2", "SEK", "1.375"),
          ("D1", "", None)]),
        ("revenue-per-area", "area",
         [("Area B", "EUR", "0.416666"), ("Area A", "SEK", "7.625"), ("Area A", "", None)]),
        ("revenue-per-station", "station",
         [("S3", "EUR", "0.416666"), ("S1", "SEK", "6.25"), ("S2", "SEK", "1.375"),
          ("S1", "", None)]),
    ],
)  # fmt: skip
def test_revenue_per_user_area_and_station_best_first(
    mart_address: Address, store: Store, report: str, key: str, expected: list[Any]
) -> None:
    fill(mart_address, report)
    rows = ask(store, report, report)
    assert pick(rows, key, "currency", "amount_incl_vat") == [
        (name, currency, amount and Decimal(amount)) for name, currency, amount in expected
    ]
    assert sum(row["sessions"] for row in rows) == 4


def test_a_driver_sees_every_session_and_what_does_not_count(
    mart_address: Address, store: Store
) -> None:
    fill(mart_address, "history")
    rows = ask(store, "driver", "history", where={"driver": ["D1"]})
    names = ("station", "energy_kwh", "occupied_s", "amount_incl_vat", "note", "not_counted_kwh")
    assert sorted(pick(rows, *names), key=str) == sorted([
        ("S1", 10, 3600, Decimal("6.25"), "", 0),
        ("S1", 0, 3600, None, "", 0),
        ("S1", 0, 0, None, "not_ended", Decimal("0.7")),
        ("S1", 0, 0, None, "end_before_start", 5),
    ], key=str)  # fmt: skip


def test_what_was_set_aside_is_listed_by_reason_and_one_by_one(
    mart_address: Address, store: Store
) -> None:
    fill(mart_address, "aside")
    insert(mart_address, "dead_letters", *(
        {"kafka_topic": "aside", "kafka_partition": 0, "kafka_offset": i, "kafka_index": -1,
         "reason": "not_json", "kafka_key": "aside/S9"} for i in range(3)
    ))  # fmt: skip
    rows = ask(store, "set-aside", "aside")
    assert pick(rows, "kind", "reason", "count", "energy_kwh") == [
        ("session", "end_before_start", 1, 5),
        ("open", "not_ended", 1, Decimal("0.7")),
        ("dead letter", "not_json", 3, 0),
    ]
    items = ask(store, "set-aside", "aside", "item")
    assert [row["item"] for row in items[2:]] == ["aside-0-0", "aside-0-1", "aside-0-2"]


def test_connectors_are_apart(mart_address: Address, store: Store) -> None:
    fill(mart_address, "connectors")
    rows = ask(store, "connectors", "connectors")
    assert pick(rows, "station", "connector", "sessions", "energy_kwh") == [
        ("S1", 1, 1, 10), ("S1", 2, 1, 0), ("S2", 1, 1, Decimal("2.345678")), ("S3", 1, 1, 10),
    ]  # fmt: skip


def test_from_and_to_are_half_open_in_the_zone(mart_address: Address, store: Store) -> None:
    fill(mart_address, "range")
    for since, until, sessions in (
        ("2026-03-02", "2026-03-03", 3),
        ("2026-03-02T11:00", "2026-03-03T11:00", 3),  # 10:00 UTC is 11:00 in Stockholm
        ("2026-03-02T11:00:00.001", "2026-03-03T11:00:00.001", 1),
        ("2026-03-02T11:00", "2026-03-03T11:00:00.001", 4),
        ("2026-03-03T11:00", "2026-03-03T11:00", 0),
    ):
        rows = ask(
            store, "sessions-per-day", "range", "year", zone=STOCKHOLM,
            since=parse_moment(since, STOCKHOLM), until=parse_moment(until, STOCKHOLM),
        )  # fmt: skip
        assert sum(row["sessions"] for row in rows) == sessions


def test_filters_narrow_and_a_name_twice_means_either(mart_address: Address, store: Store) -> None:
    fill(mart_address, "filters")
    for text, sessions in (
        (["station=S1"], 2),
        (["station=S1", "station=S2"], 3),
        (["station=S1", "connector=2"], 1),
        (["area=Area B"], 1),
        (["driver=D2", "currency=SEK"], 1),
        (["city=City", "country=SE", "tariff=T1"], 3),
        (["station=s1"], 0),
        (["station="], 0),
    ):
        rows = ask(store, "sessions-per-day", "filters", "year", where=parse_where(text))
        assert sum(row["sessions"] for row in rows) == sessions, text


def test_filters_hold_on_the_accrual_basis_too(mart_address: Address, store: Store) -> None:
    fill(mart_address, "accrual")
    insert(
        mart_address, "session_slices",
        slice_of("accrual", "a", "2026-03-02 10:00:00"),
        slice_of("accrual", "d", "2026-03-02 10:00:00", energy_wh="100"),
        slice_of("accrual", "e", "2026-03-02 10:00:00", energy_wh="7", provisional=1, counted=0),
        slice_of("accrual", "f", "2026-03-02 10:00:00", energy_wh="9", counted=0),
    )  # fmt: skip
    for where, kwh in ((["city=City"], "2.6"), (["connector=2"], "0.1"), (["city=Oslo"], None)):
        rows = ask(store, "energy", "accrual", where=parse_where(where))
        assert [row["energy_kwh"] for row in rows] == ([] if kwh is None else [Decimal(kwh)])
    assert pick(ask(store, "energy", "accrual"), "open", "set_aside") == [(1, 1)]


@pytest.mark.parametrize(
    "value",
    [
        "S1' OR '1'='1", "S1') OR 1=1 --", "x'], 1) OR true OR has(['x", "\\", "\\'",
        "S1\\' OR 1 --", "{station:Array(String)}",
        "'; DROP TABLE laddstream.sessions; --", "S1\x00", "S1\n", "\t",
        "%", "S_", "S1/*", "${db}", "', (SELECT 1)", "\u2028'", "日本'語",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["station", "driver", "tenant", "connector"])
def test_no_filter_value_is_ever_read_as_sql(
    mart_address: Address, store: Store, name: str, value: str
) -> None:
    # The one row that matches is the one whose text is exactly the value.
    key = {"station": "station_id", "driver": "driver_key"}.get(name)
    tenant = f"inject {name} {value}"
    insert(mart_address, "sessions", session(tenant, "a"))
    if key:
        insert(mart_address, "sessions", session(tenant, "b", **{key: value}))
    where = {"tenant": [tenant], name: [value]} if name != "tenant" else {"tenant": [value]}
    rows: list[dict[str, Any]] = run(
        store, find("connectors"), Request(where=where)
    ).result.records()
    assert sum(row["sessions"] for row in rows) == (1 if key else 0)


def test_a_table_at_80_columns(mart_address: Address, store: Store) -> None:
    fill(mart_address, "golden")
    insert(mart_address, "sessions", session(
        "golden", "big", station_id="A station with quite a long name", energy_wh="1234567.8915",
        duration_s="360000.5", amount_incl_vat="123456.785", driver_key="D3",
    ))  # fmt: skip
    request = Request(where={"tenant": ["golden"]}, zone=STOCKHOLM)
    text = render(run(store, find("revenue-per-station"), request), Format.TABLE, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert text == GOLDEN


GOLDEN = """\
Revenue per station
                                                 incl.
station                           currency         VAT  sessions        kWh
───────────────────────────────────────────────────────────────────────────
S3                                EUR             0.42         1     10.000
A station with quite a long name  SEK       123,456.79         1  1,234.568
S1                                SEK             6.25         1     10.000
S2                                SEK             1.38         1      2.346
S1                                                             1      0.000

Total                             several                      5  1,256.914
 basis: completion · time zone: Europe/Stockholm · 5 rows
 not in these totals: 1 open, 1 set aside (laddstream report set-aside)
 several currencies: amounts of different currencies are never added
 hidden at this width: open, set_aside, amount_excl_vat, drivers (all in
--format csv)
"""


def test_json_and_csv_are_exact(mart_address: Address, store: Store) -> None:
    insert(mart_address, "sessions", session(
        "exact", "a", energy_wh="99999999999999.999", station_id="=1+1", area="@SUM(A1)",
        amount_incl_vat="123456789012.345678", amount_excl_vat="-0.000001",
    ))  # fmt: skip
    answer = run(
        store, find("revenue"), Request(by=("station",), where={"tenant": ["exact"]}, basis="start")
    )
    assert render(answer, Format.CSV) == (
        "station,currency,amount_incl_vat,amount_excl_vat,sessions,energy_kwh,open_incl_vat,"
        "set_aside_incl_vat,covered_incl_vat,revenue_incl_vat,revenue_excl_vat\n"
        "'=1+1,SEK,123456789012.345678,-0.000001,1,99999999999.999999,,"
        ",0,123456789012.345678,-0.000001\n"
    )
    assert render(answer, Format.JSON) == (
        '[\n{"station":"=1+1","currency":"SEK","amount_incl_vat":123456789012.345678,'
        '"amount_excl_vat":-0.000001,"sessions":1,"energy_kwh":99999999999.999999,'
        '"open_incl_vat":null,"set_aside_incl_vat":null,"covered_incl_vat":0,'
        '"revenue_incl_vat":123456789012.345678,"revenue_excl_vat":-0.000001}\n]\n'
    )
