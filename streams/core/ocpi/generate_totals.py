"""Around the periods of a generated CDR: who, where, and what it cost in all."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from schemas.currencies import minor_exponent
from schemas.units import iso_ms
from streams.core.ocpi.version import V211, V230
from streams.core.pricing.model import ENERGY, FLAT, PARKING_TIME, TIME
from streams.core.pricing.priced import Money, Priced, half_up
from streams.core.pricing.usage import Usage

_HOUR_MS: Final = 3_600_000
_PLACES: Final[Mapping[str, tuple[str, str, str]]] = {
    "Europe/Stockholm": ("SWE", "59.332600", "18.064900"),
    "Europe/Oslo": ("NOR", "59.911500", "10.757900"),
    "Europe/Copenhagen": ("DNK", "55.676100", "12.568300"),
    "Europe/Helsinki": ("FIN", "60.169900", "24.938400"),
    "Europe/Berlin": ("DEU", "52.520000", "13.405000"),
    "Europe/Amsterdam": ("NLD", "52.367600", "4.904100"),
    "Europe/Brussels": ("BEL", "50.850300", "4.351700"),
    "Europe/Paris": ("FRA", "48.856600", "2.352200"),
    "Europe/London": ("GBR", "51.507400", "-0.127800"),
    "Europe/Madrid": ("ESP", "40.416800", "-3.703800"),
    "Europe/Rome": ("ITA", "41.902800", "12.496400"),
    "America/New_York": ("USA", "40.712800", "-74.006000"),
    "America/Toronto": ("CAN", "43.653200", "-79.383200"),
    "Australia/Sydney": ("AUS", "-33.868800", "151.209300"),
}
_NOWHERE: Final = ("ZZZ", "0.000000", "0.000000")
_COSTS: Final[Mapping[str, str]] = {
    FLAT: "total_fixed_cost",
    ENERGY: "total_energy_cost",
    TIME: "total_time_cost",
    PARKING_TIME: "total_parking_cost",
}


def frame(
    document: Mapping[str, Any], version: str, zone: str, start_ms: int, end_ms: int, seed: int
) -> dict[str, Any]:
    """A CDR without periods and sums. `cdr_location.time_zone` is an extension of ours: without
    it nobody could price the CDR again.
    """
    country = str(document.get("country_code") or "SE")[:2]
    party = str(document.get("party_id") or "LAD")[:3]
    number = f"{seed % 10**9:09d}"
    start, end = (iso_ms(ms).replace(".000Z", "Z") for ms in (start_ms, end_ms))
    name = f"generated-{start_ms}-{number}"
    if version == V211:
        return {
            "id": name,
            "start_date_time": start,
            "stop_date_time": end,
            "auth_id": f"04A1{number}",
            "auth_method": "WHITELIST",
            "location": _location(zone, country, party) | {"type": "ON_STREET"},
        }
    return {
        "country_code": country,
        "party_id": party,
        "id": name,
        "start_date_time": start,
        "end_date_time": end,
        "session_id": f"session-{start_ms}-{number}",
        "cdr_token": {
            "country_code": country,
            "party_id": party,
            "uid": f"04A1{number}",
            "type": "RFID",
            "contract_id": f"{country}-{party}-C{number}",
        },
        "auth_method": "WHITELIST",
        "cdr_location": _location(zone, country, party),
    }


def _location(zone: str, country: str, party: str) -> dict[str, Any]:
    code, latitude, longitude = _PLACES.get(zone, _NOWHERE)
    city = zone.rpartition("/")[2].replace("_", " ")
    return {
        "id": "LOC1",
        "name": f"{city} 1",
        "address": "1 Example Street",
        "city": city,
        "postal_code": "10000",
        "country": code,
        "coordinates": {"latitude": latitude, "longitude": longitude},
        "evse_uid": "EVSE1",
        "evse_id": f"{country}*{party}*E1",
        "connector_id": "1",
        "connector_standard": "IEC_62196_T2",
        "connector_format": "SOCKET",
        "connector_power_type": "AC_3_PHASE",
        "time_zone": zone,
    }


def totals(cdr: Mapping[str, Any], priced: Priced, usage: Usage, version: str) -> dict[str, Any]:
    """The CDR with what it cost: the whole rounded as sessions are, its parts each on its own."""
    exponent = minor_exponent(priced.currency)
    places = 2 if exponent is None else exponent
    out = dict(cdr)
    out["total_cost"] = _cost(priced.rounded(places), places, version)
    out["total_time"] = _hours(usage.end_ms - usage.start_ms)
    if usage.parking_ms:
        out["total_parking_time"] = _hours(usage.parking_ms)
    if version != V211:
        unit = priced.scale * 10 ** (6 - places)
        for dimension, name in _COSTS.items():
            lines = [line for line in priced.lines if line.dimension == dimension]
            if lines:
                excl = half_up(sum(line.excl for line in lines), unit)
                incl = half_up(sum(line.incl for line in lines), unit)
                out[name] = _cost(Money(excl, incl), places, version)
    out["last_updated"] = iso_ms(usage.end_ms + 60_000).replace(".000Z", "Z")
    return out


def _cost(money: Money, places: int, version: str) -> Any:  # noqa: ANN401 - a number or an object
    excl, incl = (Decimal(minor).scaleb(-places) for minor in money)
    if version == V211:
        return excl
    if version == V230:
        tax = {"taxes": [{"name": "VAT", "amount": incl - excl}]} if incl != excl else {}
        return {"before_taxes": excl} | tax
    return {"excl_vat": excl, "incl_vat": incl}


def _hours(ms: int) -> Decimal | int:
    hours = round(Decimal(ms) / _HOUR_MS, 4)
    return int(hours) if hours == int(hours) else hours.normalize()
