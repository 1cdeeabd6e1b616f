"""The flush loop: chunks into the worker, batches out of it, acks last.

    take      accept on the event loop, one chunk at a time
    prepare   in a thread; nothing is accepted meanwhile. Tried again after UnavailableError,
              so it must leave the open batch whole when it raises
    write     in a thread, while accepting goes on; one batch at a time
    publish   dead letters and outgoing events, each confirmed
    done      then ack up to `batch.acks`; Faust's timer commits

A crash between any two steps reads again what was not acked, and the steps are idempotent.
Memory is bounded: one batch being written, one gathering, and no chunk beyond `Limits`.
A rebalance starts a new *generation*; what belongs to an older one is neither accepted nor acked.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from schemas.errors import LaddstreamError, UnavailableError
from streams.chunk import Chunk, TopicPartition
from streams.ports import Batch, Outgoing, StreamWorker

UNFORESEEN = 70
"""Exit status after an error nobody thought of: no final commit, the supervisor restarts."""

T = TypeVar("T")
log = logging.getLogger("laddstream.worker")


class _OverError(Exception):
    """The generation this work belongs to is over."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may gather before reading waits for the batch being written, and other patience.

    Records and bytes count values of the open batch; times are seconds.
    """

    records: int = 100_000
    bytes: int = 64 * 1024 * 1024
    tick_s: float = 0.05
    retry_first_s: float = 0.1
    retry_most_s: float = 10.0
    revoke_s: float = 1.5


def give_up(error: BaseException) -> NoReturn:
    """One line, then the end without a commit; an error of ours keeps its exit code."""
    text = str(error) if isinstance(error, LaddstreamError) else f"unforeseen: {error!r}"
    one_line = " ".join(text.split())
    log.critical("worker ends: %s", one_line, exc_info=log.isEnabledFor(logging.DEBUG))
    logging.shutdown()
    os._exit(error.exit_code if isinstance(error, LaddstreamError) else UNFORESEEN)


@dataclass(frozen=True, slots=True)
class Outside:
    """What the flow needs from around it.

    `publish` produces the records and takes every confirmed one off the list; it raises
    UnavailableError where a retry may help. `acknowledge` gets next offsets that are done
    and their generation. `alive` is called when waiting has a known reason, `landed` after
    every batch, `forgot` after state was dropped.
    """

    publish: Callable[[list[Outgoing]], Awaitable[None]]
    acknowledge: Callable[[Mapping[TopicPartition, int], int], None]
    now_ms: Callable[[], int]
    alive: Callable[[], None] = lambda: None
    give_up: Callable[[BaseException], None] = give_up
    landed: Callable[[], None] = lambda: None
    forgot: Callable[[], None] = lambda: None


class Flow:
    """Drives one StreamWorker. All methods run on one event loop."""

    def __init__(self, worker: StreamWorker, outside: Outside, limits: Limits = Limits()) -> None:
        self._worker = worker
        self._outside = outside
        self._limits = limits
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._generation = -1
        self._over = asyncio.Event()
        self._stopping = False
        self._unknown: frozenset[TopicPartition] = frozenset()
        self._records = self._bytes = 0
        self._on_worker: asyncio.Future[Any] | None = None
        self._in_flight: asyncio.Task[None] | None = None
        self._down = False

    def warm(self) -> None:
        """Have the worker read ahead while the group is being joined, which takes seconds too."""
        reading = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._worker.warm(self._outside.now_ms())
        )
        reading.add_done_callback(lambda done: done.cancelled() or done.exception())

    # chunks in

    async def take(self, chunk: Chunk, generation: int) -> None:
        """Accept a chunk; returns when there is room for the next one.

        A chunk of another generation is dropped: its partition is read again.
        """
        try:
            async with self._lock:
                await self._take(chunk, generation)
        except _OverError:
            return
        except Exception as error:  # noqa: BLE001
            self._outside.give_up(error)

    async def _take(self, chunk: Chunk, generation: int) -> None:
        await self._introduce()
        if self._full and self._current(generation):
            await self._flush()
        if not self._current(generation):
            return
        self._worker.accept(chunk, self._outside.now_ms())
        self._records += len(chunk)
        self._bytes += chunk.size
        if not self._writing and (self._full or self._due()):
            await self._flush()

    async def run(self) -> None:
        """Flush when time has come though no chunk does. Never returns: cancel it."""
        while True:
            await asyncio.sleep(self._limits.tick_s)
            try:
                await self._tick()
            except _OverError:
                continue
            except Exception as error:  # noqa: BLE001
                self._outside.give_up(error)

    async def _tick(self) -> None:
        if self._lock.locked() or self._over.is_set() or self._generation < 0:
            return
        async with self._lock:
            await self._introduce()
            if not self._writing and self._due():
                await self._flush()

    def _due(self) -> bool:
        return not self._stopping and self._worker.wants_flush(self._outside.now_ms())

    @property
    def _full(self) -> bool:
        return self._records >= self._limits.records or self._bytes >= self._limits.bytes

    @property
    def _writing(self) -> bool:
        return self._in_flight is not None and not self._in_flight.done()

    def _current(self, generation: int) -> bool:
        return generation == self._generation and not self._over.is_set() and not self._stopping

    # batches out

    async def _flush(self) -> None:
        """Close the open batch and start writing it, after the one before it is through."""
        generation = self._generation
        await self._landed()
        batch = await self._insist(
            lambda: self._with_worker(lambda: self._worker.prepare(self._outside.now_ms())),
            generation,
        )
        self._records = self._bytes = 0
        if batch is not None:
            self._in_flight = asyncio.create_task(self._finish(batch, generation))

    async def _finish(self, batch: Batch, generation: int) -> None:
        loop = asyncio.get_running_loop()
        waiting = list(batch.outgoing)
        try:
            await self._insist(
                lambda: loop.run_in_executor(self._thread, self._worker.write, batch), generation
            )
            await self._insist(lambda: self._outside.publish(waiting), generation)
            self._worker.done(batch, self._outside.now_ms())
            self._outside.acknowledge(batch.acks, generation)
            self._outside.landed()
        except _OverError:
            return
        except Exception as error:  # noqa: BLE001
            self._outside.give_up(error)

    async def _landed(self) -> None:
        if self._in_flight is not None:
            await asyncio.wait([self._in_flight])

    async def _insist(self, attempt: Callable[[], Awaitable[T]], generation: int) -> T:
        """Try until it works, for ever; raises _OverError when the generation is over."""
        pause = self._limits.retry_first_s
        while True:
            try:
                result = await attempt()
            except UnavailableError as error:
                self._say(str(error))
                self._check(generation)
                await self._rest(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(2 * pause, self._limits.retry_most_s)
            else:
                self._say(None)
                self._check(generation)
                return result
            self._check(generation)

    def _check(self, generation: int) -> None:
        if generation != self._generation or self._over.is_set():
            raise _OverError

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return

    def _say(self, trouble: str | None) -> None:
        if trouble is not None or self._down:
            self._outside.alive()
        if (trouble is not None) != self._down:
            self._down = trouble is not None
            text = f"paused, trying again: {trouble}" if self._down else "reachable again, going on"
            log.warning("%s", text)

    async def _with_worker(self, call: Callable[[], T]) -> T:
        """Run a call on the worker's state in the thread."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, call)
        self._on_worker = future  # `revoked` waits for it
        return await future

    # assignment

    async def settle(self) -> None:
        """A rebalance begins: let the batch being written land, for a moment; then it is over."""
        if self._in_flight is not None:
            await asyncio.wait([self._in_flight], timeout=self._limits.revoke_s)
        self._over.set()

    async def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        """These are not ours any more: everything about them that is not written is dropped."""
        self._over.set()
        if self._on_worker is not None and not self._on_worker.done():
            await asyncio.wait([self._on_worker])
        self._worker.forget(partitions)
        self._outside.forgot()
        self._records = self._bytes = 0

    def assigned(self, partitions: Iterable[TopicPartition], generation: int) -> None:
        """A new generation begins: these partitions are ours from their committed offset on."""
        self._unknown = frozenset(partitions)
        self._generation = generation
        self._over = asyncio.Event()

    async def _introduce(self) -> None:
        if self._unknown and not self._over.is_set():
            partitions, generation = self._unknown, self._generation
            await self._insist(
                lambda: self._with_worker(lambda: self._worker.assigned(partitions)), generation
            )
            self._unknown = frozenset()

    # the end

    async def drain(self) -> None:
        """Take no more; write and ack all that was accepted."""
        self._stopping = True
        try:
            async with self._lock:
                if self._generation >= 0 and not self._over.is_set():
                    await self._flush()
                await self._landed()
        except _OverError:
            return

    def abandon(self) -> None:
        """Stop trying: what is not written yet is left to be read again."""
        self._stopping = True
        self._over.set()
        self._thread.shutdown(wait=False, cancel_futures=True)
