"""`laddstream report`, `sql`, `session` and `dlq`: everything that only reads."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from laddstream import services
from laddstream.cli import session_view
from laddstream.settings import Settings
from reports.catalogue import Request, find, parse_moment, parse_where, reports, run
from reports.query import Address, Store, Value, connect
from reports.render import Format, render, render_result
from reports.render import as_json as render_json
from schemas.errors import UserError

OutFormat = Annotated[
    Format, typer.Option("--format", "-f", help="table for people; json and csv are exact.")
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(app: typer.Typer) -> None:
    """Add the reading commands."""
    app.command("report")(report)
    app.command("sql", no_args_is_help=True)(sql)
    app.command("session", no_args_is_help=True)(session)
    letters = typer.Typer(help="Dead letters: what came in and could not be processed.")
    letters.command("list")(dlq_list)
    letters.command("show", no_args_is_help=True)(dlq_show)
    app.add_typer(letters, name="dlq", no_args_is_help=True)


def reading(settings: Settings) -> Store:
    """A connection that may only read: the embedded store guards whoever has no secret."""
    url = services.clickhouse_url(settings)
    if not settings.clickhouse.url:
        return connect(Address(url))
    user, password = services.clickhouse_credentials(settings)
    return connect(Address(url, user, password), guarded=True)


def report(  # typer passes by name
    name: Annotated[str | None, typer.Argument(help="Which report; without: the list.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="First date or instant, in --tz.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Date or instant where it ends (not included).")
    ] = None,
    tz: Annotated[
        str, typer.Option(help="IANA time zone of days, months and --from/--to.")
    ] = "UTC",
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="hour|day|week|month|quarter|year|none and area, station, …; repeatable."
        ),
    ] = None,
    basis: Annotated[
        str, typer.Option(help="accrual (when it flowed), completion (at the end), start.")
    ] = "",
    where: Annotated[
        list[str] | None,
        typer.Option(help="station=…, area=…, driver=…, tariff=…, connector=…; repeatable."),
    ] = None,
    driver: Annotated[str | None, typer.Option(help="Short for --where driver=…")] = None,
    tenant: Annotated[str | None, typer.Option(help="Short for --where tenant=…")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    fmt: OutFormat = Format.TABLE,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write to this file instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question about sessions, energy and revenue; without NAME: list the reports.

    laddstream report energy --by month --tz Europe/Stockholm --from 2026-01-01

    laddstream report revenue --by area --by month --format csv --out revenue.csv
    """
    fmt = Format.JSON if as_json else fmt
    if name is None:
        _list_reports(fmt)
        return
    chosen = find(name)
    filters = parse_where(where or ())
    for key, value in (("driver", driver), ("tenant", tenant)):
        if value is not None:
            filters.setdefault(key, []).append(value)
    request = Request(
        since=parse_moment(since, tz) if since else None,
        until=parse_moment(until, tz) if until else None,
        zone=tz,
        by=tuple(value for text in by or () for value in text.split(",")),
        basis=basis,
        where=filters,
        limit=limit,
    )
    with closing(reading(Settings())) as store:
        answer = run(store, chosen, request)
    _emit(render(answer, fmt, colour=out is None and sys.stdout.isatty()), out)


def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT; the schema for people is mart.")],
    fmt: OutFormat = Format.TABLE,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write to this file instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run one reading SQL statement: times in UTC, numbers exact.

    laddstream sql "SELECT name, comment FROM system.columns WHERE database = 'mart'"
    """
    with closing(reading(Settings())) as store:
        _emit(render_result(store.fetch(statement), Format.JSON if as_json else fmt), out)


def session(
    session_id: Annotated[str, typer.Argument(metavar="SESSION_ID", help="As in mart.sessions.")],
    as_json: AsJson = False,
) -> None:
    """Show all of one session: facts, price and why, slices, curve, events and where from."""
    with closing(reading(Settings())) as store:
        found = session_view.load(store, session_id)
    if as_json:
        typer.echo(session_view.as_json(found), nl=False)
    else:
        session_view.show(found, Console(highlight=False))


def dlq_list(
    reason: Annotated[str | None, typer.Option(help="Only of this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""
    statement = (
        "SELECT dead_letter_id, at, reason, field, station_id, size_bytes, detail "
        "FROM mart.dead_letters WHERE {reason:String} IN ('', reason) "
        "ORDER BY at DESC, kafka_topic, kafka_partition, kafka_offset, kafka_index "
        "LIMIT {limit:UInt64}"
    )
    with closing(reading(Settings())) as store:
        result = store.fetch(statement, {"reason": reason or "", "limit": limit})
        reasons = store.fetch("SELECT reason, count() FROM mart.dead_letters GROUP BY 1 ORDER BY 1")
    if as_json:
        typer.echo(render_json(result.names, result.data), nl=False)
        return
    table = Table(box=None, pad_edge=False)
    for header in ("id", "at (UTC)", "reason", "field", "station"):
        table.add_column(header, overflow="fold")
    for record in result.records():
        cells = (record[key] for key in ("dead_letter_id", "at", "reason", "field", "station_id"))
        table.add_row(*(Text(str(cell)) for cell in cells))
    console = Console(highlight=False)
    if result.data:
        console.print(table)
    said = ", ".join(f"{count} {word}" for word, count in reasons.data)
    console.print(said or "no dead letters")


def dlq_show(
    letter: Annotated[str, typer.Argument(metavar="TOPIC-PARTITION-OFFSET")],
    as_json: AsJson = False,
) -> None:
    """Show one record's dead letters: why, where from, and how the value begins."""
    statement = (
        "SELECT * FROM mart.dead_letters WHERE dead_letter_id = {id:String} "
        "OR startsWith(dead_letter_id, concat({id:String}, '-')) ORDER BY kafka_index"
    )
    with closing(reading(Settings())) as store:
        result = store.fetch(statement, {"id": letter})
    if not result.data:
        raise UserError(f"There is no dead letter {letter!r}: laddstream dlq list shows them")
    if as_json:
        typer.echo(render_json(result.names, result.data), nl=False)
        return
    console = Console(highlight=False)
    for record in result.records():
        table = Table(box=None, show_header=False, pad_edge=False)
        for key, value in record.items():
            table.add_row(Text(key, style="dim"), Text(str(value)))
        console.print(table)


def _list_reports(fmt: Format) -> None:
    known = reports().values()
    if fmt is Format.JSON:
        names = ("name", "title", "about", "by", "basis")
        rows: list[list[Value]] = [
            [r.name, r.title, r.about, list(dict.fromkeys(r.periods + r.dimensions)), list(r.bases)]
            for r in known
        ]
        typer.echo(render_json(names, rows), nl=False)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for one in known:
        table.add_row(Text(one.name, style="bold"), Text(f"{one.title}: {one.about}"))
    console = Console(highlight=False)
    console.print(table)
    console.print("\nladdstream report NAME --help says what all of them take.")


def _emit(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
