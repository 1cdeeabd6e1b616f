"""Which slot a session's key has: found for many keys at once, with no object a session.

    keys ──hash──> bucket    table   tag slot │ tag slot │ tag slot │ . │ . │ . │ . │ .
                                          │     eight entries, filled from the left; then the next
                   rows      slot 0  default␟ST-1␟7e57…       the key itself, compared at the end:
                             slot 1  default␟ST-2␟0c1a…       a hash alone proves nothing

In a dict of texts every look-up waits for entry, text and number in turn, where they are not in the
cache. Here the entry and the key are visited, for all keys at once. What was put lately is added to
the table when something is next asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.core.columns import Ints, Small
from streams.core.packed import WIDEST, WORD, Packed, PackedSlots, Rows

_EMPTY, _GONE = -1, -2
_LOW = 0xFFFFFFFF
_BUCKET = 8
"""Entries of a bucket: a line of the cache."""

_LEAST = 1 << 10
_WIDTH = 64
"""Bytes of a row to begin with."""

_BLOCK = 1 << 16
"""Slots of which the table is made anew at a time."""

_MIX = np.uint64(0x9E3779B97F4A7C15)

_Words = NDArray[np.uint64]


class SlotTable:
    """Slots by key and keys by slot. A key keeps its first slot until that is dropped."""

    def __init__(self, seed: int | None = None) -> None:
        """Of a seed of its own, where none is given: nobody knows which keys collide."""
        draw = np.random.default_rng(seed)
        self._factors: _Words = draw.integers(0, 2**64, WIDEST // WORD, np.uint64) | np.uint64(1)
        self._table = _empty(_LEAST)
        self._used = 0
        """Places of the table that are not empty, given up ones included."""
        self._keys = PackedSlots(_WIDTH)
        self._odd: dict[str, int] = {}
        """Slots of odd keys."""
        self._fresh: list[int] = []
        """Put, and not in the table yet."""

    def grow(self, size: int) -> None:
        """Room for slots below `size`."""
        self._keys.grow(size)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self._table.nbytes + self._keys.rows.nbytes

    # slots --------------------------------------------------------------------------------

    def put(self, slot: int, key: str) -> None:
        """This slot, which has none, gets a key. It is found by it where no other slot is."""
        self._keys.put(slot, key)
        if slot in self._keys.odd:
            self._odd.setdefault(key, slot)
        else:
            self._fresh.append(slot)

    def key(self, slot: int) -> str:
        """What was put there."""
        return self._keys.text(slot)

    def keys(self, slots: Small) -> Packed:
        """The same of many."""
        return self._keys.many(slots)

    def drop(self, slots: Sequence[int]) -> None:
        """These slots have no key any more."""
        self._add_fresh()
        odd = self._keys.odd
        for key in [odd[slot] for slot in slots if self._odd.get(odd.get(slot, "")) == slot]:
            del self._odd[key]
        which = np.array([slot for slot in slots if slot not in odd], np.int64)
        if len(which):
            self._give_up(which)
        self._keys.drop(slots)

    # many ---------------------------------------------------------------------------------

    def find(self, keys: Packed) -> Small:
        """The slot of each key; -1: none."""
        self._add_fresh()
        self._keys.widen(keys.rows.itemsize)
        out = self._find(self._words(keys.rows))
        for i, key in keys.odd.items():
            out[i] = self._odd.get(key, -1)
        return out

    def slots(self) -> Ints:
        """All that are found by a key."""
        self._add_fresh()
        held = self._table[self._table >= 0] & _LOW
        return np.concatenate([held, np.array(list(self._odd.values()), np.int64)])

    def _find(self, wanted: _Words) -> Small:
        out = np.full(len(wanted), -1, np.int32)
        which = np.arange(len(wanted))
        bucket, tag = self._places(wanted)
        while True:
            entries = self._table[bucket]
            found = self._match(entries, tag, wanted)
            out[which] = found
            more = (found < 0) & (entries[:, -1] != _EMPTY)
            if not more.any():
                return out
            which, tag, wanted = which[more], tag[more], wanted[more]
            bucket = self._next(bucket[more])

    def _match(self, entries: Ints, tag: Ints, wanted: _Words) -> Small:
        """The slot of each wanted key among the entries of its bucket; -1: none of them."""
        out = np.full(len(entries), -1, np.int32)
        alike = entries >> 32 == tag[:, None]
        which = np.arange(len(entries))
        while True:  # once more only where another key has the same tag
            place = alike.argmax(axis=1)
            rows = np.arange(len(alike))
            some = alike[rows, place]
            if not some.all():
                alike, which, place = alike[some], which[some], place[some]
                rows = rows[: len(which)]
            slots = entries[which, place] & _LOW
            differs = self._words(self._keys.rows.take(slots)) != wanted[which]
            if not differs.any():
                out[which] = slots
                return out
            other = differs.any(axis=1)
            out[which[~other]] = slots[~other]
            alike[rows, place] = False
            alike, which = alike[other], which[other]

    # the table ----------------------------------------------------------------------------

    def _words(self, rows: Rows) -> _Words:
        """Rows of keys as numbers, as many as the rows here have."""
        mine = self._keys.rows.dtype
        same = rows if rows.dtype == mine else rows.astype(mine)
        return same.view(np.uint64).reshape(len(rows), mine.itemsize // WORD)

    def _places(self, wanted: _Words) -> tuple[Ints, Ints]:
        """The first bucket to look in, and the tag. Words of zeros count nothing, so that a key has
        one hash in rows of any width.
        """
        mixed = (wanted ^ wanted >> np.uint64(29)) @ self._factors[: wanted.shape[1]]
        mixed = (mixed ^ mixed >> np.uint64(32)) * _MIX
        mixed ^= mixed >> np.uint64(29)
        at = (mixed & np.uint64(len(self._table) - 1)).astype(np.int64)
        return at, (mixed >> np.uint64(33)).astype(np.int64)

    def _next(self, bucket: Ints) -> Ints:
        return bucket + 1 & len(self._table) - 1

    def _add_fresh(self) -> None:
        if not self._fresh:
            return
        fresh = np.array(self._fresh, np.int64)
        self._fresh.clear()
        if 2 * (self._used + len(fresh)) > self._table.size:
            self._anew(len(fresh))
        self._add(fresh)

    def _add(self, slots: Ints) -> None:
        """Slots with keys; of one key, only the first is found."""
        wanted = self._words(self._keys.rows.take(slots))
        bucket, tag = self._places(wanted)
        mine = tag << 32 | slots
        while len(mine):
            entries = self._table[bucket]
            new = self._match(entries, tag, wanted) < 0
            if not new.all():
                entries, bucket, tag = entries[new], bucket[new], tag[new]
                wanted, mine = wanted[new], mine[new]
            full = entries[:, -1] != _EMPTY
            free = (entries == _EMPTY).argmax(axis=1)
            fits = np.flatnonzero(~full)
            _, firsts = np.unique(bucket[fits] * _BUCKET + free[fits], return_index=True)
            first = fits[firsts]  # of two for a place the first wins
            self._table[bucket[first], free[first]] = mine[first]
            left = np.ones(len(mine), np.bool_)
            left[first] = False
            self._used += len(first)
            bucket = np.where(full, self._next(bucket), bucket)[left]
            tag, wanted, mine = tag[left], wanted[left], mine[left]

    def _give_up(self, slots: Ints) -> None:
        bucket, tag = self._places(self._words(self._keys.rows.take(slots)))
        mine = tag << 32 | slots
        while len(mine):
            entries = self._table[bucket]
            same = entries == mine[:, None]
            place = same.argmax(axis=1)
            there = same.any(axis=1)
            self._table[bucket[there], place[there]] = _GONE
            more = ~there & (entries[:, -1] != _EMPTY)
            bucket, mine = self._next(bucket[more]), mine[more]

    def _anew(self, more: int) -> None:
        """The table without what was given up, with room for `more` and as many again."""
        slots = self._table[self._table >= 0] & _LOW
        size = _LEAST
        while size < 3 * (len(slots) + more):
            size *= 2
        self._table = _empty(size)
        self._used = 0
        for begin in range(0, len(slots), _BLOCK):
            self._add(slots[begin : begin + _BLOCK])


def _empty(size: int) -> Ints:
    return np.full((size // _BUCKET, _BUCKET), _EMPTY)
