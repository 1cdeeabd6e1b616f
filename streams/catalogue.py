"""The catalogue a worker prices with: one immutable snapshot, one revision number.

    info = catalogue.station(owner, started_ms)
    contract = catalogue.contract(owner, id_token, started_ms)
    compiled = catalogue.compiled(contract)          # None: unpriced or free

`streams.catalogue_rows.build_catalogue` makes it from rows; the rules of choice are in
`streams.core.pricing.choice`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from streams.core.pricing.choice import (
    Assignment,
    Assignments,
    Company,
    Driver,
    Plan,
    Site,
    Subscription,
    Timeline,
    current,
    pays,
)
from streams.core.pricing.compiled import Compiled
from streams.core.pricing.contract import (
    COMPANY,
    DRIVER,
    HERE,
    NOBODY,
    PARTNER,
    UTC_ZONE,
    Contract,
)
from streams.core.pricing.model import Tariff

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

NO_TARIFF, MISSING, REFUSED = "no_tariff", "tariff_missing", "tariff_refused"
NOT_VALID = "tariff_not_valid"
"""Why a session has no tariff; `tariff_not_valid`: its own dates leave the start out."""

Owner = tuple[str, str]
"""(tenant, station_id)."""


@dataclass(frozen=True, slots=True)
class StationInfo:
    """Master data of one station, as far as a session needs it; `zone` is UTC where unknown."""

    area: str = ""
    city: str = ""
    country: str = ""
    time_zone: str = ""
    rated_power_w: int | None = None
    tariff_id: str = ""
    region: str = ""
    zone: ZoneInfo = UTC_ZONE


_NO_DISCOUNT = Fraction(0)
NO_STATION = StationInfo()
NO_DRIVER = Driver()


class StoredTariff(NamedTuple):
    """A tariff as the store has it; `tariff` None: it cannot be read, `why` says it."""

    tariff: Tariff | None
    compiled: Compiled | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """Who drives, who pays and what is assigned, of one tenant; tokens are casefolded.

    `subscribed`: newest revision that touched a driver's subscriptions, deleted ones too.
    """

    drivers: Mapping[str, Timeline[Driver]]
    companies: Mapping[str, Timeline[Company]]
    plans: Mapping[str, Timeline[Plan]]
    subscriptions: Mapping[str, tuple[Subscription, ...]]
    subscribed: Mapping[str, int]
    assignments: Assignments
    assignments_revision: int = 0


NO_TERMS = Terms({}, {}, {}, {}, {}, Assignments({}, {}, {}, []))


class _Choice(NamedTuple):
    """Which tariff, or free, and the sentence that says why."""

    tariff_id: str
    because: str
    free_reason: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything published up to one revision."""

    revision: int = 0
    stations: Mapping[Owner, Timeline[StationInfo]] = field(default_factory=dict)
    tariffs: Mapping[tuple[str, str], Timeline[StoredTariff]] = field(default_factory=dict)
    terms: Mapping[str, Terms] = field(default_factory=dict)
    ready: Mapping[int, Compiled] = field(default_factory=dict)
    """Compiled tariffs by the identity of the tariff; `tariffs` keeps those alive."""

    def station(self, owner: Owner, at_ms: int | None = None) -> StationInfo:
        """What is known of a station at an instant (None: newest); empty where nothing is."""
        versions = self.stations.get(owner)
        return (versions and current(versions, at_ms)) or NO_STATION

    def compiled(self, contract: Contract) -> Compiled | None:
        """The contract's tariff made ready for `price`; None where there is none to ask."""
        return None if contract.tariff is None else self.ready.get(id(contract.tariff))

    def contract(self, owner: Owner, id_token: str, started_ms: int, area: str = "") -> Contract:
        """Under which terms a session is priced that began at `started_ms`, and why.

        `area`: what the events say of it, where the catalogue does not know the station's.
        """
        found = self.shared_contract(owner, id_token, started_ms, area)
        return replace(found, because=found.told_at(owner[1]))

    def shared_contract(
        self, owner: Owner, id_token: str, started_ms: int, area: str = ""
    ) -> Contract:
        """The same with `HERE` for the station in its reasons."""
        tenant, station_id = owner
        info = self.station(owner, started_ms)
        site = Site(station_id, info.area or area)
        terms = self.terms.get(tenant, NO_TERMS)
        driver = _driver(terms, id_token, started_ms)
        plan, plan_words = _plan(terms, driver, started_ms)
        choice = _choose(terms, info, site, driver, plan, started_ms)
        because = [choice.because, *plan_words]
        tariff, reason = None, ""
        if not choice.free_reason:
            tariff, reason, why = self._tariff(tenant, choice.tariff_id, started_ms)
            because += [why] if why else []
        payer, payer_id, why = _payer(terms, info, site, driver, started_ms)
        if choice.free_reason:
            payer, payer_id, why = NOBODY, "", ""
        return Contract(
            tariff_id=choice.tariff_id,
            tariff=tariff,
            unpriced_reason=reason,
            zone=info.zone,
            driver_id=driver.driver_id,
            company_id=driver.company_id,
            plan_id=plan.plan_id if plan else "",
            discount=plan.discount if plan else _NO_DISCOUNT,
            payer=payer,
            payer_id=payer_id,
            free_reason=choice.free_reason,
            because=tuple(because + ([why] if why else [])),
        )

    def _tariff(self, tenant: str, tariff_id: str, at_ms: int) -> tuple[Tariff | None, str, str]:
        """The version that holds at an instant, else the reason and the sentence why none does."""
        if not tariff_id:
            return None, NO_TARIFF, ""
        ended = False
        for version in reversed(self.tariffs.get((tenant, tariff_id), ())):
            if version.from_ms > at_ms:
                continue
            if version.value is None:
                break
            tariff = version.value.tariff
            if tariff is None:
                why = f"tariff {tariff_id} cannot be read: {version.value.why}"
                return None, REFUSED, why
            begins, ends = tariff.valid_from_ms, tariff.valid_until_ms
            if (begins is None or begins <= at_ms) and (ends is None or at_ms < ends):
                return tariff, "", ""
            ended = True
        if ended:
            day = datetime.fromtimestamp(at_ms // 1000, UTC)
            return None, NOT_VALID, f"tariff {tariff_id} is not valid at {day:%Y-%m-%d %H:%M} UTC"
        return None, MISSING, f"tariff {tariff_id} is not in the catalogue"

    def concerns(
        self, owner: Owner, id_token: str, at_ms: int, contract: Contract, since: int
    ) -> bool:
        """Whether a revision above `since` wrote any row that a contract of that instant rests
        on: of its station, tariff, driver, company, plan, a subscription or an assignment.
        """
        tenant, _ = owner
        terms = self.terms.get(tenant, NO_TERMS)
        rows: list[Timeline[Any]] = [
            self.stations.get(owner, ()),
            self.tariffs.get((tenant, contract.tariff_id), ()),
            terms.drivers.get(id_token.casefold(), ()),
            terms.companies.get(contract.company_id, ()),
            terms.plans.get(contract.plan_id, ()),
        ]
        return (
            terms.assignments_revision > since
            or terms.subscribed.get(contract.driver_id, 0) > since
            or any(one.revision > since and one.from_ms <= at_ms for line in rows for one in line)
        )

    def touched_stations(self, since: int) -> dict[Owner, int]:
        """Stations that revisions above `since` changed, each with the first instant changed."""
        return _touched(self.stations, since)

    def touched_tariffs(self, since: int) -> dict[tuple[str, str], int]:
        """The same for tariffs, by (tenant, tariff id)."""
        return _touched(self.tariffs, since)

    def touched_drivers(self, since: int) -> set[tuple[str, str]]:
        """(tenant, token casefolded) whose driver, company, plan or subscription changed."""
        return {
            (tenant, token)
            for tenant, terms in self.terms.items()
            for token in _tokens(terms, since)
        }

    def assignments_touched(self, since: int) -> bool:
        """An assignment changed: any session may be under another tariff."""
        return any(terms.assignments_revision > since for terms in self.terms.values())


def _driver(terms: Terms, id_token: str, at_ms: int) -> Driver:
    versions = terms.drivers.get(id_token.casefold()) if terms.drivers else None
    return (versions and current(versions, at_ms)) or NO_DRIVER


def _plan(terms: Terms, driver: Driver, at_ms: int) -> tuple[Plan | None, list[str]]:
    """The plan a driver has at an instant, and what it means in words."""
    for one in terms.subscriptions.get(driver.driver_id, ()):
        if one.from_ms <= at_ms < one.until_ms:
            plan = current(terms.plans.get(one.plan_id, ()), at_ms)
            if plan is None:
                return Plan(one.plan_id), [f"plan {one.plan_id}: not in the catalogue"]
            day = datetime.fromtimestamp(one.from_ms // 1000, plan.zone).date()
            name = f"plan {one.plan_id} of {driver.driver_id} since {day}"
            return plan, [f"{name}: {plan.words}" if plan.words else name]
    return None, []


def _choose(
    terms: Terms, info: StationInfo, site: Site, driver: Driver, plan: Plan | None, at_ms: int
) -> _Choice:
    own = plan.tariff_id if plan else ""
    found = terms.assignments.best(site, driver, at_ms, for_drivers_only=bool(own))
    if found is not None:
        return _assigned(found)
    if own:
        return _Choice(own, f"tariff {own}: own tariff of plan {plan.plan_id if plan else ''}")
    if info.tariff_id:
        return _Choice(info.tariff_id, f"tariff {info.tariff_id}: station {HERE}'s own")
    known = "has no tariff" if info is not NO_STATION else "is not in the catalogue"
    return _Choice("", f"no tariff: station {HERE} {known}")


def _assigned(one: Assignment) -> _Choice:
    if one.free:
        return _Choice("", f"free: assignment {one.assignment_id} ({one.words})", one.assignment_id)
    return _Choice(
        one.tariff_id, f"tariff {one.tariff_id}: assignment {one.assignment_id} ({one.words})"
    )


def _payer(
    terms: Terms, info: StationInfo, site: Site, driver: Driver, at_ms: int
) -> tuple[str, str, str]:
    """Who pays, their id, and the sentence why; none where a driver simply pays."""
    if driver.partner_id:
        return PARTNER, driver.partner_id, f"partner {driver.partner_id} pays for its customer"
    if driver.company_id:
        company = current(terms.companies.get(driver.company_id, ()), at_ms)
        if company is not None and company.pays is not None:
            zone = info.zone if info.time_zone else company.zone
            words = f"company {company.company_id} pays"
            if pays(company.pays, site, driver, at_ms, zone):
                return COMPANY, company.company_id, f"{words}: {company.pays.words}"
            return DRIVER, driver.driver_id, f"{words} only {company.pays.words}: the driver pays"
    return DRIVER, driver.driver_id, ""


def _tokens(terms: Terms, since: int) -> set[str]:
    companies = _touched(terms.companies, since)
    plans = _touched(terms.plans, since)
    people = {driver for driver, revision in terms.subscribed.items() if revision > since}
    people |= {
        driver
        for driver, subscriptions in terms.subscriptions.items()
        if any(one.plan_id in plans for one in subscriptions)
    }
    out = set(_touched(terms.drivers, since))
    for token, versions in terms.drivers.items():
        values = [version.value for version in versions if version.value is not None]
        if any(one.company_id in companies or one.driver_id in people for one in values):
            out.add(token)
    return out


def _touched(timelines: Mapping[_Key, Timeline[_Value]], since: int) -> dict[_Key, int]:
    """Keys with a row above a revision, and the first instant of these rows; 0: since ever."""
    return {
        key: max(0, min(version.from_ms for version in versions if version.revision > since))
        for key, versions in timelines.items()
        if any(version.revision > since for version in versions)
    }
