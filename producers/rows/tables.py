"""Files as records: CSV, JSON, JSON lines and XLSX, compressed with gzip or not.

What cannot be cut into records at all is a `UserError`; one record that is damaged is a
`Fault` and the rest goes on.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from producers.rows.mapping import Source
from schemas.errors import MappingError, UserError

SEPARATORS = (",", ";", "\t", "|")
"""Tried in this order where the mapping names none."""

_SUFFIXES = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".xlsx": "xlsx"}


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `cells` is a sequence of cells, or a JSON value."""

    line: int
    """Line of a text file, row of a sheet, or position in a JSON list; from 1."""

    cells: Any


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that cannot be read, and why."""

    file: str
    line: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """A file's records; `header` is None for JSON, whose records name their own fields."""

    header: tuple[str, ...] | None
    records: list[Record]
    faults: list[Fault]


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked where it is gzip. Raises UserError."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"Cannot read {path}: {detail}.") from error


def read_table(path: Path, source: Source) -> Table:
    """The records of a file as `source` describes it; what is absent there is guessed.

    Raises UserError for a file that is not of its format, MappingError for a sheet, list
    or header row that the file lacks.
    """
    kind = source.format or _kind(path)
    data = read_bytes(path)
    if kind == "xlsx":
        return _read_xlsx(path, data, source)
    text = decode(data, source.encoding)
    match kind:
        case "json":
            return _read_json(path, text, source)
        case "jsonl":
            return _read_json_lines(path, text)
        case _:
            return _read_csv(path, text, source)


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return _SUFFIXES.get(suffixes[-1] if suffixes else "", "csv")


def decode(data: bytes, encoding: str | None = None) -> str:
    """Text of `data`. Bytes that do not fit stay as surrogates, so that only the record
    that holds them is rejected.

    Without `encoding`: byte order marks, then UTF-16 by its zero bytes, then UTF-8, and
    where more of it is damaged than sound, Windows-1252 or Latin-1.
    """
    if encoding is not None:
        return data.decode(encoding, errors="surrogateescape").removeprefix("\ufeff")
    if (wide := _utf16(data)) is not None:
        return data.decode(wide, errors="replace").removeprefix("\ufeff")
    text = data.decode("utf-8-sig", errors="surrogateescape")
    damaged = 0 if text.isascii() else sum("\udc80" <= char <= "\udcff" for char in text)
    if not damaged or damaged <= sum(char > "\x7f" for char in text) - damaged:
        return text
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _utf16(data: bytes) -> str | None:
    """Which UTF-16 it is, by its mark or by the zero bytes of plain letters."""
    head = data[:4096]
    if head[:2] == b"\xff\xfe" or head[1::2].count(0) > max(len(head) // 4, 1):
        return "utf-16-le"
    if head[:2] == b"\xfe\xff" or head[0::2].count(0) > max(len(head) // 4, 1):
        return "utf-16-be"
    return None


def _read_csv(path: Path, text: str, source: Source) -> Table:
    lines = io.StringIO(text, newline="").readlines()
    rows = _csv_rows(lines, source)
    header: Sequence[str] = source.header
    if not header:
        found = (row for row in rows if row.line >= source.header_row and any(row.cells))
        if (first := next(found, None)) is None:
            raise UserError(f"{path} is empty: it has no header in line {source.header_row}.")
        header = first.cells
    table = Table(tuple(cell.strip() for cell in header), [], [])
    for row in rows:
        _add_csv_row(table, path, row, header)
    return table


def _add_csv_row(table: Table, path: Path, row: _CsvRow, header: Sequence[str]) -> None:
    if not any(cell.strip() for cell in row.cells):
        return
    if row.reason:
        table.faults.append(Fault(path.name, row.line, "", row.reason))
    elif any(cell.strip() for cell in row.cells[len(header) :]):
        reason = f"{len(row.cells)} cells where the header has {len(header)}"
        table.faults.append(Fault(path.name, row.line, "", reason))
    else:
        table.records.append(Record(row.line, row.cells))


@dataclass(frozen=True, slots=True)
class _CsvRow:
    line: int
    cells: list[str]
    reason: str = ""


def _csv_rows(lines: Sequence[str], source: Source) -> Iterator[_CsvRow]:
    """Rows with the line each begins in.

    A quote that is never closed would swallow its neighbours: where a row over several
    lines is not closed or not as wide as the header, only its first line is given up.
    """
    separator, quote = source.separator or _sniff(lines, source), source.quote
    start, width = 0, len(source.header)
    while start < len(lines):
        reader = csv.reader(lines[start:], delimiter=separator, quotechar=quote)
        consumed = 0
        try:
            for cells in reader:
                first, consumed = consumed, reader.line_num
                own = lines[start + first : start + consumed]
                if len(own) > 1 and width and not _whole(own, separator, quote, width):
                    yield _CsvRow(start + first + 1, cells, "a quote is opened and never closed")
                    start += first + 1
                    break
                if not width and start + first + 1 >= source.header_row:
                    width = len(cells)
                yield _CsvRow(start + first + 1, cells)
            else:
                return
        except csv.Error as error:
            yield _CsvRow(start + consumed + 1, ["?"], f"not a row of a table: {error}")
            start += consumed + 1


def _whole(lines: Sequence[str], separator: str, quote: str, width: int) -> bool:
    """Whether the lines are one row as wide as the header, each quote closed."""
    reader = csv.reader(lines, delimiter=separator, quotechar=quote, strict=True)
    try:
        return [len(cells) for cells in reader] == [width]
    except csv.Error:
        return False


def _sniff(lines: Sequence[str], source: Source) -> str:
    """The separator that cuts the header into the most cells."""
    head = list(islice((line for line in lines[source.header_row - 1 :] if line.strip()), 1))

    def cells(separator: str) -> int:
        return len(next(csv.reader(head, delimiter=separator, quotechar=source.quote), []))

    return max(SEPARATORS, key=cells)


def _read_json(path: Path, text: str, source: Source) -> Table:
    try:
        value = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f'{path} is not JSON ({error}): if it holds one object a line, say format = "jsonl".'
        ) from error
    for step in filter(None, source.records.split(".")):
        if not isinstance(value, dict) or step not in value:
            raise MappingError(f"source.records: {path} has no {step!r} there{_keys(value)}.")
        value = value[step]
    if not isinstance(value, list):
        raise MappingError(
            f"source.records: {path} has no list there, name the path to the records{_keys(value)}."
        )
    return Table(None, [Record(index, each) for index, each in enumerate(value, 1)], [])


def _keys(value: object) -> str:
    return f"; it has {', '.join(map(repr, list(value)[:12]))}" if isinstance(value, dict) else ""


def _read_json_lines(path: Path, text: str) -> Table:
    table = Table(None, [], [])
    for line, each in enumerate(text.split("\n"), 1):
        if not each.strip():
            continue
        try:
            table.records.append(Record(line, json.loads(each, parse_float=Decimal)))
        except (ValueError, RecursionError) as error:
            table.faults.append(Fault(path.name, line, "", f"not JSON: {error}"))
    return table


def _read_xlsx(path: Path, data: bytes, source: Source) -> Table:
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise UserError(f"{path} is not an XLSX workbook: {error}.") from error
    try:
        name = source.sheet or book.sheetnames[0]
        if name not in book.sheetnames:
            sheets = ", ".join(map(repr, book.sheetnames))
            raise MappingError(f"source.sheet: {path} has no sheet {name!r}, but {sheets}.")
        rows: Iterable[tuple[object, ...]] = book[name].iter_rows(values_only=True)
        return _sheet_table(path, list(rows), source)
    finally:
        book.close()


def _sheet_table(path: Path, rows: list[tuple[object, ...]], source: Source) -> Table:
    first = 0 if source.header else source.header_row
    if len(rows) < first:
        raise UserError(f"{path} has no header in row {source.header_row}.")
    header = source.header or tuple(
        "" if cell is None else str(cell).strip() for cell in rows[first - 1]
    )
    records = [
        Record(number, [*cells, *[None] * (len(header) - len(cells))])
        for number, cells in enumerate(rows[first:], first + 1)
        if any(cell not in {None, ""} for cell in cells)
    ]
    return Table(header, records, [])
