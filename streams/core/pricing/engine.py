"""The price of a session, exact, as OCPI says (domain rules 2.6).

    walk the usage            which price held when                      (streams.core.pricing.walk)
    add up per component      quantities in mWh, ms, once
    round up to step_size     once for energy, once for time or parking, on priced volume
    apply min and max price   before and with taxes, each on its own

A tariff without restrictions takes the short way: its quantities are the session's totals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from streams.core.pricing.compiled import Bound, Compiled, Context, Rule
from streams.core.pricing.model import (
    ENERGY,
    FLAT,
    PARKING_TIME,
    TIME,
    WHEN_CHARGED,
)
from streams.core.pricing.priced import (
    MAX_PRICE,
    MIN_PRICE,
    NO_COMPONENT,
    Line,
    Priced,
    Segment,
    half_up,
)
from streams.core.pricing.usage import Usage
from streams.core.pricing.walk import Walk


class _Sum:
    """What one component priced: quantity, from when to when, in how many stretches."""

    __slots__ = ("end_ms", "quantity", "rule", "start_ms", "stretches")

    def __init__(self, rule: Rule, start_ms: int) -> None:
        self.rule = rule
        self.quantity = 0
        self.start_ms = self.end_ms = start_ms
        self.stretches = 0

    def add(self, quantity: int, start_ms: int, end_ms: int) -> None:
        if start_ms != self.end_ms or not self.stretches:
            self.stretches += 1
        self.quantity += quantity
        self.end_ms = end_ms


class _Sums:
    """Per dimension: component index to its sum, and the rule that was active last."""

    def __init__(self) -> None:
        self.of: dict[str, dict[int, _Sum]] = {ENERGY: {}, TIME: {}, PARKING_TIME: {}}
        self.last: dict[str, _Sum] = {}

    def add(self, dimension: str, rule: Rule, quantity: int, start_ms: int, end_ms: int) -> None:
        """Volume of one stretch under one rule."""
        sums = self.of[dimension]
        found = sums.get(rule.component)
        if found is None:
            found = sums[rule.component] = _Sum(rule, start_ms)
        found.add(quantity, start_ms, end_ms)
        self.last[dimension] = found


def price(compiled: Compiled, usage: Usage) -> Priced:
    """Price one session. Deterministic and exact; never raises on a usage of whole volumes."""
    lines: list[Line] = []
    segments: list[Segment] = []
    warnings: set[str] = set()
    if usage.reservation:
        context = compiled.expired if usage.reservation_expired else compiled.reserved
        walk = Walk(compiled, context, usage.zone, reservation=True)
        parts = usage.reservation
        walk.run(parts, parts[0].start_ms, parts[-1].end_ms)
        lines.extend(_walked(compiled, context, walk))
        segments.extend(walk.segments)
        warnings |= walk.warnings
    if not (usage.reservation and usage.reservation_expired):
        if compiled.plain:
            lines.extend(_plain(compiled, usage))
        else:
            walk = Walk(compiled, compiled.charging, usage.zone)
            walk.run(usage.flows(), usage.start_ms, usage.end_ms)
            lines.extend(_walked(compiled, compiled.charging, walk))
            segments.extend(walk.segments)
            warnings |= walk.warnings
    lines.extend(_limits(compiled, lines, usage))
    return Priced(
        compiled.tariff.currency,
        compiled.scale,
        tuple(lines),
        tuple(segments),
        compiled.components,
        tuple(sorted(warnings)),
    )


def _plain(compiled: Compiled, usage: Usage) -> list[Line]:
    context = compiled.charging
    sums = _Sums()
    for dimension, rules, quantity in (
        (ENERGY, context.energy, usage.energy_mwh),
        (TIME, context.time, usage.charging_ms),
        (PARKING_TIME, context.parking, usage.parking_ms),
    ):
        if rules and quantity:
            sums.add(dimension, rules[0], quantity, usage.start_ms, usage.end_ms)
    flat = (context.flat[0], usage.start_ms) if context.flat else None
    return _lines(compiled, sums, flat, reservation=False)


def _walked(compiled: Compiled, context: Context, walk: Walk) -> list[Line]:
    rules = {
        rule.component: rule
        for part in (context.energy, context.time, context.parking)
        for rule in part
    }
    sums = _Sums()
    for s in walk.segments:
        if s.energy != NO_COMPONENT:
            sums.add(ENERGY, rules[s.energy], s.energy_mwh, s.start_ms, s.end_ms)
        if s.time != NO_COMPONENT:
            sums.add(TIME, rules[s.time], s.charging_ms, s.start_ms, s.end_ms)
        if s.parking != NO_COMPONENT:
            sums.add(PARKING_TIME, rules[s.parking], s.parking_ms, s.start_ms, s.end_ms)
    return _lines(compiled, sums, walk.flat, reservation=bool(walk.segments[0].reservation))


def _lines(
    compiled: Compiled, sums: _Sums, flat: tuple[Rule, int] | None, *, reservation: bool
) -> list[Line]:
    """Lines in the order of the tariff; the last component of a dimension takes the top-up."""
    top_ups = {id(s): extra for s, extra in _top_ups(sums)}
    found = [
        (dimension, s, s.quantity + top_ups.get(id(s), 0))
        for dimension, by_component in sums.of.items()
        for s in by_component.values()
    ]
    if flat is not None:
        once = _Sum(flat[0], flat[1])
        once.add(1, flat[1], flat[1])
        found.append((FLAT, once, 1))
    found.sort(key=lambda entry: entry[1].rule.component)
    return [_line(compiled, *entry, reservation=reservation) for entry in found]


def _line(compiled: Compiled, dimension: str, s: _Sum, billed: int, *, reservation: bool) -> Line:
    rule = s.rule
    element, component = compiled.components[rule.component]
    return Line(
        dimension,
        reservation,
        element,
        component,
        s.quantity,
        billed,
        s.start_ms,
        s.end_ms,
        s.stretches,
        rule.tax_share,
        billed * rule.rate_excl,
        billed * rule.rate_incl,
    )


def _top_ups(sums: _Sums) -> Iterable[tuple[_Sum, int]]:
    """What step_size adds: once for energy, once for parking, or for time without parking."""
    time = PARKING_TIME if PARKING_TIME in sums.last else TIME
    for dimension in (ENERGY, time):
        last = sums.last.get(dimension)
        if last is not None and last.rule.step:
            total = sum(s.quantity for s in sums.of[dimension].values())
            extra = -total % last.rule.step
            if extra:
                yield last, extra


def _limits(compiled: Compiled, lines: list[Line], usage: Usage) -> list[Line]:
    """Adjustment lines that bring the total to min_price or max_price."""
    excl, incl = sum(line.excl for line in lines), sum(line.incl for line in lines)
    shares = {line.tax_share for line in lines}
    share = next(iter(shares)) if len(shares) == 1 else None
    owed = bool(excl or incl)
    out = []
    for name, bound, pick in (
        (MIN_PRICE, compiled.minimum, max),
        (MAX_PRICE, compiled.maximum, min),
    ):
        if bound is None or (name == MIN_PRICE and not owed and _only_when_charged(compiled)):
            continue
        to_excl, to_incl = _bounded(bound, excl, incl, pick)
        if (to_excl, to_incl) != (excl, incl):
            move = to_excl - excl, to_incl - incl
            at = usage.end_ms
            out.append(Line(name, False, NO_COMPONENT, None, 1, 1, at, at, 1, share, *move))
            excl, incl = to_excl, to_incl
    return out


def _only_when_charged(compiled: Compiled) -> bool:
    return compiled.tariff.min_price_applies == WHEN_CHARGED


def _bounded(
    bound: Bound, excl: int, incl: int, pick: Callable[[int, int], int]
) -> tuple[int, int]:
    """Each side is held by its own bound; a side without one moves in proportion to the other."""
    to_excl = excl if bound.excl is None else pick(excl, bound.excl)
    to_incl = incl if bound.incl is None else pick(incl, bound.incl)
    if bound.incl is None and to_excl != excl:
        to_incl = half_up(to_excl * incl, excl) if excl > 0 else to_excl
    elif bound.excl is None and to_incl != incl:
        to_excl = half_up(to_incl * excl, incl) if incl > 0 else to_incl
    return to_excl, to_incl
