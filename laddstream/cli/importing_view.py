"""How `laddstream import` shows what it read, what it left, and what came of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid
from rich.text import Text

from producers.rows.importer import Clash, Explained, Import
from producers.rows.sessions import Session
from producers.rows.tables import Fault
from schemas import wire
from schemas.card_fields import mask_event, mask_id
from schemas.cards import mask_text
from schemas.errors import UserError

SHOWN = 200
"""So many rejected rows are listed on the screen; --rejects writes all of them."""

_SHARED = ("type", "timestamp", "tenant", "station_id", "protocol", "transaction_id")


def print_json(value: object) -> None:
    """One JSON value on standard output, without card numbers."""
    typer.echo(json.dumps(_hidden(value), indent=2, ensure_ascii=False, default=str))


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error that goes away when done; nothing where that is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _count: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def print_counts(title: str, counts: Sequence[tuple[str, int]]) -> None:
    """Named counts under a title, right-aligned."""
    grid = Grid.grid(padding=(0, 2))
    grid.add_column(overflow="fold", max_width=60)
    grid.add_column(justify="right", no_wrap=True)
    for name, count in counts:
        grid.add_row(Text(f"  {_shown(name)}"), f"{count:,}")
    console = Console(highlight=False)
    console.print(Text(title, style="bold"))
    console.print(grid)


def print_note(text: str, *, aside: bool = False) -> None:
    """One remark, wrapped to the terminal; `aside` keeps it out of standard output."""
    Console(highlight=False, stderr=aside).print(Text(_shown(text), style="dim"))


def reasons(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Counts by reason, the most frequent first, indented under what they explain."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(f"  {reason}", count) for reason, count in ordered]


def row_counts(found: Import, acknowledged: int | None) -> list[tuple[str, int]]:
    """What became of the rows; every row is in one of the unindented counts but the first."""
    counts = [("rows read", found.rows), ("sessions", len(found.sessions))]
    counts += [("  without an end: only their start is known", found.without_end)]
    counts += [("  ended with no energy stated", found.without_energy)]
    counts += [("rows that repeat another row", found.repeated)]
    counts += [("rows left out by the mapping", found.skipped.total()), *reasons(found.skipped)]
    counts += [("rows rejected", len(found.faults))]
    if acknowledged is not None:
        counts += [("events acknowledged by Kafka", acknowledged)]
    return counts


def print_list(title: str, lines: Sequence[str], total: int, where: str) -> None:
    """Up to `SHOWN` of `total` lines on standard error, and where the rest is to be found."""
    if not total:
        return
    console = Console(stderr=True, highlight=False)
    console.print(Text(title, style="bold"))
    for line in lines[:SHOWN]:
        console.print(Text(_shown(f"  {line}")))
    if total > SHOWN:
        console.print(Text(f"  … and {total - SHOWN:,} more: {where}"))


def print_faults(faults: Sequence[Fault], clashes: Sequence[Clash]) -> None:
    """Rejected rows, and rows that the transaction id does not tell apart, on standard error."""
    rejected = [
        f"{each.file} line {each.line}: {f'{each.column!r} ' if each.column else ''}{each.reason}"
        for each in faults
    ]
    print_list("Rows that could not be read", rejected, len(faults), "--rejects FILE writes all")
    shared = [
        f"{clash.station} {clash.transaction_id}: "
        + ", ".join(f"{place.file} line {place.line}" for place in clash.places)
        for clash in clashes
    ]
    title = "Different rows with one transaction id: name more columns in the mapping"
    print_list(title, shared, len(clashes), "--json lists all")


def _shown(text: str) -> str:
    """Text that any terminal takes, whatever bytes it came from, without card numbers."""
    return mask_text(text.encode("utf-8", "backslashreplace").decode())[0]


def _hidden(value: object) -> object:
    """JSON's values without card numbers, but for the names that the operator gave."""
    if isinstance(value, str):
        return _shown(value)
    if isinstance(value, Mapping):
        return {
            _shown(str(name)): each if name in {"tenant", "station_id"} else _hidden(each)
            for name, each in value.items()
        }
    return [_hidden(each) for each in value] if isinstance(value, list | tuple) else value


def write_rejects(path: Path, faults: Sequence[Fault]) -> None:
    """All rejected rows as CSV. Raises UserError."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "line", "column", "reason"])
            writer.writerows(rejected_json(each).values() for each in faults)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error


def rejected_json(fault: Fault) -> dict[str, str | int]:
    """One row that could not be read, by the names that --json and --rejects use."""
    column, reason = _shown(fault.column), _shown(fault.reason)
    return {"file": fault.file, "line": fault.line, "column": column, "reason": reason}


def row_summary(found: Import) -> dict[str, object]:
    """The counts and lists of an import of rows, for --json."""
    return {
        "rows": found.rows,
        "sessions": len(found.sessions),
        "without_end": found.without_end,
        "without_energy": found.without_energy,
        "repeated": found.repeated,
        "skipped": dict(found.skipped),
        "rejected": [rejected_json(each) for each in found.faults],
        "clashes": [
            {
                "station_id": clash.station,
                "transaction_id": clash.transaction_id,
                "rows": [{"file": place.file, "line": place.line} for place in clash.places],
            }
            for clash in found.clashes()
        ],
    }


def event_fields(event: wire.WireEvent) -> dict[str, Any]:
    """An event as it travels: without card numbers."""
    mask_event(event)
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields


def explained_json(row: Explained) -> dict[str, object]:
    """One explained row, for --json."""
    return {
        "file": row.place.file,
        "line": row.place.line,
        "cells": {name: _shown(value) for name, value in row.cells.items()},
        "outcome": _outcome(row),
        "events": [event_fields(event) for event in row.events],
    }


def _outcome(row: Explained) -> str:
    outcome = row.outcome
    if isinstance(outcome, Session):
        return "session"
    if isinstance(outcome, Fault):
        column = f"{outcome.column}: " if outcome.column else ""
        return _shown(f"rejected: {column}{outcome.reason}")
    return f"left out: {outcome.reason}"


def print_explained(row: Explained) -> None:
    """One row: the cells that are read, and the events that come out."""
    console = Console(highlight=False)
    console.print(Text(f"{row.place.file} line {row.place.line}", style="bold"))
    cells = Grid.grid(padding=(0, 2))
    cells.add_column(style="dim", overflow="fold", max_width=26)
    cells.add_column(overflow="fold")
    for name, value in row.cells.items():
        cells.add_row(Text(f"  {_shown(name)}"), Text(_shown(value)))
    console.print(cells)
    if not isinstance(row.outcome, Session):
        console.print(Text(f"  → {_outcome(row)}\n", style="yellow"))
        return
    outcome = row.outcome
    connector = "" if outcome.connector is None else f" connector {outcome.connector}"
    transaction = mask_id(outcome.transaction_id)[0]
    console.print(Text(f"  → {outcome.station}{connector}, transaction {transaction}"))
    for event in row.events:
        print_event(console, event)
    console.print()


def print_event(console: Console, event: wire.WireEvent) -> None:
    """One event: its time, its type, and below what it says beside who and where."""
    fields = event_fields(event)
    console.print(Text(f"    {fields['timestamp']}  {fields['type']}", style="cyan"))
    rest = {name: value for name, value in fields.items() if name not in _SHARED}
    for name, value in rest.items():
        if name != "connector_id" or event.transaction_id is None:
            shown = ", ".join(value) if isinstance(value, tuple | list) else str(value)
            console.print(Text(f"      {name} {shown}"))
