"""When a worker closes a batch: soon, but not too often."""

from __future__ import annotations

import pytest

from laddstream.settings import Settings
from streams.chunk import Chunk, TopicPartition
from streams.sink.memory import MemorySink
from streams.worker import Worker

NOW_MS = 1_760_000_000_000
EVENTS = "charging.events"


def worker(**changes: float) -> Worker:
    settings = Settings()
    settings.worker = settings.worker.model_copy(update=changes)
    made = Worker(settings, MemorySink())
    made.prepare(NOW_MS)
    return made


def chunk(count: int, behind: int = 0, partition: int = 0) -> Chunk:
    values = [b"rubbish"] * count
    tp = TopicPartition(EVENTS, partition)
    return Chunk(tp, range(count), values, [None] * count, count, behind=behind)


def waits_ms(made: Worker) -> int:
    """How long after its first event the batch is closed, in steps of 50 ms."""
    return next(ms for ms in range(0, 10_000, 50) if made.wants_flush(NOW_MS + ms))


@pytest.mark.parametrize(
    ("count", "behind", "expected_ms"),
    [(1, 0, 1_000), (1_999, 0, 1_000), (2_000, 0, 250), (50_000, 0, 250), (50_000, 99_999, 250),
     (50_000, 100_000, 1_000), (1, 100_000, 1_000), (100_000, 0, 0), (100_000, 10**6, 0)],
)  # fmt: skip
def test_few_events_wait_and_a_backlog_gathers(count: int, behind: int, expected_ms: int) -> None:
    made = worker()

    made.accept(chunk(count, behind), NOW_MS)

    assert waits_ms(made) == expected_ms


def test_the_backlogs_of_all_partitions_count_together() -> None:
    made = worker()

    for partition in range(4):
        made.accept(chunk(1_000, 25_000, partition), NOW_MS)

    assert waits_ms(made) == 1_000


def test_a_backlog_that_is_read_or_goes_to_another_worker_counts_no_more() -> None:
    made = worker()
    made.accept(chunk(2_000, 150_000), NOW_MS)
    made.accept(chunk(2_000, 150_000, 1), NOW_MS)

    made.forget([TopicPartition(EVENTS, 1)])
    assert waits_ms(made) == 1_000
    made.accept(chunk(2_000), NOW_MS)

    assert waits_ms(made) == 250


def test_the_waits_follow_the_setting() -> None:
    made = worker(flush_interval_s=2.0, flush_events=1_000_000)

    made.accept(chunk(2_000), NOW_MS)

    assert waits_ms(made) == 2_000
