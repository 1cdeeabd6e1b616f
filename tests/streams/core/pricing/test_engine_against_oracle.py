"""The engine and the oracle, two programs from the same rules, agree on any tariff and session."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, example, given, settings

from schemas.units import SLICE_MS
from streams.core.pricing.accrual import accrue
from streams.core.pricing.engine import price
from streams.core.pricing.priced import MICRO, Priced
from streams.core.pricing.usage import Flow, Usage, usage_of
from streams.core.slices import Slice
from tests.oracle.price_oracle import Bill, Oracle, Session, Stretch, rounded
from tests.oracle.tariff_strategies import cases
from tests.streams.core.pricing.pricing_kit import compiled, exact

Json = dict[str, Any]

AGAIN = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
SAME_MILLISECOND: tuple[Json, Session] = (
    {
        "id": "T",
        "currency": "EUR",
        "elements": [
            {
                "price_components": [{"type": "ENERGY", "price": price_, "step_size": 0}],
                "restrictions": when,
            }
            for price_, when in (
                (9, {"max_kwh": Decimal("58.3333"), "end_time": "17:00"}),
                (7, {"end_time": "17:00"}),
                (5, {"max_kwh": Decimal("58.3333")}),
                (3, {"start_time": "17:00"}),
            )
        ],
    },
    Session(
        [Stretch(1_767_266_400_000, 1_767_267_600_000, 116_666_667, 1_200_000)],
        ZoneInfo("Asia/Kolkata"),
    ),
)
"""350 kW reach a threshold in the millisecond before 17:00: what is above it comes at 17:00."""

SLIVER: tuple[Json, Session] = (
    {
        "id": "T",
        "currency": "EUR",
        "elements": [
            {
                "price_components": [
                    {"type": "ENERGY", "price": Decimal("0.0001"), "step_size": 7}
                ],
                "restrictions": {"max_duration": 3000},
            }
        ],
    },
    Session(
        [Stretch(1_771_113_600_000, 1_771_114_200_000, 0, 600_000),
         Stretch(1_771_114_200_000, 1_771_116_900_000, 2, 2_700_000)],
        ZoneInfo("Africa/Casablanca"),
    ),
)  # fmt: skip
"""2 mWh in 45 minutes: what is billed until the 50th was used before the last quarter, and what the
step adds belongs there."""


def usage_from(session: Session) -> Usage:
    return usage_of(
        [Flow(*one) for one in session.stretches],
        session.zone,
        reservation=[Flow(*one) for one in session.reserved],
        reservation_expired=session.expired,
    )


def lines_of(priced: Priced) -> dict[tuple[str, bool, int], tuple[Fraction, Fraction]]:
    unit = priced.scale * MICRO
    out: dict[tuple[str, bool, int], tuple[Fraction, Fraction]] = {}
    for line in priced.lines:
        key = (line.dimension, line.reservation, line.element)
        excl, incl = out.get(key, (Fraction(0), Fraction(0)))
        out[key] = (excl + Fraction(line.excl, unit), incl + Fraction(line.incl, unit))
    return out


def windows_of(session: Session) -> list[int]:
    """The quarters of an hour that a session touches (of its reservation, if nobody came)."""
    used = session.stretches or session.reserved
    first, last = used[0].start, max(used[0].start, max(one.end for one in used) - 1)
    return list(range(first // SLICE_MS * SLICE_MS, last + 1, SLICE_MS))


def slices_of(bill: Bill, borders: list[int], session: Session) -> list[Slice]:
    volumes = [[0, 0, 0] for _ in borders]
    reserved = {one.start for one in session.reserved} if session.stretches else set()
    for piece in bill.pieces:
        if piece.stretch.start in reserved and not piece.stretch.energy:
            continue
        at = max(0, min(len(borders) - 1, (piece.start - borders[0]) // SLICE_MS))
        volumes[at][0] += piece.energy
        volumes[at][1] += piece.charging
        volumes[at][2] += piece.parking
    return [
        Slice(border, e, SLICE_MS, c, p) for border, (e, c, p) in zip(borders, volumes, strict=True)
    ]


@AGAIN
@example(SAME_MILLISECOND)
@given(cases())
def test_totals_lines_and_rounded_amounts_are_the_oracles(case: tuple[Json, Session]) -> None:
    document, session = case
    priced = price(compiled(document), usage_from(session))
    bill = Oracle(document, session.zone).bill(session)

    assert exact(priced) == (bill.excl, bill.incl)
    assert lines_of(priced) == bill.lines()
    for exponent in (0, 2, 3):
        assert tuple(priced.rounded(exponent)) == bill.minor(exponent)
    lines = priced.line_micro()
    assert (sum(m.excl for m in lines), sum(m.incl for m in lines)) == tuple(priced.micro)


@AGAIN
@example(SAME_MILLISECOND)
@example(SLIVER)
@given(cases())
def test_slices_are_the_oracles_to_the_micro_unit(case: tuple[Json, Session]) -> None:
    document, session = case
    usage, borders = usage_from(session), windows_of(session)
    bill = Oracle(document, session.zone).bill(session, borders)
    priced = price(compiled(document), usage)

    found = accrue(priced, usage, slices_of(bill, borders, session))

    excl = incl = Fraction(0)
    done = [0, 0]
    for amounts, (more_excl, more_incl) in zip(found, bill.windows(borders), strict=True):
        excl, incl = excl + more_excl, incl + more_incl
        done = [done[0] + amounts.excl, done[1] + amounts.incl]
        assert done == [rounded(excl * MICRO), rounded(incl * MICRO)]
    assert tuple(done) == tuple(priced.micro)
