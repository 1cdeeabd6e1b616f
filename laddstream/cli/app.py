"""Puts the commands together and turns errors into one sentence and an exit code."""

from __future__ import annotations

import importlib
import sys
from importlib import metadata

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from schemas.cards import mask_text
from schemas.errors import LaddstreamError, UserError

GROUPS: dict[str, tuple[str, ...]] = {
    "stack": ("up", "down", "status"),
    "worker": ("worker",),
    "demo": ("demo",),
    "simulate": ("simulate",),
    "pricing": ("price",),
    "importing": ("import",),
    "catalogue": ("catalog",),
    "tariff": ("tariff",),
    "rebuild": ("rebuild",),
    "report": ("report", "sql", "session", "dlq"),
    "operations": ("migrate", "wait", "lag", "doctor", "config"),
}
"""Which module of this room registers which commands: only the one that is asked for is loaded."""


def build(command: str = "") -> typer.Typer:
    """The typer application; with `command` given, only with the group that has it."""
    app = typer.Typer(
        name="laddstream",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    wanted = [group for group, commands in GROUPS.items() if command in commands]
    for group in wanted or GROUPS:
        importlib.import_module(f"laddstream.cli.{group}").register(app)
    return app


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"laddstream {metadata.version('laddstream')}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(  # its callback answers
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Event-streaming analytics for EV charging: exact sessions, energy and revenue."""


def main() -> None:
    """Entry point of the `laddstream` command; never shows a traceback for our own errors."""
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else "")()
    except LaddstreamError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except ValidationError as error:
        for found in error.errors():
            name = "__".join(str(part) for part in found["loc"]).upper()
            _say(f"LADDSTREAM_{name}: {found['msg']}")
        sys.exit(UserError.exit_code)


def _say(text: str) -> None:
    shown = escape(mask_text(text)[0])  # a message may quote a file
    Console(stderr=True).print(f"[red]error:[/] {shown}", highlight=False)
