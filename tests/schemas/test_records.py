"""Records mirror the tables of the migrations, column by column."""

from __future__ import annotations

import re
import types
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin
from uuid import UUID

import pytest
from annotated_types import Ge, Le
from pydantic import AwareDatetime

from schemas.records import RECORDS, SessionStatus

MIGRATIONS = Path(__file__).parents[2] / "sql" / "migrations"
COLUMN = re.compile(
    r"^    (?P<name>[a-z_]\w*) (?P<type>[A-Z].*?)(?P<rest>| (?:DEFAULT|CODEC|MATERIALIZED).*)$"
)
INTEGERS = {
    f"{sign}Int{bits}": (0 if sign else -(2 ** (bits - 1)), 2 ** (bits if sign else bits - 1) - 1)
    for sign in ("", "U")
    for bits in (8, 16, 32, 64)
}


def _tables() -> dict[str, list[tuple[str, str]]]:
    """Table to its columns (name, type), materialized ones left out, as the .sql files say."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(MIGRATIONS.glob("[0-9]*.sql")):
        text = path.read_text("utf-8")
        bodies = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)\n\(\n(.*?)\n\)\n", text, re.DOTALL)
        bodies += re.findall(r"ALTER TABLE (\w+)\n(.*?);\n", text, re.DOTALL)
        for name, body in bodies:
            columns = body.replace("ADD COLUMN IF NOT EXISTS ", "")
            found = (COLUMN.match(line.rstrip(",")) for line in columns.splitlines())
            tables.setdefault(name, []).extend(
                (match["name"], match["type"])
                for match in found
                if match and "MATERIALIZED" not in match["rest"]
            )
    return tables


TABLES = _tables()


def _bare(sql: str) -> tuple[str, bool]:
    """The type without LowCardinality and Nullable, and whether it was nullable."""
    sql = re.sub(r"LowCardinality\(((?:[^()]|\([^()]*\))*)\)", r"\1", sql)
    inner = re.fullmatch(r"Nullable\((.*)\)", sql)
    return (inner[1], True) if inner else (sql, False)


def _without_none(annotation: Any) -> tuple[Any, list[Any]]:
    """The annotation without `| None`, and its constraints."""
    if get_origin(annotation) is types.UnionType or type(None) in get_args(annotation):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    constraints: list[Any] = []
    if hasattr(annotation, "__metadata__"):
        for field in annotation.__metadata__:
            constraints += getattr(field, "metadata", [field])
        annotation = get_args(annotation)[0]
    return annotation, constraints


def test_every_table_has_a_model() -> None:
    assert list(TABLES) == list(RECORDS)


@pytest.mark.parametrize("table", RECORDS)
def test_columns_have_the_same_names_in_the_same_order(table: str) -> None:
    assert list(RECORDS[table].model_fields) == [name for name, _ in TABLES[table]]


@pytest.mark.parametrize("table", RECORDS)
def test_columns_hold_what_their_type_holds(table: str) -> None:
    for name, sql in TABLES[table]:
        field = RECORDS[table].model_fields[name]
        bare, nullable = _bare(sql)
        annotation, constraints = _without_none(field.annotation)
        constraints += field.metadata
        if nullable:
            assert field.default is None, name
        if bare in INTEGERS:
            low = next(c.ge for c in constraints if isinstance(c, Ge))
            high = next(c.le for c in constraints if isinstance(c, Le))
            assert annotation is int
            assert (low, high) in {INTEGERS[bare], (0, 1)}, name
        elif bare.startswith("Decimal"):
            digits, places = map(int, re.findall(r"\d+", bare))
            limits = {key: value for c in constraints for key, value in vars(c).items()}
            assert annotation is Decimal
            assert (limits["max_digits"], limits["decimal_places"]) == (digits, places), name
        elif bare.startswith("DateTime"):
            assert annotation is AwareDatetime or annotation is get_args(AwareDatetime), name
        elif bare == "UUID":
            assert annotation is UUID
        elif bare == "String":
            assert annotation in {str, SessionStatus}, name
        else:
            assert bare.startswith(("Array(", "Map(")), name
            assert get_origin(annotation) in {tuple, dict}, name
