"""Small chunks of many partitions, decoded and stitched together: each call costs a millisecond.

chunk of partition 0   ──┐    values   v0 v1 v2 v3 v4
chunk of partition 3   ──┴──> place    0  1  2  3  4      place -> partition, offset (`Origin`)
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain
from typing import NamedTuple

import numpy as np

from streams.chunk import Chunk, Later, TopicPartition
from streams.core.columns import Ints


class Origin(NamedTuple):
    """Where the values of a pooled chunk come from, by place."""

    partitions: Ints
    offsets: Ints


class Pool:
    """Chunks of one topic that wait to be stitched."""

    def __init__(self) -> None:
        self._chunks: list[Chunk] = []
        self._records = 0

    def __len__(self) -> int:
        """How many records wait."""
        return self._records

    def add(self, chunk: Chunk) -> None:
        """One more chunk."""
        if len(chunk):
            self._chunks.append(chunk)
            self._records += len(chunk)

    def drop(self, lost: Collection[TopicPartition]) -> None:
        """Forget what came from these partitions."""
        self._chunks = [chunk for chunk in self._chunks if chunk.tp not in lost]
        self._records = sum(map(len, self._chunks))

    def take(self) -> tuple[Chunk, Origin]:
        """All that waits (at least one record) as one chunk, whose offsets are places; then nothing
        waits.
        """
        chunks, self._chunks, self._records = self._chunks, [], 0
        first = chunks[0]
        partitions = [chunk.tp.partition for chunk in chunks]
        origin = Origin(
            np.repeat(partitions, [len(chunk) for chunk in chunks]),
            np.concatenate([chunk.offset_array() for chunk in chunks]),
        )
        values, keys = first.values, first.keys
        if len(chunks) > 1:
            values = list(chain.from_iterable(chunk.values for chunk in chunks))
            keys = Later(len(values), lambda: [key for chunk in chunks for key in chunk.keys])
        return Chunk(first.tp, range(len(values)), values, keys, len(values)), origin
