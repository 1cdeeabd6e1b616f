"""What a simulated stay used, from the simulator's own truth: nothing of the product is asked.

Energy flows evenly between two readings, over the charging time between them where the station
tells states; a power holds until the next one sent, and before the first the first.
"""

from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo

from producers.simulator.dialects import Stay
from producers.simulator.faults import Fault
from producers.simulator.fleet import OCPP16
from producers.simulator.truth import delivered
from tests.oracle.price_oracle import Session, Stretch

PARKED = {"EVConnected", "SuspendedEV"}
Series = list[tuple[int, int]]
States = list[tuple[int, str]]


def session_of(stay: Stay) -> Session:
    """The session that a charger's readings, states and powers tell, by the station's clock."""
    station = stay.connector.station
    curve, powers = delivered(stay), _powers(stay)
    told = stay.course.states if station.tells_states else []
    states = [(at + station.skew_s, state) for at, state in told]
    changes = {at for at, _ in [*powers, *states]}
    out: list[Stretch] = []
    for (t0, e0), (t1, e1) in pairwise(curve):
        cuts = sorted({t0, t1} | {t for t in changes if t0 < t < t1})
        parts = [(a, b, _state(states, a, flows=e1 > e0)) for a, b in pairwise(cuts)]
        flowing = {a for a, _, state in parts if state == "Charging"} or set(cuts)
        whole = sum(b - a for a, b, _ in parts if a in flowing)
        offset = given = 0
        for a, b, state in parts:
            share = (e1 - e0, whole * 1000, offset * 1000) if a in flowing else None
            offset += (b - a) * (a in flowing)
            energy = (e1 - e0) * offset // whole - given
            given += energy
            out.append(_stretch(a, b, energy, state, _power(powers, a), share))
    return Session(out, ZoneInfo(station.place.time_zone))


def _stretch(
    a: int, b: int, energy: int, state: str, power: int | None, share: tuple[int, int, int] | None
) -> Stretch:
    length = (b - a) * 1000
    return Stretch(
        a * 1000, b * 1000, energy, length * (state == "Charging"), length * (state in PARKED),
        power, power, None, None, share,
    )  # fmt: skip


def _state(states: States, at: int, *, flows: bool) -> str:
    """The state reported last; where none is ever told, the car charges while energy flows."""
    if not states:
        return "Charging" if flows else "SuspendedEV"
    return [state for since, state in states if since <= at][-1]


def _powers(stay: Stay) -> Series:
    """Instants and mW of the samples that were sent: OCPP 1.6 sends none at start and stop."""
    last = len(stay.course.points) - 1
    lost = set(stay.dropped)
    if stay.connector.station.protocol == OCPP16:
        lost |= {0, last}
    if stay.fault is Fault.MISSING_STOP:
        lost.add(last)
    skew = stay.connector.station.skew_s
    return [
        (point.at + skew, point.power_w * 1000)
        for index, point in enumerate(stay.course.points)
        if index not in lost
    ]


def _power(powers: Series, at: int) -> int | None:
    before = [mw for since, mw in powers if since <= at]
    return before[-1] if before else powers[0][1] if powers else None
