"""A tariff made ready: rates as integers over one scale, rules per dimension, thresholds sorted.

Compiling is done once a tariff; pricing a session then needs integers only.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf, lcm
from typing import NamedTuple

from streams.core.pricing.model import (
    ENERGY,
    FLAT,
    PARKING_TIME,
    RESERVATION,
    RESERVATION_EXPIRES,
    TAX_EXCLUDED,
    TAX_INCLUDED,
    TAX_NOT_APPLICABLE,
    TIME,
    Component,
    PriceLimit,
    Restrictions,
    Tariff,
)
from streams.core.pricing.priced import MICRO

CHARGED_MWH, DURATION, CHARGED_MS, IDLE_MS, MINUTE, DAY, WEEKDAY = range(7)
LOW_POWER, HIGH_POWER, LOW_CURRENT, HIGH_CURRENT = range(7, 11)
"""Positions in the state that restrictions are tested on."""

STATE_SIZE = 11
DAY_MINUTES = 1440
_MWH_PER_WH, _MS_PER_S = 1000, 1000
_HOURLY = Fraction(MICRO, 3_600_000)


class Check(NamedTuple):
    """`low` <= state[where] < `high`; `outside`: not in [high, low) instead, past midnight;
    `among`: one of these.
    """

    where: int
    low: float
    high: float
    outside: bool = False
    among: frozenset[int] | None = None


class Rule(NamedTuple):
    """One component with the restrictions of its element.

    `component` indexes `Compiled.components`; rates in 1/scale micro-units per mWh, ms or once;
    `step` in mWh or ms, 0: none. `tax_share` None: no tax is applicable; equal shares of one
    tariff are one object.
    """

    component: int
    checks: tuple[Check, ...]
    rate_excl: int
    rate_incl: int
    step: int
    tax_share: Fraction | None


@dataclass(frozen=True, slots=True)
class Context:
    """The rules of one context (charging, reservation, expired reservation), in tariff order;
    what stands behind a rule without restrictions is never reached and left out.
    """

    energy: tuple[Rule, ...]
    time: tuple[Rule, ...]
    parking: tuple[Rule, ...]
    flat: tuple[Rule, ...]

    @property
    def plain(self) -> bool:
        """No restriction anywhere."""
        return all(
            not rule.checks
            for rules in (self.energy, self.time, self.parking, self.flat)
            for rule in rules
        )


@dataclass(frozen=True, slots=True)
class Bound:
    """A price limit in 1/scale micro-units; None: no such bound."""

    excl: int | None
    incl: int | None


@dataclass(frozen=True, slots=True)
class Compiled:
    """See the module. Thresholds are sorted; `minutes` are the local minutes of the day at which
    a price may change, empty where no clock is asked.
    """

    tariff: Tariff
    scale: int
    components: tuple[tuple[int, Component], ...]
    charging: Context
    reserved: Context
    expired: Context
    plain: bool
    minutes: tuple[int, ...]
    energies_mwh: tuple[int, ...]
    durations_ms: tuple[int, ...]
    charged_ms: tuple[int, ...]
    idle_ms: tuple[int, ...]
    minimum: Bound | None
    maximum: Bound | None


def compile_tariff(tariff: Tariff) -> Compiled:
    """Make a tariff ready for `streams.core.pricing.engine.price`."""
    components = tuple((e.index, c) for e in tariff.elements for c in e.components)
    rates = [_rates(component, tariff.tax_included) for _, component in components]
    limits = [b for p in (tariff.min_price, tariff.max_price) if p for b in (p.excl, p.incl) if b]
    scale = lcm(*(f.denominator for pair in rates for f in pair), *(
        (b * MICRO).denominator for b in limits
    ))  # fmt: skip
    rules: list[tuple[str, str, Rule]] = []
    used: list[Restrictions] = []
    shares: dict[Fraction, Fraction] = {}
    taxed = tariff.tax_included != TAX_NOT_APPLICABLE
    at = 0
    for element in tariff.elements:
        restrictions = element.restrictions
        checks = _checks(restrictions)
        for component in element.components:
            excl, incl = (int(rate * scale) for rate in rates[at])
            unit = _MWH_PER_WH if component.dimension == ENERGY else _MS_PER_S
            share = component.tax_share if component.taxes and taxed else None
            share = share if share is None else shares.setdefault(share, share)
            rule = Rule(at, checks, excl, incl, component.step_size * unit, share)
            if not restrictions.never:
                rules.append((restrictions.reservation, component.dimension, rule))
            at += 1
        used.append(restrictions)
    charging = _context(rules, ("",))
    return Compiled(
        tariff=tariff,
        scale=scale,
        components=components,
        charging=charging,
        reserved=_context(rules, (RESERVATION,)),
        expired=_context(rules, (RESERVATION_EXPIRES, RESERVATION)),
        plain=charging.plain,
        minutes=_minutes(used),
        energies_mwh=_thresholds(used, "min_mwh", "max_mwh"),
        durations_ms=_thresholds(used, "min_duration_ms", "max_duration_ms"),
        charged_ms=_thresholds(used, "min_charging_ms", "max_charging_ms"),
        idle_ms=_thresholds(used, "min_idle_ms", "max_idle_ms"),
        minimum=_bound(tariff.min_price, scale),
        maximum=_bound(tariff.max_price, scale),
    )


def _rates(component: Component, tax_included: str) -> tuple[Fraction, Fraction]:
    """Micro-units per mWh, ms or once, before and with taxes."""
    unit = {ENERGY: Fraction(1), FLAT: Fraction(MICRO)}.get(component.dimension, _HOURLY)
    rate, share = component.price * unit, component.tax_share
    if tax_included == TAX_EXCLUDED:
        return rate, rate * (1 + share)
    if tax_included == TAX_INCLUDED:
        return rate / (1 + share), rate
    return rate, rate


def _bound(limit: PriceLimit | None, scale: int) -> Bound | None:
    if limit is None:
        return None
    excl, incl = (None if b is None else int(b * MICRO * scale) for b in (limit.excl, limit.incl))
    return Bound(excl, incl)


def _context(rules: list[tuple[str, str, Rule]], reservations: tuple[str, ...]) -> Context:
    ordered = [(d, r) for kind in reservations for k, d, r in rules if k == kind]

    def of(dimension: str) -> tuple[Rule, ...]:
        out: list[Rule] = []
        for found, rule in ordered:
            if found == dimension:
                out.append(rule)
                if not rule.checks:
                    break
        return tuple(out)

    return Context(of(ENERGY), of(TIME), of(PARKING_TIME), of(FLAT))


def _checks(r: Restrictions) -> tuple[Check, ...]:
    ranges = (
        (CHARGED_MWH, r.min_mwh, r.max_mwh),
        (DURATION, r.min_duration_ms, r.max_duration_ms),
        (CHARGED_MS, r.min_charging_ms, r.max_charging_ms),
        (IDLE_MS, r.min_idle_ms, r.max_idle_ms),
        (DAY, r.start_day, r.end_day),
        (LOW_POWER, r.min_power_mw, None),
        (HIGH_POWER, None, r.max_power_mw),
        (LOW_CURRENT, r.min_current_ma, None),
        (HIGH_CURRENT, None, r.max_current_ma),
    )
    out = [
        Check(where, -inf if low is None else low, inf if high is None else high)
        for where, low, high in ranges
        if low is not None or high is not None
    ]
    if r.start_minute is not None or r.end_minute is not None:
        out.extend(_clock(r.start_minute or 0, _end(r.end_minute)))
    if r.days:
        out.append(Check(WEEKDAY, 0, 0, among=r.days))
    return tuple(out)


def _end(minute: int | None) -> int:
    """A lone or closing 00:00 is the end of the day."""
    return minute or DAY_MINUTES


def _clock(start: int, end: int) -> list[Check]:
    start %= DAY_MINUTES
    if start == end % DAY_MINUTES:
        return []
    if start < end:
        return [Check(MINUTE, start, end)]
    return [Check(MINUTE, start, end, outside=True)]


def _minutes(used: list[Restrictions]) -> tuple[int, ...]:
    minutes: set[int] = set()
    for r in used:
        if r.start_minute is not None or r.end_minute is not None:
            minutes |= {(r.start_minute or 0) % DAY_MINUTES, (r.end_minute or 0) % DAY_MINUTES}
        if r.days or r.start_day is not None or r.end_day is not None:
            minutes.add(0)
    return tuple(sorted(minutes))


def _thresholds(used: list[Restrictions], *names: str) -> tuple[int, ...]:
    found = {getattr(r, name) for r in used for name in names}
    return tuple(sorted(value for value in found if value))
