"""`laddstream catalog load` as a user runs it, on an embedded store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from laddstream.cli import catalogue
from reports.query import Address
from schemas.errors import LaddstreamError, UnavailableError, UserError
from tests.sql.mart_store import mart_address

__all__ = ["mart_address"]
ROOT = Path(__file__).parents[2]
EXAMPLE = str(ROOT / "examples" / "catalogue")


@pytest.fixture(autouse=True)
def _screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LADDSTREAM_HOME", str(tmp_path))


@pytest.fixture
def stack(mart_address: Address, monkeypatch: pytest.MonkeyPatch) -> Address:
    """The environment of someone who uses this store."""
    monkeypatch.setenv("LADDSTREAM_CLICKHOUSE__URL", mart_address.url)
    monkeypatch.setenv("LADDSTREAM_CLICKHOUSE__PASSWORD", mart_address.password)
    return mart_address


def cli(*words: str) -> Result:
    app = typer.Typer()
    catalogue.register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["catalog", "load", *words])


def refused(*words: str) -> LaddstreamError:
    error = cli(*words).exception
    assert isinstance(error, LaddstreamError), error
    return error


def said(*words: str) -> Any:
    result = cli(*words, "--json")
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def wrong(folder: Path) -> str:
    path = folder / "wrong.yaml"
    path.write_text("stations:\n- station_id: S1\n  latitude: 99\n- {name: no id}\n")
    return str(path)


def test_help_fits_the_screen_and_says_what_is_read() -> None:
    text = cli("--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert all(word in text for word in ("--valid-from", "--own-party", "--ignore-unknown", "OCPI"))


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
def test_a_folder_is_loaded_once_and_then_found_unchanged() -> None:
    trial = cli(EXAMPLE, "--tenant", "shown", "--dry-run").stdout
    first = cli(EXAMPLE, "--tenant", "shown").stdout
    second = cli(EXAMPLE, "--tenant", "shown").stdout

    assert trial.splitlines()[-1] == "nothing was written: --dry-run"
    assert "stations       4 new" in first.splitlines()
    assert first.splitlines()[-1].startswith("published as revision ")
    assert second.splitlines()[0] == "unchanged      21"
    assert second.splitlines()[-1].startswith("nothing changed: the catalogue stays at revision ")
    assert max(map(len, (trial + first + second).splitlines())) <= 80


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
def test_json_tells_revision_counts_and_notes() -> None:
    first, second = (said(EXAMPLE, "--tenant", "counted") for _ in range(2))

    assert (first["published"], second["published"]) == (True, False)
    assert (first["stations"], first["tariffs"], first["drivers"]) == (4, 5, 4)
    assert (second["stations"], second["unchanged"], second["notes"]) == (0, 21, [])
    assert first["revision"] == second["revision"]


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
def test_entries_hold_from_the_time_that_is_given(stack: Address, tmp_path: Path) -> None:
    del stack
    path = tmp_path / "a.yaml"
    path.write_text("stations:\n- {station_id: S1, area: Norr}\n")
    said(str(path), "--tenant", "timed")
    path.write_text("stations:\n- {station_id: S1, area: Syd}\n")

    words = ("--valid-from", "2026-03-01", "--tz", "Europe/Stockholm")
    done = said(str(path), "--tenant", "timed", *words)

    assert done["written"] == {"stations": {"new": 0, "changed": 1, "ended": 0}}
    assert "since 2026-02-28 23:00 UTC" in done["notes"][0]


def test_every_error_is_listed_with_file_line_and_field(tmp_path: Path) -> None:
    result = cli(wrong(tmp_path))
    as_json = cli(wrong(tmp_path), "--json")

    assert isinstance(result.exception, UserError)
    assert str(result.exception) == "2 errors in the catalogue: nothing was loaded"
    lines = result.stderr.splitlines()
    assert lines[0].startswith("wrong.yaml:3 /stations/0/latitude: ")
    assert lines[1] == "wrong.yaml:4 /stations/1/station_id: is missing"
    assert [(one["file"], one["line"], one["field"]) for one in json.loads(as_json.stdout)["errors"]
            ] == [("wrong.yaml", 3, "/stations/0/latitude"),
                  ("wrong.yaml", 4, "/stations/1/station_id")]  # fmt: skip


def test_more_errors_than_fit_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("station_id,latitude\n" + "".join(f"S{i},99\n" for i in range(60)))

    assert cli(str(path)).stderr.splitlines()[-1] == "… and 10 more: --json lists them all"
    assert len(json.loads(cli(str(path), "--json").stdout)["errors"]) == 60


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--valid-from", "soon"), "--valid-from soon: not a time"),
        (("--tz", "Mars/Base"), "not an IANA time zone"),
        (("--format", "xml"), "one of yaml, json, csv, ocpi, ocm, nobil is expected"),
    ],
)
def test_options_that_make_no_sense_are_said(words: tuple[str, str], what: str) -> None:
    error = refused(EXAMPLE, *words)
    assert isinstance(error, UserError)
    assert what in str(error)


def test_a_store_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDSTREAM_CLICKHOUSE__URL", "http://127.0.0.1:1")
    assert isinstance(refused(EXAMPLE), UnavailableError)
