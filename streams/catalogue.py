"""The catalogue a worker prices with: one immutable snapshot, one revision number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.core.pricing.tariff import Tariff, Unsupported, parse_tariff


@dataclass(frozen=True, slots=True)
class StationInfo:
    """Master data of one station, as far as a session needs it."""

    area: str = ""
    city: str = ""
    country: str = ""
    time_zone: str = ""
    rated_power_w: int | None = None
    tariff_id: str = ""


NO_STATION = StationInfo()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Stations by (tenant, station id), tariffs by (tenant, tariff id)."""

    revision: int = 0
    stations: Mapping[tuple[str, str], StationInfo] = field(default_factory=dict)
    tariffs: Mapping[tuple[str, str], Tariff | Unsupported] = field(default_factory=dict)

    def station(self, owner: tuple[str, str]) -> StationInfo:
        """What is known of a station; an empty record where nothing is."""
        return self.stations.get(owner, NO_STATION)

    def tariff(self, tenant: str, tariff_id: str) -> Tariff | Unsupported | None:
        """The tariff, or None where it is unknown."""
        return self.tariffs.get((tenant, tariff_id))


def build_catalogue(
    revision: int, stations: Iterable[Mapping[str, Any]], tariffs: Iterable[Mapping[str, Any]]
) -> Catalogue:
    """A snapshot from rows of the tables `stations` and `tariffs`."""
    return Catalogue(
        revision,
        {
            (row["tenant"], row["station_id"]): StationInfo(
                row["area"],
                row["city"],
                row["country"],
                row["time_zone"],
                row["rated_power_w"],
                row["tariff_id"],
            )
            for row in stations
        },
        {
            (row["tenant"], row["tariff_id"]): parse_tariff(msgspec.json.decode(row["ocpi_json"]))
            for row in tariffs
        },
    )
