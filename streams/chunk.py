"""What the transport hands to an agent: a whole fetched piece of one partition as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


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

    def __len__(self) -> int:
        """How many records."""
        return len(self.values)

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
