"""Tariff documents: three versions of OCPI and OCPP 2.1, as they should be and as they are."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ocpi.tariffs import TariffReading, read_tariff, tariffs_in
from streams.core.pricing.model import (
    ENERGY,
    FLAT,
    PARKING_TIME,
    RESERVATION,
    TIME,
    PriceLimit,
    Restrictions,
    Tariff,
    Tax,
)

COMPONENT = {"type": "ENERGY", "price": Decimal("0.25"), "vat": 10, "step_size": 1}


def document(component: dict[str, Any] | None = None, **restrictions: Any) -> dict[str, Any]:
    element: dict[str, Any] = {"price_components": [component or COMPONENT]}
    if restrictions:
        element["restrictions"] = restrictions
    return {"id": "t", "currency": "EUR", "elements": [element]}


def sound(raw: Any) -> Tariff:
    reading = read_tariff(raw)
    assert reading.tariff is not None, reading.findings
    return reading.tariff


def only(raw: Any) -> Restrictions:
    return sound(raw).elements[0].restrictions


def codes(reading: TariffReading, severity: str) -> list[tuple[str, str]]:
    return [(f.code, f.pointer) for f in reading.findings if f.severity == severity]


def test_three_versions_of_a_tariff_are_one_model() -> None:
    elements = [
        {
            "price_components": [COMPONENT, {"type": "FLAT", "price": 1, "step_size": 1}],
            "restrictions": {"start_time": "09:00", "end_time": "18:00", "min_kwh": 1},
        }
    ]
    v211 = {"id": "t", "currency": "EUR", "elements": elements}
    v221 = {**v211, "country_code": "SE", "party_id": "ABC", "type": "REGULAR"}
    v230 = {**v221, "tax_included": "NO"}
    limits = [
        (v221, {"excl_vat": Decimal("0.5"), "incl_vat": Decimal("0.55")}),
        (v230, {"before_taxes": Decimal("0.5"), "after_taxes": Decimal("0.55")}),
    ]
    read = [sound({**base, "min_price": limit}) for base, limit in limits]
    assert [t.version for t in read] == ["2.2.1", "2.3.0"]
    assert replace(read[0], version="") == replace(read[1], version="")
    old = sound(v211)
    assert old.elements == read[0].elements
    assert read[0].min_price == PriceLimit(Fraction(1, 2), Fraction(11, 20))


def test_every_restriction_arrives_in_the_units_of_the_engine() -> None:
    found = only(
        document(
            start_time="22:00",
            end_time="06:00",
            start_date="1970-01-02",
            end_date="1970-02-01",
            day_of_week=["MONDAY", "SUNDAY"],
            min_kwh=Decimal("0.5"),
            max_kwh=20,
            min_duration=60,
            max_duration=3600,
            min_power=Decimal("3.7"),
            max_power=22,
            min_current=6,
            max_current=Decimal("32.5"),
        )
    )
    assert found == Restrictions(
        start_minute=22 * 60,
        end_minute=6 * 60,
        start_day=1,
        end_day=31,
        days=frozenset({0, 6}),
        min_mwh=500_000,
        max_mwh=20_000_000,
        min_duration_ms=60_000,
        max_duration_ms=3_600_000,
        min_power_mw=3_700_000,
        max_power_mw=22_000_000,
        min_current_ma=6_000,
        max_current_ma=32_500,
    )


def test_ocpp_2_1_prices_are_per_minute_and_its_taxes_stack() -> None:
    tariff = sound(
        {
            "tariffId": "x",
            "currency": "EUR",
            "energy": {
                "prices": [
                    {"priceKwh": Decimal("0.3"), "conditions": {"maxEnergy": 5000}},
                    {"priceKwh": Decimal("0.4")},
                ],
                "taxRates": [
                    {"type": "city", "tax": 10, "stack": 1},
                    {"type": "vat", "tax": 20},
                ],
            },
            "idleTime": {
                "prices": [{"priceMinute": Decimal("0.05"), "conditions": {"minIdleTime": 1800}}]
            },
            "fixedFee": {"prices": [{"priceFixed": 1, "conditions": {"dayOfWeek": ["Monday"]}}]},
            "reservationTime": {"prices": [{"priceMinute": Decimal("0.1")}]},
            "minCost": {"exclTax": 1, "taxRates": [{"type": "vat", "tax": 20}]},
        }
    )
    shapes = [(e.index, e.components[0].dimension, e.components[0].price) for e in tariff.elements]
    assert shapes == [
        (0, ENERGY, Fraction(3, 10)),
        (1, ENERGY, Fraction(2, 5)),
        (2, PARKING_TIME, 3),
        (3, FLAT, 1),
        (4, TIME, 6),
    ]
    assert tariff.elements[0].restrictions.max_mwh == 5_000_000
    assert tariff.elements[2].restrictions.min_idle_ms == 1_800_000
    assert tariff.elements[3].restrictions.days == frozenset({0})
    assert tariff.elements[4].restrictions.reservation == RESERVATION
    taxes = (Tax("vat", Fraction(1, 5)), Tax("city", Fraction(12, 100)))
    assert tariff.elements[0].components[0].taxes == taxes
    assert tariff.min_price == PriceLimit(Fraction(1), Fraction(6, 5))
    assert tariff.flat_at_start
    assert tariff.elements[1].components[0].pointer == "/energy/prices/1"


@pytest.mark.parametrize(
    ("restrictions", "code", "field", "value"),
    [
        ({"start_time": "9:00"}, "sloppy_time", "start_minute", 540),
        ({"end_time": "24:00"}, "sloppy_time", "end_minute", 1440),
        ({"end_time": "17:00:00"}, "sloppy_time", "end_minute", 1020),
        ({"end_time": "23:59:59"}, "sloppy_time", "end_minute", 1440),
        ({"start_date": "1970-1-5"}, "sloppy_date", "start_day", 4),
        ({"start_date": "1970-01-05T00:00:00Z"}, "sloppy_date", "start_day", 4),
        ({"max_kwh": "5"}, "number_as_text", "max_mwh", 5_000_000),
        ({"max_kwh": "0,5"}, "decimal_comma", "max_mwh", 500_000),
        ({"day_of_week": ["monday"]}, "letter_case", "days", frozenset({0})),
        ({"day_of_week": "MONDAY"}, "not_a_list", "days", frozenset({0})),
        ({"reservation": "reservation"}, "letter_case", "reservation", RESERVATION),
        ({"max_kwh": 0}, "zero_bound", "max_mwh", 0),
        ({"max_pwoer": 5}, "unknown_field", "max_power_mw", None),
    ],
)
def test_sloppy_restrictions_are_read_and_noted(
    restrictions: dict[str, Any], code: str, field: str, value: object
) -> None:
    reading = read_tariff(document(**restrictions))
    assert [c for c, _ in codes(reading, "warning")] == [code]
    assert getattr(only(document(**restrictions)), field) == value


def test_a_misspelt_field_names_what_was_likely_meant() -> None:
    finding = read_tariff(document(max_pwoer=5)).findings[0]
    assert finding.pointer == "/elements/0/restrictions/max_pwoer"
    assert finding.likely == "max_power"


def test_nulls_are_as_if_absent() -> None:
    raw = document({**COMPONENT, "vat": None}, start_time=None, day_of_week=None, reservation=None)
    raw |= {"min_price": None, "start_date_time": None, "type": None, "tax_included": None}
    assert read_tariff(raw).findings == ()
    assert only(raw) == Restrictions()


def test_a_component_of_an_unknown_dimension_is_left_out_with_a_warning() -> None:
    raw = document()
    raw["elements"].insert(0, {"price_components": [{"type": "SESSION_TIME", "price": 1}]})
    reading = read_tariff(raw)
    assert codes(reading, "warning") == [
        ("unknown_dimension", "/elements/0/price_components/0/type")
    ]
    assert [element.index for element in sound(raw).elements] == [1]


@pytest.mark.parametrize(
    ("raw", "code", "pointer"),
    [
        ({"id": "t", "currency": "EUR"}, "no_elements", "/elements"),
        ({"id": "t", "currency": "EUR", "elements": []}, "no_elements", "/elements"),
        (
            {"id": "t", "currency": "EUR", "elements": [{"price_components": []}]},
            "no_price_components",
            "/elements/0/price_components",
        ),
        ({**document(), "currency": "XYZ"}, "unknown_currency", "/currency"),
        ({**document(), "currency": None}, "missing_field", "/currency"),
        (
            document({**COMPONENT, "step_size": -1}),
            "negative_step_size",
            "/elements/0/price_components/0/step_size",
        ),
        (
            document({**COMPONENT, "price": "a lot"}),
            "bad_number",
            "/elements/0/price_components/0/price",
        ),
        (
            document({**COMPONENT, "price": float("nan")}),
            "bad_number",
            "/elements/0/price_components/0/price",
        ),
        (document({**COMPONENT, "vat": -5}), "negative_tax", "/elements/0/price_components/0/vat"),
        (
            document({"type": "ENERGI", "price": 1}),
            "no_elements",
            "/elements",
        ),
        (
            document(min_kwh=20, max_kwh=5),
            "contradicting_restrictions",
            "/elements/0/restrictions/max_kwh",
        ),
        (
            document(start_date="2026-02-01", end_date="2026-01-01"),
            "contradicting_restrictions",
            "/elements/0/restrictions/end_date",
        ),
        (document(start_time="25:00"), "bad_time", "/elements/0/restrictions/start_time"),
        (document(start_date="2026-02-30"), "bad_date", "/elements/0/restrictions/start_date"),
        (
            document(day_of_week=["FUNDAY"]),
            "bad_value",
            "/elements/0/restrictions/day_of_week/0",
        ),
        ({**document(), "min_price": 5, "max_price": 4}, "contradicting_limits", "/max_price"),
        ({**document(), "start_date_time": "soon"}, "bad_date", "/start_date_time"),
    ],
)
def test_what_cannot_be_read_safely_is_refused_at_its_place(
    raw: dict[str, Any], code: str, pointer: str
) -> None:
    reading = read_tariff(raw)
    assert reading.tariff is None
    assert (code, pointer) in codes(reading, "error")


def test_an_end_before_its_start_is_a_night_and_legal() -> None:
    assert read_tariff(document(start_time="22:00", end_time="06:00")).findings == ()


def test_tariffs_are_found_in_lists_envelopes_and_cdrs() -> None:
    one = document()
    for wrapped in (one, [one], {"data": one, "status_code": 1000}, {"data": [one]}):
        assert tariffs_in(wrapped) == [one]
    assert tariffs_in({"id": "cdr", "tariffs": [one, one]}) == [one, one]
    assert tariffs_in("nothing") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
NUMBERS: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, -1, 5, "1", "0,5", "x", Decimal("1e30"), Decimal("NaN"), []]
)
TIMES = st.sampled_from([None, "9:00", "24:00", "25:00", "22:00", 5, "", "00:00", "２２:00"])
DATES = st.sampled_from([None, "2026-1-1", "2026-01-02", "0000-00-00", "20260101", 7])
RESTRICTIONS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("start_time", "end_time"), TIMES | JSON),
        **dict.fromkeys(("start_date", "end_date"), DATES | JSON),
        **dict.fromkeys(("min_kwh", "max_kwh", "min_power", "max_duration"), NUMBERS | JSON),
        "day_of_week": st.lists(st.sampled_from(["MONDAY", "Sunday", "x", 1])) | JSON,
        "reservation": JSON,
    },
)
COMPONENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["ENERGY", "time", "FLAT", "SESSION_TIME"]) | JSON},
    optional={"price": NUMBERS | JSON, "vat": NUMBERS | JSON, "step_size": NUMBERS | JSON},
)
ELEMENTS = st.fixed_dictionaries(
    {"price_components": st.lists(COMPONENTS, max_size=3) | JSON},
    optional={"restrictions": RESTRICTIONS | JSON},
)
OCPI_TARIFFS = st.fixed_dictionaries(
    {"elements": st.lists(ELEMENTS, max_size=3) | JSON},
    optional={
        "currency": st.sampled_from(["EUR", "eur", "XTS"]) | JSON,
        "min_price": st.fixed_dictionaries({"excl_vat": NUMBERS}) | NUMBERS | JSON,
        "tax_included": JSON,
        "start_date_time": DATES | JSON,
    },
)
PRICES = st.fixed_dictionaries(
    {},
    optional={
        "prices": st.lists(
            st.dictionaries(st.sampled_from(["priceKwh", "conditions"]), NUMBERS | JSON)
        ),
        "taxRates": st.lists(st.dictionaries(st.sampled_from(["tax", "stack", "type"]), NUMBERS)),
    },
)
OCPP_TARIFFS = st.fixed_dictionaries(
    {"tariffId": JSON, "energy": PRICES | JSON},
    optional={"fixedFee": PRICES | JSON, "minCost": JSON, "currency": st.just("EUR")},
)


@given(OCPI_TARIFFS | OCPP_TARIFFS | JSON)
def test_no_json_makes_the_reader_raise(raw: Any) -> None:
    for item in [raw, *tariffs_in(raw)]:
        reading = read_tariff(item)
        assert (reading.tariff is None) == any(f.severity == "error" for f in reading.findings)
