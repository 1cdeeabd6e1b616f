"""`laddstream price` on documents as they are met: forgiven, named, refused in one sentence."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from laddstream.cli.app import build
from laddstream.pricing import price_documents
from laddstream.pricing_words import bill_json, bill_text
from schemas.errors import UserError
from streams.core.ocpi.findings import Finding
from streams.core.ocpi.lint_codes import CODES
from streams.core.ocpi.swedish import SENTENCES, note_words, place_words
from tests.streams.core.ocpi.pricing_documents import cdr, element, tariff

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
T = tariff(element("ENERGY", "0.25"))
S = cdr([("10:00", {"ENERGY": "20"})], "11:00")
DIMENSION = {"type": "ENERGY", "volume": 20}
START = "2026-03-02T10:00:00Z"


def priced(tariffs: Any, session: Any) -> Json:
    return bill_json(price_documents(tariffs, session, ZoneInfo("UTC")))


def codes(answer: Json) -> set[str]:
    return {warning["code"] for warning in answer["warnings"]}


def periods(*found: Any) -> Json:
    return {**S, "charging_periods": list(found)}


@pytest.mark.parametrize(
    ("session", "code"),
    [
        (periods({"start_date_time": START, "dimensions": DIMENSION}), "not_a_list"),
        ({**S, "charging_periods": {"start_date_time": START, "dimensions": [DIMENSION]}},
         "not_a_list"),
        (periods({"start_date_time": "2026-3-2T9:5:3Z", "dimensions": [DIMENSION]}), "sloppy_time"),
        (periods({"start_date_time": "2026-03-02T10:00:00.5", "dimensions": [DIMENSION]}),
         "no_zone"),
        (periods({"dimensions": [DIMENSION]}), "missing_field"),
        (periods({"start_date_time": START, "dimensions": [{**DIMENSION, "volume": "20.0"}]}),
         "number_as_text"),
        ({**S, "end_date_time": None}, "missing_field"),
        ({**S, "kwh": Decimal("0.02")}, "energy_in_wh"),
    ],
)  # fmt: skip
def test_sloppy_sessions_are_read_and_named(session: Json, code: str) -> None:
    assert code in codes(priced(T, session))


@pytest.mark.parametrize(
    ("stated", "excl"), [(True, "-5.00"), ("true", "-5.00"), (False, "5.00"), ("false", "5.00")]
)
def test_a_credit_is_one_where_the_document_says_so(stated: object, excl: str) -> None:
    assert priced(T, {**S, "credit": stated})["total_excl_vat"] == excl


@pytest.mark.parametrize(
    ("price", "excl"), [("0,25", "5.00"), ("0,2500", "5.00"), ("0,125", "2.50"), (" .25 ", "5.00")]
)
def test_prices_in_quotes_with_a_decimal_comma_are_read(price: str, excl: str) -> None:
    document = tariff({"price_components": [{"type": "ENERGY", "price": price, "step_size": 1}]})
    assert priced(document, S)["total_excl_vat"] == excl


def test_a_comma_that_may_part_thousands_is_refused() -> None:
    document = tariff({"price_components": [{"type": "ENERGY", "price": "1,250", "step_size": 1}]})
    with pytest.raises(UserError, match="'1,250' is no number"):
        priced(document, S)


def test_restrictions_that_are_an_empty_list_are_none() -> None:
    answer = priced(tariff({**element("ENERGY", "0.25"), "restrictions": []}), S)
    assert answer["total_excl_vat"] == "5.00"
    assert "empty_list" in codes(answer)


def test_tariff_ids_are_compared_without_case() -> None:
    both = [tariff(element("ENERGY", "0.25"), id="Day"), tariff(element("ENERGY", "1"), id="NIGHT")]
    session = cdr([("10:00", {"ENERGY": "20"})], "11:00")
    session["charging_periods"][0]["tariff_id"] = "night"
    answer = priced(both, session)
    assert answer["total_excl_vat"] == "20.00"
    assert not codes(answer) & {"tariff_id_differs", "several_tariffs"}


def test_of_several_tariffs_that_nobody_names_the_one_taken_is_said() -> None:
    both = [tariff(element("ENERGY", "0.25"), id="a"), tariff(element("ENERGY", "1"), id="b")]
    answer = priced(both, S)
    notes = {warning["code"]: warning["message"] for warning in answer["warnings"]}
    assert notes["several_tariffs"] == "The session names none of the 2 tariffs: a is taken."


def test_every_pointer_says_which_document_it_is_in() -> None:
    document = tariff(
        element("ENERGY", "1", end_time="10:30"),
        element("ENERGY", "2", max_power=5),
        element("TIME", "2"),
        currency="SEK",
        end_date_time="2020-01-01T00:00:00Z",
        tax_included=True,
        foo=1,
    )
    answer = priced(document, {**S, "bar": 1})
    assert {"period_split", "power_not_measured", "currency_differs"} <= codes(answer)
    assert {"tariff_not_valid", "tax_unknown", "time_not_stated"} <= codes(answer)
    assert all(re.match("(session|tariff)#", w["pointer"]) for w in answer["warnings"])


@pytest.mark.parametrize(
    ("tariffs", "session", "english", "swedish"),
    [
        (T, T, "The file for --session holds no CDR or Session: it is a tariff; give one.",
         "Filen för --session har ingen CDR eller session: den ser inte ut som någon; ange en."),
        (S, S, "The file for --tariff holds no tariff: it is a CDR without tariffs; give one.",
         "Filen för --tariff har ingen tariff: den ser inte ut som någon; ange en."),
        (T, {"uid": "x"},
         "The file for --session holds no CDR or Session: it looks like none; give one.",
         "Filen för --session har ingen CDR eller session: den ser inte ut som någon; ange en."),
        (T, None, "There is no session in the file: give a CDR, a Session or `session ID --json`.",
         "Det finns ingen session i filen: ange en CDR, en Session eller `session ID --json`."),
        (T, [S, S], "One session is priced at a time; the file holds 2 objects.",
         "En session prissätts åt gången; filen har 2 objekt."),
        (None, S, "There is no tariff: give one with --tariff, or a CDR that carries its own.",
         "Det finns ingen tariff: ange en med --tariff, eller en CDR som bär sin egen."),
        ({**T, "currency": "X"}, S,
         ("The tariff cannot be read: currency 'X' is not in ISO 4217 (at /currency); laddstream "
         "tariff lint lists all that is wrong."),
         ("Tariffen går inte att läsa: currency är ingen valuta i ISO 4217 (vid /currency); "
         "laddstream tariff lint visar allt som är fel.")),
    ],
)  # fmt: skip
def test_what_cannot_be_priced_is_refused_in_the_readers_language(
    tariffs: Any, session: Any, english: str, swedish: str
) -> None:
    for lang, sentence in (("en", english), ("sv", swedish)):
        with pytest.raises(UserError) as refused:
            price_documents(tariffs, session, None, lang)
        assert str(refused.value) == sentence


def test_every_finding_there_is_has_a_swedish_sentence() -> None:
    listed = (ROOT / "docs/pricing.md").read_text(encoding="utf-8").split("### Warnings")[1]
    warnings = re.findall(r"`([a-z_]+)`", listed.split("Each has")[0])
    assert len(warnings) > 20
    assert {*CODES, *warnings} - SENTENCES.keys() == set()


def test_a_bill_in_swedish_has_no_english_in_it() -> None:
    document = tariff(
        element("ENERGY", "1", 1, end_time="9:00"),
        {"price_components": [{"type": "ENERGI", "price": "1"}], "foo": 1},
        element("ENERGY", "2", 1, max_power=5),
        element("TIME", "2", day_of_week="MONDAY"),
        min_price=5,
        start_date_time="2027-01-01",
        currency="eur",
    )
    session = {**S, "currency": "SEK", "total_energy": 30, "status": "COMPLETED"}
    session["cdr_location"] = {"time_zone": "Mars"}
    text = bill_text(price_documents(document, session), "sv")
    english = {"the", "is", "are", "it", "and", "read", "no", "not", "session's", "missing"}
    assert not english & set(re.findall(r"[a-zåäö']+", text.lower()))


@pytest.mark.parametrize(
    ("pointer", "words"),
    [
        ("session#/charging_periods/2/dimensions/0/volume", "volume (laddperiod 3, dimension 1)"),
        ("tariff#/elements/0/restrictions/day_of_week/1", "element 1, dag 2"),
        ("/elements/1", "element 2"),
        ("tariff#/currency", "currency"),
        ("tariff#", "dokumentet"),
    ],
)
def test_places_are_counted_from_one(pointer: str, words: str) -> None:
    assert place_words(pointer) == words


def test_a_finding_says_in_swedish_what_was_probably_meant() -> None:
    finding = Finding("unknown_dimension", "/elements/0/price_components/0/type", "", likely="TIME")
    words = "type (element 1, komponent 1) är ingen känd dimension och räknas inte. Menades TIME?"
    assert note_words(finding, "sv") == words


def test_an_empty_file_and_a_folder_are_refused_in_a_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.write_bytes(b" \n")
    result = CliRunner().invoke(build(), ["price", "--session", str(empty)])
    assert isinstance(result.exception, UserError)
    assert "an empty file; give one with a tariff, a CDR or a session" in str(result.exception)


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ({"data": [tariff(element("ENERGY", "1"))], "status_code": 1000}, "OCPI 2.1.1 tariff"),
        ({"tariffs": [{"tariffId": "t", "energy": {}}]}, "OCPP 2.1 tariff, certain"),
        ([{"id": "1", "auth_id": "x", "kwh": 3, "start_datetime": START}], "OCPI 2.1.1 session"),
    ],
)
def test_version_looks_into_lists_and_envelopes(
    tmp_path: Path, document: object, line: str
) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(document, default=str))
    result = CliRunner().invoke(build(), ["tariff", "version", str(file)])
    assert result.exit_code == 0
    assert result.output.startswith(line)
