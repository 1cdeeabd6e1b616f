"""Who drives, who pays, under which tariff: the rules of choice, over what a catalogue holds.

Everything here is decided at the start of a session and holds to its end (OCPI 2.2.1 mod_tariffs;
domain rules 2.6 rule 1 and row 40). Periods are half-open, [from_ms, until_ms), UTC milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

FOREVER = 1 << 62
ALWAYS_FROM = -FOREVER
"""What is valid since 1970-01-01 is valid since ever: it says that no beginning is known."""

T = TypeVar("T")


class Version(NamedTuple, Generic[T]):
    """One row of a key; `value` None: from here on there is none. `revision` wrote it."""

    from_ms: int
    value: T | None
    revision: int = 0


Timeline = tuple[Version[T], ...]
"""Versions of one key by `from_ms`."""


def timeline(versions: Iterable[Version[T]]) -> Timeline[T]:
    """In order of time; what holds since the epoch holds since ever."""
    return tuple(
        version if version.from_ms > 0 else version._replace(from_ms=ALWAYS_FROM)
        for version in sorted(versions, key=lambda version: version.from_ms)
    )


def current(versions: Sequence[Version[T]], at_ms: int | None) -> T | None:
    """The value of the newest version that had begun at an instant; None: the newest of all."""
    for version in reversed(versions):
        if at_ms is None or version.from_ms <= at_ms:
            return version.value
    return None


class Driver(NamedTuple):
    """A person or a card; the catalogue may know several tokens of one."""

    driver_id: str = ""
    company_id: str = ""
    groups: frozenset[str] = frozenset()
    partner_id: str = ""


class Rule(NamedTuple):
    """What a company pays for; empty sets: all. `days`: Monday 0. Minutes of the local day, an
    end before the start wraps past midnight, equal: the whole day. `words` says it for people.
    """

    days: frozenset[int] = frozenset()
    start_minute: int = 0
    end_minute: int = 1440
    areas: frozenset[str] = frozenset()
    stations: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    words: str = "everything"


class Company(NamedTuple):
    """A company; `pays` None: it pays for nothing. `zone` where a station has none."""

    company_id: str
    pays: Rule | None
    zone: ZoneInfo


class Plan(NamedTuple):
    """What of a plan matters at the start: its own tariff, and a share of the price less.
    `words` says it for people, on the clock of `zone`.
    """

    plan_id: str
    tariff_id: str = ""
    discount: Fraction = Fraction(0)
    words: str = ""
    zone: ZoneInfo = ZoneInfo("UTC")


class Subscription(NamedTuple):
    """A driver has a plan for a while."""

    plan_id: str
    from_ms: int
    until_ms: int


class Assignment(NamedTuple):
    """A tariff, or free-vend, for whoever and wherever all given conditions match."""

    assignment_id: str
    from_ms: int = ALWAYS_FROM
    until_ms: int = FOREVER
    priority: int = 0
    tariff_id: str = ""
    free: bool = False
    stations: frozenset[str] = frozenset()
    areas: frozenset[str] = frozenset()
    driver_group: str = ""
    company_id: str = ""
    partner_id: str = ""

    @property
    def for_drivers(self) -> bool:
        """It asks who charges; one that does not is a default of its stations."""
        return bool(self.driver_group or self.company_id or self.partner_id)

    @property
    def rank(self) -> tuple[int, int, str]:
        """The greatest wins: priority, then the number of conditions, then the id."""
        conditions = (
            bool(self.stations) + bool(self.areas)
            + bool(self.driver_group) + bool(self.company_id) + bool(self.partner_id)
        )  # fmt: skip
        return (self.priority, conditions, self.assignment_id)

    @property
    def words(self) -> str:
        """Its conditions for people."""
        parts = [
            f"station {', '.join(sorted(self.stations))}" if self.stations else "",
            f"area {', '.join(sorted(self.areas))}" if self.areas else "",
            f"group {self.driver_group}" if self.driver_group else "",
            f"company {self.company_id}" if self.company_id else "",
            f"partner {self.partner_id}" if self.partner_id else "",
        ]
        return ", ".join(part for part in parts if part) or "everyone everywhere"


class Site(NamedTuple):
    """Where a session takes place."""

    station_id: str
    area: str


@dataclass(frozen=True, slots=True)
class Assignments:
    """Assignments of one tenant, found by the most selective of their conditions."""

    by_station: dict[str, list[Assignment]]
    by_area: dict[str, list[Assignment]]
    by_driver: dict[tuple[str, str], list[Assignment]]
    anywhere: list[Assignment]

    def best(
        self, site: Site, driver: Driver, at_ms: int, *, for_drivers_only: bool
    ) -> Assignment | None:
        """The assignment that matches and ranks highest."""
        found: Assignment | None = None
        for one in self._candidates(site, driver):
            if (
                one.from_ms <= at_ms < one.until_ms
                and (not for_drivers_only or one.for_drivers)
                and _matches(one, site, driver)
                and (found is None or one.rank > found.rank)
            ):
                found = one
        return found

    def _candidates(self, site: Site, driver: Driver) -> list[Assignment]:
        out = [*self.anywhere]
        if self.by_station:
            out += self.by_station.get(site.station_id, ())
        if self.by_area:
            out += self.by_area.get(site.area, ())
        if self.by_driver and driver.driver_id:
            out += self.by_driver.get(("company", driver.company_id), ())
            out += self.by_driver.get(("partner", driver.partner_id), ())
            for group in driver.groups:
                out += self.by_driver.get(("group", group), ())
        return out


def index_assignments(rows: Iterable[Assignment]) -> Assignments:
    """Rows of one tenant, indexed."""
    out = Assignments({}, {}, {}, [])
    for one in rows:
        if one.stations:
            for station in one.stations:
                out.by_station.setdefault(station, []).append(one)
        elif one.areas:
            for area in one.areas:
                out.by_area.setdefault(area, []).append(one)
        elif one.for_drivers:
            key = (
                ("company", one.company_id) if one.company_id
                else ("partner", one.partner_id) if one.partner_id
                else ("group", one.driver_group)
            )  # fmt: skip
            out.by_driver.setdefault(key, []).append(one)
        else:
            out.anywhere.append(one)
    return out


def _matches(one: Assignment, site: Site, driver: Driver) -> bool:
    return (
        (not one.stations or site.station_id in one.stations)
        and (not one.areas or site.area in one.areas)
        and (not one.driver_group or one.driver_group in driver.groups)
        and (not one.company_id or one.company_id == driver.company_id)
        and (not one.partner_id or one.partner_id == driver.partner_id)
    )


def pays(rule: Rule, site: Site, driver: Driver, at_ms: int, zone: ZoneInfo) -> bool:
    """The company pays: who, where and, on the local clock at that instant, when."""
    return (
        (not rule.areas or site.area in rule.areas)
        and (not rule.stations or site.station_id in rule.stations)
        and (not rule.groups or not rule.groups.isdisjoint(driver.groups))
        and _within_hours(rule, at_ms, zone)
    )


def _within_hours(rule: Rule, at_ms: int, zone: ZoneInfo) -> bool:
    start, end = rule.start_minute, rule.end_minute
    if not rule.days and (start, end) == (0, 1440):
        return True
    local = datetime.fromtimestamp(at_ms // 1000, zone)
    if rule.days and local.weekday() not in rule.days:
        return False
    minute = local.hour * 60 + local.minute
    if start < end:
        return start <= minute < end
    return start == end or minute >= start or minute < end
