"""The other reference: stock Faust, an agent fed one record at a time, state in a plain dict.

python -m bench.stock BOOTSTRAP TOPIC RECORDS     prints one JSON line
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from bench.answer import add_slices, answer_of
from bench.machine import PARTITIONS, memory_mb
from bench.stitch import ENDED, Event

ARGUMENTS, sys.argv = sys.argv, sys.argv[:1]  # `import faust` reads the command line

import faust  # noqa: E402


class Stitched:
    """Open sessions in dicts, sums of closed ones: what a user would write."""

    def __init__(self) -> None:
        self._open: dict[str, dict[int, tuple[int, int]]] = {}
        self._ends: dict[str, int] = {}
        self._closed: set[str] = set()
        self.total_wh = 0
        self.slices: dict[int, int] = {}

    def add(self, event: Event) -> None:
        """One event."""
        key = event.session_id
        if key in self._closed:
            return
        points = self._open.setdefault(key, {})
        moment = datetime.fromisoformat(event.timestamp).timestamp()
        points[event.seq_no] = (round(moment * 1000), event.register_wh)
        if event.type == ENDED:
            self._ends[key] = event.seq_no
        if len(points) == self._ends.get(key, -2) + 1:
            whole = [points[n] for n in range(len(points))]
            add_slices(whole, self.slices)
            self.total_wh += whole[-1][1] - whole[0][1]
            self._closed.add(key)
            del self._open[key], self._ends[key]

    def answer(self) -> dict[str, Any]:
        """What was counted."""
        return asdict(answer_of(len(self._closed), self.total_wh, self.slices))


def main(bootstrap: str, name: str, records: int) -> None:
    """Run the app until it has seen all records; ends the process."""
    logging.disable(logging.WARNING)
    app = faust.App(
        f"bench-stock-{time.time_ns()}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        web_enabled=False,
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        topic_allow_declare=False,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.5,
    )
    decode = msgspec.json.Decoder(Event).decode

    async def stitch(stream: Any) -> None:  # noqa: ANN401  # as Faust hands it over
        seen, work = 0, Stitched()
        begun = cpu = 0.0
        async for value in stream:
            if not seen:
                begun, cpu = time.monotonic(), time.process_time()
            seen += 1
            work.add(decode(value))
            if seen >= records:
                break
        out = {
            "records": seen,
            "wall_s": time.monotonic() - begun,
            "cpu_s": time.process_time() - cpu,
            "peak_rss_mb": round(memory_mb(peak=True)),
            "answer": work.answer(),
        }
        os.write(1, json.dumps(out).encode() + b"\n")  # Faust logs what is printed
        os._exit(0)

    app.agent(app.topic(name, key_serializer="raw", value_serializer="raw"))(stitch)
    sys.argv = ["stock", "worker", "-l", "error", "--without-web"]
    app.main()


if __name__ == "__main__":
    main(ARGUMENTS[1], ARGUMENTS[2], int(ARGUMENTS[3]))
