"""How far the workers are: committed offsets of a group against the ends of a topic."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.errors import UnavailableError

TIMEOUT_S = 10.0


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

    def read(self) -> list[PartitionLag]:
        """All partitions now; raises UnavailableError where broker or topic are missing."""
        partitions = self.partitions()
        if not partitions:
            raise UnavailableError(
                f"Kafka at {self.bootstrap_servers} has no topic {self.topic}: "
                "`laddstream up` creates it"
            )
        try:
            ends = {p: self._watermarks(p) for p in partitions}
            found = self._consumer.committed(
                [TopicPartition(self.topic, p) for p in partitions], timeout=TIMEOUT_S
            )
        except KafkaException as error:
            raise self._unreachable(error) from error
        return [
            PartitionLag(t.partition, *ends[t.partition], None if t.offset < 0 else t.offset)
            for t in found
        ]

    def _watermarks(self, partition: int) -> tuple[int, int]:
        low, high = self._consumer.get_watermark_offsets(
            TopicPartition(self.topic, partition), timeout=TIMEOUT_S
        )
        return low, high

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
