"""Lists of stored sessions spare questions, and never make a stored session new."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from streams.core.book import Book
from streams.core.session import Owner, Session, Station
from streams.listed import LISTED, Listed
from streams.sink.port import StoredSession
from tests.streams.core.core_events import end21, meter21, start21
from tests.streams.core.fleet_kit import Drive, MortalSink, settings_of

SPACE = UUID(int=7)


class Shelf:
    """Ids of sessions that are stored at one station."""

    def __init__(self, ids: list[UUID]) -> None:
        self.ids = ids
        self.asked = 0

    def session_words(self, owners: Collection[Owner]) -> Mapping[Owner, NDArray[np.uint32]]:
        """The same for all."""
        self.asked += 1
        return {owner: np.array([i.int >> 96 for i in self.ids], np.uint32) for owner in owners}


class CountingSink(MortalSink):
    """Counts sessions that are asked for by their ids."""

    asked = 0

    def sessions_by_id(self, keys: Collection[tuple[str, str, UUID]]) -> list[StoredSession]:
        """And answers."""
        self.asked += len(keys)
        return super().sessions_by_id(keys)


def ids(first: int, count: int) -> list[UUID]:
    return [uuid5(SPACE, str(n)) for n in range(first, first + count)]


def listed_station(shelf: Shelf) -> tuple[Listed, Station]:
    """A station that was asked about in vain until it was listed."""
    listed, station = Listed(shelf), Station(("t", "S1"), 0)
    station.stored_until = 1_000
    for number, session_id in enumerate(ids(10**6, 2)):
        assert station.stored_until != LISTED, number
        listed.asked_in_vain([Session(station, session_id, "ocpp2.0.1")])
    assert station.stored_until == LISTED
    return listed, station


def new(listed: Listed, station: Station, session_id: UUID) -> bool:
    return listed.new(Session(station, session_id, "ocpp2.0.1"))


def test_no_stored_session_is_taken_for_new_and_hardly_a_new_one_for_stored() -> None:
    stored = ids(0, 4_000)
    listed, station = listed_station(Shelf(stored))

    assert not any(new(listed, station, each) for each in stored)
    assert sum(not new(listed, station, each) for each in ids(10_000, 4_000)) < 40


def test_a_session_that_the_book_evicts_is_in_the_list_from_then_on() -> None:
    listed, station = listed_station(Shelf(ids(0, 10)))
    session = Session(station, ids(50, 1)[0], "ocpp2.0.1")
    assert listed.new(session)

    listed.let_go(session, Book().evict)

    assert not listed.new(session)
    assert new(listed, station, ids(51, 1)[0])


def test_a_list_is_not_believed_after_an_eviction_it_was_not_told_of() -> None:
    listed, station = listed_station(Shelf(ids(0, 10)))
    session = Session(station, ids(50, 1)[0], "ocpp2.0.1")

    Book().evict(session)

    assert not listed.new(session)
    assert not new(listed, station, ids(51, 1)[0])


def test_a_list_that_is_full_is_made_again_with_room_for_more() -> None:
    shelf = Shelf(ids(0, 100))
    listed, station = listed_station(shelf)
    shelf.ids = ids(0, 200)
    for session_id in shelf.ids[100:]:
        listed.let_go(Session(station, session_id, "ocpp2.0.1"), Book().evict)

    for session_id in ids(10**7, 2):
        listed.asked_in_vain([Session(station, session_id, "ocpp2.0.1")])

    assert shelf.asked == 2
    assert not any(new(listed, station, each) for each in shelf.ids)


def test_nothing_is_listed_beyond_the_memory_that_is_allowed() -> None:
    shelf = Shelf(ids(0, 10))
    listed, station = Listed(shelf, most_bytes=0), Station(("t", "S1"), 0)
    station.stored_until = 1_000
    for session_id in ids(100, 5):
        listed.asked_in_vain([Session(station, session_id, "ocpp2.0.1")])

    assert shelf.asked == 0
    assert not new(listed, station, ids(200, 1)[0])


def test_a_sink_that_lists_nothing_is_asked_every_time() -> None:
    listed, station = Listed(None), Station(("t", "S1"), 0)
    station.stored_until = 1_000
    for session_id in ids(100, 5):
        listed.asked_in_vain([Session(station, session_id, "ocpp2.0.1")])

    assert not new(listed, station, ids(200, 1)[0])


def test_a_busy_station_is_asked_about_twice_and_its_old_sessions_are_still_found() -> None:
    def whole(name: str, minute: int) -> list[bytes]:
        start, end = start21(minute, name), end21(minute + 4, name, 2)
        return [start, meter21(minute + 2, 1_000, name, 1), end]

    sink = CountingSink()
    drive = Drive(whole("old", 0), sink, settings_of())
    drive.take(3)
    drive.flush()
    drive.values, drive.committed = [], 0
    drive.restart()
    before = sink.asked
    for number in range(10):
        drive.values = [*drive.values, *whole(f"new-{number}", 10 + 10 * number)]
        drive.take(3)
        drive.flush()

    assert sink.asked - before == 2

    drive.values = [*drive.values, meter21(1, 500, "old", 1)]
    drive.take(1)
    drive.flush()

    assert sink.asked - before == 3
    rows = {row["transaction_id"]: row for row in sink.tables["sessions"].values()}
    assert rows["old"]["event_count"] == 4
