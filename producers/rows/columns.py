"""Finds the columns a mapping names in a file's header, or in its JSON objects.

Names match ignoring case, byte order marks, and whether words are parted by blanks,
underscores or hyphens. `Name#2` means the second column of that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from producers.rows.mapping import suggest
from schemas.errors import MappingError

Getter = Callable[[Any], object]
"""Takes the cells of one record, gives the value; raises KeyError where the cell is absent."""

_PARTED = re.compile(r"[\s_\-\ufeff\u00a0]+")
_NUMBERED = re.compile(r"(.+)#([1-9]\d?)")


def folded(name: str) -> str:
    """A name as it is compared."""
    return _PARTED.sub(" ", name).strip().casefold()


class Header:
    """The columns of a table: cells are a sequence in the order of `names`."""

    def __init__(self, names: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> None:
        self.names = tuple(names)
        self._aliases = {folded(name): tuple(others) for name, others in aliases.items()}

    def find(self, name: str) -> Getter | None:
        """How to get column `name`, None if there is none. Raises MappingError if it is not
        clear which one is meant.
        """
        position = self._place(name)
        return None if position is None else _at(position)

    def unused(self, used: Iterable[str]) -> list[str]:
        """The columns that none of the names `used` means."""
        taken = {self._place(name) for name in used}
        return [name for i, name in enumerate(self.names) if name and i not in taken]

    def _place(self, name: str) -> int | None:
        candidates = (name, *self._aliases.get(folded(name), ()))
        places = (self._position(candidate) for candidate in candidates)
        return next((place for place in places if place is not None), None)

    def _position(self, name: str) -> int | None:
        exact = [i for i, each in enumerate(self.names) if each.strip() == name]
        alike = exact or [i for i, each in enumerate(self.names) if folded(each) == folded(name)]
        if len(alike) > 1:
            raise MappingError(
                f"The file has {len(alike)} columns {name!r}: write {name + '#1'!r} for the first."
            )
        if not alike and (numbered := _NUMBERED.fullmatch(name)):
            same = [i for i, each in enumerate(self.names) if folded(each) == folded(numbered[1])]
            alike = same[int(numbered[2]) - 1 :][:1]
        return alike[0] if alike else None


def _at(position: int) -> Getter:
    def get(cells: Sequence[object]) -> object:
        if position >= len(cells):
            raise KeyError(f"the row ends after {len(cells)} cells, this is cell {position + 1}")
        return cells[position]

    return get


class Paths:
    """The fields of JSON records: cells are a JSON value, a name is a path with dots."""

    def __init__(self, records: Sequence[object], aliases: Mapping[str, Sequence[str]]) -> None:
        self._sample = records
        self._aliases = {folded(name): tuple(others) for name, others in aliases.items()}
        self.names = tuple(dict.fromkeys(path for each in records[:200] for path in _leaves(each)))

    def find(self, name: str) -> Getter | None:
        """How to get the value at path `name`; None if no record has it."""
        for candidate in (name, *self._others(name)):
            steps = candidate.split(".")
            if any(_walk(record, steps)[0] for record in self._sample):
                return _along(steps)
        return None

    def unused(self, used: Iterable[str]) -> list[str]:
        """The fields that no path of `used` reaches."""
        taken = [folded(other) for name in used for other in (name, *self._others(name))]
        return [path for path in self.names if path and not _below(folded(path), taken)]

    def _others(self, name: str) -> Sequence[str]:
        return self._aliases.get(folded(name), ())


def _below(path: str, taken: Sequence[str]) -> bool:
    return any(path == each or path.startswith(f"{each}.") for each in taken)


def _along(steps: Sequence[str]) -> Getter:
    return lambda cells: _walk(cells, steps)[1]


def _walk(value: object, steps: Sequence[str]) -> tuple[bool, object]:
    """Whether the path exists, and what is there; a path ending in a missing key is null."""
    for index, step in enumerate(steps):
        if isinstance(value, Mapping):
            rest = ".".join(steps[index:])
            if rest in value:
                return True, value[rest]
            key = step if step in value else _alike(value, step)
            if key is None:
                return False, None
            value = value[key]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return False, None
    return True, value


def _alike(value: Mapping[str, object], step: str) -> str | None:
    return next((key for key in value if folded(key) == folded(step)), None)


def _leaves(value: object, prefix: str = "") -> list[str]:
    if isinstance(value, Mapping):
        inner = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list) and (not prefix or len(value) < 20):
        inner = [(str(index), each) for index, each in enumerate(value)]
    else:
        return [prefix]
    return [leaf for key, each in inner for leaf in _leaves(each, f"{prefix}.{key}".lstrip("."))]


def column_missing(key: str, name: str, known: Sequence[str]) -> MappingError:
    """The error for a column the mapping names and the file lacks."""
    shown = ", ".join(repr(each) for each in known[:30]) + (", …" if len(known) > 30 else "")
    return MappingError(
        f"{key}: the file has no column {name!r}{suggest(name, known)}. It has {shown or 'none'}."
    )
