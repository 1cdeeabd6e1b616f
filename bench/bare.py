"""The reference: reading one topic and doing nothing with the values.

python -m bench.bare BOOTSTRAP TOPIC RECORDS loop       librdkafka, `consume(2000)`
python -m bench.bare BOOTSTRAP TOPIC RECORDS batches    record batches, as our transport reads

Prints one JSON line; CPU and wall seconds from the first record to the last.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence

from aiokafka import TopicPartition
from confluent_kafka import Consumer, Message

from bench.machine import PARTITIONS
from streams.memory import Memory
from streams.record_batches import ChunkKafkaConsumer
from streams.transport import (
    FETCH_BYTES,
    FETCH_WAIT_MS,
    PARTITION_FETCH_BYTES,
    POLL_CHUNKS,
)

_BATCH = 2_000
_PATIENCE_S = 60.0


class _Clock:
    """Runs from the first records to the last."""

    def __init__(self, records: int) -> None:
        self._records = records
        self.seen = self.size = 0
        self._begun = self._cpu = 0.0
        self._deadline = time.monotonic() + _PATIENCE_S

    @property
    def runs(self) -> bool:
        """False when all are there, or it takes too long."""
        return self.seen < self._records and time.monotonic() < self._deadline

    def count(self, records: int, size: int) -> None:
        """So many came."""
        if records and not self.seen:
            self._begun, self._cpu = time.monotonic(), time.process_time()
        self.seen += records
        self.size += size

    def report(self) -> dict[str, float]:
        """What was measured."""
        return {
            "records": self.seen,
            "bytes": self.size,
            "wall_s": time.monotonic() - self._begun,
            "cpu_s": time.process_time() - self._cpu,
        }


def loop(bootstrap: str, topic: str, records: int) -> dict[str, float]:
    """Consume with librdkafka."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"bench-bare-{time.time_ns()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,
            "session.timeout.ms": 6000,
        }
    )
    consumer.subscribe([topic])
    clock = _Clock(records)
    while clock.runs:
        messages: Sequence[Message] = consumer.consume(_BATCH, 0.2)
        clock.count(len(messages), sum(len(m) for m in messages))
    out = clock.report()
    consumer.close()
    return out


async def batches(bootstrap: str, topic: str, records: int) -> dict[str, float]:
    """Consume whole record batches with aiokafka, with the transport's own settings."""
    consumer = ChunkKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=POLL_CHUNKS,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        fetch_max_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        isolation_level="read_committed",
        check_crcs=True,
    )
    await consumer.start()
    Memory().start()  # as the worker does
    consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
    clock = _Clock(records)
    while clock.runs:
        found = await consumer.getmany(timeout_ms=200)
        for pieces in found.values():
            for piece in pieces:
                clock.count(len(piece.chunk), sum(map(len, piece.chunk.values)))
    out = clock.report()
    await consumer.stop()
    return out


def main(bootstrap: str, topic: str, records: int, how: str) -> dict[str, float]:
    """Read in one of the two ways."""
    if how == "loop":
        return loop(bootstrap, topic, records)
    return asyncio.run(batches(bootstrap, topic, records))


if __name__ == "__main__":
    ARGUMENTS, sys.argv = sys.argv, sys.argv[:1]
    print(json.dumps(main(ARGUMENTS[1], ARGUMENTS[2], int(ARGUMENTS[3]), ARGUMENTS[4])))
