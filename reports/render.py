"""Answers as text: a table for people, JSON and CSV for machines.

JSON: an array of objects, one a row; energy and money are JSON numbers with every digit
(read them as decimals, not floats). CSV: UTF-8, a comma, a header; the same exact numbers;
text that a spreadsheet would run as a formula starts with an apostrophe. Tables round:
kWh to three decimals, money to two, time to the second.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.catalogue import Answer
from reports.query import Result, Value

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_KEPT = frozenset({"sessions", "energy_kwh", "count", "period", "dimension"})
_PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TRIGGERS = "=+-@|%\t\r\n"
_GAP = 2
_FOLD = 36
"""Text longer than an id goes on in the next line before a column is left out for it."""


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def render(answer: Answer, fmt: Format, width: int | None = None, *, colour: bool = False) -> str:
    """A report's answer as text that ends with a line feed.

    `width` is for tables, in characters; None: what the terminal has, 80 without one.
    """
    names, kept = _visible(answer)
    rows = [[row[i] for i in kept] for row in answer.result.data]
    if fmt is Format.JSON:
        return as_json(names, rows)
    if fmt is Format.CSV:
        return as_csv(names, rows)
    return _report_table(answer, width, colour=colour)


def render_result(result: Result, fmt: Format, width: int | None = None) -> str:
    """The answer of any statement as text, every value as it is."""
    if fmt is Format.JSON:
        return as_json(result.names, result.data)
    if fmt is Format.CSV:
        return as_csv(result.names, result.data)
    table = _new_table()
    for column in result.meta:
        numeric = re.search(r"Int|Float|Decimal", column.type) and "(Array" not in column.type
        table.add_column(Text(column.name), justify="right" if numeric else "left", overflow="fold")
    for row in result.data:
        table.add_row(*(Text(_text(value)) for value in row))
    return _print(table, width, f"{len(result.data):,} {_rows(len(result.data))}")


def as_json(names: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """An array of objects, one a line."""
    lines = [_ENCODER.encode(dict(zip(names, row, strict=True))).decode("utf-8") for row in rows]
    return "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"


def as_csv(names: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """A header and a line a row; null is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_safe(name) for name in names])
    for row in rows:
        writer.writerow([_safe(cell) if isinstance(cell, str) else _text(cell) for cell in row])
    return out.getvalue()


def _safe(text: str) -> str:
    """Text no spreadsheet takes for a formula; control characters become blanks."""
    clean = _CONTROL.sub(" ", text)
    seen = unicodedata.normalize("NFKC", clean)
    risky = seen[:1] in _TRIGGERS or seen.lstrip()[:1] in _TRIGGERS
    return f"'{clean}" if seen and risky and not _PLAIN_NUMBER.fullmatch(clean) else clean


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    return _ENCODER.encode(value).decode("utf-8")


def _visible(answer: Answer) -> tuple[list[str], list[int]]:
    """Column names and positions: what was not asked for is left out."""
    hidden = set()
    if not answer.period:
        hidden.add("period")
    slots = [name for name in answer.result.names if name.startswith("dimension")]
    hidden.update(slots[len(answer.dimensions) :])
    kept = [i for i, name in enumerate(answer.result.names) if name not in hidden]
    asked = dict(zip(slots, answer.dimensions, strict=False))
    names = [answer.result.names[i] for i in kept]
    return [asked.get(name, name) for name in names], kept


def _report_table(answer: Answer, width: int | None, *, colour: bool) -> str:
    names, kept = _visible(answer)
    zone = ZoneInfo(answer.zone)
    original = [answer.result.names[i] for i in kept]
    cells = [[_cell(name, row[i], zone) for name, i in zip(original, kept, strict=True)]
             for row in answer.result.data]  # fmt: skip
    totals = _total_cells(answer, original, kept, zone)
    shown = [
        column
        for column, name in enumerate(original)
        if column == 0
        or name in _KEPT
        or name.startswith("dimension")
        or any(row[column] not in _EMPTY for row in [*cells, totals])
    ]
    if "covered_incl_vat" in original and original.index("covered_incl_vat") not in shown:
        # Without a plan the revenue is the amount: once is enough.
        shown = [column for column in shown if not original[column].startswith("revenue_")]
    console = _console(width, colour=colour)
    left_out = _fit(shown, original, [_headers(names), *cells, totals], console.width, answer)
    table = _new_table()
    for column in shown:
        table.add_column(
            _header(names[column]),
            justify="right" if _is_number(original[column]) else "left",
            no_wrap=_is_number(original[column]) or original[column].endswith("_at"),
            overflow="fold",
        )
    for row in cells:
        table.add_row(*(Text(row[column]) for column in shown))
    if len(cells) > 1:
        table.add_section()
        table.add_row(*(Text(totals[column], style="bold") for column in shown))
    with console.capture() as captured:
        console.print(Text(answer.report.title, style="bold"))
        if cells:
            console.print(table)
        for line in _footer(answer, left_out):
            console.print(Text(line, style="dim"))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


_EMPTY = frozenset({"", "0", "0.00", "0.000", "0:00:00"})


def _total_cells(
    answer: Answer, original: Sequence[str], kept: Sequence[int], zone: ZoneInfo
) -> list[str]:
    totals = answer.result.totals or [None] * len(answer.result.meta)
    cells = [
        _cell(name, totals[i], zone) if _is_number(name) or name == "currency" else ""
        for name, i in zip(original, kept, strict=True)
    ]
    if cells and not _is_number(original[0]):
        cells[0] = "Total"
    return cells


def _fit(
    shown: list[int], original: Sequence[str], grid: list[list[str]], width: int, answer: Answer
) -> list[str]:
    """Drop the columns the report can do without until the table fits; says which."""
    widths = [
        max(len(row[i]) if _is_number(name) else min(len(row[i]), _FOLD) for row in grid) + _GAP
        for i, name in enumerate(original)
    ]
    spare = width + _GAP - sum(widths[i] for i in shown)
    left_out = []
    for name in answer.report.narrow:
        if spare < 0 and name in original and original.index(name) in shown:
            left_out.append(original.index(name))
            spare += widths[left_out[-1]]
    for column in reversed(left_out):
        if widths[column] <= spare:
            left_out.remove(column)
            spare -= widths[column]
    shown[:] = [column for column in shown if column not in left_out]
    return [original[column] for column in left_out]


def _footer(answer: Answer, left_out: Sequence[str]) -> Iterable[str]:
    said = []
    if answer.basis:
        said.append(f"basis: {answer.basis}")
    said.append(f"time zone: {answer.zone}")
    shown, count = len(answer.result.data), answer.result.row_count
    rows = f"{count:,} {_rows(count)}" if count else "no rows"
    said.append(rows if shown >= count else f"first {shown:,} of {rows}, the total is of all")
    yield " " + " · ".join(said)
    totals = dict(zip(answer.result.names, answer.result.totals or (), strict=False))
    beside = [f"{totals[key]:,} {word}" for key, word in _BESIDE if totals.get(key)]
    if beside:
        yield f" not in these totals: {', '.join(beside)} (laddstream report set-aside)"
    if totals.get("currency") == "several":
        yield " several currencies: amounts of different currencies are never added"
    if left_out:
        yield f" hidden at this width: {', '.join(left_out)} (all in --format csv)"


_BESIDE = (("open", "open"), ("set_aside", "set aside"))


def _cell(name: str, value: Value, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _local(value, zone) if name.endswith("_at") else value
    if isinstance(value, int | Decimal):
        return _number(name, Decimal(value))
    return _text(value)


def _number(name: str, value: Decimal) -> str:
    if name.endswith("_kwh"):
        return f"{_whole(value, '0.001'):,}"
    if name.endswith("_s"):
        minutes, seconds = divmod(int(value.quantize(Decimal(1), ROUND_HALF_UP)), 60)
        return f"{minutes // 60:,}:{minutes % 60:02}:{seconds:02}"
    if name.endswith("_vat"):
        return f"{_whole(value, '0.01'):,}"
    return str(value) if name == "connector" else f"{value:,}"


def _whole(value: Decimal, step: str) -> Decimal:
    # Adding 0 takes the sign off a zero: nobody owes -0.00.
    return value.quantize(Decimal(step), ROUND_HALF_UP) + 0


def _is_number(name: str) -> bool:
    return name.endswith(("_kwh", "_s", "_vat")) or name in _COUNTS


_COUNTS = frozenset(
    {"sessions", "drivers", "stations", "subscriptions", "open", "set_aside", "count"}
)


def _local(text: str, zone: ZoneInfo) -> str:
    return datetime.fromisoformat(text).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _header(name: str) -> str:
    """`avg_occupied_s` as people read it: two short lines where it has two words."""
    words = {
        "amount_incl_vat": "incl.\nVAT",
        "amount_excl_vat": "excl.\nVAT",
        "amount_vat": "VAT",
        "set_aside_incl_vat": "set aside\nincl. VAT",
        "energy_kwh": "kWh",
        "set_aside": "set\naside",
        "session_id": "session id",
    }
    if name in words:
        return words[name]
    if name.endswith(("_incl_vat", "_excl_vat")):
        what, which, _ = name.rsplit("_", 2)
        return f"{what}\n{which}. VAT"
    if name.endswith("_kwh"):
        return f"{name.removesuffix('_kwh')}\nkWh".replace("_", " ")
    return name.removesuffix("_s").removesuffix("_at").replace("_", "\n")


def _headers(names: Sequence[str]) -> list[str]:
    return [max(_header(name).split("\n"), key=len) for name in names]


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"


def _new_table() -> Table:
    return Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),  # with the box's divider: two blanks between columns
        header_style="bold",
    )


def _console(width: int | None, *, colour: bool) -> Console:
    return Console(
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="auto" if colour else None,
        highlight=False,
        file=None if colour else io.StringIO(),
    )


def _print(table: Table, width: int | None, note: str) -> str:
    console = _console(width, colour=False)
    with console.capture() as captured:
        console.print(table)
        console.print(note)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"
