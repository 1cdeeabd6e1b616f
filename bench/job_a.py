"""Job A through the real Faust app: the transport, flow and commits of the product.

python -m bench.job_a BOOTSTRAP TOPIC RECORDS     prints one JSON line

CPU is this process alone, from the first record to the commit of the last.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import asdict

from bench.machine import memory_mb
from bench.stitch import StitchWorker
from laddstream.settings import Settings
from streams.chunk import Chunk

ARGUMENTS, sys.argv = sys.argv, sys.argv[:1]  # `import faust` reads the command line

from streams.app import serve  # noqa: E402


class Timed(StitchWorker):
    """Notes when its first record comes."""

    begun = cpu = 0.0

    def accept(self, chunk: Chunk, now_ms: int) -> None:
        """Start the clocks, once."""
        if not self.begun:
            self.begun, self.cpu = time.monotonic(), time.process_time()
        super().accept(chunk, now_ms)


def main(bootstrap: str, topic: str, records: int) -> None:
    """Run to the last commit, then stop as on SIGTERM."""
    settings = Settings()
    settings.kafka.bootstrap_servers = bootstrap
    settings.kafka.events_topic = settings.kafka.dead_letter_topic = topic
    settings.kafka.payments_topic = ""
    settings.kafka.group = f"bench-a-{time.time_ns()}"
    worker = Timed()

    def committed() -> None:
        if worker.done_records < records or not worker.begun:
            return
        wall, cpu = time.monotonic() - worker.begun, time.process_time() - worker.cpu
        worker.begun = 0.0
        out = {
            "records": worker.records,
            "wall_s": wall,
            "cpu_s": cpu,
            "group": settings.kafka.group,
            "peak_rss_mb": round(memory_mb(peak=True)),
            "answer": asdict(worker.answer()),
        }
        print(json.dumps(out), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    asyncio.run(serve(settings, worker=worker, committed=committed))


if __name__ == "__main__":
    main(ARGUMENTS[1], ARGUMENTS[2], int(ARGUMENTS[3]))
