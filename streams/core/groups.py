"""1.6 sessions: events find their session through the group of their transaction id.

While exactly one start carries an id, the group is as direct as a 2.x transaction. Any
other case (no start yet, id reused, id unknown) marks the station tangled; `untangle`
applies `allot` to everything known of it and says which events changed their session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID

from schemas.units import iso_ms
from streams.core.allot import Start, Tagged, allot
from streams.core.book import Book
from streams.core.events import ENDED, CoreEvent, Started
from streams.core.identity import (
    NIL,
    UNKNOWN_TRANSACTIONS,
    start_session_id,
    transaction_session_id,
)
from streams.core.session import NOTHING_STORED, Session, Station
from streams.core.station_groups import Group, StationGroups

WINDOW_MS = 7 * 24 * 3600 * 1000
"""How far back the start of an event without transaction id is looked for in the store."""

PROTOCOL = "ocpp1.6"


class Moved(NamedTuple):
    """An event that now belongs to another session than when it was stored."""

    station: Station
    tagged: Tagged
    session_id: UUID | None


class GroupBook:
    """The 1.6 side of a `Book`."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.tangled: dict[StationGroups, None] = {}
        self.wanting: dict[StationGroups, None] = {}
        """Those that want something from the store."""
        self.moved: list[Moved] = []

    def add(  # the hot path: no wrapper object an event
        self,
        tenant: str,
        station_id: str,
        transaction_id: str,
        event: CoreEvent,
        partition: int,
        now_ms: int,
    ) -> Group | None:
        """Add an event that is no start; returns the group that will know its session.

        None for a known event whose session is not certain: its row is right as it is stored.
        """
        group = self._station(tenant, station_id, partition).group(transaction_id)
        if event in group.events or (group.seen and hash(event) in group.seen):
            self._book.duplicates += 1
            return None if group.only() is None else group
        group.add(event)
        for known in group.starts.values():
            if known.packed or len(known.transaction_ids) != 1:
                self.unpack(known)
        session = group.only()
        if session is None or group.station in self.tangled:
            self._tangle(group.station)
            if transaction_id in UNKNOWN_TRANSACTIONS:
                group.station.float_until = max(group.station.float_until, event.ts)
                self.want_window(group.station, event.ts)
            return group
        session.events.add(event)
        self._book.notice(session, event)
        if event.kind == ENDED and (session.start_ts or 0) <= group.station.float_until:
            self._tangle(group.station)
        if not session.dirty_since:
            session.dirty_since = now_ms
            self._book.dirty[session] = None
        return group

    def add_start(  # the hot path: no wrapper object an event
        self,
        tenant: str,
        station_id: str,
        transaction_id: str,
        event: Started,
        partition: int,
        now_ms: int,
    ) -> Session:
        """Add a start, which is a session; returns it."""
        groups = self._station(tenant, station_id, partition)
        group = groups.group(transaction_id)
        session_id = start_session_id(
            tenant,
            station_id,
            event.connector if event.connector >= 0 else None,
            event.id_token,
            iso_ms(event.ts),
            event.meter_mwh,
        )
        session = groups.sessions.get(session_id)
        if session is None:
            session = self._new_session(groups, session_id)
        known = transaction_id in session.transaction_ids
        if known and (session.packed or event in session.events):
            self._book.duplicates += 1
            return session
        for other in (session, *group.starts.values()):
            if other.packed:
                self.unpack(other)
        self._remember_homes(group)
        groups.started[session_id] = event
        session.answers_to(transaction_id)
        group.starts[session_id] = session
        session.events.add(event)
        self._book.notice(session, event)
        self._book.touch(session, now_ms)
        if group.events or group.only() is None or event.ts <= groups.float_until:
            self._tangle(groups)
        return session

    def _remember_homes(self, group: Group) -> None:
        """Before a second start takes part: what the first one had was stored as its own."""
        if len(group.starts) == 1 and group.transaction_id not in UNKNOWN_TRANSACTIONS:
            (only,) = group.starts
            for event in group.events:
                group.station.homes.setdefault(Tagged(group.transaction_id, event), only)
            group.allotted = True

    def _station(self, tenant: str, station_id: str, partition: int) -> StationGroups:
        return self.of(self._book.station((tenant, station_id), partition))

    def of(self, station: Station) -> StationGroups:
        """The 1.6 memory of a station, made on first sight."""
        if station.groups is None:
            station.groups = StationGroups(station, self.wanting)
        return station.groups

    def _new_session(self, groups: StationGroups, session_id: UUID) -> Session:
        session = groups.sessions[session_id] = Session(groups.station, session_id, PROTOCOL)
        session.must_load = False
        return session

    def _tangle(self, groups: StationGroups) -> None:
        self.tangled[groups] = None

    def want_window(self, groups: StationGroups, ts: int) -> None:
        """Have the stored sessions around an instant loaded: an event may be any one's."""
        low, high = groups.window
        if groups.station.stored_until == NOTHING_STORED or low <= ts - WINDOW_MS < ts <= high:
            return
        first = ts - WINDOW_MS
        groups.wanted_from = min(groups.wanted_from or first, first)
        groups.wanted_to = max(groups.wanted_to, ts + WINDOW_MS)
        self.wanting[groups] = None

    def unpack(self, session: Session) -> None:
        """Have a packed session's events loaded again, then allot anew."""
        groups = session.station.groups
        if groups is None:
            return
        if session.packed:
            session.packed = False
            for transaction_id in session.transaction_ids:
                groups.group(transaction_id).seen.clear()
                groups.want(transaction_id)
        self._tangle(groups)

    def pack(self, session: Session) -> None:
        """Keep only what recognises duplicates of a closed, written session."""
        groups = session.station.groups
        if groups is None or groups in self.tangled:
            return
        if session.events and session.session_id not in groups.started:
            return
        for transaction_id in (*session.transaction_ids, *UNKNOWN_TRANSACTIONS):
            group = groups.groups.get(transaction_id)
            if group is None:
                continue
            mine = group.events & session.events
            group.events -= mine
            group.seen.update(map(hash, mine))
            if groups.homes:
                for event in mine:
                    groups.homes.pop(Tagged(transaction_id, event), None)
        session.events = set()
        session.packed = True

    def evict(self, session: Session) -> None:
        """Forget a packed session; the store is asked when its transaction speaks again."""
        groups = session.station.groups
        if groups is None or groups in self.tangled:
            return
        groups.sessions.pop(session.session_id, None)
        groups.started.pop(session.session_id, None)
        for transaction_id in session.transaction_ids:
            group = groups.groups.get(transaction_id)
            if group is not None:
                group.starts.pop(session.session_id, None)
                if not group.starts and not group.events:
                    del groups.groups[transaction_id]
        groups.window = (0, 0)
        session.station.stored_until = max(session.station.stored_until or 0, 0)

    def merge(
        self, station: Station, session: Session, tagged: Iterable[tuple[str, CoreEvent]]
    ) -> None:
        """A stored session (version and ids filled in) and its stored events become known."""
        groups = self.of(station)
        mine = groups.sessions.setdefault(session.session_id, session)
        if mine is not session:
            if session.version > mine.version:
                mine.version, mine.bill = session.version, session.bill
            mine.slices = session.slices
            mine.answers_to(*session.transaction_ids)
            mine.closed = session.closed
        mine.packed = mine.must_load = False
        for transaction_id, event in tagged:
            group = groups.group(transaction_id)
            mine.events.add(event)
            if isinstance(event, Started):
                groups.started[mine.session_id] = event
                mine.answers_to(transaction_id)
                group.starts[mine.session_id] = mine
                self._book.notice(mine, event)
                continue
            if event in group.events:
                self._book.duplicates += 1
            group.add(event)
            if transaction_id in UNKNOWN_TRANSACTIONS:
                groups.float_until = max(groups.float_until, event.ts)
            groups.homes[Tagged(transaction_id, event)] = mine.session_id
            group.allotted = True
        if 2 * len(mine.events) + 1 < mine.version % (1 << 28):
            mine.forced = True  # a crash came between moving events away and saying so
        self._book.touch(mine)
        self._tangle(groups)

    def merge_floating(self, station: Station, tagged: Iterable[tuple[str, CoreEvent]]) -> None:
        """Stored events that no session claimed become known again."""
        groups = self.of(station)
        for transaction_id, event in tagged:
            group = groups.group(transaction_id)
            group.add(event)
            group.allotted = True
            groups.float_until = max(groups.float_until, event.ts)
            groups.homes.setdefault(Tagged(transaction_id, event), None)
        self._tangle(groups)

    def untangle(self, now_ms: int) -> None:
        """Allot the events of every tangled station anew; `moved` says what changed."""
        for groups in list(self.tangled):
            if self._untangle(groups, now_ms):
                del self.tangled[groups]

    def _untangle(self, groups: StationGroups, now_ms: int) -> bool:
        """False where a packed session gets an event: it must be loaded first."""
        starts = [
            Start(sid, started, frozenset(groups.sessions[sid].transaction_ids))
            for sid, started in groups.started.items()
        ]
        tags, own, left = self._sort_out(groups)
        stops = {sid: g.end_ts for sid, g in own.items() if g.end_ts is not None}
        for sid, session in groups.sessions.items():
            if session.packed and session.end_ts is not None:
                stops[sid] = session.end_ts
        homes = allot(starts, tags, stops)
        wanted = {home for home in homes.values() if home and groups.sessions[home].packed}
        if wanted:
            for sid in wanted:
                self.unpack(groups.sessions[sid])
            return False
        left.update(home for tag in tags if (home := groups.homes.get(tag)) is not None)
        members: dict[UUID, set[CoreEvent]] = {home: set() for home in left}
        for tag, home in homes.items():
            target = home
            if home is None and tag.transaction_id not in UNKNOWN_TRANSACTIONS:
                target = self._orphan(groups, tag.transaction_id)
            if target is not None:
                members.setdefault(target, set()).add(tag.event)
            if groups.homes.get(tag, target) != target:
                self.moved.append(Moved(groups.station, tag, target))
            groups.homes[tag] = target
        self._refill(groups, members, own, now_ms)
        return True

    def _sort_out(self, groups: StationGroups) -> tuple[list[Tagged], dict[UUID, Group], set[UUID]]:
        """Events whose session must be found, and the groups that are one session's alone."""
        tags: list[Tagged] = []
        own: dict[UUID, Group] = {}
        left: set[UUID] = set()
        for group in groups.groups.values():
            session = group.only()
            if session is None:
                tags.extend(Tagged(group.transaction_id, e) for e in group.events)
                group.allotted = True
                continue
            if group.allotted:
                left |= self._come_home(group, session)
            if not session.packed:
                own[session.session_id] = group
        return tags, own, left

    def _refill(
        self,
        groups: StationGroups,
        members: dict[UUID, set[CoreEvent]],
        own: dict[UUID, Group],
        now_ms: int,
    ) -> None:
        """Give every session the events it has now: its start, its group's, the allotted."""
        for session in list(groups.sessions.values()):
            sid = session.session_id
            untouched = sid in own and sid not in members
            if session.packed or (untouched and own[sid].events <= session.events):
                continue
            events = members.get(sid, set())
            if sid in groups.started:
                events.add(groups.started[sid])
            if sid in own:
                events |= own[sid].events
            self._replace(session, events, now_ms)

    def _come_home(self, group: Group, session: Session) -> set[UUID]:
        """Events once allotted elsewhere belong to the only start their id has now."""
        group.allotted = False
        left = set()
        for event in group.events:
            tag = Tagged(group.transaction_id, event)
            before = group.station.homes.pop(tag, session.session_id)
            if before != session.session_id:
                self.moved.append(Moved(group.station.station, tag, session.session_id))
                if before is not None:
                    left.add(before)
        return left

    def _orphan(self, groups: StationGroups, transaction_id: str) -> UUID:
        """The provisional session of events whose start is not known."""
        session_id = transaction_session_id(*groups.station.key, transaction_id)
        if session_id not in groups.sessions:
            self._new_session(groups, session_id).answers_to(transaction_id)
        return session_id

    def _replace(self, session: Session, events: set[CoreEvent], now_ms: int) -> None:
        if events == session.events:
            return
        gained = events - session.events
        session.forced = session.forced or bool(session.events - events)
        session.events = events
        ends = [e.ts for e in events if e.kind == ENDED]
        session.end_ts = max(ends, default=None)
        for event in gained:
            self._book.notice(session, event)
        self._book.touch(session, now_ms)

    def home_of(self, group: Group, event: CoreEvent) -> bytes:
        """The session id (16 bytes) an added event has now; NIL where no session claims it."""
        if group.station.homes:
            home = group.station.homes.get(Tagged(group.transaction_id, event))
            if home is not None:
                return home.bytes
        only = group.only()
        return NIL.bytes if only is None else only.session_bytes

    def forget(self, gone: Callable[[int], bool]) -> None:
        """Drop what belongs to partitions no longer ours."""
        for waiting in (self.tangled, self.wanting):
            for groups in [g for g in waiting if gone(g.station.partition)]:
                del waiting[groups]
        self.moved = [m for m in self.moved if not gone(m.station.partition)]
