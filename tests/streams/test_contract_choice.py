"""Which tariff, which plan and who pays: the rules of choice, by hand-made catalogues."""

from __future__ import annotations

import json
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue

TENANT = "t"
STATION = {"tenant": TENANT, "area": "Norr", "city": "", "country": "SE", "rated_power_w": None,
           "time_zone": "Europe/Stockholm", "tariff_id": "own"}  # fmt: skip


def at(text: str, zone: str = "Europe/Stockholm") -> int:
    """Local time as epoch milliseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


NOON = at("2026-03-11T12:00")  # a Wednesday


def tariff(tariff_id: str, from_ms: int = 0, **changes: Any) -> dict[str, Any]:
    document = {
        "id": tariff_id, "currency": "SEK",
        "elements": [{"price_components": [{"type": "ENERGY", "price": 1, "step_size": 1}]}],
    } | changes  # fmt: skip
    return {"tenant": TENANT, "tariff_id": tariff_id, "from_ms": from_ms, "revision": 1,
            "ocpi_json": json.dumps(document)}  # fmt: skip


def assigned(assignment_id: str, **changes: Any) -> dict[str, Any]:
    return {"tenant": TENANT, "assignment_id": assignment_id, "tariff_id": assignment_id} | changes


def company(**pays: Any) -> dict[str, Any]:
    entry = {"currency": "SEK", "pays": pays}
    return {"tenant": TENANT, "company_id": "acme", "company_json": json.dumps(entry)}


DRIVER = {"tenant": TENANT, "driver_key": "04E1", "driver_id": "driver-1"}


def made(*extra: dict[str, Any], **tables: list[dict[str, Any]]) -> Catalogue:
    """Station S1 in Norr with tariff own; every assigned tariff is known."""
    names = ["own", *(row["tariff_id"] for row in tables.get("assignments", []))]
    tables.setdefault("stations", [STATION | {"station_id": "S1"}])
    tariffs = [tariff(name) for name in dict.fromkeys(names) if name]
    stations = tables.pop("stations")
    return build_catalogue(1, stations, [*tariffs, *extra], **tables)


def chosen(catalogue: Catalogue, card: str = "04E1", ms: int = NOON, station: str = "S1") -> str:
    return catalogue.contract((TENANT, station), card, ms).tariff_id


def test_without_assignment_and_plan_a_station_has_its_own_tariff() -> None:
    contract = made().contract((TENANT, "S1"), "nobody knows", NOON)

    assert contract.tariff_id == "own"
    assert contract.tariff is not None
    assert (contract.payer, contract.driver_id, contract.unpriced_reason) == ("driver", "", "")
    assert contract.zone == ZoneInfo("Europe/Stockholm")
    assert contract.because == ("tariff own: station S1's own",)


@pytest.mark.parametrize(
    ("rows", "winner"),
    [
        ([assigned("a", priority=1), assigned("b")], "a"),
        ([assigned("a"), assigned("b", stations=["S1"])], "b"),
        ([assigned("a", stations=["S1"]), assigned("b", stations=["S1"], areas=["Norr"])], "b"),
        ([assigned("a", stations=["S1"]), assigned("b", areas=["Norr"])], "b"),
        ([assigned("a"), assigned("b", stations=["S2"])], "a"),
        ([assigned("a"), assigned("b", stations=["S1"], areas=["Syd"])], "a"),
        ([assigned("a", driver_group="staff")], "a"),
        ([assigned("a", driver_group="board")], "own"),
        ([assigned("a", company_id="acme", areas=["Norr"])], "a"),
        ([assigned("a", company_id="other")], "own"),
        ([assigned("a", partner_id="NL-TNM")], "own"),
        ([assigned("a", from_ms=NOON)], "a"),
        ([assigned("a", from_ms=NOON + 1)], "own"),
        ([assigned("a", until_ms=NOON)], "own"),
        ([assigned("a"), assigned("a", from_ms=NOON - 5, deleted=1)], "own"),
        ([assigned("a"), assigned("a", from_ms=NOON - 5, tariff_id="b")], "b"),
        ([assigned("a", until_ms=NOON - 5), assigned("a", from_ms=NOON - 9, tariff_id="b")], "b"),
    ],
)
def test_priority_then_conditions_then_the_greatest_id(
    rows: list[dict[str, Any]], winner: str
) -> None:
    driver = DRIVER | {"company_id": "acme", "groups": ["staff"]}

    assert chosen(made(drivers=[driver], assignments=rows)) == winner


PLAN = {"tenant": TENANT, "plan_id": "flex",
        "plan_json": json.dumps({"discount_percent": "10", "tariff_id": "night",
                                 "time_zone": "Europe/Stockholm"})}  # fmt: skip
SUBSCRIPTION = {"tenant": TENANT, "driver_id": "driver-1", "plan_id": "flex",
                "from_ms": at("2026-03-10"), "until_ms": at("2026-03-12")}  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "winner"),
    [
        ([], "night"),
        ([assigned("a", areas=["Norr"], priority=9)], "night"),
        ([assigned("a", driver_group="staff")], "a"),
        ([assigned("a", areas=["Norr"], priority=9), assigned("b", driver_group="staff")], "b"),
    ],
)
def test_a_plans_own_tariff_beats_what_is_assigned_to_stations_alone(
    rows: list[dict[str, Any]], winner: str
) -> None:
    driver = DRIVER | {"groups": ["staff"]}
    catalogue = made(
        tariff("night"), drivers=[driver], plans=[PLAN], subscriptions=[SUBSCRIPTION],
        assignments=rows,
    )  # fmt: skip

    assert chosen(catalogue) == winner


def test_a_plan_holds_from_its_first_instant_to_before_its_last() -> None:
    catalogue = made(
        tariff("night"), drivers=[DRIVER], plans=[PLAN], subscriptions=[SUBSCRIPTION]
    )  # fmt: skip
    plans = [
        catalogue.contract((TENANT, "S1"), "04E1", SUBSCRIPTION[name] + more).plan_id  # type: ignore[operator]
        for name, more in [("from_ms", -1), ("from_ms", 0), ("until_ms", -1), ("until_ms", 0)]
    ]
    contract = catalogue.contract((TENANT, "S1"), "04E1", NOON)

    assert plans == ["", "flex", "flex", ""]
    assert contract.discount == Fraction(1, 10)
    assert contract.because == (
        "tariff night: own tariff of plan flex",
        "plan flex of driver-1 since 2026-03-10: own tariff, 10 % discount",
    )


@pytest.mark.parametrize(
    ("pays", "start", "payer"),
    [
        ({}, "2026-03-11T12:00", "company"),
        ({"days": ["WEDNESDAY"]}, "2026-03-11T12:00", "company"),
        ({"days": ["THURSDAY"]}, "2026-03-11T12:00", "driver"),
        ({"start_time": "06:00", "end_time": "18:00"}, "2026-03-11T06:00", "company"),
        ({"start_time": "06:00", "end_time": "18:00"}, "2026-03-11T05:59", "driver"),
        ({"start_time": "06:00", "end_time": "18:00"}, "2026-03-11T18:00", "driver"),
        ({"start_time": "22:00", "end_time": "06:00"}, "2026-03-11T02:00", "company"),
        ({"start_time": "22:00", "end_time": "06:00"}, "2026-03-11T12:00", "driver"),
        ({"start_time": "18:00", "end_time": "00:00"}, "2026-03-11T23:59", "company"),
        ({"end_time": "00:00"}, "2026-03-11T12:00", "company"),
        ({"start_time": "08:00", "end_time": "08:00"}, "2026-03-11T02:00", "company"),
        ({"start_time": "06:00", "end_time": "18:00"}, "2026-10-25T06:00", "company"),
        ({"areas": ["Norr"]}, "2026-03-11T12:00", "company"),
        ({"areas": ["Syd"]}, "2026-03-11T12:00", "driver"),
        ({"stations": ["S2"]}, "2026-03-11T12:00", "driver"),
        ({"driver_groups": ["board"]}, "2026-03-11T12:00", "driver"),
        ({"driver_groups": ["board", "staff"]}, "2026-03-11T12:00", "company"),
    ],
)
def test_a_company_pays_by_who_where_and_the_stations_clock(
    pays: dict[str, Any], start: str, payer: str
) -> None:
    driver = DRIVER | {"company_id": "acme", "groups": ["staff"]}
    catalogue = made(drivers=[driver], companies=[company(**pays)])

    contract = catalogue.contract((TENANT, "S1"), "04E1", at(start))

    assert contract.payer == payer
    assert contract.payer_id == {"company": "acme", "driver": "driver-1"}[payer]
    assert contract.company_id == "acme"


def test_a_company_without_rules_for_paying_pays_nothing() -> None:
    row = {"tenant": TENANT, "company_id": "acme", "company_json": '{"currency":"SEK"}'}
    catalogue = made(drivers=[DRIVER | {"company_id": "acme"}], companies=[row])

    assert catalogue.contract((TENANT, "S1"), "04E1", NOON).payer == "driver"


def test_a_partner_pays_for_its_customers_whatever_their_company() -> None:
    driver = DRIVER | {"company_id": "acme", "partner_id": "NL-TNM"}
    catalogue = made(
        drivers=[driver], companies=[company()], assignments=[assigned("r", partner_id="NL-TNM")]
    )

    contract = catalogue.contract((TENANT, "S1"), "04e1", NOON)

    assert (contract.tariff_id, contract.payer, contract.payer_id) == ("r", "partner", "NL-TNM")


def test_free_is_paid_by_nobody_and_asks_no_tariff() -> None:
    free = assigned("campus-free", tariff_id="", free=1, areas=["Norr"])
    contract = made(drivers=[DRIVER | {"partner_id": "X"}], assignments=[free]).contract(
        (TENANT, "S1"), "04E1", NOON
    )

    assert contract.free_reason == "campus-free"
    assert (contract.payer, contract.payer_id, contract.tariff) == ("nobody", "", None)
    assert contract.unpriced_reason == ""
    assert contract.because == ("free: assignment campus-free (area Norr)",)


def test_an_unknown_station_is_under_assignments_without_stations_only() -> None:
    rows = [assigned("a", stations=["S1"]), assigned("b")]

    assert chosen(made(assignments=rows), station="unknown") == "b"
    contract = made().contract((TENANT, "unknown"), "", NOON)
    assert (contract.tariff_id, contract.unpriced_reason) == ("", "no_tariff")
    assert contract.because == ("no tariff: station unknown is not in the catalogue",)


def test_the_area_of_the_events_counts_where_the_catalogue_knows_none() -> None:
    catalogue = made(assignments=[assigned("a", areas=["Depot"])])

    contract = catalogue.contract((TENANT, "unknown"), "", NOON, "Depot")
    known = catalogue.contract((TENANT, "S1"), "", NOON, "Depot")

    assert (contract.tariff_id, known.tariff_id) == ("a", "own")


@pytest.mark.parametrize(
    ("rows", "price", "reason"),
    [
        ([tariff("own", NOON - 10, currency="EUR")], "EUR", ""),
        ([tariff("own", NOON + 1, currency="EUR")], "SEK", ""),
        ([tariff("own", NOON - 10) | {"deleted": 1}], "", "tariff_missing"),
        ([tariff("own", NOON - 10, currency="EUR", end_date_time="2026-03-11T10:00:00Z")],
         "SEK", ""),
        ([tariff("own", 1, end_date_time="2026-03-01T00:00:00Z"), tariff("own") | {"deleted": 1}],
         "", "tariff_not_valid"),
        ([tariff("own", NOON - 10, elements=[])], "", "tariff_refused"),
        ([tariff("own", NOON - 10) | {"ocpi_json": "{"}], "", "tariff_refused"),
    ],
)  # fmt: skip
def test_the_version_of_a_tariff_that_holds_at_the_start_is_taken(
    rows: list[dict[str, Any]], price: str, reason: str
) -> None:
    catalogue = made(*rows)

    contract = catalogue.contract((TENANT, "S1"), "", NOON)

    assert contract.unpriced_reason == reason
    assert (contract.tariff.currency if contract.tariff else "") == price
    assert (catalogue.compiled(contract) is not None) == (contract.tariff is not None)


def test_a_tariff_that_is_nowhere_is_missing_and_named() -> None:
    catalogue = build_catalogue(1, [STATION | {"station_id": "S1"}], [])

    contract = catalogue.contract((TENANT, "S1"), "", NOON)

    assert (contract.tariff_id, contract.unpriced_reason) == ("own", "tariff_missing")
    assert contract.because[-1] == "tariff own is not in the catalogue"


def test_what_later_revisions_touched_is_told_with_the_first_instant() -> None:
    catalogue = build_catalogue(
        3,
        [STATION | {"station_id": "S1", "revision": 1}, STATION | {"station_id": "S2",
                                                                  "revision": 3}],
        [tariff("own"), tariff("own", NOON) | {"revision": 2}, tariff("x") | {"revision": 3}],
        drivers=[DRIVER | {"revision": 1},
                 DRIVER | {"driver_key": "0B", "driver_id": "driver-2", "company_id": "acme",
                           "revision": 1}],
        companies=[company() | {"revision": 2}],
        plans=[PLAN | {"revision": 1}],
        subscriptions=[SUBSCRIPTION | {"revision": 3, "deleted": 1}],
        assignments=[assigned("a", revision=2)],
    )  # fmt: skip

    assert catalogue.touched_stations(1) == {(TENANT, "S2"): 0}
    assert catalogue.touched_tariffs(1) == {(TENANT, "own"): NOON, (TENANT, "x"): 0}
    assert catalogue.touched_tariffs(2) == {(TENANT, "x"): 0}
    assert catalogue.touched_drivers(1) == {(TENANT, "04e1"), (TENANT, "0b")}
    assert catalogue.touched_drivers(2) == {(TENANT, "04e1")}
    assert [catalogue.assignments_touched(n) for n in (1, 2)] == [True, False]


def test_a_revision_concerns_a_session_by_the_rows_its_terms_rest_on() -> None:
    """Station, tariff, driver, company, plan, subscription, assignment; not what begins later."""

    def rows(**revisions: int) -> Catalogue:
        def at_revision(row: dict[str, Any], name: str, **more: Any) -> dict[str, Any]:
            return row | {"revision": revisions.get(name, 1)} | more

        held = {"tenant": TENANT, "driver_id": "driver-1", "plan_id": "p", "from_ms": NOON - 1}
        plan = {"tenant": TENANT, "plan_id": "p", "plan_json": "{}"}
        known = DRIVER | {"company_id": "acme"}
        return build_catalogue(
            5,
            [at_revision(STATION, "station", station_id="S1"),
             at_revision(STATION, "moved", station_id="S1", from_ms=NOON + 1)],
            [at_revision(tariff("own"), "tariff"), at_revision(tariff("other"), "other")],
            drivers=[at_revision(known, "driver")],
            companies=[at_revision(company(), "company")],
            plans=[at_revision(plan, "plan")],
            subscriptions=[at_revision(held, "subscription")],
            assignments=[at_revision(assigned("x", stations=["S9"]), "assignment")],
        )  # fmt: skip

    def concerned(catalogue: Catalogue) -> bool:
        owner = (TENANT, "S1")
        contract = catalogue.contract(owner, "04E1", NOON)
        assert (contract.tariff_id, contract.plan_id, contract.company_id) == ("own", "p", "acme")
        return catalogue.concerns(owner, "04E1", NOON, contract, 3)

    of_its_own = ("station", "tariff", "driver", "company", "plan", "subscription", "assignment")
    assert {name for name in of_its_own if concerned(rows(**{name: 4}))} == set(of_its_own)
    assert not concerned(rows(other=4, moved=4))
