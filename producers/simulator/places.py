"""The map: districts with their city, region, country, position and time zone."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A district that stations stand in; positions in degrees (WGS 84)."""

    area: str
    city: str
    region: str
    country: str
    latitude: float
    longitude: float
    time_zone: str


_STOCKHOLM, _OSLO, _COPENHAGEN, _HELSINKI = (
    "Europe/Stockholm",
    "Europe/Oslo",
    "Europe/Copenhagen",
    "Europe/Helsinki",
)

PLACES: tuple[Place, ...] = (
    Place("Södermalm", "Stockholm", "Stockholms län", "SE", 59.3150, 18.0710, _STOCKHOLM),
    Place("Vasastan", "Stockholm", "Stockholms län", "SE", 59.3440, 18.0480, _STOCKHOLM),
    Place("Kista", "Stockholm", "Stockholms län", "SE", 59.4030, 17.9440, _STOCKHOLM),
    Place("Hisingen", "Göteborg", "Västra Götalands län", "SE", 57.7260, 11.9300, _STOCKHOLM),
    Place("Majorna", "Göteborg", "Västra Götalands län", "SE", 57.6920, 11.9170, _STOCKHOLM),
    Place("Västra Hamnen", "Malmö", "Skåne län", "SE", 55.6130, 12.9780, _STOCKHOLM),
    Place("Möllevången", "Malmö", "Skåne län", "SE", 55.5910, 13.0080, _STOCKHOLM),
    Place("Luthagen", "Uppsala", "Uppsala län", "SE", 59.8630, 17.6190, _STOCKHOLM),
    Place("Gottfridsberg", "Linköping", "Östergötlands län", "SE", 58.4170, 15.5990, _STOCKHOLM),
    Place("Adolfsberg", "Örebro", "Örebro län", "SE", 59.2400, 15.1890, _STOCKHOLM),
    Place("Haga", "Umeå", "Västerbottens län", "SE", 63.8370, 20.2560, _STOCKHOLM),
    Place("Örnäset", "Luleå", "Norrbottens län", "SE", 65.5830, 22.1890, _STOCKHOLM),
    Place("Frösön", "Östersund", "Jämtlands län", "SE", 63.1890, 14.5850, _STOCKHOLM),
    Place("Innerstaden", "Visby", "Gotlands län", "SE", 57.6400, 18.2960, _STOCKHOLM),
    Place("Grünerløkka", "Oslo", "Oslo", "NO", 59.9230, 10.7590, _OSLO),
    Place("Bergenhus", "Bergen", "Vestland", "NO", 60.3930, 5.3240, _OSLO),
    Place("Tromsøya", "Tromsø", "Troms", "NO", 69.6490, 18.9550, _OSLO),
    Place("Nørrebro", "København", "Hovedstaden", "DK", 55.6950, 12.5500, _COPENHAGEN),
    Place("Trøjborg", "Aarhus", "Midtjylland", "DK", 56.1730, 10.2150, _COPENHAGEN),
    Place("Kallio", "Helsinki", "Uusimaa", "FI", 60.1840, 24.9500, _HELSINKI),
    Place("Kaleva", "Tampere", "Pirkanmaa", "FI", 61.4980, 23.8140, _HELSINKI),
    Place("Vesturbær", "Reykjavík", "Höfuðborgarsvæðið", "IS", 64.1470, -21.9620,
          "Atlantic/Reykjavik"),
    Place("Kothrud", "Pune", "Maharashtra", "IN", 18.5070, 73.8070, "Asia/Kolkata"),
)  # fmt: skip
"""Real districts; the last stands for a fleet abroad, with an offset of a half hour."""
