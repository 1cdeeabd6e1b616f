"""A script of Kafka values and happenings, and a worker that plays it: fast lane open or shut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pyarrow as pa

from schemas import wire
from streams.catalogue import Catalogue
from streams.chunk import Chunk, TopicPartition
from streams.core.columns import Small
from streams.core.events import SAMPLE, CoreEvent
from streams.core.resting import Resting
from streams.core.session import Session
from streams.decode import decode_chunk
from streams.fast_lane import FastLane
from streams.hot import HotDecoder, Taken
from streams.lasting import LastingContracts
from streams.many_sessions import Outcome, derive_due
from streams.ports import Batch
from streams.sink.memory import MemorySink
from streams.sink.port import StoredSession
from streams.tails import at_rest
from streams.worker import Worker
from tests.streams.core.fleet_kit import NOW_MS, settings_of

TPS = (TopicPartition("charging.events", 0), TopicPartition("charging.events", 1))
TABLES = (
    "events", "session_slices", "session_charges", "adjustments", "sessions", "dead_letters",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Script:
    """What happens. `logs[p]` are the values of partition p; each step is a name and a number.

    take 10*n+p: one chunk of n values of partition p; flush; wait: ms; revise: the n-th catalogue
    holds, if newer; meanwhile 10*n+p: a flush, n values are taken while it is being written;
    crash n: the worker dies when it wrote the first n of `TABLES` of a flush; restart;
    revoke n: the same while it lives on: all partitions go, and come back; forget p: the partition
    goes and comes back; lend 10*n+p: in between another worker reads n values of it.
    """

    logs: tuple[tuple[bytes | None, ...], tuple[bytes | None, ...]]
    steps: tuple[tuple[str, int], ...]
    catalogues: tuple[Catalogue, ...]
    keep_s: float = 300
    live_s: float = 60
    stride: int = 4000
    packed: int = 100_000
    clock_ms: int = NOW_MS


@dataclass(slots=True)
class Counts:
    """How much took which path, and what else happened (`seen`)."""

    samples: int = 0
    fast_samples: int = 0
    fast_sessions: int = 0
    slow_sessions: int = 0
    fast_ended: int = 0
    fast_priced: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        """Take another's counts in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class _Shut:
    """A decoder without a hot path."""

    def decode(self, chunk: Chunk) -> Taken:
        return Taken(None, [], decode_chunk(chunk))


class _ShutLane(FastLane):
    """A lane that nothing is loaded into."""

    def load(self, session: Session, events: Iterable[CoreEvent]) -> list[CoreEvent]:
        del session
        return list(events)


def _leave_all(
    fast: FastLane,
    resting: Resting,
    due: Sequence[Session],
    slots: Small,
    terms: LastingContracts,
) -> Outcome:
    """`derive_due` that finds no session ordinary."""
    del fast, resting, terms
    return Outcome(list(due), slots.tolist())


class _Counting:
    """The hot decoder, counted."""

    def __init__(self, counts: Counts) -> None:
        self._inner = HotDecoder(1)
        self._counts = counts

    def decode(self, chunk: Chunk) -> Taken:
        self._inner._rest = 0  # one odd value of three is no reason to leave it for long
        taken = self._inner.decode(chunk)
        hot, rest = taken.samples, taken.rest
        found = 0 if hot is None else len(hot.keys)
        heads = sum(len(heads.keys) for heads in taken.heads)
        self._counts.seen["matched heads"] += heads
        self._counts.seen["matched samples"] += taken.compared - heads
        self._counts.fast_samples += found
        self._counts.samples += found
        self._counts.samples += sum(type(e) is wire.MeterSampled for e in rest.events)
        return taken


class TwinSink(MemorySink):
    """Keeps the rows of `events` as they were inserted, and counts sessions asked for again."""

    def __init__(self) -> None:
        super().__init__()
        self.inserted: list[pa.Table] = []
        self.asked = 0

    def insert(self, table: str, rows: pa.Table) -> None:
        if table == "events":
            keys = ("kafka_partition", "kafka_offset", "kafka_index")
            self.inserted.append(rows.sort_by([(key, "ascending") for key in keys]))
        super().insert(table, rows)

    def sessions_by_id(self, keys: Collection[tuple[str, str, UUID]]) -> list[StoredSession]:
        found = super().sessions_by_id(keys)
        self.asked += len(found)
        return found


@dataclass(slots=True)
class Side:
    """A worker and its sink, step by step."""

    script: Script
    fast: bool
    counts: Counts = field(default_factory=Counts)
    sink: TwinSink = field(default_factory=TwinSink)
    now_ms: int = 0
    position: list[int] = field(default_factory=lambda: [0, 0])
    committed: list[int] = field(default_factory=lambda: [0, 0])
    outgoing: list[Any] = field(default_factory=list)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.now_ms = self.script.clock_ms
        self.sink.current = self.script.catalogues[0]
        self.worker = self._made()

    def _made(self) -> Worker:
        settings = settings_of(keep_s=self.script.keep_s, live_s=self.script.live_s)
        made = Worker(settings, self.sink)
        if self.fast:
            made._intake.decoder = _Counting(self.counts)  # type: ignore[assignment]
            made._derive_due = self._counted
        else:
            made._intake.decoder = _Shut()  # type: ignore[assignment]
            made._derive_due = _leave_all
            lane = _ShutLane(made._book)
            made._fast = made._lookup._fast = made._intake.fast = made._closed.fast = lane
        made.assigned(TPS)
        return made

    def _counted(
        self,
        fast: FastLane,
        resting: Resting,
        due: Sequence[Session],
        slots: Small,
        terms: LastingContracts,
    ) -> Outcome:
        known = at_rest(fast.lane, resting, slots, terms.catalogue.revision)
        self.counts.seen["told on"] += len(known.before)
        out = derive_due(fast, resting, due, slots, terms)
        self.counts.slow_sessions += len(out.rest) + len(out.left)
        if out.ready is not None:
            self.counts.seen["at rest"] += len(out.ready.heads.slots_at_rest)
            self.counts.fast_sessions += len(out.ready.rows.versions)
            self.counts.fast_ended += int(out.ready.rows.many.closed.sum())
            self.counts.fast_priced += sum(len(at) for at, _, _ in out.ready.rows.prices)
        return out

    # steps --------------------------------------------------------------------------------

    def do(self, name: str, number: int) -> None:
        """One step."""
        self.counts.seen[f"step {name}"] += 1
        if name in ("take", "lend", "meanwhile"):
            getattr(self, name)(number % 10, number // 10)
        elif name == "wait":
            self.now_ms += number
        elif name == "revise":
            new = self.script.catalogues[number % len(self.script.catalogues)]
            self.sink.current = max(self.sink.current, new, key=lambda each: each.revision)
        else:
            getattr(self, name)(number)
        self.now_ms += 1_000
        self.counts.seen["late after packing"] += sum(
            self.worker._book.has_news(s) for s in self.worker._closed.packed
        )

    def take(self, p: int, count: int, worker: Worker | None = None) -> None:
        """One chunk of partition p."""
        log = self.script.logs[p]
        upto = min(len(log), self.position[p] + count)
        part = range(self.position[p], upto)
        if part:
            values = [log[i] for i in part]
            keys = [b"k"] * len(part)
            (worker or self.worker).accept(Chunk(TPS[p], part, values, keys, upto), self.now_ms)
            self.position[p] = upto

    def flush(self, number: int = 0, worker: Worker | None = None) -> None:
        """One whole flush; the offsets are committed."""
        del number
        one = worker or self.worker
        batch = one.prepare(self.now_ms)
        if batch is not None:
            one.write(batch)
            self._landed(one, batch)

    def meanwhile(self, p: int, count: int) -> None:
        """A chunk is taken while a flush is being written."""
        batch = self.worker.prepare(self.now_ms)
        self.take(p, count)
        if batch is not None:
            self.worker.write(batch)
            self._landed(self.worker, batch)

    def _landed(self, worker: Worker, batch: Batch) -> None:
        worker.done(batch, self.now_ms)
        self.outgoing += sorted((o.topic, o.key or b"", o.value) for o in batch.outgoing)
        for tp, at in batch.acks.items():
            self.committed[tp.partition] = at

    def _cut_off(self, tables: int) -> None:
        """A flush of which only the first tables are written."""
        batch = self.worker.prepare(self.now_ms)
        if batch is not None:
            batch.tables = [each for each in batch.tables if each[0] in TABLES[:tables]]
            self.worker.write(batch)

    def crash(self, tables: int) -> None:
        """The worker dies in the midst of writing a flush."""
        self._cut_off(tables)
        self.restart()

    def restart(self, number: int = 0) -> None:
        """A new worker, which reads on from the committed offsets."""
        del number
        self.worker = self._made()
        self.position = list(self.committed)

    def revoke(self, tables: int) -> None:
        """All partitions go in the midst of writing a flush, and come back to the same worker."""
        self._cut_off(tables)
        self.worker.forget(TPS)
        self.position = list(self.committed)
        self.worker.assigned(TPS)

    def forget(self, p: int) -> None:
        """The partition goes to nobody, and comes back."""
        self.worker.forget([TPS[p]])
        self.position[p] = self.committed[p]
        self.worker.assigned([TPS[p]])

    def lend(self, p: int, count: int) -> None:
        """The partition goes to another worker, who reads on and dies."""
        self.worker.forget([TPS[p]])
        self.position[p] = self.committed[p]
        other = self._made()
        other.forget([TPS[1 - p]])
        self.take(p, count, other)
        self.flush(worker=other)
        self.position[p] = self.committed[p]
        self.worker.assigned([TPS[p]])

    # what came of it ----------------------------------------------------------------------

    def duplicates(self) -> int:
        """All duplicates met, also those that no flush has noticed yet, and those of which one
        copy came the hot way, the other not: they never meet in one place.
        """
        lane, book = self.worker._fast.lane, self.worker._book
        for slot in book.resting.slots.slots().tolist():
            lane.gather([slot])
        apart = sum(
            len(lane.events(session.slot).intersection(session.peek()))
            for session in book.direct.values()
            if session.slot >= 0
        )
        return book.duplicates + lane.duplicates + apart

    def misfits(self) -> int:
        """Plain samples beside the lane in sessions that have others in it."""
        return sum(
            event.kind == SAMPLE and not event.flags
            for session in self.worker._book.direct.values()
            if session.slot >= 0
            for event in session.peek()
        )
