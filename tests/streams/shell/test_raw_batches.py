"""Batches read from raw bytes: what a broker rarely has, made by hand with aiokafka's builder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.chunk import Chunk
from streams.record_batches import ChunkRecords

TP = TopicPartition("events", 3)
NO_COMPRESSION, LZ4 = 0, 3


def batch(base: int, deltas: Iterable[int], codec: int = LZ4) -> bytes:
    """A batch of version 2 whose records have these offsets beyond `base`."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for delta in deltas:
        offset = base + delta
        builder.append(delta, offset, b"k%d" % offset, b"value %d" % offset, [])
    made = bytearray(builder.build())
    made[:8] = base.to_bytes(8, "big")  # the builder begins at 0; the checksum does not cover it
    return bytes(made)


def old_records(base: int, count: int) -> bytes:
    """The same of version 1, as brokers wrote before Kafka 0.11: each record is a batch."""
    builder = LegacyRecordBatchBuilder(1, NO_COMPRESSION, 1 << 20)
    for offset in range(base, base + count):
        builder.append(offset, offset, b"k%d" % offset, b"value %d" % offset)
    return bytes(builder.build())


def read(raw: bytes, position: int = 0, *, check: bool = True) -> list[Chunk]:
    """As the fetcher does it."""
    plain: Any = PartitionRecords(
        TP, MemoryRecords(raw), [], position, None, None, check, READ_COMMITTED
    )
    return [piece.chunk for piece in ChunkRecords.adopt(plain, 1_000, raw)._unpack_records()]


def told(chunks: list[Chunk]) -> list[tuple[int, bytes | None, bytes | None]]:
    """Offset, key and value of all records."""
    return [row for c in chunks for row in zip(c.offsets, c.keys, c.values, strict=True)]


def wanted(*offsets: int) -> list[tuple[int, bytes, bytes]]:
    """The same as they were made."""
    return [(at, b"k%d" % at, b"value %d" % at) for at in offsets]


@pytest.mark.parametrize("codec", [NO_COMPRESSION, LZ4])
def test_consecutive_batches_are_one_range_of_offsets(codec: int) -> None:
    chunks = read(batch(40, range(3), codec) + batch(43, range(2), codec), 40)
    assert told(chunks) == wanted(40, 41, 42, 43, 44)
    assert [chunk.offsets for chunk in chunks] == [range(40, 45)]
    assert [chunk.next_offset for chunk in chunks] == [45]


def test_offsets_that_compaction_took_out_are_left_out() -> None:
    raw = batch(10, [0, 2, 5]) + batch(16, range(2)) + batch(20, range(1))
    assert told(read(raw, 10)) == wanted(10, 12, 15, 16, 17, 20)


def test_records_before_the_position_are_passed_over() -> None:
    raw = batch(0, range(5)) + batch(5, range(5))
    assert told(read(raw, 3)) == wanted(3, 4, 5, 6, 7, 8, 9)
    assert told(read(raw, 7)) == wanted(7, 8, 9)


def test_batches_of_the_old_format_are_read_too() -> None:
    raw = old_records(6, 6)
    assert told(read(raw, 7)) == wanted(7, 8, 9, 10, 11)


@pytest.mark.parametrize("make", [lambda: batch(0, range(4)), lambda: old_records(0, 4)])
@pytest.mark.parametrize("at", [40, -1])
def test_one_wrong_byte_is_found_where_sums_are_checked(make: Any, at: int) -> None:
    raw = bytearray(make())
    raw[at] ^= 0x10
    with pytest.raises(CorruptRecordException, match="Invalid CRC"):
        read(bytes(raw))


def test_sums_are_not_looked_at_where_they_are_not_to_be_checked() -> None:
    raw = bytearray(batch(0, range(4)))
    raw[17] ^= 0x10  # the sum itself
    assert told(read(bytes(raw), check=False)) == wanted(0, 1, 2, 3)
    with pytest.raises(CorruptRecordException):
        read(bytes(raw))
