"""Columns that are left out of an insert are those that the store fills in the same way."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from streams.sink.blanks import OPTIONAL, without_blanks

ROOT = Path(__file__).parents[3]
DDL = (ROOT / "sql/migrations/001_truth.sql").read_text()


@pytest.mark.parametrize("name", OPTIONAL["events"])
def test_the_schema_fills_a_column_that_is_left_out_with_what_it_said(name: str) -> None:
    found = re.search(rf"^    {name} (.+?),?$", DDL, re.MULTILINE)

    assert found is not None
    nullable = found[1].startswith("Nullable(") and "DEFAULT" not in found[1]
    assert nullable or ("String" in found[1] and "DEFAULT ''" in found[1])


def rows(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()} | {
        name: pa.array(["", ""]) for name in OPTIONAL["events"] if name not in columns
    })  # fmt: skip


def test_only_columns_that_say_nothing_are_left_out() -> None:
    given = rows(tenant=["", ""], flags=["", "x"])
    at = given.column_names.index("meter_wh")
    given = given.set_column(at, "meter_wh", pa.nulls(2, pa.decimal128(18, 3)))

    told = without_blanks("events", given)

    assert told.column_names == ["tenant", "flags"]
    assert told["flags"].to_pylist() == ["", "x"]


def test_a_null_text_is_something_else_than_an_empty_one() -> None:
    assert without_blanks("events", rows(flags=["", None])).column_names == ["flags"]


def test_pieces_of_larger_columns_are_seen_as_what_they_are() -> None:
    whole = rows(tenant=["a", "b"], flags=["x", ""], context=["", "y"])

    assert without_blanks("events", whole.slice(1)).column_names == ["tenant", "context"]
    assert without_blanks("events", whole.slice(0, 1)).column_names == ["tenant", "flags"]
    assert without_blanks("events", pa.concat_tables([whole, whole.slice(1)])).num_rows == 3


def test_other_tables_are_sent_whole() -> None:
    assert without_blanks("sessions", rows(tenant=["", ""])).num_columns == 1 + len(
        OPTIONAL["events"]
    )
