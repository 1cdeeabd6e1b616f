"""Meter samples of open sessions, held in columns: about 23 bytes each, no object per sample.

    slot (one a session)   held   tail                      row: 20 bytes
       0                     6      2 ──┐        block 0    a0 a1 a2 a3
       1                     1      1 ──┼──┐     block 1    b0 .  .  .
       2 (not in use)       -1     -1   │  └──── block 2    a4 a5 .  .   prev = 0
                                        └──────────┘

Rows of all sessions lie in one arena, four to a block. A slot knows how many rows it holds and its
last block; a block knows the one before it. So rows are added for many sessions at once, in any
mixture, and are read back in stretches of 80 bytes. Of most numbers a row holds how far they are
from those of the slot's first row (`streams.core.lane_rows`); a sample too far off is a misfit and
not taken. `docs/performance.md` has the measurements.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.core.columns import ABSENT, UNKNOWN, Bits, Ints, Samples, Small
from streams.core.events import CURRENT, SAMPLE, Sample
from streams.core.lane_rows import RAW, ROW, Bases, Rows, in_order
from streams.core.many_order import firsts_of, places

_BLOCK = 4
"""Rows of a block: where few bytes a session meet few blocks a read. Sessions of 1 to 40 rows take
490 bytes with 2, 3 or 4, 496 with 5, 520 with 8; reading is a seventh slower with 2 than with 4."""

_WHOLE = np.dtype((np.void, _BLOCK * RAW.itemsize))


class SampleLane:
    """Samples by slot. Slots are small numbers, given out again after `free`.

    Wrong slots (never given out, given back, or named twice for `gather` or `free`) raise
    ValueError before anything is changed.
    """

    def __init__(self) -> None:
        self.shapes: list[tuple[str, int, int]] = []
        """(context, connector, evse) by code; -1 where unknown."""
        self.duplicates = 0
        """Samples that `gather` found twice and dropped."""
        self._codes: dict[tuple[str, int, int], int] = {}
        self._rows: Rows = np.zeros(0, RAW)
        self._prev: Small = np.zeros(0, np.int32)
        self._begun = 0
        """Blocks from here on were never used."""
        self._spare: Small = np.zeros(0, np.int32)
        """A stack of blocks given back: the first `_spares` entries."""
        self._spares = 0
        self._bases = Bases()
        self._held: Small = np.zeros(0, np.int32)
        """Rows by slot; -1: slot not in use."""
        self._tail: Small = np.zeros(0, np.int32)
        self._spare_slots = array("i")

    # slots and shapes ---------------------------------------------------------------------

    def shape(self, context: str, connector: int, evse: int) -> int:
        """The code of what few samples differ in; made on first sight."""
        key = (context, connector, evse)
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = len(self.shapes)
            self.shapes.append(key)
        return code

    def new_slot(self) -> int:
        """A slot without rows."""
        if not self._spare_slots:
            old = len(self._held)
            new = _more(old, 1)
            for column in (self._held, self._tail):
                column.resize(new, refcheck=False)
                column[old:] = -1
            self._bases.grow(new)
            self._spare_slots.extend(range(new - 1, old - 1, -1))
        slot = self._spare_slots.pop()
        self._held[slot] = 0
        return slot

    def free(self, slots: Small | Sequence[int]) -> None:
        """Forget these slots and their rows; both are used again."""
        which, held = self._distinct(slots)
        self._release(self._blocks(which, held))
        self._held[which] = self._tail[which] = -1
        self._bases.forget(which)
        self._spare_slots.frombytes(which.astype(np.intc).tobytes())

    def held(self, slots: Small | Sequence[int]) -> Ints:
        """How many rows these slots hold; duplicates that no `gather` has met count too."""
        return self._count(np.asarray(slots, np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, spare room included."""
        arrays = (self._rows, self._prev, self._spare, self._held, self._tail)
        spare = self._spare_slots
        nbytes = sum(column.nbytes for column in arrays) + self._bases.nbytes
        return nbytes + len(spare) * spare.itemsize

    def _count(self, slots: NDArray[Any]) -> Ints:
        if len(slots) and (slots.min() < 0 or slots.max() >= len(self._held)):
            raise ValueError("no such slot")
        held = self._held.take(slots).astype(np.int64)
        if held.min(initial=0) < 0:
            raise ValueError("slot not in use")
        return held

    def _distinct(self, slots: Small | Sequence[int]) -> tuple[Ints, Ints]:
        which = np.asarray(slots, np.int64)
        rises = (which[1:] > which[:-1]).all()  # as those of sessions at rest do
        if not rises and len(np.unique(which)) < len(which):
            raise ValueError("a slot is named twice")
        return which, self._count(which)

    # blocks -------------------------------------------------------------------------------

    def _take(self, count: int) -> Small:
        """Blocks to fill, those given back first."""
        again = min(count, self._spares)
        self._spares -= again
        old, self._begun = self._begun, self._begun + count - again
        if self._begun > len(self._prev):
            new = _more(len(self._prev), count)
            self._rows.resize(new * _BLOCK, refcheck=False)
            self._prev.resize(new, refcheck=False)
        reused = self._spare[self._spares : self._spares + again]
        return np.append(reused, np.arange(old, self._begun, dtype=np.int32))

    def _release(self, blocks: NDArray[Any]) -> None:
        old, self._spares = self._spares, self._spares + len(blocks)
        if self._spares > len(self._spare):
            self._spare.resize(_more(len(self._spare), len(blocks)), refcheck=False)
        self._spare[old : self._spares] = blocks

    def _blocks(self, slots: Ints, held: Ints, skip: Ints | int = 0) -> Ints:
        """All blocks of these slots but their first `skip`, slot by slot, each slot's in the order
        of filling.
        """
        needed = -(-held // _BLOCK) - skip
        out: Ints = np.empty(int(needed.sum()), np.int64)
        ends = np.cumsum(needed)
        at, least = ends - 1, ends - needed
        block = self._tail.take(slots)
        while True:  # one step back in all chains at once
            more = at >= least
            if not more.all():
                at, least, block = at[more], least[more], block[more]
            if not len(at):
                return out
            out[at] = block
            at -= 1
            block = self._prev.take(block)

    # adding -------------------------------------------------------------------------------

    def append(self, slots: Small, samples: Samples) -> Bits:
        """Add sample i to slots[i], for all i; a slot may come several times.

        Returns which were added. The others are misfits: too far from their slot's first sample,
        which is so at every try until the slot is given back.
        """
        self._count(slots)
        if any(len(column) != len(slots) for column in samples):
            raise ValueError("columns of unequal length")
        rows, fits = self._bases.pack(slots, samples)
        if fits.all():
            self._add(slots, rows)
        else:
            self._add(slots[fits], rows[fits])
        return fits

    def _add(self, slots: Small, rows: Rows) -> None:
        n = len(slots)
        if not n:
            return
        # By slot, then by arrival. The numbers differ, so the fastest sort is a stable one.
        keys = slots.astype(np.int64) << 32 | np.arange(n)
        keys.sort()
        order = keys & 0xFFFFFFFF
        slot = keys >> 32
        held = self._held.take(slot)
        first = np.ones(n, np.bool_)  # row of its slot in this call
        np.not_equal(slot[1:], slot[:-1], out=first[1:])
        firsts = np.flatnonzero(first)
        group = np.cumsum(first) - 1
        rank = np.arange(n) - firsts.take(group)
        position = held + rank
        cell = position % _BLOCK
        # A row at cell 0 starts a block; later rows of its slot follow there. Rows before the
        # first start of their slot fill its tail.
        starts = np.flatnonzero(cell == 0)
        block = self._tail.take(slot)
        if len(starts):
            fresh = self._take(len(starts))
            latest = np.cumsum(cell == 0) - 1
            block = np.where(rank >= cell, fresh.take(latest), block)
            before = np.where(first[starts], self._tail.take(slot[starts]), block[starts - 1])
            self._prev[fresh] = before
        lasts = np.append(firsts[1:], n) - 1
        touched = slot[lasts]
        self._held[touched] = position[lasts] + 1
        self._tail[touched] = block[lasts]
        at = np.empty(n, np.int64)
        at[order] = block.astype(np.int64) * _BLOCK + cell
        self._rows[at] = rows

    # reading ------------------------------------------------------------------------------

    def gather(self, slots: Small | Sequence[int]) -> tuple[Ints, Samples]:
        """Counts and rows of these slots in their order.

        A slot's rows are sorted by (ts, seq, import_mwh, power_mw, current_ma, shape), absent
        first. Equal rows become one, here and in memory.
        """
        which, held = self._distinct(slots)
        blocks = self._blocks(which, held)
        filled = _filled(held)
        rows: Rows = self._rows.view(_WHOLE).take(blocks).view(RAW)[filled]
        ts = rows.view(ROW)["ts"]
        behind = np.zeros(len(ts), np.bool_)  # not after the row before it
        np.less_equal(ts[1:], ts[:-1], out=behind[1:])
        begins = np.cumsum(held) - held
        behind[begins[held > 0]] = False
        if behind.any():
            at = (blocks[:, None] * _BLOCK + np.arange(_BLOCK)).ravel()[filled]
            held, rows = self._repair(which, held, at, rows, np.flatnonzero(behind))
        return held, self._bases.unpack(which, held, rows)

    def newest(self, slots: Small | Sequence[int], skip: Ints) -> tuple[Ints, Samples]:
        """Counts and rows of these slots beyond their first `skip`, as they came.

        After a `gather` that found `skip` rows these are the ones that have come since.
        """
        which, held = self._distinct(slots)
        counts = np.maximum(held - skip, 0)
        whole = np.minimum(skip, held) // _BLOCK
        blocks = self._blocks(which, held, whole)
        begins = firsts_of(-(-held // _BLOCK) - whole) * _BLOCK + skip - whole * _BLOCK
        rows: Rows = self._rows.view(_WHOLE).take(blocks).view(RAW)[places(begins, counts)]
        return counts, self._bases.unpack(which, counts, rows)

    def events(self, slot: int) -> set[Sample]:
        """The slot's samples as the tuples that the general path works on."""
        _, samples = self.gather([slot])
        out = set()
        for ts, seq, register, power, current, code in zip(
            *(column.tolist() for column in samples), strict=True
        ):
            context, connector, evse = self.shapes[code]
            import_mwh = None if register == ABSENT else register
            power_mw = None if power == UNKNOWN else power
            extra = () if current == UNKNOWN else ((CURRENT, current),)
            place = (connector, evse, extra)
            out.add(Sample(SAMPLE, ts, seq, context, import_mwh, None, power_mw, *place))
        return out

    def _repair(
        self, slots: Ints, held: Ints, at: Ints, rows: Rows, behind: Ints
    ) -> tuple[Ints, Rows]:
        """Sort slots not in strict order of time, drop repeats; in memory too, for next time."""
        odd = np.zeros(len(slots), np.bool_)
        owner = np.repeat(np.arange(len(slots)), held)
        odd[owner[behind]] = True
        mine = np.flatnonzero(odd[owner])
        whose = owner[mine]
        order, twice = in_order(whose, rows[mine])
        rows[mine] = rows[mine[order]]
        if not len(twice):
            self._rows[at[mine]] = rows[mine]
            return held, rows
        self.duplicates += len(twice)
        left: Ints = held - np.bincount(whose[twice], minlength=len(slots))
        keep = np.ones(len(rows), np.bool_)
        keep[mine[twice]] = False
        rank = np.arange(len(rows)) - (np.cumsum(held) - held)[owner]
        into = mine[rank[mine] < left[whose]]
        self._rows[at[into]] = rows[mine[keep[mine]]]
        self._shorten(slots[odd], held[odd], left[odd])
        return left, rows[keep]

    def _shorten(self, slots: Ints, held: Ints, left: Ints) -> None:
        """These slots hold fewer rows now: their last blocks may be free."""
        self._held[slots] = left
        excess = -(-held // _BLOCK) - -(-left // _BLOCK)
        while len(slots := slots[excess > 0]):
            excess = excess[excess > 0] - 1
            tail = self._tail[slots]
            self._release(tail)
            self._tail[slots] = self._prev[tail]


def _filled(held: Ints) -> Bits:
    """Which rows of the slots' blocks are in use, where they hold so many."""
    padding = -held % _BLOCK
    ends = np.cumsum(held + padding)
    out = np.ones(int(ends[-1]) if len(ends) else 0, np.bool_)
    for i in range(1, _BLOCK):
        out[ends[padding >= i] - i] = False
    return out


def _more(old: int, count: int) -> int:
    """Room grows by a sixteenth, at most 5 MB of rows: in place where the system can."""
    return old + max(1024, min(old // 16, 65536), count)
