"""Loads against a store: one revision a load, versions in time, names that must be known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from laddstream.catalogue import Contents, Loaded, load, read
from laddstream.catalogue.changes import settle
from laddstream.catalogue.publish import CatalogueStore
from laddstream.migrate import apply
from reports.query import Address, connect, connect_client
from schemas.errors import UnavailableError, UserError
from streams.catalogue import Catalogue
from streams.sink.clickhouse import ClickHouseSink
from tests.sql.mart_store import DATABASE, running_store

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
MARCH = 1772323200000  # 2026-03-01T00:00:00Z


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with running_store(tmp_path_factory.mktemp("store")) as found:
        apply(found, DATABASE)
        yield found


class Loader:
    """Loads documents of one tenant, and shows what workers and people then see."""

    def __init__(self, address: Address, folder: Path) -> None:
        self.address, self.folder = address, folder
        self.tenant = f"t-{uuid4()}"

    def contents(self, document: object) -> Contents:
        path = self.folder / "a.json"
        path.write_text(json.dumps(document), "utf-8")
        return read([path], self.tenant)

    def load(self, document: object, **options: Any) -> Loaded:
        return load(self.contents(document), self.address, DATABASE, **options)

    def refused(self, document: object) -> list[tuple[str, str]]:
        contents = self.contents(document)
        with pytest.raises(UserError, match="nothing was loaded"):
            load(contents, self.address, DATABASE)
        return [(one.field, one.what) for one in contents.faults]

    def seen(self) -> Catalogue:
        sink = ClickHouseSink(
            self.address.url, self.address.user, self.address.password, DATABASE
        )  # fmt: skip
        return sink.catalogue(Catalogue())

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with closing(connect(self.address)) as store:
            return store.fetch(statement, {"t": self.tenant}).records()


@pytest.fixture
def loader(address: Address, tmp_path: Path) -> Loader:
    return Loader(address, tmp_path)


COMPANY = {"company_id": "acme", "currency": "SEK", "pays": {}}


def station(station_id: str = "S1", **changes: Any) -> dict[str, Any]:
    return {"station_id": station_id, "area": "Norr"} | changes


def tariff(tariff_id: str = "T1", price: float = 1, **changes: Any) -> dict[str, Any]:
    component = {"type": "ENERGY", "price": price, "step_size": 1}
    return {"id": tariff_id, "currency": "SEK",
            "elements": [{"price_components": [component]}]} | changes  # fmt: skip


def driver(driver_id: str = "d1", *tokens: str, **changes: Any) -> dict[str, Any]:
    return {"driver_id": driver_id, "tokens": list(tokens)} | changes


def plan(plan_id: str = "p1") -> dict[str, Any]:
    return {"plan_id": plan_id, "currency": "SEK", "monthly_fee": {"excl_vat": 10},
            "time_zone": "Europe/Stockholm"}  # fmt: skip


def subscribed(start: str, until: str | None = None, plan_id: str = "p1") -> dict[str, Any]:
    out = {"driver_id": "d1", "plan_id": plan_id, "from": start}
    return out | ({"until": until} if until else {})


def test_the_example_catalogue_is_one_revision_and_not_written_again(loader: Loader) -> None:
    example = ROOT / "examples" / "catalogue"
    before = loader.seen().revision

    first = load(read([example], loader.tenant), loader.address, DATABASE)
    again = load(read([example], loader.tenant), loader.address, DATABASE)

    assert (first.revision, first.published) == (before + 1, True)
    assert (again.revision, again.published, again.written) == (first.revision, False, {})
    assert again.unchanged == sum(first.counts.values()) == 21
    revisions = {
        (row["revision"])
        for table in ("stations", "tariffs", "drivers", "companies", "plans", "subscriptions",
                      "assignments")
        for row in loader.rows(f"SELECT revision FROM mart.{table} WHERE tenant = {{t:String}}")
    }  # fmt: skip
    assert revisions == {first.revision}
    (row,) = loader.rows(f"SELECT * FROM mart.catalogue_revisions WHERE revision = {before + 1}")
    assert "5 tariffs" in row["summary"]


@pytest.mark.data
def test_registers_of_stations_load(loader: Loader, shared_data: Path) -> None:
    paths = [shared_data / "stations_ocm", shared_data / "stations_nobil"]

    done = load(read(paths, loader.tenant), loader.address, DATABASE)

    assert done.written == {"stations": {"new": 324, "changed": 0, "ended": 0}}
    (count,) = loader.rows(
        "SELECT count() AS n, uniqExact(country) AS countries, countIf(time_zone = '') AS bare"
        " FROM mart.stations WHERE tenant = {t:String} AND is_newest"
    )
    assert count == {"n": 324, "countries": 4, "bare": 0}


def test_only_what_changed_is_written(loader: Loader) -> None:
    loader.load({"stations": [station("S1"), station("S2")], "tariffs": [tariff()]})

    done = loader.load({"stations": [station("S1"), station("S2", area="Syd"), station("S3")]})

    assert done.written == {"stations": {"new": 1, "changed": 1, "ended": 0}}
    assert done.unchanged == 1
    assert ["re-priced by laddstream rebuild" in note for note in done.notes] == [True]


def test_a_change_without_time_is_for_ever_and_one_with_time_from_then_on(loader: Loader) -> None:
    key = (loader.tenant, "S1")
    loader.load({"stations": [station()]})
    loader.load({"stations": [station(area="Syd", valid_from="2026-03-01T00:00:00Z")]})
    seen = loader.seen()
    assert [seen.station(key, at).area for at in (0, MARCH - 1, MARCH)] == ["Norr", "Norr", "Syd"]

    done = loader.load({"stations": [station(area="Väst")]})

    seen = loader.seen()
    assert [seen.station(key, at).area for at in (0, MARCH - 1, MARCH)] == ["Väst", "Väst", "Syd"]
    assert "S1 of stations has a later version, from 2026-03-01 on: it stays" in done.notes


def test_an_end_holds_from_its_time_on_and_what_comes_back_is_there_for_good(
    loader: Loader,
) -> None:
    key = (loader.tenant, "S1")
    loader.load({"stations": [station(), station(area="Syd", valid_from="2026-03-01T00:00:00Z")]})
    loader.load({"stations": [{"station_id": "S1", "deleted": True,
                               "valid_from": "2026-02-01T00:00:00Z"}]})  # fmt: skip
    seen = loader.seen()
    assert [seen.station(key, at).area for at in (0, MARCH - 1, MARCH)] == ["Norr", "", ""]
    newest = "SELECT count() AS n FROM mart.stations WHERE tenant = {t:String} AND is_newest"
    assert loader.rows(newest) == [{"n": 0}]

    loader.load({"stations": [{"station_id": "S1", "deleted": True}]})
    assert loader.seen().station(key, 0).area == ""
    loader.load({"stations": [station(area="Öst")]})
    seen = loader.seen()
    assert [seen.station(key, at).area for at in (0, MARCH)] == ["Öst", "Öst"]


def test_a_token_that_a_driver_no_longer_has_ends(loader: Loader) -> None:
    def whose(card: str, at: int = MARCH) -> str:
        return loader.seen().contract((loader.tenant, "S1"), card, at).driver_id

    loader.load({"drivers": [driver("d1", "A", "B"), driver("d2", "C")]})
    loader.load({"drivers": [driver("d1", "A"), driver("d2", "C", "D")]})
    assert [whose(card) for card in "ABCD"] == ["d1", "", "d2", "d2"]

    loader.load({"drivers": [driver("d2", "A", "C", valid_from="2026-03-01T00:00:00Z")]})
    assert [whose(card) for card in "ACD"] == ["d2", "d2", ""]
    assert [whose(card, MARCH - 1) for card in "ACD"] == ["d1", "d2", "d2"]

    loader.load({"drivers": [{"driver_id": "d2", "deleted": True}]})
    assert [whose(card) for card in "ACD"] == ["", "", ""]


def test_a_trial_writes_nothing_and_says_what_it_would(loader: Loader) -> None:
    before = loader.seen().revision

    done = loader.load({"stations": [station()]}, dry_run=True)

    assert (done.published, done.counts["stations"]) == (False, 1)
    assert loader.seen().revision == before
    assert loader.rows("SELECT * FROM mart.stations WHERE tenant = {t:String}") == []


def test_what_an_entry_names_must_be_in_the_files_or_the_store(loader: Loader) -> None:
    assert loader.refused({
        "drivers": [driver("d1", "A", company_id="nobody")],
        "plans": [plan() | {"tariff_id": "T0"}],
        "subscriptions": [subscribed("2026-03-01", plan_id="p0"),
                          {"driver_id": "d0", "plan_id": "p1", "from": "2026-03-01"}],
        "assignments": [{"assignment_id": "a", "tariff_id": "T0"},
                        {"assignment_id": "b", "free": True, "company_id": "nobody"}],
    }) == [
        (field, f"{name} is neither in these files nor in the catalogue") for field, name in [
            ("/drivers/0/company_id", "nobody"), ("/plans/0/tariff_id", "T0"),
            ("/subscriptions/1/driver_id", "d0"), ("/assignments/0/tariff_id", "T0"),
            ("/assignments/1/company_id", "nobody"), ("/subscriptions/0/plan_id", "p0"),
        ]
    ]  # fmt: skip
    loader.load({"tariffs": [tariff()], "plans": [plan()], "drivers": [driver("d1", "A")]})
    done = loader.load({"assignments": [{"assignment_id": "a", "tariff_id": "T1"}],
                        "subscriptions": [subscribed("2026-03-01")]})  # fmt: skip
    assert done.published
    (row,) = loader.rows("SELECT starts_at FROM mart.subscriptions WHERE tenant = {t:String}")
    assert row["starts_at"] == "2026-02-28T23:00:00.000Z"  # midnight in the plan's zone


def test_a_station_may_wait_for_its_tariff(loader: Loader) -> None:
    done = loader.load({"stations": [station(tariff_id="T9")]})

    assert done.published
    assert ["T9" in note and "unpriced" in note for note in done.notes] == [True]
    contract = loader.seen().contract((loader.tenant, "S1"), "", MARCH)
    assert contract.unpriced_reason == "tariff_missing"
    loader.load({"tariffs": [tariff("T9")]})
    assert loader.seen().contract((loader.tenant, "S1"), "", MARCH).unpriced_reason == ""


def test_a_driver_has_one_plan_at_a_time(loader: Loader) -> None:
    base = {"plans": [plan("p1"), plan("p2")], "drivers": [driver("d1", "A")]}
    both = [subscribed("2026-03-01", "2026-04-01"), subscribed("2026-03-31", plan_id="p2")]
    assert [one[0] for one in loader.refused(base | {"subscriptions": both})] == [
        "/subscriptions/0/from"
    ]
    loader.load(base | {"subscriptions": [subscribed("2026-03-01")]})
    assert len(loader.refused({"subscriptions": [subscribed("2026-05-01", plan_id="p2")]})) == 1
    loader.load({"subscriptions": [subscribed("2026-03-01", "2026-05-01"),
                                   subscribed("2026-05-01", plan_id="p2")]})  # fmt: skip
    plans = [loader.seen().contract((loader.tenant, "S"), "A", MARCH + day * 86_400_000).plan_id
             for day in (0, 60, 61)]  # fmt: skip
    assert plans == ["p1", "p1", "p2"]


def test_of_two_loads_at_once_one_is_refused_and_the_other_whole(loader: Loader) -> None:
    with (
        closing(CatalogueStore(loader.address, DATABASE)) as one,
        closing(CatalogueStore(loader.address, DATABASE)) as two,
    ):
        mine, other = one.state({loader.tenant}), two.state({loader.tenant})
        first, second = (
            settle(loader.contents({"stations": [station(name) for name in names]}), state)
            for names, state in [("AB", mine), ("CD", other)]
        )

        def while_written(*_: object) -> None:
            with pytest.raises(UserError, match="try again"):
                two.publish(second, other, lambda *_: None)
            assert loader.seen().revision == mine.published

        revision = one.publish(first, mine, while_written)
        with pytest.raises(UserError, match="run it again"):
            two.publish(second, other, lambda *_: None)

    assert loader.seen().revision == revision
    names = loader.rows("SELECT station_id FROM mart.stations WHERE tenant = {t:String}")
    assert sorted(row["station_id"] for row in names) == ["A", "B"]
    assert loader.load({"stations": [station("C")]}).published


def test_the_next_load_completes_one_that_was_cut_off_and_nothing_vanishes_until_then(
    loader: Loader,
) -> None:
    loader.load({"stations": [station(area="old")], "tariffs": [tariff()]})
    wanted = {"stations": [station(area="new")], "tariffs": [tariff(price=2)]}
    key = (loader.tenant, "S1")

    def cut_off(table: str, *_: object) -> None:
        if table == "stations":
            raise KeyboardInterrupt

    with closing(connect_client(loader.address)) as client:
        client.command(f"SYSTEM STOP MERGES {DATABASE}.stations")
    with pytest.raises(KeyboardInterrupt):
        loader.load(wanted, say=cut_off)
    (row,) = loader.rows("SELECT area FROM mart.stations WHERE tenant = {t:String}")
    assert (row["area"], loader.seen().station(key).area) == ("old", "old")
    with closing(connect_client(loader.address)) as client:
        client.command(f"SYSTEM START MERGES {DATABASE}.stations")
        client.command(f"OPTIMIZE TABLE {DATABASE}.stations FINAL")
    (row,) = loader.rows("SELECT area FROM mart.stations WHERE tenant = {t:String}")
    assert row["area"] == "new"  # rather than nothing

    done = loader.load(wanted)

    assert done.written == {"tariffs": {"new": 0, "changed": 1, "ended": 0}}
    assert loader.seen().station(key).area == "new"
    assert loader.load(wanted).published is False


def test_a_store_from_before_revisions_goes_on(address: Address, tmp_path: Path) -> None:
    loader = Loader(address, tmp_path)
    with closing(connect_client(address)) as client:
        client.command(
            f"INSERT INTO {DATABASE}.stations (tenant, station_id, revision, area) SELECT"
            f" '{loader.tenant}', 'S1', max(revision), 'Norr' FROM {DATABASE}.catalogue_revisions"
        )

    assert loader.load({"stations": [station()]}).published is False
    assert loader.load({"stations": [station(area="Syd")]}).written["stations"]["changed"] == 1


def test_a_store_that_is_away_is_not_asked_about_nothing(loader: Loader) -> None:
    away = replace(loader.address, url="http://127.0.0.1:1")

    with pytest.raises(UnavailableError):
        load(loader.contents({"stations": [station()]}), away, DATABASE)
    with pytest.raises(UserError, match="nothing to load"):
        load(loader.contents({"stations": []}), away, DATABASE)


def test_what_is_not_published_is_in_no_view_and_no_snapshot(loader: Loader) -> None:
    loader.load({"plans": [plan()], "drivers": [driver("d1", "A")]})
    wanted = {
        "stations": [station("NEW")], "tariffs": [tariff()], "companies": [COMPANY],
        "plans": [plan("p2"), plan() | {"valid_from": "2026-04-01T00:00:00Z"}],
        "subscriptions": [subscribed("2026-03-01")],
        "assignments": [{"assignment_id": "a", "tariff_id": "T1"}],
    }  # fmt: skip
    views = {
        "stations": 1, "tariffs": 1, "companies": 1, "company_terms": 1, "plans": 3,
        "plan_terms": 3, "subscriptions": 1, "assignments": 1,
    }  # fmt: skip

    def counted() -> dict[str, int]:
        count = "SELECT count() AS n FROM mart.{} WHERE tenant = {{t:String}}"
        return {
            view: loader.rows(count.format(view))[0]["n"] for view in (*views, "subscription_fees")
        }

    def cut_off(table: str, *_: object) -> None:
        if table == "assignments":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loader.load(wanted, say=cut_off)
    nothing = dict.fromkeys([*views, "subscription_fees"], 0) | {"plans": 1, "plan_terms": 1}
    assert counted() == nothing
    assert loader.seen().station((loader.tenant, "NEW")).area == ""
    assert loader.seen().contract((loader.tenant, "NEW"), "A", MARCH).tariff_id == ""

    done = loader.load(wanted)

    assert (done.published, done.written) == (True, {})
    found = counted()
    assert found.pop("subscription_fees") >= 1
    assert found == views
    assert loader.seen().contract((loader.tenant, "NEW"), "A", MARCH).plan_id == "p1"


def test_a_deleted_plan_ends_its_fees_when_it_ends_and_not_with_a_later_version(
    loader: Loader,
) -> None:
    later = plan() | {"valid_from": "2026-06-01T00:00:00+02:00"}
    loader.load({"plans": [plan(), later], "drivers": [driver("d1", "A")],
                 "subscriptions": [subscribed("2026-03-01")]})  # fmt: skip
    ended = {"plan_id": "p1", "deleted": True, "valid_from": "2026-04-11T00:00:00+02:00"}
    loader.load({"plans": [ended]})

    fees = loader.rows(
        "SELECT month, days, amount_excl_vat AS fee FROM mart.subscription_fees"
        " WHERE tenant = {t:String} ORDER BY month"
    )
    assert [(row["month"], row["days"]) for row in fees] == [("2026-03", 31), ("2026-04", 10)]
    assert [row["fee"] for row in fees] == [10, Decimal("3.333333")]  # 10.00 x 10 / 30
