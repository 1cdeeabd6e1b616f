"""CSV: one list a file, its header tells which; a list in a cell is divided by `;` or `|`.

`connectors` is written 1:22000;2:50000 (id:watts), nested fields by a dot: `pays.days`,
`monthly_fee.excl_vat`. Tariffs are plain: id, currency, and prices in columns energy (a kWh), time
and parking_time (an hour), flat, with vat for all and perhaps step_size and
start_date_time; or a column elements with JSON.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec

from laddstream.catalogue.converting import Raw
from laddstream.catalogue.documents import Document, Fault
from laddstream.catalogue.entries import MODELS
from streams.core.ocpi.values import number

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_LISTS = frozenset({"tokens", "groups", "stations", "areas", "days", "driver_groups"})
_PRICES = {"energy": "ENERGY", "time": "TIME", "parking_time": "PARKING_TIME", "flat": "FLAT"}
_OF_COMPONENTS = (*_PRICES, "vat", "step_size")


def list_of(names: list[str]) -> str:
    """Which list has this header; empty where none."""
    has = set(names)
    tests: list[tuple[str, bool]] = [
        ("assignments", "assignment_id" in has),
        ("subscriptions", {"driver_id", "plan_id"} <= has),
        ("drivers", "driver_id" in has),
        ("stations", "station_id" in has),
        ("plans", "plan_id" in has),
        ("companies", "company_id" in has),
        ("tariffs", bool({"id", "tariff_id"} & has) and "currency" in has),
    ]
    return next((name for name, fits in tests if fits), "")


def rows_of(document: Document, raws: list[Raw], faults: list[Fault]) -> None:
    """Add the entries of a CSV document."""
    names: list[str] = document.value["header"]
    section = list_of(names)
    if not section:
        what = f"the header names no key of a list ({', '.join(MODELS)}): {', '.join(names)[:80]}"
        faults.append(Fault(document.file, 1, "", what))
        return
    twice = {name for name in names if names.count(name) > 1}
    faults.extend(Fault(document.file, 1, name, "stands twice") for name in sorted(twice))
    for i, cells in enumerate(document.value["rows"]):
        raw = Raw(section, {}, document, (i,))
        for name, text in cells.items():
            _put(raw, name, text)
        if section == "tariffs" and not raw.fields.get("deleted"):
            _tariff(raw)
        faults.extend(raw.faults)
        raws.append(raw)


def _put(raw: Raw, name: str, text: str) -> None:
    if not name:
        return
    outer, _, inner = name.partition(".")
    target: Any = raw.fields
    if inner:
        target = raw.fields.setdefault(outer, {})
        if not isinstance(target, dict):
            raw.faults.append(raw.fault((name,), f"there is a column {outer}, too"))
            return
    last = inner or outer
    if last == "connectors":
        pairs = (part.partition(":") for part in _parts(text))
        target[last] = [
            {"connector_id": key.strip()} | ({"power_w": power.strip()} if power else {})
            for key, _, power in pairs
        ]
    elif last == "deleted":
        target[last] = text.lower() in {"true", "1", "yes"}
    else:
        target[last] = _parts(text) if last in _LISTS else text


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split("[;|]", text) if part.strip()]


def _tariff(raw: Raw) -> None:
    """Make a tariff of one element from columns; exact numbers, as they are written."""
    fields = raw.fields
    if "tariff_id" in fields:
        fields["id"] = fields.pop("tariff_id")
    if "elements" in fields:
        try:
            fields["elements"] = _DECODER.decode(fields["elements"])
        except msgspec.DecodeError as error:
            raw.faults.append(raw.fault(("elements",), f"not JSON: {error}"))
            fields["elements"] = []
        return
    raw.flat = True
    numbers = {name: number(fields.pop(name)) for name in _OF_COMPONENTS if name in fields}
    for name, read in numbers.items():
        if read is None:
            raw.faults.append(raw.fault((name,), "no number"))
    found = {name: read.value for name, read in numbers.items() if read is not None}
    if not numbers.keys() & _PRICES.keys():
        what = f"one of {', '.join(_PRICES)} needs a price"
        raw.faults.append(raw.fault(("energy",), what))
    extra = {"vat": found["vat"]} if "vat" in found else {}
    step = found.get("step_size", Decimal(1))
    fields["elements"] = [
        {
            "price_components": [
                {
                    "type": kind,
                    "price": found[name],
                    "step_size": 1 if kind == "FLAT" else int(step) if step == int(step) else step,
                    **extra,
                }
                for name, kind in _PRICES.items()
                if name in found
            ]
        }
    ]
