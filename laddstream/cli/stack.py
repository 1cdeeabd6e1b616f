"""`laddstream up`, `down` and `status`: the stack on this machine."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from laddstream.embedded import launch, stack
from laddstream.embedded.process import Running, all_running
from laddstream.settings import Settings

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SPELLED = {"store": "http://{}"}


def register(app: typer.Typer) -> None:
    """Add the three commands."""
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)


def up(
    detach: Annotated[bool, typer.Option(help="Return when all is ready.")] = False,
    workers: Annotated[
        int, typer.Option(min=0, max=256, help="Processes that stitch sessions.")
    ] = max(1, (os.cpu_count() or 2) // 2),
    port_store: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: 8123, else a free one.")
    ] = None,
    port_broker: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: 9092, else a free one.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Start broker, store and workers on this machine; Ctrl-C stops them."""
    settings = Settings()
    plan = launch.Plan(workers, port_store, port_broker)
    console = Console(highlight=False)
    if detach or as_json:
        found = launch.launch(settings, plan)
        _show(settings, found, as_json=as_json)
        return
    console.print(f"[bold]laddstream[/] in {settings.home_dir}  [dim](Ctrl-C stops it)[/]")
    stack.run(settings, plan, lambda line: console.print(f"  {line}", markup=False))
    console.print("  stopped")


def down(as_json: _Json = False) -> None:
    """Stop the stack of this home."""
    settings = Settings()
    stopped = launch.shut(settings)
    if as_json:
        typer.echo(json.dumps({"stopped": stopped}))
    else:
        typer.echo("stopped" if stopped else f"nothing runs in {settings.home_dir}")


def status(as_json: _Json = False) -> None:
    """What runs in this home, and where; exit code 1 where the stack does not run."""
    settings = Settings()
    found = all_running(settings.run_dir)
    _show(settings, found, as_json=as_json)
    if not any(service.name == launch.SUPERVISOR for service in found):
        raise typer.Exit(1)


def _show(settings: Settings, found: list[Running], *, as_json: bool) -> None:
    if as_json:
        elsewhere = {
            "kafka": settings.kafka.bootstrap_servers,
            "clickhouse": settings.clickhouse.url,
        }
        typer.echo(
            json.dumps(
                {
                    "home": str(settings.home_dir),
                    "running": any(s.name == launch.SUPERVISOR for s in found),
                    "services": [
                        {k: v for k, v in asdict(s).items() if k != "started"} for s in found
                    ],
                    "elsewhere": {k: v for k, v in elsewhere.items() if v},
                }
            )
        )
        return
    table = Table(box=None, pad_edge=False, title_justify="left")
    for column in ("service", "process", "address"):
        table.add_column(column, header_style="dim")
    for service in found:
        name = "supervisor" if service.name == launch.SUPERVISOR else service.name
        address = _SPELLED.get(service.name, "{}").format(service.address)
        table.add_row(name, str(service.pid), address if service.address else "")
    for name, address in (
        ("kafka", settings.kafka.bootstrap_servers),
        ("clickhouse", settings.clickhouse.url),
    ):
        if address:
            table.add_row(name, "elsewhere", address)
    console = Console(highlight=False)
    console.print(table if table.row_count else f"nothing runs in {settings.home_dir}")
