"""What is remembered of one session, of its connector and of its station.

A session awake is an object; most open ones rest as columns (`streams.core.resting`), so a
connector may hold one by its slot.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from uuid import UUID

from schemas.units import SLICE_MS
from streams.core.events import KINDS, CoreEvent

if TYPE_CHECKING:
    from streams.core.station_groups import StationGroups

Owner = tuple[str, str]
"""(tenant, station_id)."""

Held: TypeAlias = "Session | int"
"""A session awake, or the slot of one that rests."""

NOTHING_STORED = -1


SLICE_S = SLICE_MS // 1000
_LOW = (1 << 32) - 1
_NONE_SEEN: frozenset[int] = frozenset()
_FEW = 4


class Connector:
    """The latest start seen on one connector, and its sessions without an end or successor.

    Nearly always at most one: then it is held as such, since a dict would take 248 bytes. One
    that rests is held by its slot.
    """

    __slots__ = ("_open", "last_start", "number")

    def __init__(self, number: int = -1) -> None:
        self.number = number
        self.last_start = -1
        self._open: Held | list[Held] | None = None

    @property
    def open(self) -> Sequence[Held]:
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

    def swap(self, old: Held, new: Held) -> None:
        """The same open session in its other form, where it is among them."""
        if self._open == old:
            self._open = new
        elif isinstance(self._open, list):
            self._open = [new if held == old else held for held in self._open]

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
    asked yet, `NOTHING_STORED` = none, so that new sessions need no look-up; numbers below it are
    those of `streams.listed`.
    """

    __slots__ = ("_connectors", "groups", "partition", "station_id", "stored_until", "tenant")

    def __init__(self, key: Owner, partition: int) -> None:
        self.tenant, self.station_id = key
        self.partition = partition
        self._connectors: Connector | tuple[Connector, ...] | dict[int, Connector] = ()
        self.groups: StationGroups | None = None
        self.stored_until: int | None = None

    @property
    def key(self) -> Owner:
        """Made when asked for, since stations are many."""
        return self.tenant, self.station_id

    @property
    def connectors(self) -> Iterable[Connector]:
        """All that any session was on."""
        held = self._connectors
        if isinstance(held, Connector):
            return (held,)
        return held.values() if isinstance(held, dict) else held

    def connector(self, number: int) -> Connector:
        """The connector of this number, made on first sight. Few of them need no dict."""
        held = self._connectors
        if isinstance(held, dict):
            if number not in held:
                held[number] = Connector(number)
            return held[number]
        all_held = (held,) if isinstance(held, Connector) else held
        for one in all_held:
            if one.number == number:
                return one
        made = Connector(number)
        if not all_held:
            self._connectors = made
        elif len(all_held) < _FEW:
            self._connectors = (*all_held, made)
        else:
            self._connectors = {one.number: one for one in (*all_held, made)}
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
    """One session in memory and what is known of its stored row."""

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

    def fold(self) -> None:
        """Keep few events as bytes until they are asked for: about 110 instead of 500."""
        held = self._events
        if type(held) is set and len(held) <= _FEW:
            self._events = self.folded() if held else None

    def folded(self) -> bytes:
        """Its events as bytes."""
        held = self._events
        return held if type(held) is bytes else marshal.dumps([tuple(e) for e in self.peek()])

    def unfold(self, events: bytes) -> None:
        """Its events are these, as `folded` told them."""
        self._events = events

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
