"""A guard on speed that no busy machine can disturb: work counted, not timed.

Bytecodes executed for an event of a fixed stream, from the Kafka value to the rows of its batch.
What C does inside one bytecode is not seen, so the bound says that nothing is done per event in
Python that need not be.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest

from laddstream.settings import Settings
from schemas import wire
from streams.chunk import Chunk, TopicPartition
from streams.core.columns import Ints, Samples
from streams.core.lane_rows import Bases, Rows
from streams.sink.memory import MemorySink
from streams.worker import Worker

SESSIONS, SAMPLES = 400, 20
BYTECODES_PER_EVENT = 200
"""With a margin of about a quarter: Python versions differ; so has the next one."""

BYTECODES_PER_LIVE_ROW = 245
"""What a flush costs of itself is in it: a third."""

BLOCKS_PER_EVENT = 0.9
START_MS = 1_760_000_000_000
TP = TopicPartition("charging.events", 0)


def test_an_event_costs_no_more_bytecodes_than_stated() -> None:
    worker = Worker(Settings(), MemorySink())
    feed(worker, stream(0), 0)  # imports, catalogue, first look-ups

    values = stream(1)
    count = counted(lambda: feed(worker, values, 10_000))

    events = SESSIONS * (SAMPLES + 2)
    assert count / events <= BYTECODES_PER_EVENT, f"{count / events:.0f} bytecodes an event"


def test_a_row_of_a_session_at_rest_costs_no_more_bytecodes_than_stated() -> None:
    worker = Worker(Settings(), MemorySink())
    feed(worker, stream(0)[:-SESSIONS], 0)
    live = [[wire.encode(event(0, number, SAMPLES + 1 + step, ends=False))
             for number in range(SESSIONS)] for step in range(2)]  # fmt: skip
    feed(worker, live[0], 100_000)

    count = counted(lambda: feed(worker, live[1], 200_000))

    assert count / SESSIONS <= BYTECODES_PER_LIVE_ROW, f"{count / SESSIONS:.0f} bytecodes a row"


def test_an_update_of_an_open_session_reads_what_is_new_and_one_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[int] = []
    unpack = Bases.unpack

    def counting(self: Bases, slots: Ints, counts: Ints, rows: Rows) -> Samples:
        read.append(len(rows))
        return unpack(self, slots, counts, rows)

    monkeypatch.setattr(Bases, "unpack", counting)
    worker = Worker(Settings(), MemorySink())
    feed(worker, stream(0)[:-SESSIONS], 0)
    for step in range(SAMPLES + 1, SAMPLES + 4):
        news = [wire.encode(event(0, number, step, ends=False)) for number in range(SESSIONS)]
        read.clear()
        feed(worker, news, 100_000 * step)
        assert sum(read) == 2 * SESSIONS


def test_an_open_session_keeps_few_blocks_of_memory_an_event() -> None:
    worker = Worker(Settings(), MemorySink())
    feed(worker, stream(0)[:-SESSIONS], 0)
    gc.collect()
    before = sys.getallocatedblocks()

    values = stream(1)[:-SESSIONS]  # without their ends
    worker.accept(Chunk(TP, range(len(values)), values, [None] * len(values), len(values)), 10_000)
    batch = worker.prepare(11_000)
    assert batch is not None
    worker.done(batch, 11_000)
    del batch
    gc.collect()

    kept = (sys.getallocatedblocks() - before - len(values)) / len(values)
    assert kept <= BLOCKS_PER_EVENT, f"{kept:.2f} blocks an event"


def feed(worker: Worker, values: list[bytes], offset: int) -> None:
    chunk = Chunk(TP, range(offset, offset + len(values)), values, [None] * len(values), offset)
    worker.accept(chunk, START_MS + offset)
    batch = worker.prepare(START_MS + offset + 1)
    assert batch is not None
    worker.done(batch, START_MS + offset + 2)


def counted(work: Callable[[], None]) -> int:
    """Bytecodes executed in our own code while `work` runs."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def stream(run: int) -> list[bytes]:
    """Sessions of one station each, sample by sample, from their starts to their ends."""
    return [
        wire.encode(event(run, number, step))
        for step in range(SAMPLES + 2)
        for number in range(SESSIONS)
    ]


def event(run: int, number: int, step: int, *, ends: bool = True) -> wire.WireEvent:
    at = START_MS + run * 86_400_000 + step * 60_000 + number * 7
    common: dict[str, Any] = {
        "tenant": "default",
        "station_id": f"station-{number:04}",
        "protocol": "ocpp2.0.1",
        "timestamp": iso(at),
        "received_at": iso(at + 250),
        "evse_id": 1,
        "connector_id": 1,
        "transaction_id": f"tx-{run}-{number}",
        "seq_no": step,
    }
    register = 1_000_000 + number * 1000 + step * 120
    if step == 0:
        return wire.SessionStarted(**common, id_token="driver-17", meter_start_wh=register)
    if ends and step == SAMPLES + 1:
        return wire.SessionEnded(**common, meter_stop_wh=register, reason="Local")
    return wire.MeterSampled(**common, import_wh=register, power_w=7200)


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")[:23] + "Z"
