"""Resident memory of a worker per open session of 20 samples.

python -m bench.memory [--sessions 100000]     prints one JSON line

The worker's own object in this process, fed and flushed as the app does, with a store that knows
nothing and keeps nothing. Sessions come in groups of one flush each; what the first group takes
besides (code, buffers of a flush) is no session's.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from bench.machine import memory_mb
from laddstream.settings import Settings
from streams.catalogue import Catalogue
from streams.chunk import Chunk, TopicPartition
from streams.core.session import Owner
from streams.memory import Memory
from streams.sink.port import Reassignment, Selection, StoredSession, StoredStation, StoredTerms
from streams.worker import Worker

SAMPLES = 20
_GROUP = 5_000
_CHUNK = 4_000
_BEGIN_MS = 1_772_323_200_000


class NothingStored:
    """A `streams.sink.port.Sink` that is always empty."""

    def insert(self, table: str, rows: pa.Table) -> None:
        """Keeps nothing."""

    def reassign(self, moves: Sequence[Reassignment]) -> None:
        """Nothing to move."""

    def stations(self, owners: Collection[Owner]) -> list[StoredStation]:  # noqa: ARG002
        """None."""
        return []

    def sessions_by_id(
        self,
        keys: Collection[tuple[str, str, UUID]],  # noqa: ARG002
    ) -> list[StoredSession]:
        """None."""
        return []

    def sessions16(
        self,
        wanted: Mapping[Owner, Collection[str]],  # noqa: ARG002
        windows: Mapping[Owner, tuple[int, int]],  # noqa: ARG002
    ) -> list[StoredSession]:
        """None."""
        return []

    def events(self, sessions: Sequence[StoredSession]) -> Iterable[Mapping[str, Any]]:  # noqa: ARG002
        """None."""
        return ()

    def floating(self, owners: Collection[Owner]) -> Iterable[Mapping[str, Any]]:  # noqa: ARG002
        """None."""
        return ()

    def silent(self, event_before_ms: int, written_before_ms: int) -> list[StoredSession]:  # noqa: ARG002
        """None."""
        return []

    def stale(self) -> list[StoredSession]:
        """None."""
        return []

    def count(self, chosen: Selection) -> int:  # noqa: ARG002
        """None."""
        return 0

    def page(
        self,
        chosen: Selection,  # noqa: ARG002
        after: tuple[str, str, UUID] | None,  # noqa: ARG002
        limit: int,  # noqa: ARG002
    ) -> list[StoredTerms]:
        """None."""
        return []

    def catalogue(self, known: Catalogue) -> Catalogue:
        """No newer one."""
        return known


def values(first: int, count: int) -> Iterator[bytes]:
    """Starts of some sessions, then 20 samples of each, as time goes on."""
    for number in range(SAMPLES + 1):
        stamp = str(np.datetime64(_BEGIN_MS + number * 60_000, "ms")).encode() + b"Z"
        for n in range(first, first + count):
            if number == 0:
                kind, rest = (
                    b"session_started",
                    b'"id_token":"TOK%08d","meter_start_wh":%d' % (n, n),
                )
            else:
                register = n + number * 183
                kind, rest = b"meter_sampled", b'"import_wh":%d,"power_w":11000' % register
            yield (
                b'{"type":"%s","tenant":"default","station_id":"ST-%07d","protocol":"ocpp2.0.1",'
                b'"evse_id":1,"connector_id":1,"transaction_id":"%08x-7e57-4000-8000-00000000beef",'
                b'"timestamp":"%s","seq_no":%d,%s}' % (kind, n, n, stamp, number, rest)
            )


def measure(sessions: int) -> dict[str, Any]:
    """Open so many sessions, and weigh them."""
    worker, memory = Worker(Settings(), NothingStored()), Memory()
    tp = TopicPartition("charging.events", 0)
    offset, now = 0, time.time_ns() // 1_000_000
    worker.assigned([tp])
    memory.start()
    base = 0.0
    begun = time.process_time()
    for first in range(0, sessions, _GROUP):
        lines = values(first, min(_GROUP, sessions - first))
        while part := list(islice(lines, _CHUNK)):
            worker.accept(
                Chunk(tp, range(offset, offset + len(part)), part, [None] * len(part), offset), now
            )
            offset += len(part)
        batch = worker.prepare(now)
        if batch is not None:
            worker.write(batch)
            worker.done(batch, now)
            memory.landed()
        del batch
        base = base or _resident()
    gc.collect()
    total = _resident()
    weighed = max(1, sessions - _GROUP)
    return {
        "sessions": sessions,
        "bytes_per_open_session": round((total - base) / weighed),
        "resident_mb": round(total / 2**20),
        "cpu_s_per_million": round((time.process_time() - begun) / offset * 1e6, 2),
    }


def _resident() -> float:
    pa.default_memory_pool().release_unused()
    return memory_mb() * 2**20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    print(json.dumps(measure(parser.parse_args().sessions)))
