"""Open sessions between two reports: no Python object a session, but one row of columns.

    key ──> slot     records                                      by slot
    A       0        start, register, version, written …          bytes of key and token, station
    B       1        …                                            changes of state, where any

A session *rests* when its row is written, it is open, and nothing is known of it but its start,
changes of state and plain samples, which lie in the lane under the same slot. A sample that joins
it needs nothing but the slot; whatever else comes *wakes* it: it becomes a `Session` again, which
keeps its slot. `docs/performance.md` has the measurements.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.core.columns import ABSENT, Bits, Ints, Small
from streams.core.events import STARTED, Started
from streams.core.keys import key_of, names_of
from streams.core.packed import WORD, Packed, PackedSlots
from streams.core.session import Session, Station
from streams.core.slot_table import SlotTable

PROTOCOLS = ("ocpp2.0.1", "ocpp2.1")
"""Of sessions that can rest, by code."""


class _Record(NamedTuple):
    start_ts: int
    start_mwh: int
    version: int
    written_ms: int
    slices: int
    last_ts: int
    start_seq: int
    connector: int
    evse: int
    number: int
    terms: int
    area: int
    energy_mwh: int
    charging_ms: int
    idle_ms: int
    max_power_mw: int
    slice_energy_mwh: int
    slice_charging_ms: int
    slice_idle_ms: int
    kept_from_s: int
    changes: int
    states: int
    seqs: int
    first_shape: int
    protocol: int


_WIDTHS = ("i8",) * 6 + ("i4",) * 13 + ("u4",) + ("u2",) * 4 + ("u1",)
RECORD = np.dtype(list(zip(_Record._fields, _WIDTHS, strict=True)))
"""What is known of a session that rests. Registers in mWh, times in epoch ms, ABSENT: unknown.

`slices`: as `slices_code` has them. `last_ts`: of its newest sample when it was last written;
slices before `kept_from_s` (epoch s; 0: none) are then stored as they stay while only later samples
come. `energy_mwh`, `charging_ms`, `idle_ms`, `max_power_mw` and `slice_*` are what
`streams.core.many_past.Kept` has then, `first_shape` is that of its first sample. `connector` and
`evse`: as start or changes tell them; `number` is that of its `Connector`. `terms`: a code of
`streams.lasting`, -1: none. `area`: a code of `Resting.areas`. `changes`, `states` and `seqs`: how
many there are.
"""

_LONGEST_TOKEN = 40
"""Bytes: OCPP's have 36, and longer ones are kept apart."""

NO_SLOTS: Small = np.zeros(0, np.int32)


class Resting:
    """Everything by slot of the lane. Slots are made for sessions awake; some of them rest."""

    def __init__(self) -> None:
        self.slots = SlotTable()
        """By key, of sessions with a slot, awake or at rest."""
        self.areas: list[str] = [""]
        self.ids: Ints = np.zeros((0, 2), np.int64)
        """The 16 bytes of the session id."""
        self.at_rest: Bits = np.zeros(0, np.bool_)
        self.news: Bits = np.zeros(0, np.bool_)
        """Samples joined that its row does not tell yet."""
        self.placed: Bits = np.zeros(0, np.bool_)
        """Its connector is known."""
        self.records: NDArray[np.void] = np.zeros(0, RECORD)
        self._stations: list[Station | None] = []
        self._tokens = PackedSlots(WORD, _LONGEST_TOKEN)
        self._changes: list[tuple[bytes, bytes] | None] = []
        self._area_codes = {"": 0}
        self._grow(1)

    # slots --------------------------------------------------------------------------------

    def settle(self, slot: int, session: Session) -> None:
        """A session awake gets this slot."""
        key = key_of(*session.station.key, next(iter(session.transaction_ids), ""))
        if slot >= len(self.records):
            self._grow(slot + 1)
        session.slot = slot
        # One that was forgotten, and is followed all the same, leaves the key to its successor.
        self.slots.put(slot, key)
        self._stations[slot] = session.station
        self.ids[slot] = np.frombuffer(session.session_bytes, np.int64)
        self.placed[slot] = session.connector is not None

    def _grow(self, least: int) -> None:
        """Room grows by a sixteenth, in place where the system can."""
        old = len(self.records)
        size = max(least, old + max(1024, old // 16))
        self.ids.resize((size, 2), refcheck=False)
        for column in (self.at_rest, self.news, self.placed, self.records):
            column.resize(size, refcheck=False)
        more = size - old
        self.slots.grow(size)
        self._stations += [None] * more
        self._tokens.grow(size)
        self._changes += [None] * more

    def drop(self, slots: Sequence[int]) -> None:
        """These slots are given back."""
        self.slots.drop(slots)
        self._tokens.drop(slots)
        for slot in slots:
            self._stations[slot] = self._changes[slot] = None
        for column in (self.at_rest, self.news, self.placed):
            column[list(slots)] = False

    # sleeping and waking ------------------------------------------------------------------

    def area(self, name: str) -> int:
        """The code of an area."""
        code = self._area_codes.setdefault(name, len(self.areas))
        if code == len(self.areas):
            self.areas.append(name)
        return code

    def lay_down(self, slots: Ints, records: NDArray[np.void], tokens: Sequence[str]) -> None:
        """These sessions rest from now on. Their objects are to be forgotten."""
        self.records[slots] = records
        self.at_rest[slots] = self.placed[slots] = True
        for slot, token in zip(slots.tolist(), tokens, strict=True):
            self._tokens.put(slot, token)

    def remember(self, slot: int, events: bytes, marks: bytes) -> None:
        """Of a session with changes of state: all its events but samples as `Session.folded` tells
        them; as int64 first and last instant of a change, instants of its states, their codes, and
        its sequence numbers, one after the other.
        """
        self._changes[slot] = (events, marks)

    def wake(self, slot: int) -> Session:
        """The session as an object again."""
        station = self.station(slot)
        record = _Record._make(self.records.item(slot))  # one by one they would cost 5 µs
        session = Session(station, self.ids[slot].tobytes(), PROTOCOLS[record.protocol])
        session.answers_to(names_of(self.slots.key(slot))[2])
        session.slot = slot
        session.must_load = False
        session.start_ts = record.start_ts
        session.connector = station.connector(record.number)
        session.version, session.written_ms = record.version, record.written_ms
        session.slices = None if record.slices == ABSENT else record.slices
        changes = self._changes[slot]
        if changes is None:
            session.events = {self._start(slot, record)}
        else:
            session.unfold(changes[0])
        self.at_rest[slot] = False
        self._tokens.drop([slot])
        self._changes[slot] = None
        return session

    def _start(self, slot: int, record: _Record) -> Started:
        return Started(
            STARTED,
            record.start_ts,
            record.start_seq,
            None if record.start_mwh == ABSENT else record.start_mwh,
            self._tokens.text(slot),
            record.connector,
            record.evse,
            "",
            self.areas[record.area],
        )

    # asking -------------------------------------------------------------------------------

    def station(self, slot: int) -> Station:
        """Where the session of a slot is."""
        found = self._stations[slot]
        if found is None:
            raise ValueError("slot not in use")
        return found

    def tokens(self, slots: Small) -> Packed:
        """Id tokens of sessions that rest."""
        return self._tokens.many(slots)

    def marks(self, slots: Sequence[int]) -> Ints:
        """As remembered of sessions that rest and have changes of state, one after the other."""
        known = self._changes
        found = (known[slot] for slot in slots)
        return np.frombuffer(b"".join([one[1] for one in found if one is not None]), np.int64)

    def of_partitions(self, partitions: Collection[int]) -> list[int]:
        """Slots of sessions at rest whose station is in one of these."""
        return [
            s
            for s in np.flatnonzero(self.at_rest).tolist()
            if self.station(s).partition in partitions
        ]

    @property
    def any_news(self) -> bool:
        """Some session has samples that its row does not tell yet."""
        return bool(self.news.any())

    @property
    def count_of_news(self) -> int:
        """Sessions with samples that their rows do not tell yet."""
        return int(np.count_nonzero(self.news))

    def take_due(self, written_before_ms: int | None, least: int) -> Small:
        """Slots of sessions at rest that have news and were written by then (None: whenever), if
        there are as many; news no more.
        """
        slots = np.flatnonzero(self.news & self.at_rest)
        if written_before_ms is not None:
            slots = slots[self.records["written_ms"][slots] <= written_before_ms]
        if len(slots) < least:
            return NO_SLOTS
        self.news[slots] = False
        return slots.astype(np.int32)

    def take_awake(self) -> list[int]:
        """Slots of sessions awake that have news; news no more."""
        slots = np.flatnonzero(self.news & ~self.at_rest)
        self.news[slots] = False
        found: list[int] = slots.tolist()
        return found
