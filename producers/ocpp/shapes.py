"""What the OCPP schemas allow, as far as the translation reads it.

A payload outside its shape is read all the same where it can be and flagged
`schema_deviation`. The tests hold these shapes against the JSON schemas themselves. Parts
nobody reads here (costs, certificates) may be anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from producers.ocpp import words
from schemas.events import Protocol

Kind = Callable[[object], bool]
"""Says whether one JSON value has the shape."""


def _anything(_value: object) -> bool:
    return True


def _number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _int(value: object) -> bool:
    """An integer as JSON Schema draft 4, that of OCPP 1.6, means it: 1.0 is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _integer(low: int | None = None, high: int | None = None) -> Kind:
    def check(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return False
        if isinstance(value, Decimal) and (abs(value.adjusted()) > 40 or value != int(value)):
            return False
        return (low is None or value >= low) and (high is None or value <= high)

    return check


def _text(limit: int | None = None) -> Kind:
    def check(value: object) -> bool:
        return isinstance(value, str) and (limit is None or len(value) <= limit)

    return check


def _one_of(words: str) -> Kind:
    allowed = frozenset(words.split())

    def check(value: object) -> bool:
        return isinstance(value, str) and value in allowed

    return check


def _list(kind: Kind, at_least: int = 1) -> Kind:
    def check(value: object) -> bool:
        return isinstance(value, list) and len(value) >= at_least and all(map(kind, value))

    return check


def _record(required: str, fields: Mapping[str, Kind]) -> Kind:
    needed = frozenset(required.split())

    def check(value: object) -> bool:
        return (
            isinstance(value, dict)
            and needed <= value.keys()
            and all(key in fields and fields[key](item) for key, item in value.items())
        )

    return check


def _custom(value: object) -> bool:
    return isinstance(value, dict) and _text(255)(value.get("vendorId"))


def _meter_values_16(more_units: str) -> Mapping[str, Kind]:
    sampled = {
        "value": _text(),
        "context": _one_of(words.CONTEXTS),
        "format": _one_of("Raw SignedData"),
        "measurand": _one_of(words.BOTH_MEASURANDS + " Temperature RPM"),
        "phase": _one_of(words.PHASES),
        "location": _one_of("Body Cable EV Inlet Outlet"),
        "unit": _one_of(f"{words.UNITS_16} {more_units}"),
    }
    return {"timestamp": _text(), "sampledValue": _list(_record("value", sampled), 0)}


def _shapes_16() -> dict[str, Kind]:
    periodic = _meter_values_16("Hertz")
    entry = _record(
        "timestamp sampledValue",
        {**periodic, "sampledValue": lambda v: v != [] and periodic["sampledValue"](v)},
    )
    start = {
        "connectorId": _int,
        "idTag": _text(20),
        "meterStart": _int,
        "reservationId": _int,
        "timestamp": _text(),
    }
    stop = {
        "idTag": _text(20),
        "meterStop": _int,
        "timestamp": _text(),
        "transactionId": _int,
        "reason": _one_of(words.REASONS_16),
        "transactionData": _list(_record("timestamp sampledValue", _meter_values_16("")), 0),
    }
    status = {
        "connectorId": _int,
        "errorCode": _one_of(words.ERROR_CODES_16),
        "info": _text(50),
        "status": _one_of(words.STATUS_16),
        "timestamp": _text(),
        "vendorId": _text(255),
        "vendorErrorCode": _text(50),
    }
    meter = {
        "connectorId": _int,
        "transactionId": _int,
        "meterValue": _list(entry),
    }
    return {
        "StartTransaction": _record("connectorId idTag meterStart timestamp", start),
        "StopTransaction": _record("transactionId timestamp meterStop", stop),
        "StatusNotification": _record("connectorId errorCode status", status),
        "MeterValues": _record("connectorId meterValue", meter),
        "Authorize": _record("idTag", {"idTag": _text(20)}),
    }


def _meter_value_2x(*, new: bool) -> Kind:
    signed = {
        "signedMeterData": _text(32768 if new else 2500),
        "signingMethod": _text(50),
        "encodingMethod": _text(50),
        "publicKey": _text(2500),
        "customData": _custom,
    }
    unit = {"unit": _text(20), "multiplier": _integer(), "customData": _custom}
    sampled = {
        "value": _number,
        "context": _one_of(words.CONTEXTS),
        "measurand": _one_of(
            f"{words.BOTH_MEASURANDS} {words.NET_MEASURANDS} {words.NEW_MEASURANDS if new else ''}"
        ),
        "phase": _one_of(words.PHASES),
        "location": _one_of("Body Cable EV Inlet Outlet" + (" Upstream" if new else "")),
        "signedMeterValue": _record(
            "signedMeterData encodingMethod" + ("" if new else " signingMethod publicKey"), signed
        ),
        "unitOfMeasure": _record("", unit),
        "customData": _custom,
    }
    entry = {
        "timestamp": _text(),
        "sampledValue": _list(_record("value", sampled)),
        "customData": _custom,
    }
    return _record("timestamp sampledValue", entry)


def _token_2x(*, new: bool) -> Kind:
    additional = {
        "additionalIdToken": _text(255 if new else 36),
        "type": _text(50),
        "customData": _custom,
    }
    token = {
        "idToken": _text(255 if new else 36),
        "type": _text(20) if new else _one_of(words.ID_TYPES_201),
        "additionalInfo": _list(_record("additionalIdToken type", additional)),
        "customData": _custom,
    }
    return _record("idToken type", token)


def _transaction_event(*, new: bool) -> Kind:
    natural = _integer(0) if new else _integer()
    info = {
        "transactionId": _text(36),
        "chargingState": _one_of("Charging EVConnected SuspendedEV SuspendedEVSE Idle"),
        "timeSpentCharging": _integer(),
        "stoppedReason": _one_of(words.REASONS),
        "remoteStartId": _integer(),
        "customData": _custom,
    }
    event = {
        "eventType": _one_of("Ended Started Updated"),
        "meterValue": _list(_meter_value_2x(new=new)),
        "timestamp": _text(),
        "triggerReason": _one_of(f"{words.TRIGGERS} {words.NEW_TRIGGERS if new else ''}"),
        "seqNo": natural,
        "offline": _flag,
        "numberOfPhasesUsed": _integer(0, 3) if new else _integer(),
        "cableMaxCurrent": _integer(),
        "reservationId": natural,
        "idToken": _token_2x(new=new),
        "evse": _record("id", {"id": natural, "connectorId": natural, "customData": _custom}),
        "customData": _custom,
    }
    if new:
        info |= dict.fromkeys(("operationMode", "tariffId", "transactionLimit"), _anything)
        event |= dict.fromkeys(("costDetails", "preconditioningStatus"), _anything)
        event["evseSleep"] = _flag
    event["transactionInfo"] = _record("transactionId", info)
    return _record("eventType timestamp triggerReason seqNo transactionInfo", event)


def _shapes_2x(*, new: bool) -> dict[str, Kind]:
    natural = _integer(0) if new else _integer()
    status = {
        "timestamp": _text(),
        "connectorStatus": _one_of("Available Occupied Reserved Unavailable Faulted"),
        "evseId": natural,
        "connectorId": natural,
        "customData": _custom,
    }
    meter = {
        "evseId": natural,
        "meterValue": _list(_meter_value_2x(new=new)),
        "customData": _custom,
    }
    authorize = {
        "idToken": _token_2x(new=new),
        "certificate": _anything,
        "iso15118CertificateHashData": _anything,
        "customData": _custom,
    }
    return {
        "TransactionEvent": _transaction_event(new=new),
        "StatusNotification": _record("timestamp connectorStatus evseId connectorId", status),
        "MeterValues": _record("evseId meterValue", meter),
        "Authorize": _record("idToken", authorize),
    }


_SHAPES: Mapping[Protocol, Mapping[str, Kind]] = {
    Protocol.OCPP16: _shapes_16(),
    Protocol.OCPP201: _shapes_2x(new=False),
    Protocol.OCPP21: _shapes_2x(new=True),
}
_MARKS_16 = {"connectorId", "idTag", "status", "errorCode", "transactionId"}
_MARKS_2X = {"evseId", "connectorStatus", "idToken", "evse", "transactionInfo"}
_MARKS_21 = {"costDetails", "preconditioningStatus", "evseSleep"}
_MARKS_21_INFO = {"operationMode", "tariffId", "transactionLimit"}


def conforms(protocol: Protocol, action: str, payload: Mapping[str, object]) -> bool:
    """Whether the payload is what this dialect's schema of the request allows."""
    check = _SHAPES[protocol].get(action)
    return check is not None and check(payload)


def dialect_of(action: str, payload: Mapping[str, object], told: Protocol | None) -> Protocol:
    """The dialect of a request, from its shape; `told` decides where the shape allows it."""
    if action in {"StartTransaction", "StopTransaction"}:
        return Protocol.OCPP16
    keys = payload.keys()
    old = action != "TransactionEvent" and not keys & _MARKS_2X
    if old and (keys & _MARKS_16 or told not in {Protocol.OCPP201, Protocol.OCPP21}):
        return Protocol.OCPP16
    if told in {Protocol.OCPP201, Protocol.OCPP21}:
        return told
    info = payload.get("transactionInfo")
    new = bool(keys & _MARKS_21 or (isinstance(info, dict) and info.keys() & _MARKS_21_INFO))
    if not new and not conforms(Protocol.OCPP201, action, payload):
        new = conforms(Protocol.OCPP21, action, payload)
    return Protocol.OCPP21 if new else Protocol.OCPP201
