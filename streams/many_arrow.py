"""Arrow columns from numpy columns: `streams.arrow` without a Python object per value.

Texts of dictionary columns stand in the order of first appearance, as `streams.arrow.words`
leaves them, so that tables made either way are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streams.arrow import STRINGS, TIME, alone, words
from streams.core.columns import Bits, Ints

_ID = pa.binary(16)
_T = TypeVar("_T")


def decimals(values: Ints, kind: pa.Decimal128Type, absent: Bits | None = None) -> pa.Array:
    """Integers that count 10^-scale units as a decimal column; null where `absent`."""
    both = np.empty((len(values), 2), np.int64)
    both[:, 0] = values
    np.right_shift(values, 63, out=both[:, 1])
    return _column(kind, both, absent)


def instants(values: Ints, absent: Bits | None = None) -> pa.Array:
    """Epoch milliseconds as UTC time stamps."""
    return _column(TIME, np.ascontiguousarray(values, np.int64), absent)


def whole(values: Ints, kind: pa.DataType, absent: Bits | None = None) -> pa.Array:
    """Integers of another width, such as uint32; what is null need not fit. OverflowError."""
    narrow = values.astype(kind.to_pandas_dtype())
    differs = narrow != values
    if differs.any() and (absent is None or differs[~absent].any()):
        raise OverflowError(f"a number is beyond {kind}")
    return _column(kind, narrow, absent)


def _column(kind: pa.DataType, values: NDArray[Any], absent: Bits | None) -> pa.Array:
    """A column in the memory of numpy's."""
    valid = None
    if absent is not None and absent.any():
        valid = pa.py_buffer(np.packbits(~absent, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(values)])


def bits(values: Bits) -> pa.Array:
    """True and False as 1 and 0."""
    return pa.array(values.view(np.uint8), pa.uint8())


def ids(rows: Ints) -> pa.Array:
    """(n, 2) int64, the bytes of n UUIDs, as a column."""
    data = pa.py_buffer(np.ascontiguousarray(rows))
    return pa.FixedSizeBinaryArray.from_buffers(_ID, len(rows), [None, data])


def texts(values: Sequence[str]) -> pa.Array:
    """Plain strings."""
    return pa.array(values, pa.string())


def strings(flat: NDArray[np.uint8], widths: Ints) -> pa.Array:
    """Plain strings from their bytes, one after the other."""
    offsets = np.zeros(len(widths) + 1, np.int32)
    np.cumsum(widths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(flat)]
    return pa.Array.from_buffers(pa.string(), len(widths), buffers)


class Coded:
    """Equal keys as small codes 0, 1, 2 … in the order of first appearance.

    `firsts[c]` is the first row of code c and `keys[c]` its key: what is the same for equal keys is
    worked out once a code and put into every row.
    """

    def __init__(self, keys: Ints) -> None:
        if len(keys) and (keys == keys[0]).all():  # as most are
            self.codes: pa.Array = pa.array(np.zeros(len(keys), np.int32))
            self.firsts: Ints = np.zeros(1, np.int64)
        else:
            encoded = pa.array(keys, pa.int64()).dictionary_encode()
            self.codes = encoded.indices
            rows = self.codes.to_numpy()
            self.firsts = np.empty(len(encoded.dictionary), np.int64)
            self.firsts[rows[::-1]] = np.arange(len(rows) - 1, -1, -1)
        self.keys: Ints = keys[self.firsts]

    @classmethod
    def identity(cls, values: Sequence[object]) -> Coded:
        """Of objects, by what they are: those alive at once have different ids."""
        return cls(np.fromiter(map(id, values), np.int64, len(values)))

    def unique(self, values: Sequence[_T]) -> list[_T]:
        """The value of each code."""
        return [values[i] for i in self.firsts.tolist()]

    def spread(self, per_code: Ints) -> Ints:
        """An integer of each code in every row."""
        out: Ints = per_code[self.codes.to_numpy()]
        return out

    def words(self, per_code: Sequence[str]) -> pa.DictionaryArray:
        """A text of each code in every row, as a dictionary column."""
        if len(per_code) == 1:
            return pa.DictionaryArray.from_arrays(self.codes, alone(per_code[0]))
        coded = words(per_code)
        return pa.DictionaryArray.from_arrays(
            pa.array(coded.indices.to_numpy()[self.codes.to_numpy()]), coded.dictionary
        )

    def texts(self, per_code: Sequence[str]) -> pa.Array:
        """The same as plain strings."""
        one = alone(per_code[0]) if len(per_code) == 1 else texts(per_code)
        return one.take(self.codes)

    def lists(self, per_code: Iterable[Sequence[str]]) -> pa.Array:
        """The same of lists of strings."""
        return pa.array([list(values) for values in per_code], STRINGS).take(self.codes)


class Objects:
    """A column of Python objects, few of them different; each field is read once an object."""

    def __init__(self, coded: Coded, unique: list[Any]) -> None:
        self.coded = coded
        self.unique = unique

    @classmethod
    def of(cls, values: Sequence[Any]) -> Objects:
        """Told one by one."""
        coded = Coded.identity(values)
        return cls(coded, coded.unique(values))

    @classmethod
    def first_then(cls, first: Sequence[Any], codes: Ints, known: Sequence[Any]) -> Objects:
        """Some told one by one, then those that codes from 0 on mean."""
        if not len(codes):
            return cls.of(first)
        told = cls.of(first)
        before = told.coded.codes.to_numpy() - len(told.unique)  # as such places are counted
        coded = Coded(np.concatenate([before.astype(np.int64), codes.astype(np.int64)]))
        return cls(coded, [(known if k >= 0 else told.unique)[k] for k in coded.keys.tolist()])

    def __len__(self) -> int:
        """How many rows."""
        return len(self.coded.codes)

    def where(self, chosen: Bits) -> Objects:
        """Some of the rows."""
        coded = Coded(self.coded.codes.to_numpy()[chosen].astype(np.int64))
        return Objects(coded, [self.unique[key] for key in coded.keys.tolist()])

    def each(self, field: Callable[[Any], Any]) -> Objects:
        """A field of theirs, instead of them."""
        return Objects(self.coded, [field(one) for one in self.unique])

    def numbers(self, field: Callable[[Any], int]) -> Ints:
        """A number of each row."""
        return self.coded.spread(np.array([field(one) for one in self.unique], np.int64))

    def words(self, field: Callable[[Any], str]) -> pa.DictionaryArray:
        """A field as a dictionary column."""
        return self.coded.words([field(one) for one in self.unique])

    def at(self, row: int) -> Any:  # noqa: ANN401 - whatever it holds
        """The object of a row."""
        return self.unique[self.coded.codes.to_numpy()[row]]

    def told(self, count: int | None = None) -> list[Any]:
        """The object of every row, or of the first rows."""
        unique = self.unique
        return [unique[code] for code in self.coded.codes.to_numpy()[:count].tolist()]

    def texts(self, field: Callable[[Any], str]) -> pa.Array:
        """A field as plain strings."""
        return self.coded.texts([field(one) for one in self.unique])

    def lists(self, field: Callable[[Any], Sequence[str]]) -> pa.Array:
        """A field of several strings."""
        return self.coded.lists([field(one) for one in self.unique])


class Spread:
    """Columns of sessions, repeated for their slices or lines: `counts[s]` rows of session s."""

    def __init__(self, counts: Ints) -> None:
        self.rows: Ints = np.repeat(np.arange(len(counts)), counts)
        self._kept = None if counts.all() else np.flatnonzero(counts)
        inner = self.rows
        if self._kept is not None:
            inner = np.repeat(np.arange(len(self._kept)), counts[self._kept])
        self._inner = inner

    def words(self, column: pa.DictionaryArray) -> pa.DictionaryArray:
        """A dictionary column; texts of sessions without rows leave its dictionary."""
        if self._kept is not None:
            column = column.take(pa.array(self._kept)).cast(pa.string()).dictionary_encode()
        codes = column.indices.to_numpy()[self._inner]
        return pa.DictionaryArray.from_arrays(pa.array(codes), column.dictionary)
