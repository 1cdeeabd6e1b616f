"""Which version a document is of, by what only that version has."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from laddstream.sloppy_json import load_json
from streams.core.ocpi.version import CDR, SESSION, TARIFF, guess_version
from tests.streams.core.ocpi.tariff_texts import component, element, json_values, tariff


@pytest.mark.parametrize(
    ("document", "version", "kind", "certain"),
    [
        (tariff(element(component()), tax_included="NO"), "2.3.0", TARIFF, True),
        (tariff(element(component()), min_price={"before_taxes": 1}), "2.3.0", TARIFF, True),
        (tariff(element(component()), min_price={"excl_vat": 1}), "2.2.1", TARIFF, True),
        (tariff(element(component(vat=25))), "2.2.1", TARIFF, True),
        ({"id": "1", "currency": "EUR", "elements": []}, "2.1.1", TARIFF, False),
        ({"tariffId": "1", "currency": "EUR", "energy": {}}, "ocpp2.1", TARIFF, True),
        (
            {"auth_id": "1", "stop_date_time": "", "total_cost": Decimal(4), "tariffs": []},
            "2.1.1",
            CDR,
            True,
        ),
        ({"cdr_token": {}, "total_cost": {"excl_vat": 4}}, "2.2.1", CDR, True),
        ({"cdr_token": {}, "kwh": 1, "total_cost": {"before_taxes": 4}}, "2.3.0", SESSION, True),
        ({"kwh": 1, "start_datetime": "", "location": {}}, "2.1.1", SESSION, True),
        (
            {"tax_included": "NO", "elements": [], "max_price": {"excl_vat": 1}},
            "2.3.0",
            TARIFF,
            False,
        ),
        ({"evses": []}, "", "", False),
        ([1], "", "", False),
    ],
)
def test_tell_tales(document: Any, version: str, kind: str, certain: bool) -> None:
    guess = guess_version(document)
    assert (guess.version, guess.kind, guess.certain) == (version, kind, certain)
    assert guess.because


@pytest.mark.data
def test_published_documents_are_of_the_version_their_folder_says(shared_data: Path) -> None:
    for folder, version in (("ocpi_spec_examples", "2.3.0"), ("ocpi_tandemdrive", "2.2.1")):
        for file in shared_data.glob(f"{folder}/**/*.json"):
            if file.name.startswith(("tariff", "cdr", "session_")):
                guess = guess_version(load_json(file)[0])
                assert (guess.version, guess.certain) == (version, True), file
                assert guess.kind == file.name[: len(guess.kind)] or "patch" in file.name


@given(json_values)
def test_any_json_gets_an_answer(document: Any) -> None:
    assert guess_version(document).because
