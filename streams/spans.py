"""Many texts, numbers and times read at once from the bytes of many values.

    values   {"seq_no":7,…}{"seq_no":12,…}      joined, one after the other
    at             ^                 ^           where each value is being read
    take     7 , "         1 2 ,                 [n, width] bytes from there on

Every step reads one span of all values, or compares one literal, and moves on; `good` says which of
them still match. What stands in the others is never looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streams.core.columns import Bits, Ints
from streams.decode import instants
from streams.many_arrow import strings

Bytes = NDArray[np.uint8]

PAD: Final = 16_384
"""Bytes behind the values, so that no value is looked at beyond the end."""

DIGITS: Final = 14
PLACES: Final = 3
"""A number has at most so many digits before and behind its point."""

_INDEX_DIGITS: Final = 10
_MOST_INDEX: Final = 2**31 - 1
_FINE: Final = 10**15
"""Below so many thousandths a JSON number with a point is read as what is written."""

_SMALLEST, _GREATEST, _QUOTE, _BACKSLASH = 32, 126, 34, 92
_MINUS, _POINT, _ZERO = 45, 46, 48
_USUAL: Final = b"0000-00-00T00:00:00.000Z"
_DAY: Final = len("0000-00-00T")
_CLOCK: Final = [11, 12, 14, 15, 17, 18, 20, 21, 22]
_CLOCK_MS: Final = np.array(
    [36_000_000, 3_600_000, 600_000, 60_000, 10_000, 1_000, 100, 10, 1], np.int32
)
_HOURS: Final = np.array([10, 1, 0, 0, 0, 0, 0, 0, 0], np.int32)


class Texts:
    """n printable ASCII texts: bytes [n, longest], of which `widths` count."""

    def __init__(self, grid: Bytes, widths: Ints) -> None:
        self.widths = widths
        self.grid = grid[:, : int(widths.max(initial=0))]

    @property
    def even(self) -> bool:
        """All are of one length."""
        return bool((self.widths == self.grid.shape[1]).all())

    def flat(self) -> Bytes:
        """All, one after the other."""
        if self.even:
            return np.ascontiguousarray(self.grid).reshape(-1)
        inside: Bits = np.arange(self.grid.shape[1]) < self.widths[:, None]
        return self.grid[inside]

    def arrow(self) -> pa.Array:
        """As a column of text."""
        return strings(self.flat(), self.widths)

    def to_pylist(self) -> list[str]:
        """As Python has them."""
        text = self.flat().tobytes().decode("ascii")
        width = self.grid.shape[1]
        if self.even and width:
            return [text[at : at + width] for at in range(0, len(text), width)]
        ends = np.cumsum(self.widths)
        begins = ends - self.widths
        return [text[a:b] for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]

    def where(self, keep: Bits) -> Texts:
        """Some of them."""
        return Texts(self.grid[keep], self.widths[keep])


class Numbers(NamedTuple):
    """n numbers in thousandths, and how they were written."""

    milli: Ints
    written: Texts
    quoted: bool


@dataclass(slots=True)
class Matched:
    """What matched of many values: `rows` are their places; columns by name of field, parallel."""

    rows: Ints
    texts: dict[str, Texts] = field(default_factory=dict)
    times: dict[str, Ints] = field(default_factory=dict)
    """Epoch ms."""
    wholes: dict[str, Ints] = field(default_factory=dict)
    numbers: dict[str, Numbers] = field(default_factory=dict)

    def where(self, keep: Bits) -> Matched:
        """Some of them."""
        return Matched(
            self.rows[keep],
            {name: texts.where(keep) for name, texts in self.texts.items()},
            {name: times[keep] for name, times in self.times.items()},
            {name: wholes[keep] for name, wholes in self.wholes.items()},
            {
                name: Numbers(one.milli[keep], one.written.where(keep), one.quoted)
                for name, one in self.numbers.items()
            },
        )


class Joined:
    """Values, one after the other."""

    def __init__(self, values: Sequence[bytes | None]) -> None:
        try:
            self._bytes = b"".join([*values, bytes(PAD)])  # type: ignore[list-item]
            lengths = list(map(len, values))  # type: ignore[arg-type]
        except TypeError:  # a record without value
            self._bytes = b"".join([*filter(None, values), bytes(PAD)])
            lengths = [len(value or b"") for value in values]
        self.ends: Ints = np.cumsum(lengths, dtype=np.int64)
        self.begins: Ints = self.ends - lengths

    def take(self, at: Ints, width: int) -> Bytes:
        """So many bytes from each of these places on, as [n, width]."""
        count = len(self._bytes) - width + 1
        windows: NDArray[np.void] = np.ndarray((count,), f"V{width}", self._bytes, 0, (1,))
        return windows[at].view(np.uint8).reshape(-1, width)


class Span(NamedTuple):
    """Where values differ, in one field of theirs."""

    name: str
    width: int
    """Bytes that are looked at: the longest it may be, and one more."""
    quoted: bool
    form: bytes = b""
    """Of a time, with every digit as 0."""
    may_be_empty: bool = False


class Reading:
    """One comparison of many values with a pattern: where it is in each, and which still match."""

    def __init__(self, joined: Joined, rows: Ints) -> None:
        self.joined = joined
        self.found = Matched(rows)
        self.at = joined.begins[rows]
        self.good: Bits = np.ones(len(rows), np.bool_)

    def literal(self, wanted: Bytes) -> None:
        """The same bytes in every value."""
        if not len(wanted):
            return
        same = self.joined.take(self.at, len(wanted)) == wanted
        if not same.all():
            self.good &= same.all(axis=1)
        self.at = self.at + len(wanted)

    def text(self, span: Span) -> None:
        """Printable ASCII up to the quote, not longer than the span may be."""
        grid = self.joined.take(self.at, span.width)
        is_end = grid == _QUOTE
        widths = is_end.argmax(axis=1)
        texts = Texts(grid, widths)
        odd = (grid < _SMALLEST) | (grid > _GREATEST) | (grid == _BACKSLASH)
        if odd.any():
            inside = np.arange(span.width) < widths[:, None]
            self.good &= ~(odd & inside).any(axis=1)
        self.good &= (widths > 0) | (span.may_be_empty)
        if (widths == 0).any():
            self.good &= is_end.any(axis=1)
        self.found.texts[span.name] = texts
        self.at = self.at + widths

    def time(self, span: Span) -> None:
        """A time of the span's form, epoch ms."""
        width = len(span.form)
        grid = self.joined.take(self.at, width)
        form = np.frombuffer(span.form, np.uint8)
        fits = (grid - form) <= np.where(form == _ZERO, np.uint8(9), np.uint8(0))
        if not fits.all():
            self.good &= fits.all(axis=1)
            grid = np.where(self.good[:, None], grid, grid[self.good.argmax()])
        found = None
        if self.good.any():
            found = _of_one_day(grid) if span.form == _USUAL else None
            found = _of_any_day(grid) if found is None else found
        if found is None:  # one of them is no time: msgspec and parse_times say which
            self.good[:] = False
            found = np.zeros(len(grid), np.int64)
        self.found.times[span.name] = found
        self.at = self.at + width

    def _digits(self, most: int) -> Ints:
        """Integers; not good where there is none, or more than `most` digits, or
        a zero in front.
        """
        digits = self.joined.take(self.at, most + 1) - np.uint8(_ZERO)
        is_none = digits > 9
        widths = is_none.argmax(axis=1)
        self.good &= is_none[np.arange(len(widths)), widths] & (widths > 0)
        self.good &= (digits[:, 0] != 0) | (widths == 1)
        value = np.zeros(len(widths), np.int64)
        least = int(widths.min(initial=0))
        for place in range(int(widths.max(initial=0))):
            more = value * 10 + digits[:, place]
            value = more if place < least else np.where(place < widths, more, value)
        self.at = self.at + widths
        return value

    def whole(self, span: Span) -> None:
        """An index, a number of 0 to 2^31 - 1."""
        pairs = self.joined.take(self.at, 2) - np.uint8(_ZERO)
        if (pairs[:, 1] > 9).all() and (pairs[:, 0] < 10).all():  # as connectors mostly are
            self.found.wholes[span.name] = pairs[:, 0].astype(np.int64)
            self.at = self.at + 1
            return
        value = self._digits(_INDEX_DIGITS)
        self.good &= value <= _MOST_INDEX
        self.found.wholes[span.name] = value

    def number(self, span: Span) -> None:
        """A decimal number, in thousandths."""
        begin = self.at
        negative = self.joined.take(begin, 1)[:, 0] == _MINUS
        if negative.any():
            self.at = self.at + negative
        value = self._digits(DIGITS)
        milli = value * 1000
        pointed = self.joined.take(self.at, 1)[:, 0] == _POINT
        if pointed.any():
            milli += self._fraction(pointed)
            if not span.quoted:
                self.good &= ~pointed | (milli < _FINE)
        if negative.any():
            self.good &= ~negative | (milli > 0)  # -0 is written in another way than it is read
            milli = np.where(negative, -milli, milli)
        written = Texts(self.joined.take(begin, span.width), self.at - begin)
        self.found.numbers[span.name] = Numbers(milli, written, span.quoted)

    def _fraction(self, pointed: Bits) -> Ints:
        """Thousandths behind the point; not good where there are none, or more than three."""
        digits = self.joined.take(self.at + 1, PLACES + 1) - np.uint8(_ZERO)
        is_none = digits > 9
        widths = is_none.argmax(axis=1)
        self.good &= ~pointed | ((widths > 0) & is_none[np.arange(len(widths)), widths])
        out = np.zeros(len(widths), np.int64)
        for place, worth in enumerate((100, 10, 1)):
            out += (
                np.where(pointed & (place < widths), digits[:, place].astype(np.int64), 0) * worth
            )
        self.at = self.at + np.where(pointed, widths + 1, 0)
        return out

    def result(self) -> Matched | None:
        """Of the values that matched to their end; None: there are none."""
        good = self.good & (self.at == self.joined.ends[self.found.rows])
        if good.all():
            return self.found if len(good) else None
        return self.found.where(good) if good.any() else None


def _of_any_day(grid: Bytes) -> Ints | None:
    found = instants(Texts(grid, np.full(len(grid), grid.shape[1])).arrow())
    return None if found is None else found.to_numpy()


def _of_one_day(grid: Bytes) -> Ints | None:
    """Of times in the usual form on the same day; None where they are not, or no times."""
    if (grid[:, :_DAY] != grid[0, :_DAY]).any():
        return None
    digits = (grid[:, _CLOCK] - np.uint8(_ZERO)).astype(np.int32)
    if (digits @ _HOURS > 23).any() or (digits[:, [2, 4]] > 5).any():
        return None
    midnight = instants([grid[0, :_DAY].tobytes().decode("ascii") + "00:00:00.000Z"])
    return None if midnight is None else (digits @ _CLOCK_MS) + midnight.to_numpy()
