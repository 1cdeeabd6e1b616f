"""Rows as the bytes that ClickHouse reads as `FORMAT Arrow`, written into memory that is kept."""

from __future__ import annotations

import pyarrow as pa

_SPARE = 4
"""A quarter more is taken than is needed."""


class ArrowFile:
    """Memory for the bytes of one table at a time. Fresh memory for each would cost more than the
    writing itself: the system clears it before it is used.
    """

    def __init__(self) -> None:
        self._memory: pa.Buffer = pa.allocate_buffer(0)

    def write(self, rows: pa.Table) -> pa.Buffer:
        """The bytes; they are overwritten by the next call."""
        counted = pa.MockOutputStream()
        _write(counted, rows)
        size: int = counted.size()
        if self._memory.size < size:
            self._memory = pa.allocate_buffer(size + size // _SPARE)
        _write(pa.FixedSizeBufferWriter(self._memory), rows)
        return self._memory.slice(0, size)


def _write(stream: pa.NativeFile, rows: pa.Table) -> None:
    with pa.ipc.new_file(stream, rows.schema) as writer:
        writer.write(rows)
