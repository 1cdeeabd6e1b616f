"""Sessions of rows as events, in the order chargers would have sent them.

Registers are made here and nowhere else: per connector, in order of start, a running sum
of the stated energies. They alone depend on which rows came together; the energy itself
travels beside them in `energy_wh`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Literal, TypedDict

from producers.rows.sessions import Instant, Session
from schemas import wire
from schemas.events import ChargingState
from schemas.units import iso_ms


class Step(IntEnum):
    """The events of one session, in their order at one instant."""

    START = 0
    CHARGING_START = 1
    CHARGING_END = 2
    END = 3


def in_order(sessions: Iterable[Session]) -> list[Session]:
    """Sessions by start, then end, then identifiers: the same list for any order of rows."""
    return sorted(sessions, key=_row_key)


def _row_key(session: Session) -> tuple[int, int, str, int, int, str]:
    end = session.start.ms if session.end is None else session.end.ms
    evse, connector = session.evse or 0, session.connector or 0
    return session.start.ms, end, session.station, evse, connector, session.transaction_id


def start_registers(ordered: Sequence[Session]) -> list[int]:
    """Import register at the start of each session, Wh: what its connector gave before."""
    running: dict[tuple[str, int | None, int | None], int] = {}
    registers = []
    for session in ordered:
        connector = (session.station, session.evse, session.connector)
        register = running.get(connector, 0)
        registers.append(register)
        if session.end is not None and session.energy_wh is not None:
            running[connector] = register + session.energy_wh
    return registers


def steps(session: Session) -> list[tuple[Step, Instant]]:
    """The points of time of a session that become events: without an end, only the start."""
    if session.end is None:
        return [(Step.START, session.start)]
    optional = [
        (Step.CHARGING_START, session.charging_start),
        (Step.CHARGING_END, session.charging_end),
    ]
    inner = [(step, instant) for step, instant in optional if instant is not None]
    return [(Step.START, session.start), *inner, (Step.END, session.end)]


def events_in_order(
    sessions: Iterable[Session], tenant: str
) -> Iterator[tuple[Session, wire.WireEvent]]:
    """Every event with its session, by time.

    At one instant what belongs to an earlier session comes first, so that on a connector a
    stop precedes the next start of the same minute. What lies before its own start (an
    end in 1970) follows right after that start, with the time the row states.
    """
    ordered = in_order(sessions)
    registers = start_registers(ordered)
    agenda = []
    for index, session in enumerate(ordered):
        for step, instant in steps(session):
            begun = instant.ms <= session.start.ms
            at = session.start.ms if begun else instant.ms
            agenda.append((at, begun, index, step))
    agenda.sort()
    for _, _, index, step in agenda:
        yield ordered[index], event_of(ordered[index], step, registers[index], tenant)


def event_of(session: Session, step: Step, register_wh: int, tenant: str) -> wire.WireEvent:
    """One event of a session whose connector's register stood at `register_wh` at its start."""
    instant = dict(steps(session))[step]
    common = _Common(
        tenant=tenant,
        station_id=session.station,
        protocol="import",
        timestamp=iso_ms(instant.ms),
        evse_id=session.evse,
        connector_id=session.connector,
        transaction_id=session.transaction_id,
        flags=instant.flags,
    )
    match step:
        case Step.START:
            waits = session.charging_start is not None and session.end is not None
            return wire.SessionStarted(
                **common,
                id_token=session.user,
                meter_start_wh=register_wh,
                charging_state=ChargingState.EV_CONNECTED.value if waits else None,
                area=session.area,
            )
        case Step.CHARGING_START:
            return wire.ChargingStateChanged(**common, charging_state=ChargingState.CHARGING.value)
        case Step.CHARGING_END:
            return wire.ChargingStateChanged(
                **common, charging_state=ChargingState.SUSPENDED_EV.value
            )
        case Step.END:
            energy = session.energy_wh
            return wire.SessionEnded(
                **common,
                meter_stop_wh=None if energy is None else register_wh + energy,
                energy_wh=energy,
                paid_amount=session.paid,
                paid_currency=session.currency,
            )


class _Common(TypedDict):
    tenant: str
    station_id: str
    protocol: Literal["import"]
    timestamp: str
    evse_id: int | None
    connector_id: int | None
    transaction_id: str
    flags: tuple[str, ...]
