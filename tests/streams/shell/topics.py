"""Topics with known contents, for the tests of the transport."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka.brokers import Broker


def create(broker: Broker, partitions: int, name: str = "") -> str:
    """A new topic; returns its name."""
    topic = name or f"t-{uuid.uuid4().hex[:10]}"
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    config = {"max.message.bytes": str(16 * 1024 * 1024)}
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(20)
    return topic


def producer(broker: Broker, **config: object) -> Producer:
    """librdkafka with room for large values."""
    return Producer(
        {
            "bootstrap.servers": broker.bootstrap,
            "message.max.bytes": 16 * 1024 * 1024,
            "queue.buffering.max.messages": 1_000_000,
            **config,
        }
    )


def fill(
    broker: Broker,
    topic: str,
    count: int,
    partitions: int,
    config: Mapping[str, object] | None = None,
    size: int = 40,
) -> None:
    """`count` records dealt out over the partitions, every third with a key, some with headers."""
    out = producer(broker, **{"linger.ms": 20, **(config or {})})
    for index in range(count):
        out.produce(
            topic,
            f"{index:>{size}}".encode(),
            key=b"key-%d" % index if index % 3 == 0 else None,
            headers=[("h", b"v")] if index % 5 == 0 else None,
            partition=index % partitions,
        )
        if index % 5_000 == 0:
            out.poll(0)
    assert out.flush(60) == 0


def committed(broker: Broker, group: str, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Committed offset of each partition; 0 where there is none."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group})
    try:
        wanted = [TopicPartition(topic, partition) for partition in partitions]
        return {tp.partition: max(tp.offset, 0) for tp in consumer.committed(wanted, 20)}
    finally:
        consumer.close()
