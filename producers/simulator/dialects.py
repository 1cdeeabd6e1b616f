"""One stay as the events that translation makes of what a charger sends, per protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from random import Random
from typing import NamedTuple

from producers.simulator.clock import iso
from producers.simulator.course import Course
from producers.simulator.faults import Fault
from producers.simulator.fleet import OCPP16, Connector
from schemas import wire

Maker = Callable[..., wire.WireEvent]
_PREPARING_S, _AUTHORIZE_S, _LEAVING_S = 4, 8, 20
BEFORE_S = _AUTHORIZE_S
"""The first event of a stay comes so many seconds before its start."""

AFTER_S = _LEAVING_S
"""… and the last so many after its end."""


class Role(IntEnum):
    """What an event is to its session; faults drop by role."""

    AROUND = 0
    START = 1
    STATE = 2
    SAMPLE = 3
    STOP = 4
    AFTER = 5


class Sent(NamedTuple):
    """One event before it travels; `at` is true time, the event's time stamp may be skewed."""

    at: int
    role: Role
    event: wire.WireEvent


@dataclass(slots=True)
class Stay:
    """Everything a charger knows of one session when it reports it.

    `registers_mwh`: what the meter showed at each point of the course. `offline_from`: true
    time from which messages wait in the charger's queue.
    """

    tenant: str
    connector: Connector
    driver: str
    transaction_id: str
    course: Course
    registers_mwh: list[int]
    fault: Fault | None
    dropped: frozenset[int]
    offline_from: int | None
    reason: str


def events(stay: Stay, rng: Random) -> list[Sent]:
    """All events of a stay in the order of sending, faults of the session not yet applied."""
    return (
        _events_16(stay, rng)
        if stay.connector.station.protocol == OCPP16
        else _events_2x(stay, rng)
    )


def boot(tenant: str, connector: Connector, at: int) -> wire.StationStatus:
    """A free connector says so when its station starts."""
    number = connector.number
    old = connector.station.protocol == OCPP16
    return wire.StationStatus(
        tenant=tenant,
        station_id=connector.station.station_id,
        protocol=connector.station.protocol,
        timestamp=iso(at + connector.station.skew_s),
        evse_id=None if old else number,
        connector_id=number if old else 1,
        status="Available",
        error_code="NoError" if old else None,
    )


def message_id(rng: Random) -> str:
    """A fresh OCPP-J message id."""
    return f"{rng.getrandbits(48):012x}"


def _register(mwh: int, *, text: bool) -> int | str:
    return f"{mwh // 1000}.{mwh % 1000:03d}" if text else mwh // 1000


def _maker(stay: Stay) -> Maker:
    station = stay.connector.station
    head = {"tenant": stay.tenant, "station_id": station.station_id, "protocol": station.protocol}
    skew = station.skew_s

    def make(kind: Callable[..., wire.WireEvent], at: int, **fields: object) -> wire.WireEvent:
        return kind(**head, timestamp=iso(at + skew), **fields)

    return make


def _events_16(stay: Stay, rng: Random) -> list[Sent]:
    make, number, driver = _maker(stay), stay.connector.number, stay.driver
    begin, end = stay.course.points[0].at, stay.course.points[-1].at
    status = partial(make, wire.StationStatus, connector_id=number, error_code="NoError")
    authorized = _authorized(make, begin - _AUTHORIZE_S, driver, rng)
    started = make(
        wire.SessionStarted,
        begin,
        connector_id=number,
        transaction_id=stay.transaction_id,
        message_id=message_id(rng),
        id_token=driver,
        meter_start_wh=stay.registers_mwh[0] // 1000,
    )
    unknown = stay.fault is Fault.MINUS_ONE_TRANSACTION
    ended = make(
        wire.SessionEnded,
        end,
        connector_id=None if unknown else number,
        transaction_id="-1" if unknown else stay.transaction_id,
        message_id=message_id(rng),
        id_token=driver,
        meter_stop_wh=stay.registers_mwh[-1] // 1000,
        reason=stay.reason,
    )
    return [
        Sent(begin - _AUTHORIZE_S, Role.AROUND, authorized),
        Sent(begin - _PREPARING_S, Role.AROUND, status(begin - _PREPARING_S, status="Preparing")),
        Sent(begin, Role.START, started),
        *_meanwhile_16(stay, make, status, rng),
        Sent(end, Role.STOP, ended),
        Sent(end, Role.AFTER, status(end, status="Finishing")),
        Sent(end + _LEAVING_S, Role.AFTER, status(end + _LEAVING_S, status="Available")),
    ]


def _meanwhile_16(stay: Stay, make: Maker, status: Maker, rng: Random) -> Iterator[Sent]:
    """States and samples between start and stop; a connector's state is its transaction's too."""
    station, points, registers = stay.connector.station, stay.course.points, stay.registers_mwh
    base = registers[0] if stay.fault is Fault.SESSION_RELATIVE_REGISTER else 0
    text = stay.fault is Fault.UNIT_MIX
    states = dict(stay.course.states[1:]) if station.tells_states else {}
    known = partial(make, connector_id=stay.connector.number, transaction_id=stay.transaction_id)
    for index in range(len(points) - 1):
        at, _, power, soc = points[index]
        if (state := states.get(at)) is not None:
            yield Sent(at, Role.AROUND, status(at, status=state))
            yield Sent(at, Role.STATE, known(wire.ChargingStateChanged, at, charging_state=state))
        if index in stay.dropped or not index:
            continue
        sample = known(
            wire.MeterSampled,
            at,
            message_id=message_id(rng),
            import_wh=_register(registers[index] - base, text=text),
            power_w=power,
            soc_percent=soc if station.power.direct else None,
        )
        yield Sent(at, Role.SAMPLE, sample)


def _authorized(make: Maker, at: int, driver: str, rng: Random) -> wire.WireEvent:
    return make(
        wire.Authorization, at, message_id=message_id(rng), id_token=driver, status="Accepted"
    )


def _events_2x(stay: Stay, rng: Random) -> list[Sent]:
    make, number = _maker(stay), stay.connector.number
    before = stay.course.points[0].at - _PREPARING_S
    after = stay.course.points[-1].at + _LEAVING_S
    status = partial(make, wire.StationStatus, evse_id=number, connector_id=1)
    return [
        Sent(before, Role.AROUND, status(before, status="Occupied")),
        Sent(before, Role.AROUND, _authorized(make, before, stay.driver, rng)),
        *_transaction_2x(stay, rng, make),
        Sent(after, Role.AFTER, status(after, status="Available")),
    ]


def _transaction_2x(stay: Stay, rng: Random, make: Maker) -> Iterator[Sent]:
    """TransactionEvents: a message with state and meter value becomes two events, one seqNo."""
    station, points = stay.connector.station, stay.course.points
    states = dict(stay.course.states[1:])
    meter = {point.at: index for index, point in enumerate(points)}
    text = stay.fault is Fault.UNIT_MIX
    place = _place_2x(stay)
    for seq_no, at in enumerate(sorted(meter.keys() | states.keys())):
        index = meter.get(at)
        if index is not None and index in stay.dropped:
            continue
        known = partial(
            make,
            **place,
            transaction_id=stay.transaction_id,
            seq_no=seq_no,
            message_id=message_id(rng),
            offline=stay.offline_from is not None and at >= stay.offline_from,
        )
        role, context = Role.SAMPLE, "Sample.Periodic"
        if index == 0:
            role, context = Role.START, "Transaction.Begin"
            yield Sent(at, role, _head_2x(stay, known, at, "EVConnected"))
        elif index == len(points) - 1:
            role, context = Role.STOP, "Transaction.End"
            yield Sent(at, role, _head_2x(stay, known, at, None))
        elif (state := states.get(at)) is not None:
            role = Role.STATE
            yield Sent(at, role, _head_2x(stay, known, at, state))
        if index is not None:
            sample = known(
                wire.MeterSampled,
                at,
                context=context,
                import_wh=_register(stay.registers_mwh[index], text=text),
                power_w=points[index].power_w,
                soc_percent=points[index].soc_percent if station.power.direct else None,
            )
            yield Sent(at, role, sample)


def _place_2x(stay: Stay) -> dict[str, int]:
    """The EVSE is said once, in Started; whoever translates fills it in unless that was lost."""
    lost = stay.fault is Fault.MISSING_START
    return {} if lost else {"evse_id": stay.connector.number, "connector_id": 1}


def _head_2x(stay: Stay, known: Maker, at: int, state: str | None) -> wire.WireEvent:
    """What a TransactionEvent says beside its meter values: start, change of state, or end."""
    if at == stay.course.points[0].at:
        return known(
            wire.SessionStarted,
            at,
            id_token=stay.driver,
            charging_state=state,
            trigger_reason="Authorized",
        )
    if at == stay.course.points[-1].at:
        return known(
            wire.SessionEnded,
            at,
            id_token=stay.driver,
            reason=stay.reason,
            trigger_reason="StopAuthorized",
        )
    return known(
        wire.ChargingStateChanged,
        at,
        id_token=stay.driver,
        charging_state=state,
        trigger_reason="ChargingStateChanged",
    )
