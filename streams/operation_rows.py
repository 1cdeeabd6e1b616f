"""Rows about the work itself: dead letters and what a worker says of itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from schemas.cards import mask_bytes, mask_text
from schemas.topics import DLQ_HEADERS
from streams.arrow import SECONDS, scaled, times
from streams.chunk import TopicPartition
from streams.decode import DeadValue


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One row of `worker_status`; totals count from the worker's start, times in epoch ms."""

    worker_id: str
    at_ms: int
    started_ms: int
    events: int
    duplicates: int
    dead_letters: int
    open_sessions: int
    dirty_sessions: int
    positions: Mapping[str, int]

    def table(self) -> pa.Table:
        """The row, with this process's CPU seconds."""
        columns = {
            "worker_id": pa.array([self.worker_id]),
            "at": times([self.at_ms]),
            "started_at": times([self.started_ms]),
            "events_total": pa.array([self.events], pa.uint64()),
            "duplicates_total": pa.array([self.duplicates], pa.uint64()),
            "dead_letters_total": pa.array([self.dead_letters], pa.uint64()),
            "open_sessions": pa.array([self.open_sessions], pa.uint32()),
            "dirty_sessions": pa.array([self.dirty_sessions], pa.uint32()),
            "cpu_s": scaled([int(time.process_time() * 1000)], SECONDS),
            "positions": pa.array([list(self.positions.items())], pa.map_(pa.string(), pa.int64())),
        }
        return pa.table(columns)


def masked_letter(dead: DeadValue) -> DeadValue:
    """A dead letter without card numbers: its bytes, its key, and what is said about it."""
    raw, count = mask_bytes(dead.raw)
    key, in_key = mask_bytes(dead.key or b"")
    detail, in_detail = mask_text(dead.rejection.detail)
    if not count + in_key + in_detail:
        return dead
    rejection = replace(dead.rejection, detail=detail)
    return replace(dead, raw=raw, key=dead.key and key, rejection=rejection, masked=count + in_key)


def dlq_headers(tp: TopicPartition, dead: DeadValue) -> tuple[tuple[str, bytes], ...]:
    """Kafka headers of a dead letter, as `schemas.topics.DLQ_HEADERS` lists them."""
    rejection = dead.rejection
    values = {
        "reason": rejection.reason.value,
        "detail": rejection.detail,
        "field": rejection.field,
        "source_topic": tp.topic,
        "source_partition": str(tp.partition),
        "source_offset": str(dead.offset),
        "source_index": str(dead.index),
        "masked": str(dead.masked),
    }
    return tuple((name, values[name].encode()) for name in DLQ_HEADERS)


def dead_letters_table(dead: list[tuple[TopicPartition, DeadValue]]) -> pa.Table:
    """Rows of `dead_letters`."""
    return pa.table(
        {
            "kafka_topic": pa.array([tp.topic for tp, _ in dead]),
            "kafka_partition": pa.array([tp.partition for tp, _ in dead], pa.int32()),
            "kafka_offset": pa.array([d.offset for _, d in dead], pa.int64()),
            "kafka_index": pa.array([d.index for _, d in dead], pa.int32()),
            "reason": pa.array([d.rejection.reason.value for _, d in dead]),
            "field": pa.array([d.rejection.field for _, d in dead]),
            "detail": pa.array([d.rejection.detail for _, d in dead]),
            "size_bytes": pa.array([len(d.raw) for _, d in dead], pa.uint32()),
            "kafka_key": pa.array([_readable(d.key or b"") for _, d in dead]),
            "head": pa.array([_readable(d.raw[:200]) for _, d in dead]),
        }
    )


def _readable(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
