"""The AsyncAPI 3.0 description of what runs over Kafka, made from the topic table and the events.

It is written from the worker's side: `receive` is what the worker reads, `send` what it writes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from schemas.events import EVENT_TYPES, EventBase
from schemas.payments import PaymentRecorded
from schemas.topics import DEAD_LETTERS, DLQ_HEADERS, EVENTS, PAYMENTS, SESSIONS, TOPICS, Topic

_KAFKA = {"bindingVersion": "0.5.0"}
_PLAIN = re.compile(r"[A-Za-z_$/](?:[\w$ ./()=-]*[\w$./()=-])?\Z")
_KEYWORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def tag_of(model: type[EventBase]) -> str:
    """The tag of an event type, as its `type` field says it."""
    return str(model.model_fields["type"].default)


def document() -> dict[str, Any]:
    """The whole description as plain data."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:laddstream",
        "info": {
            "title": "laddstream",
            "version": "1.0.0",
            "description": "Charger events and payments in; sessions and dead letters out.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "127.0.0.1:{port}",
                "protocol": "kafka",
                "description": "The embedded broker, or any Apache Kafka.",
                "variables": {"port": {"default": "9092"}},
            }
        },
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {
            "readEvents": _operation("receive", EVENTS),
            "expireSessions": _operation("send", EVENTS, ("session_expired",)),
            "readPayments": _operation("receive", PAYMENTS),
            "setAside": _operation("send", DEAD_LETTERS),
            "publishSessions": _operation("send", SESSIONS),
        },
        "components": {"messages": _messages()},
    }


def _message_names(topic: Topic) -> list[str]:
    carried = {
        EVENTS: [*map(tag_of, EVENT_TYPES), "event_batch"],
        PAYMENTS: ["payment_recorded", "payment_batch"],
        DEAD_LETTERS: ["dead_letter"],
        SESSIONS: ["session"],
    }
    return carried[topic]


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"{topic.description} Value: {topic.value}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in _message_names(topic)
        },
        "bindings": {"kafka": {"topic": topic.name, "partitions": topic.partitions} | _KAFKA},
    }


def _operation(action: str, topic: Topic, names: tuple[str, ...] = ()) -> dict[str, Any]:
    channel = f"#/channels/{topic.name}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [
            {"$ref": f"{channel}/messages/{name}"} for name in names or _message_names(topic)
        ],
    }


def _messages() -> dict[str, Any]:
    events = {
        tag_of(model): _message(
            EVENTS,
            str(model.__doc__).split("\n\n")[0],
            {"$ref": f"./json/events/{tag_of(model)}.json"},
            examples=_examples(f"examples/{tag_of(model)}"),
        )
        for model in EVENT_TYPES
    }
    batch = {"type": "array", "items": {"$ref": "./json/event.json"}}
    headers = {
        "type": "object",
        "required": list(DLQ_HEADERS),
        "properties": {
            name: {"type": "string", "description": text} for name, text in DLQ_HEADERS.items()
        },
    }
    return events | {
        "event_batch": _message(EVENTS, "A gateway's batch: a JSON array of events.", batch),
        "payment_recorded": _message(
            PAYMENTS,
            str(PaymentRecorded.__doc__).split("\n\n")[0],
            {"$ref": "./json/payment.json"},
            examples=_examples("payment_examples"),
        ),
        "payment_batch": _message(
            PAYMENTS,
            "Several payments: a JSON array of them.",
            {"type": "array", "items": {"$ref": "./json/payment.json"}},
        ),
        "dead_letter": _message(
            DEAD_LETTERS,
            "The bytes as they came, whatever they are; card numbers are starred.",
            {"type": "string", "format": "binary"},
            contentType="application/octet-stream",
            headers=headers,
        ),
        "session": _message(
            SESSIONS, "One version of a closed session.", {"$ref": "./json/records/sessions.json"}
        ),
    }


def _examples(folder: str) -> list[dict[str, Any]]:
    """The examples in a folder, as a message names them."""
    paths = sorted((Path(__file__).parent / folder).glob("*.json"))
    return [{"name": p.stem, "payload": json.loads(p.read_text("utf-8"))} for p in paths]


def _message(topic: Topic, summary: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    key = {"type": "string", "description": topic.key}
    return {
        "summary": " ".join(summary.split()),
        "payload": payload,
        "bindings": {"kafka": {"key": key} | _KAFKA},
    } | more


def to_yaml(value: Any) -> str:  # noqa: ANN401
    """Plain data (dicts, lists, scalars) as block-style YAML 1.2, keys in order."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> list[str]:  # noqa: ANN401
    """A mapping or a list, one line an entry, children indented by two."""
    out = []
    entries = value.items() if isinstance(value, dict) else [(None, item) for item in value]
    for key, item in entries:
        lead = "-" if key is None else f"{_scalar(key)}:"
        if not isinstance(item, dict | list) or not item:
            out.append(f"{lead} {_scalar(item)}")
        elif key is None:
            first, *rest = _lines(item)
            out += [f"- {first}", *(f"  {line}" for line in rest)]
        else:
            out += [lead, *(f"  {line}" for line in _lines(item))]
    return out


def _scalar(value: Any) -> str:  # noqa: ANN401
    """A scalar: bare where no parser can misread it, else as JSON, which is YAML."""
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _KEYWORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
