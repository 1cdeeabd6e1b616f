"""Payments of one flush as rows of the table `payments`, and their reader for the worker."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa

from schemas.payments import Payment
from streams.arrow import MONEY, STRINGS, scaled, times
from streams.chunk import Chunk, TopicPartition
from streams.core.identity import NIL
from streams.decode import DeadValue
from streams.payments.decode import Accepted, decode_payments

_TEXTS = (
    "tenant", "psp", "payment_id", "kind", "currency", "method", "station_id", "transaction_id",
    "driver_key", "psp_token", "card_brand", "card_last4", "reference", "description",
    "settlement_id",
)  # fmt: skip


class PaymentReader:
    """Payments that were read and wait for the flush."""

    def __init__(self) -> None:
        self._waiting: list[tuple[TopicPartition, Accepted]] = []

    def take(self, chunk: Chunk) -> list[DeadValue]:
        """Keep what a chunk holds; returns what is no payment."""
        found = decode_payments(chunk)
        self._waiting.extend((chunk.tp, each) for each in found.accepted)
        return found.dead

    def table(self) -> pa.Table | None:
        """The rows of everything that waits, None where nothing does; then nothing waits."""
        if not self._waiting:
            return None
        waiting, self._waiting = self._waiting, []
        return payments_table(waiting)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Drop what came from these partitions."""
        self._waiting = [each for each in self._waiting if each[0] not in partitions]


def payments_table(rows: Sequence[tuple[TopicPartition, Accepted]]) -> pa.Table:
    """Rows of `payments`."""
    payments: list[Payment] = [row.payment for _, row in rows]
    columns = {
        name: pa.array([getattr(p, name) or "" for p in payments], pa.string()) for name in _TEXTS
    }
    fees = [None if p.fee_amount is None else int(p.fee_amount.scaleb(6)) for p in payments]
    return pa.table(
        columns
        | {
            "timestamp": times([row.at_ms for _, row in rows]),
            "amount": scaled([int(p.amount.scaleb(6)) for p in payments], MONEY),
            "session_id": pa.array([(p.session_id or NIL).bytes for p in payments], pa.binary(16)),
            "fee_amount": scaled(fees, MONEY),
            "flags": pa.array([list(p.flags) for p in payments], STRINGS),
            "kafka_topic": pa.array([tp.topic for tp, _ in rows]),
            "kafka_partition": pa.array([tp.partition for tp, _ in rows], pa.int32()),
            "kafka_offset": pa.array([row.offset for _, row in rows], pa.int64()),
            "kafka_index": pa.array([row.index for _, row in rows], pa.int32()),
        }
    )
