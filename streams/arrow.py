"""Exact columns: integer milliwatt-hours, milliseconds and micro-units as Arrow decimals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from uuid import UUID

import numpy as np
import pyarrow as pa

WH = pa.decimal128(18, 3)
SECONDS = pa.decimal128(18, 3)
MONEY = pa.decimal128(18, 6)
TIME = pa.timestamp("ms", tz="UTC")
STRINGS = pa.list_(pa.string())


def scaled(values: Sequence[int | None], kind: pa.Decimal128Type) -> pa.Array:
    """Integers that count 10^-scale units as a decimal column; None stays null."""
    whole = pa.array(values, pa.int64())
    low = whole.fill_null(0).to_numpy(zero_copy_only=False)
    words = np.empty((len(low), 2), np.int64)
    words[:, 0] = low
    words[:, 1] = low >> 63
    valid = None
    if whole.null_count:
        mask = whole.is_valid().to_numpy(zero_copy_only=False)
        valid = pa.py_buffer(np.packbits(mask, bitorder="little").tobytes())
    return pa.Array.from_buffers(kind, len(low), [valid, pa.py_buffer(words.tobytes())])


def times(values: Sequence[int | None]) -> pa.Array:
    """Epoch milliseconds as UTC time stamps."""
    return pa.array(values, pa.int64()).cast(TIME)


def uuids(values: Iterable[UUID]) -> pa.Array:
    """UUIDs as the 16 bytes ClickHouse reads."""
    return pa.array([u.bytes for u in values], pa.binary(16))


@lru_cache(maxsize=1 << 12)
def alone(text: str) -> pa.Array:
    """A column of one text."""
    return pa.array([text], pa.string())


def words(values: Sequence[str]) -> pa.Array:
    """Text with few different values, often one."""
    if values and values[-1] == values[0] and values.count(values[0]) == len(values):
        codes = pa.array(np.zeros(len(values), np.int32))
        return pa.DictionaryArray.from_arrays(codes, alone(values[0]))
    return pa.array(values, pa.string()).dictionary_encode()
