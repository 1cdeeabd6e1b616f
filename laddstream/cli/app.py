"""Puts the commands together and turns errors into one sentence and an exit code."""

from __future__ import annotations

import importlib
import sys

import typer
from rich.console import Console

from schemas.errors import LaddstreamError

_GROUPS = ("stack", "worker", "demo", "simulate", "importing", "catalogue", "report", "operations")


def build() -> typer.Typer:
    """The typer application with every command group registered."""
    app = typer.Typer(
        name="laddstream",
        help="Event-streaming analytics for EV charging: exact sessions, energy and revenue.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for group in _GROUPS:
        importlib.import_module(f"laddstream.cli.{group}").register(app)
    return app


def main() -> None:
    """Entry point of the `laddstream` command; never shows a traceback for our own errors."""
    try:
        build()()
    except LaddstreamError as error:
        Console(stderr=True).print(f"[red]error:[/] {error}", highlight=False)
        sys.exit(error.exit_code)
