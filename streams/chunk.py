"""What the transport hands to an agent: a whole fetched piece of one partition as one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Later(Sequence[bytes | None]):
    """Keys that are taken out of their records when asked for: only dead letters need them."""

    def __init__(self, count: int, take: Callable[[], Sequence[bytes | None]]) -> None:
        self._count = count
        self._take = take
        self._taken: Sequence[bytes | None] | None = None

    def __len__(self) -> int:
        """How many keys."""
        return self._count

    @overload
    def __getitem__(self, at: int) -> bytes | None: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[bytes | None]: ...
    def __getitem__(self, at: int | slice) -> bytes | Sequence[bytes | None] | None:
        """Takes all keys, the first time."""
        if self._taken is None:
            self._taken = self._take()
        return self._taken[at]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records of one partition; none where it only passes over control records.

    `values[i]` and `keys[i]` belong to `offsets[i]`; offsets rise, and may leave gaps where
    a topic was compacted or carries transactions. `next_offset` is where reading goes on:
    committing it says that the whole chunk is done.
    """

    tp: TopicPartition
    offsets: Sequence[int]
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    next_offset: int
    value_bytes: int = -1
    """Of all values together; -1: not counted yet."""
    behind: int = 0
    """How many records its partition had beyond it when it was fetched."""

    def __len__(self) -> int:
        """How many records."""
        return len(self.values)

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return bytes_of(self.values) if self.value_bytes < 0 else self.value_bytes

    def offset_array(self) -> NDArray[np.int64]:
        """The offsets as numpy has them."""
        offsets = self.offsets
        if isinstance(offsets, range) and offsets.step == 1:  # the usual ones, made at once
            return np.arange(offsets.start, offsets.stop, dtype=np.int64)
        return np.array(offsets, np.int64)

    def part(self, begin: int, end: int) -> Chunk:
        """Some of the records, by position; `next_offset` stays the whole chunk's."""
        if begin == 0 and end >= len(self.values):
            return self
        return Chunk(
            self.tp,
            self.offsets[begin:end],
            self.values[begin:end],
            self.keys[begin:end],
            self.next_offset,
        )


def bytes_of(values: Sequence[bytes | None]) -> int:
    """Bytes of all values together."""
    try:
        return sum(map(len, values))  # type: ignore[arg-type]
    except TypeError:  # a record without value
        return sum(map(len, filter(None, values)))
