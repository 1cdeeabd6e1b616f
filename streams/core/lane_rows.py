"""How a sample becomes 20 bytes of `streams.core.lane`, and a sample again.

    base of the slot     ts 1760000000000     import_mwh 1000005     seq 3        20 bytes a slot
    row                  +60000               +183000                +1           2 offsets of 32
                         power_mw             current_ma             shape        bits, one of 16

A slot's first known number of a column is its base and stays so until the slot is given back:
the same sample always fits or never does. The least offset says that the number is not known, so
that offsets sort as the numbers do, absent first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.core.columns import ABSENT, Bits, Ints, Samples, Small

ROW = np.dtype(
    [(name, np.int32) for name in ("ts", "import_mwh", "power_mw", "current_ma")]
    + [("seq", np.int16), ("shape", np.uint16)]
)
RAW = np.dtype((np.void, ROW.itemsize))
"""A row as bytes: numpy moves it in one piece, 2 to 3 times as fast as six columns."""

SHAPES = 2**16
"""Codes of shape beyond are misfits."""

_ABSENT = {"ts": ABSENT, "import_mwh": ABSENT, "seq": -1}
"""What says that a number of these columns is not known; also a base that is not set yet."""

Rows = NDArray[np.void]


class Bases:
    """The bases of all slots, in columns. Rows of plain numbers would take 32 bytes, not 20."""

    def __init__(self) -> None:
        self._of: dict[str, NDArray[Any]] = {
            "ts": np.zeros(0, np.int64),
            "import_mwh": np.zeros(0, np.int64),
            "seq": np.zeros(0, np.int32),
        }

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(base.nbytes for base in self._of.values())

    def grow(self, count: int) -> None:
        """Room for slots below `count`, the new ones without bases."""
        for name, base in self._of.items():
            old = len(base)
            base.resize(count, refcheck=False)
            base[old:] = _ABSENT[name]

    def forget(self, slots: Ints) -> None:
        """These slots begin anew."""
        for name, base in self._of.items():
            base[slots] = _ABSENT[name]

    def pack(self, slots: Small, samples: Samples) -> tuple[Rows, Bits]:
        """A row for each sample, and whether it holds it; bases are set where they were not."""
        rows = np.empty(len(slots), ROW)
        fits: Bits = samples.shape < SHAPES
        for name in self._of:
            rows[name], fit = self._offsets(name, slots, getattr(samples, name), ROW[name])
            fits &= fit
        for name in ("power_mw", "current_ma", "shape"):
            rows[name] = getattr(samples, name)
        return rows.view(RAW), fits

    def _offsets(
        self, name: str, slots: Small, values: NDArray[Any], kind: np.dtype[Any]
    ) -> tuple[NDArray[Any], Bits]:
        absent, most = _ABSENT[name], np.iinfo(kind).max
        known = values > absent
        base = self._of[name].take(slots)
        unset = base == absent
        if unset.any():
            firsts = np.flatnonzero(unset & known)[::-1]  # of a slot's rows the first is kept
            self._of[name][slots[firsts]] = values[firsts]
            base = self._of[name].take(slots)
        offsets = values - base
        # The last condition finds those so far off that the difference overflowed.
        fits = (offsets <= most) & (offsets >= -most) & ((offsets < 0) == (values < base))
        if not known.all():
            offsets[~known] = -most - 1
            fits = np.where(known, fits, values == absent)
        return offsets, fits

    def unpack(self, slots: Ints, counts: Ints, rows: Rows) -> Samples:
        """The samples of these rows, `counts[i]` of slots[i]."""
        fields = rows.view(ROW)
        power, current = (np.ascontiguousarray(fields[n]) for n in ("power_mw", "current_ma"))
        ts, seq, register = (
            self._values(n, slots, counts, fields[n]) for n in ("ts", "seq", "import_mwh")
        )
        return Samples(ts, seq, register, power, current, fields["shape"].astype(np.int32))

    def _values(self, name: str, slots: Ints, counts: Ints, offsets: NDArray[Any]) -> NDArray[Any]:
        out: NDArray[Any] = np.repeat(self._of[name].take(slots), counts)
        out += offsets
        absent = offsets == np.iinfo(offsets.dtype).min
        if absent.any():
            out[absent] = _ABSENT[name]
        return out


def in_order(owner: Ints, raw: Rows) -> tuple[Ints, Ints]:
    """The order of rows within their owners (ascending), and which of that order are repeats.

    All rows of an owner are of one slot: by ts, seq, import_mwh, power_mw, current_ma, shape.
    """
    rows = raw.view(ROW)
    key = owner << 32 | (rows["ts"].astype(np.int64) + 2**31)
    order: Ints = np.argsort(key, kind="stable")  # made for what is nearly sorted
    key = key[order]
    same = key[1:] == key[:-1]
    ties = np.flatnonzero(np.append(same, False) | np.append(False, same))
    if not len(ties):
        return order, ties
    names = ("shape", "current_ma", "power_mw", "import_mwh", "seq")
    tied = rows[order[ties]]
    among = np.lexsort((*(tied[name] for name in names), key[ties]))
    order[ties] = order[ties[among]]
    tied = tied[among]
    equal = key[ties[1:]] == key[ties[:-1]]
    for name in names:
        equal &= tied[name][1:] == tied[name][:-1]
    return order, ties[1:][equal]
