"""Frames of imaginary chargers, and the log reader run over them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from producers.ocpp_log import LineOutcome, read_ocpp_log
from schemas.events import EVENT_ADAPTER
from schemas.wire import AnyEvent, encode

T0 = "2026-03-01T12:00:00Z"


def line(frame: object, station: str = "CP1", **more: Any) -> str:
    return json.dumps({"station": station, "frame": frame, **more})


def call(action: str, payload: object, message_id: str = "m1") -> list[object]:
    return [2, message_id, action, payload]


def start(message_id: str = "s1", **changes: Any) -> list[object]:
    payload = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": T0}
    return call("StartTransaction", payload | changes, message_id)


def started(
    transaction_id: object = 7, message_id: str = "s1", status: str = "Accepted"
) -> list[object]:
    return [3, message_id, {"transactionId": transaction_id, "idTagInfo": {"status": status}}]


def stop(transaction_id: object = 7, message_id: str = "e1", **changes: Any) -> list[object]:
    payload = {
        "transactionId": transaction_id,
        "meterStop": 6000,
        "timestamp": "2026-03-01T13:00:00Z",
    }
    return call("StopTransaction", payload | changes, message_id)


def status(value: str, at: str | None = "2026-03-01T12:10:00Z", connector: int = 1) -> list[object]:
    payload: dict[str, object] = {"connectorId": connector, "errorCode": "NoError", "status": value}
    if at is not None:
        payload["timestamp"] = at
    return call("StatusNotification", payload, f"n-{value}")


def meter(*sampled: Mapping[str, object], **changes: Any) -> list[object]:
    payload = {
        "connectorId": 1,
        "transactionId": 7,
        "meterValue": [{"timestamp": "2026-03-01T12:15:00Z", "sampledValue": list(sampled)}],
    }
    return call("MeterValues", payload | changes)


def transaction(
    event_type: str, seq: int = 0, *, info: Mapping[str, object] | None = None, **changes: Any
) -> list[object]:
    payload: dict[str, object] = {
        "eventType": event_type,
        "timestamp": f"2026-03-01T12:{seq:02d}:00Z",
        "triggerReason": "Authorized",
        "seqNo": seq,
        "transactionInfo": {"transactionId": "tx-1", **(info or {})},
    }
    return call("TransactionEvent", payload | changes, f"t{seq}")


def value_2x(value: object, at: str = "2026-03-01T12:00:00Z", **more: object) -> dict[str, object]:
    return {"timestamp": at, "sampledValue": [{"value": value, **more}]}


def read(lines: Iterable[str | bytes], **options: Any) -> list[LineOutcome]:
    """The outcomes in order of their lines; every event is also read as the contract."""
    found = sorted(read_ocpp_log(lines, tenant="acme", **options), key=lambda each: each.line)
    for each in found:
        for event in each.events:
            EVENT_ADAPTER.validate_json(encode(event))
        told = (bool(each.events), bool(each.ignored), each.rejected is not None)
        assert told.count(True) == 1
    return found


def read_frames(*frames: object, **more: Any) -> list[LineOutcome]:
    return read([line(frame, **more) for frame in frames])


def events(*frames: object, **more: Any) -> list[Any]:
    return [event for outcome in read_frames(*frames, **more) for event in outcome.events]


def one(*frames: object, **more: Any) -> Any:
    found = events(*frames, **more)
    assert len(found) == 1
    return found[0]


def content(event: AnyEvent) -> dict[str, Any]:
    """What an event says, less how it travelled and what was noticed."""
    told: dict[str, Any] = msgspec.to_builtins(event)
    for name in ("message_id", "received_at", "gateway", "flags"):
        told.pop(name, None)
    return told
