"""Who takes part: stations with connectors, and drivers with a home district."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from producers.simulator.places import PLACES, Place
from producers.simulator.tariffs import AC_BASIC, AC_TIME, DC_FAST, DC_PARKING, EURO, Tariff
from schemas.topics import event_key
from schemas.wire import ProtocolName

OCPP16: Final = "ocpp1.6"
OCPP201: Final = "ocpp2.0.1"
OCPP21: Final = "ocpp2.1"
PROTOCOLS: tuple[ProtocolName, ...] = (OCPP16, OCPP201, OCPP21)


class PowerClass(NamedTuple):
    """A kind of charger: watts of one connector, seconds between samples, mean seconds idle."""

    power_w: int
    direct: bool
    sample_s: int
    idle_s: int
    weight: int


POWER_CLASSES: tuple[PowerClass, ...] = (
    PowerClass(3_700, direct=False, sample_s=900, idle_s=10_800, weight=8),
    PowerClass(7_400, direct=False, sample_s=600, idle_s=9_000, weight=18),
    PowerClass(11_000, direct=False, sample_s=600, idle_s=7_200, weight=34),
    PowerClass(22_000, direct=False, sample_s=300, idle_s=5_400, weight=20),
    PowerClass(50_000, direct=True, sample_s=120, idle_s=4_500, weight=9),
    PowerClass(150_000, direct=True, sample_s=60, idle_s=2_700, weight=8),
    PowerClass(350_000, direct=True, sample_s=60, idle_s=2_400, weight=3),
)


@dataclass(slots=True, eq=False)
class Connector:
    """One connector and what it remembers: its odometer and whether a session hangs open."""

    station: Station
    number: int
    rng: Random
    register_mwh: int
    dangling: bool = False
    """The last session's stop was lost: only the next start closes it."""


@dataclass(slots=True, eq=False)
class Station:
    """A charging station; `utc_offset_s` is its civil time at the simulation's start."""

    station_id: str
    name: str
    place: Place
    protocol: ProtocolName
    power: PowerClass
    tariff: Tariff
    popularity: float
    key: bytes
    latitude: float
    longitude: float
    tells_states: bool = True
    """OCPP 1.6: it sends StatusNotification while charging; some old ones do not."""
    skew_s: int = 0
    connectors: list[Connector] = field(default_factory=list)
    transactions: int = 0
    """OCPP 1.6: transaction ids given so far."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Stations, and drivers' tokens by the area they live in."""

    tenant: str
    stations: tuple[Station, ...]
    drivers: dict[str, tuple[str, ...]]


def build_fleet(*, stations: int, seed: int, tenant: str, skew_rate: float = 0.0) -> Fleet:
    """The fleet of one seed. `skew_rate`: share of stations whose clock is up to 90 s off."""
    rng = Random(f"fleet/{seed}")
    built = tuple(_station(rng, index, seed, tenant) for index in range(stations))
    for station in built:
        clock = Random(f"clock/{seed}/{station.station_id}")
        if clock.random() < skew_rate:
            station.skew_s = clock.choice((-90, -45, -20, -7, 7, 20, 45, 90))
    return Fleet(tenant, built, _drivers(rng, built))


def _station(rng: Random, index: int, seed: int, tenant: str) -> Station:
    place = PLACES[index % len(PLACES)] if index < len(PLACES) else rng.choice(PLACES)
    power = rng.choices(POWER_CLASSES, [one.weight for one in POWER_CLASSES])[0]
    protocol = rng.choices(PROTOCOLS, (5, 3, 2))[0]
    station_id = f"{place.country}-{_letters(place.city)}-{index + 1:05d}"
    station = Station(
        station_id=station_id,
        name=f"{place.area} {index // len(PLACES) + 1}",
        place=place,
        protocol=protocol,
        power=power,
        tariff=_tariff(rng, place, protocol, power),
        popularity=rng.uniform(0.4, 1.8),
        key=event_key(tenant, station_id),
        latitude=round(place.latitude + rng.uniform(-0.02, 0.02), 5),
        longitude=round(place.longitude + rng.uniform(-0.03, 0.03), 5),
        tells_states=protocol != OCPP16 or rng.random() < 0.7,
    )
    station.connectors = [
        Connector(
            station,
            number,
            Random(f"{seed}/{station_id}/{number}"),
            rng.randrange(400_000, 60_000_000) * 1000,
        )
        for number in range(1, rng.choice((1, 2, 2, 2, 4)) + 1)
    ]
    return station


def _letters(city: str) -> str:
    plain = city.upper().translate(str.maketrans("ÅÄÖØÆÍÝÞÐ", "AAOOAIYTD"))
    return plain[:3]


def _tariff(rng: Random, place: Place, protocol: ProtocolName, power: PowerClass) -> Tariff:
    """Prices by time only where the protocol says what the car does: OCPP 2.x."""
    by_time = protocol != OCPP16 and rng.random() < 0.5
    if place.time_zone == "Europe/Helsinki":
        return EURO
    if power.direct:
        return DC_PARKING if by_time else DC_FAST
    return AC_TIME if by_time else AC_BASIC


def _drivers(rng: Random, stations: tuple[Station, ...]) -> dict[str, tuple[str, ...]]:
    share: dict[str, int] = {}
    for station in stations:
        share[station.place.area] = share.get(station.place.area, 0) + 8
    numbers = iter(rng.sample(range(16**6), sum(share.values())))
    return {
        area: tuple(f"SE-LAD-C{next(numbers):06X}-1" for _ in range(count))
        for area, count in share.items()
    }
