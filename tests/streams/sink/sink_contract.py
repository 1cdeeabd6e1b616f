"""What any sink must do: one suite, run on the memory twin and on a store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pytest

from schemas import wire
from streams.catalogue import Catalogue
from streams.core.events import CoreEvent, Started
from streams.core.identity import NIL, start_session_id, transaction_session_id
from streams.core.session import Bill, Owner, Session, Station
from streams.event_rows import PendingRows, core_event
from streams.session_rows import derive_session, sessions_table
from streams.sink.port import (
    Lister,
    Reassignment,
    Selection,
    Sink,
    StoredSession,
    StoredTerms,
)
from tests.streams.core.core_events import (
    end21,
    meter16,
    meter21,
    ms,
    stamp,
    start16,
    start21,
    stop16,
    wire_base,
)
from tests.streams.core.fleet_kit import TARIFF, catalogue
from tests.streams.rows_of_events import TP, decoded

NAMES = ["plain", "o'neill", 'the "big" one', "back\\slash\\", "Malmö/充电 👍", "{x:String} %s $1"]


class SinkContract:
    """Subclasses give the fixture `sink`. Each test has a tenant of its own."""

    @pytest.fixture
    def tenant(self) -> str:
        return f"t-{uuid4()}"

    def test_the_same_insert_twice_is_one_row(self, sink: Sink, tenant: str) -> None:
        for _ in range(2):
            store(sink, tenant, {"x": [start21(0, "x"), meter21(10, 5, "x", 1)]})

        (session,) = sink.sessions_by_id([key(tenant, "x")])
        assert len(list(sink.events([session]))) == 2

    def test_the_higher_version_wins_whatever_the_order(self, sink: Sink, tenant: str) -> None:
        low, high = [start21(0, "x")], [start21(0, "x"), end21(60, "x", 1)]
        store(sink, tenant, {"x": high})
        store(sink, tenant, {"x": low})
        (kept,) = sink.sessions_by_id([key(tenant, "x")])
        store(sink, tenant, {"y": low_of("y")})
        store(sink, tenant, {"y": [start21(0, "y"), end21(60, "y", 1)]})
        (raised,) = sink.sessions_by_id([key(tenant, "y")])

        assert (kept.status, raised.status) == ("ended", "ended")
        assert kept.version == raised.version == (1 << 40) + 4

    def test_a_stored_session_says_what_a_worker_must_know(self, sink: Sink, tenant: str) -> None:
        store(sink, tenant, {"x": [start21(0, "x"), meter21(40, 5000, "x", 1)]})

        (found,) = sink.sessions_by_id([key(tenant, "x"), key(tenant, "unknown")])

        assert found == StoredSession(
            tenant, "S9", key(tenant, "x")[2], "ocpp2.1", ("x",), (1 << 40) + 4, "active",
            1, -1, ms(0), ms(0), ms(40), ms(0), ms(30),
            Bill("active", None, None, None, "", "", "no_tariff"),
        )  # fmt: skip

    def test_chosen_sessions_come_page_by_page_and_each_once(self, sink: Sink, tenant: str) -> None:
        ids = [f"x{i}" for i in range(7)]
        store(sink, tenant, {x: [start21(10 * i, x)] for i, x in enumerate(ids)})
        chosen = Selection(below=2 << 40, unpriced=True, station_id="S9", from_ms=ms(10))

        found: list[StoredTerms] = []
        while page := sink.page(chosen, found[-1].key if found else None, 4):
            found += page

        mine = [one for one in found if one.session.tenant == tenant]
        assert {one.key for one in mine} == {key(tenant, x) for x in ids[1:]}
        assert len(mine) == 6
        assert {one.driver_key for one in mine} == {"A"}
        assert sorted(one.begun_ms for one in mine) == [ms(10 * i) for i in range(1, 7)]
        assert sink.count(chosen) == len(found)
        assert sink.page(replace(chosen, to_ms=ms(10)), None, 9) == []
        assert sink.page(replace(chosen, below=1 << 40), None, 9) == []
        assert sink.page(replace(chosen, station_id="S'1"), None, 9) == []

    def test_stations_tell_last_starts_newest_event_and_open_sessions(
        self, sink: Sink, tenant: str
    ) -> None:
        store(sink, tenant, {
            "a": [start21(0, "a"), end21(30, "a", 1)],
            "b": [start21(50, "b"), meter21(70, 1, "b", 1)],
            "c": [start21(60, "c", evse_id=2), end21(65, "c", 1)],
            "d": [meter21(20, 1, "d", 5)],
        })  # fmt: skip

        (found,) = sink.stations([(tenant, "S9"), (tenant, "elsewhere")])

        assert found.owner == (tenant, "S9")
        assert found.last_event_ms == ms(70)
        assert dict(found.last_starts) == {1: ms(50), 2: ms(60), -1: -1}
        assert {s.transaction_ids: s.status for s in found.open_sessions} == {
            ("b",): "active", ("d",): "pending",
        }  # fmt: skip

    def test_nothing_asked_is_nothing_found(self, sink: Sink) -> None:
        assert sink.stations([]) == []
        assert sink.sessions_by_id([]) == []
        assert sink.sessions16({}, {}) == []
        assert list(sink.events([])) == []
        assert list(sink.floating([])) == []

    def test_16_sessions_are_found_by_transaction_id(self, sink: Sink, tenant: str) -> None:
        one = store16(sink, tenant, [start16(0, 0, "7"), stop16(30, 100, "7")])
        store16(sink, tenant, [start16(60, 100, "8")])
        other_station = {(tenant, "elsewhere"): {"7"}}

        found = sink.sessions16({(tenant, "S9"): {"7", "99"}}, {})

        assert [s.session_id for s in found] == [one]
        assert sink.sessions16(other_station, {}) == []

    def test_16_sessions_are_found_by_a_window_their_events_touch(
        self, sink: Sink, tenant: str
    ) -> None:
        early = store16(sink, tenant, [start16(0, 0, "7"), stop16(30, 100, "7")])
        late = store16(sink, tenant, [start16(60, 100, "8"), stop16(90, 200, "8")])
        owner = (tenant, "S9")

        def at(low: int, high: int) -> set[UUID]:
            return {s.session_id for s in sink.sessions16({}, {owner: (ms(low), ms(high))})}

        assert at(10, 20) == {early}
        assert at(30, 60) == {early, late}
        assert at(31, 59) == set()
        assert at(-10, 100) == {early, late}

    def test_sessions_of_2x_are_not_16_sessions(self, sink: Sink, tenant: str) -> None:
        store(sink, tenant, {"7": [start21(0, "7")]})

        assert sink.sessions16({(tenant, "S9"): {"7"}}, {(tenant, "S9"): (0, ms(1000))}) == []

    def test_events_come_back_as_they_were_accepted(self, sink: Sink, tenant: str) -> None:
        values = [
            start21(0, "x", charging_state="EVConnected", flags=("clock_corrected",)),
            meter21(10, 5, "x", 1, export_wh="7.125", power_w="11000.5", current_a="16"),
            meter21(20, 9, "x", 2, import_l1_wh=3, import_interval_wh="0.001", other={"a": "b"}),
            wire.encode(wire.ChargingStateChanged(
                **wire_base("ocpp2.1", "x", seq_no=3), timestamp=stamp(30),
                charging_state="SuspendedEV", id_token="it's \\ \"it\"",
            )),
            end21(60, "x", 4, meter_stop_wh="99999999999999.999", reason="Local"),
        ]  # fmt: skip
        cores = store(sink, tenant, {"x": values})["x"]

        (session,) = sink.sessions_by_id([key(tenant, "x")])
        assert read(sink.events([session])) == cores

    def test_events_of_a_session_are_found_however_far_from_start_and_stop(
        self, sink: Sink, tenant: str
    ) -> None:
        month = 30 * 24 * 60
        values = [start16(0, 0), stop16(60, 5000), meter16(-month, 1), meter16(3 * month, 2)]
        home = store16(sink, tenant, values)

        (session,) = sink.sessions_by_id([(tenant, "S9", home)])
        assert len(read(sink.events([session]))) == 4

    @pytest.mark.parametrize("name", NAMES)
    def test_any_name_is_stored_and_found(self, sink: Sink, tenant: str, name: str) -> None:
        odd = f"{tenant} {name}"
        cores = store(sink, odd, {name: [start21(0, name), meter21(5, 1, name, 1)]}, name)

        (session,) = sink.sessions_by_id([(odd, name, transaction_session_id(odd, name, name))])
        (station,) = sink.stations([(odd, name)])
        assert session.transaction_ids == (name,)
        assert station.owner == (odd, name)
        assert read(sink.events([session])) == cores[name]

    @pytest.mark.parametrize("name", NAMES)
    def test_any_transaction_id_is_found_and_moved(
        self, sink: Sink, tenant: str, name: str
    ) -> None:
        home = store16(sink, tenant, [start16(0, 0, name)])
        insert_events(sink, tenant, [(meter16(10, 100, name), NIL)])

        sink.reassign([
            Reassignment((tenant, "S9"), name, ms(10), "meter_sampled", home)
        ])  # fmt: skip

        (session,) = sink.sessions16({(tenant, "S9"): {name}}, {})
        assert len(read(sink.events([session]))) == 2

    def test_floating_events_are_16_readings_and_stops_whose_id_says_nothing(
        self, sink: Sink, tenant: str
    ) -> None:
        store16(sink, tenant, [start16(0, 0)])
        status = wire.StationStatus(
            **wire_base("ocpp1.6", None), timestamp=stamp(5), connector_id=1, status="Available"
        )
        insert_events(sink, tenant, [
            (meter16(10, 100, None), NIL),
            (meter16(20, 100, None, connector_id=0), NIL),
            (stop16(30, 200, "-1"), NIL),
            (meter16(40, 300, "7"), uuid4()),
            (wire.encode(status), NIL),
            (meter21(50, 1, "x", 0), NIL),
        ])  # fmt: skip

        found = list(sink.floating([(tenant, "S9")]))

        assert {(r["type"], r["timestamp_ms"], r["transaction_id"]) for r in found} == {
            ("meter_sampled", ms(10), ""), ("session_ended", ms(30), "-1"),
        }  # fmt: skip
        assert {(r["tenant"], r["station_id"]) for r in found} == {(tenant, "S9")}

    def test_floating_events_of_a_station_without_any_session_are_found(
        self, sink: Sink, tenant: str
    ) -> None:
        insert_events(sink, tenant, [(stop16(30, 200, "-1"), NIL)])

        assert len(list(sink.floating([(tenant, "S9")]))) == 1

    def test_a_moved_event_is_once_and_in_its_new_session_even_when_it_comes_again(
        self, sink: Sink, tenant: str
    ) -> None:
        home = store16(sink, tenant, [start16(0, 0)])
        reading = meter16(10, 100, "-1")
        other = meter16(11, 100, "-1")
        insert_events(sink, tenant, [(reading, NIL), (other, NIL)])
        move = Reassignment((tenant, "S9"), "-1", ms(10), "meter_sampled", home)

        sink.reassign([move])
        sink.reassign([move])
        insert_events(sink, tenant, [(reading, NIL)])

        (session,) = sink.sessions_by_id([(tenant, "S9", home)])
        assert {e.ts for e in read(sink.events([session]))} == {ms(0), ms(10)}
        floating = {r["timestamp_ms"]: r["id"] for r in sink.floating([(tenant, "S9")])}
        assert floating == {ms(10): str(home), ms(11): str(NIL)}

    def test_the_first_words_of_the_ids_of_a_station_are_listed_and_of_no_other(
        self, sink: Sink, tenant: str
    ) -> None:
        store(sink, tenant, {"x": [start21(0, "x")], "y": [start21(0, "y")]})
        store(sink, tenant, {"z": [start21(0, "z")]}, station="S8")
        home = store16(sink, tenant, [start16(0, 0)])
        assert isinstance(sink, Lister)

        listed = sink.session_words([(tenant, "S9")])

        stored = {key(tenant, "x")[2], key(tenant, "y")[2], home}
        assert set(listed) == {(tenant, "S9")}
        assert set(listed[tenant, "S9"].tolist()) == {
            int.from_bytes(session.bytes[:4], "big") for session in stored
        }

    def test_stations_that_are_alike_are_each_themselves(self, sink: Sink, tenant: str) -> None:
        revision = sink.catalogue(Catalogue()).revision + 1
        alike: dict[str, Any] = {"tenant": tenant, "area": "A", "tariff_id": "T1"}
        rows = [alike | {"station_id": f"S{n}"} for n in range(3)]
        rows += [alike | {"station_id": "S1", "area": "B", "valid_from": moment(10)}]
        rows += [alike | {"station_id": "S2", "valid_from": moment(10), "deleted": 1}]
        publish(sink, revision, stations=rows)

        found = sink.catalogue(Catalogue())

        areas = {n: [found.station((tenant, f"S{n}"), ms(at)).area for at in (5, 15)]
                 for n in range(3)}  # fmt: skip
        assert areas == {0: ["A", "A"], 1: ["A", "B"], 2: ["A", ""]}

    def test_silent_sessions_are_open_and_long_without_event(self, sink: Sink, tenant: str) -> None:
        store(sink, tenant, {
            "old": [start21(0, "old"), meter21(10, 1, "old", 1)],
            "new": [start21(0, "new"), meter21(20, 1, "new", 1)],
            "over": [start21(0, "over"), end21(10, "over", 1)],
        })  # fmt: skip

        found = sink.silent(ms(15), ms(10**8))

        assert [s.transaction_ids for s in found if s.tenant == tenant] == [("old",)]

    def test_a_session_is_stale_when_more_events_are_stored_than_it_counts(
        self, sink: Sink, tenant: str
    ) -> None:
        store(sink, tenant, {"x": [start21(0, "x")], "y": [start21(0, "y")]})
        insert_events(sink, tenant, [(meter21(10, 5, "x", 1), key(tenant, "x")[2])])

        stale = [s for s in sink.stale() if s.tenant == tenant]

        assert [s.transaction_ids for s in stale] == [("x",)]

    def test_a_load_is_seen_when_its_revision_is_published_and_not_before(
        self, sink: Sink, tenant: str
    ) -> None:
        before = sink.catalogue(Catalogue())
        revision = before.revision + 1
        publish(sink, revision, stations=[{"tenant": tenant, "station_id": "it's", "area": "Norr",
                "rated_power_w": 22000}], at=None)  # fmt: skip

        hidden = sink.catalogue(before)
        publish(sink, revision, stations=[])
        shown = sink.catalogue(before)

        assert hidden is before
        assert shown.revision == revision
        assert shown.station((tenant, "it's")).rated_power_w == 22_000
        assert sink.catalogue(shown) is shown

    def test_rows_of_a_load_that_goes_on_do_not_hide_what_is_published(
        self, sink: Sink, tenant: str
    ) -> None:
        revision = sink.catalogue(Catalogue()).revision + 1
        station = {"tenant": tenant, "station_id": "S1"}
        publish(sink, revision, stations=[station | {"area": "old"}])
        publish(sink, revision + 1, stations=[station | {"area": "new"}], at=None)

        assert sink.catalogue(Catalogue()).station((tenant, "S1")).area == "old"
        publish(sink, revision + 1, stations=[])
        assert sink.catalogue(Catalogue()).station((tenant, "S1")).area == "new"

    def test_a_station_is_what_it_was_at_the_instant_that_is_asked_for(
        self, sink: Sink, tenant: str
    ) -> None:
        revision = sink.catalogue(Catalogue()).revision + 1
        station = {"tenant": tenant, "station_id": "S1"}
        rows = [station | {"area": "A"}, station | {"area": "B", "valid_from": moment(10)},
                station | {"area": "", "valid_from": moment(20), "deleted": 1}]  # fmt: skip
        publish(sink, revision, stations=rows)

        found = sink.catalogue(Catalogue())
        areas = [found.station((tenant, "S1"), ms(at)).area for at in (-(10**6), 9, 10, 19, 20)]

        assert areas == ["A", "A", "B", "B", ""]
        assert found.station((tenant, "S1")).area == ""

    def test_every_list_of_the_catalogue_comes_back_as_a_contract(
        self, sink: Sink, tenant: str
    ) -> None:
        revision = sink.catalogue(Catalogue()).revision + 1
        publish(
            sink, revision,
            stations=[{"tenant": tenant, "station_id": "S1", "area": "Norr", "tariff_id": "T1",
                       "time_zone": "Europe/Stockholm"}],
            tariffs=[{"tenant": tenant, "tariff_id": "T1", "ocpi_json": json.dumps(TARIFF)}],
            drivers=[{"tenant": tenant, "driver_key": "04E1", "driver_id": "driver-1",
                      "company_id": "acme", "groups": ["staff"]}],
            companies=[{"tenant": tenant, "company_id": "acme",
                        "company_json": '{"currency":"SEK","pays":{"areas":["Norr"]}}'}],
            plans=[{"tenant": tenant, "plan_id": "flex",
                    "plan_json": '{"currency":"SEK","discount_percent":"12.5"}'}],
            subscriptions=[{"tenant": tenant, "driver_id": "driver-1", "plan_id": "flex",
                            "starts_at": moment(0), "ends_at": moment(60)}],
            assignments=[{"tenant": tenant, "assignment_id": "a", "tariff_id": "T2",
                          "stations": [], "areas": [], "driver_group": "board"}],
        )  # fmt: skip

        found = sink.catalogue(Catalogue())
        contract = found.contract((tenant, "S1"), "04e1", ms(59))
        later = found.contract((tenant, "S1"), "04e1", ms(60))

        assert (contract.tariff_id, contract.unpriced_reason) == ("T1", "")
        assert found.compiled(contract) is not None
        assert (contract.payer, contract.payer_id) == ("company", "acme")
        assert (contract.driver_id, contract.plan_id) == ("driver-1", "flex")
        assert contract.discount == Fraction(1, 8)
        assert (later.plan_id, later.discount) == ("", Fraction(0))


def moment(minutes: float) -> datetime:
    """The instant of `ms`, as a time."""
    return datetime.fromtimestamp(ms(minutes) / 1000, UTC)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATION: dict[str, Any] = {
    "area": "", "city": "", "country": "", "region": "", "time_zone": "", "rated_power_w": None,
    "tariff_id": "", "deleted": 0, "valid_from": EPOCH,
}  # fmt: skip
TYPES = {
    "revision": pa.uint32(), "rated_power_w": pa.uint32(), "deleted": pa.uint8(),
    "groups": pa.list_(pa.string()), "stations": pa.list_(pa.string()),
    "areas": pa.list_(pa.string()), "published_at": pa.timestamp("ms", "UTC"),
    "valid_from": pa.timestamp("ms", "UTC"), "starts_at": pa.timestamp("ms", "UTC"),
    "ends_at": pa.timestamp("ms", "UTC"),
}  # fmt: skip


def publish(sink: Sink, revision: int, *, at: datetime | None = NOW, **tables: Any) -> None:
    """Rows at a revision that was claimed before, published unless `at` is None."""
    claim = {"revision": revision, "published_at": EPOCH, "summary": "claim"}
    sink.insert("catalogue_revisions", table_of([claim]))
    for name, rows in tables.items():
        defaults = STATION if name == "stations" else {"valid_from": EPOCH, "deleted": 0}
        if name == "subscriptions":
            defaults = {"deleted": 0}
        whole = [{**defaults, **row, "revision": revision} for row in rows]
        if whole:
            sink.insert(name, table_of(whole))
    if at is not None:
        row = {"revision": revision, "published_at": at, "summary": ""}
        sink.insert("catalogue_revisions", table_of([row]))


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as the worker's tables are typed."""
    fields = [pa.field(name, TYPES.get(name, pa.string())) for name in rows[0]]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def low_of(transaction: str) -> list[bytes]:
    """A session of which only the start is known."""
    return [start21(0, transaction)]


def key(tenant: str, transaction: str) -> tuple[str, str, UUID]:
    """The key of a 2.x session at S9."""
    return (tenant, "S9", transaction_session_id(tenant, "S9", transaction))


def placed(value: bytes, tenant: str, station: str = "S9") -> bytes:
    """The event at another tenant's station."""
    event = decoded([value]).events[0]
    event.tenant, event.station_id = tenant, station
    return wire.encode(event)


def insert_events(
    sink: Sink, tenant: str, values: Iterable[tuple[bytes, UUID]], station: str = "S9"
) -> list[CoreEvent]:
    """Store events as rows of given sessions."""
    pairs = list(values)
    found = decoded([placed(value, tenant, station) for value, _ in pairs])
    rows = PendingRows(TP.topic)
    count = len(found.events)
    rows.take(found, [TP.partition] * count, [None] * count)
    sink.insert("events", rows.table([home.bytes for _, home in pairs]))
    return [core for core in found.cores if core is not None]


def store(
    sink: Sink, tenant: str, sessions: Mapping[str, list[bytes]], station: str = "S9"
) -> dict[str, set[CoreEvent]]:
    """Store 2.x sessions with their events."""
    out = {}
    for transaction, values in sessions.items():
        sid = transaction_session_id(tenant, station, transaction)
        cores = insert_events(sink, tenant, [(v, sid) for v in values], station)
        insert_session(sink, (tenant, station), sid, "ocpp2.1", transaction, cores)
        out[transaction] = set(cores)
    return out


def store16(sink: Sink, tenant: str, values: list[bytes]) -> UUID:
    """Store one 1.6 session with its events; the first value is its start."""
    event = decoded([values[0]]).events[0]
    core = decoded([values[0]]).cores[0]
    assert isinstance(core, Started)
    sid = start_session_id(
        tenant, "S9", event.connector_id, core.id_token, event.timestamp, core.meter_mwh
    )
    cores = insert_events(sink, tenant, [(v, sid) for v in values])
    transaction = event.transaction_id or ""
    insert_session(sink, (tenant, "S9"), sid, "ocpp1.6", transaction, cores)
    return sid


def insert_session(
    sink: Sink, owner: Owner, sid: UUID, protocol: str, transaction: str, cores: list[CoreEvent]
) -> None:
    """Derive and store the row of one session."""
    session = Session(Station(owner, 0), sid, protocol)
    session.answers_to(transaction)
    session.events = set(cores)
    derived = derive_session(session, catalogue())
    assert derived is not None
    table: pa.Table = sessions_table([derived])
    sink.insert("sessions", table)


def read(rows: Iterable[Mapping[str, Any]]) -> set[CoreEvent]:
    """Stored rows as core events."""
    return {core_event(row) for row in rows}
