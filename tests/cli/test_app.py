"""The command table: every command is where the table says."""

from __future__ import annotations

import importlib

import pytest
import typer
from typer.testing import CliRunner

from laddstream.cli.app import GROUPS, build


def names(app: typer.Typer) -> set[str]:
    commands = {c.name or "" for c in app.registered_commands}
    return commands | {g.name or "" for g in app.registered_groups}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_registers_exactly_the_commands_the_table_gives_it(group: str) -> None:
    app = typer.Typer()
    importlib.import_module(f"laddstream.cli.{group}").register(app)

    assert names(app) == set(GROUPS[group])


def test_a_known_command_loads_its_group_alone() -> None:
    assert names(build("sql")) == set(GROUPS["report"])


def test_help_lists_every_command() -> None:
    shown = CliRunner().invoke(build(), ["--help"]).stdout

    assert all(name in shown for commands in GROUPS.values() for name in commands)
