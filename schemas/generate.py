"""Writes the files that are made from the models; they are committed, and a test compares them.

python -m schemas.generate              write json/ and asyncapi.yaml
python -m schemas.generate --check      exit 1 where a file differs or breaks the release
python -m schemas.generate --release v2 keep what is generated now as a released version
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from schemas import asyncapi
from schemas.compatibility import breaking_changes
from schemas.events import EVENT_ADAPTER, EVENT_TYPES
from schemas.payments import PaymentRecorded
from schemas.records import RECORDS

HERE = Path(__file__).parent
RELEASED = "v1"
"""The version whose readers must not break."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_UNITS = {"_wh": "Wh", "_percent": "%", "_w": "W", "_a": "A", "_s": "s"}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Every JSON Schema by its path below `schemas/json`: the union of events, the payment,
    each event, each record.
    """
    event_models = {f"events/{asyncapi.tag_of(model)}": TypeAdapter(model) for model in EVENT_TYPES}
    records = {f"records/{table}": TypeAdapter(model) for table, model in RECORDS.items()}
    union: dict[str, TypeAdapter[Any]] = {
        "event": EVENT_ADAPTER,
        "payment": TypeAdapter(PaymentRecorded),
    }
    return {
        f"{name}.json": _polished(name, adapter.json_schema())
        for name, adapter in (union | event_models | records).items()
    }


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    schemas = {HERE / "json" / name: _text(body) for name, body in json_schemas().items()}
    return schemas | {HERE / "asyncapi.yaml": asyncapi.to_yaml(asyncapi.document())}


def drifted() -> list[Path]:
    """Generated files that are missing or say something else than the models."""
    return [
        path
        for path, text in files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def broken() -> list[str]:
    """What the models of today break for users of the released version, a sentence each."""
    released = HERE / "json" / RELEASED
    today = json_schemas()
    findings = []
    for path in sorted(released.rglob("*.json")):
        name = path.relative_to(released).as_posix()
        if name not in today:
            findings.append(f"{name}: removed")
            continue
        old = json.loads(path.read_text(encoding="utf-8"))
        findings += [f"{name} {sentence}" for sentence in breaking_changes(old, today[name])]
    return findings


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m schemas.generate", description="Contract files"
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit 1 on a difference"
    )
    parser.add_argument(
        "--release", metavar="vN", help="keep today's schemas as a released version"
    )
    chosen = parser.parse_args(arguments)
    if chosen.check:
        findings = [f"{path.relative_to(HERE.parent)}: run make schemas" for path in drifted()]
        findings += broken()
        sys.stdout.writelines(f"{finding}\n" for finding in findings)
        return 1 if findings else 0
    for path, text in files().items():
        _write(path, text)
    if chosen.release:
        for name, body in json_schemas().items():
            _write(HERE / "json" / chosen.release / name, _text(body))
    return 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _polished(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with an identity, units in descriptions, and the tag required."""
    for node in (schema, *schema.get("$defs", {}).values()):
        properties = node.get("properties", {})
        for field, body in properties.items():
            body.pop("title", None)
            _say_unit(field, body)
        if "const" in properties.get("type", {}):
            node["required"] = [*node["required"], "type"]
    schema.pop("discriminator", None)  # OpenAPI's word; the tags are const in every member
    head = {"$schema": _DIALECT, "$id": f"urn:laddstream:schema:{name.replace('/', ':')}"}
    return head | {"title": "Event"} | schema


def _say_unit(field: str, body: dict[str, Any]) -> None:
    unit = next((unit for suffix, unit in _UNITS.items() if field.endswith(suffix)), None)
    text = body.get("description", "")
    if unit and not re.search(rf"(?<!\w){re.escape(unit)}(?!\w)", text):
        body["description"] = f"{text}, {unit}".removeprefix(", ")


if __name__ == "__main__":
    sys.exit(main())
