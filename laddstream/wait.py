"""Waiting until every published event is processed and every derived row is written.

Done means: the group has committed the end of every partition, and afterwards every living
worker said that no session of its own waits to be written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime

from laddstream import services
from laddstream.kafka_offsets import Offsets, PartitionLag
from laddstream.settings import Settings
from reports.query import Address, Store, connect
from schemas.errors import UnavailableError

ALIVE_S = 10.0
"""A worker whose status is older is not there."""

GRACE_S = 30.0
"""How long no worker may be there (starting, joining the group) before that is the answer."""

_POLL_S = 0.25

_WORKERS = "SELECT worker_id, at, dirty_sessions, open_sessions FROM mart.worker_status"


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker last said. `at` is epoch seconds."""

    worker_id: str
    at: float
    dirty_sessions: int
    open_sessions: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the waiting stands at one moment."""

    lag: int
    """Records published and not committed."""

    dirty: int
    """Sessions of living workers that wait to be written."""

    living: int
    """Living workers."""

    unheard: int
    """Living workers that have not spoken since the lag became none."""

    @property
    def done(self) -> bool:
        """Nothing is left to wait for."""
        return self.living > 0 and not (self.lag or self.dirty or self.unheard)

    def __str__(self) -> str:
        """What is still waited for, in words."""
        parts = [f"{self.lag:,} records to read"] if self.lag else []
        parts += [f"{self.dirty:,} sessions to write"] if self.dirty else []
        if not self.living:
            parts.append("no worker is running")
        elif self.unheard and not parts:
            parts.append(f"{self.unheard} of {self.living} workers to confirm")
        return ", ".join(parts) or "everything is processed"


def judge(
    lags: Sequence[PartitionLag], workers: Sequence[Worker], caught_up_at: float | None, now: float
) -> Progress:
    """Progress from what was read; times are epoch seconds.

    `caught_up_at` is when the lag was first seen to be none, None while there is one.
    """
    living = [worker for worker in workers if now - worker.at <= ALIVE_S]
    return Progress(
        lag=sum(partition.lag for partition in lags),
        dirty=sum(worker.dirty_sessions for worker in living),
        living=len(living),
        unheard=sum(caught_up_at is None or worker.at <= caught_up_at for worker in living),
    )


def read_workers(store: Store) -> list[Worker]:
    """Every worker that ever reported, living or not."""
    return [
        Worker(
            str(row["worker_id"]),
            datetime.fromisoformat(str(row["at"])).timestamp(),
            int(str(row["dirty_sessions"])),
            int(str(row["open_sessions"])),
        )
        for row in store.fetch(_WORKERS).records()
    ]


def wait(
    settings: Settings,
    timeout_s: float | None,
    tell: Callable[[Progress], None],
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Progress:
    """Wait until all is processed, or `timeout_s` seconds; the last progress says which.

    Raises UnavailableError where broker or store do not answer, or no worker is there.
    """
    user, password = services.clickhouse_credentials(settings)
    address = Address(services.clickhouse_url(settings), user, password)
    kafka = settings.kafka
    started = last_seen = clock()
    caught_up_at: float | None = None
    broker = services.kafka_bootstrap(settings)
    with ExitStack() as opened:
        at = opened.enter_context(closing(Offsets(broker, kafka.events_topic, kafka.group)))
        paid = opened.enter_context(closing(Offsets(broker, kafka.payments_topic, kafka.group)))
        store = opened.enter_context(closing(connect(address)))
        while True:
            lags = at.read()
            if kafka.payments_topic:
                lags += paid.read(may_lack=True)
            if any(partition.lag for partition in lags):
                caught_up_at = None
            elif caught_up_at is None:
                caught_up_at = clock()
            workers = read_workers(store)
            now = clock()
            progress = judge(lags, workers, caught_up_at, now)
            tell(progress)
            last_seen = now if progress.living else last_seen
            if progress.done or (timeout_s is not None and now - started >= timeout_s):
                return progress
            if now - last_seen >= GRACE_S:
                raise UnavailableError(
                    f"No worker has reported for {GRACE_S:.0f} seconds ({progress}): "
                    "start one with `laddstream up`"
                )
            sleep(_POLL_S)
