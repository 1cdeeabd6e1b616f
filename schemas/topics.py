"""The topic table: which topic carries what, keyed how, and how big a value may be."""

from __future__ import annotations

from dataclasses import dataclass

MAX_EVENT_BYTES = 1_000_000
"""A larger value is a dead letter (`too_large`), whatever it holds."""

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Topic limit: well above `MAX_EVENT_BYTES`, so that an oversized value can be set aside."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One Kafka topic of the contract."""

    name: str
    key: str
    value: str
    description: str
    partitions: int = 8


EVENTS = Topic(
    "charging.events",
    "tenant/station_id",
    "one event, or a JSON array of events",
    "What chargers say. All of a station is in order in one partition.",
)
PAYMENTS = Topic(
    "charging.payments",
    "session_id, else payment_id",
    "one payment event, or a JSON array of them",
    "Money that was authorised, captured, refunded or refused.",
)
DEAD_LETTERS = Topic(
    "charging.events.dlq",
    "key of the source record",
    "the bytes as they came, card numbers starred",
    "What could not be read, with headers that say why and where from.",
)
SESSIONS = Topic(
    "charging.sessions", "session_id", "one session", "Optional: every version of a closed session."
)

TOPICS: tuple[Topic, ...] = (EVENTS, PAYMENTS, DEAD_LETTERS, SESSIONS)

DLQ_HEADERS: dict[str, str] = {
    "reason": "one of schemas.errors.Reason",
    "detail": "one sentence, UTF-8",
    "field": "path of the field at fault, may be empty",
    "source_topic": "topic of the source record",
    "source_partition": "partition, decimal text",
    "source_offset": "offset, decimal text",
    "source_index": "position inside a JSON array, -1 for a whole record",
    "masked": "how many card numbers were starred, 0: the bytes are untouched",
}


def event_key(tenant: str, station_id: str) -> bytes:
    """Kafka key of `charging.events`: keeps all of a station in one partition."""
    return f"{tenant}/{station_id}".encode()


def payment_key(session_id: str | None, payment_id: str) -> bytes:
    """Kafka key of `charging.payments`: the session's, where the payment knows one."""
    return (session_id or payment_id).encode()
