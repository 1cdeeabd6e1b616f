"""The worker: chunks in, batches of idempotent rows out. Implements `streams.ports.StreamWorker`.

Holds the book of sessions, the rows not yet written, and the catalogue snapshot; asks the
sink for what it does not know, once per flush. The Faust shell drives it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, cast

import pyarrow as pa

from streams.at_rest import remember, written_awake
from streams.catalogue import Catalogue
from streams.charge_words import ChargeWords
from streams.chunk import Chunk, TopicPartition
from streams.core.book import Book
from streams.core.facts import CLOSED
from streams.core.groups import GroupBook
from streams.core.identity import NIL
from streams.core.session import Bill, Session
from streams.expiry import expirations
from streams.fast_lane import FastLane
from streams.forgetting import Closed
from streams.intake import Intake
from streams.lasting import UNSHARED, LastingContracts
from streams.lookup import Lookup
from streams.many_rows import tables as many_tables
from streams.many_sessions import Ready, derive_due
from streams.operation_rows import WorkerStatus, dead_letters_table, dlq_headers, masked_letter
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
FEW, GATHER = 2_000, 4
"""Fewer events wait so much longer: a flush costs some milliseconds however small it is, and
ClickHouse likes one insert a second and table. So do events while a whole flush more of them is in
the topic: what is late already is through sooner in fewer and larger flushes."""

LIVE_STEPS = 12
"""Rows of open sessions are written together, so often in a `live_interval_s`."""

MANY = 5_000
"""… or when so many are due: more of them would hold up those who begin or end."""

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
        self._intake = Intake(self._book, self._groups, self._fast, settings.kafka.events_topic)
        self._derive_due = derive_due
        self._lookup = Lookup(self._book, self._groups, sink, self._fast)
        self._repricer = Repricer(self._lookup, sink)
        self._catalogue = Catalogue()
        self._words = ChargeWords()
        self._terms = LastingContracts(self._catalogue)
        keep_ms = int(settings.worker.closed_keep_s * 1000)
        self._closed = Closed(self._book, self._groups, self._fast, self._lookup.listed, keep_ms)
        self._positions: dict[TopicPartition, int] = {}
        self._behind: dict[TopicPartition, int] = {}
        self._unacked: set[TopicPartition] = set()
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
        self._behind[chunk.tp] = chunk.behind
        self._unacked.add(chunk.tp)
        self._first_pending_ms = self._first_pending_ms or now_ms
        self._last_accept_ms = now_ms
        self._pending_count += len(chunk)
        if chunk.tp.topic == self._kafka.payments_topic:
            self._intake.take_payments(chunk)
        else:
            self._intake.take(chunk, now_ms)

    def wants_flush(self, now_ms: int) -> bool:
        """True when enough events or time have gathered, or something is due."""
        if self._pending_count >= self._settings.flush_events:
            return True
        if self._pending_count:
            since_ms = now_ms - self._first_pending_ms
            return since_ms >= self._settings.flush_interval_s * 1000 * self._patience
        idle = now_ms - self._last_accept_ms >= IDLE_MS
        owed = bool(self._book.dirty) or self._repricer.active or self._book.resting.any_news
        return (idle and owed) or now_ms - self._status_ms >= STATUS_MS

    @property
    def _patience(self) -> int:
        behind = sum(self._behind.values()) >= self._settings.flush_events
        return GATHER if behind or self._pending_count < FEW else 1

    # writing out --------------------------------------------------------------------------

    def prepare(self, now_ms: int) -> Batch | None:
        """Close the open batch: look up what is unknown, derive what is due, build the rows.

        A session never written is always due: its row is what a later worker finds it by.
        Everything that asks the sink comes first and may be repeated; what empties the
        worker's lists comes after and cannot fail.
        """
        self._started_ms = self._started_ms or now_ms
        batch = Batch(notes=_Notes())
        self._intake.stitch(now_ms)
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
        if (payments := self._intake.payments.table()) is not None:
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
                self._closed.add(session, now_ms)
        if notes.ready is not None:
            remember(self._book, notes.ready, now_ms)
        for session, _, _, closed in notes.written:
            if not closed and session.protocol != "ocpp1.6" and not self._book.rests(session):
                session.fold()
        self._closed.let_go(now_ms)

    def _event_rows(self, batch: Batch) -> None:
        if (rows := self._intake.event_rows()) is not None:
            batch.tables.append(("events", rows))
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

    def _session_rows(
        self, batch: Batch, now_ms: int, stale: list[Session], *, everything: bool
    ) -> None:
        live_ms = int(self._settings.live_interval_s * 1000)
        live = everything or now_ms - self._live_ms >= live_ms // LIVE_STEPS
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
        written_before = None if everything else now_ms - live_ms
        slots = book.resting.take_due(written_before, least=1 if live else MANY)
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
        if not self._intake.dead:
            return
        topic = self._kafka.dead_letter_topic
        letters = [(tp, masked_letter(dead)) for tp, dead in self._intake.dead]
        for tp, dead in letters:
            batch.outgoing.append(Outgoing(topic, dead.key, dead.raw, dlq_headers(tp, dead)))
        batch.tables.append(("dead_letters", dead_letters_table(letters)))
        self._intake.dead = []

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
            self._intake.events,
            self._book.duplicates + self._fast.lane.duplicates,
            self._intake.dead_total,
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
            self._behind.pop(tp, None)
            self._unacked.discard(tp)
        self._intake.forget(lost)
        if not self._first:
            self._repricer.stop()
        gone = [s for s in self._book.direct.values() if s.station.partition in numbers]
        self._fast.release(gone)
        self._fast.give_back(self._book.resting.of_partitions(numbers))
        self._book.forget(numbers.__contains__)
        self._groups.forget(numbers.__contains__)
        self._lookup.listed.forget()
        self._closed.forget(numbers)

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Nothing to prepare: sessions of new partitions are looked up when they speak."""
        for tp in partitions:
            self._positions.setdefault(tp, 0)
        self._sweep_ms = self._stale_ms = 0
