"""The fold: one frame of a station at a time, pure, every frame with exactly one outcome.

    state = StationState()
    state, outcome = fold(state, Frame(message, ref=7), Context("acme", "CP1"))
    …
    settled = release(state)      # at the end of a log: whatever still waits

`outcome.verdict` is what became of this frame (`Published`, `Ignored`, `Rejection`, or `Held`
until a later frame settles it); `outcome.settled` are earlier frames, by their `ref`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from msgspec.structs import replace as replace_struct

from producers.ocpp import v2x, v16, waiting, words
from producers.ocpp.clock import main_time, observe, parse_time
from producers.ocpp.fields import clean, int_of, object_of, text_of, transaction_text
from producers.ocpp.message import Message
from producers.ocpp.model import (
    Call,
    Clock,
    Context,
    Direction,
    Flag,
    Frame,
    Ignored,
    Outcome,
    Published,
    Settled,
    StationState,
    Step,
)
from producers.ocpp.shapes import conforms, dialect_of
from schemas.errors import Reason, Rejection
from schemas.events import Protocol
from schemas.wire import Authorization, SessionStarted

Handler = Callable[[StationState, Message], Step]

CALL, RESULT, ERROR, RESULT_ERROR, SEND = 2, 3, 4, 5, 6

_SHARED: Mapping[str, Handler] = {"Authorize": v16.authorize}
_HANDLERS_16: Mapping[str, Handler] = {
    "StartTransaction": v16.start_transaction,
    "StopTransaction": v16.stop_transaction,
    "MeterValues": v16.meter_values,
    "StatusNotification": v16.status_notification,
    **_SHARED,
}
_HANDLERS_2X: Mapping[str, Handler] = {
    "TransactionEvent": v2x.transaction_event,
    "MeterValues": v2x.meter_values,
    "StatusNotification": v2x.status_notification,
    **_SHARED,
}
ACTIONS = frozenset({*_HANDLERS_16, *_HANDLERS_2X})
"""The requests that become events."""

_COMMANDS = frozenset(words.COMMANDS.split())
_START_FLAGS = {
    "Accepted": (),
    "ConcurrentTx": (Flag.START_CONCURRENT_TX.value,),
    "Blocked": (Flag.START_BLOCKED.value,),
    "Invalid": (Flag.START_INVALID.value,),
    "Expired": (Flag.START_EXPIRED.value,),
}


def fold(state: StationState, frame: Frame, context: Context) -> Step:
    """Take one frame: the new state, what became of the frame, and what it settled."""
    state, expired = waiting.expire(replace(state, frames=state.frames + 1))
    state, outcome = _take(state, frame, context)
    if expired:
        outcome = replace(outcome, settled=expired + outcome.settled)
    return state, outcome


def release(state: StationState) -> tuple[StationState, tuple[Settled, ...]]:
    """Settle everything that still waits: the log has ended, or the gateway gives up."""
    return waiting.give_up(state, lambda _key, _call: True)


def _take(state: StationState, frame: Frame, context: Context) -> Step:
    message = frame.message if isinstance(frame.message, list) else []
    kind = int_of(message[0]) if message else None
    message_id = text_of(message[1], 255) if len(message) > 1 else None
    if kind not in {CALL, RESULT, ERROR, RESULT_ERROR, SEND}:
        return state, _invalid("is no array that starts with a message type of OCPP-J", "[0]")
    if message_id is None:
        return state, _invalid("has no message id", "[1]")
    if kind in {CALL, SEND}:
        return _request(state, message, message_id, frame, context)
    if frame.direction is Direction.FROM_STATION:
        return state, Outcome(Ignored("answer of the station"))
    if kind == RESULT:
        return _answer(state, message_id, message[2] if len(message) > 2 else None)
    return _error(state, message_id)


def _invalid(what: str, field: str = "") -> Outcome:
    return Outcome(Rejection(Reason.INVALID_FRAME, f"the OCPP-J frame {what}", f"frame{field}"))


def _request(
    state: StationState, message: list[object], message_id: str, frame: Frame, context: Context
) -> Step:
    action = message[2] if len(message) > 2 else None
    if not isinstance(action, str) or not action.strip():
        return state, _invalid("names no action", "[2]")
    action = clean(action.strip(), 40)
    payload = message[3] if len(message) > 3 else None
    if payload is None or payload == []:
        payload = {}
    if not isinstance(payload, dict):
        return state, _invalid("has a payload that is no object", "[3]")
    if action == "BootNotification":
        state, settled = waiting.ask(state, message_id, Call(action, state.frames))
        return replace(state, clock=Clock(fresh=True)), Outcome(Ignored(action), settled)
    if action in ACTIONS:
        return _translate(state, action, message_id, payload, frame, context)
    if action in _COMMANDS or frame.direction is Direction.TO_STATION:
        return state, Outcome(Ignored(f"command {action}"))
    return state, Outcome(Ignored(action))


def _translate(
    state: StationState,
    action: str,
    message_id: str,
    payload: dict[str, object],
    frame: Frame,
    context: Context,
) -> Step:
    protocol = dialect_of(action, payload, context.dialect)
    clock = observe(
        state.clock,
        main_time(payload, context.zone),
        frame.received_ms,
        live=action == "StatusNotification",
    )
    whole = isinstance(frame.message, list) and len(frame.message) == 4
    fits = whole and conforms(protocol, action, payload)
    flags = frame.flags if fits else (*frame.flags, Flag.SCHEMA_DEVIATION.value)
    handlers = _HANDLERS_16 if protocol is Protocol.OCPP16 else _HANDLERS_2X
    message = Message(action, message_id, payload, protocol, frame, context, clock, flags)
    return handlers[action](replace(state, clock=clock), message)


def _answer(state: StationState, message_id: str, answer: object) -> Step:
    call = state.calls.get(message_id)
    payload = object_of(answer)
    if call is None:
        return state, Outcome(Ignored("answer that nothing waits for"))
    verdict = Outcome(Ignored(f"answer to {call.action}"))
    if call.action == "BootNotification":
        told = parse_time(payload.get("currentTime"))
        clock = replace(state.clock, told_ms=None if told is None else told[0])
        calls = waiting.without(state.calls, message_id)
        return replace(state, clock=clock, calls=calls), verdict
    about = object_of(payload.get("idTagInfo")) or object_of(payload.get("idTokenInfo"))
    status = text_of(about.get("status"))
    if call.action == "StartTransaction":
        transaction_id = transaction_text(payload.get("transactionId"))
        if transaction_id is None and status is None:
            return state, Outcome(Ignored("answer that does not fit its StartTransaction"))
        return _answer_start(state, message_id, transaction_id, status)
    if not call.waiting:
        return replace(state, calls=waiting.without(state.calls, message_id)), verdict

    def told_status(event: waiting.Event) -> waiting.Event:
        return replace_struct(event, status=status) if isinstance(event, Authorization) else event

    state, settled = waiting.complete(state, message_id, told_status)
    return state, replace(verdict, settled=settled)


def _answer_start(
    state: StationState, message_id: str, transaction_id: str | None, status: str | None
) -> Step:
    flags = _START_FLAGS.get(status or "Accepted", (Flag.START_NOT_ACCEPTED.value,))
    call = state.calls[message_id]
    verdict = Ignored(f"answer to {call.action}")

    def told_id(event: waiting.Event) -> waiting.Event:
        kept = tuple(flag for flag in event.flags if flag != Flag.START_UNANSWERED)
        return replace_struct(event, transaction_id=transaction_id, flags=kept + flags)

    if call.waiting:
        first = call.waiting[0].event
        state, settled = waiting.complete(state, message_id, told_id)
        return waiting.learn_id(state, first, transaction_id), Outcome(verdict, settled)
    state = replace(state, calls=waiting.without(state.calls, message_id))
    last = call.last
    if last is None or transaction_id is None or last.transaction_id == transaction_id:
        return state, Outcome(verdict)
    event = told_id(last)
    late = replace_struct(event, flags=(*event.flags, Flag.START_ANSWERED_LATE.value))
    return waiting.learn_id(state, last, transaction_id), Outcome(Published((late,)))


def _error(state: StationState, message_id: str) -> Step:
    call = state.calls.get(message_id)
    if call is None or not call.waiting:
        return state, Outcome(Ignored("error answer"))

    def refused(event: waiting.Event) -> waiting.Event:
        if not isinstance(event, SessionStarted):
            return event
        return replace_struct(event, flags=(*event.flags, Flag.START_ERROR.value))

    state, settled = waiting.complete(state, message_id, refused)
    return state, Outcome(Ignored(f"error answer to {call.action}"), settled)
