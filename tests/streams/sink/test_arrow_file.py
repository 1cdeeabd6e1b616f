"""Rows become the same bytes, whatever was written into that memory before."""

from __future__ import annotations

import pyarrow as pa
import pytest

from streams.sink.arrow_file import ArrowFile


def rows(count: int) -> pa.Table:
    whole = pa.table({"n": range(count), "text": [f"text {i}" for i in range(count)]})
    return pa.concat_tables([whole.slice(0, count // 3), whole.slice(count // 3)])


@pytest.mark.parametrize("counts", [[5], [0, 5], [5, 1000, 5], [1000, 0, 3, 1001], [1]])
def test_what_is_read_back_is_what_was_written(counts: list[int]) -> None:
    file = ArrowFile()

    for count in counts:
        body = file.write(rows(count))
        assert pa.ipc.open_file(body).read_all().equals(rows(count))


def test_memory_is_taken_only_for_more_than_ever_before() -> None:
    file = ArrowFile()
    file.write(rows(1000))
    before = pa.total_allocated_bytes()

    for count in (1000, 10, 1100):
        file.write(rows(count))

    assert pa.total_allocated_bytes() == before
