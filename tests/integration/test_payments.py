"""Payments and card numbers through the whole pipeline: broker, worker, store, reports."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.topics import MAX_RECORD_BYTES
from tests.integration.stack_help import Pipeline

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

PAN = "4111111111111111"
HIDDEN = "************1111"
SESSION = str(uuid.uuid5(uuid.NAMESPACE_URL, "no such session"))


def payment(name: str, **fields: Any) -> bytes:
    """A captured card payment of 10 SEK."""
    return json.dumps({
        "type": "payment_recorded", "tenant": "paying", "payment_id": name, "kind": "captured",
        "timestamp": "2026-05-01T13:00:00.000Z", "amount": "10.00", "currency": "SEK",
        "method": "card", "psp": "acme", **fields,
    }).encode()  # fmt: skip


def event(second: int, **fields: Any) -> bytes:
    moment = f"2026-05-01T12:{second // 60:02}:{second % 60:02}.000Z"
    return json.dumps({
        "type": "meter_sampled", "tenant": "paying", "station_id": "P-1", "protocol": "ocpp2.0.1",
        "timestamp": moment, "evse_id": 1, "connector_id": 1, "transaction_id": "T-1", **fields,
    }).encode()  # fmt: skip


def publish(stack: Pipeline, topic: str, *values: tuple[bytes, bytes | None]) -> None:
    producer = Producer({"bootstrap.servers": stack.broker, "acks": "all"})
    for key, value in values:
        producer.produce(topic, value, key)
    assert producer.flush(30) == 0


def bytes_of(stack: Pipeline, topic: str) -> bytes:
    """Everything in a topic: keys, values, headers."""
    found: list[Any] = []
    settings = {
        "bootstrap.servers": stack.broker, "group.id": f"test-{uuid.uuid4()}",
        "fetch.message.max.bytes": MAX_RECORD_BYTES,
    }  # fmt: skip
    with closing(Consumer(settings)) as consumer:
        numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
        while (message := consumer.poll(3.0)) is not None:
            found += [message.key() or b"", message.value() or b""]
            found += [raw for raw in dict(message.headers() or []).values() if raw]
    return b"\n".join(raw.encode() if isinstance(raw, str) else raw for raw in found)


def test_payments_are_read_linked_and_counted_once_and_bad_ones_are_set_aside(
    workaday: Pipeline,
) -> None:
    kafka = workaday.settings.kafka
    publish(
        workaday, kafka.events_topic,
        (b"paying/P-1", event(0, type="session_started", meter_start_wh=0, id_token="D-1")),
        (b"paying/P-1", event(2400, type="session_ended", meter_stop_wh=9000)),
    )  # fmt: skip
    good = payment("p-1", station_id="P-1", transaction_id="T-1", reference=f"card {PAN}")
    bad = {
        b"k1": payment("p-2", amount="-1"), b"k2": payment("p-3", currency="XYZ"),
        b"k3": payment("p-4", timestamp="2026-05-01T13:00:00"), b"k4": b"{", b"k5": None,
        b"k6": payment("p-5", kind="stolen"), b"k7": payment("p-6", psp_token=PAN),
        b"k8": payment(PAN), b"k9": payment("p-7", card_last4="41111"),
    }  # fmt: skip
    publish(workaday, kafka.payments_topic, *bad.items())
    for _ in range(3):
        publish(
            workaday, kafka.payments_topic, (b"p-1", good),
            (b"x", b"[" + payment("p-8", kind="refunded") + b"," + good + b"]"),
        )  # fmt: skip
    workaday.settle()

    assert workaday.rows(
        "SELECT payment_id, kind, amount, counted, conflict, linked, driver_key, station_id, "
        "reference, flags FROM mart.payments WHERE tenant = 'paying' ORDER BY 1"
    ) == [
        ("p-1", "captured", 10, 1, 0, "transaction", "D-1", "P-1", f"card {HIDDEN}",
         ["card_masked"]),
        ("p-8", "refunded", 10, 1, 0, "", "", "", "", []),
    ]  # fmt: skip
    letters = workaday.rows(
        "SELECT kafka_key, reason, field FROM mart.dead_letters WHERE kafka_topic = {t:String} "
        "ORDER BY 1", t=kafka.payments_topic,
    )  # fmt: skip
    assert letters == [
        ("k1", "invalid_field", "amount"), ("k2", "invalid_field", "currency"),
        ("k3", "naive_timestamp", "timestamp"), ("k4", "not_json", ""), ("k5", "empty", ""),
        ("k6", "invalid_field", "kind"), ("k7", "card_number", "psp_token"),
        ("k8", "card_number", "payment_id"), ("k9", "invalid_field", "card_last4"),
    ]  # fmt: skip
    stored = workaday.rows("SELECT * FROM mart.dead_letters")
    assert PAN not in repr(stored)
    assert PAN.encode() not in bytes_of(workaday, kafka.dead_letter_topic)


def test_a_card_number_that_a_charger_sends_is_stored_nowhere(workaday: Pipeline) -> None:
    topic = workaday.settings.kafka.events_topic
    escaped = event(3, other={"Note": "NUMBER"}).replace(
        b"NUMBER", rb"\u0034111 1111-1111\u00a01111"
    )
    publish(
        workaday, topic,
        (b"paying/P-2", event(0, type="session_started", station_id="P-2", id_token=PAN)),
        (b"paying/P-2", event(1, type="station_status", station_id="P-2", status="Faulted",
                              info="paid with 4111-1111-1111-1111")),
        (b"paying/P-2", event(2, type="authorization", station_id="P-2", id_token=PAN)),
        (b"paying/P-2", escaped.replace(b"P-1", b"P-2")),
        (b"paying/P-2", event(60, type="session_ended", station_id="P-2", id_token=PAN)),
        (b"paying/P-3", event(0, type="session_started", station_id="P-3", transaction_id=PAN)),
        (PAN.encode(), b'{"type":"session_started","x":"' + PAN.encode() + b'"}'),
        (b"\xff", PAN.encode("utf-16")),
    )  # fmt: skip
    workaday.settle()

    drivers = workaday.rows("SELECT driver_key FROM mart.sessions WHERE station_id = 'P-2'")
    assert drivers == [(HIDDEN,)]
    events = workaday.rows("SELECT * FROM mart.events WHERE tenant = 'paying'")
    assert len([row for row in events if "P-2" in row]) == 5
    flagged = workaday.rows("SELECT count() FROM mart.events WHERE flags LIKE '%card_masked%'")
    assert flagged == [(6,)]
    for view in ("events", "sessions", "dead_letters", "status_events", "payments"):
        text = repr(workaday.rows(f"SELECT * FROM mart.{view}"))
        assert PAN not in text.replace(" ", "").replace("-", "").replace("\\xa0", ""), view
    dead = bytes_of(workaday, workaday.settings.kafka.dead_letter_topic)
    assert PAN.encode() not in dead.replace(b"\0", b"")


def test_a_settlement_file_is_imported_twice_and_counted_once(
    workaday: Pipeline, tmp_path: Path
) -> None:
    file = tmp_path / "balance.csv"
    file.write_text(
        "balance_transaction_id,created_utc,currency,gross,fee,reporting_category,description,"
        "automatic_payout_id,charge_id,payment_method_type,card_brand\n"
        "txn_1,2026-06-01 10:00:00,sek,100.00,2.50,charge,Charging,po_1,ch_1,card,visa\n"
        f"txn_2,2026-06-02 10:00:00,sek,-40.00,0,refund,to {PAN},po_1,ch_1,card,visa\n"
        "txn_3,2026-06-03 10:00:00,sek,-60.00,0,payout,STRIPE PAYOUT,po_1,,,\n"
        "txn_4,never,sek,5.00,0,charge,x,po_1,ch_2,card,visa\n"
    )
    for _ in range(2):
        said = workaday.ask_json(
            "import", file, "--format", "payments", "--mapping", "psp_balance",
            "--tenant", "settling", code=1,
        )  # fmt: skip
        assert (said["rows"], said["payments"], said["acknowledged"], said["masked"]) == (
            4, 2, 2, 1,
        )  # fmt: skip
        assert [(row["line"], row["column"]) for row in said["rejected"]] == [(5, "created_utc")]
    workaday.settle()
    assert workaday.rows(
        "SELECT kind, amount, fee_amount, settlement_id, description, psp FROM mart.payments "
        "WHERE tenant = 'settling' ORDER BY at"
    ) == [
        ("captured", 100, Decimal("2.5"), "po_1", "Charging", "stripe"),
        ("refunded", 40, 0, "po_1", f"to {HIDDEN}", "stripe"),
    ]
    (row,) = workaday.ask_json("report", "payments", "--tenant", "settling", "--by", "method")
    assert (row["method"], row["net_incl_vat"], row["fee_incl_vat"]) == ("card", 60, 2.5)
    (row,) = workaday.ask_json("report", "reconciliation", "--tenant", "settling")
    assert (row["reason"], row["difference_incl_vat"]) == ("paid_without_session", 60)
    assert workaday.ask_json("report", "unpaid", "--tenant", "settling") == []
