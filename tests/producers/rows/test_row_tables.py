"""Files as records: encodings, separators, quoting, damage, JSON and spreadsheets."""

from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from producers.rows.mapping import Source
from producers.rows.tables import Table, decode, read_table
from schemas.errors import MappingError, UserError


def read(folder: Path, content: str | bytes, name: str = "f.csv", **source: object) -> Table:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, Source.model_validate(source))


def cells(table: Table) -> list[list[object]]:
    return [list(record.cells) for record in table.records]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_recognised(encoding: str) -> None:
    assert decode("Straße;Zürich\n1;2\n".encode(encoding)) == "Straße;Zürich\n1;2\n"


def test_windows_text_is_recognised() -> None:
    assert decode("Rue de l’Hôtel\n".encode("cp1252")) == "Rue de l’Hôtel\n"
    assert decode(b"H\xf4tel \x81\n") == "Hôtel \x81\n"


def test_one_damaged_byte_does_not_turn_a_file_into_another_encoding() -> None:
    assert decode("Zürich\nGenève\n".encode() + b"B\xe4le\n") == "Zürich\nGenève\nB\udce4le\n"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    table = read(tmp_path, separator.join(["a", "b", "c"]) + "\n" + separator.join("123"))

    assert (table.header, cells(table)) == (("a", "b", "c"), [["1", "2", "3"]])


def test_decimal_commas_do_not_make_the_comma_the_separator(tmp_path: Path) -> None:
    assert cells(read(tmp_path, "a;b\n1,5;2,5\n")) == [["1,5", "2,5"]]


def test_a_compressed_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    assert cells(read(tmp_path, gzip.compress(b"a,b\n1,2\n"), "f.csv.gz")) == [["1", "2"]]
    assert cells(read(tmp_path, gzip.compress(b"a,b\n1,2\n"), "f.csv")) == [["1", "2"]]


def test_a_cut_compressed_file_is_said_to_be_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read"):
        read(tmp_path, gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-20], "f.csv.gz")


def test_records_know_the_line_they_begin_in(tmp_path: Path) -> None:
    table = read(tmp_path, 'a,b\r\n1,"x\r\ny"\r\n\r\n2,z\r\n')

    assert [record.line for record in table.records] == [2, 5]
    assert cells(table)[0] == ["1", "x\r\ny"]


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    table = read(tmp_path, 'a,b\n1,"x\n2,y\n3,"z"\n4,w\n')

    assert [(fault.line, fault.reason) for fault in table.faults] == [
        (2, "a quote is opened and never closed")
    ]
    assert cells(table) == [["2", "y"], ["3", "z"], ["4", "w"]]


def test_a_quote_open_to_the_end_of_the_file_costs_one_row(tmp_path: Path) -> None:
    table = read(tmp_path, 'a,b\n1,"x\n2,y\n3,z\n')

    assert [fault.line for fault in table.faults] == [2]
    assert cells(table) == [["2", "y"], ["3", "z"]]


def test_a_cell_beyond_any_size_costs_one_row(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n1," + "x" * 200_000 + "\n2,y\n")

    assert [fault.line for fault in table.faults] == [2]
    assert cells(table) == [["2", "y"]]


def test_a_row_wider_than_the_header_is_a_fault(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n1,x,y\n2,z,\n")

    assert [(fault.line, fault.reason) for fault in table.faults] == [
        (2, "3 cells where the header has 2")
    ]
    assert cells(table) == [["2", "z", ""]]


def test_a_header_may_stand_below_a_title_or_be_given(tmp_path: Path) -> None:
    below = read(tmp_path, "Charging report;;\n\na;b\n1;2\n", header_row=3)
    given = read(tmp_path, "1;2\n", header=["a", "b"], separator=";")

    assert (below.header, cells(below)) == (("a", "b"), [["1", "2"]])
    assert (given.header, cells(given)) == (("a", "b"), [["1", "2"]])


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is empty"):
        read(tmp_path, "")


def test_json_lists_are_found_along_a_path(tmp_path: Path) -> None:
    plain = read(tmp_path, '[{"a": 1}]', "f.json")
    nested = read(tmp_path, '{"x": {"_items": [{"a": 1.50}]}}', "f.json", records="x._items")

    assert [record.cells for record in plain.records] == [{"a": 1}]
    assert [str(record.cells["a"]) for record in nested.records] == ["1.50"]


def test_a_list_that_is_not_there_is_answered_with_the_keys_that_are(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="it has '_items', '_meta'"):
        read(tmp_path, '{"_items": [], "_meta": {}}', "f.json")
    with pytest.raises(MappingError, match="no 'items' there; it has '_items'"):
        read(tmp_path, '{"_items": []}', "f.json", records="items")


def test_json_that_is_cut_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not JSON"):
        read(tmp_path, '[{"a": 1}, {"a"', "f.json")


def test_a_bad_line_of_json_lines_costs_one_record(tmp_path: Path) -> None:
    table = read(tmp_path, '{"a": 1}\n{"a"\n\n{"a": 2}\n', "f.jsonl")

    assert [record.line for record in table.records] == [1, 4]
    assert [fault.line for fault in table.faults] == [2]


def test_a_sheet_is_read_with_its_types(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("Sessions")
    for row in (
        ["Report"],
        ["Station", "Start", "kWh"],
        ["A", datetime(2020, 1, 2, 3, 4), 1.5],
        [],
    ):
        book["Sessions"].append(row)
    book.save(tmp_path / "f.xlsx")

    table = read_table(tmp_path / "f.xlsx", Source(sheet="Sessions", header_row=2))

    assert table.header == ("Station", "Start", "kWh")
    assert [(each.line, each.cells) for each in table.records] == [
        (3, ["A", datetime(2020, 1, 2, 3, 4), 1.5])
    ]
    with pytest.raises(MappingError, match="no sheet 'Session', but 'Sheet', 'Sessions'"):
        read_table(tmp_path / "f.xlsx", Source(sheet="Session"))


def test_what_is_no_workbook_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not an XLSX workbook"):
        read(tmp_path, "a,b\n", "f.xlsx")
