"""Logs of OCPP-J frames (JSON lines) to events: every line with exactly one outcome.

A line is an object with `station`, `frame` (the array) or `raw` (its text as some tool
logged it), and optional `dir` (`cp->csms`, `csms->cp`), `received_at` or `received_local` with
`server_tz`. See docs/ocpp.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from producers.ocpp import (
    Context,
    Direction,
    Flag,
    Frame,
    Held,
    Ignored,
    Published,
    Settled,
    StationState,
    fold,
    frame_in,
    parse_json,
    release,
)
from producers.ocpp.fields import MAX_ID, clean, int_of, text_of
from producers.ocpp.receipt import received_ms, zone_of
from schemas.errors import Reason, Rejection, UserError
from schemas.events import Protocol
from schemas.topics import MAX_RECORD_BYTES
from schemas.wire import AnyEvent

MAX_ASKERS = 100_000
"""Message ids remembered for answers that are filed under another name."""


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """What became of one line: events, or a reason to ignore it, or what is wrong with it.

    `line` counts from 1, `raw` are its untouched bytes without the line end. Exactly one of
    `events`, `ignored`, `rejected` says something.
    """

    line: int
    raw: bytes
    station: str | None = None
    events: tuple[AnyEvent, ...] = ()
    ignored: str = ""
    rejected: Rejection | None = None


@dataclass(slots=True)
class Summary:
    """Counts over a log: `frames` = `frames_with_events` + ignored + rejected, always."""

    frames: int = 0
    frames_with_events: int = 0
    events: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: LineOutcome) -> None:
        """Count one line."""
        self.frames += 1
        if outcome.rejected is not None:
            self.rejected[outcome.rejected.reason.value] += 1
        elif outcome.ignored:
            self.ignored[outcome.ignored] += 1
        else:
            self.frames_with_events += 1
            self.events += len(outcome.events)


def read_ocpp_log(  # keywords that a caller names
    lines: Iterable[bytes | str],
    *,
    tenant: str,
    gateway: str | None = None,
    station_zones: Mapping[str, tzinfo | str] | None = None,
    dialect: Protocol | str | None = None,
    default_station: str | None = None,
) -> Iterator[LineOutcome]:
    """Translate a log line by line; a line that waits for its answer comes out with the answer.

    `station_zones` names the zone of stations whose times say none, `dialect` the subprotocol
    where it is known, `default_station` the station of lines that name none (they are
    rejected without it). Blank lines are skipped. Raises UserError for a zone or dialect that
    does not exist, nothing for what is in the lines.
    """
    reader = _Reader(
        tenant,
        gateway,
        {name: _known_zone(zone) for name, zone in (station_zones or {}).items()},
        _known_dialect(dialect),
        default_station,
    )
    for number, line in enumerate(lines, start=1):
        raw = _bytes(line).rstrip(b"\r\n")
        if raw.strip():
            yield from reader.take(number, raw)
    yield from reader.finish()


def _bytes(line: bytes | str) -> bytes:
    """The bytes of a line: those it was read from, where `surrogateescape` kept them."""
    if isinstance(line, bytes):
        return line
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogatepass")


def _known_zone(zone: tzinfo | str) -> tzinfo:
    found = zone if isinstance(zone, tzinfo) else zone_of(zone)
    if found is None:
        raise UserError(f"There is no time zone {zone!r}; name one like Europe/Zurich or +01:00.")
    return found


def _known_dialect(dialect: Protocol | str | None) -> Protocol | None:
    try:
        found = None if dialect is None else Protocol(dialect)
    except ValueError:
        found = Protocol.IMPORT
    if found is Protocol.IMPORT:
        raise UserError(f"There is no dialect {dialect!r}; use ocpp1.6, ocpp2.0.1 or ocpp2.1.")
    return found


@dataclass(slots=True)
class _Reader:
    """The states of a log's stations, and the lines that wait."""

    tenant: str
    gateway: str | None
    zones: Mapping[str, tzinfo]
    dialect: Protocol | None
    default_station: str | None
    states: dict[str, StationState] = field(default_factory=dict)
    held: dict[int, LineOutcome] = field(default_factory=dict)
    askers: dict[str, set[str]] = field(default_factory=dict)

    def take(self, number: int, raw: bytes) -> Iterator[LineOutcome]:
        """The outcome of this line, unless it waits, and of lines that it settles."""
        line = _line(raw)
        if isinstance(line, Rejection):
            yield LineOutcome(number, raw, rejected=line)
            return
        station = _station(line, self.default_station)
        if isinstance(station, Rejection):
            yield LineOutcome(number, raw, rejected=station)
            return
        frame = _frame(line, number)
        if isinstance(frame, Rejection):
            yield LineOutcome(number, raw, station, rejected=frame)
            return
        station = self._asker(station, frame)
        context = Context(self.tenant, station, self.gateway, self.zones.get(station), self.dialect)
        state, outcome = fold(self.states.get(station, StationState()), frame, context)
        self._remember(station, state, frame)
        yield from self._settled(outcome.settled)
        verdict = outcome.verdict
        if isinstance(verdict, Held):
            self.held[number] = LineOutcome(number, raw, station)
        elif isinstance(verdict, Published):
            yield LineOutcome(number, raw, station, events=verdict.events)
        elif isinstance(verdict, Ignored):
            yield LineOutcome(number, raw, station, ignored=verdict.reason)
        else:
            yield LineOutcome(number, raw, station, rejected=verdict)

    def finish(self) -> Iterator[LineOutcome]:
        """The outcomes of the lines that still wait at the end of the log."""
        for state in self.states.values():
            yield from self._settled(release(state)[1])

    def _settled(self, settled: Iterable[Settled]) -> Iterator[LineOutcome]:
        for each in settled:
            line = self.held.pop(each.ref)
            yield LineOutcome(line.line, line.raw, line.station, events=each.events)

    def _asker(self, station: str, frame: Frame) -> str:
        """The station an answer belongs to.

        Some logs file answers under the central system's own name: such a name asks nothing
        itself, and exactly one station waits under that message id.
        """
        message_id = _message_id(frame, {3, 4})
        if message_id is None:
            return station
        known = self.states.get(station)
        askers = self.askers.pop(message_id, set())
        if known is not None and (message_id in known.calls or known.connectors):
            return station
        waiting = [each for each in askers if message_id in self.states[each].calls]
        return waiting[0] if len(waiting) == 1 else station

    def _remember(self, station: str, state: StationState, frame: Frame) -> None:
        self.states[station] = state
        message_id = _message_id(frame, {2, 6})
        if message_id is not None and message_id in state.calls:
            self.askers.setdefault(message_id, set()).add(station)
            if len(self.askers) > MAX_ASKERS:
                self.askers.pop(next(iter(self.askers)))


def _message_id(frame: Frame, kinds: set[int]) -> str | None:
    message = frame.message
    if isinstance(message, list) and len(message) > 1 and int_of(message[0]) in kinds:
        return text_of(message[1], MAX_ID)
    return None


def _line(raw: bytes) -> dict[str, object] | Rejection:
    if len(raw) > MAX_RECORD_BYTES:
        return Rejection(Reason.TOO_LARGE, f"a line of {len(raw)} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Rejection(Reason.NOT_JSON, f"no UTF-8: byte {error.start} of the line")
    value = parse_json(text)
    if isinstance(value, Rejection | dict):
        return value
    return Rejection(Reason.NOT_AN_EVENT, "the line is no JSON object")


def _station(line: Mapping[str, object], default: str | None) -> str | Rejection:
    station = line.get("station")
    if station is None and default is not None:
        return default
    if not isinstance(station, str) or not station.strip():
        return Rejection(Reason.INVALID_FIELD, "the line names no station", "station")
    if len(station) > MAX_ID or clean(station) != station:
        detail = f"a station has at most {MAX_ID} characters, no control characters among them"
        return Rejection(Reason.INVALID_FIELD, detail, "station")
    return station


def _frame(line: Mapping[str, object], number: int) -> Frame | Rejection:
    message, noise = line.get("frame"), False
    if message is None:
        message = line.get("raw")
    if message is None:
        return Rejection(Reason.INVALID_FRAME, "the line has neither frame nor raw", "frame")
    if isinstance(message, str):
        message, noise = frame_in(message)
    if isinstance(message, Rejection):
        return message
    flags = (Flag.LOG_NOISE.value,) if noise else ()
    return Frame(message, number, _direction(line.get("dir")), received_ms(line), flags)


def _direction(value: object) -> Direction | None:
    text = value.lower().replace(" ", "") if isinstance(value, str) else ""
    return next((each for each in Direction if each == text), None)
