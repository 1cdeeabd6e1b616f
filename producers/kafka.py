"""The one way events leave for Kafka: idempotent, compressed, and counted when acknowledged.

Nothing here is "sent" until the broker said so: `Delivery` counts delivery reports, never
calls. A full queue waits, a broker that does not answer ends in one clear sentence.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas import wire
from schemas.card_fields import mask_event
from schemas.errors import UnavailableError
from schemas.topics import MAX_RECORD_BYTES

_SILENT = logging.getLogger("laddstream.librdkafka")
"""librdkafka's own lines go here, not to a person's terminal; our sentences say what they mean."""

_POLL_EVERY = 512
_LINGER_MS = 50
_BATCH_BYTES = 1024 * 1024
_LIFETIME_MS = 300_000
"""A record may wait so long behind others on a slow broker; silence is bounded separately."""

_TIMED_OUT = "Local: Message timed out"
_CLIENT_ID = "laddstream"


@dataclass(slots=True)
class Delivery:
    """What the broker said about the records handed over so far."""

    acknowledged: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Records the broker or the client refused, by reason."""

    @property
    def failures(self) -> int:
        """Number of records that were refused."""
        return self.failed.total()


def _quiet() -> logging.Logger:
    if not _SILENT.handlers:
        _SILENT.addHandler(logging.NullHandler())
        _SILENT.propagate = False
    return _SILENT


def _unreachable(bootstrap_servers: str, detail: str) -> UnavailableError:
    return UnavailableError(
        f"Kafka at {bootstrap_servers} does not answer ({detail}): start it with "
        "`laddstream up`, or set LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS."
    )


class EventProducer:
    """Publishes events and raw records, and counts what was acknowledged.

    `timeout_s` bounds every silence: no acknowledgement for so long while records wait is
    an `UnavailableError`. As a context manager it flushes on the way out of a clean block.
    Not to be shared between threads.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        *,
        timeout_s: float = 30.0,
        client_id: str = _CLIENT_ID,
    ) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.topic = topic
        self.timeout_s = timeout_s
        self.delivery = Delivery()
        self._calls = 0
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "client.id": client_id,
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "lz4",
                "linger.ms": _LINGER_MS,
                "batch.size": _BATCH_BYTES,
                "batch.num.messages": 10_000,
                "partitioner": "murmur2_random",
                "message.max.bytes": MAX_RECORD_BYTES,
                "message.timeout.ms": _LIFETIME_MS,
                "queue.buffering.max.messages": 200_000,
                "queue.buffering.max.kbytes": 128 * 1024,
            },
            logger=_quiet(),
        )

    def check(self) -> None:
        """Ask the broker for the topic. Raises UnavailableError when there is no answer or
        no such topic.
        """
        try:
            known = self._producer.list_topics(timeout=self.timeout_s).topics
        except KafkaException as error:
            raise _unreachable(self.bootstrap_servers, _reason(error.args[0])) from error
        if self.topic not in known:
            raise UnavailableError(
                f"Kafka at {self.bootstrap_servers} has no topic {self.topic!r}: create it with "
                "`laddstream up`, or set LADDSTREAM_KAFKA__EVENTS_TOPIC."
            )

    def send(self, event: wire.WireEvent) -> None:
        """Queue one event under its station's key, without card numbers. Raises as `send_raw`."""
        mask_event(event)
        self.send_raw(wire.key_of(event), wire.encode(event))

    def send_raw(
        self,
        key: bytes,
        value: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        topic: str | None = None,
    ) -> None:
        """Queue one record of untouched bytes, for `topic` if it is not the producer's own.

        Waits while the queue is full. Raises UnavailableError after `timeout_s` without a
        single acknowledgement. A record the client itself refuses (larger than
        `schemas.topics.MAX_RECORD_BYTES`) is counted as failed, not raised.
        """
        texts: list[tuple[str, str | bytes | None]] = list((headers or {}).items())
        while True:
            try:
                self._producer.produce(
                    topic or self.topic,
                    value=value,
                    key=key or None,
                    headers=texts,
                    on_delivery=self._report,
                )
            except BufferError:
                self._await_progress()
            except KafkaException as error:
                self.delivery.failed[_reason(error.args[0])] += 1
                return
            else:
                break
        self._calls += 1
        if self._calls % _POLL_EVERY == 0:
            self._producer.poll(0)

    def flush(self, timeout_s: float | None = None) -> Delivery:
        """Wait until every queued record has its delivery report, and return the counts.

        Raises UnavailableError when records still wait after `timeout_s` (default: as
        constructed) without any progress, or when the broker let them time out.
        """
        while len(self._producer):
            self._await_progress(timeout_s, flush=True)
        self._raise_if_lost()
        return self.delivery

    def _await_progress(self, timeout_s: float | None = None, *, flush: bool = False) -> None:
        """Serve delivery reports until one came, in slices short enough for Ctrl-C."""
        limit = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        before = self.delivery.acknowledged + self.delivery.failures
        while self.delivery.acknowledged + self.delivery.failures == before:
            if time.monotonic() >= limit:
                raise self._unacknowledged(len(self._producer))
            if flush:
                self._producer.flush(0.2)
            else:
                self._producer.poll(0.2)
        self._raise_if_lost()

    def _raise_if_lost(self) -> None:
        if lost := self.delivery.failed.get(_TIMED_OUT, 0):
            raise self._unacknowledged(lost + len(self._producer))

    def _unacknowledged(self, count: int) -> UnavailableError:
        acknowledged = self.delivery.acknowledged
        detail = f"{acknowledged:,} records acknowledged, {count:,} not"
        return _unreachable(self.bootstrap_servers, detail)

    def _report(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.delivery.acknowledged += 1
        else:
            self.delivery.failed[_reason(error)] += 1

    def __enter__(self) -> Self:
        """The producer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Flush after success; after an error drop what is queued and let the error speak."""
        if kind is None:
            self.flush()
        else:
            self._producer.purge()


def _reason(error: KafkaError) -> str:
    return str(error.str())


def create_topics(
    bootstrap_servers: str,
    topics: Mapping[str, int],
    *,
    replication_factor: int = 1,
    timeout_s: float = 30.0,
) -> Sequence[str]:
    """Create the missing ones of `topics` (name to number of partitions); returns their names.

    Asks for `max.message.bytes` = `schemas.topics.MAX_RECORD_BYTES`; a broker that refuses
    topic settings gets the topic without. Raises UnavailableError.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers}, logger=_quiet())
    try:
        known = admin.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise _unreachable(bootstrap_servers, _reason(error.args[0])) from error
    created = []
    for name, partitions in topics.items():
        if name in known:
            continue
        topic = NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=replication_factor,
            config={"max.message.bytes": str(MAX_RECORD_BYTES)},
        )
        refusal = _create(admin, topic, timeout_s)
        if refusal is not None and refusal.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            bare = NewTopic(name, num_partitions=partitions, replication_factor=replication_factor)
            refusal = _create(admin, bare, timeout_s)
        if refusal is None:
            created.append(name)
        elif refusal.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise UnavailableError(
                f"Kafka at {bootstrap_servers} refuses to create topic {name!r} "
                f"({_reason(refusal)}): create it by hand and try again."
            )
    return created


def _create(admin: AdminClient, topic: NewTopic, timeout_s: float) -> KafkaError | None:
    """Create one topic; the broker's refusal is a value."""
    future = admin.create_topics([topic], request_timeout=timeout_s)[topic.topic]
    try:
        future.result()
    except KafkaException as error:
        refusal: KafkaError = error.args[0]
        return refusal
    return None
