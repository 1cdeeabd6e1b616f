"""The worker as the Faust shell sees it; `streams.worker.Worker` is the one implementation.

    chunk -> accept()            decode and stitch, CPU only, never blocks, never raises on data
    now and then -> prepare()    closes the open batch: what must be written (or None)
    batch -> write()             blocking I/O, run in a thread; one batch at a time
    batch -> publish             the shell produces dead letters and events, and has them confirmed
    batch -> done()              then the shell acks every chunk up to `batch.acks`

A crash between any two of these replays; replay is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from streams.chunk import Chunk, TopicPartition


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One Kafka record to produce."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Batch:
    """Everything one flush writes, in the order it is written.

    `tables` maps a table name to rows in Arrow form (`pyarrow.Table`), in write order.
    `acks` maps a partition to the `next_offset` that may be committed afterwards.
    """

    tables: list[tuple[str, object]] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    acks: dict[TopicPartition, int] = field(default_factory=dict)
    notes: object = None
    """The worker's own, from `prepare` to `write` and `done`."""


class StreamWorker(Protocol):
    """What the shell drives. Not thread safe but for `write`, which touches only its batch."""

    def warm(self, now_ms: int) -> None:
        """Read ahead what `prepare` will ask for, in its thread, while no partition is ours yet.
        Where it fails nothing is lost: `prepare` asks again, and says what is wrong.
        """

    def accept(self, chunk: Chunk, now_ms: int) -> None:
        """Decode and stitch one chunk."""

    def wants_flush(self, now_ms: int) -> bool:
        """True when enough events or time have gathered."""

    def prepare(self, now_ms: int) -> Batch | None:
        """Close the open batch. May block for look-ups of unknown sessions: run in a thread
        while no `accept` runs. None when there is nothing to do. Where it raises, the open
        batch is whole and the call may be repeated.
        """

    def write(self, batch: Batch) -> None:
        """Insert the batch's tables; raises UnavailableError where a retry may help."""

    def done(self, batch: Batch, now_ms: int) -> None:
        """The batch is written, its records are produced and confirmed. A batch that was being
        written when its partitions were lost never gets here.
        """

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These partitions now belong to somebody else: drop all of their state and data."""

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """These partitions are ours from their committed offset on."""
