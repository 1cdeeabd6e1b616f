"""The sessions a worker knows: every event joins its session's set; duplicates change nothing.

2.x transactions and imports find their session by transaction id, here; 1.6 events do so
through `streams.core.groups`. A closed, written session is packed: only hashes of its
events stay, to recognise duplicates; anything new makes it load its events again.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from schemas.units import SLICE_MS
from streams.core.events import ENDED, EXPIRED, KINDS, STARTED, CoreEvent
from streams.core.identity import transaction_session_bytes

if TYPE_CHECKING:
    from streams.core.station_groups import StationGroups

Owner = tuple[str, str]
"""(tenant, station_id)."""

NOTHING_STORED = -1


SLICE_S = SLICE_MS // 1000
_LOW = (1 << 32) - 1
_NONE_SEEN: frozenset[int] = frozenset()
_FEW = 4


class Connector:
    """The latest start seen on one connector, and its sessions without an end or successor.

    Nearly always at most one: then it is held as such, since a dict would take 248 bytes.
    """

    __slots__ = ("_open", "last_start", "number")

    def __init__(self, number: int = -1) -> None:
        self.number = number
        self.last_start = -1
        self._open: Session | list[Session] | None = None

    @property
    def open(self) -> Sequence[Session]:
        """Sessions that a later start will close."""
        held = self._open
        if held is None:
            return ()
        return held if isinstance(held, list) else (held,)

    def keep(self, session: Session) -> bool:
        """This session is open; True where that is news."""
        held = self._open
        if held is None:
            self._open = session
        elif session in self.open:
            return False
        else:
            self._open = [*self.open, session]
        return True

    def drop(self, gone: Session) -> bool:
        """This session is open no more; True where that is news."""
        if self._open is gone:
            self._open = None
        elif isinstance(self._open, list) and gone in self._open:
            rest = [session for session in self._open if session is not gone]
            self._open = rest if len(rest) > 1 else rest[0]
        else:
            return False
        return True


class Station:
    """What is remembered of one station.

    `stored_until` is the newest event the store holds of it when first asked: None = not
    asked yet, `NOTHING_STORED` = none, so that new sessions need no look-up.
    """

    __slots__ = ("_connectors", "groups", "key", "partition", "stored_until")

    def __init__(self, key: Owner, partition: int) -> None:
        self.key = key
        self.partition = partition
        self._connectors: tuple[Connector, ...] | dict[int, Connector] = ()
        self.groups: StationGroups | None = None
        self.stored_until: int | None = None

    @property
    def connectors(self) -> Iterable[Connector]:
        """All that any session was on."""
        held = self._connectors
        return held.values() if isinstance(held, dict) else held

    def connector(self, number: int) -> Connector:
        """The connector of this number, made on first sight. Few of them need no dict."""
        held = self._connectors
        if isinstance(held, dict):
            if number not in held:
                held[number] = Connector(number)
            return held[number]
        for one in held:
            if one.number == number:
                return one
        made = Connector(number)
        if len(held) < _FEW:
            self._connectors = (*held, made)
        else:
            self._connectors = {one.number: one for one in (*held, made)}
        return made


def slices_code(first_s: int, last_s: int) -> int:
    """First and last slice of a session in one number: sessions that share it share the object."""
    return first_s // SLICE_S << 32 | last_s // SLICE_S & _LOW


class Bill(NamedTuple):
    """What a closed session was last written with; amounts in micro-units, None: no price."""

    status: str
    energy_mwh: int | None
    excl_micro: int | None
    incl_micro: int | None
    currency: str
    tariff_id: str
    unpriced_reason: str


class Session:
    """One session in memory and what is known of its stored row.

    A million of them are open at once, so each field costs 8 MB: see `rest`.
    """

    __slots__ = (
        "_events",
        "_id",
        "_ids",
        "bill",
        "closed",
        "connector",
        "dirty_since",
        "end_ts",
        "forced",
        "must_load",
        "packed",
        "protocol",
        "session_bytes",
        "slices",
        "slot",
        "start_ts",
        "station",
        "urgent",
        "version",
        "written_ms",
    )

    def __init__(self, station: Station, session_id: UUID | bytes, protocol: str) -> None:
        self.station = station
        self._id = session_id if isinstance(session_id, UUID) else None
        self.session_bytes = session_id.bytes if isinstance(session_id, UUID) else session_id
        self.protocol = protocol
        self._ids: str | tuple[str, ...] = ()
        self._events: set[CoreEvent] | frozenset[int] | bytes | None = None
        self.packed = False
        self.must_load = station.stored_until != NOTHING_STORED
        self.start_ts: int | None = None
        self.end_ts: int | None = None
        self.closed = False
        self.connector: Connector | None = None
        self.version = 0
        self.written_ms = 0
        self.dirty_since = 0
        self.urgent = False
        self.forced = False
        self.bill: Bill | None = None
        self.slices: int | None = None
        """First and last slice that were written, as `slices_code` packs them."""
        self.slot = -1
        """Where its plain samples lie in `streams.core.lane.SampleLane`; -1: nowhere."""

    @property
    def events(self) -> set[CoreEvent]:
        """Its events but for the plain samples of its slot; the set itself, to be changed."""
        held = self._events
        if type(held) is set:
            return held
        events = set(self.peek())
        if not self.packed:
            self._events = events
        return events

    @events.setter
    def events(self, events: set[CoreEvent]) -> None:
        self._events = events

    def peek(self) -> Iterable[CoreEvent]:
        """The same, only to be looked at: what rests stays at rest."""
        held = self._events
        if type(held) is bytes:
            return [KINDS[fields[0]]._make(fields) for fields in marshal.loads(held)]  # noqa: S302 - own bytes
        return held if type(held) is set else ()

    @property
    def seen(self) -> frozenset[int]:
        """Hashes of the events of a packed session."""
        held = self._events
        return held if isinstance(held, frozenset) else _NONE_SEEN

    def pack(self) -> None:
        """Keep only hashes of its events."""
        self._events = frozenset(map(hash, self.events))
        self.packed = True

    @property
    def slice_first(self) -> int | None:
        """Start of the first slice that was written, epoch s."""
        return None if self.slices is None else (self.slices >> 32) * SLICE_S

    @property
    def slice_last(self) -> int | None:
        """Start of the last slice that was written, epoch s."""
        if self.slices is None:
            return None
        low = self.slices & _LOW
        return (low - (low >> 31 << 32)) * SLICE_S

    def rest(self) -> None:
        """Keep few events as bytes until they are asked for: about 110 instead of 500."""
        held = self._events
        if type(held) is set and len(held) <= _FEW:
            self._events = marshal.dumps([tuple(event) for event in held]) if held else None

    @property
    def transaction_ids(self) -> tuple[str, ...]:
        """Transaction ids that mean this session; the first one is what it was opened with."""
        ids = self._ids
        return (ids,) if isinstance(ids, str) else ids

    @property
    def session_id(self) -> UUID:
        """The id; made when asked for, since open sessions are many."""
        return UUID(bytes=self.session_bytes) if self._id is None else self._id

    def answers_to(self, *transaction_ids: str) -> None:
        """Remember transaction ids that mean this session."""
        ids = self.transaction_ids
        for transaction_id in transaction_ids:
            if transaction_id not in ids:
                ids = (*ids, transaction_id)
        self._ids = ids[0] if len(ids) == 1 else ids

    @property
    def superseded(self) -> bool:
        """A later start is known on the same connector."""
        c = self.connector
        return c is not None and self.start_ts is not None and c.last_start > self.start_ts


class Book:
    """All sessions of the partitions this worker owns."""

    def __init__(self) -> None:
        self.stations: dict[Owner, Station] = {}
        self._tenants: dict[str, str] = {}
        self.direct: dict[tuple[str, str, str], Session] = {}
        self.dirty: dict[Session, None] = {}
        self.new_stations: list[Station] = []
        self.duplicates = 0
        self.open_sessions = 0
        """Sessions with a start, a known connector and neither end nor successor."""

    def station(self, key: Owner, partition: int) -> Station:
        """The station's memory, made on first sight."""
        found = self.stations.get(key)
        if found is None:
            tenant, station_id = key
            key = (self._tenants.setdefault(tenant, tenant), station_id)
            found = self.stations[key] = Station(key, partition)
            self.new_stations.append(found)
        return found

    def add_direct(  # the hot path: no wrapper object an event
        self,
        tenant: str,
        station_id: str,
        transaction_id: str,
        protocol: str,
        event: CoreEvent,
        partition: int,
        now_ms: int,
    ) -> Session:
        """Add an event of a 2.x or imported session; returns that session."""
        key = (tenant, station_id, transaction_id)
        session = self.direct.get(key)
        if session is None:
            session = self._new_direct(key, protocol, partition)
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

    def open_direct(self, key: tuple[str, str, str], protocol: str, partition: int) -> Session:
        """The session of (tenant, station, transaction id), made on first sight."""
        found = self.direct.get(key)
        if found is None:
            found = self._new_direct(key, protocol, partition)
        return found

    def _new_direct(self, key: tuple[str, str, str], protocol: str, partition: int) -> Session:
        station = self.station(key[:2], partition)
        session = Session(station, transaction_session_bytes(*key), protocol)
        session.answers_to(key[2])
        self.direct[(*station.key, key[2])] = session  # with the station's own strings
        return session

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
            key = (*session.station.key, transaction_id)
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
        for other in connector.open:
            if other.start_ts is not None and other.start_ts < start:
                self.touch(other)
                self.open_sessions -= connector.drop(other)

    def touch(self, session: Session, now_ms: int = 1) -> None:
        """Mark a session for the next flush although no event of its own came."""
        if session.packed and session.protocol != "ocpp1.6":
            self.unpack(session)  # given up, and now followed by another: to be derived once more
        session.urgent = True
        session.dirty_since = session.dirty_since or now_ms
        self.dirty[session] = None

    def forget(self, gone: Callable[[int], bool]) -> None:
        """Drop every station whose partition is no longer ours."""
        lost = [s for s in self.stations.values() if gone(s.partition)]
        self.open_sessions -= sum(len(c.open) for s in lost for c in s.connectors)
        self.stations = {k: s for k, s in self.stations.items() if not gone(s.partition)}
        self.direct = {k: s for k, s in self.direct.items() if not gone(s.station.partition)}
        self.dirty = {s: None for s in self.dirty if not gone(s.station.partition)}
        self.new_stations = [s for s in self.new_stations if not gone(s.partition)]
