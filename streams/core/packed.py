"""Short texts without a Python object each: rows of bytes, of one width, zeros behind.

    default␟ST-7␟7e57…0000        TOK00000007␀␀␀␀␀

So many are hashed, compared, cut and made columns together, and most never become a Python text.
What a row cannot hold, being too long or with a zero byte, is kept beside them: the *odd* ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

WORD = 8
"""Bytes of a word: a row is some of them."""

WIDEST = 96
"""Bytes of the longest text that is a row."""

Rows = NDArray[np.bytes_]


@dataclass(frozen=True, slots=True)
class Packed:
    """n texts."""

    rows: Rows
    """Of a width of whole words; blank where the text is odd."""
    odd: Mapping[int, str] = field(default_factory=dict)
    """By place."""

    @classmethod
    def of(cls, texts: Sequence[str]) -> Packed:
        """From texts."""
        found = [text.encode() for text in texts]
        odd = {i: texts[i] for i, one in enumerate(found) if not fits(one)}
        for i in odd:
            found[i] = b""
        width = max(map(len, found), default=0)
        return cls(np.array(found, f"S{words(width) * WORD}"), odd)

    @classmethod
    def joined(cls, parts: Sequence[Packed], order: NDArray[np.int64]) -> Packed:
        """Of several, first those of the first; then put in this order."""
        rows = np.concatenate([part.rows for part in parts])[order]
        if not any(part.odd for part in parts):
            return cls(rows)
        texts = [text for part in parts for text in part.texts()]
        return cls.of([texts[i] for i in order.tolist()])

    def where(self, chosen: NDArray[np.bool_]) -> Packed:
        """Some of them."""
        places = np.flatnonzero(chosen).tolist() if self.odd else ()
        odd = {at: self.odd[i] for at, i in enumerate(places) if i in self.odd}
        return Packed(self.rows[chosen], odd)

    def __len__(self) -> int:
        """How many."""
        return len(self.rows)

    def text(self, i: int) -> str:
        """One of them."""
        return self.odd.get(i) or self.rows[i].decode()

    def texts(self) -> list[str]:
        """All of them."""
        out = [row.decode() for row in self.rows.tolist()]
        for i, text in self.odd.items():
            out[i] = text
        return out


class PackedSlots:
    """A text by slot, in rows that are as wide as the longest needs."""

    def __init__(self, width: int, widest: int = WIDEST) -> None:
        """Rows of `width` bytes to begin with; texts of more than `widest` are odd."""
        self._widest = widest
        self.rows: Rows = np.zeros(0, f"S{words(width) * WORD}")
        self.odd: dict[int, str] = {}
        """By slot."""

    def grow(self, size: int) -> None:
        """Room for slots below `size`."""
        self.rows.resize(size, refcheck=False)

    def widen(self, width: int) -> None:
        """Room for texts of so many bytes."""
        if width > self.rows.itemsize:
            self.rows = self.rows.astype(f"S{words(width) * WORD}")

    def put(self, slot: int, text: str) -> None:
        """The text of a slot that has none."""
        found = text.encode()
        if fits(found, self._widest):
            self.widen(len(found))
            self.rows[slot] = found
        else:
            self.odd[slot] = text

    def text(self, slot: int) -> str:
        """What was put there."""
        return self.odd.get(slot) or self.rows[slot].decode()

    def many(self, slots: NDArray[np.int32]) -> Packed:
        """The same of many."""
        rows = self.rows.take(slots)
        if not self.odd:
            return Packed(rows)
        odd = {i: self.odd[s] for i, s in enumerate(slots.tolist()) if s in self.odd}
        return Packed(rows, odd)

    def drop(self, slots: Sequence[int]) -> None:
        """These slots have no text any more."""
        if self.odd:
            for slot in slots:
                self.odd.pop(slot, None)
        self.rows[list(slots)] = b""


def fits(text: bytes, widest: int = WIDEST) -> bool:
    """Whether a row can hold it."""
    return len(text) <= widest and b"\0" not in text


def words(width: int) -> int:
    """How many words hold so many bytes; one at least."""
    return max(1, -(-width // WORD))
