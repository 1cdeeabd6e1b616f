"""A NOBIL dump (`stations_nobil`): one station a charger station, by its International_id.

Positions are text, "(59.85,17.64)"; power is prose with a decimal comma, "3,6 kW - 230V 1-phase";
cities are in capitals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from laddstream.catalogue.converting import Raw, Source, settle_zone
from laddstream.catalogue.documents import Document, Fault, Steps
from laddstream.catalogue.places import country_code

_COLUMNS: Mapping[str, Steps] = {
    "station_id": ("csmd", "International_id"),
    "name": ("csmd", "name"),
    "city": ("csmd", "City"),
    "area": ("csmd", "City"),
    "region": ("csmd", "County"),
    "country": ("csmd", "Land_code"),
    "time_zone": ("csmd", "Land_code"),
    "latitude": ("csmd", "Position"),
    "longitude": ("csmd", "Position"),
    "connectors": ("attr", "conn"),
}
_POSITION = re.compile(r"\(?\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*\)?")
_KILOWATTS = re.compile(r"(\d+(?:[.,]\d+)?)\s*kW\b", re.IGNORECASE)
_CONNECTOR, _CAPACITY = "4", "5"
"""NOBIL's attribute types."""


def take(
    document: Document, dump: object, source: Source, raws: list[Raw], faults: list[Fault]
) -> None:
    """Add every station of a dump."""
    listed = dump.get("chargerstations") if isinstance(dump, Mapping) else None
    if not isinstance(listed, list):
        faults.append(document.fault((), "a NOBIL dump has a list `chargerstations`"))
        return
    for i, one in enumerate(listed):
        steps: Steps = ("chargerstations", i)
        if not isinstance(one, Mapping) or not isinstance(one.get("csmd"), Mapping):
            faults.append(document.fault(steps, "a station with `csmd` is expected"))
            continue
        raw = _station(document, one, steps)
        settle_zone(raw, source)
        faults.extend(raw.faults)
        raws.append(raw)


def _station(document: Document, one: Mapping[str, Any], steps: Steps) -> Raw:
    data = one["csmd"]
    position = _POSITION.fullmatch(str(data.get("Position", "")).strip())
    attributes = one.get("attr")
    listed = attributes.get("conn") if isinstance(attributes, Mapping) else None
    connectors = list(_connectors(listed or {}))
    powers = [each["power_w"] for each in connectors if "power_w" in each]
    city = _title(data.get("City"))
    fields: dict[str, Any] = {
        "station_id": data.get("International_id") or data.get("id") or "",
        "name": str(data.get("name") or "").strip(),
        "area": city,
        "city": city,
        "region": _title(data.get("County")),
        "country": country_code(str(data.get("Land_code") or "")),
        "latitude": Decimal(position[1]) if position else None,
        "longitude": Decimal(position[2]) if position else None,
        "connectors": connectors,
        "rated_power_w": max(powers, default=None),
    }
    return Raw("stations", fields, document, steps, _COLUMNS)


def _connectors(listed: Mapping[str, Any] | list[Any]) -> Iterator[dict[str, Any]]:
    pairs: Iterable[tuple[object, Any]] = (
        listed.items() if isinstance(listed, Mapping) else enumerate(listed, 1)
    )
    for number, attributes in pairs:
        if not isinstance(attributes, Mapping):
            continue
        power = _KILOWATTS.search(_trans(attributes, _CAPACITY))
        watts = round(Decimal(power[1].replace(",", ".")) * 1000) if power else 0
        connector = {"connector_id": str(number), "standard": _trans(attributes, _CONNECTOR)}
        yield connector | ({"power_w": watts} if watts else {})


def _trans(attributes: Mapping[str, Any], kind: str) -> str:
    attribute = attributes.get(kind)
    return str(attribute.get("trans") or "") if isinstance(attribute, Mapping) else ""


def _title(value: object) -> str:
    text = str(value or "").strip()
    return text.title() if text.isupper() else text
