"""Columns that say nothing need not be sent: the store fills them in by itself."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

OPTIONAL: Final = {
    "events": (
        "context", "charging_state", "id_token", "meter_wh", "import_wh", "export_wh", "power_w",
        "soc_percent", "attributes", "flags", "received_at", "message_id", "gateway",
    ),
}  # fmt: skip
"""By table: columns whose default in sql/migrations is NULL or the empty text."""


def without_blanks(table: str, rows: pa.Table) -> pa.Table:
    """The rows without the optional columns that are null, or the empty text, all along."""
    blank = [name for name in OPTIONAL.get(table, ()) if _is_blank(rows[name])]
    return rows.drop_columns(blank) if blank else rows


def _is_blank(column: pa.ChunkedArray) -> bool:
    if pa.types.is_string(column.type):
        return column.null_count == 0 and all(map(_is_empty, column.chunks))
    return bool(column.null_count == len(column))


def _is_empty(texts: pa.StringArray) -> bool:
    """Whether a column of text has no character."""
    if not len(texts):
        return True
    ends = np.frombuffer(texts.buffers()[1], np.int32)
    return bool(ends[texts.offset] == ends[texts.offset + len(texts)])
