"""`laddstream catalog load`: stations, tariffs, drivers, companies, plans and what joins them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from laddstream.catalogue import FORMATS, Defaults, Fault, Loaded, Source, load, read, refusal
from laddstream.catalogue.entries import moment, zone_exists
from laddstream.migrate import address_of
from laddstream.settings import Settings
from schemas.errors import LaddstreamError, UserError

MANY = 50
"""More errors than this are counted, not shown; --json has all."""


def register(app: typer.Typer) -> None:
    """Add `laddstream catalog`."""
    catalogue = typer.Typer(
        help="Master data: stations, tariffs, drivers, companies, plans, assignments."
    )
    catalogue.command("load", no_args_is_help=True)(load_files)
    app.add_typer(catalogue, name="catalog", no_args_is_help=True)


def load_files(
    paths: Annotated[
        list[Path], typer.Argument(exists=True, metavar="PATH", help="Files and folders.")
    ],
    tenant: Annotated[
        str | None, typer.Option(help="Operator of entries that name none (LADDSTREAM_TENANT).")
    ] = None,
    valid_from: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From when on entries hold that do not say; else: ever."),
    ] = None,
    tz: Annotated[
        str, typer.Option(metavar="ZONE", help="Zone of times and of stations that have none.")
    ] = "",
    own_party: Annotated[
        str,
        typer.Option(metavar="CC-PPP", help="OCPI: tokens of others are paid by their partner."),
    ] = "",
    form: Annotated[
        str, typer.Option("--format", help=f"{', '.join(FORMATS)}; else the content says.")
    ] = "",
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Leave out prices of unknown dimensions.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and compare; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Load master data from YAML, JSON, CSV, OCPI, Open Charge Map or NOBIL files.

    All is checked first, each error named by file, line and field. Then what
    changed is published as one revision, which workers use within seconds.
    The format: docs/catalogue.md.

      laddstream catalog load examples/catalogue
      laddstream catalog load tariffs.json tokens.json --own-party SE-LAD
      laddstream catalog load prices.yaml --valid-from 2026-04-01 --dry-run
    """
    settings = Settings()
    defaults = _defaults(tenant or settings.tenant, valid_from, tz, ignore_unknown=ignore_unknown)
    if form and form not in FORMATS:
        raise UserError(f"--format {form}: one of {', '.join(FORMATS)} is expected")
    source = Source(own_party.upper(), tz)
    contents = read(paths, defaults.tenant, form=form, source=source, defaults=defaults)
    try:
        with _progress(quiet=as_json) as say:
            database = settings.clickhouse.database
            done = load(contents, address_of(settings), database, dry_run=dry_run, say=say)
    except LaddstreamError as error:
        _say_faults(contents.faults, as_json=as_json)
        if contents.faults:  # they are worth more than a store that is away
            raise refusal(contents) from error
        raise
    if as_json:
        typer.echo(json.dumps(asdict(done) | done.counts, ensure_ascii=False))
    else:
        _say_done(done)


def _defaults(tenant: str, valid_from: str | None, tz: str, *, ignore_unknown: bool) -> Defaults:
    if tz and not zone_exists(tz):
        raise UserError(f"--tz {tz}: not an IANA time zone such as Europe/Stockholm")
    begins = None
    if valid_from is not None:
        try:
            begins = moment(valid_from)
        except ValueError as error:
            raise UserError(f"--valid-from {valid_from}: {error}") from error
    return Defaults(
        tenant,
        begins if isinstance(begins, datetime) else None,
        ZoneInfo(tz or "UTC"),
        ignore_unknown,
    )


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each table, on a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:14}"), BarColumn(), MofNCompleteColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bars:
        tasks = {}

        def say(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bars.add_task(table, total=total)
            bars.update(tasks[table], completed=done)

        yield say


def _say_faults(faults: list[Fault], *, as_json: bool) -> None:
    if as_json and faults:
        typer.echo(json.dumps({"errors": [asdict(one) for one in faults]}, ensure_ascii=False))
        return
    for one in faults[:MANY]:
        typer.echo(one.text, err=True)
    if len(faults) > MANY:
        typer.echo(f"… and {len(faults) - MANY} more: --json lists them all", err=True)


def _say_done(done: Loaded) -> None:
    for table, counts in done.written.items():
        parts = [f"{count:,} {kind}" for kind, count in counts.items() if count]
        typer.echo(f"{table:14} {', '.join(parts)}")
    if done.unchanged:
        typer.echo(f"{'unchanged':14} {done.unchanged:,}")
    for note in done.notes:
        typer.echo(f"note: {note}")
    if done.dry_run:
        typer.echo("nothing was written: --dry-run")
    elif done.published:
        typer.echo(f"published as revision {done.revision}")
    else:
        typer.echo(f"nothing changed: the catalogue stays at revision {done.revision}")
