"""Payments in the worker: rows are idempotent, bad values stand alone, partitions are theirs."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from laddstream.settings import Settings
from streams.chunk import Chunk, TopicPartition
from streams.payments.decode import decode_payments
from streams.sink.memory import MemorySink
from streams.worker import Worker

TP = TopicPartition("charging.payments", 0)
EVENTS = TopicPartition("charging.events", 0)
PAN = "4111111111111111"


def value(name: str = "p", **changes: Any) -> bytes:
    return json.dumps({
        "type": "payment_recorded", "tenant": "t", "payment_id": name, "kind": "captured",
        "timestamp": "2026-03-01T13:00:00+01:00", "amount": 10.25, "currency": "SEK", **changes,
    }).encode()  # fmt: skip


def chunk(*values: bytes | None, first: int = 0, tp: TopicPartition = TP) -> Chunk:
    offsets = range(first, first + len(values))
    return Chunk(tp, offsets, values, [b"k"] * len(values), offsets.stop)


@pytest.mark.parametrize(
    ("raw", "reason", "field"),
    [
        (None, "empty", ""), (b"", "empty", ""), (b"{", "not_json", ""),
            (b"\xff{}", "not_json", ""),
        (b"7", "not_an_event", ""), (b"[]", "not_an_event", ""), (b"[7", "not_json", ""),
        (b"{}", "unknown_type", "type"), (value(type="payment"), "unknown_type", "type"),
        (value(amount=0), "invalid_field", "amount"),
            (value(amount="x"), "invalid_field", "amount"),
        (value(kind="paid"), "invalid_field", "kind"),
            (value(currency="ZZZ"), "invalid_field", "currency"),
        (value(timestamp="2026-03-01"), "naive_timestamp", "timestamp"),
        (value(timestamp="x"), "invalid_field", "timestamp"),
        (value(tenant=PAN), "card_number", "tenant"),
        (value(x="y" * 1_000_001), "too_large", ""),
    ],
    ids=lambda each: str(each)[:40],
)  # fmt: skip
def test_a_bad_value_is_one_dead_letter(raw: bytes | None, reason: str, field: str) -> None:
    found = decode_payments(chunk(value("a"), raw, value("b")))

    assert [a.payment.payment_id for a in found.accepted] == ["a", "b"]
    (dead,) = found.dead
    assert (dead.offset, dead.index, dead.rejection.reason, dead.rejection.field) == (
        1, -1, reason, field,
    )  # fmt: skip


def test_elements_of_an_array_are_payments_of_their_own() -> None:
    raw = b"[" + b",".join([value("a"), b"7", value("b")]) + b"]"
    found = decode_payments(chunk(raw))

    assert [(a.payment.payment_id, a.index) for a in found.accepted] == [("a", 0), ("b", 2)]
    assert [(d.index, d.raw) for d in found.dead] == [(1, b"7")]


def flushed(worker: Worker, sink: MemorySink, now_ms: int = 10_000) -> Any:
    batch = worker.prepare(now_ms)
    assert batch is not None
    rows: Any = dict(batch.tables).get("payments")
    if rows is not None:
        sink.insert("payments", rows.append_column("identity", rows["kafka_offset"]))
    worker.done(batch, now_ms)
    return batch


def test_the_worker_writes_payments_and_acks_their_partition() -> None:
    sink = MemorySink()
    worker = Worker(Settings(), sink)
    worker.assigned([TP, EVENTS])
    worker.accept(chunk(value("a", description=f"card {PAN}"), value("b", amount="-1")), 0)
    batch = flushed(worker, sink)

    (row,) = sink.tables["payments"].values()
    assert (row["payment_id"], row["amount"], row["method"]) == ("a", Decimal("10.25"), "other")
    assert row["description"] == "card ************1111"
    assert row["flags"] == ["card_masked"]
    assert row["timestamp"].isoformat() == "2026-03-01T12:00:00+00:00"
    assert batch.acks == {TP: 2}
    (letter,) = batch.outgoing
    assert dict(letter.headers)["source_topic"] == b"charging.payments"
    assert dict(letter.headers)["masked"] == b"0"


def test_dead_letters_leave_without_card_numbers() -> None:
    worker = Worker(Settings(), MemorySink())
    bad = json.dumps({"type": "x", "info": f"{PAN} and 5555-5555-5555-4444"}).encode()
    worker.accept(Chunk(EVENTS, range(1), [bad], [PAN.encode()], 1), 0)
    batch = worker.prepare(10_000)

    assert batch is not None
    (letter,) = batch.outgoing
    assert letter.key == b"************1111"
    assert letter.value == bad.replace(PAN.encode(), b"*" * 12 + b"1111").replace(
        b"5555-5555-5555-4444", b"****-****-****-4444"
    )
    assert dict(letter.headers)["masked"] == b"3"
    letters: Any = dict(batch.tables)["dead_letters"]
    (row,) = letters.to_pylist()
    assert PAN not in repr(row)


def test_a_lost_partition_takes_its_payments_along_and_no_session() -> None:
    sink = MemorySink()
    worker = Worker(Settings(), sink)
    other = TopicPartition(TP.topic, 1)
    worker.assigned([TP, other, EVENTS])
    worker.accept(chunk(value("a")), 0)
    worker.accept(chunk(value("b"), tp=other), 0)
    worker.forget([other])
    batch = flushed(worker, sink)

    assert [row["payment_id"] for row in sink.tables["payments"].values()] == ["a"]
    assert batch.acks == {TP: 1}
