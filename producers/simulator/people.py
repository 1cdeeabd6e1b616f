"""Who the fleet's drivers are: their plans and the companies that pay, told by their token alone.

A tenth of the drivers each: a plan with a discount, a plan with energy included, one of two
companies. All others, and guests, pay each session themselves.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zlib import crc32

from producers.simulator.fleet import Fleet

PLUS_DISCOUNT_PERCENT = 10
_GUEST = "SE-LAD-G"

PLANS: tuple[dict[str, object], ...] = (
    {
        "plan_id": "plus",
        "name": "Plus",
        "currency": "SEK",
        "monthly_fee": {"excl_vat": "39.20", "vat": "25"},
        "discount_percent": PLUS_DISCOUNT_PERCENT,
        "proration": "daily",
        "time_zone": "Europe/Stockholm",
    },
    {
        "plan_id": "commuter",
        "name": "Commuter",
        "currency": "SEK",
        "monthly_fee": {"excl_vat": "319.20", "vat": "25"},
        "included_kwh": 100,
        "proration": "daily",
        "time_zone": "Europe/Stockholm",
    },
)

COMPANIES: tuple[dict[str, object], ...] = (
    {
        "company_id": "company-a",
        "currency": "SEK",
        "pays": {
            "days": ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"],
            "start_time": "06:00",
            "end_time": "18:00",
            "monthly_limit_per_driver": "600.00",
        },
        "time_zone": "Europe/Stockholm",
    },
    {
        "company_id": "company-b",
        "currency": "SEK",
        "pays": {},
        "time_zone": "Europe/Stockholm",
    },
)


def plan_of(token: str) -> str:
    """The plan of a driver, empty: none."""
    return {0: "plus", 1: "commuter"}.get(_tenth(token), "")


def company_of(token: str) -> str:
    """The company of a driver, empty: none."""
    return {2: "company-a", 3: "company-b"}.get(_tenth(token), "")


def discount_percent(token: str) -> int:
    """What a driver's plan takes off every session."""
    return PLUS_DISCOUNT_PERCENT if plan_of(token) == "plus" else 0


def people(fleet: Fleet, start: datetime) -> dict[str, list[dict[str, object]]]:
    """The catalogue's sections of drivers, companies, plans and subscriptions.

    Subscriptions begin with the month before the fleet's `start` (aware).
    """
    before = start.astimezone(UTC) - timedelta(days=1)
    since = before.replace(day=1, hour=0, minute=0, second=0, microsecond=0).isoformat()
    tokens = sorted(token for tokens in fleet.drivers.values() for token in tokens)
    return {
        "drivers": [
            {"driver_id": _driver_id(token), "tokens": [token], "company_id": company_of(token)}
            for token in tokens
        ],
        "companies": list(COMPANIES),
        "plans": list(PLANS),
        "subscriptions": [
            {"driver_id": _driver_id(token), "plan_id": plan_of(token), "from": since}
            for token in tokens
            if plan_of(token)
        ],
    }


def _driver_id(token: str) -> str:
    return token.split("-")[2]


def _tenth(token: str) -> int:
    return -1 if token.startswith(_GUEST) else crc32(token.encode()) % 10
