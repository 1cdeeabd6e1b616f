"""Small chunks are stitched together, and every row still says where its record came from."""

from __future__ import annotations

from typing import Any

from streams.chunk import Chunk, TopicPartition
from streams.intake import STRIDE
from streams.pool import Pool
from streams.sink.memory import MemorySink
from streams.worker import Worker
from tests.streams.core.core_events import end21, meter21, start21
from tests.streams.core.fleet_kit import NOW_MS, settings_of

TOPIC = "charging.events"
A, B, C = (TopicPartition(TOPIC, number) for number in (0, 3, 5))


def chunk(tp: TopicPartition, first: int, *values: bytes | None) -> Chunk:
    offsets = range(first, first + len(values))
    return Chunk(tp, offsets, list(values), [b"k"] * len(values), offsets.stop)


def worker_of(*chunks: Chunk) -> tuple[Worker, MemorySink]:
    sink = MemorySink()
    worker = Worker(settings_of(), sink)
    worker.assigned([A, B, C])
    for each in chunks:
        worker.accept(each, NOW_MS)
    return worker, sink


def flush(worker: Worker) -> Any:
    batch = worker.prepare(NOW_MS)
    assert batch is not None
    worker.write(batch)
    worker.done(batch, NOW_MS)
    return batch


def places(sink: MemorySink) -> dict[str, list[tuple[int, int]]]:
    """Partition and offset of the events of each transaction."""
    out: dict[str, list[tuple[int, int]]] = {}
    for row in sink.tables["events"].values():
        place = (row["kafka_partition"], row["kafka_offset"])
        out.setdefault(row["transaction_id"], []).append(place)
    return {name: sorted(found) for name, found in out.items()}


def test_values_of_several_partitions_come_out_as_one_chunk_in_their_order() -> None:
    pool = Pool()
    for each in (chunk(A, 7, b"a", b"b"), chunk(B, 100), chunk(B, 100, None), chunk(A, 9, b"c")):
        pool.add(each)

    joined, origin = pool.take()

    assert list(joined.values) == [b"a", b"b", None, b"c"]
    assert list(joined.offsets) == [0, 1, 2, 3]
    assert origin.partitions.tolist() == [0, 0, 3, 0]
    assert origin.offsets.tolist() == [7, 8, 100, 9]
    assert len(pool) == 0


def test_rows_and_dead_letters_name_the_partition_and_offset_of_their_record() -> None:
    worker, sink = worker_of(
        chunk(A, 10, start21(0, "a"), meter21(5, 1000, "a", 1)),
        chunk(B, 20, b"rubbish", start21(0, "b", evse_id=2), meter21(6, 500, "b", 1)),
        chunk(A, 12, meter21(7, 1500, "a", 2)),
    )

    batch = flush(worker)

    assert places(sink) == {"a": [(0, 10), (0, 11), (0, 12)], "b": [(3, 21), (3, 22)]}
    (letter,) = sink.tables["dead_letters"].values()
    assert (letter["kafka_partition"], letter["kafka_offset"]) == (3, 20)
    assert batch.acks == {A: 13, B: 23}


def test_a_partition_that_goes_takes_what_waits_and_what_is_stitched_along() -> None:
    worker, sink = worker_of(
        chunk(A, 0, start21(0, "a"), meter21(5, 1000, "a", 1)),
        chunk(B, 0, start21(0, "b", evse_id=2), meter21(5, 1000, "b", 1)),
    )
    worker._intake.stitch(NOW_MS)
    worker.accept(chunk(A, 2, meter21(6, 1100, "a", 2)), NOW_MS)
    worker.accept(chunk(B, 2, meter21(6, 1100, "b", 2)), NOW_MS)

    worker.forget([B])
    batch = flush(worker)

    assert places(sink) == {"a": [(0, 0), (0, 1), (0, 2)]}
    assert batch.acks == {A: 3}


def test_a_pool_that_is_full_is_stitched_before_the_flush() -> None:
    values = [meter21(n / 100, n, "a", n) for n in range(1, STRIDE + 1)]
    worker, sink = worker_of(chunk(A, 0, start21(0, "a"), *values), chunk(C, 0, end21(99, "a", 1)))

    assert len(worker._intake.pool) < STRIDE

    flush(worker)
    assert len(sink.tables["events"]) == STRIDE + 2
