"""Sentences: what a line says, and a tariff's paragraph."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from streams.core.pricing.model import (
    ENERGY,
    FLAT,
    NO_RESTRICTIONS,
    PARKING_TIME,
    RESERVATION,
    TIME,
    WHEN_CHARGED,
    Component,
    Element,
    PriceLimit,
    Restrictions,
    Tariff,
    Tax,
)
from streams.core.pricing.priced import MIN_PRICE, Line
from streams.core.pricing.words import (
    because,
    component_words,
    duration_words,
    money_words,
    number_words,
    restriction_words,
)
from streams.core.pricing.words_paragraph import ENGLISH as PARAGRAPH_EN
from streams.core.pricing.words_paragraph import SWEDISH as PARAGRAPH_SV
from streams.core.pricing.words_phrases import ENGLISH, SWEDISH
from streams.core.pricing.words_tariff import explain

STOCKHOLM = ZoneInfo("Europe/Stockholm")
MARCH_1_10_00 = 1_772_355_600_000  # 2026-03-01T09:00:00Z
MINUTE, HOUR = 60_000, 3_600_000
VAT_10 = (Tax("VAT", Fraction(1, 10)),)
VAT_20 = (Tax("VAT", Fraction(1, 5)),)


def component(
    dimension: str, price: str, step: int = 1, taxes: tuple[Tax, ...] = VAT_10
) -> Component:
    return Component(dimension, Fraction(price), price, taxes, step)


def line(
    part: Component | None, quantity: int, billed: int, length_ms: int, stretches: int = 1
) -> Line:
    name = MIN_PRICE if part is None else part.dimension
    end = MARCH_1_10_00 + length_ms
    return Line(name, False, 0, part, quantity, billed, MARCH_1_10_00, end, stretches, None, 0, 0)


def tariff(*elements: tuple[Restrictions, tuple[Component, ...]], **rest: object) -> Tariff:
    parts = tuple(Element(i, components, r) for i, (r, components) in enumerate(elements))
    return Tariff("T", "EUR", parts, **rest)  # type: ignore[arg-type]


def test_energy_says_quantity_step_price_element_and_when() -> None:
    energy = line(component(ENERGY, "0.25", 100), 20_450_000, 20_500_000, 150 * MINUTE)

    assert because(energy, NO_RESTRICTIONS, "EUR", STOCKHOLM) == (
        "20.45 kWh, rounded up to 20.5 kWh (steps of 100 Wh), at 0.25 EUR per kWh plus 10 % VAT; "
        "element 1, no restrictions; from 2026-03-01 10:00 to 12:30."
    )


def test_energy_in_swedish_has_decimal_commas() -> None:
    energy = line(component(ENERGY, "0.25", 100), 20_450_000, 20_500_000, 150 * MINUTE)

    assert because(energy, NO_RESTRICTIONS, "SEK", STOCKHOLM, "sv") == (
        "20,45 kWh, avrundat uppåt till 20,5 kWh (steg om 100 Wh), för 0,25 kr per kWh plus 10 % "
        "moms; element 1, utan villkor; från 2026-03-01 10:00 till 12:30."
    )


def test_time_names_the_restriction_that_matched() -> None:
    when = Restrictions(days=frozenset(range(5)), start_minute=540, end_minute=1080)
    time = line(component(TIME, "2", 300), 7_103_000, 7_200_000, 7_103_000)

    assert because(time, when, "EUR", STOCKHOLM) == (
        "1 h 58 min 23 s of charging, rounded up to 2 hours (steps of 5 minutes), at 2.00 EUR per "
        "hour plus 10 % VAT; element 1, from Monday to Friday, between 09:00 and 18:00; "
        "from 2026-03-01 10:00 to 11:58:23."
    )


def test_a_line_over_a_change_of_clocks_gives_both_offsets() -> None:
    spring = 1_774_738_800_000  # 2026-03-28T23:00:00Z, the night of 23 hours
    part = component(TIME, "2")
    night = Line(TIME, False, 0, part, 4 * HOUR, 4 * HOUR, spring, spring + 4 * HOUR, 1, None, 0, 0)

    assert because(night, NO_RESTRICTIONS, "EUR", STOCKHOLM).endswith(
        "from 2026-03-29 00:00 (UTC+01:00) to 05:00 (UTC+02:00)."
    )


def test_adjustments_need_no_component() -> None:
    assert because(line(None, 1, 1, 0), NO_RESTRICTIONS, "EUR", STOCKHOLM) == (
        "Raised to the minimum price of a session; at 2026-03-01 10:00."
    )


@pytest.mark.parametrize(
    ("ms", "english", "swedish"),
    [
        (1_800_000, "30 minutes", "30 minuter"),
        (3_600_000, "1 hour", "1 timme"),
        (15_000, "15 seconds", "15 sekunder"),
        (7_103_000, "1 h 58 min 23 s", "1 h 58 min 23 s"),
        (1_500, "1.5 s", "1,5 s"),
        (0, "0 s", "0 s"),
    ],
)
def test_durations(ms: int, english: str, swedish: str) -> None:
    assert (duration_words(ms, "en"), duration_words(ms, "sv")) == (english, swedish)


def test_amounts_have_the_decimals_of_their_currency_and_no_less_than_were_written() -> None:
    assert money_words(Fraction(5), "EUR", "en") == "5.00 EUR"
    assert money_words(Decimal("0.2475"), "EUR", "sv") == "0,2475 EUR"
    assert money_words(Fraction(30), "JPY", "en") == "30 JPY"
    assert money_words(Fraction(5, 2), "SEK", "sv") == "2,50 kr"
    assert number_words(Fraction(-1, 3), "en", 0, 2) == "-0.33"


def test_taxes_are_in_or_on_the_price() -> None:
    energy = component(ENERGY, "0.25")
    assert component_words(energy, "EUR", "NO", "en") == "0.25 EUR per kWh plus 10 % VAT"
    assert component_words(energy, "EUR", "YES", "en") == "0.25 EUR per kWh including 10 % VAT"
    assert component_words(energy, "EUR", "N/A", "en") == "0.25 EUR per kWh"


def test_every_restriction_has_its_words() -> None:
    everything = Restrictions(
        start_minute=1320, end_minute=360, start_day=20_454, end_day=20_513,
        days=frozenset({5, 6}), min_mwh=10_000_000, max_mwh=20_000_000,
        min_duration_ms=HOUR, max_duration_ms=4 * HOUR, min_power_mw=16_000_000,
        max_current_ma=32_000, min_charging_ms=HOUR, max_idle_ms=15 * MINUTE,
        reservation=RESERVATION, never="evseKind DC",
    )  # fmt: skip

    assert restriction_words(everything, "en") == [
        "for a reservation",
        "on Saturday and Sunday",
        "between 22:00 and 06:00",
        "from 2026-01-01 until 2026-03-01 (that day not included)",
        "between 10 and 20 kWh",
        "between 1 hour and 4 hours after the start",
        "while the power is 16 kW or more",
        "while the current is below 32 A",
        "after 1 hour of charging",
        "until 15 minutes without charging",
        "never, because of a condition that no session shows (evseKind DC)",
    ]
    assert len(restriction_words(everything, "sv")) == 11


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (480, 480, []),
        (None, 0, []),
        (1200, 0, ["from 20:00 to midnight"]),
        (0, 1020, ["before 17:00"]),
        (None, 1020, ["before 17:00"]),
        (1020, None, ["from 17:00"]),
    ],
)
def test_times_of_day(start: int | None, end: int | None, words: list[str]) -> None:
    assert restriction_words(Restrictions(start_minute=start, end_minute=end), "en") == words


def test_both_languages_have_the_same_phrases() -> None:
    assert ENGLISH.keys() == SWEDISH.keys()
    assert PARAGRAPH_EN.keys() == PARAGRAPH_SV.keys()


def test_the_paragraph_says_otherwise_and_leaves_out_what_otherwise_says() -> None:
    half_hour, hour = 30 * MINUTE, HOUR
    energy = tariff(
        (Restrictions(max_duration_ms=half_hour), (component(ENERGY, "0", taxes=VAT_20),)),
        (Restrictions(max_duration_ms=hour), (component(ENERGY, "0.25", taxes=VAT_20),)),
        (Restrictions(min_duration_ms=hour), (component(ENERGY, "0.40", taxes=VAT_20),)),
    )

    assert explain(energy) == (
        "Energy costs nothing during the first 30 minutes, otherwise 0.25 EUR per kWh during the "
        "first hour, otherwise 0.40 EUR per kWh. Time costs nothing. 20 % VAT is added to these "
        "prices."
    )


def test_what_is_never_reached_is_not_said() -> None:
    shadowed = tariff(
        (NO_RESTRICTIONS, (component(ENERGY, "0.25"),)),
        (Restrictions(days=frozenset({6})), (component(ENERGY, "9"),)),
    )

    assert "9" not in explain(shadowed)


def test_limits_validity_and_swedish() -> None:
    all_of_it = tariff(
        (NO_RESTRICTIONS, (component(FLAT, "0.50"), component(PARKING_TIME, "2", 900))),
        min_price=PriceLimit(Fraction(1, 2), Fraction(55, 100)),
        max_price=PriceLimit(Fraction(10), None),
        valid_until_ms=MARCH_1_10_00,
    )

    assert explain(all_of_it, "sv") == (
        "Varje laddning har en fast avgift på 0,50 EUR. Tiden inkopplad utan laddning kostar 2,00 "
        "EUR per timme, i steg om 15 minuter. Inget annat debiteras. På priserna tillkommer 10 % "
        "moms. En laddning kostar minst 0,50 EUR (0,55 EUR inklusive moms) och högst 10,00 EUR "
        "utan moms. Gäller till 2026-03-01 09:00 UTC."
    )


def test_the_workplace_tariff_four_hours_free_then_by_the_started_five_minutes() -> None:
    free = Restrictions(max_duration_ms=4 * HOUR)
    parts = (component(TIME, "0", taxes=()), component(PARKING_TIME, "0", taxes=()))
    after = (component(TIME, "1", 300, ()), component(PARKING_TIME, "1", 300, ()))
    workplace = tariff(
        (free, parts),
        (NO_RESTRICTIONS, after),
        min_price=PriceLimit(Fraction(1, 2), None),
        min_price_applies=WHEN_CHARGED,
    )

    text = explain(workplace)

    assert text.startswith(
        "Charging time costs nothing during the first 4 hours, otherwise 1.00 EUR per hour "
        "(in steps of 5 minutes)."
    )
    assert "If anything is charged, a session costs at least 0.50 EUR without VAT." in text


def test_a_free_tariff_is_free() -> None:
    assert explain(tariff((NO_RESTRICTIONS, (component(FLAT, "0", taxes=()),)))) == (
        "Charging is free of charge."
    )
