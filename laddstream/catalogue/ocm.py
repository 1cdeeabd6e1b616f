"""Open Charge Map POIs (`stations_ocm`): one station a POI, named OCM-<ID>.

`reference.json` of openchargemap/ocm-data beside the file gives countries and connector names;
the answers of the API with `verbose=true` carry both themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from laddstream.catalogue.converting import Raw, Source, settle_zone
from laddstream.catalogue.documents import Document, Steps, open_document

_COLUMNS: Mapping[str, Steps] = {
    "station_id": ("ID",),
    "name": ("AddressInfo", "Title"),
    "city": ("AddressInfo", "Town"),
    "area": ("AddressInfo", "Town"),
    "region": ("AddressInfo", "StateOrProvince"),
    "country": ("AddressInfo", "CountryID"),
    "time_zone": ("AddressInfo", "CountryID"),
    "latitude": ("AddressInfo", "Latitude"),
    "longitude": ("AddressInfo", "Longitude"),
    "connectors": ("Connections",),
}
_MAX_QUANTITY = 1000


def station(
    document: Document, poi: Mapping[str, Any], steps: Steps, source: Source
) -> Iterator[Raw]:
    """The station of a POI. What the register does not know is left out."""
    address = poi.get("AddressInfo") or {}
    countries, standards = _reference(document.path.with_name("reference.json"))
    number = poi.get("ID")
    country = (address.get("Country") or {}).get("ISOCode")
    country = country or countries.get(address.get("CountryID") or 0, "")
    town = _text(address.get("Town"))
    connectors = list(_connectors(poi.get("Connections") or [], standards))
    powers = [one["power_w"] for one in connectors if "power_w" in one]
    fields: dict[str, Any] = {
        "station_id": "" if number is None else f"OCM-{number}",
        "name": _text(address.get("Title")),
        "area": town,
        "city": town,
        "region": _text(address.get("StateOrProvince")),
        "country": country,
        "latitude": address.get("Latitude"),
        "longitude": address.get("Longitude"),
        "location_id": _text(poi.get("UUID")),
        "connectors": connectors,
        "rated_power_w": max(powers, default=None),
    }
    raw = Raw("stations", fields, document, steps, _COLUMNS)
    settle_zone(raw, source)
    yield raw


def _connectors(
    connections: list[Mapping[str, Any]], standards: Mapping[int, str]
) -> Iterator[dict[str, Any]]:
    number = 0
    for one in connections:
        kind = one.get("ConnectionTypeID")
        standard = _text((one.get("ConnectionType") or {}).get("Title"))
        standard = standard or standards.get(kind or 0, "" if kind is None else f"OCM-{kind}")
        power = one.get("PowerKW")
        watts = round(Decimal(power) * 1000) if isinstance(power, int | Decimal) else 0
        for _ in range(min(one.get("Quantity") or 1, _MAX_QUANTITY)):
            number += 1
            connector = {"connector_id": str(number), "standard": standard}
            yield connector | ({"power_w": watts} if watts > 0 else {})


def _text(value: object) -> str:
    return " ".join(str(value).split()) if value is not None else ""


@cache
def _reference(path: Path) -> tuple[dict[int, str], dict[int, str]]:
    """CountryID to ISO code and ConnectionTypeID to title; empty where there is no such file."""
    value = open_document(path, "json").value if path.is_file() else None
    if not isinstance(value, Mapping):
        return {}, {}
    countries = {one["ID"]: one["ISOCode"] for one in value.get("Countries", ())}
    return countries, {one["ID"]: one["Title"] for one in value.get("ConnectionTypes", ())}
