"""Answers as table, JSON and CSV: exact, readable at 80 columns, safe in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.catalogue import FILTERS, Report, find, parse_moment, parse_where, reports
from reports.query import Column, Result
from reports.render import Format, as_csv, as_json, render_result
from schemas.errors import UserError


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1+1", "'+1+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("|calc", "'|calc"),
        ("%x", "'%x"),
        ("\t=1+1", "'\t=1+1"),
        ("\r=1+1", "' =1+1"),
        ("  =1+1", "'  =1+1"),
        ("＝1+1", "'＝1+1"),  # the full-width sign, which spreadsheets fold
        ("\x00=1+1", "' =1+1"),
        ("-12.50", "-12.50"),
        ("+46701234567", "+46701234567"),
        ("A=1", "A=1"),
        ("", ""),
        ("2026-03-02T10:00:00.000Z", "2026-03-02T10:00:00.000Z"),
    ],
)
def test_csv_text_is_no_formula(text: str, cell: str) -> None:
    assert list(csv.reader(io.StringIO(as_csv(["a"], [[text], ["x"]]), newline="")))[1] in (
        [cell],
        [],
    )


@given(st.text(max_size=20))
def test_no_text_at_all_makes_a_formula(text: str) -> None:
    (_, (cell, _)) = csv.reader(io.StringIO(as_csv(["a", "b"], [[text, 1]]), newline=""))
    seen = unicodedata.normalize("NFKC", cell).lstrip()
    if seen[:1] in {"=", "+", "-", "@", "|", "%"}:
        assert cell.lstrip("+-").replace(".", "", 1).isdecimal()


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**14), max_value=10**14
    )
)
def test_numbers_keep_every_digit(number: Decimal) -> None:
    assert json.loads(as_json(["n"], [[number]]), parse_float=Decimal) == [{"n": number}]
    assert Decimal(as_csv(["n"], [[number]]).splitlines()[1]) == number


def test_no_rows_are_an_empty_array_and_a_header() -> None:
    assert json.loads(as_json(["a"], [])) == []
    assert as_csv(["a", "b"], []) == "a,b\n"


def test_lists_maps_and_nulls_have_a_text() -> None:
    row = [None, ["a", "b"], {"k": Decimal("1.5")}, True]
    assert as_csv("abcd", [row]) == 'a,b,c,d\n,"[""a"",""b""]","{""k"":1.5}",true\n'


def test_a_result_of_any_statement_is_a_table() -> None:
    result = Result(
        meta=(Column("name", "String"), Column("wh", "Decimal(18, 3)")),
        data=[["a [b]", Decimal("1.500")], ["c", None]],
        rows=2,
    )
    assert render_result(result, Format.TABLE, 40) == (
        "name      wh\n────────────\na [b]  1.500\nc\n2 rows\n"
    )


@pytest.mark.parametrize("name", reports())
def test_every_query_reads_only_from_mart_and_binds_every_filter(name: str) -> None:
    statement = find(name).statement
    body = "\n".join(line for line in statement.splitlines() if not line.startswith("--"))
    words = body.replace("(", " ").replace("\n", " ").split()
    sources = [b for a, b in pairwise(words) if a in {"FROM", "JOIN"}]
    assert [s for s in sources if not s.startswith("mart.") and s not in {"SELECT", ""}] == []
    whole = set(FILTERS) - {"reason", "kind", "psp"} if "mart.facts" in sources else {"tenant"}
    assert whole <= {f for f in FILTERS if f"has({{{f}:Array(String)}}" in body}


@pytest.mark.parametrize("report", reports().values(), ids=reports())
def test_every_report_says_what_it_is(report: Report) -> None:
    assert report.title
    assert report.about
    assert set(report.narrow) <= set(report.columns)
    assert all(report.columns.values())


def test_the_first_set_of_reports_is_there() -> None:
    assert set(reports()) >= {
        "sessions-per-day", "energy", "revenue", "charging-time", "popular-stations",
        "revenue-per-user", "revenue-per-area", "revenue-per-station", "driver", "set-aside",
        "connectors", "adjustments", "unpriced", "subscriptions", "ledger",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        ("2026-03-29", "Europe/Stockholm", "2026-03-28T23:00:00+00:00"),
        ("2026-03-30", "Europe/Stockholm", "2026-03-29T22:00:00+00:00"),
        ("2026-10-25T02:30", "Europe/Stockholm", "2026-10-25T00:30:00+00:00"),
        ("2026-03-29T12:00:00Z", "Europe/Stockholm", "2026-03-29T12:00:00+00:00"),
        ("2026-03-29T12:00:00+05:45", "UTC", "2026-03-29T06:15:00+00:00"),
    ],
)
def test_a_date_is_its_local_midnight(text: str, zone: str, utc: str) -> None:
    assert parse_moment(text, zone).isoformat() == utc


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "12", "2026-03-01T25:00"])
def test_what_is_no_date_is_said(text: str) -> None:
    with pytest.raises(UserError, match="neither a date"):
        parse_moment(text, "UTC")


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../../etc/passwd", "/etc/localtime"])
def test_what_is_no_zone_is_said(zone: str) -> None:
    with pytest.raises(UserError, match="no IANA time zone"):
        parse_moment("2026-03-01", zone)


def test_filters_are_read_by_name() -> None:
    assert parse_where(["station=a=b", "station=c", "area="]) == {
        "station": ["a=b", "c"],
        "area": [""],
    }


@pytest.mark.parametrize("text", ["station", "=x", "energy_wh=1", "1=1 OR station=x"])
def test_a_filter_that_is_unknown_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="write name=value"):
        parse_where([text])


def test_an_unknown_report_lists_the_known() -> None:
    with pytest.raises(UserError, match="sessions-per-day"):
        find("energie")
