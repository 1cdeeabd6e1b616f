"""`laddstream migrate`, `wait`, `lag`, `config` and `doctor`."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from laddstream import services
from laddstream.doctor import Check, examine
from laddstream.embedded.broker import create_topics
from laddstream.kafka_offsets import lags
from laddstream.migrate import address_of
from laddstream.migrate import migrate as run_migrations
from laddstream.migrate import status as migration_status
from laddstream.services import kafka_bootstrap
from laddstream.settings import Settings
from laddstream.wait import Progress
from laddstream.wait import wait as wait_for_all
from schemas.errors import UnavailableError

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of whoever runs a stack."""
    app.command("migrate")(migrate)
    app.command("wait")(wait)
    app.command("lag")(lag)
    app.command("doctor")(doctor)
    config = typer.Typer(help="Settings: LADDSTREAM_… in the environment.")
    config.command("show")(config_show)
    app.add_typer(config, name="config", no_args_is_help=True)


def migrate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is pending, change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring tables and views to the newest schema, create missing topics; safe to repeat."""
    settings = Settings()
    if dry_run:
        found = migration_status(address_of(settings), settings.clickhouse.database)
        changed = list(found.pending)
    else:
        changed = [*run_migrations(settings), *_missing_topics(settings)]
    if as_json:
        typer.echo(json.dumps({"pending" if dry_run else "changed": changed}))
        return
    word = "pending" if dry_run else "done"
    for name in changed:
        typer.echo(f"{word}  {name}")
    if not changed:
        typer.echo(f"Database {settings.clickhouse.database} and mart are up to date.")


def _missing_topics(settings: Settings) -> list[str]:
    """Topics that had to be created; a Kafka that is not there is only remarked on."""
    try:
        bootstrap = kafka_bootstrap(settings)
        return [f"topic {name}" for name in create_topics(settings, bootstrap)]
    except UnavailableError as error:
        typer.echo(f"Topics are not looked at: {error}", err=True)
        return []


def wait(
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Give up after so many seconds; exit code 1.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Wait until every published event is processed and every derived row is written."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal and not as_json:
        with console.status("…") as line:
            end = wait_for_all(Settings(), timeout, lambda now: line.update(escape(str(now))))
    else:
        end = wait_for_all(Settings(), timeout, _silent)
    if as_json:
        said = {"lag": end.lag, "dirty_sessions": end.dirty, "workers": end.living}
        typer.echo(json.dumps({"done": end.done, **said}))
    else:
        typer.echo(f"{end}." if end.done else f"Not done after {timeout:g} s: {end}.")
    if not end.done:
        raise typer.Exit(1)


def lag(as_json: AsJson = False) -> None:
    """Show how far the workers are behind, by partition."""
    settings = Settings()
    kafka = settings.kafka
    found = lags(services.kafka_bootstrap(settings), kafka.events_topic, kafka.group)
    total = sum(one.lag for one in found)
    if as_json:
        rows = [
            {"partition": p.partition, "committed": p.committed, "end": p.end, "lag": p.lag}
            for p in found
        ]
        typer.echo(
            json.dumps(
                {
                    "topic": kafka.events_topic,
                    "group": kafka.group,
                    "lag": total,
                    "partitions": rows,
                }
            )
        )
        return
    table = Table(box=None, pad_edge=False)
    for header in ("partition", "committed", "end", "lag"):
        table.add_column(header, justify="right")
    for one in found:
        committed = "never" if one.committed is None else f"{one.committed:,}"
        table.add_row(str(one.partition), committed, f"{one.end:,}", f"{one.lag:,}")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{total:,} records of {kafka.events_topic} wait for group {kafka.group}")


def config_show(as_json: AsJson = False) -> None:
    """Show every setting with its variable; secrets are hidden."""
    settings = Settings()
    values = settings.model_dump(mode="json") | {"home": str(settings.home_dir)}
    if as_json:
        typer.echo(json.dumps(values, indent=1))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in values.items():
        for key, inner in value.items() if isinstance(value, dict) else [("", value)]:
            variable = f"LADDSTREAM_{name}__{key}" if key else f"LADDSTREAM_{name}"
            table.add_row(variable.upper(), Text(str(inner)))
    Console(highlight=False).print(table)


def doctor(as_json: AsJson = False) -> None:
    """Check the stack: what was found, and what to do; exit code 1 where something is wrong."""
    checks = examine(Settings())
    if as_json:
        typer.echo(json.dumps([check.as_dict() for check in checks], indent=1))
    else:
        _show_checks(checks)
    if any(check.ok is False for check in checks):
        raise typer.Exit(1)


_MARKS = {True: "[green]ok[/]", False: "[red]FAULT[/]", None: "[yellow]note[/]"}


def _show_checks(checks: list[Check]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for check in checks:
        said = escape(check.found) + (f"\n→ {escape(check.advice)}" if check.advice else "")
        table.add_row(_MARKS[check.ok], check.name, said)
    Console(highlight=False).print(table)


def _silent(_: Progress) -> None:
    """Nobody watches."""
