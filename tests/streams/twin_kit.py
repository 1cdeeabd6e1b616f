"""One script of Kafka values and happenings played by two workers: the fast lane open, and shut.

`play` plays a script on both sides at once and compares all they wrote after every flush.
`python -m tests.streams.twin_kit SEED...` plays scripts of `twin_streams` by hand and shrinks
those on which the sides differ.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

import streams.worker as worker_module
from streams.catalogue import Catalogue
from streams.chunk import Chunk, TopicPartition
from streams.core.book import Session
from streams.core.events import CoreEvent
from streams.core.lane import SampleLane
from streams.decode import Decoded, decode_chunk
from streams.fast_lane import FastLane
from streams.hot import HotChunk, HotDecoder
from streams.lasting import LastingContracts
from streams.many_sessions import Outcome, derive_due
from streams.ports import Batch
from streams.sink.memory import MemorySink
from streams.worker import Worker
from tests.streams.core.fleet_kit import NOW_MS, charges_in, homes_in, sessions_in, settings_of
from tests.streams.core.fleet_kit import slices_in as every_slice

TPS = (TopicPartition("charging.events", 0), TopicPartition("charging.events", 1))
TABLES = (
    "sessions",
    "session_slices",
    "session_charges",
    "adjustments",
    "dead_letters",
    "events",
)
QUIET = frozenset({"take", "flush", "wait", "revise"})
"""Steps that lose nothing a worker remembers."""


@dataclass(frozen=True, slots=True)
class Script:
    """What happens. `logs[p]` are the values of partition p; each step is a name and a number.

    take 10*n+p: one chunk of n values of partition p; flush; wait: ms; revise: the n-th
    catalogue holds; crash n: the worker dies when it wrote the first n of `TABLES` of a flush;
    restart; forget p: the partition goes and comes back; lend 10*n+p: in between another worker
    reads n values of it.
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
    """How much took which path."""

    fast_samples: int = 0
    events: int = 0
    fast_sessions: int = 0
    slow_sessions: int = 0
    fast_ended: int = 0
    priced: int = 0

    def add(self, other: Counts) -> None:
        """Take another's counts in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class DifferenceError(AssertionError):
    """The two sides are not of one mind."""


class _Shut:
    """A decoder without a hot path."""

    def decode(self, chunk: Chunk) -> tuple[HotChunk | None, Decoded]:
        return None, decode_chunk(chunk)


class _ShutLane(FastLane):
    """A lane that nothing is loaded into."""

    def load(self, session: Session, events: Iterable[CoreEvent]) -> list[CoreEvent]:
        del session
        return list(events)


def _leave_all(
    lane: SampleLane, due: Sequence[Session], catalogue: Catalogue, terms: LastingContracts
) -> Outcome:
    """`derive_due` that finds no session ordinary."""
    del lane, catalogue, terms
    return Outcome(None, [], list(due))


class _Counting:
    """The hot decoder, counted."""

    def __init__(self, counts: Counts) -> None:
        self._inner = HotDecoder()
        self._counts = counts

    def decode(self, chunk: Chunk) -> tuple[HotChunk | None, Decoded]:
        hot, rest = self._inner.decode(chunk)
        found = 0 if hot is None else len(hot.keys)
        self._counts.fast_samples += found
        self._counts.events += found + len(rest.events)
        return hot, rest


class _TwinSink(MemorySink):
    """Keeps the rows of `events` as they were inserted."""

    def __init__(self) -> None:
        super().__init__()
        self.inserted: list[pa.Table] = []

    def insert(self, table: str, rows: pa.Table) -> None:
        if table == "events":
            keys = ("kafka_partition", "kafka_offset", "kafka_index")
            self.inserted.append(rows.sort_by([(key, "ascending") for key in keys]))
        super().insert(table, rows)


@dataclass(slots=True)
class Side:
    """A worker and its sink, step by step."""

    script: Script
    fast: bool
    counts: Counts = field(default_factory=Counts)
    sink: _TwinSink = field(default_factory=_TwinSink)
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
            made._decoder = _Counting(self.counts)  # type: ignore[assignment]
            made._derive_due = self._counted
        else:
            made._decoder = _Shut()  # type: ignore[assignment]
            made._derive_due = _leave_all
            made._fast = made._lookup._fast = _ShutLane(made._book)
        made.assigned(TPS)
        return made

    def _counted(
        self,
        lane: SampleLane,
        due: Sequence[Session],
        catalogue: Catalogue,
        terms: LastingContracts,
    ) -> Outcome:
        out = derive_due(lane, due, catalogue, terms)
        self.counts.slow_sessions += len(out.rest)
        if out.rows is not None:
            self.counts.fast_sessions += len(out.rows.sessions)
            self.counts.fast_ended += int(out.rows.many.closed.sum())
            self.counts.priced += sum(len(at) for at, _, _ in out.rows.prices)
        return out

    def do(self, name: str, number: int) -> None:
        """One step."""
        if name in ("take", "lend"):
            getattr(self, name)(number % 10, number // 10)
        elif name == "wait":
            self.now_ms += number
        elif name == "revise":
            self.sink.current = self.script.catalogues[number % len(self.script.catalogues)]
        else:
            getattr(self, name)(number)
        self.now_ms += 1_000

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
            one.done(batch, self.now_ms)
            self._sent(batch)
            for tp, at in batch.acks.items():
                self.committed[tp.partition] = at

    def _sent(self, batch: Batch) -> None:
        self.outgoing += sorted((o.topic, o.key or b"", o.value) for o in batch.outgoing)

    def crash(self, tables: int) -> None:
        """The worker dies in the midst of writing a flush."""
        batch = self.worker.prepare(self.now_ms)
        if batch is not None:
            whole = ("events", *(t for t in TABLES if t != "events"))
            batch.tables = [each for each in batch.tables if each[0] in whole[:tables]]
            self.worker.write(batch)
        self.restart()

    def restart(self, number: int = 0) -> None:
        """A new worker, which reads on from the committed offsets."""
        del number
        self.worker = self._made()
        self.position = list(self.committed)

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

    def duplicates(self) -> int:
        """All duplicates met, those that no flush has noticed yet included."""
        lane = self.worker._fast.lane
        slots = {s.slot for s in self.worker._book.direct.values() if s.slot >= 0}
        lane.gather(sorted(slots))
        return self.worker._book.duplicates + lane.duplicates


@contextmanager
def _small(script: Script) -> Iterator[None]:
    """The worker's limits as the script wants them."""
    before = worker_module.STRIDE, worker_module.PACKED_IN_MEMORY
    worker_module.STRIDE, worker_module.PACKED_IN_MEMORY = script.stride, script.packed
    try:
        yield
    finally:
        worker_module.STRIDE, worker_module.PACKED_IN_MEMORY = before


def play(script: Script) -> Counts:
    """Both sides play the script; raises `DifferenceError` where they differ. Counts of the fast."""
    with _small(script):
        fast, slow = Side(script, fast=True), Side(script, fast=False)
        steps = (*script.steps, *_ending(script))
        for i, (name, number) in enumerate(steps):
            fast.do(name, number)
            slow.do(name, number)
            if name not in ("take", "wait", "revise"):
                compare(fast, slow, f"after step {i}, {name} {number}")
        if not script.steps or {name for name, _ in script.steps} <= QUIET:
            found = fast.duplicates(), slow.duplicates()
            if found[0] != found[1] and script.packed > 100:
                raise DifferenceError(f"duplicates: fast {found[0]}, slow {found[1]}")
        _at_once(script, fast)
        return fast.counts


def _ending(script: Script) -> Iterator[tuple[str, int]]:
    """Read to the end, flush until nothing is owed, sweep once."""
    for p in (0, 1):
        yield "take", 10 * len(script.logs[p]) + p
    yield from [("flush", 0)] * 3
    yield "wait", 61_000
    yield from [("flush", 0)] * 2


def _at_once(script: Script, played: Side) -> None:
    """A fresh worker with everything in one flush says the same, if the catalogue stayed."""
    told = []
    for is_fast in (True, False):
        side = Side(replace(script, steps=()), fast=is_fast)
        for name, number in _ending(side.script):
            side.do(name, number)
        told.append(side)
    compare(told[0], told[1], "all at once")
    if any(name == "revise" for name, _ in script.steps):
        return
    for view in (sessions_in, every_slice, charges_in, homes_in):
        a, b = view(played.sink), view(told[0].sink)
        if a != b:
            raise DifferenceError(f"at once, {view.__name__}\n" + _told(a, b))


def compare(fast: Side, slow: Side, when: str) -> None:
    """All tables and what goes out, of both sides."""
    for name in TABLES:
        a, b = fast.sink.tables[name], slow.sink.tables[name]
        if a != b and (name != "events" or _stripped(a) != _stripped(b)):
            raise DifferenceError(f"{when}: {name}\n" + _told(a, b))
    for one, other in zip(fast.sink.inserted, slow.sink.inserted, strict=True):
        if not one.equals(other.select(one.column_names)):
            raise DifferenceError(f"{when}: rows of events as inserted")
    fast.sink.inserted, slow.sink.inserted = [], []
    if fast.outgoing != slow.outgoing:
        raise DifferenceError(f"{when}: outgoing\n{fast.outgoing}\n{slow.outgoing}")
    for label, a, b in _numbers(fast.worker, slow.worker):
        if a != b:
            raise DifferenceError(f"{when}: {label}: fast {a}, slow {b}")


def _numbers(a: Worker, b: Worker) -> Iterator[tuple[str, Any, Any]]:
    yield "open sessions", a._book.open_sessions(), b._book.open_sessions()
    yield "events", a._events, b._events
    yield "dead letters", a._dead_total, b._dead_total


_TRANSPORT = frozenset(
    {"received_at", "message_id", "offline", "gateway", "flags"}
    | {"kafka_topic", "kafka_partition", "kafka_offset", "kafka_index", "assignment"}
)


def _stripped(rows: dict[tuple[Any, ...], dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """Which of equal events' transport facts stay is chance, as in the store."""
    return {k: {n: v for n, v in r.items() if n not in _TRANSPORT} for k, r in rows.items()}


def _told(a: dict[Any, Any], b: dict[Any, Any]) -> str:
    """The first few differences of two tables."""
    lines = [f"only fast: {a[key]}" for key in a.keys() - b.keys()]
    lines += [f"only slow: {b[key]}" for key in b.keys() - a.keys()]
    for key in a.keys() & b.keys():
        if a[key] != b[key] and isinstance(a[key], dict):
            names = [n for n in a[key] if a[key][n] != b[key].get(n)]
            lines.append(f"{key}: " + ", ".join(f"{n}: {a[key][n]} / {b[key][n]}" for n in names))
        elif a[key] != b[key]:
            lines.append(f"{key}: {a[key]} / {b[key]}")
    return "\n".join(lines[:8])


# shrinking --------------------------------------------------------------------------------


def differs(script: Script) -> str:
    """What differs, or nothing."""
    try:
        play(script)
    except DifferenceError as found:
        return str(found)
    except Exception as error:  # noqa: BLE001  # whatever a worker may raise is a difference too
        return f"{type(error).__name__}: {error}"
    return ""


def shrunk(script: Script) -> Script:
    """A script with as few steps and values as can be had by leaving some out."""
    size = 0
    while size != (size := len(script.steps) + len(script.logs[0]) + len(script.logs[1])):
        script = _fewer(script, script.steps, lambda s, kept: replace(s, steps=kept))
        script = _fewer(script, script.logs[0], lambda s, kept: replace(s, logs=(kept, s.logs[1])))
        script = _fewer(script, script.logs[1], lambda s, kept: replace(s, logs=(s.logs[0], kept)))
    return script


def _fewer(
    script: Script, items: tuple[Any, ...], with_items: Callable[[Script, tuple[Any, ...]], Script]
) -> Script:
    width = max(1, len(items) // 2)
    while True:
        at = 0
        while at < len(items):
            kept = (*items[:at], *items[at + width :])
            smaller = with_items(script, kept)
            if differs(smaller):
                script, items = smaller, kept
            else:
                at += width
        if width == 1:
            return script
        width //= 2


if __name__ == "__main__":
    from tests.streams.twin_streams import script_of

    for seed in map(int, sys.argv[1:]):
        found = shrunk(script_of(seed))
        sys.stdout.write(f"seed {seed}: {differs(found) or 'no difference'}\n{found.steps}\n")
        sys.stdout.writelines(f"{p} {v!r}\n" for p in (0, 1) for v in found.logs[p])
