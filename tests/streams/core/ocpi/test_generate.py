"""Generated CDRs: cut where prices change, and worth what pricing them again says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laddstream.sloppy_json import dump_json, load_json, parse_json
from streams.core.ocpi.cdrs import read_session
from streams.core.ocpi.generate import Drive, generate
from streams.core.ocpi.tariffs import read_tariff
from streams.core.ocpi.version import guess_version
from streams.core.pricing.compiled import compile_tariff
from streams.core.pricing.engine import price
from tests.streams.core.ocpi.tariff_texts import NOW_MS, component, element, tariff, tariffs

STOCKHOLM = ZoneInfo("Europe/Stockholm")
HOUR, MINUTE = 3_600_000, 60_000
KWH = 1_000_000


def priced_again(cdr: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """What the CDR costs when it is read from its text, in units of a two-decimal currency."""
    document, _ = parse_json(dump_json(cdr).encode(), "cdr")
    session = read_session(document).session
    terms = read_tariff(document["tariffs"][0]).tariff
    assert session is not None
    assert terms is not None
    money = price(compile_tariff(terms), session.usage).rounded(2)
    return Decimal(money.excl).scaleb(-2), Decimal(money.incl).scaleb(-2)


def test_periods_are_cut_where_prices_change() -> None:
    day = element(component(price=Decimal("0.50")), start_time="06:00", end_time="10:30")
    night = element(component(price=Decimal("0.20")))
    drive = Drive(NOW_MS, 2 * HOUR, HOUR, 20 * KWH, STOCKHOLM)

    cdr = generate(tariff(day, night), drive, "2.2.1")

    assert cdr is not None
    assert [(p["start_date_time"], p["dimensions"][0]) for p in cdr["charging_periods"]] == [
        ("2026-03-01T09:00:00Z", {"type": "ENERGY", "volume": 5}),
        ("2026-03-01T09:30:00Z", {"type": "ENERGY", "volume": 15}),
        ("2026-03-01T11:00:00Z", {"type": "PARKING_TIME", "volume": 1}),
    ]
    # 5 kWh × 0.50 + 15 kWh × 0.20, no VAT
    assert cdr["total_cost"] == {"excl_vat": Decimal("5.50"), "incl_vat": Decimal("5.50")}
    assert (cdr["total_energy"], cdr["total_time"], cdr["total_parking_time"]) == (20, 3, 1)


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
def test_each_version_is_recognised(version: str) -> None:
    drive = Drive(NOW_MS, HOUR, 0, 10 * KWH, STOCKHOLM)
    cdr = generate(tariff(element(component(vat=25))), drive, version)

    assert cdr is not None
    assert guess_version(cdr)[:3] == (version, "cdr", True)
    # 10 kWh × 0.25 and 25 % VAT on it
    assert priced_again(cdr) == (Decimal("2.50"), Decimal("3.13"))


def test_the_same_seed_wavers_the_same_way() -> None:
    document = tariff(element(component()))
    drives = [Drive(NOW_MS, 2 * HOUR, 0, 20 * KWH, STOCKHOLM, seed) for seed in (7, 7, 8)]
    first, again, other = (generate(document, drive, "2.2.1") for drive in drives)

    assert first == again != other
    assert first is not None
    assert len({p["dimensions"][2]["volume"] for p in first["charging_periods"]}) > 3


@pytest.mark.data
def test_every_published_tariff_makes_a_cdr_that_is_worth_its_total(shared_data: Path) -> None:
    for file in shared_data.glob("ocpi_*/**/tariff*.json"):
        document, _ = load_json(file)
        for drive in (
            Drive(NOW_MS + 6 * HOUR, 100 * MINUTE, 47 * MINUTE, 18_333_333, STOCKHOLM),
            Drive(NOW_MS, 5 * HOUR + 1000, 9 * HOUR, 71 * KWH, ZoneInfo("Europe/London"), 3),
        ):
            cdr = generate(document, drive, "2.2.1")
            assert cdr is not None
            total = cdr["total_cost"]
            assert priced_again(cdr) == (total["excl_vat"], total["incl_vat"]), file


@given(tariffs, st.integers(0, 300), st.integers(0, 300), st.integers(0, 99_999_999), st.booleans())
def test_what_is_generated_is_worth_its_total_and_has_its_energy(
    document: dict[str, Any], charging: int, parking: int, energy: int, wavers: bool
) -> None:
    energy = energy if charging else 0
    drive = Drive(
        NOW_MS, charging * MINUTE, parking * MINUTE, energy, STOCKHOLM, 5 if wavers else None
    )
    cdr = generate(document, drive, "2.2.1")
    if cdr is None:
        assert read_tariff(document).tariff is None
        return
    total = cdr["total_cost"]
    session = read_session(cdr).session

    assert priced_again(cdr) == (total["excl_vat"], total["incl_vat"])
    assert session is not None
    assert session.usage.energy_mwh == energy
    assert session.usage.charging_ms == charging * MINUTE
    assert session.usage.parking_ms == parking * MINUTE
