"""The flush loop by itself: order, back-pressure, an absent sink, rebalances, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import UnavailableError
from streams.chunk import Chunk, TopicPartition
from streams.flow import Flow, Limits, Outside
from streams.ports import Outgoing
from tests.streams.shell.recorder import Recorder

TP = TopicPartition("charging.events", 3)
QUICK = Limits(records=10, tick_s=0.005, retry_first_s=0.01, retry_most_s=0.02, revoke_s=0.05)


def chunk_of(first: int, count: int, value: bytes = b"{}") -> Chunk:
    offsets = range(first, first + count)
    return Chunk(TP, offsets, [value] * count, [b"k"] * count, first + count)


@dataclass
class Stage:
    """A flow with its surroundings, all of it in memory."""

    worker: Recorder
    acked: list[tuple[Mapping[TopicPartition, int], int]] = field(default_factory=list)
    published: list[Outgoing] = field(default_factory=list)
    refusals: int = 0
    errors: list[BaseException] = field(default_factory=list)
    now: int = 0
    patience: int = 0

    async def publish(self, records: list[Outgoing]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise UnavailableError("Kafka does not take records")
        self.published += records
        records.clear()

    def stretch(self) -> None:
        self.patience += 1

    @asynccontextmanager
    async def running(self, limits: Limits = QUICK) -> Any:
        outside = Outside(
            self.publish,
            lambda acks, generation: self.acked.append((dict(acks), generation)),
            lambda: self.now,
            self.stretch,
            self.errors.append,
        )
        flow = Flow(self.worker, outside, limits)
        ticking = asyncio.create_task(flow.run())
        flow.assigned([TP], 1)
        try:
            yield flow
        finally:
            ticking.cancel()
            flow.abandon()

    @property
    def steps(self) -> list[str]:
        return [step for step, _ in self.worker.log]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)


def test_the_worker_reads_ahead_before_it_accepts_and_its_failing_stops_nothing() -> None:
    class Cold(Recorder):
        def warm(self, now_ms: int) -> None:
            super().warm(now_ms)
            raise UnavailableError("The store does not answer")

    async def scene() -> None:
        stage = Stage(Cold(flush_ms=0))
        async with stage.running() as flow:
            flow.warm()
            await flow.take(chunk_of(0, 20), 1)
            await until(lambda: stage.acked)
        assert stage.steps[0] == "warm"
        assert stage.errors == []

    asyncio.run(scene())


def test_a_batch_is_written_published_done_and_acked_in_this_order() -> None:
    stage = Stage(Recorder(flush_ms=1))

    async def scene() -> None:
        async with stage.running() as flow:
            await flow.take(chunk_of(100, 3, b"dead"), 1)
            assert stage.acked == []
            stage.now = 10
            await until(lambda: stage.acked)

    asyncio.run(scene())

    assert stage.steps == ["assigned", "accept", "prepare", "write", "done"]
    assert [record.value for record in stage.published] == [b"dead"] * 3
    assert stage.acked == [({TP: 103}, 1)]


def test_nothing_is_done_or_acked_before_every_outgoing_record_is_confirmed() -> None:
    stage = Stage(Recorder(flush_ms=0), refusals=3)

    async def scene() -> None:
        async with stage.running() as flow:
            await flow.take(chunk_of(0, 1, b"dead"), 1)
            await until(lambda: stage.refusals < 3)
            assert stage.acked == []
            assert "done" not in stage.steps
            await until(lambda: stage.acked)

    asyncio.run(scene())

    assert len(stage.published) == 1


def test_while_the_sink_is_down_memory_is_bounded_and_nothing_is_acked(tmp_path: Path) -> None:
    stage = Stage(Recorder(tmp_path, flush_ms=0))
    (tmp_path / "down").touch()

    async def scene() -> None:
        async with stage.running() as flow:
            taking = asyncio.create_task(take_all(flow))
            await asyncio.sleep(0.2)
            assert not taking.done()
            assert stage.steps.count("accept") == 4  # one chunk in flight, three of four gathered
            assert stage.acked == []
            assert stage.patience > 3
            (tmp_path / "down").unlink()
            await taking
            await until(lambda: stage.acked and stage.acked[-1][0] == {TP: 40})

    async def take_all(flow: Flow) -> None:
        for first in range(0, 40, 4):
            await flow.take(chunk_of(first, 4), 1)

    asyncio.run(scene())

    notes = (tmp_path / "one.notes").read_text().split("\n")[:-1]
    assert notes == [f"[3, {first}, {first + 4}, 4]" for first in range(0, 40, 4)]
    assert stage.errors == []


def test_a_large_value_counts_by_its_bytes(tmp_path: Path) -> None:
    stage = Stage(Recorder(tmp_path, flush_ms=0))
    (tmp_path / "down").touch()
    limits = Limits(bytes=1_000, tick_s=0.005, retry_first_s=0.01)

    async def scene() -> None:
        async with stage.running(limits) as flow:
            await flow.take(chunk_of(0, 1, b"x" * 900), 1)
            await flow.take(chunk_of(1, 1, b"x" * 900), 1)
            await flow.take(chunk_of(2, 1, b"x" * 900), 1)
            third = asyncio.create_task(flow.take(chunk_of(3, 1, b"x" * 900), 1))
            await asyncio.sleep(0.05)
            assert not third.done()
            (tmp_path / "down").unlink()
            await third

    asyncio.run(scene())

    assert stage.steps.count("accept") == 4


def test_after_a_rebalance_old_chunks_are_dropped_and_old_batches_not_acked(
    tmp_path: Path,
) -> None:
    stage = Stage(Recorder(tmp_path, flush_ms=0))
    (tmp_path / "down").touch()

    async def scene() -> None:
        async with stage.running() as flow:
            await flow.take(chunk_of(0, 4), 1)
            await flow.take(chunk_of(4, 4), 1)
            await flow.settle()
            await flow.revoked([TP])
            await flow.take(chunk_of(8, 4), 1)
            flow.assigned([TP], 2)
            (tmp_path / "down").unlink()
            await flow.take(chunk_of(8, 4), 1)
            await flow.take(chunk_of(0, 4), 2)
            await until(lambda: stage.acked)

    asyncio.run(scene())

    assert stage.acked == [({TP: 4}, 2)]
    assert stage.steps == [
        "assigned", "accept", "prepare", "accept", "forget",
        "assigned", "accept", "prepare", "write", "done",
    ]  # fmt: skip


def test_a_batch_that_lands_in_time_is_acked_before_its_partition_goes() -> None:
    stage = Stage(Recorder(flush_ms=0))

    async def scene() -> None:
        async with stage.running() as flow:
            await flow.take(chunk_of(0, 4), 1)
            await flow.settle()

    asyncio.run(scene())

    assert stage.acked == [({TP: 4}, 1)]


def test_an_unforeseen_error_ends_the_worker_without_an_ack(tmp_path: Path) -> None:
    stage = Stage(Recorder(tmp_path, flush_ms=0))
    (tmp_path / "poison").touch()

    async def scene() -> None:
        async with stage.running() as flow:
            await flow.take(chunk_of(0, 4), 1)

    asyncio.run(scene())

    assert [type(error) for error in stage.errors] == [ZeroDivisionError]
    assert stage.acked == []


def test_a_clean_stop_writes_and_acks_all_that_was_accepted_and_takes_no_more() -> None:
    stage = Stage(Recorder(flush_ms=60_000))

    async def scene() -> None:
        async with stage.running() as flow:
            await flow.take(chunk_of(0, 4), 1)
            await flow.take(chunk_of(4, 4), 1)
            await flow.drain()
            await flow.take(chunk_of(8, 4), 1)

    asyncio.run(scene())

    assert stage.acked == [({TP: 8}, 1)]
    assert stage.steps.count("accept") == 2


def test_a_flush_comes_by_time_alone() -> None:
    stage = Stage(Recorder(flush_ms=50))

    async def scene() -> None:
        async with stage.running() as flow:
            stage.now = 1
            await flow.take(chunk_of(0, 1), 1)
            await asyncio.sleep(0.05)
            assert stage.acked == []
            stage.now = 51
            await until(lambda: stage.acked)

    asyncio.run(scene())

    assert stage.acked == [({TP: 1}, 1)]
