"""The running fleet: who comes when, what goes wrong, and the records in order of arrival."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush
from random import Random
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from producers.simulator.course import Course, course
from producers.simulator.dialects import AFTER_S, BEFORE_S, Stay, boot, events
from producers.simulator.faults import Fault, Rates, draw
from producers.simulator.fleet import OCPP16, Connector, build_fleet
from producers.simulator.ledger import Ledger
from producers.simulator.spoil import registers, sample_gap, suits
from producers.simulator.transport import Transport
from producers.simulator.truth import truth
from schemas import wire

_HOURLY = (
    15, 10, 8, 8, 10, 20, 45, 75, 80, 65, 60, 65, 75, 70, 70, 75, 90, 100, 95, 80, 65, 50, 35, 22,
)  # fmt: skip
"""Chance in per cent that a driver who thinks of charging at this local hour comes."""

_BETWEEN_S = 60
_HOME_SHARE = 0.85
_REASONS = ("Local", "Local", "Local", "Local", "EVDisconnected", "Remote")


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """All a simulation follows from. `days`: None goes on for ever; `start` is aware."""

    stations: int
    days: float | None
    seed: int
    start: datetime = datetime(2026, 3, 1, tzinfo=UTC)
    tenant: str = "default"
    rates: Rates = field(default_factory=dict)


class Record(NamedTuple):
    """One Kafka record: simulated arrival in epoch ms, key, value."""

    arrival_ms: int
    key: bytes
    value: bytes


class Simulation:
    """One pass over a fleet's life; `ledger` is complete when `records` is exhausted.

    Without an end (`days` None) the ledger counts records and faults, but lists no session.
    """

    def __init__(self, spec: SimulationSpec) -> None:
        self.spec = spec
        self.fleet = build_fleet(
            stations=spec.stations,
            seed=spec.seed,
            tenant=spec.tenant,
            skew_rate=spec.rates.get(Fault.CLOCK_SKEW, 0.0),
        )
        self.ledger = Ledger(
            seed=spec.seed, tenant=spec.tenant, stations=spec.stations, rates=spec.rates
        )
        self._start = int(spec.start.timestamp())
        self._horizon = None if spec.days is None else self._start + int(spec.days * 86_400)
        self._offsets = {
            station.place.time_zone: _utc_offset_s(station.place.time_zone, spec.start)
            for station in self.fleet.stations
        }
        self._busy: dict[str, int] = {}
        self._transport = Transport(spec.rates, self.ledger)

    def records(self) -> Iterator[Record]:
        """Every record of the fleet in order of arrival; drawn lazily, once."""
        arrivals = self._open()
        while arrivals:
            at, index, connector = heappop(arrivals)
            yield from self._due((at - BEFORE_S) * 1000)
            following = self._visit(connector, at)
            if following is not None:
                heappush(arrivals, (following, index, connector))
        yield from self._due(None)

    def _due(self, until_ms: int | None) -> Iterator[Record]:
        waiting = self._transport.waiting
        while waiting and (until_ms is None or waiting[0][0] < until_ms):
            arrival, _, key, value = heappop(waiting)
            yield Record(arrival, key, value)

    def _open(self) -> list[tuple[int, int, Connector]]:
        arrivals: list[tuple[int, int, Connector]] = []
        for station in self.fleet.stations:
            if station.skew_s:
                self.ledger.faults[Fault.CLOCK_SKEW] += 1
            for connector in station.connectors:
                value = wire.encode(boot(self.spec.tenant, connector, self._start))
                self._transport.send_plain(connector, self._start, value)
                first = self._next(connector, self._start + BEFORE_S)
                if self._horizon is None or first < self._horizon:
                    arrivals.append((first, len(arrivals), connector))
        heapify(arrivals)
        return arrivals

    def _next(self, connector: Connector, at: int) -> int:
        """When the next driver comes to a free connector."""
        rng, station = connector.rng, connector.station
        rate = station.popularity / station.power.idle_s
        offset = self._offsets[station.place.time_zone]
        while True:
            at += 1 + int(rng.expovariate(rate))
            if rng.random() * 100 < _HOURLY[(at + offset) // 3600 % 24]:
                return at

    def _visit(self, connector: Connector, at: int) -> int | None:
        """One stay: what happens, what goes wrong, what is sent, what is true. Returns the next."""
        rng, power = connector.rng, connector.station.power
        old = connector.station.protocol == OCPP16
        happening = course(
            rng,
            power,
            at,
            plug_s=0 if old else rng.randrange(3, 40),
            pause=not old and not power.direct and rng.random() < 0.08,
        )
        end = happening.points[-1].at
        following: int | None = self._next(connector, end + AFTER_S + BEFORE_S + _BETWEEN_S)
        if self._horizon is not None and following is not None and following >= self._horizon:
            following = None
        fault = draw(rng, self.spec.rates)
        if fault is not None and not suits(fault, connector, happening, following, self._horizon):
            fault = None
        stay = self._stay(connector, happening, fault)
        if fault is not None:
            self.ledger.faults[fault] += 1
        connector.dangling = fault is Fault.MISSING_STOP
        self._transport.send(stay, events(stay, rng), rng)
        if self._horizon is not None:
            # A fleet without end has no totals, and its ledger would grow for ever.
            self.ledger.sessions.append(truth(stay, ends=following is not None))
        return following

    def _stay(self, connector: Connector, happening: Course, fault: Fault | None) -> Stay:
        rng, station = connector.rng, connector.station
        begin, end = happening.points[0].at, happening.points[-1].at
        if station.protocol == OCPP16:
            station.transactions += 1
            transaction_id = str(station.transactions)
        else:
            transaction_id = str(UUID(int=rng.getrandbits(128), version=4))
        late = rng.random() < self.spec.rates.get(Fault.LATE, 0.0)
        return Stay(
            tenant=self.spec.tenant,
            connector=connector,
            driver=self._driver(rng, station.place.area, begin, end),
            transaction_id=transaction_id,
            course=happening,
            registers_mwh=registers(connector, happening, fault),
            fault=fault,
            dropped=sample_gap(rng, happening) if fault is Fault.GAP else frozenset(),
            offline_from=rng.randrange(begin, end) if late else None,
            reason=rng.choice(_REASONS),
        )

    def _driver(self, rng: Random, area: str, begin: int, end: int) -> str:
        """A driver who is nowhere else meanwhile: some come far more often than others."""
        drivers = self.fleet.drivers
        for _ in range(8):
            home = area if rng.random() < _HOME_SHARE else rng.choice(tuple(drivers))
            pool = drivers[home]
            driver = pool[int(len(pool) * rng.random() ** 1.6)]
            if self._busy.get(driver, 0) < begin:
                self._busy[driver] = end + _BETWEEN_S
                return driver
        return f"SE-LAD-G{rng.getrandbits(40):010X}-1"


def _utc_offset_s(time_zone: str, moment: datetime) -> int:
    offset = moment.astimezone(ZoneInfo(time_zone)).utcoffset() or timedelta()
    return int(offset.total_seconds())
