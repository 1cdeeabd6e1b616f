"""A month of a simulated fleet under ten tariffs and two plans: product and oracle agree on
every session and every slice to the micro-unit.

The product reads the events; the oracle asks the simulator what happened.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from fractions import Fraction
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from producers.simulator import SessionTruth
from producers.simulator.dialects import Stay
from schemas.units import SLICE_MS
from streams.core.pricing.priced import MICRO
from streams.session_rows import Derived
from tests.oracle.price_oracle import Oracle, rounded
from tests.oracle.stay_oracle import session_of
from tests.streams.month_kit import BY_ID, PLAN_FROM_MS, Fleet, derived_of, fleet_of, plan_of


@cache
def oracle_of(tariff_id: str, zone: str) -> Oracle:
    return Oracle(BY_ID[tariff_id], ZoneInfo(zone))


def terms_of(fleet: Fleet, truth: SessionTruth) -> tuple[str, Fraction]:
    """The tariff of the station or of the plan, and what is paid of it."""
    begun = datetime.fromisoformat(truth.started_at).timestamp() * 1000
    plan = plan_of(truth.driver) if begun >= PLAN_FROM_MS else ""
    if plan == "member":
        return "member", Fraction(1)
    return fleet.tariff_of(truth.station_id), Fraction(7, 8) if plan else Fraction(1)


def differences(fleet: Fleet, stay: Stay, truth: SessionTruth, found: Derived) -> list[str]:
    """Where the product says something else than the oracle."""
    tariff_id, share = terms_of(fleet, truth)
    session = session_of(stay)
    start, end = session.stretches[0].start, session.stretches[-1].end
    borders = list(range(start // SLICE_MS * SLICE_MS, end, SLICE_MS))
    bill = oracle_of(tariff_id, session.zone.key).bill(session, borders)
    expected = [rounded(amount * share * MICRO) for amount in (bill.excl, bill.incl)]
    out = []
    if found.contract.tariff_id != tariff_id or found.priced is None:
        return [f"tariff {found.contract.tariff_id}, not {tariff_id}"]
    if [*found.priced.micro] != expected:
        out.append(f"{found.priced.micro}, not {expected}")
    if share == 1 and tuple(found.priced.rounded(2)) != bill.minor(2):
        out.append(f"{found.priced.rounded(2)}, not {bill.minor(2)}")
    if truth.slices is not None:  # else the rules leave room for when the energy flowed
        out += _by_slice(found, bill.windows(borders), share)
    return out


def _by_slice(
    found: Derived, windows: list[tuple[Fraction, Fraction]], share: Fraction
) -> list[str]:
    excl = incl = Fraction(0)
    done = [0, 0]
    for amounts, (more_excl, more_incl) in zip(found.amounts, windows, strict=True):
        excl, incl = excl + more_excl * share, incl + more_incl * share
        done = [done[0] + amounts.excl, done[1] + amounts.incl]
        if done != [rounded(excl * MICRO), rounded(incl * MICRO)]:
            return [f"{done} until a slice, not {float(excl)} {float(incl)}"]
    return []


def agreed(stations: int, days: float, seed: int) -> Counter[str]:
    """Sessions compared, by tariff; none may differ."""
    fleet = fleet_of(stations, days, seed)
    derived = {str(one.session.session_id): one for one in derived_of(fleet)}
    compared: Counter[str] = Counter()
    wrong = []
    for stay, truth in zip(fleet.stays, fleet.ledger.sessions, strict=True):
        if truth.counted:
            found = derived[truth.session_id]
            differ = differences(fleet, stay, truth, found)
            wrong += [(truth.session_id, truth.fault, found.contract.tariff_id, d) for d in differ]
            compared[found.contract.tariff_id] += 1
    assert not wrong, (len(wrong), compared, wrong[:5])
    return compared


def test_two_days_agree_to_the_micro_unit() -> None:
    compared = agreed(stations=20, days=2, seed=1)
    assert len(compared) == 10
    assert compared.total() > 200


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", range(5))
def test_a_fifth_of_fifty_thousand_sessions_agrees_to_the_micro_unit(seed: int) -> None:
    compared = agreed(stations=34, days=31, seed=100 + seed)
    assert len(compared) == 11
    assert compared.total() >= 10_000
