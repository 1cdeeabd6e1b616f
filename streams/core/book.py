"""The sessions a worker knows: every event joins its session's set; duplicates change nothing.

2.x transactions and imports find their session by transaction id, here; 1.6 events do so
through `streams.core.groups`. An open, written session without news rests in columns; a closed,
written one is packed: only hashes of its events stay, to recognise duplicates, and anything new
makes it load its events again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from streams.core.events import ENDED, EXPIRED, STARTED, CoreEvent
from streams.core.identity import transaction_session_bytes
from streams.core.keys import key_of, names_of
from streams.core.packed import Packed
from streams.core.resting import Resting
from streams.core.session import Connector, Owner, Session, Station


class Book:
    """All sessions of the partitions this worker owns."""

    def __init__(self) -> None:
        self._tenants: dict[str, str] = {}
        self._stations: dict[str, dict[str, Station]] = {}
        """By tenant, by id."""
        self.direct: dict[str, Session] = {}
        """Those awake, by `key_of`."""
        self.resting = Resting()
        self.dirty: dict[Session, None] = {}
        self.new_stations: list[Station] = []
        self.duplicates = 0
        self.open_sessions = 0
        """Sessions with a start, a known connector and neither end nor successor."""

    def station(self, key: Owner, partition: int) -> Station:
        """The station's memory, made on first sight."""
        tenant, station_id = key
        of_tenant = self._stations.setdefault(tenant, {})
        found = of_tenant.get(station_id)
        if found is None:
            # With one string a tenant: a million stations would bring one each.
            name = self._tenants.setdefault(tenant, tenant)
            found = of_tenant[station_id] = Station((name, station_id), partition)
            self.new_stations.append(found)
        return found

    def known_station(self, key: Owner) -> Station | None:
        """The same; None where nothing is remembered."""
        return self._stations.get(key[0], {}).get(key[1])

    def add_direct(  # the hot path: no wrapper object an event
        self, key: str, slot: int, protocol: str, event: CoreEvent, partition: int, now_ms: int
    ) -> Session:
        """Add an event of a 2.x or imported session, by `key_of`; returns that session. `slot`: as
        `open_direct` wants it.
        """
        session = self.direct.get(key) or self.open_direct(key, slot, protocol, partition)
        if session.packed:
            if hash(event) in session.seen:
                self.duplicates += 1
                return session
            self.unpack(session)
        events = session.events
        count = len(events)
        events.add(event)
        if len(events) == count:
            self.duplicates += 1
            return session
        if event.kind or session.connector is None:
            self.notice(session, event)
        if not session.dirty_since:
            session.dirty_since = now_ms
            self.dirty[session] = None
        return session

    def find(self, keys: Sequence[str]) -> Iterator[Session | None]:
        """The sessions of these keys, awake when they are told; None: it is not known."""
        slots: list[int] = self.resting.slots.find(Packed.of(keys)).tolist()
        return map(self._known, keys, slots)

    def holds(self, keys: Sequence[str]) -> bool:
        """Whether a session of one of these keys is known."""
        found = self.resting.slots.find(Packed.of(keys)) >= 0
        return bool(found.any()) or any(key in self.direct for key in keys)

    def open_direct(self, key: str, slot: int, protocol: str, partition: int) -> Session:
        """The session of that key, awake, made on first sight. `slot`: what `resting.slots` found
        for it lately; sessions that got theirs since are awake.
        """
        return self._known(key, slot) or self._new_direct(key, protocol, partition)

    def _known(self, key: str, slot: int) -> Session | None:
        found = self.direct.get(key)
        return self.wake(slot) if found is None and slot >= 0 else found

    def _new_direct(self, key: str, protocol: str, partition: int) -> Session:
        tenant, station_id, transaction_id = names_of(key)
        station = self.station((tenant, station_id), partition)
        session = Session(
            station, transaction_session_bytes(tenant, station_id, transaction_id), protocol
        )
        session.answers_to(transaction_id)
        self.direct[key] = session
        return session

    def wake(self, slot: int) -> Session:
        """A session that rests is an object again, wherever it is held."""
        resting = self.resting
        session = resting.wake(slot)
        self.direct[resting.slots.key(slot)] = session
        if resting.news[slot]:
            resting.news[slot] = False
            session.dirty_since = 1
            self.dirty[session] = None
        if session.connector is not None:
            session.connector.swap(slot, session)
        return session

    def lay_down(self, session: Session) -> None:
        """Forget the object of a session that rests now."""
        slot = session.slot
        del self.direct[self.resting.slots.key(slot)]
        if session.connector is not None:
            session.connector.swap(session, slot)

    def rests(self, session: Session) -> bool:
        """Its object is not asked any more."""
        return session.slot >= 0 and bool(self.resting.at_rest[session.slot])

    def has_news(self, session: Session) -> bool:
        """It learnt something that its row does not tell yet."""
        return bool(session.dirty_since) or (
            session.slot >= 0 and bool(self.resting.news[session.slot])
        )

    def rouse(self, now_ms: int) -> None:
        """Sessions awake that samples joined are dirty."""
        key = self.resting.slots.key
        for slot in self.resting.take_awake():
            session = self.direct[key(slot)]
            if not session.dirty_since:
                session.dirty_since = now_ms
                self.dirty[session] = None

    def merge_direct(self, session: Session, stored: Iterable[CoreEvent]) -> None:
        """The store's events of a session join its set."""
        for event in stored:
            if event in session.events:
                self.duplicates += 1
            else:
                session.events.add(event)
                self.notice(session, event)

    def unpack(self, session: Session) -> None:
        """A closed session learns something new: its events are loaded at the next flush."""
        session.packed = False
        session.events = set()
        session.must_load = True

    def evict(self, session: Session) -> None:
        """Forget a closed session; the store is asked when it speaks again, or another follows."""
        if not session.packed:
            session.pack()
        for transaction_id in session.transaction_ids:
            key = key_of(*session.station.key, transaction_id)
            if self.direct.get(key) is session:
                del self.direct[key]
        session.station.stored_until = max(session.station.stored_until or 0, 0)

    def notice(self, session: Session, event: CoreEvent) -> None:
        """Keep connector neighbours true: starts supersede, ends settle."""
        kind = event.kind
        if kind == STARTED:
            if session.start_ts is None or event.ts > session.start_ts:
                session.start_ts = event.ts
            session.urgent = True
        elif kind == ENDED:
            session.urgent = True
            session.end_ts = max(event.ts, session.end_ts or event.ts)
        elif kind == EXPIRED:
            session.urgent = True
        if session.connector is None:
            direct2 = session.protocol.startswith("ocpp2")
            number = event.evse if direct2 else event.connector
            if number < 0:
                return
            session.connector = session.station.connector(number)
        elif kind not in (STARTED, ENDED):
            return
        self.settle(session)

    def settle(self, session: Session) -> None:
        """Apply the neighbour rule between this session and the others of its connector."""
        connector, start = session.connector, session.start_ts
        if connector is None or start is None:
            return
        if session.end_ts is not None:
            self.open_sessions -= connector.drop(session)
        elif start >= connector.last_start:
            self.keep(connector, session)
        else:
            session.urgent = True  # another followed before it was known where this one is
        self.saw_start(connector, start)

    def keep(self, connector: Connector, session: Session) -> None:
        """A later start on the connector will close this session."""
        self.open_sessions += connector.keep(session)

    def saw_start(self, connector: Connector, start: int) -> None:
        """A start on the connector settles every open session that began before it."""
        if start <= connector.last_start:
            return
        connector.last_start = start
        for held in connector.open:
            began = self._began(held)
            if began is not None and began < start:
                other = held if isinstance(held, Session) else self.wake(held)
                self.touch(other)
                self.open_sessions -= connector.drop(other)

    def _began(self, held: Session | int) -> int | None:
        if isinstance(held, Session):
            return held.start_ts
        return int(self.resting.records["start_ts"][held])

    def touch(self, session: Session, now_ms: int = 1) -> None:
        """Mark a session for the next flush although no event of its own came."""
        if session.packed and session.protocol != "ocpp1.6":
            self.unpack(session)  # given up, and now followed by another: to be derived once more
        session.urgent = True
        session.dirty_since = session.dirty_since or now_ms
        self.dirty[session] = None

    def forget(self, gone: Callable[[int], bool]) -> None:
        """Drop every station whose partition is no longer ours."""
        lost = [s for of in self._stations.values() for s in of.values() if gone(s.partition)]
        self.open_sessions -= sum(len(c.open) for s in lost for c in s.connectors)
        for station in lost:
            del self._stations[station.tenant][station.station_id]
        self.direct = {k: s for k, s in self.direct.items() if not gone(s.station.partition)}
        self.dirty = {s: None for s in self.dirty if not gone(s.station.partition)}
        self.new_stations = [s for s in self.new_stations if not gone(s.partition)]
