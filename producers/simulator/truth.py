"""What a correct product must say of one session, worked out from what was really sent.

Written from the rules (architecture 8, domain rules 2.3-2.5), sharing no code with the
product's core: it is what the core is compared with. Energy in mWh, money in micro-units.
"""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID, uuid5

import msgspec

from producers.simulator.clock import iso
from producers.simulator.dialects import Stay
from producers.simulator.faults import Fault
from producers.simulator.fleet import OCPP16
from producers.simulator.people import discount_percent

_NAMESPACE = UUID("6c616464-7374-5265-a16d-000000000001")
_SLICE_S = 900
NO_START, NOT_ENDED = "no_start", "not_ended"


class SessionTruth(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """One session of the ledger.

    `counted`: in the standard totals; otherwise `reason` says why not, and energy and money
    are not part of the truth. `slices`: energy by slice start (epoch seconds), or absent
    where the rules leave room.
    """

    session_id: str
    station_id: str
    connector_id: int
    transaction_id: str
    protocol: str
    driver: str
    area: str
    started_at: str
    ended_at: str
    status: str
    counted: bool
    tariff_id: str
    currency: str
    energy_mwh: int = 0
    charging_s: int = 0
    idle_s: int = 0
    excl_micro: int = 0
    vat_micro: int = 0
    reason: str = ""
    fault: str = ""
    slices: dict[int, int] | None = None


def truth(stay: Stay, *, ends: bool) -> SessionTruth:
    """The truth of a stay. `ends`: a later start on the connector closes it if its stop is lost."""
    station, fault = stay.connector.station, stay.fault
    curve = delivered(stay)
    begin, end = curve[0][0], curve[-1][0]
    status, reason = _status(stay, ends=ends)
    common = {
        "session_id": session_id(stay),
        "station_id": station.station_id,
        "connector_id": stay.connector.number if station.protocol == OCPP16 else 1,
        "transaction_id": stay.transaction_id,
        "protocol": station.protocol,
        "driver": stay.driver,
        "area": station.place.area,
        "started_at": "" if reason == NO_START else iso(begin),
        "ended_at": "" if reason == NOT_ENDED else iso(end),
        "status": status,
        "counted": not reason,
        "tariff_id": station.tariff.tariff_id,
        "currency": station.tariff.currency,
        "reason": reason,
        "fault": fault or "",
    }
    if reason:
        return SessionTruth(**common)  # type: ignore[arg-type]  # names are the fields
    energy = curve[-1][1]
    spans = _spans(stay, end)
    charging = sum(stop - start for start, stop, state in spans if state == "Charging")
    waiting = sum(stop - start for start, stop, state in spans if state == "SuspendedEVSE")
    if not spans:
        charging = sum(t1 - t0 for (t0, e0), (t1, e1) in pairwise(curve) if e1 > e0)
    idle = end - begin - charging - waiting
    excl, vat = station.tariff.price(
        energy, charging * 1000, idle * 1000, discount_percent(stay.driver)
    )
    exact = fault is not Fault.SESSION_RELATIVE_REGISTER
    return SessionTruth(
        **common,  # type: ignore[arg-type]  # names are the fields
        energy_mwh=energy,
        charging_s=charging,
        idle_s=idle,
        excl_micro=excl,
        vat_micro=vat,
        slices=slices(curve, spans) if exact else None,
    )


def session_id(stay: Stay) -> str:
    """The id a session must get: of its transaction, or of its start in OCPP 1.6."""
    station = stay.connector.station
    names: tuple[str, ...] = (stay.tenant, station.station_id, stay.transaction_id)
    if station.protocol == OCPP16 and stay.fault is not Fault.MISSING_START:
        begin = iso(stay.course.points[0].at + station.skew_s)
        number, register = stay.connector.number, stay.registers_mwh[0]
        names = (stay.tenant, station.station_id, str(number), stay.driver, begin, str(register))
    return str(uuid5(_NAMESPACE, "\x1f".join(names)))


def delivered(stay: Stay) -> list[tuple[int, int]]:
    """The cumulative energy curve of the readings sent: (station's clock in s, mWh).

    Rises of the register are energy; what a fall to 0 hides is never guessed.
    """
    last = len(stay.registers_mwh) - 1
    lost = stay.dropped | ({last} if stay.fault is Fault.MISSING_STOP else set())
    skew = stay.connector.station.skew_s
    curve: list[tuple[int, int]] = []
    energy = before = 0
    for index, point in enumerate(stay.course.points):
        if index in lost:
            continue
        register = stay.registers_mwh[index]
        if curve:
            energy += max(0, register - before)
        before = register
        curve.append((point.at + skew, energy))
    return curve


def slices(curve: list[tuple[int, int]], spans: list[tuple[int, int, str]]) -> dict[int, int]:
    """Energy by quarter of an hour: even over the charging time between two readings.

    The cumulative curve is floored at each border, so that the slices sum to the energy.
    """
    charging = [(start, stop) for start, stop, state in spans if state == "Charging"]
    out: dict[int, int] = {}
    for (t0, e0), (t1, e1) in pairwise(curve):
        if e1 == e0:
            continue
        whole = sum(max(0, min(stop, t1) - max(start, t0)) for start, stop in charging)
        done, at = 0, t0
        while at < t1:
            quarter = at - at % _SLICE_S
            at = min(quarter + _SLICE_S, t1)
            if whole:
                so_far = sum(max(0, min(stop, at) - max(start, t0)) for start, stop in charging)
                here = (e1 - e0) * so_far // whole
            else:
                here = (e1 - e0) * (at - t0) // (t1 - t0)
            if here > done:
                out[quarter] = out.get(quarter, 0) + here - done
            done = here
    return out


def _status(stay: Stay, *, ends: bool) -> tuple[str, str]:
    """Expected status, and why the session is outside the standard totals ('' = it is inside)."""
    if stay.fault is Fault.MISSING_START:
        return "orphan_stop", NO_START
    if stay.fault is Fault.MISSING_STOP:
        return ("ended_estimated", "") if ends else ("active", NOT_ENDED)
    gaps = stay.dropped and stay.connector.station.protocol != OCPP16
    return ("ended_gaps" if gaps else "ended"), ""


def _spans(stay: Stay, end: int) -> list[tuple[int, int, str]]:
    """Reported states from start to end, by the station's clock; none where none are told."""
    if not stay.connector.station.tells_states:
        return []
    skew = stay.connector.station.skew_s
    states = [(at + skew, state) for at, state in stay.course.states]
    nexts = [at for at, _ in states[1:]] + [end]
    return [
        (at, min(later, end), state)
        for (at, state), later in zip(states, nexts, strict=True)
        if at < end
    ]
