"""One catalogue file as values, with the line on which each of them stands.

YAML is read by the core rules of YAML 1.2, narrowed: `NO` is a country, `08:00` a time,
`2026-03-01` a date and `04E12345` a token, all of them text. Numbers with a point are exact.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from laddstream.sloppy_json import parse_json
from schemas.errors import UserError
from streams.core.ocpi.values import pointer

Steps = tuple[str | int, ...]
"""The way to a value: names of fields, positions in lists."""

JSON, YAML, CSV = "json", "yaml", "csv"
_MAX_DEPTH = 60

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVERS = {
    first: [(tag, pattern)]
    for tag, pattern, firsts in (
        ("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
        ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    )
    for first in firsts
} | {
    first: [
        ("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$")),
        ("tag:yaml.org,2002:float", re.compile(r"^-?(?:0|[1-9][0-9]*)?\.[0-9]+$")),
    ]
    for first in "-.0123456789"
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: the file, its line (0: unknown), the field (an RFC 6901 pointer,
    in CSV a column) and what.
    """

    file: str
    line: int
    field: str
    what: str

    @property
    def text(self) -> str:
        """One line for people."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where} {self.field}: {self.what}" if self.field else f"{where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds. `value` is None where it could not be read: `faults` say why."""

    file: str
    form: str
    value: Any
    line_of: Callable[[Steps], int]
    faults: list[Fault] = field(default_factory=list)
    path: Path = Path()

    def fault(self, steps: Steps, what: str) -> Fault:
        """Something wrong at a place of this file."""
        name = str(steps[-1]) if self.form == CSV and len(steps) > 1 else pointer(*steps)
        return Fault(self.file, self.line_of(steps), "" if self.form == CSV and len(steps) < 2
                     else name, what)  # fmt: skip


def open_document(path: Path, form: str = "") -> Document:
    """Read a file; `form` json, yaml or csv, else its content says. Raises UserError where the
    file cannot be read at all; what is wrong inside is in `faults`.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return _unread(path, form, line, "not UTF-8 text: save it as UTF-8")
    form = form or _form_of(text, path.suffix.lower())
    reader = {JSON: _json, YAML: _yaml, CSV: _csv}[form]
    return reader(path, text)


def _form_of(text: str, suffix: str) -> str:
    first = text.lstrip()[:1]
    if suffix in {".csv", ".tsv"}:
        return CSV
    if first in {"{", "["} and suffix not in {".yaml", ".yml"}:
        return JSON
    head = next((line for line in text.splitlines() if line.strip()), "")
    named = suffix in {".yaml", ".yml"} or re.match(r"\s*(?:#|---|- |[\w.]+\s*:(?:\s|$))", head)
    return CSV if not named and re.search(r"[,;\t]", head) else YAML


def _unread(path: Path, form: str, line: int, what: str) -> Document:
    fault = Fault(path.name, line, "", what)
    return Document(path.name, form or JSON, None, lambda _: line, [fault], path)


def _json(path: Path, text: str) -> Document:
    try:
        value, findings = parse_json(text.encode(), path.name)
    except UserError as error:
        found = re.search(r"line (\d+)", str(error))
        what = str(error).removeprefix(f"{path.name}: ").partition("; mend it")[0]
        return _unread(path, JSON, int(found[1]) if found else 0, what)
    lines = cache(lambda: dict(_json_lines(text)))
    document = Document(path.name, JSON, value, lambda steps: _nearest(lines(), steps), [], path)
    twice = [one for one in findings if one.code == "duplicate_key"]
    document.faults.extend(Fault(path.name, 0, "", one.message) for one in twice)
    return document


_JSON_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*")|(?P<comment>//[^\n]*|#[^\n]*|/\*.*?\*/)'
    r"|(?P<mark>[{}\[\],:])|(?P<plain>[^\s{}\[\],:\"]+)",
    re.DOTALL,
)


def _json_lines(text: str) -> Iterator[tuple[Steps, int]]:
    """Every place of a valid JSON text with its line; a field stands where its name does."""
    steps: list[str | int] = []
    lists: list[bool] = []
    line, last, naming = 1, 0, False
    for match in _JSON_TOKEN.finditer(text):
        line += text.count("\n", last, match.start())
        last, piece = match.start(), match[0]
        if match["comment"]:
            continue
        if piece in {"}", "]"}:
            steps.pop()
            lists.pop()
            naming = False
        elif piece == ",":
            naming = not lists[-1]
            if lists[-1]:
                steps[-1] = int(steps[-1]) + 1
        elif naming:
            steps[-1] = json.loads(piece)
            naming = False
            yield tuple(steps), line
        elif piece != ":":
            if not lists or lists[-1]:
                yield tuple(steps), line
            if piece in {"{", "["}:
                lists.append(piece == "[")
                steps.append(0 if lists[-1] else "")
                naming = not lists[-1]


def _nearest(lines: dict[Steps, int], steps: Steps) -> int:
    while steps not in lines and steps:
        steps = steps[:-1]
    return lines.get(steps, 0)


def _yaml(path: Path, text: str) -> Document:
    loader = _LOADER(text)
    loader.yaml_implicit_resolvers = _RESOLVERS
    try:
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        return _unread(path, YAML, mark.line + 1 if mark else 0, f"not YAML: {what}")
    except RecursionError:
        return _unread(path, YAML, 0, "not YAML: nested too deeply")
    finally:
        loader.dispose()
    reader = _YamlReader(path.name)
    value = reader.value(root, ()) if root is not None else None
    lines = reader.lines
    faults = reader.faults
    return Document(path.name, YAML, value, lambda steps: _nearest(lines, steps), faults, path)


class _YamlReader:
    """Values of composed nodes; remembers the line of each place."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Steps, int] = {}
        self.faults: list[Fault] = []

    def value(self, node: Any, steps: Steps) -> Any:  # noqa: ANN401 - any YAML there is
        """The value of a node at a place."""
        line = node.start_mark.line + 1
        self.lines.setdefault(steps, line)
        if len(steps) > _MAX_DEPTH or len(self.lines) > 20_000_000:
            self.faults.append(Fault(self.file, line, "", "nested too deeply, or into itself"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, steps)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*steps, i)) for i, each in enumerate(node.value)]
        return _scalar(node.tag.rpartition(":")[2], node.value)

    def _mapping(self, node: Any, steps: Steps) -> dict[str, Any]:  # noqa: ANN401
        out: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for name, inner in node.value:
            key, line = str(name.value), name.start_mark.line + 1
            if key == "<<" and isinstance(inner, yaml.MappingNode):
                merged |= self._mapping(inner, steps)
                continue
            where = (*steps, key)
            if key in out:
                self.faults.append(Fault(self.file, line, pointer(*where), "stands twice"))
            self.lines[where] = line
            out[key] = self.value(inner, where)
        return merged | out


def _scalar(tag: str, text: str) -> Any:  # noqa: ANN401 - any scalar there is
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag == "int" and len(text) < 40:
        return int(text)
    return Decimal(text) if tag == "float" and len(text) < 40 else text


def _csv(path: Path, text: str) -> Document:
    head = text.partition("\n")[0]
    delimiter = next((each for each in ("\t", ",", ";") if each in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[dict[str, str]] = []
    lines: dict[Steps, int] = {}
    faults: list[Fault] = []
    try:
        names = [name.strip() for name in next(reader, [])]
        begin = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if len(cells) > len(names):
                    what = f"{len(cells)} cells where the header has {len(names)}"
                    faults.append(Fault(path.name, begin, "", what))
                lines[len(rows),] = begin
                pairs = zip(names, cells, strict=False)
                rows.append({name: cell.strip() for name, cell in pairs if cell.strip()})
            begin = reader.line_num + 1
    except csv.Error as error:
        return _unread(path, CSV, reader.line_num, f"not CSV: {error}")
    value = {"header": names, "rows": rows}
    return Document(path.name, CSV, value, lambda steps: _nearest(lines, steps), faults, path)
