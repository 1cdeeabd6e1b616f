"""Faults that change what a session is: where they apply, and what they do to its readings."""

from __future__ import annotations

from random import Random

from producers.simulator.course import Course
from producers.simulator.faults import Fault
from producers.simulator.fleet import OCPP16, Connector

_WH = 1000
_CLEARLY_LIFETIME_MWH = 300_000 * _WH
"""A register above this cannot be mistaken for one session's energy."""

_WORTH_MWH = 500 * _WH
_STILL_OPEN_S = 6 * 3600
"""A session may stay open at the end of the simulation if it was heard of this recently:
later silence stays well below the day after which sessions are given up."""


def suits(
    fault: Fault,
    connector: Connector,
    happening: Course,
    following: int | None,
    horizon: int | None,
) -> bool:
    """Whether a fault can happen to this stay so that the truth stays known.

    `following`: when the next driver comes to the connector, if one does before `horizon`.
    """
    points = happening.points
    old = connector.station.protocol == OCPP16
    if fault is Fault.MISSING_START:
        # A session whose stop was lost needs a start that arrives to close it.
        return not connector.dangling
    if fault is Fault.MISSING_STOP:
        recent = horizon is None or points[-2].at > horizon - _STILL_OPEN_S
        return len(points) > 3 and (following is not None or recent)
    if fault is Fault.REGISTER_RESET:
        return connector.register_mwh > _CLEARLY_LIFETIME_MWH and _reset_at(happening) is not None
    if fault is Fault.SESSION_RELATIVE_REGISTER:
        return old and connector.register_mwh > _CLEARLY_LIFETIME_MWH and len(points) > 2
    if fault is Fault.GAP:
        return bool(_plain_samples(happening))
    return old or fault is not Fault.MINUS_ONE_TRANSACTION


def registers(connector: Connector, happening: Course, fault: Fault | None) -> list[int]:
    """What the meter shows at each point, in mWh; moves the connector's odometer on.

    Start and stop are whole watt-hours. With `unit_mix` readings between them have fractions.
    """
    base = connector.register_mwh
    total = happening.points[-1].energy_mwh
    shown = [
        base + (point.energy_mwh if fault is Fault.UNIT_MIX else point.energy_mwh // _WH * _WH)
        for point in happening.points
    ]
    if fault is Fault.UNIT_MIX:
        full = base + -(-total // _WH) * _WH
        shown = [
            full if point.energy_mwh == total else mwh
            for point, mwh in zip(happening.points, shown, strict=True)
        ]
    if fault is Fault.REGISTER_RESET and (index := _reset_at(happening)) is not None:
        zero = shown[index]
        shown = [mwh if at < index else mwh - zero for at, mwh in enumerate(shown)]
    connector.register_mwh = shown[-1]
    return shown


def sample_gap(rng: Random, happening: Course) -> frozenset[int]:
    """Indices of one to four neighbouring samples that are never sent; no change of state."""
    candidates = _plain_samples(happening)
    first = rng.randrange(len(candidates))
    return frozenset(candidates[first : first + rng.randrange(1, 5)])


def _plain_samples(happening: Course) -> list[int]:
    states = {at for at, _ in happening.states}
    last = len(happening.points) - 1
    return [i for i in range(1, last) if happening.points[i].at not in states]


def _reset_at(happening: Course) -> int | None:
    """The middle of the charge, if enough energy flows before and after it."""
    points = happening.points
    total = points[-1].energy_mwh
    for index in range(2, len(points) - 1):
        if points[index].energy_mwh * 2 >= total:
            after = total - points[index].energy_mwh
            return index if after >= _WORTH_MWH else None
    return None
