"""The fleet's master data as the catalogue file that `laddstream catalog load` takes."""

from __future__ import annotations

from producers.simulator.fleet import Fleet
from producers.simulator.tariffs import TARIFFS


def master_data(fleet: Fleet) -> dict[str, object]:
    """`{"stations": [...], "tariffs": [OCPI 2.2.1 objects]}`, ready for JSON."""
    return {
        "stations": [
            {
                "station_id": station.station_id,
                "name": station.name,
                "area": station.place.area,
                "city": station.place.city,
                "region": station.place.region,
                "country": station.place.country,
                "latitude": station.latitude,
                "longitude": station.longitude,
                "time_zone": station.place.time_zone,
                "rated_power_w": station.power.power_w,
                "tariff_id": station.tariff.tariff_id,
            }
            for station in fleet.stations
        ],
        "tariffs": [tariff.ocpi() for tariff in TARIFFS],
    }
