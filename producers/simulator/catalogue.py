"""The fleet's master data as the catalogue file that `laddstream catalog load` takes."""

from __future__ import annotations

from datetime import datetime

from producers.simulator.fleet import Fleet
from producers.simulator.people import people
from producers.simulator.tariffs import TARIFFS


def master_data(fleet: Fleet, start: datetime) -> dict[str, object]:
    """Stations, OCPI 2.2.1 tariffs, drivers, companies, plans and subscriptions, ready for JSON.

    `start`: when the fleet begins to run, aware.
    """
    return {
        **people(fleet, start),
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
