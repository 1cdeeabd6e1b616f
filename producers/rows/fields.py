"""One field of a mapping bound to a file's columns: cells in, a typed value out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from producers.rows.columns import Getter, Header, Paths, column_missing
from producers.rows.mapping import (
    Cell,
    DurationCell,
    EnergyCell,
    FileMapping,
    NumberCell,
    Skip,
)
from producers.rows.numbers import HMS, duration_ms, energy_wh, parse_hms, parse_number, plain_text
from producers.rows.times import parse_moment
from schemas.units import MAX_WH

_NATIVE = (int, float, Decimal, date, time, timedelta)


class CellError(Exception):
    """One cell that cannot be read; becomes a `Fault` of its row, never leaves this room."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Bound:
    """A cell of the mapping with the getters of its columns in one file.

    `minus` is the register to take off, where the mapping names one.
    """

    key: str
    cell: Cell
    getters: tuple[tuple[str, Getter], ...]
    nulls: frozenset[str]
    minus: Bound | None = None

    @property
    def label(self) -> str:
        """What a person calls it: the columns, or the mapping's key."""
        return " + ".join(name for name, _ in self.getters) or self.key

    def raw(self, cells: object) -> list[object | None]:
        """What the file holds in its columns; None for null."""
        found: list[object | None] = []
        for name, getter in self.getters:
            try:
                value = getter(cells)
            except KeyError as error:
                raise CellError(name, str(error.args[0])) from error
            null = value is None or (
                isinstance(value, str) and value.strip().casefold() in self.nulls
            )
            found.append(None if null else value)
        return found

    def text(self, cells: object) -> str | None:
        """The joined and repaired text; None where it is missing and has no default."""
        return self.finish(self.raw(cells))

    def finish(self, parts: Sequence[object | None]) -> str | None:
        """Join, replace, map, default: what a mapping may do to any text."""
        if self.cell.value is not None:
            return self.cell.value
        if all(part is None for part in parts):
            return self.cell.default
        text = self.cell.separator.join(self._plain(part) for part in parts)
        for pattern, replacement in self.cell.replace:
            text = re.sub(pattern, replacement, text)
        text = self.cell.values.get(text, text)
        return self.cell.default if text.casefold() in self.nulls else text

    def value(self, cells: object) -> object | None:
        """As `text`, but a number or time that the file types itself stays what it is."""
        parts = self.raw(cells)
        if len(parts) == 1 and isinstance(parts[0], _NATIVE) and not self._edited:
            return parts[0]
        return self.finish(parts)

    @property
    def _edited(self) -> bool:
        return bool(self.cell.replace or self.cell.values)

    def _plain(self, value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, dict | list):
            raise CellError(self.label, "holds a list or an object, not one value")
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        text = plain_text(value) if isinstance(value, Decimal) else str(value).strip()
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise CellError(self.label, "holds bytes that are no text in the file's encoding")
        return text

    def name(self, cells: object, limit: int = 255) -> str | None:
        """An identifier without control characters, at most `limit` characters."""
        return self.checked(self.text(cells), limit)

    def checked(self, text: str | None, limit: int = 255) -> str | None:
        """`text`, unless it is too long or has control characters."""
        if text is not None and (len(text) > limit or re.search(r"[\x00-\x1f\x7f]", text)):
            raise CellError(
                self.label, f"{text[:40]!r} is longer than {limit} or has control characters"
            )
        return text

    def number(self, cells: object, mapping: FileMapping) -> Decimal | None:
        """The number, None where a part of it is missing."""
        cell = self.cell
        decimal, thousands = mapping.decimal, mapping.thousands
        if isinstance(cell, NumberCell):
            decimal, thousands = cell.decimal or decimal, cell.thousands or thousands
        value = self.value(cells)
        less = Decimal(0) if self.minus is None else self.minus.number(cells, mapping)
        try:
            number = None if value is None else parse_number(value, decimal, thousands)
        except ValueError as error:
            raise CellError(self.label, str(error)) from error
        return None if number is None or less is None else number - less

    def energy_wh(self, cells: object, mapping: FileMapping) -> int | None:
        """Whole watt-hours."""
        number = self.number(cells, mapping)
        cell = self.cell
        if number is None or not isinstance(cell, EnergyCell):
            return None
        energy = energy_wh(number, cell.unit, cell.factor)
        if abs(energy) > MAX_WH:
            raise CellError(self.label, f"{number} {cell.unit} is beyond any meter")
        return energy

    def duration_ms(self, cells: object, mapping: FileMapping) -> int | None:
        """Whole milliseconds."""
        cell = self.cell
        if not isinstance(cell, DurationCell):
            return None
        if cell.unit != HMS:
            number = self.number(cells, mapping)
            return None if number is None else duration_ms(number, cell.unit, cell.factor)
        value = self.value(cells)
        try:
            return None if value is None else parse_hms(value)
        except ValueError as error:
            raise CellError(self.label, str(error)) from error

    def count(self, cells: object, mapping: FileMapping) -> int | None:
        """A whole number from 0 to 2^31 - 1."""
        number = self.number(cells, mapping)
        if number is None:
            return None
        if number % 1 or not 0 <= number < 2**31:
            raise CellError(self.label, f"{number} is no whole number from 0 on")
        return int(number)

    def moment(self, cells: object, formats: Sequence[str]) -> datetime | None:
        """The time as written: aware where the file says the zone."""
        parts = self.raw(cells)
        missing = [
            name for (name, _), part in zip(self.getters, parts, strict=True) if part is None
        ]
        if missing and len(missing) < len(parts):
            raise CellError(" + ".join(missing), "is missing, while the rest of the time is there")
        typed = any(isinstance(part, date | time) for part in parts)
        if not typed or self._edited:
            text = self.finish(parts)
            if text is None:
                return None
            parts = [text]
        try:
            return parse_moment(parts, formats, self.cell.separator)
        except ValueError as error:
            raise CellError(self.label, str(error)) from error


OWN = frozenset({"@evse", "@connector", "@start", "@end", "@energy", "@user", "@area"})
"""What a transaction id may be made of beside columns: values read from the row."""


def bind(
    key: str, cell: Cell | None, columns: Header | Paths, mapping: FileMapping
) -> Bound | None:
    """A field bound to a file's columns; None where it is not mapped, or optional and
    absent without a default.

    Raises MappingError naming a column that the file lacks, and the likely one.
    """
    if cell is None:
        return None
    nulls = frozenset(text.strip().casefold() for text in mapping.null)
    names = [name for name in cell.names if key != "transaction" or name not in OWN]
    found = {name: columns.find(name) for name in names}
    for name, getter in found.items():
        if getter is None and not cell.optional:
            raise column_missing(key, name, columns.names)
    getters = tuple((name, getter) for name, getter in found.items() if getter is not None)
    if len(getters) < len(names):
        return None if cell.default is None else Bound(key, cell, (), nulls)
    if isinstance(cell, NumberCell) and cell.minus:
        minus = Bound(f"{key}.minus", NumberCell(column=cell.minus), getters[-1:], nulls)
        return Bound(key, cell, getters[:-1], nulls, minus)
    return Bound(key, cell, getters, nulls)


def holds(skip: Skip, bound: Bound, cells: object, mapping: FileMapping) -> bool:
    """Whether all conditions of a rule for leaving rows out hold."""
    text = bound.text(cells)
    if skip.missing is not None and skip.missing != (text is None):
        return False
    allowed = [*(skip.one_of or ()), *([] if skip.equals is None else [skip.equals])]
    if allowed and (text or "").casefold() not in {each.casefold() for each in allowed}:
        return False
    if skip.matches is not None and not re.search(skip.matches, text or ""):
        return False
    if skip.below is None and skip.above is None:
        return True
    number = bound.number(cells, mapping) if text is not None else None
    if number is None:
        return False
    return (skip.below is None or number < skip.below) and (
        skip.above is None or number > skip.above
    )
