"""A generated quarter of sessions under plans and companies, as objects and as rows."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle.plans_ledger import (
    CENT,
    MICRO,
    MINOR,
    ZERO,
    Company,
    Plan,
    Session,
    Subscription,
    part,
    rounded,
    utc,
)
from tests.sql.mart_store import session, session_id

PLANS = {
    "kwh": Plan("SEK", "Europe/Stockholm", included_kwh=Decimal("60.5"), fee=Decimal("79.20"),
                vat=Decimal(25)),
    "sessions": Plan("SEK", "Pacific/Auckland", included_sessions=3, fee=Decimal(99), daily=False,
                     trial_days=14, vat=Decimal(25)),
    "both": Plan("EUR", "Europe/London", included_kwh=Decimal(20), included_sessions=2,
                 fee=Decimal("9.99"), vat=Decimal(20), trial_days=40),
    "capped": Plan("SEK", "America/St_Johns", included_kwh=Decimal("10.001"),
                   cap=Decimal("12.345678"), fee=Decimal("0.01"), vat=Decimal("5.2")),
    "yen": Plan("JPY", "Asia/Tokyo", cap=Decimal(30), fee=Decimal(1000), vat=Decimal(10)),
}  # fmt: skip
COMPANIES = {
    "acme": Company("SEK", "Europe/Stockholm", Decimal("33.3333"), Decimal(50), Decimal(150)),
    "blue": Company("SEK", "UTC", driver_limit=Decimal("80.50")),
    "cold": Company("EUR", "Asia/Kathmandu", Decimal(50), limit=Decimal(40)),
    "dust": Company("SEK", "UTC", Decimal(0)),
}
RATES = {"ENERGY": Decimal(25), "TIME": Decimal(25), "FLAT": Decimal(12)}
START = datetime(2026, 1, 30, tzinfo=UTC)


def sessions_of(seed: int, tenant: str, count: int) -> list[Session]:
    """Sessions over 65 days, several at the same instant, some free, discounted or without use."""
    random_ = random.Random(seed)
    out = []
    for index in range(count):
        at = START + timedelta(seconds=random_.randrange(65 * 24) * 3600)
        driver, plan = (
            random_.choice(("d1", "d2", "d3", "d4")),
            random_.choice((*PLANS, "", "gone")),
        )
        payer = random_.choice(("driver", "driver", "company", "company", "partner", "nobody"))
        payer_id = {
            "driver": driver, "company": random_.choice(list(COMPANIES)), "partner": "hub",
            "nobody": "",
        }[payer]  # fmt: skip
        currency = random_.choice(("SEK", "SEK", "SEK", "EUR", "JPY", "KWD"))
        energy = Decimal(random_.choice((0, 1, random_.randrange(40_000_000)))) / 1000
        lines = list(_lines(random_, energy, free=payer == "nobody"))
        out.append(
            Session(session_id(f"{tenant}/{index}"), at, driver, plan, payer, payer_id, currency,
                    energy, tuple(lines))
        )  # fmt: skip
    return out


def _lines(
    random_: random.Random, energy: Decimal, *, free: bool
) -> Iterator[tuple[str, Decimal, Decimal]]:
    if free:
        return
    made: list[tuple[str, Decimal, Decimal]] = []
    for dimension, rate in RATES.items():
        amount = random_.randrange(20_000_000) * MICRO
        if dimension == "ENERGY":
            amount = part(energy, Decimal(random_.choice((0, 2, 4))), Decimal(1000))
        made.append((dimension, amount, part(amount, rate, Decimal(100))))
    yield from made
    excl, vat = sum((m[1] for m in made), ZERO), sum((m[2] for m in made), ZERO)
    if random_.random() < 0.3:
        share = Decimal(random_.choice((10, 33, 100)))
        less = Decimal(100)
        yield "DISCOUNT", -part(excl, share, less), -part(vat, share, less)
    if random_.random() < 0.2:
        yield "MAX_PRICE", -part(min(excl, Decimal(18)), Decimal(1), Decimal(2)), ZERO


def rows_of(tenant: str, one: Session) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The session's row and its charge lines."""
    minor = MINOR.get(one.currency, CENT)
    row = session(
        tenant, "", session_id=one.key, started_at=_text(one.start),
        ended_at=_text(one.start + timedelta(hours=1)), energy_wh=str(one.energy_wh),
        driver_key=f"token of {one.driver}", driver_id=one.driver, plan_id=one.plan,
        payer=one.payer, payer_id=one.payer_id, currency=one.currency,
        amount_excl_vat=str(one.excl), amount_vat=str(one.incl - one.excl),
        amount_incl_vat=str(one.incl), rounded_excl_vat=str(rounded(one.excl, minor)),
        rounded_incl_vat=str(rounded(one.incl, minor)), time_zone="Asia/Kathmandu",
    )  # fmt: skip
    lines = [
        {
            "tenant": tenant, "session_id": one.key, "line": number, "version": 1,
            "dimension": dimension, "quantity": "1", "unit": "", "unit_price": "0",
            "amount_excl_vat": str(excl), "amount_vat": str(vat), "currency": one.currency,
            "because": "",
        }
        for number, (dimension, excl, vat) in enumerate(one.lines, 1)
    ]  # fmt: skip
    return row, lines


def plan_row(tenant: str, plan_id: str, plan: Plan, **changes: Any) -> dict[str, Any]:
    """The row of a plan as the catalogue writes it."""
    entry = {
        "plan_id": plan_id, "currency": plan.currency, "time_zone": plan.zone,
        "monthly_fee": {"excl_vat": str(plan.fee), "vat": str(plan.vat)},
        "proration": "daily" if plan.daily else "none", "trial_days": plan.trial_days,
    }  # fmt: skip
    if plan.included_kwh is not None:
        entry["included_kwh"] = str(plan.included_kwh)
    if plan.included_sessions is not None:
        entry["included_sessions"] = plan.included_sessions
    if plan.cap is not None:
        entry["monthly_cap"] = str(plan.cap)
    row = {"tenant": tenant, "plan_id": plan_id, "revision": 1, "plan_json": json.dumps(entry)}
    return row | changes


def company_row(tenant: str, company_id: str, company: Company) -> dict[str, Any]:
    """The row of a company as the catalogue writes it."""
    pays = {"share_percent": str(company.share)}
    if company.driver_limit is not None:
        pays["monthly_limit_per_driver"] = str(company.driver_limit)
    if company.limit is not None:
        pays["monthly_limit"] = str(company.limit)
    entry = {"currency": company.currency, "time_zone": company.zone, "pays": pays}
    return {
        "tenant": tenant,
        "company_id": company_id,
        "revision": 1,
        "company_json": json.dumps(entry),
    }


SUBSCRIPTIONS = [
    Subscription("d1", "kwh", utc("2026-01-31T22:30:00"), None),  # 31 January in Stockholm: 23:30
    Subscription("d1", "yen", utc("2026-03-10T15:00:00"), utc("2026-03-20T00:00:00")),  # in between
    Subscription("d2", "sessions", utc("2026-01-15T12:00:00"), utc("2026-01-20T00:00:00")),
    Subscription("d2", "sessions", utc("2026-01-25T12:00:00"), None),  # no second trial
    Subscription("d3", "both", utc("2026-02-01T00:00:00"), utc("2026-04-01T08:00:00")),
    Subscription("d4", "capped", utc("2026-02-10T10:00:00"), utc("2026-02-10T14:00:00")),  # a day
    Subscription("d4", "yen", utc("2026-02-10T14:00:00"), utc("2026-02-28T15:00:00")),
    Subscription("d5", "kwh", utc("2099-01-01T00:00:00"), None),  # not yet
]


def subscription_row(tenant: str, one: Subscription) -> dict[str, Any]:
    """The row of a subscription as the catalogue writes it."""
    end = None if one.end is None else _text(one.end)
    return {
        "tenant": tenant, "driver_id": one.driver, "plan_id": one.plan, "revision": 1,
        "starts_at": _text(one.start), "ends_at": end,
    }  # fmt: skip


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")
