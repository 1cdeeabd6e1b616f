"""Wire events to the core's tuples: exact integers, unknown numbers as -1.

Raises ValueError with text `field: what is wrong` where a number is none or too large.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation, Overflow
from typing import Any

from schemas import wire
from schemas.units import MAX_WH, wh_to_mwh
from streams.core.events import (
    CURRENT,
    ENDED,
    EXPIRED,
    SAMPLE,
    STARTED,
    STATE,
    CoreEvent,
    Ended,
    Expired,
    Sample,
    Started,
    StateChanged,
)

_SMALL_LIMIT = 10**9
_new = tuple.__new__  # a NamedTuple's own __new__ is a Python call more, for every sample
_SERIES = (
    ("l1", "import_l1_wh"),
    ("l2", "import_l2_wh"),
    ("l3", "import_l3_wh"),
    ("interval", "import_interval_wh"),
    ("inlet", "inlet_import_wh"),
)


CORE_FLAGS = ("clock_bad", "clock_corrected", "reading_unreadable", "timestamp_naive")
"""Flags that are part of what an event says; the others tell how it came, and a resent event
may come another way. The identity in sql/migrations/001 names the same."""


def _flags(event: wire.WireEvent) -> tuple[str, ...]:
    return tuple(f for f in CORE_FLAGS if f in event.flags)


def _mwh(name: str, value: wire.Number | None) -> int | None:
    if value is None:
        return None
    if type(value) is int and -MAX_WH <= value <= MAX_WH:
        return value * 1000
    try:
        return wh_to_mwh(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def milli(name: str, value: wire.Number | None) -> int | None:
    """A power, current or share in thousandths, rounded half up by `wh_to_mwh`'s rule."""
    if value is None:
        return None
    if type(value) is int and -_SMALL_LIMIT <= value <= _SMALL_LIMIT:
        return value * 1000
    found = _mwh(name, value)
    if found is None or abs(found) > _SMALL_LIMIT * 1000:
        raise ValueError(f"{name}: {str(value)[:40]!r} is beyond any charger")
    return found


def _index(value: int | None) -> int:
    return -1 if value is None else value


def _sample(e: wire.MeterSampled, ts: int) -> CoreEvent:
    extra: tuple[tuple[str, int], ...] = ()
    if not (
        e.import_l1_wh
        is e.import_l2_wh
        is e.import_l3_wh
        is e.import_interval_wh
        is e.inlet_import_wh
        is None
    ):
        found = ((name, _mwh(field, getattr(e, field))) for name, field in _SERIES)
        extra = tuple((name, value) for name, value in found if value is not None)
    if e.current_a is not None or e.soc_percent is not None:
        current = milli("current_a", e.current_a)
        milli("soc_percent", e.soc_percent)
        if current is not None:
            extra = (*extra, (CURRENT, current))
    seq, connector, evse = e.seq_no, e.connector_id, e.evse_id
    register, power, export = e.import_wh, e.power_w, e.export_wh
    values = (
        SAMPLE,
        ts,
        -1 if seq is None else seq,
        e.context,
        register * 1000
        if type(register) is int and -MAX_WH <= register <= MAX_WH
        else _mwh("import_wh", register),
        None if export is None else _mwh("export_wh", export),
        power * 1000
        if type(power) is int and -_SMALL_LIMIT <= power <= _SMALL_LIMIT
        else milli("power_w", power),
        -1 if connector is None else connector,
        -1 if evse is None else evse,
        extra,
        _flags(e) if e.flags else (),
    )
    return _new(Sample, values)


def _started(e: wire.SessionStarted, ts: int) -> CoreEvent:
    return Started(
        STARTED,
        ts,
        _index(e.seq_no),
        None if e.protocol == "import" else _mwh("meter_start_wh", e.meter_start_wh),
        e.id_token or "",
        _index(e.connector_id),
        _index(e.evse_id),
        e.charging_state or "",
        e.area or "",
        _flags(e) if e.flags else (),
    )


def _ended(e: wire.SessionEnded, ts: int) -> CoreEvent:
    stated = _mwh("energy_wh", e.energy_wh)
    meter = _mwh("meter_stop_wh", e.meter_stop_wh)
    return Ended(
        ENDED,
        ts,
        _index(e.seq_no),
        None if e.protocol == "import" else meter,
        e.id_token or "",
        e.reason or "",
        _index(e.connector_id),
        _index(e.evse_id),
        e.charging_state or "",
        stated,
        micro("paid_amount", e.paid_amount),
        e.paid_currency or "",
        _flags(e) if e.flags else (),
    )


def micro(name: str, value: wire.Number | None) -> int | None:
    """An amount of money in micro-units, exact; more than six decimals are refused."""
    if value is None:
        return None
    try:
        number = Decimal(str(value)).scaleb(6)
        whole = number.to_integral_value()
    except (InvalidOperation, Overflow) as error:
        raise ValueError(f"{name}: {str(value)[:40]!r} is not an amount") from error
    if not number.is_finite() or number != whole or abs(whole) > 10**15:
        raise ValueError(f"{name}: {str(value)[:40]!r} is not an amount of at most six decimals")
    return int(whole)


def _state(e: wire.ChargingStateChanged, ts: int) -> CoreEvent:
    return StateChanged(
        STATE,
        ts,
        _index(e.seq_no),
        e.charging_state or "",
        e.id_token or "",
        _index(e.connector_id),
        _index(e.evse_id),
        _flags(e) if e.flags else (),
    )


def _expired(e: wire.SessionExpired, ts: int) -> CoreEvent:
    return Expired(EXPIRED, ts, connector=_index(e.connector_id))


def _none(_: wire.WireEvent, __: int) -> None:
    return None


CONVERT: dict[type, Callable[[Any, int], CoreEvent | None]] = {
    wire.MeterSampled: _sample,
    wire.SessionStarted: _started,
    wire.SessionEnded: _ended,
    wire.ChargingStateChanged: _state,
    wire.SessionExpired: _expired,
    wire.StationStatus: _none,
    wire.Authorization: _none,
}
"""The core's form of an event by its class; None for events that are about no session."""


def to_core(event: wire.WireEvent, ts: int) -> CoreEvent | None:
    """The core's form of one event at `ts` epoch ms; ValueError says `field: what is wrong`."""
    return CONVERT[type(event)](event, ts)
