"""CDRs and tariffs as decoded JSON, built for tests."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

Periods = list[tuple[str, dict[str, str]]]


def load(path: Path) -> Any:
    return json.loads(path.read_text(), parse_float=Decimal)


def cdr(periods: Periods, end: str, **more: Any) -> dict[str, Any]:
    """A CDR of periods (start, {dimension: volume}); without a date: Monday 2026-03-02."""
    return {
        "id": "cdr-1",
        "currency": "EUR",
        "start_date_time": stamp(periods[0][0]),
        "end_date_time": stamp(end),
        "cdr_location": {"id": "site-1", "time_zone": "UTC"},
        "charging_periods": [
            {
                "start_date_time": stamp(start),
                "dimensions": [
                    {"type": name, "volume": Decimal(volume)} for name, volume in volumes.items()
                ],
            }
            for start, volumes in periods
        ],
        **more,
    }


def stamp(text: str) -> str:
    return text if "T" in text else f"2026-03-02T{text}:00Z"


def tariff(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "tariff-1", "currency": "EUR", "elements": list(elements), **more}


def element(dimension: str, price: str, step: int = 1, **restrictions: Any) -> dict[str, Any]:
    component = {"type": dimension, "price": Decimal(price), "step_size": step}
    found: dict[str, Any] = {"price_components": [component]}
    if restrictions:
        found["restrictions"] = restrictions
    return found
