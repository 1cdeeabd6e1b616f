"""How far the workers are: committed offsets of a group against the ends of a topic."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.errors import UnavailableError

TIMEOUT_S = 5.0
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition: `committed` is the next offset to read, None before the first commit."""

    partition: int
    begin: int
    end: int
    committed: int | None

    @property
    def lag(self) -> int:
        """Records published and not yet committed; a commit beyond the log counts as none."""
        done = self.begin if self.committed is None else max(self.committed, self.begin)
        return max(0, self.end - done)

    @property
    def lost(self) -> bool:
        """The broker no longer has (or never had) what the group committed."""
        return self.committed is not None and not self.begin <= self.committed <= self.end


class Offsets:
    """Asks one broker about one topic and group, without joining the group; close it."""

    def __init__(self, bootstrap_servers: str, topic: str, group: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.topic = topic
        quiet = logging.getLogger(f"{__name__}.librdkafka")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": group,
                "client.id": "laddstream-offsets",
                "enable.auto.commit": False,
                "allow.auto.create.topics": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            },
            logger=quiet,
        )

    def partitions(self) -> Sequence[int]:
        """Partition numbers of the topic; none where there is no such topic."""
        try:
            known = self._consumer.list_topics(self.topic, timeout=TIMEOUT_S).topics[self.topic]
        except KafkaException as error:
            raise self._unreachable(error) from error
        if known.error is not None and known.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise self._unreachable(KafkaException(known.error))
        return sorted(known.partitions)

    def read(self, *, may_lack: bool = False) -> list[PartitionLag]:
        """All partitions now; raises UnavailableError where broker or topic are missing.

        None for a topic that `may_lack`.
        """
        partitions = self.partitions()
        if not partitions and may_lack:
            return []
        if not partitions:
            raise UnavailableError(
                f"Kafka at {self.bootstrap_servers} has no topic {self.topic}: "
                "`laddstream up` creates it"
            )
        try:
            begins = {p: self._watermarks(p) for p in partitions}
            ends = self._ends({p: high for p, (_, high) in begins.items()})
            found = self._consumer.committed(
                [TopicPartition(self.topic, p) for p in partitions], timeout=TIMEOUT_S
            )
        except KafkaException as error:
            raise self._unreachable(error) from error
        return [
            PartitionLag(
                t.partition,
                begins[t.partition][0],
                ends[t.partition],
                None if t.offset < 0 else t.offset,
            )
            for t in found
        ]

    def _watermarks(self, partition: int) -> tuple[int, int]:
        low, high = self._consumer.get_watermark_offsets(
            TopicPartition(self.topic, partition), timeout=TIMEOUT_S
        )
        return low, high

    def _ends(self, reported: dict[int, int]) -> dict[int, int]:
        """Where each partition really ends: read from the reported end until there is no more.

        The embedded broker reports where its last batch begins. Raises KafkaException.
        """
        ends: dict[int, int] = {}
        self._consumer.assign([TopicPartition(self.topic, p, at) for p, at in reported.items()])
        deadline = time.monotonic() + TIMEOUT_S
        try:
            while len(ends) < len(reported):
                if time.monotonic() > deadline:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
                for message in self._consumer.consume(_BATCH, timeout=0.1):
                    fault = message.error()
                    if fault is None:
                        ends.pop(message.partition() or 0, None)
                    elif fault.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                        ends[message.partition() or 0] = message.offset() or 0
                    else:
                        raise KafkaException(fault)
        finally:
            self._consumer.unassign()
        return ends

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()

    def _unreachable(self, error: KafkaException) -> UnavailableError:
        return UnavailableError(
            f"Kafka at {self.bootstrap_servers} does not answer ({error.args[0].str()}): start it "
            "with `laddstream up`, or set LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS"
        )


def lags(bootstrap_servers: str, topic: str, group: str) -> list[PartitionLag]:
    """Every partition's lag, once."""
    with closing(Offsets(bootstrap_servers, topic, group)) as offsets:
        return offsets.read()
