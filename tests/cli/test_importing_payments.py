"""`laddstream import --format payments` as a person meets it, without a broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from laddstream.cli import importing
from schemas.errors import UserError

PAN = "4111111111111111"
LINES = "\n".join(
    json.dumps({
        "type": "payment_recorded", "tenant": "t", "payment_id": name, "kind": "captured",
        "timestamp": "2026-03-01T12:00:00Z", "amount": amount, "currency": "SEK",
        "reference": f"card {PAN}",
    })
    for name, amount in (("a", 1), ("b", "0.10"), ("a", 1), (PAN, 1), ("c", -1))
)  # fmt: skip


def laddstream(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    importing.register(app)
    return CliRunner().invoke(
        app, ["import", *map(str, arguments)],
        env={"LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "COLUMNS": "80"},
    )  # fmt: skip


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    file = tmp_path / "payments.jsonl"
    file.write_text(LINES)
    return file


def test_events_are_counted_and_bad_ones_listed_without_card_numbers(
    lines: Path, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    done = laddstream(lines, "--format", "payments", "--dry-run", "--json", "--rejects", rejects)

    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert (said["rows"], said["payments"], said["repeated"], said["masked"]) == (5, 2, 1, 2)
    assert [(each["line"], each["column"]) for each in said["rejected"]] == [
        (4, "payment_id"), (5, "amount"),
    ]  # fmt: skip
    assert PAN not in done.output + rejects.read_text()


def test_the_counts_fit_the_terminal(lines: Path) -> None:
    done = laddstream(lines, "--format", "payments", "--dry-run")

    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "rows rejected" in done.stdout


def test_explain_shows_what_would_be_sent(lines: Path) -> None:
    done = laddstream(lines, "--format", "payments", "--explain", "--rows", "1")

    (shown,) = json.loads(done.stdout)["payments"]
    assert shown["line"] == 1
    assert shown["payment"]["reference"] == "card ************1111"


def test_a_missing_mapping_is_answered_with_those_there_are(lines: Path) -> None:
    done = laddstream(lines, "--format", "payments", "--mapping", "psp_balanse")

    assert isinstance(done.exception, UserError)
    assert "did you mean 'psp_balance'" in str(done.exception)
