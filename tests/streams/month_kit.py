"""A simulated fleet with its stays, its catalogue with ten tariffs and plans, and the product's
sessions of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID
from zlib import crc32

import msgspec

from producers.simulator import DEFAULT_RATES, Simulation, SimulationSpec
from producers.simulator.course import Course
from producers.simulator.dialects import Stay
from producers.simulator.faults import Fault
from producers.simulator.fleet import Connector
from schemas import wire
from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue
from streams.convert import to_core
from streams.core.allot import Start, Tagged, allot
from streams.core.events import CoreEvent, Started
from streams.core.identity import start_session_id, transaction_session_id
from streams.core.session import Connector as Plug
from streams.core.session import Session, Station
from streams.decode import parse_time
from streams.session_rows import Derived, derive_session

Json = dict[str, Any]
Owner = tuple[str, str]

_DECODER = msgspec.json.Decoder(wire.AnyEvent)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
PLAN_FROM_MS = 1_773_187_200_000
"""2026-03-11T00:00Z: until then nobody has a plan."""


def _element(*components: tuple[str, str, int, str | None], **when: Any) -> Json:
    out: Json = {"price_components": [
        {"type": kind, "price": Decimal(price), "step_size": step}
        | ({} if vat is None else {"vat": Decimal(vat)})
        for kind, price, step, vat in components
    ]}  # fmt: skip
    return out | ({"restrictions": when} if when else {})


def _tariff(name: str, *elements: Json, **more: Any) -> Json:
    return {"id": name, "currency": "SEK", "elements": list(elements), **more}


WEEK = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]
TEN: list[Json] = [
    _tariff("energy", _element(("ENERGY", "3.16", 1, "25"))),
    _tariff("start", _element(("ENERGY", "2.955", 100, "25"), ("FLAT", "5", 1, "6"))),
    _tariff("minutes", _element(("TIME", "19.90", 300, "25"), ("ENERGY", "1.1", 1, "25"))),
    _tariff(
        "night",
        _element(("ENERGY", "1.79", 1, "25"), start_time="22:00", end_time="06:00"),
        _element(("ENERGY", "3.4567", 1, "25"), ("TIME", "0.60", 1, "25")),
        tax_included="NO",
    ),
    _tariff(
        "weekday",
        _element(("ENERGY", "4.25", 500, "25"), day_of_week=WEEK, start_time="07:00",
                 end_time="19:00"),
        _element(("ENERGY", "3.05", 500, "25")),
        tax_included="YES",
    ),
    _tariff(
        "tiers",
        _element(("ENERGY", "0", 1, "25"), max_kwh=2),
        _element(("ENERGY", "4.10", 1, "25"), min_kwh=2, max_kwh=Decimal("20.5")),
        _element(("ENERGY", "2.33", 1, None), min_kwh=Decimal("20.5")),
    ),
    _tariff(
        "hours",
        _element(("TIME", "0", 60, "25"), max_duration=3600),
        _element(("TIME", "12.34", 60, "25"), ("FLAT", "7.5", 1, "25"), min_duration=3600,
                 max_duration=14_400),
        _element(("TIME", "30", 900, "25"), ("ENERGY", "1", 1, "25")),
    ),
    _tariff(
        "bands",
        _element(("ENERGY", "2.2", 1, "25"), max_power=11),
        _element(("ENERGY", "3.3", 1, "25"), min_power=11, max_power=Decimal("49.5")),
        _element(("ENERGY", "5.5", 1, "25"), min_power=Decimal("49.5")),
        _element(("ENERGY", "9.9", 1, "25")),
    ),
    _tariff(
        "parking",
        _element(("ENERGY", "3.3333", 1, "25"), ("TIME", "1", 1, "25")),
        _element(("PARKING_TIME", "60", 600, "20"), start_time="08:00", end_time="20:00",
                 day_of_week=[*WEEK, "SATURDAY"]),
        _element(("PARKING_TIME", "6.66", 900, "20"), min_duration=10_800),
    ),
    _tariff(
        "bounds",
        _element(("ENERGY", "3.7", 1, "25"), ("PARKING_TIME", "4", 1, "25")),
        min_price={"before_taxes": Decimal(40), "after_taxes": Decimal(50)},
        max_price={"before_taxes": Decimal(200), "after_taxes": Decimal(240)},
        tax_included="NO",
    ),
]  # fmt: skip
MEMBER = _tariff(
    "member",
    _element(("ENERGY", "1.99", 10, "25"), start_date="2026-03-20", end_date="2026-03-25"),
    _element(("ENERGY", "2.49", 10, "25"), ("PARKING_TIME", "2", 60, "25")),
)
PLANS: dict[str, Json] = {
    "tenth": {"plan_id": "tenth", "currency": "SEK", "discount_percent": "12.5"},
    "member": {"plan_id": "member", "currency": "SEK", "tariff_id": "member"},
}
BY_ID = {document["id"]: document for document in [*TEN, MEMBER]}


def plan_of(token: str) -> str:
    """Every fourth driver has one plan, every fourth the other."""
    return ("tenth", "member", "", "")[crc32(token.encode()) % 4]


class Fleet(Simulation):
    """A simulation that remembers its stays, in the order of its ledger."""

    def __init__(self, spec: SimulationSpec) -> None:
        super().__init__(spec)
        self.stays: list[Stay] = []

    def _stay(self, connector: Connector, happening: Course, fault: Fault | None) -> Stay:
        stay = super()._stay(connector, happening, fault)
        self.stays.append(stay)
        return stay

    def tariff_of(self, station_id: str) -> str:
        """Ten tariffs, dealt out by the number at the end of a station's id."""
        return str(TEN[int(station_id[-5:]) % len(TEN)]["id"])

    def catalogue(self) -> Catalogue:
        """Stations, tariffs, drivers and their plans, as the store's rows."""
        stations = [
            {
                "tenant": "default", "station_id": s.station_id, "area": s.place.area,
                "city": s.place.city, "country": s.place.country,
                "time_zone": s.place.time_zone, "rated_power_w": s.power.power_w,
                "tariff_id": self.tariff_of(s.station_id),
            }
            for s in self.fleet.stations
        ]  # fmt: skip
        tariffs = [
            {"tenant": "default", "tariff_id": name, "ocpi_json": _ENCODER.encode(document)}
            for name, document in BY_ID.items()
        ]
        tokens = sorted({stay.driver for stay in self.stays if plan_of(stay.driver)})
        return build_catalogue(
            1,
            stations,
            tariffs,
            drivers=[{"tenant": "default", "driver_key": t, "driver_id": t} for t in tokens],
            plans=[
                {"tenant": "default", "plan_id": name, "plan_json": _ENCODER.encode(plan)}
                for name, plan in PLANS.items()
            ],
            subscriptions=[
                {"tenant": "default", "driver_id": t, "plan_id": plan_of(t),
                 "from_ms": PLAN_FROM_MS}
                for t in tokens
            ],
        )  # fmt: skip


def fleet_of(stations: int, days: float, seed: int) -> Fleet:
    """A fleet with the usual faults, from 2026-03-01 on."""
    return Fleet(SimulationSpec(stations=stations, days=days, seed=seed, rates=DEFAULT_RATES))


@dataclass
class Stitched:
    """Events of sessions by id, and where each stands."""

    events: dict[UUID, set[CoreEvent]] = field(default_factory=lambda: defaultdict(set))
    owners: dict[UUID, Owner] = field(default_factory=dict)


def derived_of(fleet: Fleet) -> Iterator[Derived]:
    """What the product makes of the fleet's records: session by session, priced."""
    found = _stitch(fleet)
    known = fleet.catalogue()
    plugs: dict[tuple[Owner, int], Plug] = defaultdict(Plug)
    sessions = []
    for sid, events in found.events.items():
        owner = found.owners[sid]
        session = Session(Station(owner, 0), sid, "")
        session.events = events
        session.start_ts = max((e.ts for e in events if isinstance(e, Started)), default=None)
        number = max((e.evse if e.evse >= 0 else e.connector for e in events
                      if isinstance(e, Started)), default=None)  # fmt: skip
        if session.start_ts is not None and number is not None:
            session.connector = plugs[owner, number]
            session.connector.last_start = max(session.connector.last_start, session.start_ts)
        sessions.append(session)
    for session in sessions:
        derived = derive_session(session, known)
        assert derived is not None
        yield derived


def _stitch(fleet: Fleet) -> Stitched:
    """Events by session, by the rules of identity and allotment."""
    out = Stitched()
    starts: dict[Owner, dict[UUID, Start]] = defaultdict(dict)
    others: dict[Owner, set[Tagged]] = defaultdict(set)
    for record in fleet.records():
        try:
            event = _DECODER.decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        ts = parse_time(event.timestamp)
        core = to_core(event, ts) if isinstance(ts, int) else None
        if core is None:
            continue
        owner, transaction = (event.tenant, event.station_id), event.transaction_id or ""
        if event.protocol != "ocpp1.6":
            sid = transaction_session_id(*owner, transaction)
            out.events[sid].add(core)
            out.owners[sid] = owner
        elif isinstance(core, Started):
            sid = start_session_id(
                *owner, event.connector_id, core.id_token, event.timestamp, core.meter_mwh
            )
            starts[owner][sid] = Start(sid, core, frozenset({transaction}))
            out.events[sid].add(core)
            out.owners[sid] = owner
        else:
            others[owner].add(Tagged(transaction, core))
    for owner, tagged in others.items():
        for one, home in allot(starts[owner].values(), tagged).items():
            sid = home or transaction_session_id(*owner, one.transaction_id)
            out.events[sid].add(one.event)
            out.owners[sid] = owner
    return out
