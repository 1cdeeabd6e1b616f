"""What comes in: chunks are decoded and stitched together, and their rows of `events` begun."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pyarrow as pa

from streams.chunk import Chunk, TopicPartition
from streams.core.book import Book
from streams.core.events import STARTED, CoreEvent, Started
from streams.core.groups import GroupBook
from streams.core.identity import NIL
from streams.core.keys import key_of
from streams.core.packed import Packed
from streams.core.session import Session
from streams.core.station_groups import Group
from streams.decode import DeadValue, Decoded
from streams.event_rows import PendingRows
from streams.fast_lane import FastLane
from streams.hot import HotDecoder
from streams.hot_heads import HotHeads
from streams.hot_rows import placed
from streams.payments.rows import PaymentReader
from streams.pool import Origin, Pool

STRIDE = 8000
"""Records decoded, stitched and made columns together: enough to spread what a call costs, few
enough to stay in the cache."""


class Intake:
    """What was taken in since the last flush, and what became of it."""

    def __init__(self, book: Book, groups: GroupBook, fast: FastLane, topic: str) -> None:
        self.decoder = HotDecoder()
        self.pool = Pool()
        self.payments = PaymentReader()
        self.fast = fast
        self.dead: list[tuple[TopicPartition, DeadValue]] = []
        self.events = self.dead_total = 0
        """Since the worker's start."""
        self._book = book
        self._groups = groups
        self._topic = topic
        self._rows = PendingRows(topic)

    def take(self, chunk: Chunk, now_ms: int) -> None:
        """Records of the events' topic."""
        for begin in range(0, len(chunk), STRIDE):
            self.pool.add(chunk.part(begin, begin + STRIDE))
            if len(self.pool) >= STRIDE:
                self.stitch(now_ms)

    def take_payments(self, chunk: Chunk) -> None:
        """Records of the payments' topic."""
        dead = self.payments.take(chunk)
        self.dead.extend((chunk.tp, each) for each in dead)
        self.dead_total += len(dead)

    def event_rows(self) -> pa.Table | None:
        """The rows of `events`, None where there are none; then none wait any more."""
        rows, self._rows = self._rows, PendingRows(self._topic)
        return rows.table(self._session_bytes(rows)) if rows else None

    def forget(self, lost: Collection[TopicPartition]) -> None:
        """Drop what came from these partitions."""
        self.pool.drop(lost)
        self._rows.forget({tp.partition for tp in lost if tp.topic == self._topic})
        self.payments.forget(lost)
        self.dead = [(tp, dead) for tp, dead in self.dead if tp not in lost]

    def stitch(self, now_ms: int) -> None:
        """Decode and stitch all that was taken in."""
        if not len(self.pool):
            return
        chunk, origin = self.pool.take()
        taken = self.decoder.decode(chunk)
        hot, decoded = taken.samples, taken.rest
        for dead in decoded.dead:
            tp = TopicPartition(chunk.tp.topic, int(origin.partitions[dead.offset]))
            dead.offset = int(origin.offsets[dead.offset])
            self.dead.append((tp, dead))
        self.dead_total += len(decoded.dead)
        self.events += len(decoded.events)
        places = np.array(decoded.offsets, np.int64)
        partitions = origin.partitions[places].tolist()
        decoded.offsets = origin.offsets[places].tolist()
        self._stitch(decoded, partitions, now_ms)
        for heads in taken.heads:
            self._stitch_heads(heads, origin, now_ms)
        if hot is not None:
            self.events += len(hot.keys)
            self._rows.hot.append(self.fast.take(hot, origin, now_ms))

    def _stitch_heads(self, heads: HotHeads, origin: Origin, now_ms: int) -> None:
        add, protocol = self._book.add_direct, heads.protocol
        partitions = origin.partitions[heads.places].tolist()
        slots = self._book.resting.slots.find(heads.keys).tolist()
        told = zip(heads.keys.texts(), slots, heads.cores, partitions, strict=True)
        sessions = [
            add(key, slot, protocol, core, partition, now_ms) for key, slot, core, partition in told
        ]
        if heads.cores[0].kind == STARTED:
            self._expect_samples(sessions)
        self.events += len(partitions)
        ids = b"".join([session.session_bytes for session in sessions])
        known = np.frombuffer(ids, np.int64).reshape(-1, 2)
        self._rows.hot.append(placed(heads.table, origin, heads.places, known))

    def _expect_samples(self, sessions: Iterable[Session]) -> None:
        """Those that began get their slots now: their samples find them all at once."""
        for session in sessions:
            if not session.packed:
                self.fast.slot(session)

    def _stitch(self, d: Decoded, partitions: list[int], now_ms: int) -> None:
        """Give every event to the book; starts of 1.6 first, so that its groups stay simple.

        A known event is written again all the same, onto its own row, where its session is certain.
        """
        homes: list[Session | Group | None] = [None] * len(d.events)
        later: list[int] = []
        direct: list[tuple[int, str, CoreEvent]] = []
        known: list[int] = []
        for i, (event, core) in enumerate(zip(d.events, d.cores, strict=True)):
            if core is None:
                continue
            if event.protocol == "ocpp1.6":
                later.append(i)
            elif event.transaction_id:
                key = key_of(event.tenant, event.station_id, event.transaction_id)
                direct.append((i, key, core))
        add_direct = self._book.add_direct
        slots = self._book.resting.slots.find(Packed.of([key for _, key, _ in direct])).tolist()
        begun: list[Session] = []
        for (i, key, core), slot in zip(direct, slots, strict=True):
            protocol = d.events[i].protocol
            home = homes[i] = add_direct(key, slot, protocol, core, partitions[i], now_ms)
            if core.kind == STARTED and protocol.startswith("ocpp2"):
                begun.append(home)
        self._expect_samples(begun)
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

    def _session_bytes(self, rows: PendingRows) -> list[bytes]:
        home_of = self._groups.home_of
        nobody = NIL.bytes
        return [
            h.session_bytes
            if type(h) is Session
            else (nobody if h is None or c is None else home_of(h, c))
            for h, c in zip(rows.homes, rows.cores, strict=True)
        ]
