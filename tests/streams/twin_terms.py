"""The terms of the stations and cards of `twin_streams`: five worlds, three revisions of each."""

from __future__ import annotations

import functools
import json
from typing import Any

from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue

STATIONS = ("S1", "S2", "S3", "S4")
"""S2 and S4 are of partition 1."""


def _element(*parts: tuple[str, float, int | None, int], **restrictions: Any) -> dict[str, Any]:
    components = [
        {"type": kind, "price": price, "step_size": step} | ({} if vat is None else {"vat": vat})
        for kind, price, vat, step in parts
    ]
    more = {"restrictions": restrictions} if restrictions else {}
    return {"price_components": components} | more


KWH = _element(("ENERGY", 2.5, 25, 1), ("FLAT", 1.5, 25, 1))
TARIFFS: dict[str, dict[str, Any]] = {
    "kwh": {"elements": [KWH]},
    "exact": {"currency": "EUR", "elements": [_element(("ENERGY", 0.3339, None, 0))]},
    "steps": {"elements": [_element(
        ("FLAT", 0.5, 6, 1), ("ENERGY", 3.339, 25, 1000), ("PARKING_TIME", 7.77, 25, 300))]},
    "time": {"currency": "EUR", "tax_included": "YES",
             "elements": [_element(("TIME", 3.6, 25, 60), ("ENERGY", 0, None, 1))]},
    "yen": {"currency": "JPY", "tax_included": "NO",
            "elements": [_element(("ENERGY", 33, 10, 1), ("PARKING_TIME", 100, 10, 60))]},
    "night": {"elements": [_element(("ENERGY", 1, 25, 1), start_time="22:00", end_time="02:30"),
                           _element(("ENERGY", 2, 25, 1), ("TIME", 1, 25, 60))]},
    "least": {"min_price": {"excl_vat": 20, "incl_vat": 25}, "elements": [KWH]},
    "refused": {"elements": []},
}  # fmt: skip


def _tariff(name: str, revision: int) -> dict[str, Any]:
    document = {"id": name, "currency": "SEK"} | TARIFFS[name]
    if revision > 1 and name in ("kwh", "night"):  # dearer now
        document["elements"] = [*document["elements"][:-1], _element(("ENERGY", 4, 25, 1))]
    row = {"tenant": "t", "tariff_id": name, "revision": revision}
    return row | {"ocpi_json": json.dumps(document)}


WORLDS = (
    ("kwh", "steps", "time", "yen"),
    ("kwh", "kwh", "exact", "steps"),
    ("night", "kwh", "least", "kwh"),
    ("", "nowhere", "refused", "kwh"),
    ("time", "yen", "steps", "night"),
)
"""The tariffs of the stations."""


@functools.cache
def catalogue(world: int, revision: int) -> Catalogue:
    """Card C1 has a plan with a discount; C2 is an employee's; S4 of world 1 is free for all. With
    revision 2 stations change tariffs, with 3 they change back.
    """
    names = WORLDS[world]
    if revision == 2:
        names = (names[1] or "kwh", names[0] or "kwh", *names[2:])
    stations = [
        {"tenant": "t", "station_id": station, "area": "North" if i % 2 else "", "city": "Lund",
         "region": "", "country": "SE", "time_zone": ("Europe/Stockholm", "Asia/Tokyo", "")[i % 3],
         "rated_power_w": (22_000, None, 3_700, 350_000)[i], "tariff_id": names[i]}
        for i, station in enumerate(STATIONS)
    ]  # fmt: skip
    free = {"tenant": "t", "assignment_id": "free", "tariff_id": "", "free": 1, "stations": ["S4"]}
    return build_catalogue(
        revision, stations if world != 3 or revision > 1 else stations[1:],
        [_tariff(name, revision) for name in TARIFFS],
        drivers=[{"tenant": "t", "driver_key": "C1", "driver_id": "d1", "company_id": ""},
                 {"tenant": "t", "driver_key": "C2", "driver_id": "d2", "company_id": "acme"}],
        companies=[{"tenant": "t", "company_id": "acme",
                    "company_json": json.dumps({"currency": "SEK", "pays": {}})}],
        plans=[{"tenant": "t", "plan_id": "p",
                "plan_json": json.dumps({"discount_percent": "10"})}],
        subscriptions=[{"tenant": "t", "driver_id": "d1", "plan_id": "p", "from_ms": 0}],
        assignments=[free] if world == 1 else [],
    )  # fmt: skip
