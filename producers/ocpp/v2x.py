"""OCPP 2.0.1 and 2.1 requests to events; rules: domain-rules 2.2."""

from __future__ import annotations

from dataclasses import replace

from producers.ocpp.fields import (
    int_of,
    list_of,
    object_of,
    small_int,
    text_of,
    transaction_text,
)
from producers.ocpp.message import Message, meter_events
from producers.ocpp.model import (
    Flag,
    Ignored,
    Outcome,
    Published,
    StationState,
    Step,
    Transaction2x,
)
from schemas.events import ChargingState
from schemas.wire import (
    AnyEvent,
    ChargingStateChanged,
    SessionEnded,
    SessionStarted,
    StationStatus,
)

MAX_TRANSACTIONS = 64
_TYPES = {"started": "Started", "updated": "Updated", "ended": "Ended"}
_STATES = frozenset(state.value for state in ChargingState)


def transaction_event(state: StationState, message: Message) -> Step:
    """Started, Updated or Ended, with one meter_sampled per meterValue entry and context.

    An Updated with neither state, token nor values still becomes charging_state_changed, so
    that its seqNo is seen. EVSE and token are said once (E01.FR.16): they are filled in
    from messages of the transaction with no higher seqNo.
    """
    payload = message.payload
    info = object_of(payload.get("transactionInfo"))
    transaction_id = transaction_text(info.get("transactionId"))
    if transaction_id is None:
        field = "transactionInfo.transactionId"
        return state, Outcome(message.unusable("names no transaction", field))
    kind = _TYPES.get(str(text_of(payload.get("eventType"))).lower())
    if kind is None:
        return state, Outcome(
            message.unusable("is neither Started, Updated nor Ended", "eventType")
        )
    stamp = message.stamp(payload.get("timestamp"))
    if stamp is None:
        return state, Outcome(message.no_time())
    known = _learn(state.transactions.get(transaction_id, Transaction2x()), message)
    shared = {
        **_place(known, message),
        "transaction_id": transaction_id,
        "seq_no": small_int(payload.get("seqNo")),
        "offline": payload.get("offline") is True,
    }
    samples, lost = meter_events(message, list_of(payload.get("meterValue")), **shared)
    base = message.base(stamp, *((Flag.ENTRY_UNREADABLE.value,) if lost else ())) | shared
    events: list[AnyEvent] = []
    if kind != "Updated" or not samples or "chargingState" in info or "idToken" in payload:
        events.append(_head(kind, base, message, info, _token(known, message)))
    events.extend(samples)
    others = {key: each for key, each in state.transactions.items() if key != transaction_id}
    if len(others) >= MAX_TRANSACTIONS:
        others.pop(next(iter(others)))
    state = replace(state, transactions={**others, transaction_id: known})
    return state, Outcome(Published(tuple(events)))


def _head(
    kind: str,
    base: dict[str, object],
    message: Message,
    info: dict[str, object],
    id_token: str | None,
) -> AnyEvent:
    charging = text_of(info.get("chargingState"))
    fields: dict[str, object] = {
        **base,
        "id_token": id_token,
        "trigger_reason": text_of(message.payload.get("triggerReason")),
        "charging_state": charging if charging in _STATES else None,
    }
    if kind == "Started":
        fields["reservation_id"] = int_of(message.payload.get("reservationId"))
        return SessionStarted(**fields)  # type: ignore[arg-type]  # fields of the contract
    if kind == "Ended":
        fields["reason"] = text_of(info.get("stoppedReason"))
        return SessionEnded(**fields)  # type: ignore[arg-type]  # fields of the contract
    return ChargingStateChanged(**fields)  # type: ignore[arg-type]  # fields of the contract


def _rank(message: Message) -> int:
    return small_int(message.payload.get("seqNo")) or 0


def _learn(known: Transaction2x, message: Message) -> Transaction2x:
    """Remember EVSE and token of the lowest seqNo that names them: repetition changes nothing."""
    rank = _rank(message)
    evse = object_of(message.payload.get("evse"))
    token = _own_token(message)
    if evse and (known.evse is None or rank <= known.evse[0]):
        ids = (small_int(evse.get("id")), small_int(evse.get("connectorId")))
        known = replace(known, evse=(rank, *ids))
    if token is not None and (known.id_token is None or rank <= known.id_token[0]):
        known = replace(known, id_token=(rank, token))
    return known


def _own_token(message: Message) -> str | None:
    return text_of(object_of(message.payload.get("idToken")).get("idToken"))


def _token(known: Transaction2x, message: Message) -> str | None:
    told = known.id_token[1] if known.id_token and known.id_token[0] <= _rank(message) else None
    return _own_token(message) or told


def _place(known: Transaction2x, message: Message) -> dict[str, int | None]:
    """EVSE and connector: the message's own, else what the transaction said before."""
    own = object_of(message.payload.get("evse"))
    evse, connector = small_int(own.get("id")), small_int(own.get("connectorId"))
    if known.evse is not None and known.evse[0] <= _rank(message):
        _, told_evse, told_connector = known.evse
        if evse is None:
            evse, connector = told_evse, told_connector
        elif connector is None and evse == told_evse:
            connector = told_connector
    return {"evse_id": evse, "connector_id": connector}


def meter_values(state: StationState, message: Message) -> Step:
    """Samples outside transactions: of an EVSE, or of the main meter (EVSE 0)."""
    entries = list_of(message.payload.get("meterValue"))
    if not entries:
        return state, Outcome(message.unusable("has no meterValue", "meterValue"))
    evse = small_int(message.payload.get("evseId"))
    samples, lost = meter_events(message, entries, evse_id=evse)
    if samples:
        return state, Outcome(Published(tuple(samples)))
    return state, Outcome(
        message.unusable("has no entry with a readable time", "meterValue[0].timestamp")
        if lost
        else Ignored("MeterValues without readings")
    )


def status_notification(state: StationState, message: Message) -> Step:
    """What state a connector of an EVSE is in."""
    payload = message.payload
    status = text_of(payload.get("connectorStatus"), 255) or text_of(payload.get("status"), 255)
    if status is None:
        return state, Outcome(message.unusable("says no status", "connectorStatus"))
    stamp = message.stamp(payload.get("timestamp"))
    if stamp is None:
        return state, Outcome(message.no_time())
    event = StationStatus(
        **message.base(stamp),
        evse_id=small_int(payload.get("evseId")),
        connector_id=small_int(payload.get("connectorId")),
        status=status,
    )
    return state, Outcome(Published((event,)))
