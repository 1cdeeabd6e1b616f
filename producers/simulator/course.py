"""What physically happens between plugging in and driving off: power, energy, states.

Times are whole seconds since the epoch, so that seconds priced by a tariff are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from producers.simulator.fleet import PowerClass

BATTERIES_WH = (24_000, 40_000, 52_000, 60_000, 64_000, 77_000, 82_000, 100_000)
_CAR_AC_W = (3_600, 7_200, 10_900, 10_900, 10_900, 21_500)
_CAR_DC_W = (46_000, 100_000, 135_000, 170_000, 250_000)
_LONGEST_STAY_S = 14 * 3600


class Point(NamedTuple):
    """The meter at one instant: energy since the start, power at that instant, battery."""

    at: int
    energy_mwh: int
    power_w: int
    soc_percent: int


@dataclass(slots=True)
class Course:
    """Points in time order, first at the start and last at the end; states likewise.

    Every state but the first `Charging` begins at a point.
    """

    points: list[Point]
    states: list[tuple[int, str]]


def course(rng: Random, power: PowerClass, start: int, *, plug_s: int, pause: bool) -> Course:
    """One stay. `plug_s`: seconds until energy flows; `pause`: smart charging interrupts once."""
    battery = rng.choice(BATTERIES_WH)
    limit = min(power.power_w * 97 // 100, rng.choice(_CAR_DC_W if power.direct else _CAR_AC_W))
    soc = rng.uniform(0.08, 0.6)
    target = rng.uniform(0.7, 0.92) if power.direct else rng.choice((0.8, 0.9, 0.98, 0.98))
    stay = _stay(rng, power, start)
    states = [(start, "EVConnected"), (start + plug_s, "Charging")]
    points = [Point(start, 0, 0, int(soc * 100))]
    car = _Car(battery * 1000, limit, soc, target)
    full = _charge(points, start + plug_s, car, leave=start + stay, step=power.sample_s)
    if full is not None:
        _idle(rng, points, states, power, start + stay)
    elif pause:
        _insert_pause(rng, points, states)
    return Course(points, states)


def _stay(rng: Random, power: PowerClass, start: int) -> int:
    if power.direct:
        return rng.randrange(900, 3600)
    if start // 3600 % 24 in (16, 17, 18, 19, 20, 21) and rng.random() < 0.6:
        return rng.randrange(7 * 3600, 12 * 3600)
    return min(_LONGEST_STAY_S, 2400 + int(rng.expovariate(1 / 9000)))


class _Car(NamedTuple):
    capacity_mwh: int
    limit_w: int
    soc: float
    target: float


def _charge(points: list[Point], at: int, car: _Car, *, leave: int, step: int) -> int | None:
    """Appends points until full (returns when) or until the driver leaves (returns None)."""
    begin, energy = points[0].at, 0
    capacity_mwh, limit, soc, target = car
    room = int((target - soc) * capacity_mwh)
    while at < leave:
        watts = int(limit * _taper(soc + energy / capacity_mwh))
        until = min(begin + ((at - begin) // step + 1) * step, leave)
        gain = watts * (until - at) * 5 // 18
        if energy + gain >= room and (full := at + (room - energy) * 18 // (watts * 5) + 1) < leave:
            points.append(Point(full, room, 0, int(target * 100)))
            return full
        at = until
        energy = min(energy + gain, room)
        points.append(Point(at, energy, watts, int((soc + energy / capacity_mwh) * 100)))
    return None


def _taper(soc: float) -> float:
    """Share of full power at a state of charge: flat to 55 %, then falling to 18 %."""
    return 1.0 if soc <= 0.55 else max(0.18, 1.0 - (soc - 0.55) * 1.9)


def _idle(
    rng: Random,
    points: list[Point],
    states: list[tuple[int, str]],
    power: PowerClass,
    leave: int,
) -> None:
    """The car is full and stands: a direct-current driver comes back soon."""
    full, energy, _, soc = points[-1]
    if power.direct:
        leave = min(leave, full + rng.randrange(30, 900))
    states.append((full, "SuspendedEV"))
    begin, step = points[0].at, power.sample_s
    at = begin + ((full - begin) // step + 1) * step
    while at < leave:
        points.append(Point(at, energy, 0, soc))
        at += step
    points.append(Point(leave, energy, 0, soc))


def _insert_pause(rng: Random, points: list[Point], states: list[tuple[int, str]]) -> None:
    """The operator suspends charging at one point; everything later happens later."""
    if len(points) < 4:
        return
    index = rng.randrange(1, len(points) - 1)
    length = rng.randrange(600, 3600)
    at, energy, watts, soc = points[index]
    later = [point._replace(at=point.at + length) for point in points[index + 1 :]]
    points[index] = Point(at, energy, 0, soc)
    points[index + 1 :] = [Point(at + length, energy, watts, soc), *later]
    states += [(at, "SuspendedEVSE"), (at + length, "Charging")]
