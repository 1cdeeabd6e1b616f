"""Faust's transport for chunks, `batch://host:port`: one Faust message is one `Chunk`.

Group membership, assignment, the commit timer and the life cycle stay Faust's and aiokafka's.
Changed, each for the reason given where it stands: what is fetched, how offsets are acked,
and how reading goes back after a rebalance. Facts: docs/decisions/0002.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar

from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faust.transport import drivers
from faust.transport.drivers import aiokafka as stock
from faust.types import TP, ConsumerMessage

from schemas.topics import MAX_RECORD_BYTES
from streams.record_batches import ChunkKafkaConsumer, Fetched

SCHEME = "batch"
FETCH_WAIT_MS = 50
"""Stock Faust asks a broker to wait 1500 ms; one quiet partition then holds up all others."""

PARTITION_FETCH_BYTES = 4 * 1024 * 1024
FETCH_BYTES = MAX_RECORD_BYTES
"""Compressed bytes of one answer. A broker sends a first batch that is larger all the same."""

POLL_CHUNKS = 4
"""Chunks decoded at a time; the rest of an answer stays compressed."""

_POLL_S = 0.2
_PAUSE_S = 0.002
_LAST_COMMIT_S = 2.0

log = logging.getLogger("laddstream.worker")


class ConsumerThread(stock.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    mundane_level = "debug"

    def _create_worker_consumer(self, transport: Any) -> ChunkKafkaConsumer:
        conf = self.app.conf
        self._assignor = RoundRobinPartitionAssignor
        return ChunkKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=stock.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=POLL_CHUNKS,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            fetch_max_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            check_crcs=conf.broker_check_crcs,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            isolation_level="read_committed",
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
            **stock.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go back to the committed offsets; returns where reading goes on, for every partition.

        aiokafka's own leaves a partition without a commit where it is: records fetched and
        thrown away in a rebalance would be lost.
        """
        return await self.call_thread(self._seek_to_committed)  # type: ignore[no-any-return]

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        partitions = list(consumer.assignment())
        offsets = await asyncio.gather(*[consumer.committed(tp) for tp in partitions])
        for tp, offset in zip(partitions, offsets, strict=True):
            if offset is None:
                await consumer.seek_to_beginning(tp)
            else:
                consumer.seek(tp, offset)
        positions = await asyncio.gather(*[consumer.position(tp) for tp in partitions])
        return {TP(*tp): at for tp, at in zip(partitions, positions, strict=True)}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """False when the group moved on meanwhile: the new owner reads these again.

        Retriable errors are retried by aiokafka; any other error ends the worker.
        """
        try:
            await self._ensure_consumer().commit(
                {TopicPartition(*tp): offset for tp, offset in offsets.items()}
            )
        except (CommitFailedError, IllegalStateError):
            return False
        return True

    def on_crash(self, msg: str, *fmt: Any, **_: Any) -> None:
        """The one who started the app tells about the crash; no traceback from a thread."""
        log.debug("%s", msg.format(*fmt))


class Consumer(stock.Consumer):
    """Delivers chunks, acks by position instead of by message.

    Stock Faust acks offsets one by one and may commit past a gap (faust#606), takes a failed
    commit for done (#316) and does not retry it (#611). Here `advance` says up to where a
    partition is done, and that stays pending until a commit succeeded.
    """

    mundane_level = "debug"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._expected: dict[TP, int] = {}
        self._sought: dict[TP, int] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # reading

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109
        """Chunks as Faust messages, each partition's without a gap."""
        records = await self._next_chunks(min(timeout, _POLL_S))
        generation = self.app.consumer_generation_id
        if not self.flow_active and not self.should_stop:
            await self._rewind_quietly()
            return
        for tp, fetched in records.items():
            for piece in fetched:
                if not self.flow_active or generation != self.app.consumer_generation_id:
                    return  # a rebalance: positions go back to the committed offsets
                if not await self._continues(tp, piece):
                    break
                self._expected[tp] = piece.chunk.next_offset
                yield tp, self._message(tp, piece, generation)

    async def _next_chunks(self, wait_s: float) -> Mapping[TP, list[Fetched]]:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = self._get_active_partitions()
        if active and not self.should_stop:
            found: Mapping[TP, list[Fetched]] = await self._getmany(active, wait_s)
            return found
        await asyncio.sleep(_PAUSE_S)  # all have back-pressure; stock Faust sleeps a second
        return {}

    async def _rewind_quietly(self) -> None:
        try:
            await self.perform_seek()
        except (IllegalStateError, AssertionError):
            log.debug("the next assignment is already on its way", exc_info=True)

    async def _continues(self, tp: TP, piece: Fetched) -> bool:
        """Whether this piece follows the one before it in its partition.

        Repeated pieces are passed over. A hole is read again once; when it stays, the
        broker no longer has these records.
        """
        expected = self._expected.get(tp, piece.start)
        if piece.start == expected:
            return True
        if piece.chunk.next_offset <= expected:
            return False
        if piece.start > expected and self._sought.get(tp) != expected:
            self._sought[tp] = expected
            await self.seek_wait({TopicPartition(*tp): expected})
            return False
        if piece.start > expected:
            log.warning("%s: offsets %d to %d are gone", tp, expected, piece.start - 1)
        return True

    def _message(self, tp: TP, piece: Fetched, generation: int) -> ConsumerMessage:
        last = piece.chunk.next_offset - 1
        return ConsumerMessage(
            tp.topic, tp.partition, last, 0.0, 0, (), None, piece.chunk, None, 0, 0, tp,
            generation_id=generation,
        )  # fmt: skip

    async def perform_seek(self) -> None:
        """Read on from the committed offsets; forget what was read beyond them."""
        positions = await self.seek_to_committed()
        self._expected = dict(positions)
        self._sought = {}
        self._read_offset.update(positions)
        self._committed_offset.update(positions)

    # acking and committing

    def advance(self, done: Mapping[TP, int], generation: int) -> None:
        """Everything before these offsets is done; ignored for a generation that is over."""
        if generation == self.app.consumer_generation_id:
            for tp, next_offset in done.items():
                self._acked[TP(*tp)] = [next_offset - 1]

    def ack(self, message: Any) -> bool:
        """Faust acks a message it skips, also one it skips for a rebalance: not a done one."""
        message.acked = True
        self._unacked_messages.discard(message)
        return False

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked[tp]
        return acked[-1] + 1 if acked else None

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps inside a chunk are known to be empty."""

    async def _commit_offsets(
        self,
        offsets: Mapping[TP, int],
        start_new_transaction: bool = True,  # noqa: ARG002, FBT001, FBT002
    ) -> bool:
        mine = self.assignment()
        offsets = {tp: offset for tp, offset in offsets.items() if tp in mine}
        if not offsets or not await self._commit(offsets):
            return False
        self._committed_offset.update(offsets)
        self.app.monitor.on_tp_commit(offsets)
        self.transport.on_committed()
        return True

    @property
    def behind(self) -> bool:
        """True while something was delivered that is not committed."""
        return any(at > (self._committed_offset[tp] or 0) for tp, at in self._expected.items())

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is done before the partitions go: Faust drops the acks first.

        Whatever becomes of that commit, Faust must hear that they are gone.
        """
        await self.transport.on_revoking()
        with contextlib.suppress(KafkaError, TimeoutError):
            await asyncio.wait_for(self.commit(), _LAST_COMMIT_S)
        self._expected.clear()
        self._buffered_partitions.clear()
        await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: `streams.watchdog` watches progress, and ends the process."""


async def _nothing() -> None:
    """What a transport without a flow does before a rebalance."""


class Transport(stock.Transport):
    """What `batch://` stands for; the two hooks are set by `streams.app.build`."""

    Consumer: ClassVar[type[Consumer]] = Consumer

    on_revoking: Callable[[], Awaitable[None]] = staticmethod(_nothing)
    on_committed: Callable[[], None] = staticmethod(lambda: None)


def register() -> None:
    """Make `batch://` known to Faust; may be called again."""
    drivers.TRANSPORTS.aliases[SCHEME] = f"{__name__}:{Transport.__name__}"
