"""A StreamWorker that only notes down what it was given: to a list, and to a file when it writes.

Run as a program it is one worker process: `python -m tests.streams.shell.recorder FOLDER NAME`.
Files in FOLDER switch troubles on: `down` (the sink), `poison` (accept raises), `hang` (write);
`hurry` ends the slowness of `ACCEPT_S` seconds a chunk.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from laddstream.settings import Settings
from schemas.errors import UnavailableError
from streams.chunk import Chunk, TopicPartition
from streams.ports import Batch, Outgoing


@dataclass(slots=True)
class Recorder:
    """Notes `(partition, first offset, next offset, records)` of every chunk."""

    folder: Path | None = None
    name: str = "one"
    flush_ms: int = 200
    accept_s: float = 0.0
    dead_letters_to: str = ""
    log: list[tuple[str, object]] = field(default_factory=list)
    _open: list[tuple[int, int, int, int]] = field(default_factory=list)
    _acks: dict[TopicPartition, int] = field(default_factory=dict)
    _outgoing: list[Outgoing] = field(default_factory=list)
    _flushed_ms: int = 0

    def _trouble(self, name: str) -> bool:
        return self.folder is not None and (self.folder / name).exists()

    def warm(self, now_ms: int) -> None:
        """Note when."""
        self.log.append(("warm", now_ms))

    def accept(self, chunk: Chunk, now_ms: int) -> None:
        """Note the chunk; values that are `dead` become dead letters."""
        if self._trouble("poison"):
            raise ZeroDivisionError("nobody thought of this")
        time.sleep(0 if self._trouble("hurry") else self.accept_s)
        self._flushed_ms = self._flushed_ms or now_ms
        self.log.append(("accept", chunk))
        first = chunk.offsets[0] if chunk.offsets else chunk.next_offset
        self._open.append((chunk.tp.partition, first, chunk.next_offset, len(chunk)))
        self._acks[chunk.tp] = chunk.next_offset
        self._outgoing += [
            Outgoing(self.dead_letters_to, key, value, (("reason", b"test"),))
            for key, value in zip(chunk.keys, chunk.values, strict=True)
            if value == b"dead"
        ]

    def wants_flush(self, now_ms: int) -> bool:
        """After `flush_ms`."""
        return bool(self._open) and now_ms - self._flushed_ms >= self.flush_ms

    def prepare(self, now_ms: int) -> Batch | None:
        """All notes so far."""
        self._flushed_ms = now_ms
        if not self._open:
            return None
        batch = Batch([("notes", self._open)], self._outgoing, self._acks)
        self._open, self._outgoing, self._acks = [], [], {}
        self.log.append(("prepare", batch))
        return batch

    def write(self, batch: Batch) -> None:
        """Append the notes to the file, unless there is trouble."""
        if self._trouble("down"):
            raise UnavailableError("The store does not answer")
        while self._trouble("hang"):
            time.sleep(0.1)
        self.log.append(("write", batch))
        if self.folder is not None:
            with (self.folder / f"{self.name}.notes").open("a", encoding="utf-8") as file:
                file.write("".join(json.dumps(row) + "\n" for row in batch.tables[0][1]))  # type: ignore[attr-defined]

    def done(self, batch: Batch, now_ms: int) -> None:  # noqa: ARG002
        """Note it."""
        self.log.append(("done", batch))

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop what is not written."""
        self.log.append(("forget", frozenset(partitions)))
        self._open, self._outgoing, self._acks = [], [], {}

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Note it."""
        self.log.append(("assigned", frozenset(partitions)))


def main() -> None:
    """One worker process, configured by the environment."""
    import streams.app as shell  # noqa: PLC0415 - imports Faust, which unit tests do not need

    worker = Recorder(
        Path(sys.argv[1]),
        sys.argv[2],
        accept_s=float(os.environ.get("ACCEPT_S", "0")),
        dead_letters_to=Settings().kafka.dead_letter_topic,
    )
    ready = worker.folder / f"{worker.name}.ready"  # type: ignore[operator]
    stop_s = float(os.environ.get("STOP_S", "10"))
    serving = shell.serve(Settings(), worker=worker, ready=ready.touch, stop_s=stop_s)
    sys.exit(asyncio.run(serving))


if __name__ == "__main__":
    main()
