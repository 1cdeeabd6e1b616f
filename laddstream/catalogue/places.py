"""Countries and their time zones, from the zone tables of tzdata; alpha-3 codes of ISO 3166."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files

_CODES = (
    "ALB AL AND AD AUT AT BEL BE BGR BG BIH BA BLR BY CHE CH CYP CY CZE CZ DEU DE DNK DK ESP ES"
    " EST EE FIN FI FRA FR FRO FO GBR GB GIB GI GRC GR HRV HR HUN HU IMN IM IRL IE ISL IS ITA IT"
    " LIE LI LTU LT LUX LU LVA LV MCO MC MDA MD MKD MK MLT MT MNE ME NLD NL NOR NO POL PL PRT PT"
    " ROU RO SMR SM SRB RS SVK SK SVN SI SWE SE TUR TR UKR UA XKX XK ARE AE ARG AR AUS AU BRA BR"
    " CAN CA CHL CL CHN CN COL CO EGY EG IDN ID IND IN ISR IL JPN JP KOR KR MAR MA MEX MX MYS MY"
    " NZL NZ PHL PH SAU SA SGP SG THA TH TWN TW USA US VNM VN ZAF ZA"
)
_ALPHA2 = dict(zip(_CODES.split()[::2], _CODES.split()[1::2], strict=True))

_CANARIES_SOUTH_OF, _AZORES_WEST_OF = 30, -20


def country_code(text: str) -> str:
    """The two letters of a country known by three; anything else as it is."""
    return _ALPHA2.get(text.upper(), text)


def zone_at(country: str, latitude: Decimal | None, longitude: Decimal | None) -> str:
    """The zone of a place in a country, empty where the country has several and we cannot know."""
    if country == "ES" and latitude is not None:
        return "Atlantic/Canary" if latitude < _CANARIES_SOUTH_OF else "Europe/Madrid"
    if country == "PT" and longitude is not None:
        if longitude < _AZORES_WEST_OF:
            return "Atlantic/Azores"
        return "Atlantic/Madeira" if longitude < -15 else "Europe/Lisbon"
    zones = _zones().get(country, [])
    if country == "DE":
        return "Europe/Berlin"  # Busingen has a name of its own and the same clock
    return zones[0] if len(zones) == 1 else ""


@cache
def _zones() -> Mapping[str, list[str]]:
    """Country to its zones, as in zone.tab."""
    out: dict[str, list[str]] = defaultdict(list)
    text = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            out[country].append(zone)
    return out
