"""What lint finds, with its code and its place."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from laddstream.sloppy_json import load_json
from streams.core.ocpi.findings import ERROR
from streams.core.ocpi.lint import lint
from streams.core.ocpi.lint_amounts import PER_EURO
from streams.core.ocpi.lint_codes import CODES
from streams.core.ocpi.lint_reach import gap_words
from streams.core.ocpi.tariffs import read_tariff
from streams.core.pricing.words_tariff import explain
from tests.conftest import ROOT
from tests.streams.core.ocpi.tariff_texts import (
    NOW_MS,
    component,
    element,
    json_values,
    tariff,
    tariffs,
)

WEEKEND = ["SATURDAY", "SUNDAY"]
WEEKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]


def found(document: Any) -> set[tuple[str, str]]:
    return {(finding.code, finding.pointer) for finding in lint(document, NOW_MS)}


def test_a_sound_tariff_has_no_findings() -> None:
    day = element(component(price=Decimal("0.30")), start_time="06:00", end_time="22:00")
    assert found(tariff(day, element(component()))) == set()


def test_a_fallback_placed_first_hides_what_follows() -> None:
    assert found(tariff(element(component()), element(component(), day_of_week=WEEKEND))) == {
        ("fallback_first", "/elements/0/price_components/0"),
        ("element_never_reached", "/elements/1"),
    }


def test_an_element_within_an_earlier_one_is_never_reached() -> None:
    wide = element(component(), start_time="08:00", end_time="20:00")
    narrow = element(
        component(price=1), component("TIME", 1), start_time="09:00", end_time="17:00", min_kwh=5
    )
    fallback = element(component())

    assert ("component_never_reached", "/elements/1/price_components/0") in found(
        tariff(wide, narrow, fallback)
    )


def test_elements_that_cover_all_together_hide_a_fallback() -> None:
    assert ("element_never_reached", "/elements/4") in found(
        tariff(
            element(component(), day_of_week=WEEKEND),
            element(component(), day_of_week=WEEKDAYS, start_time="06:00", end_time="22:00"),
            element(component(), start_time="22:00", end_time="06:00", max_kwh=10),
            element(component(), min_kwh=10),
            element(component(price=1)),
        )
    )


def test_power_may_be_unmeasured_so_a_fallback_behind_all_powers_is_reached() -> None:
    assert (
        found(
            tariff(
                element(component(), max_power=16),
                element(component(price=1), min_power=16),
                element(component(price=2)),
            )
        )
        == set()
    )


def test_a_reservation_hides_nothing_of_the_charging() -> None:
    reserved = element(component("TIME", 5), reservation="RESERVATION")
    assert found(tariff(reserved, element(component("TIME", 2)))) == set()


def test_gaps_in_a_week_are_shown() -> None:
    working = {"day_of_week": WEEKDAYS, "start_time": "06:00", "end_time": "22:00"}
    gap = lint(tariff(element(component(), **working)), NOW_MS)

    assert [(f.code, f.pointer) for f in gap] == [("week_gap", "/elements/0/price_components/0")]
    assert "Mon 22:00-Tue 06:00" in gap[0].message
    assert "Fri 22:00-Mon 06:00" in gap[0].message


@pytest.mark.parametrize(
    ("days", "start", "end", "words"),
    [
        (range(7), 1200, 1440, "daily 20:00-24:00"),
        ([2], 0, 1440, "Wed 00:00-Wed 24:00"),
        ([6], 1380, 1440, "Sun 23:00-Sun 24:00"),
    ],
)
def test_gap_words(days: list[int], start: int, end: int, words: str) -> None:
    minutes = sum(((1 << end) - (1 << start)) << 1440 * day for day in days)
    assert gap_words(minutes) == words


@pytest.mark.parametrize(
    ("restrictions", "code", "place"),
    [
        ({"min_kwh": 20, "max_kwh": 10}, "contradicting_restrictions", "max_kwh"),
        ({"min_duration": 0}, "zero_bound", "min_duration"),
        ({"max_duration": 0}, "zero_bound", "max_duration"),
        ({"start_time": "08:00", "end_time": "08:00"}, "equal_times", "end_time"),
        ({"start_time": "8:00"}, "sloppy_time", "start_time"),
        ({"start_date": "2026-3-1"}, "sloppy_date", "start_date"),
        ({"day_of_week": ["MONDY"]}, "bad_value", "day_of_week/0"),
        ({"mx_kwh": 5}, "unknown_field", "mx_kwh"),
        ({"max_kwh": None}, "null_field", "max_kwh"),
    ],
)
def test_restrictions(restrictions: dict[str, Any], code: str, place: str) -> None:
    assert (code, f"/elements/0/restrictions/{place}") in found(
        tariff(element(component(), **restrictions), element(component()))
    )


@pytest.mark.parametrize(
    ("part", "code", "place"),
    [
        (component(price=30), "implausible_price", "price"),
        (component(price=Decimal("0.0003")), "implausible_price", "price"),
        (component("TIME", 500), "implausible_price", "price"),
        (component(vat=2100), "implausible_vat", "vat"),
        (component(vat=Decimal("0.25")), "implausible_vat", "vat"),
        (component(price=Decimal("0.12345")), "excessive_precision", "price"),
        (component(price=Decimal("0.250000")), "excessive_precision", "price"),
        (component("FLAT", 1, step_size=60), "step_never_bites", "step_size"),
        (component("TIME", 0, step_size=60), "step_never_bites", "step_size"),
        (component("TIME", 1, step_size=864_000), "implausible_step", "step_size"),
        (component(price=-1), "negative_price", "price"),
        (component("SESSION_TIME"), "unknown_dimension", "type"),
        (component("Energy"), "letter_case", "type"),
        ({"type": "ENERGY", "price": 1}, "missing_field", "step_size"),
    ],
)
def test_components(part: dict[str, Any], code: str, place: str) -> None:
    place = f"/elements/0/price_components/0/{place}"
    assert (code, place) in found(tariff(element(part), element(component("FLAT", 1))))


def test_thirty_kronor_is_plausible_and_three_hundred_is_not() -> None:
    assert PER_EURO["SEK"] == 11
    assert found(tariff(element(component(price=30)), currency="SEK")) == set()
    assert found(tariff(element(component(price=300)), currency="SEK")) == {
        ("implausible_price", "/elements/0/price_components/0/price")
    }


def test_likely_values_are_named() -> None:
    findings = lint(tariff(element(component(vat=2100), component("PARKNG_TIME", 1))), NOW_MS)
    assert {f.code: f.likely for f in findings} == {
        "implausible_vat": "21",
        "unknown_dimension": "PARKING_TIME",
    }


def test_limits_that_contradict() -> None:
    low, high = {"excl_vat": 9, "incl_vat": 8}, {"excl_vat": 5}
    assert {
        ("contradicting_limits", "/max_price"),
        ("limit_taxes_negative", "/min_price"),
    } <= found(tariff(element(component()), min_price=low, max_price=high))


def test_a_dimension_twice_in_one_element() -> None:
    assert found(tariff(element(component(), component(price=1)))) == {
        ("duplicate_component", "/elements/0/price_components/1")
    }


def test_validity() -> None:
    ended = {"end_date_time": "2019-06-30T23:59:59Z"}
    assert found(tariff(element(component()), **ended)) == {("expired", "/end_date_time")}
    assert ("contradicting_dates", "/end_date_time") in found(
        tariff(element(component()), start_date_time="2020-01-01T00:00:00Z", **ended)
    )


def test_what_is_broken_does_not_hide_the_rest() -> None:
    broken = element(component(), day_of_week=["MONDY"])
    dear = element(component(price=30, vat=2100))
    assert {code for code, _ in found(tariff(broken, dear, currency="EURO"))} >= {
        "bad_value",
        "unknown_currency",
        "implausible_price",
        "implausible_vat",
    }


def test_required_fields_of_the_version() -> None:
    bare = tariff(element(component()), min_price={"before_taxes": 1})
    del bare["last_updated"]
    assert found(bare) == {("missing_field", "/last_updated"), ("missing_field", "/tax_included")}


def test_an_ocpp_tariff_is_linted_too() -> None:
    night = {"priceKwh": Decimal("0.2"), "conditions": {"startTimeOfDay": "22:00"}}
    prices = [{"priceKwh": 30}, night]
    assert found({"tariffId": "T", "currency": "EUR", "energy": {"prices": prices}}) == {
        ("implausible_price", "/energy/prices/0"),
        ("fallback_first", "/energy/prices/0"),
        ("component_never_reached", "/energy/prices/1"),
    }


SHARED_WARNINGS = {
    "ocpi_spec_examples/tariff_14_step_size.json": {"week_gap"},
    "ocpi_spec_examples/tariff_4_complex.json": {"week_gap"},
    "ocpi_spec_examples/tariff_6_025kwh_start_max_price.json": {"expired"},
    "ocpi_spec_examples/tariff_put_example.json": {"missing_field"},
    "ocpi_tandemdrive/025kwh_start_max_price/tariff.json": {"expired"},
    "ocpi_tandemdrive/complex/tariff.json": {"week_gap"},
    "ocpi_tandemdrive/first_hour_kwh_free/tariff.json": {"zero_bound", "step_never_bites"},
    "ocpi_tandemdrive/put_example/tariff.json": {"missing_field"},
    "ocpi_tandemdrive/step_size/tariff.json": {"week_gap"},
}


@pytest.mark.data
def test_published_tariffs_have_these_findings_and_no_others(shared_data: Path) -> None:
    files = sorted(shared_data.glob("ocpi_*/**/tariff*.json"))
    seen = {}
    for file in files:
        document, forgiven = load_json(file)
        findings = lint(document, NOW_MS)
        assert not forgiven
        assert not [finding for finding in findings if finding.severity == ERROR]
        if findings:
            seen[file.relative_to(shared_data).as_posix()] = {f.code for f in findings}

    assert len(files) == 43
    assert seen == SHARED_WARNINGS


@given(json_values)
def test_lint_and_explain_never_raise_on_json(document: Any) -> None:
    assert {finding.code for finding in lint(document, NOW_MS)} <= CODES.keys()
    reading = read_tariff(document)
    if reading.tariff is not None:
        assert explain(reading.tariff, "sv")
        assert explain(reading.tariff, "en")


@given(tariffs)
def test_lint_and_explain_never_raise_on_tariffs(document: dict[str, Any]) -> None:
    assert {finding.code for finding in lint(document, NOW_MS)} <= CODES.keys()
    reading = read_tariff(document)
    if reading.tariff is not None:
        assert explain(reading.tariff)


def test_the_docs_list_every_code_and_no_other() -> None:
    text = (ROOT / "docs" / "tariffs.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([a-z_]+)` \| (.+?) \|", text, re.MULTILINE))
    assert listed == CODES
