"""What a mapping file may say: the TOML file's models, and how one is found and loaded.

The reference for people is docs/import.md. A field is written as the name of a column
(`station = "CP ID"`), as a list of names that are joined, or as a table.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from producers.rows.numbers import DURATION_UNITS, ENERGY_UNITS, HMS
from producers.rows.times import FIXED_FORMATS, parse_zone
from schemas.errors import MappingError

SHIPPED = Path(__file__).parent.parent / "mappings"
"""Where the mappings that come with laddstream lie."""

NULLS = ("", "na", "n/a", "nan", "null", "none")
"""Texts that mean "missing" unless the mapping says otherwise; compared ignoring case."""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    return text


def _zone(text: str) -> str:
    parse_zone(text)
    return text


def _short(value: object) -> object:
    """`"CP ID"` for `{column = "CP ID"}`, and a list for `{columns = […]}`."""
    if isinstance(value, str):
        return {"column": value}
    return {"columns": value} if isinstance(value, list) else value


Pattern = Annotated[str, BeforeValidator(_pattern)]
ZoneName = Annotated[str, BeforeValidator(_zone)]
Sign = Annotated[str, Field(min_length=1, max_length=1)]


class Repair(StrEnum):
    """Repairs a mapping can switch on; each is off unless named."""

    SWAP_DAY_MONTH = "swap_day_month_when_ambiguous"
    """The file swapped day and month wherever the day is 12 or less: swap them back."""

    END_NEXT_DAY = "end_before_start_is_next_day"
    """An end before the start, less than a day, is on the next day."""

    NEGATIVE_TO_ZERO = "negative_energy_to_zero"
    """Energy below zero becomes zero."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cell(_Model):
    """Where one value comes from: a column, several joined, or a constant."""

    column: str | None = None
    columns: tuple[str, ...] = ()
    value: str | None = None
    separator: str = "/"
    replace: tuple[tuple[Pattern, str], ...] = ()
    values: dict[str, str] = {}
    default: str | None = None
    optional: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.column is not None) + bool(self.columns) + (self.value is not None) != 1:
            raise ValueError("say one of column, columns and value")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The columns it is read from, in order."""
        return self.columns if self.column is None else (self.column,)


class TimeCell(Cell):
    """A point in time; several columns are joined by a blank before they are read."""

    separator: str = " "
    formats: tuple[str, ...] = ()
    zone: ZoneName | None = None


class NumberCell(Cell):
    """A number; `minus` names a column to subtract, for registers at start and end."""

    minus: str | None = None
    factor: Decimal = Decimal(1)
    decimal: Sign | None = None
    thousands: Sign | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns it is read from, in order."""
        return super().names + ((self.minus,) if self.minus else ())


class EnergyCell(NumberCell):
    """The energy of the session."""

    unit: str = "kWh"

    @model_validator(mode="after")
    def _known_unit(self) -> Self:
        _choose("unit", self.unit, ENERGY_UNITS)
        return self


class DurationCell(NumberCell):
    """A time span: a number of `unit`, or `hms` for text such as `1:30:00`."""

    unit: str

    @model_validator(mode="after")
    def _known_unit(self) -> Self:
        _choose("unit", self.unit, (*DURATION_UNITS, HMS))
        return self


class Skip(_Model):
    """Rows to leave out, counted under `reason`; all conditions given must hold."""

    column: str
    reason: Annotated[str, Field(min_length=1)]
    equals: str | None = None
    one_of: tuple[str, ...] | None = None
    matches: Pattern | None = None
    missing: bool | None = None
    below: Decimal | None = None
    above: Decimal | None = None
    negate: bool = False

    @model_validator(mode="after")
    def _some_condition(self) -> Self:
        chosen = (self.equals, self.one_of, self.matches, self.missing, self.below, self.above)
        if all(condition is None for condition in chosen):
            raise ValueError("say one of equals, one_of, matches, missing, below and above")
        return self


class Source(_Model):
    """How the file is written; what is absent is guessed from the file."""

    format: Literal["csv", "json", "jsonl", "xlsx"] | None = None
    encoding: str | None = None
    separator: Sign | None = None
    quote: Sign = '"'
    header_row: int = Field(1, ge=1)
    header: tuple[str, ...] = ()
    sheet: str | None = None
    records: str = ""

    @model_validator(mode="after")
    def _known_encoding(self) -> Self:
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError as error:
                raise ValueError(f"encoding {self.encoding!r} is not known") from error
        return self


TextField = Annotated[Cell, BeforeValidator(_short)]
TimeField = Annotated[TimeCell, BeforeValidator(_short)]
NumberField = Annotated[NumberCell, BeforeValidator(_short)]
EnergyField = Annotated[EnergyCell, BeforeValidator(_short)]


class FileMapping(_Model):
    """What every mapping file may say about the file it is for."""

    name: str
    description: str = ""
    zone: ZoneName | None = None
    zone_column: str | None = None
    formats: tuple[str, ...] = ("iso",)
    decimal: Sign = "."
    thousands: Sign | None = None
    null: tuple[str, ...] = NULLS
    aliases: dict[str, tuple[str, ...]] = {}
    source: Source = Source()
    skip: tuple[Skip, ...] = ()

    def zoneless(self, cell: TimeCell | None) -> bool:
        """Whether a time would be read whose zone nobody says."""
        if cell is None or cell.zone or self.zone or self.zone_column:
            return False
        return any(not _is_aware(text) for text in cell.formats or self.formats)


class Mapping(FileMapping):
    """A whole mapping file of sessions. Units and zones are stated here, never guessed."""

    repairs: tuple[Repair, ...] = ()
    station: TextField
    connector: TextField | None = None
    evse: TextField | None = None
    transaction: TextField | None = None
    user: TextField | None = None
    area: TextField | None = None
    start: TimeField
    end: TimeField | None = None
    duration: DurationCell | None = None
    charging_start: TimeField | None = None
    charging_end: TimeField | None = None
    charging_duration: DurationCell | None = None
    energy: EnergyField | None = None
    paid: NumberField | None = None
    currency: TextField | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.paid is not None and self.currency is None:
            raise ValueError('paid needs a currency, for example currency = {value = "EUR"}')
        for name in ("start", "end", "charging_start", "charging_end"):
            if self.zoneless(getattr(self, name)):
                raise ValueError(no_zone(name))
        return self


def no_zone(name: str) -> str:
    """The sentence for a time without zone."""
    return (
        f'{name} has no time zone: say zone = "Europe/London" (or zone_column), '
        "unless every format carries %z or is epoch_s or epoch_ms"
    )


def _is_aware(time_format: str) -> bool:
    return time_format in {"epoch_s", "epoch_ms"} or "%z" in time_format


def _choose(key: str, text: str, allowed: Iterable[str]) -> None:
    if text.casefold() not in {name.casefold() for name in allowed}:
        raise ValueError(f"{key} {text!r} is not one of {', '.join(allowed)}")


M = TypeVar("M", bound=FileMapping)


def load_mapping(name: str) -> Mapping:
    """The mapping of sessions in the file `name`, or the shipped one of that name.

    Raises MappingError naming the key at fault and, where there is one, the likely key.
    """
    return load(name, Mapping, SHIPPED, "docs/import.md")


def load(name: str, model: type[M], shipped: Path, manual: str) -> M:
    """A mapping of any kind; see `load_mapping`."""
    path = Path(name)
    if not path.is_file():
        path = shipped / f"{path.stem}.toml"
    if not path.is_file():
        known = sorted(file.stem for file in shipped.glob("*.toml"))
        raise MappingError(
            f"There is no mapping file {name!r}{suggest(name, known)}. "
            f"Shipped mappings: {', '.join(known)}; {manual} says how to write one."
        )
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"Mapping {name!r} is not TOML: {error}.") from error
    except ValidationError as error:
        problems = "; ".join(_problem(model, dict(item)) for item in error.errors())
        raise MappingError(f"Mapping {name!r}: {problems}.") from error


def _problem(model: type[FileMapping], item: dict[str, Any]) -> str:
    path = [str(part) for part in item["loc"]]
    where = ".".join(path) or "the file"
    if item["type"] == "extra_forbidden":
        owner = _model_at(model, path[:-1])
        return f"{where} is no key of a mapping{suggest(path[-1], list(owner.model_fields))}"
    if item["type"] == "missing":
        return f"{where} is missing"
    return f"{where}: {str(item['msg']).removeprefix('Value error, ')}"


def _model_at(model: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """The model whose key was misspelt."""
    if not path or path[0] not in model.model_fields:
        return model
    kinds = [model.model_fields[path[0]].annotation]
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
        kinds += get_args(kind)
    return model


def suggest(name: str, known: Iterable[str]) -> str:
    """`: did you mean 'x'?`, or nothing where no known name is near."""
    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f": did you mean {folded[near[0]]!r}?" if near else ""


def check_formats(formats: Iterable[str]) -> None:
    """Raises MappingError for a date format that cannot be one."""
    for text in formats:
        if "%" not in text and text not in FIXED_FORMATS:
            raise MappingError(
                f"Date format {text!r} is neither a strptime format such as '%Y-%m-%d %H:%M' "
                f"nor one of {', '.join(FIXED_FORMATS)}."
            )
