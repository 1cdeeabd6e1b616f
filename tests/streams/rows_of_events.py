"""Values through decoding to rows of `events`; also writes the golden rows of the examples.

`python -m tests.streams.rows_of_events` writes tests/streams/golden/*.json anew, one file a type:
file name of the example to its row. Read the diff: a row is part of an event's identity.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import schemas
from streams.chunk import Chunk, TopicPartition
from streams.core.identity import NIL
from streams.decode import Decoded, decode_chunk
from streams.event_rows import PendingRows

EXAMPLES = Path(schemas.__file__).parent / "examples"
GOLDEN = Path(__file__).parent / "golden"
TP = TopicPartition("charging.events", 3)


def decoded(values: Sequence[bytes | None], key: bytes | None = b"key") -> Decoded:
    """The values as one chunk from offset 100."""
    offsets = range(100, 100 + len(values))
    return decode_chunk(Chunk(TP, offsets, values, [key] * len(values), offsets.stop))


def event_rows(found: Decoded) -> list[dict[str, Any]]:
    """What would be inserted, without a session."""
    rows = PendingRows(TP.topic)
    count = len(found.events)
    rows.take(found, [TP.partition] * count, [None] * count)
    return rows.table([NIL.bytes] * len(found.events)).to_pylist() if found.events else []


def golden_rows(kind: str) -> dict[str, dict[str, Any]]:
    """Example name to row, in JSON's types, transport place left out."""
    out = {}
    for path in sorted((EXAMPLES / kind).glob("*.json")):
        (row,) = event_rows(decoded([path.read_bytes()]))
        out[path.stem] = {
            name: _plain(value)
            for name, value in row.items()
            if not name.startswith("kafka_") and name != "session_id"
        }
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return str(value) if isinstance(value, Decimal) else value


def write() -> None:
    """Write every golden file."""
    for folder in sorted(EXAMPLES.iterdir()):
        text = json.dumps(golden_rows(folder.name), indent=2, ensure_ascii=False)
        (GOLDEN / f"{folder.name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
