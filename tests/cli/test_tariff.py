"""`laddstream tariff …` as people and programs meet it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from laddstream.cli.app import build
from laddstream.sloppy_json import load_json
from schemas.errors import UserError

TARIFF = """{
  "country_code": "SE", "party_id": "LAD", "id": "T1", "currency": "SEK",
  "elements": [
    {"price_components": [{"type": "ENERGY", "price": 3.50, "vat": 25, "step_size": 1}]}
  ],
  "last_updated": "2026-01-01T00:00:00Z"
}"""


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "T.json"
    path.write_text(TARIFF, encoding="utf-8")
    return path


@pytest.fixture
def sloppy(tmp_path: Path) -> Path:
    path = tmp_path / "S.json"
    path.write_text(TARIFF.replace('"SEK"', '"sek", // crowns').replace("25", "2500"), "utf-8")
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(build("tariff"), ["tariff", *(str(word) for word in words)])


def test_explain_in_both_languages(sound: Path) -> None:
    english, swedish = run("explain", sound), run("explain", sound, "--lang", "sv")

    assert english.stdout == (
        "Energy costs 3.50 SEK per kWh. Time costs nothing. 25 % VAT is added to these\nprices.\n"
    )
    assert swedish.stdout == (
        "Energin kostar 3,50 kr per kWh. Tiden kostar ingenting. På priserna tillkommer\n"
        "25 % moms.\n"
    )


def test_explain_says_in_json_what_was_forgiven(sloppy: Path) -> None:
    answer = json.loads(run("explain", sloppy, "--json").stdout)

    assert answer["tariff_id"] == "T1"
    assert answer["text"].startswith("Energy costs 3.50 SEK per kWh.")
    assert answer["warnings"] == [
        "Line 2 has a comment; JSON knows none.",
        "currency 'sek' is read as SEK.",
    ]


def test_explain_refuses_what_cannot_be_priced(tmp_path: Path) -> None:
    path = tmp_path / "T.json"
    path.write_text(TARIFF.replace("3.50", '"dear"'), encoding="utf-8")

    result = run("explain", path)

    assert isinstance(result.exception, UserError)
    assert "/elements/0/price_components/0/price: " in result.stderr


def test_lint_answers_with_its_exit_code(sound: Path, sloppy: Path) -> None:
    good, bad = run("lint", sound), run("lint", sloppy)

    assert (good.exit_code, good.stdout) == (0, f"{sound}: no findings\n")
    assert bad.exit_code == 1
    assert "warning implausible_vat  /elements/0/price_components/0/vat" in bad.stdout
    assert bad.stdout.endswith("S.json: 3 findings\n")


def test_lint_in_json(sloppy: Path) -> None:
    found = json.loads(run("lint", sloppy, "--json").stdout)["findings"]

    assert [finding["code"] for finding in found] == [
        "json_comment",
        "letter_case",
        "implausible_vat",
    ]
    assert found[2].keys() == {"code", "pointer", "message", "severity", "likely"}
    assert found[2]["likely"] == "25"


def test_fix_prints_the_document_and_says_what_it_did(sloppy: Path) -> None:
    result = run("lint", sloppy, "--fix")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["currency"] == "SEK"
    assert '"price": 3.50,' in result.stdout
    assert "fixed /currency: 'sek' is now 'SEK'." in result.stderr
    assert "implausible_vat" in result.stderr


def test_fix_with_changes_writes_a_file_that_is_clean(sloppy: Path, tmp_path: Path) -> None:
    out = tmp_path / "mended.json"

    result = run("lint", sloppy, "--fix", "--allow-changes", "--out", out)

    assert (result.exit_code, result.stdout) == (0, "")
    assert run("lint", out).exit_code == 0


def test_several_tariffs_are_pointed_into(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(f'{{"data": [{TARIFF}, {TARIFF.replace("SEK", "sek")}]}}', encoding="utf-8")

    found = json.loads(run("lint", path, "--json").stdout)["findings"]
    fixed = json.loads(run("lint", path, "--fix").stdout)

    assert [finding["pointer"] for finding in found] == ["/data/1/currency"]
    assert [tariff["currency"] for tariff in fixed["data"]] == ["SEK", "SEK"]


def test_options_that_need_fix_say_so(sound: Path) -> None:
    assert isinstance(run("lint", sound, "--allow-changes").exception, UserError)


def test_version_says_why(sound: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}", encoding="utf-8")

    assert run("version", sound).stdout.startswith("OCPI 2.2.1 tariff, certain\n")
    assert json.loads(run("version", sound, "--json").stdout)["kind"] == "tariff"
    assert run("version", other).exit_code == 1


def test_generate_makes_a_cdr(sound: Path) -> None:
    result = run(
        "generate", sound, "--tz", "Europe/Stockholm", "--start", "2026-03-01T10:00", "--kwh", "22"
    )
    cdr: dict[str, Any] = json.loads(result.stdout, parse_float=Decimal)

    assert cdr["start_date_time"] == "2026-03-01T09:00:00Z"
    assert cdr["end_date_time"] == "2026-03-01T11:00:00Z"  # 22 kWh at 11 kW
    assert cdr["total_cost"] == {"excl_vat": Decimal("77.00"), "incl_vat": Decimal("96.25")}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--tz", "Mars/Olympus"), "no time zone"),
        (("--start", "soon"), "no time"),
        (("--kwh", "many"), "no number"),
        (("--kwh", "inf"), "from 0 to 100000"),
        (("--kwh", "0"), "between a second and 31 days"),
        (("--minutes", "10", "--power", "11"), "does not fit"),
        (("--minutes", "10", "--end", "2026-03-01T12:00"), "one of them"),
        (("--end", "2026-03-01T09:00"), "after the start"),
        (("--power", "0"), "charges nothing"),
    ],
)
def test_generate_refuses_with_a_sentence(
    sound: Path, words: tuple[str, ...], sentence: str
) -> None:
    usual = ("--tz", "Europe/Stockholm", "--start", "2026-03-01T10:00")
    result = run("generate", sound, *usual, *words)

    assert isinstance(result.exception, UserError)
    assert sentence in str(result.exception)


@pytest.mark.data
def test_what_is_generated_can_be_read_again_from_a_file(shared_data: Path, tmp_path: Path) -> None:
    tariff = shared_data / "ocpi_spec_examples" / "tariff_4_complex.json"
    result = run(
        "generate", tariff, "--tz", "Europe/Stockholm", "--start", "2026-03-02T09:30",
        "--minutes", "207", "--parking-minutes", "42", "--kwh", "19.2",
    )  # fmt: skip
    path = tmp_path / "cdr.json"
    path.write_text(result.stdout, encoding="utf-8")

    # specification example 11: Monday 09:30, 165 min at no more than 16 A, 42 min parked
    assert load_json(path)[0]["total_cost"]["before_taxes"] == Decimal("9.00")
