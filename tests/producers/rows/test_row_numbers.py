"""Numbers, units and durations of rows, against hand calculation."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.rows.numbers import (
    duration_ms,
    energy_wh,
    parse_hms,
    parse_number,
    plain_text,
    round_half_up,
)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "value"),
    [
        ("7.932", ".", None, "7.932"),
        (" 1,234.5 ", ".", ",", "1234.5"),
        ("1.234,56", ",", ".", "1234.56"),
        ("1\u00a0234,5", ",", " ", "1234.5"),
        ("0,5", ",", None, "0.5"),
        ("-.001", ".", None, "-0.001"),
        ("\u22123", ".", None, "-3"),
        ("1e3", ".", None, "1000"),
        (0.1, ".", None, "0.1"),
        (7, ",", None, "7"),
        (Decimal("1.50"), ",", None, "1.50"),
    ],
)
def test_a_number_is_read_as_its_data_set_writes_it(
    text: object, decimal: str, thousands: str | None, value: str
) -> None:
    assert parse_number(text, decimal, thousands) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands"),
    [
        ("1.5", ",", None),
        ("1.5", ",", "."),
        ("1,5", ".", ","),
        ("1,5", ".", None),
        ("12 kWh", ".", None),
        ("", ".", None),
        ("NaN", ".", None),
        ("1e999", ".", None),
        (float("inf"), ".", None),
        (True, ".", None),
        ("1_000", ".", None),
        ("٣", ".", None),
    ],
)
def test_a_number_of_another_notation_is_refused_not_misread(
    text: object, decimal: str, thousands: str | None
) -> None:
    with pytest.raises(ValueError, match="number"):
        parse_number(text, decimal, thousands)


@pytest.mark.parametrize(
    ("number", "unit", "factor", "wh"),
    [
        ("7.932", "kWh", "1", 7932),
        ("0.0005", "kWh", "1", 1),
        ("-0.0005", "kWh", "1", -1),
        ("0.0004999", "kWh", "1", 0),
        ("3600", "J", "1", 1),
        ("3.6", "MJ", "1", 1000),
        ("0.5", "MWh", "1", 500_000),
        ("15", "wh", "1", 15),
        ("-1394.711", "kWh", "1", -1_394_711),
        ("12", "Wh", "10", 120),
    ],
)
def test_energy_becomes_whole_watt_hours(number: str, unit: str, factor: str, wh: int) -> None:
    assert energy_wh(Decimal(number), unit, Decimal(factor)) == wh


@pytest.mark.parametrize(
    ("raw", "ms"),
    [
        ("1:30:00", 5_400_000),
        ("01:30", 5_400_000),
        ("0:00:00.25", 250),
        ("27:00:00", 97_200_000),
        ("1 day, 2:03:04", 93_784_000),
        ("2d 00:00", 172_800_000),
        ("-0:01:00", -60_000),
        (time(1, 2, 3), 3_723_000),
        (timedelta(hours=26), 93_600_000),
    ],
)
def test_a_duration_text_is_read(raw: object, ms: int) -> None:
    assert parse_hms(raw) == ms


@pytest.mark.parametrize("raw", ["90", "1:60", "1:00:75", "a:b", ""])
def test_what_is_no_duration_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_hms(raw)


def test_decimal_hours_become_milliseconds() -> None:
    assert duration_ms(Decimal("1.5105556"), "h") == 5_438_000


@given(st.fractions(min_value=-(10**9), max_value=10**9))
def test_rounding_is_to_the_nearest_and_symmetric(value: Fraction) -> None:
    rounded = round_half_up(value)

    assert abs(rounded - value) <= Fraction(1, 2)
    assert round_half_up(-value) == -rounded


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4))
def test_plain_text_is_the_number_without_an_exponent(number: Decimal) -> None:
    text = plain_text(number)

    assert Decimal(text) == number
    assert "E" not in text
