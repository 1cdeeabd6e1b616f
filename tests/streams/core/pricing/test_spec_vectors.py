"""Published price examples: OCPI mod_tariffs and mod_cdrs, OCPP 2.1, and own ones for the clock.

Amounts are exact, before / with VAT, as worked out by hand from the text of the specifications;
docs/spec-errors.md tells where a printed amount is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from streams.core.pricing.accrual import accrue
from streams.core.pricing.engine import price
from streams.core.slices import Slice
from tests.streams.core.pricing.pricing_kit import (
    BERLIN,
    MINUTE_MS,
    Stay,
    compiled,
    cost,
    epoch_ms,
    load,
)

Json = Mapping[str, Any]
Tariff = Callable[[str], Json]
STOCKHOLM = ZoneInfo("Europe/Stockholm")


@pytest.fixture
def spec(shared_data: Path) -> Tariff:
    """Reads a file of the specification's examples."""
    return lambda name: load(shared_data / "ocpi_spec_examples" / f"{name}.json")


def tariff(*elements: Json, **more: Any) -> Json:
    """An OCPI 2.2.1 tariff in EUR."""
    return {"id": "T", "currency": "EUR", "elements": list(elements), **more}


def element(kind: str, price_: str, step: int = 1, vat: str | None = None, **when: Any) -> Json:
    """An element of one component."""
    component: dict[str, Any] = {"type": kind, "price": price_, "step_size": step}
    if vat is not None:
        component["vat"] = vat
    return {"price_components": [component], "restrictions": when} if when else {
        "price_components": [component]
    }  # fmt: skip


VECTORS: list[tuple[str, str, Stay, tuple[str, str]]] = [
    ("V1", "tariff_8_simple_025kwh", Stay().charge(20), ("5", "5.5")),
    ("V2", "tariff_9_025kwh_start", Stay().charge(20), ("5.5", "6.1")),
    ("V3", "tariff_12_025kwh_min_price", Stay().charge(20), ("5", "5.5")),
    ("V3", "tariff_12_025kwh_min_price", Stay().charge("1.2"), ("0.5", "0.55")),
    ("V4", "tariff_10_025kwh_parking_start", Stay().charge(20).park(40), ("7", "7.9")),
    ("V6", "tariff_1_simple_2hour", Stay().charge(minutes=150), ("5", "5.5")),
    ("V7", "tariff_19_simple_north_american_exclusive", Stay().charge(minutes=150), ("5", "5")),
    ("V7", "tariff_20_simple_north_american_inclusive", Stay().charge(minutes=150),
     ("5.25", "5.25")),
    ("V8", "tariff_13_simple_3hour_5parking", Stay().charge(minutes=150).park(42),
     ("11.25", "12.75")),
    ("V9", "tariff_2_alt_text", Stay().charge(minutes=150), ("4.75", "4.997")),
    ("V10", "tariff_3_alt_url", Stay().charge("20.45"), ("5.625", "6.2375")),
    ("V11", "tariff_4_complex",
     Stay("2026-03-02T09:30").charge(30, 165, amps=16).park(42), ("9", "10.3")),
    ("V13", "tariff_14_step_size", Stay("2026-03-04T16:55").charge(minutes=10).park(2),
     ("0.55", "0.55")),
    ("V14", "tariff_14_step_size", Stay("2026-03-04T16:35").charge(minutes=35), ("1.3", "1.3")),
    ("V15", "tariff_15_reservation_5_euro_per_hour", Stay().reserve(15).charge(20),
     ("6.75", "7.6")),
    ("V16", "tariff_16_reservation_2_euro_fee_5_euro_per_hour", Stay().reserve(13).charge(20),
     ("8.75", "10")),
    ("V19", "tariff_5_free_of_charge", Stay().charge(45, 600).park(600), ("0", "0")),
    ("V21", "tariffrestriction_example_max_power",
     Stay().charge(1, 10, kw=6).charge(40, 50, kw=48).charge("0.5", 7.5, kw=4),
     ("20.3", "24.36")),
    ("V22", "tariffrestriction_example_max_duration",
     Stay().charge(5, 30).charge("1.2", 15), ("0.3", "0.36")),
    ("max_price", "tariff_6_025kwh_start_max_price", Stay().charge(60), ("10", "11")),
]  # fmt: skip


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "stay", "expected"),
    [pytest.param(n, s, e, id=f"{v}-{n}") for v, n, s, e in VECTORS],
)
def test_an_example_of_the_specification_costs_what_its_text_says(
    spec: Tariff, name: str, stay: Stay, expected: tuple[str, str]
) -> None:
    assert cost(spec(name), stay) == expected


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "minutes", "expired", "expected"),
    [
        # used: 2.00 an hour in steps of ten minutes, then 0.50 and 20 kWh
        ("tariff_17_reservation_with_expire_fee", 15, False, ("37/6", "6.9")),
        # expired: the fee of 4.00; the time has no price of its own for that, so 2.00 an hour
        ("tariff_17_reservation_with_expire_fee", 60, True, ("6", "7.2")),
        ("tariff_18_reservation_with_expire_time", 20, False, ("6.5", "7.3")),
        ("tariff_18_reservation_with_expire_time", 20, True, ("2", "2.4")),
    ],
)
def test_a_reservation_that_expired_asks_its_own_elements_first(
    spec: Tariff, name: str, minutes: int, expired: bool, expected: tuple[str, str]
) -> None:
    stay = Stay().reserve(minutes)
    found = cost(spec(name), stay if expired else stay.charge(20), expired=expired)
    assert found == expected


@pytest.mark.parametrize(("step", "expected"), [(1, "0.029"), (25, "0.03125"), (500, "0.125")])
def test_v23_energy_is_billed_in_whole_steps(step: int, expected: str) -> None:
    assert cost(tariff(element("ENERGY", "0.25", step)), Stay().charge("0.1152"))[0] == expected


@pytest.mark.data
def test_v28_the_cdr_example_is_two_hours_in_steps_of_five_minutes(spec: Tariff) -> None:
    stay = Stay("2024-12-05T17:39:09+00:00").charge("15.342", 7103 / 60)
    assert cost(spec("cdr_example")["tariffs"][0], stay) == ("4", "4.4")


def test_v30_ocpp_taxes_add_up() -> None:
    document = {
        "tariffId": "10",
        "currency": "EUR",
        "energy": {
            "prices": [{"priceKwh": 0.25}],
            "taxRates": [{"type": "federal", "tax": 6}, {"type": "state", "tax": 4}],
        },
    }
    assert cost(document, Stay().charge(10)) == ("2.5", "2.75")


def test_steps_round_the_total_and_not_the_part_after_a_price_change() -> None:
    """mod_cdrs: 4.3 + 1.1 kWh are 5.5 kWh; 6 + 22 minutes are 6 + 24."""
    energy = tariff(
        element("ENERGY", "0.20", 500, end_time="17:00"),
        element("ENERGY", "0.27", 500, start_time="17:00"),
    )
    stay = Stay("2026-03-04T16:17").charge("4.3", 43).charge("1.1", 11)
    assert cost(energy, stay)[0] == "1.184"
    time = tariff(
        element("TIME", "5", 600, end_time="17:00"), element("TIME", "7", 600, start_time="17:00")
    )
    assert cost(time, Stay("2026-03-04T16:54").charge(1, 28))[0] == "3.3"


def test_where_parking_is_priced_only_parking_is_rounded() -> None:
    """mod_cdrs: 21 minutes at 1.00 and 16, billed as 20, at 2.00 an hour."""
    both = tariff(element("TIME", "1", 600), element("PARKING_TIME", "2", 600))
    assert cost(both, Stay().charge(5, 21).park(16))[0] == "61/60"


def test_unpriced_parking_does_not_take_the_rounding_from_time() -> None:
    time = tariff(element("TIME", "1", 600), element("PARKING_TIME", "2", 600, min_duration=36_000))
    assert cost(time, Stay().charge(5, 21).park(16))[0] == "0.5"


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-10-25T00:00", 4, "4"),  # 02:00-03:00 comes twice
        ("2026-03-29T00:00", 4, "0"),  # … and not at all
        ("2026-10-25T02:30", 1, "2"),  # 02:30 to 02:30: the first one, fold 0
        ("2026-10-24T00:00", 4, "2"),
    ],
)
def test_a_night_hour_is_priced_as_often_as_the_local_clock_shows_it(
    start: str, hours: int, expected: str
) -> None:
    night = tariff(element("TIME", "2", start_time="02:00", end_time="03:00"))
    assert cost(night, Stay(start, STOCKHOLM).charge(10, hours * 60))[0] == expected


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_of_the_calendar_has_its_real_hours(day: str, hours: int) -> None:
    sunday = tariff(element("TIME", "1", day_of_week=["SUNDAY"]))
    stay = Stay(f"{day}T00:00", STOCKHOLM)
    stay.at -= 12 * 60 * MINUTE_MS
    assert cost(sunday, stay.charge(10, 48 * 60))[0] == str(hours)
    dated = tariff(element("TIME", "1", start_date=day, end_date=f"{day[:-2]}{int(day[-2:]) + 1}"))
    assert cost(dated, stay)[0] == str(hours)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"start_time": "22:00", "end_time": "06:00"}, "5"),  # 22:00-24:00 and 00:00-03:00
        ({"start_time": "22:00", "end_time": "00:00"}, "2"),
        ({"end_time": "00:00"}, "6"),
        ({"start_time": "13:00", "end_time": "13:00"}, "6"),
        ({"start_time": "22:00", "end_time": "06:00", "day_of_week": ["WEDNESDAY"]}, "2"),
        ({"start_time": "22:00", "end_time": "06:00", "day_of_week": ["THURSDAY"]}, "3"),
    ],
)
def test_a_window_over_midnight_asks_the_weekday_of_each_instant(when: Json, expected: str) -> None:
    """Wednesday 21:00 to Thursday 03:00."""
    stay = Stay("2026-03-04T21:00").charge(10, 360)
    assert cost(tariff(element("TIME", "1", **when)), stay)[0] == expected


def test_energy_is_cut_where_a_threshold_was_reached_on_the_way() -> None:
    tiers = tariff(element("ENERGY", "0.50", max_kwh=10), element("ENERGY", "0.30"))
    assert cost(tiers, Stay().charge(7, 33).charge(20, 77))[0] == "10.1"


def test_a_peak_at_the_bound_is_over_it_and_a_trough_at_the_bound_is_not_under_it() -> None:
    bands = tariff(element("ENERGY", "1", max_power=16), element("ENERGY", "2", min_power=16))
    assert cost(bands, Stay().charge(1, 60, kw=16))[0] == "2"
    assert cost(bands, Stay().charge(1, 60, kw=15.999))[0] == "1"


def test_power_that_nobody_measured_matches_no_restriction() -> None:
    bands = tariff(element("ENERGY", "1", max_power=16), element("ENERGY", "2", min_power=16))
    found = price(compiled(bands), Stay().charge(1, 60).usage())
    assert found.excl == 0
    assert "power_not_measured" in found.warnings


def test_a_fee_is_asked_once_and_by_the_first_element_that_becomes_active() -> None:
    fees = tariff(
        element("FLAT", "3", start_time="18:00", end_time="20:00"),
        element("FLAT", "1", start_time="20:00", end_time="23:00"),
    )
    assert cost(fees, Stay("2026-03-04T17:00").charge(10, 300))[0] == "3"
    assert cost(fees, Stay("2026-03-04T20:00").charge(10, 300))[0] == "1"
    assert cost(fees, Stay("2026-03-04T12:00").charge(10, 300))[0] == "0"


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(3, "0"), (4, "0"), (4.05, "0.5"), (4.5, "0.5"), (4.6, "2/3"), (5, "1"), (5.01, "13/12")],
)
def test_the_fees_of_a_work_place_start_after_four_hours(hours: float, expected: str) -> None:
    """First four hours free, then 1.00 USD an hour in steps of five minutes, at least 0.50 USD
    when anything is charged.
    """
    fee = tariff(
        element("TIME", "0", 300, max_duration=14_400),
        element("TIME", "1.00", 300, min_duration=14_400),
        currency="USD",
        min_price={"excl_vat": "0.50", "incl_vat": "0.50"},
        min_price_applies="WHEN_CHARGED",
    )
    assert cost(fee, Stay().charge(10, hours * 60))[0] == expected


def test_accrual_puts_energy_where_it_flowed_and_the_fee_at_the_start() -> None:
    """Domain rules 2.7: 0/20/25/30 kWh at 22:30/23:30/00:30/01:30 are 9.50 before midnight."""
    document = tariff(element("ENERGY", "0.40"), element("FLAT", "0.50"))
    stay = Stay("2026-03-04T22:30").charge(20).charge(5).charge(5)
    usage = stay.usage()
    quarter = 15 * MINUTE_MS
    slices = [
        Slice(flow.start_ms + k * quarter, flow.energy_mwh // 4, quarter, quarter, 0)
        for flow in stay.flows
        for k in range(4)
    ]
    midnight = epoch_ms("2026-03-05T00:00", BERLIN)
    for limit in ({}, {"min_price": {"excl_vat": "0.01", "incl_vat": "0.01"}}):
        for when in ({}, {"start_time": "22:00", "end_time": "21:00"}):
            restricted = {**document, **limit}
            restricted["elements"] = [{**e, "restrictions": when} for e in document["elements"]]
            amounts = accrue(price(compiled(restricted), usage), usage, slices)
            before = sum(a.excl for a, s in zip(amounts, slices, strict=True) if s.start < midnight)
            assert (before, sum(a.excl for a in amounts) - before) == (9_500_000, 3_000_000)
