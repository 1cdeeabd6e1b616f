"""OCPI Locations and Tokens (2.1.1, 2.2.1, 2.3.0) as stations and drivers.

A station is an EVSE, named by its uid: OCPI knows no charge point. A token belongs to whom its
contract names; tokens of other parties than our own are paid by their partner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from laddstream.catalogue.converting import Raw, Source, settle_zone
from laddstream.catalogue.documents import Document, Steps
from laddstream.catalogue.places import country_code

_PHASES = {"AC_3_PHASE": 3, "AC_2_PHASE": 2, "AC_2_PHASE_SPLIT": 2}
_CONTRACT = re.compile(r"([A-Z]{2})-?([A-Z0-9]{3})-?[A-Z0-9]", re.IGNORECASE)


def stations(
    document: Document, location: Mapping[str, Any], steps: Steps, source: Source, notes: list[str]
) -> Iterator[Raw]:
    """A station for each EVSE of a Location; one that was removed ends there."""
    if not location.get("evses"):
        notes.append(f"location {location.get('id', '')} has no EVSE: no station of it is known")
    for i, evse in enumerate(location.get("evses") or ()):
        if not isinstance(evse, Mapping):
            continue
        where: Steps = ("evses", i)
        uid = evse.get("uid") or evse.get("evse_id") or ""
        raw = Raw("stations", {"station_id": uid}, document, steps, _columns(where))
        if evse.get("status") == "REMOVED":
            raw.fields |= {"deleted": True, "valid_from": _instant(evse.get("last_updated"))}
        else:
            raw.fields |= _station(location, evse, str(uid), notes)
            settle_zone(raw, source)
        yield raw


def _columns(evse: Steps) -> dict[str, Steps]:
    same = ("name", "city", "country", "time_zone")
    return {
        "station_id": (*evse, "uid"),
        "connectors": (*evse, "connectors"),
        "rated_power_w": (*evse, "connectors"),
        "tariff_id": (*evse, "connectors"),
        "valid_from": (*evse, "last_updated"),
        "latitude": ("coordinates", "latitude"),
        "longitude": ("coordinates", "longitude"),
        "region": ("state",),
        "area": ("name",),
        "location_id": ("id",),
        **{name: (name,) for name in same},
    }


def _station(
    location: Mapping[str, Any], evse: Mapping[str, Any], uid: str, notes: list[str]
) -> dict[str, Any]:
    connectors: list[dict[str, Any]] = []
    tariffs: list[Any] = []
    for one in evse.get("connectors") or ():
        if isinstance(one, Mapping):
            tariffs += one.get("tariff_ids") or [each for each in [one.get("tariff_id")] if each]
            connectors.append(_connector(one, evse))
    if len(set(tariffs)) > 1:
        others = ", ".join(sorted(set(tariffs) - {tariffs[0]}))
        notes.append(
            f"station {uid} names several tariffs: {tariffs[0]} is its own; assign {others}"
            " where they apply"
        )
    powers = [one["power_w"] for one in connectors if "power_w" in one]
    place = location.get("coordinates") or {}
    name = location.get("name") or location.get("address") or ""
    fields = {
        "name": name,
        "area": name,
        "city": location.get("city"),
        "region": location.get("state"),
        "country": country_code(str(location.get("country") or "")),
        "latitude": place.get("latitude"),
        "longitude": place.get("longitude"),
        "time_zone": location.get("time_zone"),
        "rated_power_w": max(powers, default=None),
        "tariff_id": tariffs[0] if tariffs else None,
        "location_id": location.get("id"),
        "connectors": connectors,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _connector(one: Mapping[str, Any], evse: Mapping[str, Any]) -> dict[str, Any]:
    """Power: max_electric_power, else voltage × amperage × phases (OCPI 2.2.1 Connector)."""
    out = {
        "connector_id": one.get("id", ""),
        "evse_id": evse.get("evse_id") or "",
        "standard": one.get("standard") or "",
    }
    try:
        power = Decimal(str(one.get("max_electric_power") or 0))
        if not power:
            volts = Decimal(str(one.get("max_voltage") or one.get("voltage") or 0))
            amperes = Decimal(str(one.get("max_amperage") or one.get("amperage") or 0))
            power = volts * amperes * _PHASES.get(str(one.get("power_type")), 1)
    except InvalidOperation:
        power = Decimal(0)
    return out | ({"power_w": round(power)} if power.is_finite() and power > 0 else {})


def driver(
    document: Document, token: Mapping[str, Any], steps: Steps, source: Source
) -> Iterator[Raw]:
    """The driver behind a token."""
    contract = token.get("contract_id") or token.get("auth_id") or token.get("uid") or ""
    fields: dict[str, Any] = {"driver_id": contract, "tokens": [token.get("uid", "")]}
    columns: dict[str, Steps] = {
        "driver_id": ("contract_id",),
        "tokens": ("uid",),
        "groups": ("group_id",),
        "partner_id": ("party_id",),
        "valid_from": ("last_updated",),
    }
    if token.get("group_id"):
        fields["groups"] = [token["group_id"]]
    party = _party(token)
    if source.own_party and party != source.own_party:
        fields["partner_id"] = party
    yield Raw("tokens", fields, document, steps, columns)


def _party(token: Mapping[str, Any]) -> str:
    """The party that issued a token, CC-PPP; before OCPI 2.2 its contract tells, else its name."""
    if token.get("country_code") and token.get("party_id"):
        return f"{token['country_code']}-{token['party_id']}".upper()
    contract = _CONTRACT.match(str(token.get("contract_id") or token.get("auth_id") or ""))
    return f"{contract[1]}-{contract[2]}".upper() if contract else str(token.get("issuer") or "")


def _instant(value: object) -> object:
    """An OCPI DateTime: without zone it is UTC."""
    text = str(value or "")
    return f"{text}Z" if text and not re.search(r"(?:Z|[+-]\d\d:?\d\d)$", text) else text or None
