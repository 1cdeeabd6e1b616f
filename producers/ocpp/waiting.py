"""Requests that wait for an answer: StartTransaction for its id, Authorize for its status.

A wait always ends: with the answer, with a message that shows that the answer is lost, or
when too many wait. What ends it settles the frame that waited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from msgspec.structs import replace as replace_struct

from producers.ocpp.model import (
    Call,
    Flag,
    Held,
    Outcome,
    Settled,
    StationState,
    Step,
    Transaction16,
    Waiting,
)
from schemas.wire import Authorization, SessionStarted

Event = SessionStarted | Authorization
MAX_CALLS = 32
AUTHORIZE_PATIENCE = 8
"""Frames an Authorize waits for its status: a station asks one thing at a time."""


def ask(
    state: StationState, message_id: str, call: Call
) -> tuple[StationState, tuple[Settled, ...]]:
    """Remember a call; what is under its id, and the oldest of too many, is given up."""
    state, settled = give_up(state, lambda key, _call: key == message_id)
    calls = {**without(state.calls, message_id), message_id: call}
    if len(calls) > MAX_CALLS:
        oldest = next(iter(calls))
        state, more = give_up(state, lambda key, _call: key == oldest)
        settled += more
        calls.pop(oldest)
    return replace(state, calls=calls), settled


def hold(state: StationState, message_id: str, action: str, waiting: Waiting) -> Step:
    """Let `waiting` wait under its message id; a repetition joins the first."""
    known = state.calls.get(message_id)
    earlier: tuple[Waiting, ...] = ()
    if known and known.waiting and same_request(known.waiting[0].event, waiting.event):
        earlier = known.waiting
        state = replace(state, calls=without(state.calls, message_id))
    state, settled = ask(state, message_id, Call(action, state.frames, (*earlier, waiting)))
    return state, Outcome(Held(), settled)


def same_request(one: Event, two: Event) -> bool:
    """Whether two requests say the same thing, whenever and under whatever id they came."""
    if isinstance(one, SessionStarted) and isinstance(two, SessionStarted):
        return start_key(one) == start_key(two)
    if isinstance(one, Authorization) and isinstance(two, Authorization):
        return one.id_token == two.id_token
    return False


def start_key(event: SessionStarted) -> tuple[object, ...]:
    """What makes two StartTransactions the same one."""
    return (event.connector_id, event.id_token, event.timestamp, event.meter_start_wh)


def give_up(
    state: StationState, of: Callable[[str, Call], bool]
) -> tuple[StationState, tuple[Settled, ...]]:
    """Settle the calls that `of` picks without an answer; a late one can still complete them."""
    settled: list[Settled] = []
    calls: dict[str, Call] = {}
    for key, call in state.calls.items():
        calls[key] = call
        if call.waiting and of(key, call):
            events = [_unanswered(state, each.event) for each in call.waiting]
            settled.extend(
                Settled(each.ref, (event,))
                for each, event in zip(call.waiting, events, strict=True)
            )
            last = events[-1]
            late = last if isinstance(last, SessionStarted) else None
            calls[key] = replace(call, waiting=(), last=late)
    return (replace(state, calls=calls), tuple(settled)) if settled else (state, ())


def _unanswered(state: StationState, event: Event) -> Event:
    """A start repeated without an answer has the id that the first one was answered with."""
    if isinstance(event, Authorization):
        return event
    known = state.connectors.get(event.connector_id)
    if known is not None and known.transaction_id is not None and same_request(known.start, event):
        return named(event, known)
    return replace_struct(event, flags=(*event.flags, Flag.START_UNANSWERED.value))


def named(event: SessionStarted, known: Transaction16) -> SessionStarted:
    """A start with the id that is known of its transaction, and how it is known."""
    how = (Flag.START_UNANSWERED.value, Flag.TRANSACTION_INFERRED.value) if known.inferred else ()
    return replace_struct(event, transaction_id=known.transaction_id, flags=(*event.flags, *how))


def starts_on(call: Call, connector: int | None, until: str | None = None) -> bool:
    """Whether a start on `connector`, not later than `until`, waits in this call."""
    event = call.waiting[0].event
    return (
        isinstance(event, SessionStarted)
        and event.connector_id == connector
        and (until is None or event.timestamp <= until)
    )


def expire(state: StationState) -> tuple[StationState, tuple[Settled, ...]]:
    """Settle each Authorize that waited for `AUTHORIZE_PATIENCE` frames."""
    return give_up(
        state,
        lambda _key, call: (
            call.action == "Authorize" and state.frames - call.at > AUTHORIZE_PATIENCE
        ),
    )


def without(calls: Mapping[str, Call], message_id: str) -> dict[str, Call]:
    """`calls` less one."""
    return {key: call for key, call in calls.items() if key != message_id}


def complete(
    state: StationState, message_id: str, of: Callable[[Event], Event]
) -> tuple[StationState, tuple[Settled, ...]]:
    """Settle a call with what its answer says, and earlier ones that asked the same."""
    first = state.calls[message_id].waiting[0].event
    settled: list[Settled] = []
    calls: dict[str, Call] = {}
    done = False
    for key, call in state.calls.items():
        twin = not done and bool(call.waiting) and same_request(call.waiting[0].event, first)
        if key != message_id and not twin:
            calls[key] = call
            continue
        done = done or key == message_id
        settled.extend(Settled(each.ref, (of(each.event),)) for each in call.waiting)
    return replace(state, calls=calls), tuple(settled)


def learn_id(state: StationState, event: Event, transaction_id: str | None) -> StationState:
    """Note the transaction id on the connector whose newest transaction `event` started."""
    if transaction_id is None or not isinstance(event, SessionStarted):
        return state
    known = state.connectors.get(event.connector_id)
    if known is None or not same_request(known.start, event):
        return state
    return with_transaction(state, replace(known, transaction_id=transaction_id, inferred=False))


def with_transaction(state: StationState, transaction: Transaction16) -> StationState:
    """The state with the newest transaction of its connector replaced."""
    connector = transaction.start.connector_id
    return replace(state, connectors={**state.connectors, connector: transaction})
