"""What must hold of any price: splitting, growing, clocks that jump, events in disorder."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from schemas import wire
from streams.convert import to_core
from streams.core.derive import derive
from streams.core.events import CoreEvent
from streams.core.pricing.accrual import accrue
from streams.core.pricing.adjust import discounted, freed
from streams.core.pricing.engine import price
from streams.core.pricing.priced import MICRO, Money, Priced
from streams.core.pricing.usage import Flow, Usage, usage_of
from streams.core.slices import slice_session
from streams.decode import parse_time
from streams.session_usage import usage_of_facts
from tests.oracle.price_oracle import Session, Stretch
from tests.oracle.tariff_strategies import CHANGES, cases, days, prices, sessions, split
from tests.streams.core.fleet_strategies import sessions2x
from tests.streams.core.pricing.pricing_kit import compiled, exact

Json = dict[str, Any]
LARGE = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
"""Tariffs and sessions are large inputs, slow to draw on a busy machine."""

CLOCKS = [(zone, day) for zone, found in CHANGES.items() for day in found]


def usage_from(session: Session) -> Usage:
    return usage_of(
        [Flow(*one) for one in session.stretches],
        session.zone,
        reservation=[Flow(*one) for one in session.reserved],
        reservation_expired=session.expired,
    )


def pure(session: Session) -> bool:
    """Each stretch is all charging, all parking or neither: no time is shared out."""
    return all({s.charging, s.parking} <= {0, s.end - s.start} for s in session.stretches)


@LARGE
@given(cases(), st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), max_size=6))
def test_splitting_a_session_never_changes_its_price(
    case: tuple[Json, Session], cuts: list[tuple[int, float]]
) -> None:
    document, session = case
    assume(pure(session))
    parts = list(session.stretches)
    for number, where in cuts:
        at = number % max(1, len(parts))
        for one in parts[at : at + 1]:
            parts[at : at + 1] = split(one, one.start + int((one.end - one.start) * where))
    tariff = compiled(document)

    whole = price(tariff, usage_from(session))
    cut = price(tariff, usage_from(replace(session, stretches=parts)))

    assert exact(cut) == exact(whole)
    assert [line[:6] for line in cut.lines] == [line[:6] for line in whole.lines]


@st.composite
def growing(draw: st.DrawFn) -> Json:
    """Tariffs under which more energy never costs less: no steps, and energy prices that ask
    either the kWh alone or anything but the kWh; nothing else asks the kWh.
    """
    tiers = sorted(draw(st.sets(st.integers(1, 40), max_size=3)))
    energy: list[Json] = [{"max_kwh": upto} for upto in tiers]
    if not tiers and draw(st.booleans()):
        energy.append({"start_time": "22:00", "end_time": "06:00"})
    energy.append({})
    elements = [
        {
            "price_components": [{"type": "ENERGY", "price": draw(prices), "step_size": 0}],
            **({"restrictions": when} if when else {}),
        }
        for when in energy
    ]
    others = [{"type": kind, "price": draw(prices), "step_size": 0} for kind in ("TIME", "FLAT")]
    document: Json = {"id": "T", "currency": "EUR", "elements": [*elements, {
        "price_components": others}]}  # fmt: skip
    if draw(st.booleans()):
        document["max_price"] = {"excl_vat": Decimal(50), "incl_vat": Decimal(60)}
        document["min_price"] = {"excl_vat": Decimal(2), "incl_vat": Decimal("2.5")}
    return document


@LARGE
@given(growing(), days().flatmap(lambda d: sessions(*d)), st.integers(1, 10_000_000), st.data())
def test_more_energy_never_costs_less(
    document: Json, session: Session, more: int, data: st.DataObject
) -> None:
    assume(session.stretches)
    parts = list(session.stretches)
    at = data.draw(st.integers(0, len(parts) - 1))
    parts[at] = parts[at]._replace(energy=parts[at].energy + more)
    tariff = compiled(document)

    before = price(tariff, usage_from(session))
    after = price(tariff, usage_from(replace(session, stretches=parts)))

    # A cut gives a whole mWh to one of its sides, at 9 a kWh at most.
    slack = Fraction(9 * len(after.segments), 1_000_000)
    assert exact(after)[0] >= exact(before)[0] - slack
    assert exact(after)[1] >= exact(before)[1] - slack


@LARGE
@given(cases(), st.fractions(0, 1, max_denominator=400))
def test_a_discount_takes_its_share_and_free_leaves_nothing(
    case: tuple[Json, Session], share: Fraction
) -> None:
    document, session = case
    priced = price(compiled(document), usage_from(session))
    less = discounted(priced, share, 0)

    assert exact(less) == tuple(amount * (1 - share) for amount in exact(priced))
    assert freed(priced, 0).micro == Money(0, 0)
    assert _line_sum(less) == less.micro
    for exponent in (0, 2, 3):
        assert freed(less, 0).rounded(exponent) == Money(0, 0)


def _line_sum(priced: Priced) -> Money:
    lines = priced.line_micro()
    return Money(sum(one.excl for one in lines), sum(one.incl for one in lines))


@pytest.mark.parametrize(("name", "day"), CLOCKS)
@given(
    window=st.tuples(st.integers(0, 47), st.integers(0, 47)),
    weekdays=st.sets(st.integers(0, 6)),
    begin=st.integers(-30 * 60, 30 * 60),
    minutes=st.integers(1, 60 * 60),
)
@settings(max_examples=15)
def test_priced_time_is_real_time_where_clocks_jump(
    name: str, day: str, window: tuple[int, int], weekdays: set[int], begin: int, minutes: int
) -> None:
    """Counted minute by minute on the wall clock, by zoneinfo alone."""
    zone = ZoneInfo(name)
    names = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
    low, high = (30 * half for half in window)
    when: Json = {
        "start_time": f"{low // 60:02}:{low % 60:02}",
        "end_time": f"{high // 60:02}:{high % 60:02}",
    }
    if weekdays:
        when["day_of_week"] = [names[k] for k in sorted(weekdays)]
    document = {"id": "T", "currency": "EUR", "elements": [{
        "price_components": [{"type": "TIME", "price": 60, "step_size": 0}],
        "restrictions": when}]}  # fmt: skip
    start = int(datetime.fromisoformat(day).replace(tzinfo=zone).timestamp()) + begin * 60
    counted = 0
    for k in range(minutes):
        local = datetime.fromtimestamp(start + k * 60, zone)
        now = local.hour * 60 + local.minute
        inside = low <= now < high if low < high else now >= low or now < high
        counted += (inside or low == high) and (not weekdays or local.weekday() in weekdays)
    length = minutes * 60_000
    session = Session([Stretch(start * 1000, start * 1000 + length, 0, length)], zone)

    assert exact(price(compiled(document), usage_from(session)))[0] == counted


@pytest.mark.parametrize(("name", "day"), [c for c in CLOCKS if c[0] != "Asia/Kolkata"])
def test_a_day_on_which_clocks_change_is_priced_at_its_real_length(name: str, day: str) -> None:
    zone = ZoneInfo(name)
    noon = datetime.fromisoformat(day) - timedelta(hours=12)
    start, end = (
        int((noon + timedelta(hours=24 * k)).replace(tzinfo=zone).timestamp()) for k in (0, 2)
    )
    assert end - start != 48 * 3600
    document = {"id": "T", "currency": "EUR", "elements": [{
        "price_components": [{"type": "TIME", "price": 1, "step_size": 0}],
        "restrictions": {
            "start_date": day,
            "end_date": (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat(),
        }}]}  # fmt: skip
    session = Session([Stretch(start * 1000, end * 1000, 0, (end - start) * 1000)], zone)

    hours = exact(price(compiled(document), usage_from(session)))[0]

    assert hours == Fraction(end - start, 3600) - 24
    assert hours in {23, 25, Fraction(47, 2), Fraction(49, 2)}


def core_of(events: list[wire.WireEvent]) -> list[CoreEvent]:
    out = []
    for event in events:
        ts = parse_time(event.timestamp)
        assert isinstance(ts, int)
        core = to_core(event, ts)
        if core is not None:
            out.append(core)
    return out


@LARGE
@given(sessions2x("S1"), cases(), st.integers(0, 99))
def test_events_in_any_order_and_number_give_the_same_amounts(
    events: list[wire.WireEvent], case: tuple[Json, Session], seed: int
) -> None:
    document, session = case
    distinct = core_of(events)
    assume(distinct)
    chance = Random(seed)
    again = [*distinct, *chance.choices(distinct, k=seed % 7)]
    chance.shuffle(again)
    tariff = compiled(document)
    found = []
    for order in (distinct, again):
        facts = derive(set(order))
        usage = usage_of_facts(facts, session.zone)
        priced = price(tariff, usage)
        amounts = accrue(priced, usage, slice_session(facts))
        found.append((priced.lines, priced.micro, priced.rounded(2), amounts))

    assert found[0] == found[1]
    if found[0][3]:
        assert sum(one.incl for one in found[0][3]) == found[0][1].incl


@LARGE
@given(cases())
def test_micro_units_are_the_exact_total_rounded_half_up(case: tuple[Json, Session]) -> None:
    document, session = case
    priced = price(compiled(document), usage_from(session))
    for micro, amount in zip(priced.micro, exact(priced), strict=True):
        assert abs(Fraction(micro, MICRO) - amount) <= Fraction(1, 2 * MICRO)
    assert _line_sum(priced) == priced.micro
