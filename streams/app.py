"""The Faust app: settings, wiring, and one worker process from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import faust
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError
from faust.exceptions import ProducerSendError
from faust.tables.manager import TableManager

from laddstream.settings import Settings
from schemas.errors import UnavailableError, UserError
from schemas.topics import MAX_RECORD_BYTES
from streams import agents, transport
from streams.chunk import TopicPartition
from streams.flow import Flow, Limits, Outside, give_up
from streams.memory import Memory
from streams.ports import Outgoing, StreamWorker
from streams.watchdog import Watchdog

BUFFERED_CHUNKS = 8
STOP_S = 10.0
"""A clean stop writes for at most so long, then leaves the rest to be read again."""

_LEAVE_S = 4.0
_BEAT_S = 0.25
_SWITCH_S = 0.05
"""How long one thread may hold the interpreter: reading, flushing and fetching work in long
strides, and changing over every 5 ms costs a tenth of the CPU."""

_FOR_EVER_S = 1_000_000.0
_LOUD = ("faust", "mode", "aiokafka", "streams.app", "streams.transport")
"""Loggers that report what is ordinary here (a rebalance) as trouble; ours says what matters."""

log = logging.getLogger("laddstream.worker")


class NoTables(TableManager):
    """Stock Faust waits a second for tables to be declared, before it joins the group."""

    async def on_start(self) -> None:
        """Go on at once: there are none."""
        await self._update_channels()
        await self.recovery.start()


class StreamsApp(faust.App):
    """A Faust app with its flow; writes nothing to disk."""

    mundane_level = "debug"
    flow: Flow
    memory: Memory

    def _create_directories(self) -> None:
        """Nothing: no tables, no state on disk."""


def build(
    settings: Settings,
    sink: Any = None,
    *,
    worker: StreamWorker | None = None,
    progress: Callable[[], None] = lambda: None,
    payments: bool = True,
) -> StreamsApp:
    """The app that reads events, and `payments` if there are, into a worker writing to `sink`.

    `worker` replaces the one that is made otherwise. `progress` is called after every commit
    and whenever waiting has a known reason.
    """
    transport.register()
    app = StreamsApp(settings.kafka.group, **_faust_settings(settings))
    app.memory = Memory()
    if worker is None:
        from streams.worker import Worker  # noqa: PLC0415

        worker = Worker(settings, sink, f"{os.uname().nodename}-{os.getpid()}")
    outside = Outside(
        publish=lambda records: _publish(app, records),
        # the consumer is made when the app starts
        acknowledge=lambda done, generation: app.consumer.advance(done, generation),  # noqa: PLW0108
        now_ms=lambda: time.time_ns() // 1_000_000,
        alive=progress,
        landed=app.memory.landed,
        forgot=app.memory.forgot,
    )
    limits = Limits(
        records=settings.worker.flush_events,
        retry_most_s=min(10.0, settings.worker.watchdog_s / 4),
    )
    flow = app.flow = Flow(worker, outside, limits)
    read = (settings.kafka.events_topic, settings.kafka.payments_topic if payments else "")
    agents.attach(app, flow, *filter(None, read))
    app.transport.on_revoking = flow.settle
    app.transport.on_committed = progress

    @app.on_partitions_revoked.connect(weak=False)
    async def _revoked(_: Any, partitions: set[Any], **__: Any) -> None:
        await flow.revoked([TopicPartition(*tp) for tp in partitions])

    @app.on_partitions_assigned.connect(weak=False)
    async def _assigned(_: Any, partitions: set[Any], **__: Any) -> None:
        ours = [TopicPartition(*tp) for tp in partitions]
        flow.assigned(ours, app.consumer_generation_id)

    return app


def _faust_settings(settings: Settings) -> Mapping[str, Any]:
    session = settings.kafka.session_timeout_s
    return {
        "broker": f"{transport.SCHEME}://{settings.kafka.bootstrap_servers}",
        "broker_session_timeout": session,
        "broker_heartbeat_interval": session / 4,
        "broker_rebalance_timeout": max(session, 10.0),
        "broker_request_timeout": max(2 * session, 30.0),
        "broker_commit_interval": 1.0,
        "broker_max_poll_interval": _FOR_EVER_S,  # pausing is not dying: the watchdog decides
        "broker_check_crcs": True,
        "producer_acks": -1,  # all; not idempotent: the embedded broker knows no such request
        "producer_compression_type": "lz4",
        "producer_max_request_size": MAX_RECORD_BYTES + 1024 * 1024,
        "stream_buffer_maxsize": BUFFERED_CHUNKS,
        "stream_wait_empty": False,
        "stream_recovery_delay": 0.0,
        "store": "memory://",
        "TableManager": NoTables,
        "key_serializer": "raw",
        "value_serializer": "raw",
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "web_enabled": False,
        "cython_optimizations": True,
    }


async def _publish(app: StreamsApp, records: list[Outgoing]) -> None:
    """Produce the records; each confirmed one is taken off the list."""
    try:
        sent = [
            (record, await app.producer.send(
                record.topic, record.key, record.value, None, None, list(record.headers)
            ))
            for record in records
        ]  # fmt: skip
    except ProducerSendError as error:
        raise UnavailableError(f"Kafka does not take records: {error}") from error
    answers = await asyncio.gather(*[future for _, future in sent], return_exceptions=True)
    records[:] = [
        record for (record, _), answer in zip(sent, answers, strict=True)
        if isinstance(answer, BaseException)
    ]  # fmt: skip
    for answer in answers:
        if isinstance(answer, KafkaError) and answer.retriable:
            raise UnavailableError(f"Kafka does not take records: {answer}") from answer
        if isinstance(answer, BaseException):
            raise answer


async def check_topics(settings: Settings) -> bool:
    """Raises UnavailableError without a broker, UserError where a topic is missing.

    A topic for payments may be missing: gives whether there is one.
    """
    servers = settings.kafka.bootstrap_servers
    client = AIOKafkaClient(bootstrap_servers=servers)
    try:
        await client.bootstrap()
        cluster = await client.fetch_all_metadata()
    except KafkaConnectionError as error:
        raise UnavailableError(
            f"No Kafka broker answers at {servers}. Start one (laddstream up), "
            "or set LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS."
        ) from error
    finally:
        await client.close()
    wanted = {settings.kafka.events_topic, settings.kafka.dead_letter_topic}
    if missing := sorted(wanted - cluster.topics()):
        raise UserError(
            f"Kafka at {servers} has no topic {' and no topic '.join(missing)}. "
            "Create it, then start the worker again."
        )
    if (payments := settings.kafka.payments_topic) and payments not in cluster.topics():
        log.warning("no topic %s, no payments are read: laddstream migrate creates it", payments)
    return payments in cluster.topics()


async def serve(
    settings: Settings,
    sink: Any = None,
    *,
    worker: StreamWorker | None = None,
    ready: Callable[[], None] = lambda: None,
    committed: Callable[[], None] = lambda: None,
    stop_s: float = STOP_S,
) -> int:
    """Run one worker until SIGTERM or SIGINT; returns the exit status 0.

    `committed` is called after every commit, and whenever waiting has a known reason.
    A second signal ends the process at once. Unforeseen errors end it with 70, stalls with 71.
    """
    _quiet()
    sys.setswitchinterval(_SWITCH_S)
    stop = asyncio.Event()
    _on_signals(stop)
    payments = await check_topics(settings)
    watchdog = Watchdog(settings.worker.watchdog_s)

    def progress() -> None:
        watchdog.progress()
        committed()

    app = build(settings, sink, worker=worker, progress=progress, payments=payments)
    app.flow.warm()
    watchdog.start()
    beating = asyncio.create_task(_beat(app, watchdog))
    ticking = asyncio.create_task(app.flow.run())
    running = asyncio.create_task(_run(app, ready))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    if running.done() and not stop.is_set():
        give_up(running.exception() or app.crash_reason or RuntimeError("Faust stopped by itself"))
    ticking.cancel()
    await _stop(app, stop_s)
    beating.cancel()
    watchdog.stop()
    return 0


async def _run(app: StreamsApp, ready: Callable[[], None]) -> None:
    await app.start()
    app.memory.start()
    ready()
    await app.wait_until_stopped()


async def _beat(app: StreamsApp, watchdog: Watchdog) -> None:
    while True:
        watchdog.beat(waiting=app.consumer.behind)
        await asyncio.sleep(_BEAT_S)


async def _stop(app: StreamsApp, patience_s: float) -> None:
    """Write, ack and commit what was accepted, leave the group; all in bounded time."""
    try:
        await asyncio.wait_for(app.flow.drain(), patience_s)
        through = True
    except TimeoutError:
        log.warning("stopped with records not written; they will be read again")
        through = False
    app.flow.abandon()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(app.consumer.commit(), _LEAVE_S)
        await asyncio.wait_for(app.stop(), _LEAVE_S)
    if not through:  # the interpreter would wait for a thread that may hang in the sink
        logging.shutdown()
        os._exit(0)


def _on_signals(stop: asyncio.Event) -> None:
    def caught(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, caught, number)


def _quiet() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)
