"""The reference: a bare librdkafka consume loop over one topic, doing nothing with the values.

python -m bench.bare BOOTSTRAP TOPIC RECORDS     prints one JSON line
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

from confluent_kafka import Consumer, Message

_BATCH = 2_000
_PATIENCE_S = 60.0


def read(bootstrap: str, topic: str, records: int) -> dict[str, float]:
    """Consume `records` records; CPU and wall seconds from the first record to the last."""
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
    seen = size = 0
    begun = cpu = 0.0
    deadline = time.monotonic() + _PATIENCE_S
    while seen < records and time.monotonic() < deadline:
        messages: Sequence[Message] = consumer.consume(_BATCH, 0.2)
        if messages and not seen:
            begun, cpu = time.monotonic(), time.process_time()
        seen += len(messages)
        size += sum(len(m) for m in messages)
    out = {
        "records": seen,
        "bytes": size,
        "wall_s": time.monotonic() - begun,
        "cpu_s": time.process_time() - cpu,
    }
    consumer.close()
    return out


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
