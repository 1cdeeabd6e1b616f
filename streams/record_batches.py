"""aiokafka, one item per *chunk*: whole record batches of a partition instead of single records.

What aiokafka guarantees stays aiokafka's: positions, CRC check, aborted transactions, control
batches, compressed codecs. Only the loop that makes one Python object a record is replaced.
It leans on internals of the pinned aiokafka 0.14.0; `tests/streams/shell` compares every
record with plain `getmany`. The way in is a consumer that brings its own fetcher, so that
other consumers of the same process are left alone. See docs/decisions/0002.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException

from streams.chunk import Chunk, Later, TopicPartition, bytes_of

MIN_RECORDS = 2_000
"""Batches are joined up to so many records when more are already there."""

MAX_BYTES = 8 * 1024 * 1024
"""Joining stops at so many bytes of values."""

# A batch is never cut: a chunk's end becomes a committed offset, and a reader that begins in
# the middle of a batch gets nothing of it from the embedded broker (Tansu's memory engine).
# So a chunk holds fewer than MIN_RECORDS records and one batch more.


class Fetched(NamedTuple):
    """A chunk and the position its reading began at: the next one begins at `next_offset`."""

    start: int
    chunk: Chunk


class _Pile:
    """Records of consecutive batches, waiting to become a chunk."""

    def __init__(self, tp: TopicPartition, start: int, end: int) -> None:
        self._tp = tp
        self._start = start
        self._end = end
        self._records: list[Any] = []
        self._values: list[bytes | None] = []
        self._bytes = 0

    def add(self, records: list[Any]) -> None:
        values = [record.value for record in records]
        self._records += records
        self._values += values
        self._bytes += bytes_of(values)

    @property
    def high_enough(self) -> bool:
        return len(self._records) >= MIN_RECORDS or self._bytes >= MAX_BYTES

    def cut(self, next_offset: int) -> Iterator[Fetched]:
        """Everything here as one chunk that reaches up to `next_offset`.

        It has no records where only aborted or control batches passed: the committed offset
        follows all the same. Nothing where nothing passed.
        """
        if next_offset > self._start:
            records, start = self._records, self._start
            keys = Later(len(records), lambda: [record.key for record in records])
            behind = max(0, self._end - next_offset)
            chunk = Chunk(
                self._tp, _offsets(records), self._values, keys, next_offset, self._bytes, behind
            )
            self._records, self._values, self._bytes, self._start = [], [], 0, next_offset
            yield Fetched(start, chunk)


def _offsets(records: list[Any]) -> Sequence[int]:
    if not records:
        return ()
    first, last = records[0].offset, records[-1].offset
    if last - first + 1 == len(records):
        return range(first, last + 1)
    return [record.offset for record in records]


class ChunkRecords(PartitionRecords):  # type: ignore[misc]
    """One partition's fetched bytes as `Fetched` chunks."""

    next_fetch_offset: int
    end: int = 0
    """Of the partition, when these were fetched."""

    @classmethod
    def adopt(cls, plain: PartitionRecords, end: int) -> ChunkRecords:
        """The same bytes at the same position; `plain` must not have been read from."""
        found = cls(
            plain._tp,  # noqa: SLF001
            plain._records,  # noqa: SLF001
            plain._aborted_transactions,  # noqa: SLF001
            plain.next_fetch_offset,
            None,
            None,
            plain._check_crcs,  # noqa: SLF001
            plain._isolation_level,  # noqa: SLF001
        )
        found.end = end
        return found

    def _unpack_records(self) -> Iterator[Fetched]:
        pile = _Pile(TopicPartition(*self._tp), self.next_fetch_offset, self.end)
        position = self.next_fetch_offset
        while self._records.has_next():
            batch = self._records.next_batch()
            records = self._wanted(batch, position)
            if records:
                pile.add(records)
            position = max(position, batch.next_offset)
            if pile.high_enough or not self._records.has_next():
                self.next_fetch_offset = position
                yield from pile.cut(position)

    def _wanted(self, batch: Any, position: int) -> list[Any]:
        """The batch's records from `position` on; none of an aborted or control batch."""
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return []
        if batch.is_control_batch:
            return []
        records = list(batch)
        if records and records[0].offset < position:
            return [record for record in records if record.offset >= position]
        return records


class ChunkFetcher(Fetcher):  # type: ignore[misc]
    """aiokafka's fetcher whose results are read by chunks."""

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        # No await lies between the parent's last line and ours: nobody reads in between.
        wake_up: bool = await super()._proc_fetch_request(assignment, node_id, request)
        for tp, result in self._records.items():
            if isinstance(result, FetchResult):
                plain = result._partition_records  # noqa: SLF001
                if type(plain) is PartitionRecords:
                    state = assignment.state_value(tp)
                    end = (state and state.highwater) or 0
                    result._partition_records = ChunkRecords.adopt(plain, end)  # noqa: SLF001
        return wake_up


class ChunkKafkaConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """An AIOKafkaConsumer whose `getmany` returns `Fetched` items; `max_records` counts those.

    Subscribe or assign after `start`.
    """

    _fetcher: Fetcher

    async def start(self) -> None:
        """Start, then put our fetcher in the place of aiokafka's, which has read nothing yet."""
        await super().start()
        await self._fetcher.close()
        self._fetcher = ChunkFetcher(
            self._client,
            self._subscription,
            fetch_min_bytes=self._fetch_min_bytes,
            fetch_max_bytes=self._fetch_max_bytes,
            fetch_max_wait_ms=self._fetch_max_wait_ms,
            max_partition_fetch_bytes=self._max_partition_fetch_bytes,
            check_crcs=self._check_crcs,
            fetcher_timeout=self._consumer_timeout,
            retry_backoff_ms=self._retry_backoff_ms,
            auto_offset_reset=self._auto_offset_reset,
            isolation_level=self._isolation_level,
        )
