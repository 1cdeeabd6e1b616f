"""The producer against real brokers: what it counts is what a consumer finds."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from producers.kafka import EventProducer, create_topics
from schemas import wire
from schemas.errors import UnavailableError
from schemas.topics import MAX_RECORD_BYTES
from tests.kafka.brokers import Broker

pytestmark = pytest.mark.integration


def event(number: int) -> wire.SessionEnded:
    return wire.SessionEnded(
        tenant="t",
        station_id=f"S{number % 7}",
        protocol="import",
        timestamp="2026-01-01T00:00:00.000Z",
        transaction_id=str(number),
        energy_wh=number,
    )


def fresh_topic(broker: Broker, partitions: int = 3) -> str:
    name = f"producer-{uuid4().hex[:12]}"
    assert list(create_topics(broker.bootstrap, {name: partitions})) == [name]
    return name


def records(broker: Broker, topic: str, count: int) -> Iterator[Message]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": uuid4().hex})
    try:
        found = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in found])
        for _ in range(count):
            message = consumer.poll(20)
            assert message is not None
            assert message.error() is None
            yield message
        assert consumer.poll(0.3) is None
    finally:
        consumer.close()


def test_every_acknowledged_event_is_there_once_and_a_station_stays_in_one_partition(
    broker: Broker,
) -> None:
    topic = fresh_topic(broker)
    with EventProducer(broker.bootstrap, topic) as producer:
        for number in range(5000):
            producer.send(event(number))
        delivery = producer.flush()

    found = list(records(broker, topic, 5000))

    assert (delivery.acknowledged, delivery.failures) == (5000, 0)
    assert sorted(each.value() or b"" for each in found) == sorted(
        wire.encode(event(number)) for number in range(5000)
    )
    homes: dict[bytes, set[int | None]] = {}
    for each in found:
        homes.setdefault(each.key() or b"", set()).add(each.partition())
    assert set(homes) == {f"t/S{number}".encode() for number in range(7)}
    assert {len(partitions) for partitions in homes.values()} == {1}


def test_bytes_go_out_untouched_with_their_headers_to_the_topic_that_is_named(
    broker: Broker,
) -> None:
    topic, other = fresh_topic(broker, 1), fresh_topic(broker, 1)
    value = b"\xff\x00 not an event"
    with EventProducer(broker.bootstrap, topic) as producer:
        producer.send_raw(b"t/S", value, {"reason": "not_json", "detail": "é"}, topic=other)

    (found,) = records(broker, other, 1)

    assert (found.key(), found.value()) == (b"t/S", value)
    assert dict(found.headers() or []) == {"reason": b"not_json", "detail": "é".encode()}


def test_a_value_of_five_megabytes_gets_through_and_one_beyond_the_limit_is_counted(
    broker: Broker,
) -> None:
    topic = fresh_topic(broker, 1)
    with EventProducer(broker.bootstrap, topic) as producer:
        producer.send_raw(b"", b"x" * 5_000_000)
        producer.send_raw(b"", b"x" * (MAX_RECORD_BYTES + 1))
        delivery = producer.flush()

    (found,) = records(broker, topic, 1)

    assert len(found.value() or b"") == 5_000_000
    assert (delivery.acknowledged, delivery.failures) == (1, 1)


def test_topics_that_exist_are_left_alone(broker: Broker) -> None:
    topic = fresh_topic(broker)

    assert list(create_topics(broker.bootstrap, {topic: 5})) == []


def test_a_topic_that_is_missing_is_said_before_anything_is_sent(broker: Broker) -> None:
    producer = EventProducer(broker.bootstrap, "never-created")

    with pytest.raises(UnavailableError, match="has no topic 'never-created'"):
        producer.check()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{holder.getsockname()[1]}"


def test_a_broker_that_is_not_there_is_one_sentence_within_the_bound(nobody: str) -> None:
    producer = EventProducer(nobody, "t", timeout_s=0.5)

    with pytest.raises(UnavailableError, match=f"Kafka at {nobody} does not answer"):
        producer.check()
    with pytest.raises(UnavailableError, match=f"Kafka at {nobody} does not answer"):
        create_topics(nobody, {"t": 1}, timeout_s=0.5)


def test_what_was_not_acknowledged_is_not_reported_as_sent(nobody: str) -> None:
    producer = EventProducer(nobody, "t", timeout_s=1.0)
    producer.send(event(1))

    with pytest.raises(UnavailableError, match="0 records acknowledged, 1 not"):
        producer.flush()
    assert producer.delivery.acknowledged == 0


def test_a_full_queue_waits_and_then_says_so(nobody: str) -> None:
    producer = EventProducer(nobody, "t", timeout_s=1.0)

    def fill() -> None:
        for _ in range(20):
            producer.send_raw(b"k", b"x" * 16_000_000)

    with pytest.raises(UnavailableError, match="does not answer"):
        fill()
