"""Names of sessions as columns of text, cut from the rows of their keys."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streams.core.columns import Ints
from streams.core.keys import SEPARATOR, names_of
from streams.core.packed import Packed
from streams.many_arrow import strings, texts
from streams.spans import Texts


class Names(NamedTuple):
    """n of each."""

    tenants: pa.Array
    stations: pa.Array
    transactions: pa.Array


def column_of(packed: Packed) -> pa.Array:
    """Texts as a column."""
    if packed.odd or not len(packed):
        return texts(packed.texts())
    grid = _grid(packed)
    return _between(grid, np.zeros(len(grid), np.int64), np.count_nonzero(grid, axis=1))


def names_in(keys: Packed) -> Names:
    """What the keys are made of."""
    if not len(keys):
        return Names(*[texts([])] * 3)
    if keys.odd:
        return Names(*map(texts, zip(*map(names_of, keys.texts()), strict=True)))
    grid = _grid(keys)
    is_border = grid == ord(SEPARATOR)
    first = is_border.argmax(axis=1)
    is_border[np.arange(len(keys)), first] = False
    second = is_border.argmax(axis=1)
    ends = np.count_nonzero(grid, axis=1)
    nothing = np.zeros(len(keys), np.int64)
    borders = ((nothing, first), (first + 1, second), (second + 1, ends))
    return Names(*(_between(grid, begins, ends) for begins, ends in borders))


def _grid(packed: Packed) -> NDArray[np.uint8]:
    rows = np.ascontiguousarray(packed.rows)
    return rows.view(np.uint8).reshape(len(rows), rows.itemsize)


def _between(grid: NDArray[np.uint8], begins: Ints, ends: Ints) -> pa.Array:
    """The bytes of each row from here to there, as text."""
    begin = int(begins[0])
    if (begins == begin).all():
        return Texts(grid[:, begin:], ends - begin).arrow()
    place = np.arange(grid.shape[1])
    inside = (place >= begins[:, None]) & (place < ends[:, None])
    return strings(grid[inside], ends - begins)
