"""aiokafka, one item per *chunk*: whole record batches of a partition instead of single records.

What aiokafka guarantees stays aiokafka's: positions, aborted transactions, control batches,
compressed codecs. Replaced are the loop that makes one Python object a record, and the checksum.
It leans on internals of the pinned aiokafka 0.14.0; `tests/streams/shell` compares every
record with plain `getmany`. The way in is a consumer that brings its own fetcher, so that
other consumers of the same process are left alone. See docs/decisions/0002.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from struct import Struct
from typing import Any, NamedTuple

import google_crc32c
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from streams.chunk import Chunk, Later, TopicPartition, bytes_of

MIN_RECORDS = 2_000
"""Batches are joined up to so many records when more are already there."""

MAX_BYTES = 8 * 1024 * 1024
"""Joining stops at so many bytes of values."""

# A batch is never cut: a chunk's end becomes a committed offset, and a reader that begins in
# the middle of a batch gets nothing of it from the embedded broker (Tansu's memory engine).
# So a chunk holds fewer than MIN_RECORDS records and one batch more.

_HEAD_BYTES = 12
_LENGTH = Struct(">8xi")
"""How a batch of any version begins: its first offset, and how many bytes follow."""

_SUMMED_FROM = 21
"""Where what a batch's checksum covers begins (Kafka's record batch, version 2)."""

_FAST_SUM = google_crc32c.implementation == "c"
"""With the processor's own instruction; aiokafka's takes twelve times as long."""


class Fetched(NamedTuple):
    """A chunk and the position its reading began at: the next one begins at `next_offset`."""

    start: int
    chunk: Chunk


class _Raw(NamedTuple):
    """A batch as it was fetched: a span of the answer's bytes."""

    answer: bytes
    begin: int
    end: int

    def records(self, position: int) -> list[Any]:
        """Its records from `position` on, as objects."""
        again = MemoryRecords(self.answer[self.begin : self.end]).next_batch()
        return [record for record in again if record.offset >= position]

    def summed(self) -> bytes:
        """What its checksum covers."""
        return self.answer[self.begin + _SUMMED_FROM : self.end]


class _Part(NamedTuple):
    """What a chunk takes of a batch."""

    raw: _Raw
    offsets: Sequence[int]
    values: list[bytes | None]

    def read_keys(self) -> list[bytes | None]:
        """Parallel to the values. Read when asked for: only dead letters need them."""
        return [record.key for record in self.raw.records(self.offsets[0])]


class _Pile:
    """Parts of consecutive batches, waiting to become a chunk."""

    def __init__(self, tp: TopicPartition, start: int, end: int) -> None:
        self._tp = tp
        self._start = start
        self._end = end
        self._parts: list[_Part] = []
        self._values: list[bytes | None] = []
        self._bytes = 0

    def add(self, part: _Part) -> None:
        self._parts.append(part)
        self._values += part.values
        self._bytes += bytes_of(part.values)

    @property
    def high_enough(self) -> bool:
        return len(self._values) >= MIN_RECORDS or self._bytes >= MAX_BYTES

    def cut(self, next_offset: int) -> Iterator[Fetched]:
        """Everything here as one chunk that reaches up to `next_offset`.

        It has no records where only aborted or control batches passed: the committed offset
        follows all the same. Nothing where nothing passed.
        """
        if next_offset > self._start:
            parts, start = self._parts, self._start
            keys = Later(
                len(self._values), lambda: list(chain.from_iterable(p.read_keys() for p in parts))
            )
            offsets = _joined([part.offsets for part in parts])
            behind = max(0, self._end - next_offset)
            chunk = Chunk(self._tp, offsets, self._values, keys, next_offset, self._bytes, behind)
            self._parts, self._values, self._bytes, self._start = [], [], 0, next_offset
            yield Fetched(start, chunk)


def _joined(parts: list[Sequence[int]]) -> Sequence[int]:
    """Rising offsets one after the other, as a range where there is no gap."""
    if not parts:
        return ()
    gapless = all(part[-1] - part[0] + 1 == len(part) for part in parts)
    if gapless and all(one[-1] + 1 == other[0] for one, other in pairwise(parts)):
        return range(parts[0][0], parts[-1][-1] + 1)
    return list(chain.from_iterable(parts))


class ChunkRecords(PartitionRecords):  # type: ignore[misc]
    """One partition's fetched bytes as `Fetched` chunks."""

    next_fetch_offset: int
    end: int = 0
    """Of the partition, when these were fetched."""

    answer: bytes = b""
    """What was fetched."""

    @classmethod
    def adopt(cls, plain: PartitionRecords, end: int, answer: bytes) -> ChunkRecords:
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
        found.end, found.answer = end, answer
        return found

    def _unpack_records(self) -> Iterator[Fetched]:
        pile = _Pile(TopicPartition(*self._tp), self.next_fetch_offset, self.end)
        position = self.next_fetch_offset
        begin = 0
        while self._records.has_next():
            batch = self._records.next_batch()
            end = begin + _HEAD_BYTES + _LENGTH.unpack_from(self.answer, begin)[0]
            raw = _Raw(self.answer, begin, end)
            begin = end
            if self._wanted(batch, raw):
                part = _part(batch, raw, position)
                if part.values:
                    pile.add(part)
            position = max(position, batch.next_offset)
            if pile.high_enough or not self._records.has_next():
                self.next_fetch_offset = position
                yield from pile.cut(position)

    def _wanted(self, batch: Any, raw: _Raw) -> bool:
        """False for an aborted or a control batch."""
        if self._check_crcs and not _intact(batch, raw):
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return False
        return not batch.is_control_batch


def _intact(batch: Any, raw: _Raw) -> bool:
    if _FAST_SUM and isinstance(batch, DefaultRecordBatch):
        found: bool = google_crc32c.value(raw.summed()) == batch.crc
    else:
        found = batch.validate_crc()
    return found


def _part(batch: Any, raw: _Raw, position: int) -> _Part:
    """The batch from `position` on. No record is kept but its value, where that tells all."""
    if isinstance(batch, DefaultRecordBatch) and batch.base_offset >= position:
        values = [record.value for record in batch]
        if batch.base_offset + len(values) == batch.next_offset:
            return _Part(raw, range(batch.base_offset, batch.next_offset), values)
    records = raw.records(position)
    return _Part(raw, [r.offset for r in records], [r.value for r in records])


class _Heard:
    """A Kafka client whose answers to fetch requests are kept until somebody takes them."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._answers: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """As the client's own."""
        answer = await self._client.send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            self._answers[id(request)] = answer
        return answer

    def take(self, request: Any) -> dict[tuple[str, int], bytes]:
        """The bytes of each partition in the answer to this request, if it came."""
        answer = self._answers.pop(id(request), None)
        return {
            (topic, partition): fetched[-1]
            for topic, partitions in (answer.topics if answer else ())
            for partition, *fetched in partitions
        }


class ChunkFetcher(Fetcher):  # type: ignore[misc]
    """aiokafka's fetcher whose results are read by chunks."""

    _client: _Heard

    def __init__(self, client: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(_Heard(client), *args, **kwargs)

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        try:
            # No await lies between the parent's last line and ours: nobody reads in between.
            wake_up: bool = await super()._proc_fetch_request(assignment, node_id, request)
        finally:
            answers = self._client.take(request)
        for tp, result in self._records.items():
            if isinstance(result, FetchResult):
                plain = result._partition_records  # noqa: SLF001
                if type(plain) is PartitionRecords:
                    state = assignment.state_value(tp)
                    end = (state and state.highwater) or 0
                    result._partition_records = ChunkRecords.adopt(plain, end, answers[tp])  # noqa: SLF001
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
