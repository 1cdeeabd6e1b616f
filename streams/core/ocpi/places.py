"""Where a session was: its time zone, and coordinates that were swapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from streams.core.ocpi import values
from streams.core.ocpi.reading import Notes
from streams.core.ocpi.values import shown

UTC: Final = ZoneInfo("UTC")
_LOCATIONS: Final = ("cdr_location", "location")
_EUROPE: Final = frozenset(
    {"ALB", "AND", "AUT", "BEL", "BGR", "BIH", "BLR", "CHE", "CYP", "CZE", "DEU", "DNK", "ESP"}
    | {"EST", "FIN", "FRA", "GBR", "GRC", "HRV", "HUN", "IRL", "ISL", "ITA", "LIE", "LTU", "LUX"}
    | {"LVA", "MCO", "MDA", "MKD", "MLT", "MNE", "NLD", "NOR", "POL", "PRT", "ROU", "SRB", "SVK"}
    | {"SVN", "SWE", "UKR"}
)


def zone_named(name: object) -> ZoneInfo | None:
    """A zone by its IANA name; None where there is none of that name."""
    if not isinstance(name, str) or not name.strip() or not name.isascii():
        return None
    try:
        return ZoneInfo(name.strip())
    except (KeyError, ValueError, OSError):
        return None


def find_zone(document: Mapping[str, Any], tz: ZoneInfo | None, notes: Notes) -> ZoneInfo:
    """The location's zone, else `tz`, else UTC with a warning."""
    places = [((), document)] + [
        ((name,), document[name]) for name in _LOCATIONS if isinstance(document.get(name), Mapping)
    ]
    for path, place in reversed(places):
        name = place.get("time_zone")
        if not name:
            continue
        zone = zone_named(name)
        if zone is not None:
            return zone
        notes.warn("unknown_time_zone", (*path, "time_zone"), f"{shown(name)} is no time zone.")
    if tz is not None:
        return tz
    text = "Nothing says the time zone of the location: local times are taken in UTC."
    notes.warn("no_time_zone", (), text)
    return UTC


def check_coordinates(document: Mapping[str, Any], notes: Notes) -> None:
    """Warn where latitude and longitude fit the location only the other way round."""
    for name in _LOCATIONS:
        place = document.get(name)
        if not isinstance(place, Mapping) or not isinstance(place.get("coordinates"), Mapping):
            continue
        read = [values.number(place["coordinates"].get(key)) for key in ("latitude", "longitude")]
        if read[0] is None or read[1] is None:
            continue
        latitude, longitude = read[0].value, read[1].value
        impossible = abs(latitude) > 90 >= abs(longitude)
        european = place.get("country") in _EUROPE and not 27 <= latitude <= 82
        if impossible or (european and 27 <= longitude <= 82 and -32 <= latitude <= 45):
            text = f"Latitude {latitude} and longitude {longitude} seem to be swapped."
            notes.warn("coordinates_swapped", (name, "coordinates"), text)
