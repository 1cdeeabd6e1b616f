"""Asks the store, once per flush, for what the book does not know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from streams.core.book import Book
from streams.core.events import STARTED, CoreEvent
from streams.core.facts import CLOSED
from streams.core.groups import PROTOCOL, GroupBook
from streams.core.identity import NIL
from streams.core.keys import key_of
from streams.core.session import NOTHING_STORED, Connector, Owner, Session, Station, slices_code
from streams.event_rows import core_event
from streams.fast_lane import FastLane
from streams.listed import Listed
from streams.session_rows import settled
from streams.sink.port import Lister, Sink, StoredSession, StoredStation


class Lookup:
    """Joins stored knowledge to a book."""

    def __init__(self, book: Book, groups: GroupBook, sink: Sink, fast: FastLane) -> None:
        self._book = book
        self._groups = groups
        self._sink = sink
        self._fast = fast
        self.listed = Listed(sink if isinstance(sink, Lister) else None)

    def resolve(self) -> None:
        """Learn what is stored of new stations, and of the 1.6 ids they want."""
        new = self._book.new_stations
        if new:
            stored = {s.owner: s for s in self._sink.stations([s.key for s in new])}
            for station in new:
                self._meet(station, stored.get(station.key))
            self._remember_open(
                (station, row)
                for station in new
                if station.key in stored
                for row in stored[station.key].open_sessions
            )
            self._book.new_stations = []
            self._meet_floating([s for s in new if s.groups is not None])
        self._resolve16()

    def _meet(self, station: Station, stored: StoredStation | None) -> None:
        if stored is None:
            station.stored_until = NOTHING_STORED
            if station.groups is not None:
                station.groups.want_nothing()
            return
        station.stored_until = stored.last_event_ms
        for number, start in stored.last_starts:
            if number >= 0 and start >= 0:
                self._book.saw_start(station.connector(number), start)

    def _meet_floating(self, new: list[Station]) -> None:
        """1.6 events without a usable transaction id: a new start may change whose they are."""
        known = {s.key: s for s in new}
        owners = list(known)
        found: dict[Owner, list[tuple[str, CoreEvent]]] = {}
        for row in self._sink.floating(owners) if owners else ():
            owner = (row["tenant"], row["station_id"])
            groups = known[owner].groups
            if row["id"] != str(NIL) and groups is not None:
                self._groups.want_window(groups, row["timestamp_ms"])
                continue
            found.setdefault(owner, []).append((row["transaction_id"], core_event(row)))
        for owner, tagged in found.items():
            self._groups.merge_floating(known[owner], tagged)

    def _remember_open(self, stored: Iterable[tuple[Station, StoredSession]]) -> None:
        """Open stored sessions that a later start, known or to come, must close."""
        direct: list[tuple[Station, StoredSession, int]] = []
        for station, row in stored:
            if row.number < 0 or row.started_ms is None:
                continue
            if row.protocol == PROTOCOL:
                station.connector(row.number)
                self._groups.of(station).want(*(row.transaction_ids or ("",)))
            else:
                direct.append((station, row, row.started_ms))
        keys = [key_of(*at.key, (row.transaction_ids or ("",))[0]) for at, row, _ in direct]
        for key, known, (station, row, start) in zip(
            keys, self._book.find(keys), direct, strict=True
        ):
            connector = station.connector(row.number)
            session = known or self._follow(key, station, row)
            _adopt(session, row)
            if connector.last_start > start and session.end_ts is None:
                self._book.touch(session)

    def _follow(self, key: str, station: Station, row: StoredSession) -> Session:
        """An open stored session that the book does not know yet."""
        session = Session(station, row.session_id, row.protocol)
        session.answers_to(*row.transaction_ids)
        session.start_ts, session.connector = row.started_ms, station.connector(row.number)
        self._book.direct[key] = session
        self._book.keep(session.connector, session)
        return session

    def _resolve16(self) -> None:
        wanting = list(self._groups.wanting)
        if not wanting:
            return
        stations = {g.station.key: g.station for g in wanting}
        wanted = {g.station.key: set(g.wanted_ids) for g in wanting if g.wanted_ids}
        windows = {g.station.key: (g.wanted_from, g.wanted_to) for g in wanting if g.wanted_to}
        rows = self._sink.sessions16(wanted, windows)
        events = self._events(rows)
        for groups in wanting:
            if groups.wanted_to:
                groups.window = (groups.wanted_from, groups.wanted_to)
            groups.want_nothing()
        for row in rows:
            station = stations[row.owner]
            session = Session(station, row.session_id, PROTOCOL)
            session.answers_to(*row.transaction_ids)
            _adopt(session, row)
            self._groups.merge(station, session, events.get(row.session_id, ()))
            groups_now = station.groups
            if groups_now is not None:
                groups_now.want_nothing()

    def load_dirty(self) -> None:
        """Stored events of dirty 2.x and imported sessions join their sets. What they tell may
        make sessions of the same connectors dirty, and those be loaded too.
        """
        while unknown := self._unknown():
            self._load(unknown)

    def _unknown(self) -> dict[UUID, Session]:
        unknown: dict[UUID, Session] = {}
        for session in self._book.dirty:
            if session.must_load and session.protocol != PROTOCOL:
                nothing = session.station.stored_until == NOTHING_STORED
                if not session.version and (nothing or self.listed.new(session)):
                    session.must_load = False
                else:
                    unknown[session.session_id] = session
        return unknown

    def _load(self, unknown: dict[UUID, Session]) -> None:
        rows = self._sink.sessions_by_id([(*s.station.key, s.session_id) for s in unknown.values()])
        events = self._events(rows)
        for row in rows:
            session = unknown[row.session_id]
            _adopt(session, row)
            loaded = [event for _, event in events.get(row.session_id, ())]
            self._book.merge_direct(session, self._fast.load(session, loaded))
            if session.connector is None:  # perhaps only samples tell it, which joined the lane
                for event in loaded:
                    self._book.notice(session, event)
        for session in unknown.values():
            session.must_load = False
        stored = {row.session_id for row in rows}
        self.listed.asked_in_vain(
            s for i, s in unknown.items() if not s.version and i not in stored
        )

    def stale(self) -> list[Session]:
        """Open sessions of which more events are stored than their row says: a crash came
        between two writes. Apart from the book, complete, ready to be derived. The book writes its
        own better than the store alone could tell.
        """
        return apart(self._sink, [row for row in self._sink.stale() if not self._holds(row)])

    def _holds(self, row: StoredSession) -> bool:
        if row.protocol == PROTOCOL:
            return self._known(row) is not None
        return self._book.holds([key_of(*row.owner, t) for t in row.transaction_ids])

    def _known(self, row: StoredSession) -> Session | None:
        """The book's own."""
        station = self._book.known_station(row.owner)
        if station is None:
            return None
        if row.protocol == PROTOCOL:
            return station.groups.sessions.get(row.session_id) if station.groups else None
        found = self._book.find([key_of(*row.owner, t) for t in row.transaction_ids])
        return next((session for session in found if session is not None), None)

    def touch(self, row: StoredSession) -> bool:
        """Have the book write a session again; False where it does not hold it whole."""
        session = self._known(row)
        if session is None or session.packed or session.must_load:
            return False
        if not session.events and session.slot < 0:
            return False
        self._book.touch(session)
        return True

    def _events(self, rows: list[StoredSession]) -> Mapping[UUID, list[tuple[str, CoreEvent]]]:
        return _stored_events(self._sink, rows)


def apart(sink: Sink, rows: list[StoredSession]) -> list[Session]:
    """Stored sessions with all of their stored events, apart from any book, ready to be derived."""
    if not rows:
        return []
    events = _stored_events(sink, rows)
    starts = {
        (stored.owner, number): start
        for stored in sink.stations({row.owner for row in rows})
        for number, start in stored.last_starts
    }
    out = []
    for row in rows:
        session = Session(Station(row.owner, -1), row.session_id, row.protocol)
        session.answers_to(*row.transaction_ids)
        session.events = {event for _, event in events.get(row.session_id, ())}
        session.start_ts = max((e.ts for e in session.events if e.kind == STARTED), default=None)
        session.connector = Connector()
        session.connector.last_start = starts.get((row.owner, row.number), -1)
        _adopt(session, row)
        out.append(session)
    return out


def _stored_events(
    sink: Sink, rows: list[StoredSession]
) -> Mapping[UUID, list[tuple[str, CoreEvent]]]:
    out: dict[UUID, list[tuple[str, CoreEvent]]] = {}
    found: Iterable[Mapping[str, Any]] = sink.events(rows) if rows else ()
    for row in found:
        pair = (row["transaction_id"], core_event(row))
        out.setdefault(UUID(row["id"]), []).append(pair)
    return out


def _adopt(session: Session, row: StoredSession) -> None:
    if row.version > session.version:
        session.version = row.version
        session.bill = settled(row.bill)
    session.written_ms = session.written_ms or 1
    session.closed = row.status in CLOSED
    if row.slice_first is not None and row.slice_last is not None:
        first, last = row.slice_first // 1000, row.slice_last // 1000
        first, last = (
            min(first, session.slice_first or first),
            max(last, session.slice_last or last),
        )
        session.slices = slices_code(first, last)
