"""OCPP 1.6-J requests to events; rules: domain-rules 2.1, 2.4 and 2.5 rows 1, 2, 8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from producers.ocpp.clock import Stamp
from producers.ocpp.fields import int_of, list_of, object_of, small_int, text_of, transaction_text
from producers.ocpp.message import Message, meter_events
from producers.ocpp.model import (
    Flag,
    Ignored,
    Outcome,
    Published,
    Settled,
    StationState,
    Step,
    Transaction16,
    Waiting,
)
from producers.ocpp.readings import register_wh
from producers.ocpp.stops import Stop, end, note_samples
from producers.ocpp.waiting import give_up, hold, same_request, starts_on
from schemas.wire import (
    AnyEvent,
    Authorization,
    ChargingStateChanged,
    SessionEnded,
    SessionStarted,
    State,
    StationStatus,
)

MAX_CONNECTORS = 64
_STATES: Mapping[str, State] = {
    "Charging": "Charging",
    "SuspendedEV": "SuspendedEV",
    "SuspendedEVSE": "SuspendedEVSE",
    "Finishing": "EVConnected",
}


def start_transaction(state: StationState, message: Message) -> Step:
    """Hold a start until its answer says the transaction id.

    A start that says something new also shows that an unanswered one on its connector is
    not going to be answered.
    """
    payload = message.payload
    stamp = message.stamp(payload.get("timestamp"))
    if stamp is None:
        return state, Outcome(message.no_time())
    connector, token = small_int(payload.get("connectorId")), text_of(payload.get("idTag"))
    if connector is None and token is None:
        return state, Outcome(message.unusable("names neither connector nor idTag", ""))
    register = register_wh(payload.get("meterStart"))
    unread = (Flag.READING_UNREADABLE.value,) if register is None else ()
    event = SessionStarted(
        **message.base(stamp, *unread),
        connector_id=connector,
        id_token=token,
        meter_start_wh=register,
        reservation_id=int_of(payload.get("reservationId")),
    )
    settled: tuple[Settled, ...] = ()
    known = state.connectors.get(connector)
    if known is None or not same_request(known.start, event):
        state, settled = give_up(state, lambda _key, call: starts_on(call, connector))
        others = {key: each for key, each in state.connectors.items() if key != connector}
        if len(others) >= MAX_CONNECTORS:
            others.pop(next(iter(others)))
        state = replace(state, connectors={**others, connector: Transaction16(event)})
    waiting = Waiting(message.frame.ref, event)
    state, outcome = hold(state, message.message_id, message.action, waiting)
    return state, replace(outcome, settled=settled + outcome.settled)


def stop_transaction(state: StationState, message: Message) -> Step:
    """One session_ended and the samples of transactionData; the transaction is over."""
    payload = message.payload
    stamp = message.stamp(payload.get("timestamp"))
    if stamp is None:
        return state, Outcome(message.no_time())
    transaction_id = transaction_text(payload.get("transactionId"))
    token = text_of(payload.get("idTag"))
    register = register_wh(payload.get("meterStop"))
    if transaction_id is None and token is None and register is None:
        return state, Outcome(
            message.unusable("has neither transaction, idTag nor register", "transactionId")
        )
    flags = [Flag.READING_UNREADABLE.value] if register is None else []
    time = str(message.base(stamp)["timestamp"])
    state, ended, settled = end(state, Stop(transaction_id, time, register, token))
    if ended.inferred:
        flags.append(Flag.CONNECTOR_INFERRED.value)
    samples, lost = meter_events(
        message,
        list_of(payload.get("transactionData")),
        transaction_id=transaction_id,
        connector_id=ended.connector_id,
    )
    if lost:
        flags.append(Flag.ENTRY_UNREADABLE.value)
    event = SessionEnded(
        **message.base(stamp, *flags),
        connector_id=ended.connector_id,
        transaction_id=transaction_id,
        id_token=token,
        meter_stop_wh=register,
        reason=text_of(payload.get("reason")),
    )
    return state, Outcome(Published((*ended.start, event, *samples)), settled)


def meter_values(state: StationState, message: Message) -> Step:
    """The samples of a connector, or of the main meter (connector 0)."""
    payload = message.payload
    entries = list_of(payload.get("meterValue"))
    if not entries:
        return state, Outcome(message.unusable("has no meterValue", "meterValue"))
    connector = small_int(payload.get("connectorId"))
    transaction_id = transaction_text(payload.get("transactionId"))
    samples, lost = meter_events(
        message, entries, connector_id=connector, transaction_id=transaction_id
    )
    settled: tuple[Settled, ...] = ()
    if samples and transaction_id is not None:
        newest = max(sample.timestamp for sample in samples)
        state = note_samples(state, connector, transaction_id, newest)
        state, settled = give_up(state, lambda _key, call: starts_on(call, connector, newest))
    if samples:
        return state, Outcome(Published(tuple(samples)), settled)
    return state, Outcome(
        message.unusable("has no entry with a readable time", "meterValue[0].timestamp")
        if lost
        else Ignored("MeterValues without readings")
    )


def status_notification(state: StationState, message: Message) -> Step:
    """What state a connector is in; also the charging state of the transaction it runs."""
    payload = message.payload
    status = text_of(payload.get("status"), 255)
    if status is None:
        return state, Outcome(message.unusable("says no status", "status"))
    stamp = message.stamp(payload.get("timestamp"))
    if stamp is None:
        if payload.get("timestamp") is None:
            reason = "StatusNotification without a time, its receipt unknown"
            return state, Outcome(Ignored(reason))
        return state, Outcome(message.no_time())
    connector = small_int(payload.get("connectorId"))
    base = message.base(stamp)
    events: list[AnyEvent] = [
        StationStatus(
            **base,
            connector_id=connector,
            status=status,
            error_code=text_of(payload.get("errorCode")),
            vendor_error_code=text_of(payload.get("vendorErrorCode")),
            info=text_of(payload.get("info")),
        )
    ]
    running = state.connectors.get(connector)
    charging = _STATES.get(status)
    started = running is not None and running.stop is None
    if (
        running is not None
        and started
        and charging
        and running.start.timestamp <= base["timestamp"]
    ):
        events.append(
            ChargingStateChanged(
                **base,
                connector_id=connector,
                transaction_id=running.transaction_id,
                charging_state=charging,
            )
        )
    return state, Outcome(Published(tuple(events)))


def authorize(state: StationState, message: Message) -> Step:
    """A token was presented: 1.6 `idTag` or 2.x `idToken`; its status comes with the answer."""
    payload = message.payload
    given = payload.get("idTag", object_of(payload.get("idToken")).get("idToken"))
    token = text_of(given)
    if token is None and given != "":
        return state, Outcome(message.unusable("presents no token", "idTag"))
    received = message.frame.received_ms
    if received is None:
        return state, Outcome(Ignored("Authorize, its receipt unknown"))
    state, settled = give_up(state, lambda _key, call: call.action == "Authorize")
    event = Authorization(**message.base(Stamp(received)), id_token=token or "")
    waiting = Waiting(message.frame.ref, event)
    state, outcome = hold(state, message.message_id, message.action, waiting)
    return state, replace(outcome, settled=settled + outcome.settled)
