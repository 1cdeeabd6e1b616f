"""Where a finding points to in a document that is being mended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.core.ocpi.findings import Finding

Document = dict[str, Any]


def parts_of(pointer: str) -> list[str]:
    """The parts of an RFC 6901 pointer."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def value_at(document: Document, parts: list[str]) -> Any:  # noqa: ANN401 - any JSON there is
    """What stands there; None where nothing does."""
    found: Any = document
    for part in parts:
        if isinstance(found, list):
            found = found[int(part)] if part.isdecimal() and int(part) < len(found) else None
        else:
            found = found.get(part) if isinstance(found, Mapping) else None
    return found


def place_of(document: Document, finding: Finding) -> tuple[Any, Any]:
    """What holds the value of a finding, and its key there."""
    parts = parts_of(finding.pointer)
    holder = value_at(document, parts[:-1]) if parts else None
    return holder, int(parts[-1]) if isinstance(holder, list) and parts[-1].isdecimal() else (
        parts[-1] if parts else ""
    )
