"""`laddstream catalog load`: stations and tariffs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from laddstream.catalogue import load, read
from laddstream.migrate import address_of
from laddstream.settings import Settings


def register(app: typer.Typer) -> None:
    """Add `laddstream catalog`."""
    catalogue = typer.Typer(help="Master data: stations and tariffs.")
    catalogue.command("load", no_args_is_help=True)(load_files)
    app.add_typer(catalogue, name="catalog", no_args_is_help=True)


def load_files(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="JSON files.")],
    tenant: Annotated[
        str | None, typer.Option(help="Operator of entries that name none (LADDSTREAM_TENANT).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Load stations and OCPI 2.2.1 tariffs; the files are checked whole before.

    {"stations": [{"station_id": …, "area": …, "time_zone": …, "tariff_id": …}], "tariffs": […]}
    """
    settings = Settings()
    contents = read(files, tenant or settings.tenant)
    if contents.faults:
        if as_json:
            typer.echo(json.dumps({"errors": [asdict(fault) for fault in contents.faults]}))
        for fault in contents.faults:
            typer.echo(f"{fault.file} {fault.pointer or '/'}: {fault.what}", err=True)
    done = load(contents, address_of(settings), settings.clickhouse.database)
    if as_json:
        typer.echo(json.dumps(asdict(done), ensure_ascii=False))
        return
    typer.echo(f"{done.stations:,} stations and {done.tariffs:,} tariffs: revision {done.revision}")
    for note in done.notes:
        typer.echo(f"note: {note}")
