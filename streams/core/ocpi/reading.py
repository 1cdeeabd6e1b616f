"""Reading with a list of findings: what every reader of this package shares."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from streams.core.ocpi import values
from streams.core.ocpi.findings import ERROR, WARNING, Finding
from streams.core.ocpi.values import Read, pointer, shown

Path = tuple[str | int, ...]

_NOTES = {
    values.NUMBER_AS_TEXT: "{0} is text where a number belongs; it is read as {1}.",
    values.DECIMAL_COMMA: "{0} has a decimal comma; it is read as {1}.",
    values.SLOPPY_TIME: "{0} is not written as it should be; it is read as {1}.",
    values.SLOPPY_DATE: "{0} is not written as it should be; it is read as {1}.",
    values.NO_ZONE: "{0} has no zone; it is read as UTC.",
    "letter_case": "{0} is written unlike the specification; it is read as {1}.",
}


@dataclass(slots=True)
class Notes:
    """Findings of one document, each once."""

    found: list[Finding] = field(default_factory=list)

    def warn(self, code: str, path: Path, message: str, likely: str = "") -> None:
        """Something was understood all the same."""
        self._add(Finding(code, pointer(*path), message, WARNING, likely))

    def error(self, code: str, path: Path, message: str, likely: str = "") -> None:
        """Something that cannot be read safely."""
        self._add(Finding(code, pointer(*path), message, ERROR, likely))

    def _add(self, finding: Finding) -> None:
        if finding not in self.found:
            self.found.append(finding)

    @property
    def failed(self) -> bool:
        """Whether there is an error."""
        return any(finding.severity == ERROR for finding in self.found)

    def noted(self, read: Read[Any], raw: object, path: Path) -> None:
        """Say how a value was written, where that is worth saying."""
        if read.note:
            text = _NOTES[read.note].format(shown(raw), _as_read(read))
            self.warn(read.note, path, f"{path[-1]} {text}", _as_read(read))

    def number(self, raw: object, path: Path) -> Decimal | None:
        """A number, or None with an error; None itself is absent."""
        if raw is None:
            return None
        read = values.number(raw)
        if read is None:
            self.error("bad_number", path, f"{path[-1]} {shown(raw)} is no number.")
            return None
        self.noted(read, raw, path)
        return read.value

    def listed(self, raw: object, path: Path) -> object:
        """A list; one object where a list belongs is read as a list of it."""
        if not isinstance(raw, Mapping):
            return raw
        self.warn("not_a_list", path, f"{path[-1]} is one object where a list belongs.")
        return [raw]

    def instant(self, raw: object, path: Path) -> int | None:
        """Epoch milliseconds, or None with an error; None itself is absent."""
        if raw is None:
            return None
        read = values.instant(raw)
        if read is None:
            self.error(
                "bad_date",
                path,
                f"{path[-1]} {shown(raw)} is no 2026-03-01T12:00:00Z.",
            )
            return None
        if read.note == values.SLOPPY_TIME:
            self.warn(read.note, path, f"{path[-1]} {shown(raw)} is not written as in RFC 3339.")
        else:
            self.noted(read, raw, path)
        return read.value

    def unknown_fields(
        self, document: Mapping[str, Any], known: Collection[str], path: Path
    ) -> None:
        """Name the fields that nobody reads, with what they may have meant."""
        missing = [name for name in known if document.get(name) is None]
        for name in document:
            if name not in known and isinstance(name, str):
                meant = values.likely(name, missing)
                hint = f"; was {meant} meant?" if meant else "."
                self.warn("unknown_field", (*path, name), f"{shown(name)} is ignored{hint}", meant)


def _as_read(read: Read[Any]) -> str:
    value = read.value
    if read.note == values.SLOPPY_TIME:
        return f"{value // 60 % 24:02d}:{value % 60:02d}"
    if read.note == values.SLOPPY_DATE:
        return values.iso_day(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def mappings(raw: object) -> list[tuple[int, Mapping[str, Any]]]:
    """The objects of a list with their places; empty where it is none."""
    items: Iterable[Any] = raw if isinstance(raw, list | tuple) else ()
    return [(i, item) for i, item in enumerate(items) if isinstance(item, Mapping)]


def unwrapped(document: object) -> list[Mapping[str, Any]]:
    """The objects of a document: itself, of a list, or of an OCPI response's `data`."""
    if isinstance(document, Mapping):
        data = document.get("data")
        if not isinstance(data, Mapping | list) or "currency" in document:
            return [document]
        document = [data] if isinstance(data, Mapping) else data
    return [item for _, item in mappings(document)]
