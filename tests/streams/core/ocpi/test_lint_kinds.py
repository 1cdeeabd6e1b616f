"""Every kind of fault that lint names: found, at a place that exists, and mended as promised."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from streams.core.ocpi.findings import ERROR
from streams.core.ocpi.fix import mend
from streams.core.ocpi.lint import lint
from tests.streams.core.ocpi.tariff_texts import NOW_MS, component, element, tariff, tariffs

Json = dict[str, Any]

WORKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]
ALL_ELSE = element(component(price=Decimal("0.4")))
ABSENT = {"missing_field", "no_elements", "no_price_components"}
"""What is said of something that is not there points to where it belongs."""


def resolved(document: Any, pointer: str) -> Any:
    """What stands at an RFC 6901 pointer; KeyError or IndexError where nothing does."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


def codes(document: Json) -> set[str]:
    return {finding.code for finding in lint(document, NOW_MS)}


def left(document: Json, *, changes: bool) -> set[str]:
    return {finding.code for finding in mend(document, NOW_MS, changes=changes).left}


UNMENDED, CHANGES, KEPT = "nothing mends it", "--allow-changes mends it", "--fix mends it"

KINDS: list[tuple[str, Json, str]] = [
    ("week_gap", tariff(element(component(), day_of_week=[*WORKDAYS, "SATURDAY"]),
                        element(component(), day_of_week=["SUNDAY"], end_time="18:00")), UNMENDED),
    ("element_never_reached", tariff(element(component(), max_kwh=10),
                                     element(component(price=Decimal("0.3")), min_kwh=5),
                                     element(component(price=1), start_time="10:00")), KEPT),
    ("element_never_reached", tariff(element(component(), start_time="22:00", end_time="06:00"),
                                     element(component(), start_time="06:00", end_time="22:00"),
                                     element(component(price=1), day_of_week=["SUNDAY"])), KEPT),
    ("fallback_first", tariff(ALL_ELSE, element(component(), day_of_week=["SUNDAY"])), CHANGES),
    ("contradicting_restrictions", tariff(element(component(), min_kwh=15, max_kwh=5), ALL_ELSE),
     CHANGES),
    ("contradicting_restrictions", tariff(element(component(), min_kwh=5, max_kwh=5), ALL_ELSE),
     CHANGES),
    ("contradicting_restrictions", tariff(element(component(), max_kwh=-5), ALL_ELSE), CHANGES),
    ("contradicting_restrictions",
     tariff(element(component(), start_date="2026-06-01", end_date="2026-01-01"), ALL_ELSE),
     CHANGES),
    ("zero_bound", tariff(element(component(), max_kwh=0), ALL_ELSE), CHANGES),
    ("zero_bound", tariff(element(component(), min_kwh=0, max_kwh=5), ALL_ELSE), KEPT),
    ("zero_bound", tariff(element(component(), min_kwh=-5, max_kwh=5), ALL_ELSE), KEPT),
    ("zero_bound", tariff(element(component(), min_power=0), ALL_ELSE), CHANGES),
    ("zero_bound", tariff(element(component(), max_current=0), ALL_ELSE), CHANGES),
    ("excessive_precision", tariff(element(component(price=Decimal("0.123456789")))), CHANGES),
    ("excessive_precision", tariff(element(component(price=Decimal("0.2500000")))), KEPT),
    ("unknown_field", tariff(element({"type": "ENERGY", "pris": 1, "step_size": 1})), KEPT),
    ("unknown_field", tariff({"price_component": [component()]}), KEPT),
    ("unknown_field", tariff(element(component(), dayOfWeek=["MONDAY"]), ALL_ELSE), CHANGES),
    ("bad_value", tariff(element(component(), day_of_week=["MONDAG", "Tue"]), ALL_ELSE), KEPT),
    ("bad_value", tariff(element(component()), country_code="gbr"), UNMENDED),
    ("letter_case", tariff(element(component()), country_code="gb", currency="gbp"), KEPT),
    ("unknown_dimension", tariff(element(component("ENERGI")), ALL_ELSE), CHANGES),
    ("unknown_dimension", tariff(element(component("PARKING")), ALL_ELSE), CHANGES),
    ("unknown_dimension", tariff(element(component("SESSION_TIME")), ALL_ELSE), UNMENDED),
    ("nothing_priced", tariff(element(component("SESSION_TIME"))), UNMENDED),
    ("contradicting_limits", tariff(ALL_ELSE, min_price={"excl_vat": 9}, max_price={"excl_vat": 1}),
     CHANGES),
    ("contradicting_limits", tariff(ALL_ELSE, min_price={"excl_vat": 1, "incl_vat": 9},
                                    max_price={"excl_vat": 5, "incl_vat": 6}), CHANGES),
    ("contradicting_limits", tariff(ALL_ELSE, min_price={"excl_vat": 9}, max_price={"incl_vat": 6}),
     CHANGES),
    ("step_never_bites", tariff(element(component("FLAT", 1, step_size=300), component())), KEPT),
    ("step_never_bites", tariff(element(component("TIME", 0, step_size=300), component())), KEPT),
    ("bad_number", tariff(element(component(step_size=Decimal("0.5")))), CHANGES),
    ("negative_step_size", tariff(element(component(step_size=-60))), CHANGES),
    ("implausible_price", tariff(element(component(price=30))), UNMENDED),
    ("implausible_vat", tariff(element(component(vat=2100))), CHANGES),
    ("implausible_vat", tariff(element(component(vat=Decimal("0.25")))), CHANGES),
    ("implausible_vat",
     tariff(element(component(taxes=[{"name": "VAT", "percentage": 2100}])), tax_included="NO"),
     CHANGES),
    ("tax_not_applicable", tariff(element(component(vat=25)), tax_included="N/A"), KEPT),
    ("reservation_dimension", tariff(element(component(), reservation="RESERVATION"), ALL_ELSE),
     KEPT),
    ("sloppy_time", tariff(element(component(), start_time="8:00", end_time="24:00"), ALL_ELSE),
     KEPT),
    ("empty_list", tariff({"price_components": [component()], "restrictions": []}), KEPT),
]  # fmt: skip


@pytest.mark.parametrize(("code", "document", "remedy"), KINDS)
def test_each_kind_is_found_and_mended_as_promised(code: str, document: Json, remedy: str) -> None:
    assert code in codes(document)
    assert (code in left(document, changes=False)) == (remedy != KEPT)
    assert (code in left(document, changes=True)) == (remedy == UNMENDED)


def broken(document: Json) -> list[str]:
    """Codes whose pointer leads nowhere."""
    out = []
    for finding in lint(document, NOW_MS):
        pointer = finding.pointer
        if finding.code in ABSENT:
            pointer = pointer.rpartition("/")[0]
        try:
            resolved(document, pointer)
        except (KeyError, IndexError, ValueError, TypeError):
            out.append(f"{finding.code} {finding.pointer}")
    return out


@pytest.mark.parametrize("document", [case[1] for case in KINDS])
def test_every_pointer_leads_to_something(document: Json) -> None:
    assert broken(document) == []


@given(tariffs)
def test_every_pointer_into_a_random_tariff_leads_to_something(document: Json) -> None:
    assert broken(document) == []


def test_three_slips_in_one_component_are_three_findings() -> None:
    """A step that cannot be read does not hide the price and the tax beside it."""
    document = tariff(element(component(price=30, vat=2100, step_size=Decimal("0.5"))))
    assert codes(document) == {"implausible_price", "implausible_vat", "bad_number"}


def test_a_price_that_changes_in_the_hour_that_the_clock_skips_leaves_no_gap() -> None:
    night = element(component(), start_time="03:00", end_time="02:00")
    hour = element(component(price=1), start_time="02:00", end_time="03:00")
    assert codes(tariff(night, hour)) == set()


def test_people_count_elements_from_one_in_every_message() -> None:
    document = tariff({"price_components": []}, 5, element(component()), ALL_ELSE, ALL_ELSE)  # type: ignore[arg-type]
    said = {f.pointer: f.message for f in lint(document, NOW_MS) if f.severity == ERROR}
    assert said["/elements/0/price_components"] == "Element 1 has no price components."
    assert said["/elements/1"] == "Element 2 5 is no object."


def test_a_document_that_is_no_tariff_has_that_one_finding() -> None:
    for document in ({"charging_periods": [], "kwh": 3}, {"total_cost": 3, "cdr_token": {}}):
        assert codes(document) == {"not_a_tariff"}


def test_a_step_size_that_is_missing_is_mended_to_one_that_rounds_nothing_either() -> None:
    """Without step_size nothing is rounded; 1 would round 115.2 Wh up to 116."""
    bare = tariff(element({"type": "ENERGY", "price": 1}))
    mended = mend(bare, NOW_MS, changes=False).document
    assert mended["elements"][0]["price_components"][0]["step_size"] == 0
