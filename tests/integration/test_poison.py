"""What no charger should send, between good events of one station: set aside, one by one."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from schemas.topics import DLQ_HEADERS, MAX_RECORD_BYTES, event_key
from tests.integration.stack_help import Pipeline

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

DLQ_S = 30.0


def event(second: int, **fields: Any) -> dict[str, Any]:
    """A sample of the station's one session, so many seconds after noon."""
    moment = f"2026-05-01T12:{second // 60:02}:{second % 60:02}.000Z"
    return {
        "type": "meter_sampled", "tenant": "poison", "station_id": "P-1", "protocol": "ocpp2.0.1",
        "timestamp": moment, "evse_id": 1, "connector_id": 1, "transaction_id": "T-1",
        **fields,
    }  # fmt: skip


def value(**fields: Any) -> bytes:
    """One event's bytes; what is no event of ours has second 3000."""
    return json.dumps(event(3000, **fields)).encode()


@dataclass(frozen=True, slots=True)
class Poison:
    """Bytes that cannot be processed as they are, and what must be said of them."""

    what: str
    sent: bytes | None
    reason: str
    field: str = ""
    index: int = -1
    set_aside: bytes | None = None
    """The part that is set aside where that is not the whole value."""


GOOD_PAIR = (event(2001, import_wh=1500), event(2002, import_wh=1501))
DEEP = b"[" * 90_000 + b"]" * 90_000
BAD_ELEMENT = event(3000, seq_no="twelve")
POISON = (
    Poison("corrupt bytes", b"\xff\xfe\x00\x81 no text", "not_json"),
    Poison("broken UTF-8 in a text", value(info="?").replace(b"?", b"\xc3("), "not_json"),
    Poison("half an event", value()[:40], "not_json"),
    Poison("a number as a word", value(seq_no="twelve"), "invalid_field", "seq_no"),
    Poison("a list for a name", value(station_id=["P-1"]), "invalid_field", "station_id"),
    Poison("no station", b'{"type":"session_started","tenant":"poison"}', "invalid_field"),
    Poison("an unknown event type", value(type="battery_swapped"), "unknown_type", "type"),
    Poison("no event type", b'{"tenant":"poison","station_id":"P-1"}', "unknown_type", "type"),
    Poison("a naive time", value(timestamp="2026-05-01T12:50:00"), "naive_timestamp", "timestamp"),
    Poison("a time that is none", value(timestamp="yesterday"), "invalid_field", "timestamp"),
    Poison("NaN", value(import_wh=float("nan")), "not_json"),
    Poison("NaN as text", value(import_wh="NaN"), "invalid_field", "import_wh"),
    Poison("infinity", value(import_wh=float("inf")), "not_json"),
    Poison("a huge number", value(seq_no=0).replace(b" 0}", b" 1e999}"), "invalid_field", "seq_no"),
    Poison("an empty value", b"", "empty"),
    Poison("no value", None, "empty"),
    Poison("a number alone", b"42", "not_an_event"),
    Poison("a text alone", b'"session_started"', "not_an_event"),
    Poison("null", b"null", "not_an_event"),
    Poison(
        "one bad element of three",
        json.dumps([GOOD_PAIR[0], BAD_ELEMENT, GOOD_PAIR[1]]).encode(),
        "invalid_field", "seq_no", 1, json.dumps(BAD_ELEMENT).encode(),
    ),
    Poison("deep nesting", value(x="DEEP").replace(b'"DEEP"', DEEP), "not_json"),
    Poison("a deep array", DEEP, "not_json"),
    Poison("an empty array", b"[]", "not_an_event"),
    Poison("5 MB", value(info="x" * 5_000_000), "too_large"),
)  # fmt: skip


def sent_between_good_events(stack: Pipeline) -> Mapping[tuple[int, int], Poison]:
    """Publish all of it; gives what lies at which partition and offset."""
    key = event_key("poison", "P-1")
    where: dict[tuple[int, int], Poison] = {}
    producer = Producer(
        {"bootstrap.servers": stack.broker, "message.max.bytes": MAX_RECORD_BYTES, "acks": "all"}
    )
    failed: list[Any] = []

    def send(raw: bytes | None, poison: Poison | None = None) -> None:
        def delivered(error: Any, message: Message) -> None:
            if error is not None:
                failed.append(error)
            elif poison is not None:
                where[message.partition() or 0, message.offset() or 0] = poison

        producer.produce(stack.settings.kafka.events_topic, raw, key, on_delivery=delivered)

    send(json.dumps(event(0, type="session_started", meter_start_wh=1000)).encode())
    for number, poison in enumerate(POISON, 1):
        send(poison.sent, poison)
        send(json.dumps(event(number, import_wh=1000 + number)).encode())
    send(json.dumps(event(2400, type="session_ended", meter_stop_wh=9000)).encode())
    assert producer.flush(30) == 0
    assert failed == []
    return where


def dead_letters(stack: Pipeline, count: int) -> list[Message]:
    """The first so many of the station in the dead-letter topic, and any that follow at once."""
    topic = stack.settings.kafka.dead_letter_topic
    found: list[Message] = []
    with closing(
        Consumer({"bootstrap.servers": stack.broker, "group.id": f"test-{uuid.uuid4()}",
                  "fetch.message.max.bytes": MAX_RECORD_BYTES})
    ) as consumer:  # fmt: skip
        numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
        until = time.monotonic() + DLQ_S
        while time.monotonic() < until:
            message = consumer.poll(1.0)
            if message is None and len(found) >= count:
                break
            if message is not None and message.key() == event_key("poison", "P-1"):
                assert message.error() is None
                found.append(message)
    return found


def test_each_poison_is_one_dead_letter_and_its_neighbours_are_processed(
    workaday: Pipeline,
) -> None:
    before = workaday.workers()
    where = sent_between_good_events(workaday)
    assert len(where) == len(POISON)
    workaday.settle()

    listed = workaday.rows(
        "SELECT kafka_partition, kafka_offset, kafka_index, reason, field, size_bytes, station_id "
        "FROM mart.dead_letters WHERE tenant = 'poison' ORDER BY kafka_partition, kafka_offset"
    )
    expected = [
        (*place, one.index, one.reason, len(untouched(one)), "P-1")
        for place, one in sorted(where.items())
    ]
    assert [(*row[:4], *row[5:]) for row in listed] == expected
    fields = {where[row[0], row[1]].what: row[4] for row in listed}
    named = {one.what: one.field for one in POISON if one.field}
    assert {what: fields[what] for what in named} == named

    letters = dead_letters(workaday, len(POISON))
    assert len(letters) == len(POISON)
    for letter in letters:
        headers = dict(letter.headers() or [])
        assert headers.keys() == DLQ_HEADERS.keys()
        said = {name: raw.decode() for name, raw in headers.items() if isinstance(raw, bytes)}
        one = where[int(said["source_partition"]), int(said["source_offset"])]
        assert said["source_topic"] == workaday.settings.kafka.events_topic
        assert (said["reason"], int(said["source_index"])) == (one.reason, one.index), one.what
        assert said["detail"], one.what
        assert (letter.value() or b"") == untouched(one), one.what

    samples = len(POISON) + len(GOOD_PAIR)
    assert workaday.rows(
        "SELECT type, count() FROM mart.events WHERE tenant = 'poison' GROUP BY 1 ORDER BY 1"
    ) == [("meter_sampled", samples), ("session_ended", 1), ("session_started", 1)]
    assert workaday.rows(
        "SELECT status, energy_wh, event_count FROM mart.sessions WHERE tenant = 'poison'"
    ) == [("ended", Decimal(8000), samples + 2)]
    assert workaday.workers() == before


def untouched(poison: Poison) -> bytes:
    """The bytes that must be set aside."""
    return (poison.sent or b"") if poison.set_aside is None else poison.set_aside
