"""What plans and companies make of priced sessions, and what subscriptions cost: `docs/ledger.md`
worked through one session after the other with plain decimals. Shares no code with the product.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from zoneinfo import ZoneInfo

ZERO = Decimal(0)
MICRO = Decimal("0.000001")
MINOR = {"JPY": Decimal(1), "KWD": Decimal("0.001")}
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Plan:
    """Terms of a plan; None: without."""

    currency: str
    zone: str
    included_kwh: Decimal | None = None
    included_sessions: int | None = None
    cap: Decimal | None = None
    fee: Decimal = ZERO
    vat: Decimal = ZERO
    daily: bool = True
    trial_days: int = 0


@dataclass(frozen=True)
class Company:
    """What a company pays."""

    currency: str
    zone: str
    share: Decimal = Decimal(100)
    driver_limit: Decimal | None = None
    limit: Decimal | None = None


@dataclass(frozen=True)
class Session:
    """A priced session: `lines` are (dimension, excl, vat)."""

    key: str
    start: datetime
    driver: str
    plan: str
    payer: str
    payer_id: str
    currency: str
    energy_wh: Decimal
    lines: tuple[tuple[str, Decimal, Decimal], ...]

    @property
    def excl(self) -> Decimal:
        """Price before taxes."""
        return sum((line[1] for line in self.lines), ZERO)

    @property
    def incl(self) -> Decimal:
        """Price with taxes."""
        return sum((line[1] + line[2] for line in self.lines), ZERO)


@dataclass
class Account:
    """(excl, incl) of one session by what happened to it, and what each payer owes."""

    included: tuple[Decimal, Decimal] = (ZERO, ZERO)
    covered_wh: Decimal = ZERO
    capped: tuple[Decimal, Decimal] = (ZERO, ZERO)
    share: tuple[Decimal, Decimal] = (ZERO, ZERO)
    limited: tuple[Decimal, Decimal] = (ZERO, ZERO)
    owed: dict[tuple[str, str], tuple[Decimal, Decimal]] = field(default_factory=dict)


def rounded(amount: Decimal, step: Decimal) -> Decimal:
    """Half away from zero to a multiple of `step`."""
    with localcontext() as context:
        context.prec = 60
        return (amount / step).quantize(Decimal(1), ROUND_HALF_UP) * step


def part(amount: Decimal, numerator: Decimal, denominator: Decimal) -> Decimal:
    """A share of an amount to the micro-unit."""
    with localcontext() as context:
        context.prec = 60
        return rounded(amount * numerator / denominator, MICRO)


def settle(
    sessions: Iterable[Session], plans: Mapping[str, Plan], companies: Mapping[str, Company]
) -> dict[str, Account]:
    """Every session in the order of start and id; allowances shrink as they are used."""
    kwh_left: dict[tuple[str, str, str], Decimal] = {}
    sessions_left: dict[tuple[str, str, str], int] = {}
    cap_spent: dict[tuple[str, ...], Decimal] = {}
    company_spent: dict[tuple[str, ...], Decimal] = {}
    out = {}
    for one in sorted(sessions, key=lambda s: (s.start, s.key)):
        account = Account()
        excl, incl = one.excl, one.incl
        plan = plans.get(one.plan) if one.payer in {"driver", "company"} else None
        if plan is not None:
            key = (one.driver, one.plan, f"{one.start.astimezone(ZoneInfo(plan.zone)):%Y-%m}")
            account.included, account.covered_wh = _include(one, plan, key, kwh_left, sessions_left)
            excl, incl = excl - account.included[0], incl - account.included[1]
            if plan.cap is not None and plan.currency == one.currency:
                pays = _up_to(plan.cap, cap_spent, key, incl)
                if incl:
                    account.capped = (part(excl, incl - pays, incl), incl - pays)
                excl, incl = excl - account.capped[0], incl - account.capped[1]
        paid = (excl, incl)
        if one.payer == "company":
            paid = _company(one, companies[one.payer_id], (excl, incl), account, company_spent)
        _owe(one, account, (excl, incl), paid)
        out[one.key] = account
    return out


def _include(
    one: Session,
    plan: Plan,
    key: tuple[str, str, str],
    kwh_left: dict[tuple[str, str, str], Decimal],
    sessions_left: dict[tuple[str, str, str], int],
) -> tuple[tuple[Decimal, Decimal], Decimal]:
    if plan.included_sessions is not None and one.incl > 0:
        left = sessions_left.setdefault(key, plan.included_sessions)
        if left > 0:
            sessions_left[key] = left - 1
            return (one.excl, one.incl), one.energy_wh
    if plan.included_kwh is None:
        return (ZERO, ZERO), ZERO
    left_wh = kwh_left.setdefault(key, plan.included_kwh * 1000)
    covered = min(left_wh, one.energy_wh)
    kwh_left[key] = left_wh - covered
    if not covered:
        return (ZERO, ZERO), ZERO
    worth = []
    for total, taxed in ((one.excl, 0), (one.incl, 1)):
        energy = _of(one, "ENERGY", taxed)
        before = total - _of(one, "DISCOUNT", taxed)
        if before > 0:
            energy += part(total - before, energy, before)
        worth.append(max(ZERO, min(total, part(energy, covered, one.energy_wh))))
    return (worth[0], worth[1]), covered


def _of(one: Session, dimension: str, taxed: int) -> Decimal:
    return sum((e + taxed * v for d, e, v in one.lines if d == dimension), ZERO)


def _company(
    one: Session,
    company: Company,
    net: tuple[Decimal, Decimal],
    account: Account,
    spent: dict[tuple[str, ...], Decimal],
) -> tuple[Decimal, Decimal]:
    month = f"{one.start.astimezone(ZoneInfo(company.zone)):%Y-%m}"
    share = (part(net[0], company.share, Decimal(100)), part(net[1], company.share, Decimal(100)))
    account.share = (net[0] - share[0], net[1] - share[1])
    pays = share[1]
    if company.currency == one.currency:
        if company.driver_limit is not None:
            pays = _up_to(company.driver_limit, spent, (one.payer_id, one.driver, month), pays)
        if company.limit is not None:
            pays = _up_to(company.limit, spent, (one.payer_id, month), pays)
    excl = part(net[0], pays, net[1]) if net[1] else net[0]
    account.limited = (share[0] - excl, share[1] - pays)
    return excl, pays


def _up_to(
    limit: Decimal, spent: dict[tuple[str, ...], Decimal], key: tuple[str, ...], amount: Decimal
) -> Decimal:
    """What of an amount stays below the month's limit; a credit counts against what was spent."""
    before = spent.get(key, ZERO)
    spent[key] = before + amount
    return min(before + amount, limit) - min(before, limit)


def _owe(
    one: Session, account: Account, net: tuple[Decimal, Decimal], paid: tuple[Decimal, Decimal]
) -> None:
    minor = MINOR.get(one.currency, CENT)
    changed = account.included + account.capped != (ZERO,) * 4
    owed = []
    for total, left, first in zip((one.excl, one.incl), net, paid, strict=True):
        whole = rounded(total, minor)
        if changed:
            whole = min(whole, rounded(left, minor))
        own = whole if paid[1] == net[1] else min(whole, rounded(first, minor))
        owed.append((own, whole - own))
    (own_excl, rest_excl), (own_incl, rest_incl) = owed
    split = (rest_excl, rest_incl) != (ZERO, ZERO)
    if not split or (own_excl, own_incl) != (ZERO, ZERO):
        account.owed[one.payer, one.payer_id] = (own_excl, own_incl)
    if split:
        account.owed["driver", one.driver] = (rest_excl, rest_incl)


@dataclass(frozen=True)
class Subscription:
    """A driver's plan between two instants, UTC."""

    driver: str
    plan: str
    start: datetime
    end: datetime | None


def fees(
    subscriptions: Iterable[Subscription], plans: Mapping[str, Plan], today: datetime
) -> dict[tuple[str, str, datetime, str], tuple[list[date], Decimal, Decimal]]:
    """Days, fee before and with taxes, by (driver, plan, start, month), until today's month ends.

    Every single day is given to the subscription that began last.
    """
    held: dict[tuple[str, str, datetime, str], list[date]] = defaultdict(list)
    all_of: dict[str, list[Subscription]] = defaultdict(list)
    for one in subscriptions:
        all_of[one.driver].append(one)
    for driver, mine in all_of.items():
        for one in mine:
            zone = ZoneInfo(plans[one.plan].zone)
            last = today.astimezone(zone).date().replace(day=1)
            day = one.start.astimezone(zone).date()
            while (day.year, day.month) <= (last.year, last.month) and _covers(one, day, zone):
                rivals = [s for s in mine if _covers(s, day, ZoneInfo(plans[s.plan].zone))]
                best = min(rivals, key=lambda s: (-s.start.timestamp(), s.plan))
                days = held[driver, one.plan, one.start, f"{day:%Y-%m}"]
                first = min(s.start for s in mine if s.plan == one.plan).astimezone(zone).date()
                free = day < first + timedelta(days=plans[one.plan].trial_days)
                if best is one and not free:
                    days.append(day)
                day += timedelta(days=1)
    out = {}
    for key, days in held.items():
        plan, month = plans[key[1]], date.fromisoformat(f"{key[3]}-01")
        length = ((month + timedelta(days=32)).replace(day=1) - month).days
        share = (len(days), length) if plan.daily else (1 if days else 0, 1)
        numerator, denominator = Decimal(share[0]), Decimal(share[1])
        incl = plan.fee * (100 + plan.vat) / 100
        out[key] = (
            days,
            part(plan.fee, numerator, denominator),
            part(incl, numerator, denominator),
        )
    return out


def _covers(one: Subscription, day: date, zone: ZoneInfo) -> bool:
    first = one.start.astimezone(zone).date()
    end = one.end.astimezone(zone).date() if one.end else date(2149, 1, 1)
    return first <= day < max(end, first + timedelta(days=1))


def utc(text: str) -> datetime:
    """An ISO instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
