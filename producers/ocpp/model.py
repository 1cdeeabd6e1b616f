"""The nouns of the translation: a frame, what is known of its station, what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum

from schemas.errors import Rejection
from schemas.events import Protocol
from schemas.wire import AnyEvent, Authorization, SessionStarted


class Flag(StrEnum):
    """What the translation noticed or repaired; `docs/ocpp.md` says it in a table."""

    SCHEMA_DEVIATION = "schema_deviation"
    LOG_NOISE = "log_noise"
    TIMESTAMP_NAIVE = "timestamp_naive"
    TIMESTAMP_RECEIVED = "timestamp_received"
    TIMESTAMP_UNREADABLE = "timestamp_unreadable"
    CLOCK_BAD = "clock_bad"
    CLOCK_CORRECTED = "clock_corrected"
    CLOCK_AHEAD = "clock_ahead"
    ENTRY_UNREADABLE = "entry_unreadable"
    READING_UNREADABLE = "reading_unreadable"
    READING_CONFLICT = "reading_conflict"
    READINGS_CUT = "readings_cut"
    UNIT_UNKNOWN = "unit_unknown"
    START_CONCURRENT_TX = "start_concurrent_tx"
    START_BLOCKED = "start_blocked"
    START_INVALID = "start_invalid"
    START_EXPIRED = "start_expired"
    START_NOT_ACCEPTED = "start_not_accepted"
    START_ERROR = "start_error"
    START_UNANSWERED = "start_unanswered"
    START_ANSWERED_LATE = "start_answered_late"
    CONNECTOR_INFERRED = "connector_inferred"
    TRANSACTION_INFERRED = "transaction_inferred"


Flags = tuple[str, ...]


class Direction(StrEnum):
    """Who sent a frame, where the log says so."""

    FROM_STATION = "cp->csms"
    TO_STATION = "csms->cp"


@dataclass(frozen=True, slots=True)
class Frame:
    """One OCPP-J message: the decoded array, decimals exact (`producers.ocpp.text`).

    `ref` is the caller's own name for it, such as a line number; a frame that has to wait
    for its answer is settled later under this name. `received_ms`: UTC epoch milliseconds.
    """

    message: object
    ref: int = 0
    direction: Direction | None = None
    received_ms: int | None = None
    flags: Flags = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What does not change from frame to frame of a station.

    `zone` overrides UTC for times that say no zone; `dialect` is the negotiated subprotocol,
    where known: it decides between 2.0.1 and 2.1, which most payloads cannot.
    """

    tenant: str
    station_id: str
    gateway: str | None = None
    zone: tzinfo | None = None
    dialect: Protocol | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """What a boot epoch has shown of the station's clock (`producers.ocpp.clock`)."""

    offset_ms: int = 0
    told_ms: int | None = None
    fresh: bool = False
    suspect: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A frame whose event waits for the answer of the central system."""

    ref: int
    event: SessionStarted | Authorization


@dataclass(frozen=True, slots=True)
class Call:
    """A request of the station that an answer may complete; `at` counts frames.

    Without `waiting` the events are out already and `last` is what a late answer completes.
    """

    action: str
    at: int
    waiting: tuple[Waiting, ...] = ()
    last: SessionStarted | None = None


@dataclass(frozen=True, slots=True)
class Transaction16:
    """The newest 1.6 transaction of a connector; `stop` is (id, time, register) once ended.

    `inferred`: the id was learned from the stop, no answer told it. `sampled`: the id and
    time of the newest meter values of the connector while no id is known.
    """

    start: SessionStarted
    transaction_id: str | None = None
    stop: tuple[object, ...] | None = None
    inferred: bool = False
    sampled: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Transaction2x:
    """What a 2.x transaction said once and need not say again, with the seqNo that said it."""

    evse: tuple[int, int | None, int | None] | None = None
    id_token: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class StationState:
    """All that is remembered of one station between frames; small, bounded, never edited."""

    frames: int = 0
    clock: Clock = Clock()
    calls: Mapping[str, Call] = field(default_factory=dict)
    connectors: Mapping[int | None, Transaction16] = field(default_factory=dict)
    transactions: Mapping[str, Transaction2x] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """The frame became these events, one at least."""

    events: tuple[AnyEvent, ...]


@dataclass(frozen=True, slots=True)
class Ignored:
    """The frame is fine and says nothing that travels; `reason` names what it is."""

    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """The frame waits for its answer and will be settled by a later one, or by `release`."""


Verdict = Published | Ignored | Held | Rejection


@dataclass(frozen=True, slots=True)
class Settled:
    """Events of an earlier frame that was held."""

    ref: int
    events: tuple[AnyEvent, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of this frame, and which held ones it settled."""

    verdict: Verdict
    settled: tuple[Settled, ...] = ()


Step = tuple[StationState, Outcome]
