"""Our chunks hold what plain aiokafka `getmany` returns, record for record."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.chunk import Chunk
from streams.record_batches import MIN_RECORDS, ChunkKafkaConsumer, Fetched
from tests.kafka.brokers import Broker
from tests.streams.shell import topics

pytestmark = pytest.mark.integration

Record = tuple[int, int, bytes | None, bytes | None]


async def poll(
    make: type[AIOKafkaConsumer], broker: Broker, topic: str, starts: dict[int, int], **config: Any
) -> dict[int, list[Any]]:
    """What `getmany` returns by partition, from `starts` to the end of the log."""
    consumer = make(
        bootstrap_servers=broker.bootstrap,
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=4 * 1024 * 1024,
        **config,
    )
    found: dict[int, list[Any]] = {partition: [] for partition in starts}
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, partition) for partition in starts]
        consumer.assign(partitions)
        for tp in partitions:
            consumer.seek(tp, starts[tp.partition])
        ends = await consumer.end_offsets(partitions)
        async with asyncio.timeout(30):
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for tp, items in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp.partition] += items
    finally:
        await consumer.stop()
    return found


def plain(broker: Broker, topic: str, starts: dict[int, int]) -> list[Record]:
    found = asyncio.run(poll(AIOKafkaConsumer, broker, topic, starts))
    return [(p, r.offset, r.key, r.value) for p in sorted(found) for r in found[p]]


def chunks(
    broker: Broker, topic: str, starts: dict[int, int], **config: Any
) -> dict[int, list[Chunk]]:
    """Our chunks; every one must begin where the one before it ended."""
    found: dict[int, list[Fetched]] = asyncio.run(
        poll(ChunkKafkaConsumer, broker, topic, starts, **config)
    )
    for partition, pieces in found.items():
        position = starts[partition]
        for start, chunk in pieces:
            assert start == position
            assert chunk.tp == (topic, partition)
            assert len(chunk.offsets) == len(chunk.values) == len(chunk.keys) == len(chunk)
            assert all(start <= offset < chunk.next_offset for offset in chunk.offsets)
            assert chunk.size == sum(len(value or b"") for value in chunk.values)
            position = chunk.next_offset
        assert all(chunk.behind == position - chunk.next_offset for _, chunk in pieces)
    return {partition: [chunk for _, chunk in pieces] for partition, pieces in found.items()}


def flat(found: dict[int, list[Chunk]]) -> list[Record]:
    return [
        (partition, offset, key, value)
        for partition in sorted(found)
        for chunk in found[partition]
        for offset, key, value in zip(chunk.offsets, chunk.keys, chunk.values, strict=True)
    ]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_gives_the_records_of_getmany(broker: Broker, codec: str) -> None:
    topic = topics.create(broker, 2)
    topics.fill(broker, topic, 9_000, 2, {"compression.type": codec})

    found = chunks(broker, topic, {0: 0, 1: 0})

    assert flat(found) == plain(broker, topic, {0: 0, 1: 0})
    assert len(flat(found)) == 9_000
    assert all(isinstance(c.offsets, range) for pieces in found.values() for c in pieces if c)


def test_reading_begins_in_the_middle_of_a_batch(broker: Broker) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker's memory engine skips the rest of such a batch")
    topic = topics.create(broker, 1)
    topics.fill(broker, topic, 1_000, 1, {"compression.type": "lz4", "linger.ms": 500})

    for start in (1, 499, 998, 999, 1_000):
        found = flat(chunks(broker, topic, {0: start}))

        assert found == plain(broker, topic, {0: start})
        assert [offset for _, offset, _, _ in found] == list(range(start, 1_000))


def test_small_batches_of_sixteen_partitions_are_joined(broker: Broker) -> None:
    topic = topics.create(broker, 16)
    topics.fill(broker, topic, 16 * 5_000, 16, {"batch.num.messages": 50})

    found = chunks(broker, topic, dict.fromkeys(range(16), 0))

    assert len(flat(found)) == 80_000
    assert flat(found) == plain(broker, topic, dict.fromkeys(range(16), 0))
    sizes = [len(chunk) for pieces in found.values() for chunk in pieces]
    assert max(sizes) < MIN_RECORDS + 50
    assert sum(size >= MIN_RECORDS for size in sizes) >= 16


def test_a_batch_is_never_cut(broker: Broker) -> None:
    topic = topics.create(broker, 1)
    topics.fill(broker, topic, 20_000, 1, {"compression.type": "lz4", "linger.ms": 1_000}, size=8)

    found = chunks(broker, topic, {0: 0})

    assert flat(found) == plain(broker, topic, {0: 0})
    assert {len(chunk) for chunk in found[0]} == {10_000}  # librdkafka's batch.num.messages


def test_one_poll_may_ask_for_few_chunks(broker: Broker) -> None:
    topic = topics.create(broker, 2)
    topics.fill(broker, topic, 20_000, 2)

    found = chunks(broker, topic, {0: 0, 1: 0}, max_poll_records=1)

    assert flat(found) == plain(broker, topic, {0: 0, 1: 0})


def test_an_empty_topic_gives_nothing(broker: Broker) -> None:
    topic = topics.create(broker, 1)

    assert chunks(broker, topic, {0: 0}) == {0: []}


def test_values_of_megabytes_and_records_without_value_pass(broker: Broker) -> None:
    topic = topics.create(broker, 2)
    out = topics.producer(broker)
    for index in range(6):
        out.produce(topic, b"small", partition=index % 2)
        out.produce(topic, None, key=b"tombstone", partition=index % 2)
        out.produce(topic, bytes([65 + index]) * 5_000_000, partition=index % 2)
        out.flush(30)

    found = flat(chunks(broker, topic, {0: 0, 1: 0}))

    assert found == plain(broker, topic, {0: 0, 1: 0})
    assert sorted(len(value or b"") for *_, value in found) == [0] * 6 + [5] * 6 + [5_000_000] * 6


@pytest.mark.kafka
def test_aborted_transactions_and_control_batches_are_passed_over(kafka_broker: Broker) -> None:
    topic = topics.create(kafka_broker, 1)
    out = topics.producer(kafka_broker, **{"transactional.id": topic})
    out.init_transactions(20)
    for index, finish in enumerate("cacaacca"):
        out.begin_transaction()
        for number in range(10):
            out.produce(topic, b"%s-%d-%d" % (finish.encode(), index, number))
        out.flush(20)
        (out.commit_transaction if finish == "c" else out.abort_transaction)(20)

    found = chunks(kafka_broker, topic, {0: 0})

    assert flat(found) == plain(kafka_broker, topic, {0: 0})
    assert [value for *_, value in flat(found)] == [
        b"c-%d-%d" % (index, number) for index in (0, 2, 5, 6) for number in range(10)
    ]
    assert found[0][-1].next_offset == 8 * 11  # so that the committed offset reaches the end


@pytest.mark.kafka
def test_a_log_of_aborted_records_alone_still_moves_the_offset(kafka_broker: Broker) -> None:
    topic = topics.create(kafka_broker, 1)
    out = topics.producer(kafka_broker, **{"transactional.id": topic})
    out.init_transactions(20)
    out.begin_transaction()
    out.produce(topic, b"never")
    out.flush(20)
    out.abort_transaction(20)

    (chunk,) = chunks(kafka_broker, topic, {0: 0})[0]

    assert (len(chunk), chunk.next_offset) == (0, 2)


def test_other_consumers_of_the_process_are_left_alone(tansu_broker: Broker) -> None:
    topic = topics.create(tansu_broker, 1)
    topics.fill(tansu_broker, topic, 10, 1)

    chunks(tansu_broker, topic, {0: 0})

    assert len(plain(tansu_broker, topic, {0: 0})) == 10
