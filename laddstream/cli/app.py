"""Puts the commands together and turns errors into one sentence and an exit code."""

from __future__ import annotations

import importlib
import sys

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from schemas.errors import LaddstreamError, UserError

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
        _say(str(error))
        sys.exit(error.exit_code)
    except ValidationError as error:
        for found in error.errors():
            name = "__".join(str(part) for part in found["loc"]).upper()
            _say(f"LADDSTREAM_{name}: {found['msg']}")
        sys.exit(UserError.exit_code)


def _say(text: str) -> None:
    Console(stderr=True).print(f"[red]error:[/] {escape(text)}", highlight=False)
