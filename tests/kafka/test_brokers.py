"""Both brokers start and carry what the pipeline needs of them."""

from __future__ import annotations

import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.topics import MAX_RECORD_BYTES
from tests.kafka.brokers import MAX_MESSAGE_BYTES, Broker

pytestmark = pytest.mark.integration


def _topic(broker: Broker, partitions: int = 1, **config: str) -> str:
    name = f"t-{uuid.uuid4().hex[:12]}"
    new = NewTopic(
        name, partitions, 1, config={key.replace("_", "."): v for key, v in config.items()}
    )
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([new])[name].result(20)
    return name


def _produce(broker: Broker, topic: str, values: list[bytes], **config: object) -> list[Message]:
    """Produces values with rising keys; returns the acknowledged ones."""
    acknowledged: list[Message] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            raise AssertionError(error.str())
        acknowledged.append(message)

    producer = Producer({
        "bootstrap.servers": broker.bootstrap, "enable.idempotence": True,
        "compression.type": "lz4", "linger.ms": 5, **config,
    })  # fmt: skip
    for number, value in enumerate(values):
        producer.produce(topic, value, key=str(number).encode(), on_delivery=delivered)
    assert producer.flush(30) == 0
    return acknowledged


def _consume(broker: Broker, topic: str, partitions: int, count: int) -> list[Message]:
    consumer = Consumer({
        "bootstrap.servers": broker.bootstrap, "group.id": f"g-{uuid.uuid4().hex[:8]}",
        "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "fetch.message.max.bytes": MAX_MESSAGE_BYTES,
    })  # fmt: skip
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found: list[Message] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        found += [message for message in consumer.consume(500, 0.5) if message.error() is None]
    consumer.close()
    return found


def test_an_idempotent_lz4_producer_is_acknowledged_and_every_record_is_read_once(
    broker: Broker,
) -> None:
    topic = _topic(broker, partitions=3)
    values = [f'{{"n":{number}}}'.encode() for number in range(2_000)]

    acknowledged = _produce(broker, topic, values)
    read = _consume(broker, topic, 3, len(values))

    assert len(acknowledged) == len(values)
    assert sorted((message.key(), message.value()) for message in read) == sorted(
        (str(number).encode(), value) for number, value in enumerate(values)
    )
    places = [(message.partition(), message.offset()) for message in read]
    assert len(set(places)) == len(values)


def test_records_of_one_key_stay_in_order_in_one_partition(broker: Broker) -> None:
    topic = _topic(broker, partitions=4)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True})
    for number in range(300):
        producer.produce(topic, str(number).encode(), key=b"nordvik/NV-0042")
    assert producer.flush(30) == 0

    read = _consume(broker, topic, 4, 300)

    assert len({message.partition() for message in read}) == 1
    assert [message.value() for message in read] == [str(n).encode() for n in range(300)]


def test_headers_and_empty_values_arrive_as_they_were_sent(broker: Broker) -> None:
    topic = _topic(broker)
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    headers = [("reason", b"not_json"), ("detail", "å".encode()), ("field", b"")]
    producer.produce(topic, None, key=b"k", headers=list(headers))
    producer.produce(topic, b"\x00\xff{", key=None)
    assert producer.flush(30) == 0

    first, second = _consume(broker, topic, 1, 2)

    assert (first.value(), first.headers()) == (None, headers)
    assert (second.key(), second.value()) == (None, b"\x00\xff{")


def test_a_five_megabyte_value_fits_a_topic_that_allows_it(broker: Broker) -> None:
    topic = _topic(broker, max_message_bytes=str(MAX_RECORD_BYTES))
    big = bytes(range(256)) * 20_000

    _produce(broker, topic, [b"before", big, b"after"], **{
        "message.max.bytes": MAX_RECORD_BYTES, "compression.type": "none",
    })  # fmt: skip

    assert [message.value() for message in _consume(broker, topic, 1, 3)] == [
        b"before", big, b"after",
    ]  # fmt: skip


def test_a_group_goes_on_where_it_committed(broker: Broker) -> None:
    topic = _topic(broker)
    _produce(broker, topic, [str(number).encode() for number in range(10)])
    config = {
        "bootstrap.servers": broker.bootstrap, "group.id": f"g-{topic}",
        "auto.offset.reset": "earliest", "enable.auto.commit": False, "session.timeout.ms": 6000,
    }  # fmt: skip
    first = Consumer(config)
    first.assign([TopicPartition(topic, 0, 0)])
    first.commit(offsets=[TopicPartition(topic, 0, 7)], asynchronous=False)
    first.close()

    second = Consumer(config)
    (position,) = second.committed([TopicPartition(topic, 0)], timeout=20)
    second.close()

    assert position.offset == 7
