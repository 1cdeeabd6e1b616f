"""The worker: chunks in, batches of idempotent rows out. Implements `streams.ports.StreamWorker`.

Holds the book of sessions, the rows not yet written, and the catalogue snapshot; asks the
sink for what it does not know, once per flush. The Faust shell drives it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import pyarrow as pa

from streams.at_rest import remember, written_awake
from streams.catalogue import Catalogue
from streams.charge_words import ChargeWords
from streams.chunk import Chunk, TopicPartition
from streams.core.book import Book
from streams.core.events import STARTED, Started
from streams.core.facts import CLOSED
from streams.core.groups import GroupBook
from streams.core.identity import NIL
from streams.core.resting import NO_SLOTS
from streams.core.session import Bill, Session
from streams.core.station_groups import Group
from streams.decode import DeadValue, Decoded
from streams.event_rows import PendingRows
from streams.expiry import expirations
from streams.fast_lane import FastLane
from streams.hot import HotDecoder
from streams.lasting import UNSHARED, LastingContracts
from streams.lookup import Lookup
from streams.many_rows import tables as many_tables
from streams.many_sessions import Ready, derive_due
from streams.operation_rows import WorkerStatus, dead_letters_table, dlq_headers, masked_letter
from streams.payments.rows import PaymentReader
from streams.pool import Pool
from streams.ports import Batch, Outgoing
from streams.repricing import Repricer
from streams.session_rows import Derived, derive_session
from streams.session_tables import session_tables
from streams.sink.port import Reassignment, Sink

if TYPE_CHECKING:
    from laddstream.settings import Settings

IDLE_MS = 1_000
STATUS_MS = 2_000
SWEEP_MS = 60_000
FIRST_SWEEP_MS = 5_000
"""After an assignment: first the events that wait already are applied."""

SWEEP_WAITS_MS = 30_000
"""How long a sweep that is due waits for a flush without events."""

STALE_MS = 15 * 60_000
"""Rows are left stale by a crash, and a crash makes an assignment; this is for the unforeseen."""

CATALOGUE_MS = 5_000
STRIDE = 4000
"""Records decoded, stitched and made columns together: enough to spread what a call costs, few
enough to stay in the cache."""

FEW = 2_000
"""Fewer events wait twice as long: a flush costs some milliseconds however small it is."""

LIVE_STEPS = 12
"""Rows of open sessions are written together, so often in a `live_interval_s`."""

MANY = 5_000
"""… or when so many have news: more of them would hold up those who begin or end."""

OPEN_IN_MEMORY = 20_000
"""Closed sessions kept whole before the oldest are packed."""

PACKED_IN_MEMORY = 100_000
"""Packed sessions kept before the oldest are forgotten; about 3 KB each."""

_TYPE_OF_KIND = ("meter_sampled", "session_started", "session_ended", "charging_state_changed")


class _Written(NamedTuple):
    """What a session's row in the batch says, to be remembered when the batch is in the store."""

    session: Session
    version: int
    bill: Bill | None
    closed: bool


@dataclass(slots=True)
class _Notes:
    written: list[_Written] = field(default_factory=list)
    ready: Ready | None = None
    moves: list[Reassignment] = field(default_factory=list)


def _notes(batch: Batch) -> _Notes:
    return cast("_Notes", batch.notes)


class Worker:
    """See the module. Built once a process; `worker_id` names its status row."""

    def __init__(self, settings: Settings, sink: Sink, worker_id: str = "worker-0") -> None:
        self._settings = settings.worker
        self._kafka = settings.kafka
        self._sink = sink
        self._worker_id = worker_id
        self._book = Book()
        self._groups = GroupBook(self._book)
        self._fast = FastLane(self._book)
        self._decoder = HotDecoder()
        self._derive_due = derive_due
        self._lookup = Lookup(self._book, self._groups, sink, self._fast)
        self._repricer = Repricer(self._lookup, sink)
        self._catalogue = Catalogue()
        self._words = ChargeWords()
        self._terms = LastingContracts(self._catalogue)
        self._pool = Pool()
        self._rows = PendingRows(settings.kafka.events_topic)
        self._payments = PaymentReader()
        self._dead: list[tuple[TopicPartition, DeadValue]] = []
        self._positions: dict[TopicPartition, int] = {}
        self._unacked: set[TopicPartition] = set()
        self._closed: deque[tuple[int, Session]] = deque()
        self._packed: deque[Session] = deque()
        self._events = self._dead_total = 0
        self._first_pending_ms = self._last_accept_ms = 0
        self._status_ms = self._sweep_ms = self._stale_ms = self._catalogue_ms = self._live_ms = 0
        self._started_ms = 0
        self._pending_count = 0
        pa.array([""])  # its first array makes pyarrow look for pandas: now, not in a flush

    def warm(self, now_ms: int) -> None:
        """Read the catalogue before there is anything to price."""
        self._read_catalogue(now_ms)

    # taking in ----------------------------------------------------------------------------

    def accept(self, chunk: Chunk, now_ms: int) -> None:
        """Decode and stitch one chunk."""
        self._positions[chunk.tp] = chunk.next_offset
        self._unacked.add(chunk.tp)
        self._first_pending_ms = self._first_pending_ms or now_ms
        self._last_accept_ms = now_ms
        if chunk.tp.topic == self._kafka.payments_topic:
            self._accept_payments(chunk)
            return
        self._pending_count += len(chunk)
        for begin in range(0, len(chunk), STRIDE):
            self._pool.add(chunk.part(begin, begin + STRIDE))
            if len(self._pool) >= STRIDE:
                self._stitch_pool(now_ms)

    def _accept_payments(self, chunk: Chunk) -> None:
        dead = self._payments.take(chunk)
        self._dead.extend((chunk.tp, each) for each in dead)
        self._dead_total += len(dead)
        self._pending_count += len(chunk)

    def _stitch_pool(self, now_ms: int) -> None:
        """Decode and stitch all that was taken in."""
        if not len(self._pool):
            return
        chunk, origin = self._pool.take()
        hot, decoded = self._decoder.decode(chunk)
        for dead in decoded.dead:
            tp = TopicPartition(chunk.tp.topic, int(origin.partitions[dead.offset]))
            dead.offset = int(origin.offsets[dead.offset])
            self._dead.append((tp, dead))
        self._dead_total += len(decoded.dead)
        self._events += len(decoded.events)
        places = np.array(decoded.offsets, np.int64)
        partitions = origin.partitions[places].tolist()
        decoded.offsets = origin.offsets[places].tolist()
        self._stitch(decoded, partitions, now_ms)
        if hot is not None:
            self._events += len(hot.keys)
            self._rows.hot.append(self._fast.take(hot, origin, now_ms))

    def _stitch(self, d: Decoded, partitions: list[int], now_ms: int) -> None:
        """Give every event to the book; starts of 1.6 first, so that its groups stay simple.

        A known event is written again all the same, onto its own row, where its session is certain.
        """
        add_direct = self._book.add_direct
        homes: list[Session | Group | None] = []
        later: list[int] = []
        known: list[int] = []
        for event, core, partition in zip(d.events, d.cores, partitions, strict=True):
            home: Session | Group | None = None
            if core is not None:
                transaction_id = event.transaction_id
                if event.protocol == "ocpp1.6":
                    later.append(len(homes))
                elif transaction_id:
                    home = add_direct(
                        event.tenant,
                        event.station_id,
                        transaction_id,
                        event.protocol,
                        core,
                        partition,
                        now_ms,
                    )
            homes.append(home)
        if later:
            known = self._stitch16(d, later, homes, partitions, now_ms)
        self._rows.take(d, partitions, homes, known)

    def _stitch16(
        self,
        d: Decoded,
        later: list[int],
        homes: list[Session | Group | None],
        partitions: list[int],
        now_ms: int,
    ) -> list[int]:
        """1.6 events; connector 0 is the main meter and no session's. Returns which of them
        are known and must not be written again.
        """
        groups = self._groups
        known: list[int] = []
        starts = [i for i in later if type(d.cores[i]) is Started]
        others = [i for i in later if type(d.cores[i]) is not Started]
        for i in (*starts, *others):
            event, core = d.events[i], d.cores[i]
            if core is None or event.connector_id == 0:
                continue
            add = groups.add_start if core.kind == STARTED else groups.add
            home = homes[i] = add(
                event.tenant,
                event.station_id,
                event.transaction_id or "",
                core,  # type: ignore[arg-type]  # its kind chose the method
                partitions[i],
                now_ms,
            )
            if home is None:
                known.append(i)
        return known

    def wants_flush(self, now_ms: int) -> bool:
        """True when enough events or time have gathered, or something is due."""
        if self._pending_count >= self._settings.flush_events:
            return True
        if self._pending_count:
            since_ms = now_ms - self._first_pending_ms
            patience_ms = self._settings.flush_interval_s * 1000
            return since_ms >= patience_ms * (1 if self._pending_count >= FEW else 2)
        idle = now_ms - self._last_accept_ms >= IDLE_MS
        owed = bool(self._book.dirty) or self._repricer.active or self._book.resting.any_news
        return (idle and owed) or now_ms - self._status_ms >= STATUS_MS

    # writing out --------------------------------------------------------------------------

    def prepare(self, now_ms: int) -> Batch | None:
        """Close the open batch: look up what is unknown, derive what is due, build the rows.

        A session never written is always due: its row is what a later worker finds it by.
        Everything that asks the sink comes first and may be repeated; what empties the
        worker's lists comes after and cannot fail.
        """
        self._started_ms = self._started_ms or now_ms
        batch = Batch(notes=_Notes())
        self._stitch_pool(now_ms)
        self._book.rouse(now_ms)
        self._read_catalogue(now_ms)
        self._lookup.resolve()
        self._groups.untangle(now_ms)
        while self._groups.tangled:  # packed sessions got events: load them, then once more
            self._lookup.resolve()
            self._groups.untangle(now_ms)
        self._lookup.load_dirty()
        stale = self._sweep(batch, now_ms)
        repriced = self._repricer.step(self._catalogue, now_ms) if self._first else []
        had_rows = self._pending_count > 0
        self._event_rows(batch)
        self._session_rows(batch, now_ms, stale + repriced, everything=not had_rows)
        if (payments := self._payments.table()) is not None:
            batch.tables.append(("payments", payments))
        self._dead_rows(batch)
        self._status_row(batch, now_ms)
        batch.acks = {tp: self._positions[tp] for tp in self._unacked}
        self._unacked.clear()
        self._pending_count = self._first_pending_ms = 0
        return batch if batch.tables or batch.acks or batch.outgoing else None

    def write(self, batch: Batch) -> None:
        """Insert the batch's tables in order; moved events are given their session last."""
        notes = _notes(batch)
        for table, rows in batch.tables:
            self._sink.insert(table, rows)
            if table == "events":
                self._sink.reassign(notes.moves)

    def done(self, batch: Batch, now_ms: int) -> None:
        """The batch is in the store: remember versions, pack what is closed."""
        notes = _notes(batch)
        for session, version, bill, closed in notes.written:
            session.version, session.written_ms, session.bill = version, now_ms, bill
            session.closed = closed
            if closed and session.station.partition >= 0:
                self._closed.append((now_ms, session))
        if notes.ready is not None:
            remember(self._book, notes.ready, now_ms)
        for session, _, _, closed in notes.written:
            if not closed and session.protocol != "ocpp1.6" and not self._book.rests(session):
                session.fold()
        self._let_go(now_ms)

    def _let_go(self, now_ms: int) -> None:
        """Pack what is closed, forget what has been so for long."""
        keep_ms = int(self._settings.closed_keep_s * 1000)
        while self._closed:
            written, session = self._closed[0]
            if len(self._closed) <= OPEN_IN_MEMORY and now_ms - written < keep_ms:
                break
            self._closed.popleft()
            if not (self._book.has_news(session) or session.packed or session.must_load):
                if session.slot < 0:  # samples in the lane are small enough as they are
                    if session.protocol == "ocpp1.6":
                        self._groups.pack(session)
                    else:
                        session.pack()
                self._packed.append(session)
        for _ in range(len(self._packed) - PACKED_IN_MEMORY):
            session = self._packed.popleft()
            if self._book.has_news(session) or session.must_load:
                self._packed.append(session)
            elif session.packed or session.slot >= 0:
                book = self._groups if session.protocol == "ocpp1.6" else self._book
                self._lookup.listed.let_go(session, book.evict)
                self._fast.release([session])

    def _event_rows(self, batch: Batch) -> None:
        rows, self._rows = self._rows, PendingRows(self._kafka.events_topic)
        if rows:
            batch.tables.append(("events", rows.table(self._session_bytes(rows))))
        _notes(batch).moves = [
            Reassignment(
                m.station.key,
                m.tagged.transaction_id,
                m.tagged.event.ts,
                _TYPE_OF_KIND[m.tagged.event.kind],
                m.session_id or NIL,
            )
            for m in self._groups.moved
            if m.tagged.event.kind < len(_TYPE_OF_KIND)
        ]
        self._groups.moved = []

    def _session_bytes(self, rows: PendingRows) -> list[bytes]:
        home_of = self._groups.home_of
        nobody = NIL.bytes
        return [
            h.session_bytes
            if type(h) is Session
            else (nobody if h is None or c is None else home_of(h, c))
            for h, c in zip(rows.homes, rows.cores, strict=True)
        ]

    def _session_rows(
        self, batch: Batch, now_ms: int, stale: list[Session], *, everything: bool
    ) -> None:
        live_ms = int(self._settings.live_interval_s * 1000)
        live = (
            everything
            or now_ms - self._live_ms >= live_ms // LIVE_STEPS
            or self._book.resting.count_of_news >= MANY
        )
        if live:
            self._live_ms = now_ms
        book = self._book
        due = stale + [
            s
            for s in book.dirty
            if everything
            or s.urgent
            or s.closed
            or not s.version
            or (live and now_ms - s.written_ms >= live_ms)
        ]
        for session in due:
            book.dirty.pop(session, None)
            session.dirty_since = 0
            session.urgent = False
        slots = NO_SLOTS
        if live:
            slots = book.resting.take_due(now_ms, live_ms, everything=everything)
        many = self._derive_due(self._fast, book.resting, due, slots, self._terms)
        written = _notes(batch).written = []
        derived: list[Derived] = []
        for session in (*many.rest, *map(book.wake, many.left)):
            row = derive_session(session, self._catalogue, self._fast.samples(session))
            session.forced = False
            if row is not None:
                derived.append(row)
                closed = row.facts.status in CLOSED
                written.append(_Written(session, row.version, row.bill, closed))
        if many.ready is not None:
            batch.tables.extend(many_tables(many.ready.rows, self._words))
            written.extend(_Written(*each) for each in written_awake(many.ready))
        _notes(batch).ready = many.ready
        if derived:
            batch.tables.extend(session_tables(derived, self._words, self._catalogue))

    def _read_catalogue(self, now_ms: int) -> None:
        if now_ms - self._catalogue_ms < CATALOGUE_MS:
            return
        found = self._sink.catalogue(self._catalogue)
        self._catalogue_ms = now_ms
        if found is not self._catalogue:
            self._catalogue, self._words = found, ChargeWords()
            self._terms = LastingContracts(found)
            self._book.resting.records["terms"] = UNSHARED

    @property
    def _first(self) -> bool:
        """It owns partition 0, and does what is to be done once for all workers."""
        topic = self._kafka.events_topic
        return any(t.partition == 0 and t.topic == topic for t in self._positions)

    def _dead_rows(self, batch: Batch) -> None:
        if not self._dead:
            return
        topic = self._kafka.dead_letter_topic
        letters = [(tp, masked_letter(dead)) for tp, dead in self._dead]
        for tp, dead in letters:
            batch.outgoing.append(Outgoing(topic, dead.key, dead.raw, dlq_headers(tp, dead)))
        batch.tables.append(("dead_letters", dead_letters_table(letters)))
        self._dead = []

    def _sweep(self, batch: Batch, now_ms: int) -> list[Session]:
        """Give up silent sessions and find stale rows; the owner of partition 0 does it for all."""
        self._sweep_ms = self._sweep_ms or now_ms - SWEEP_MS + FIRST_SWEEP_MS
        pause_ms = SWEEP_MS + (SWEEP_WAITS_MS if self._pending_count else 0)
        if now_ms - self._sweep_ms < pause_ms or not self._first:
            return []
        given_up = expirations(self._sink, self._settings, self._kafka.events_topic, now_ms)
        stale: list[Session] = []
        if now_ms - self._stale_ms >= STALE_MS:
            stale = self._lookup.stale()
            self._stale_ms = 0 if stale else now_ms  # there may be more than one look gives
        self._sweep_ms = now_ms
        batch.outgoing.extend(given_up)
        return stale

    def _status_row(self, batch: Batch, now_ms: int) -> None:
        self._status_ms = now_ms
        status = WorkerStatus(
            self._worker_id,
            now_ms,
            self._started_ms,
            self._events,
            self._book.duplicates + self._fast.lane.duplicates,
            self._dead_total,
            self._book.open_sessions,
            len(self._book.dirty) + self._book.resting.count_of_news,
            {f"{tp.topic}-{tp.partition}": at for tp, at in self._positions.items()},
        )
        batch.tables.append(("worker_status", status.table()))

    # partitions ---------------------------------------------------------------------------

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These partitions now belong to somebody else: drop all of their state and data."""
        lost = set(partitions)
        numbers = {tp.partition for tp in lost if tp.topic == self._kafka.events_topic}
        for tp in lost:
            self._positions.pop(tp, None)
            self._unacked.discard(tp)
        self._pool.drop(lost)
        self._rows.forget(numbers)
        self._payments.forget(lost)
        self._dead = [(tp, dead) for tp, dead in self._dead if tp not in lost]
        if not self._first:
            self._repricer.stop()
        gone = [s for s in self._book.direct.values() if s.station.partition in numbers]
        self._fast.release(gone)
        self._fast.give_back(self._book.resting.of_partitions(numbers))
        self._book.forget(numbers.__contains__)
        self._groups.forget(numbers.__contains__)
        self._lookup.listed.forget()
        self._closed = deque((t, s) for t, s in self._closed if s.station.partition not in numbers)
        self._packed = deque(s for s in self._packed if s.station.partition not in numbers)

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Nothing to prepare: sessions of new partitions are looked up when they speak."""
        for tp in partitions:
            self._positions.setdefault(tp, 0)
        self._sweep_ms = self._stale_ms = 0
