"""Where the parts of a statement are, by ClickHouse's lexical grammar."""
# ruff: noqa: E501  statements stand on one line as a person would write them

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laddstream.embedded.statements import (
    first_word,
    has_second_statement,
    output_format,
    split_insert,
    tokens,
)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("select 1", "SELECT"),
        ("/* a */ -- b\n\t INSERT INTO t", "INSERT"),
        ("(SELECT 1)", "("),
        ("", ""),
        ("# remark\nSHOW TABLES", "SHOW"),
    ],
)
def test_the_first_word_stands_behind_comments(text: str, word: str) -> None:
    assert first_word(text) == word


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1 format CSVWithNames ;", "CSVWithNames"),
        ("SELECT 1 FORMAT/* */TSV -- end", "TSV"),
        ("SELECT 'FORMAT JSON'", None),
        ("SELECT 1", None),
        (
            "SELECT * FROM t WHERE x IN ('" + "','".join(["a"] * 40_000) + "') FORMAT Native",
            "Native",
        ),
    ],
)
def test_the_output_format_is_the_one_the_statement_ends_with(text: str, name: str | None) -> None:
    assert output_format(text) == name


@pytest.mark.parametrize(
    ("text", "head", "fmt", "data"),
    [
        ("INSERT INTO t FORMAT CSV\n1,2\n", "INSERT INTO t ", "CSV", "1,2\n"),
        ("INSERT INTO t (a, b) FORMAT CSV \r\n1", "INSERT INTO t (a, b) ", "CSV", "1"),
        ("insert into d.t values (1,'x')", "insert into d.t ", "Values", " (1,'x')"),
        ("INSERT INTO t SETTINGS a='FORMAT X' FORMAT TSV\n", "INSERT INTO t SETTINGS a='FORMAT X' ", "TSV", ""),
        ("INSERT INTO `select` FORMAT Native\n\nx", "INSERT INTO `select` ", "Native", "\nx"),
        ("INSERT INTO t (a)", "INSERT INTO t (a)", "", ""),
        ("INSERT INTO FUNCTION null('a Int8') VALUES (1)", "INSERT INTO FUNCTION null('a Int8') ", "Values", " (1)"),
    ],
)  # fmt: skip
def test_an_insert_splits_into_head_format_and_data(
    text: str, head: str, fmt: str, data: str
) -> None:
    found = split_insert(text)
    assert found is not None
    assert (found.head, found.format, text[found.data_at :]) == (head, fmt, data)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t SELECT 1 FORMAT CSV",
        "INSERT INTO t (a) WITH 1 AS x SELECT x",
        "INSERT INTO t (SELECT 1)",
        "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
    ],
)
def test_an_insert_from_a_query_carries_no_data(text: str) -> None:
    assert split_insert(text) is None


@pytest.mark.parametrize(
    ("text", "second"),
    [("SELECT 1;", False), ("SELECT ';x'", False), ("SELECT 1 ; -- x", False),
     ("SELECT 1;;", False), ("SELECT 1; SELECT 2", True)],
)  # fmt: skip
def test_a_second_statement_is_one_behind_a_semicolon(text: str, *, second: bool) -> None:
    assert has_second_statement(text) is second


@given(st.text(max_size=200))
def test_tokens_lie_in_order_and_never_overlap(text: str) -> None:
    end = 0
    for token in tokens(text):
        assert token.start >= end
        assert text[token.start : token.end] == token.text != ""
        end = token.end


@given(st.text(max_size=50))
def test_a_string_literal_is_one_token_whatever_it_holds(text: str) -> None:
    literal = "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    assert [token.text for token in tokens(literal)] == [literal]
