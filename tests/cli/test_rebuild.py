"""`laddstream rebuild`: what people read, and refusals."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from laddstream.cli.rebuild import rebuild_sessions, show
from laddstream.rebuild import Change, Outcome, Total
from schemas.errors import UserError

CHANGE = Change(
    "205e8579-ab33-564a-99a4-eb100a6601f9", "t", "S9", "2026-03-02T10:00:00.000Z", "ended",
    "day", "day", "SEK", "SEK", "27.000000", "40.500000", "33.750000", "50.625000", "13500.000",
    "", adjustment=True,
)  # fmt: skip


def shown(outcome: Outcome, *, dry_run: bool = False) -> str:
    """As on a terminal of 80 columns."""
    out = StringIO()
    show(outcome, Console(file=out, width=80, highlight=False), dry_run=dry_run)
    return out.getvalue()


def test_before_and_after_stand_per_tariff_and_currency_within_80_columns() -> None:
    totals = {
        ("SEK", "day"): Total(30, 810_000_000, 1_215_000_000, 1_012_500_000, 1_518_750_000),
        ("EUR", "a-tariff-with-a-long-name"): Total(1, 5_000_000, 1_000_001, 6_250_000, 1_250_001),
    }
    text = shown(Outcome(3, 40, 2, 30, [CHANGE] * 30, totals))

    assert "40 sessions under catalogue revision 3: 30 changed, 30 adjustments" in text
    assert "2 left alone: their events are not stored" in text
    assert max(map(len, text.splitlines())) <= 80
    lines = [line.split() for line in text.splitlines()]
    assert ["day", "SEK", "30", "1,012.50", "1,518.75", "+506.25"] in lines
    assert ["a-tariff-with-a-long-name", "EUR", "1", "6.25", "1.250001", "-4.999999"] in lines
    assert [CHANGE.session_id, "2026-03-02", "10:00", "33.75", "50.625"] in lines
    assert "… 10 more: --json has all of them" in text


def test_a_dry_run_says_that_nothing_was_written() -> None:
    text = shown(Outcome(3, 1, 0, 0, [], {}), dry_run=True)
    assert "0 would change" in text
    assert "Nothing was written" in text


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(UserError, match="--from is not before --to"):
        rebuild_sessions(since="2026-03-02", until="2026-03-01")
