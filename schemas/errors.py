"""Every error a person can meet, split by what the caller does next.

    LaddstreamError
    ├── UserError            wrong use or bad input: tell the person, exit code 2
    │   └── MappingError     a mapping file that does not describe its data
    ├── UnavailableError     a service that does not answer: retry, exit code 3
    └── DefectError          the state on disk or in a table contradicts itself, exit code 1

Bad *data* (a frame, a row, an event) is never an exception: it is a value, see
`Rejection` here and `schemas.records.DeadLetterRecord`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LaddstreamError(Exception):
    """Base of all errors of ours; the text is one sentence and what to do next."""

    exit_code = 1


class UserError(LaddstreamError):
    """Wrong use or bad input."""

    exit_code = 2


class MappingError(UserError):
    """A mapping file names something that does not exist or makes no sense."""


class UnavailableError(LaddstreamError):
    """Kafka or ClickHouse cannot be reached."""

    exit_code = 3


class DefectError(LaddstreamError):
    """Stored state contradicts itself."""


class Reason(StrEnum):
    """Why a value became a dead letter; the closed list is part of the contract."""

    NOT_JSON = "not_json"
    """Bytes that are not UTF-8 JSON: corruption, truncation, NaN, nesting bombs."""

    NOT_AN_EVENT = "not_an_event"
    """JSON, but neither an object nor an array of objects."""

    UNKNOWN_TYPE = "unknown_type"
    """The `type` is missing or not one of the contract."""

    INVALID_FIELD = "invalid_field"
    """A required field is missing, or a field has the wrong type or an impossible value."""

    NAIVE_TIMESTAMP = "naive_timestamp"
    """A time without zone: nobody can know which instant is meant."""

    TOO_LARGE = "too_large"
    """Bigger than `schemas.topics.MAX_EVENT_BYTES`."""

    EMPTY = "empty"
    """A Kafka record without value."""

    INVALID_FRAME = "invalid_frame"
    """An OCPP-J frame that is no array of the right shape."""

    INVALID_PAYLOAD = "invalid_payload"
    """An OCPP payload that lacks what its message needs."""

    CARD_NUMBER = "card_number"
    """A field of a payment that must not hold a card number looks like one."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """What is wrong with one piece of input: a value, not an exception.

    `field` is a path such as `readings[3].value`, or empty where the whole is meant.
    """

    reason: Reason
    detail: str
    field: str = ""
