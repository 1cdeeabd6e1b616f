"""What a worker says when it cannot start, and that Faust does not read our command line."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from laddstream.settings import KafkaSettings, Settings
from schemas.errors import UnavailableError, UserError
from streams.app import build, check_topics
from streams.transport import Consumer, Transport
from tests.kafka.brokers import Broker, free_ports
from tests.streams.shell import topics
from tests.streams.shell.recorder import Recorder


def settings_for(bootstrap: str, events_topic: str = "charging.events") -> Settings:
    kafka = KafkaSettings(
        bootstrap_servers=bootstrap, events_topic=events_topic, dead_letter_topic=events_topic
    )
    return Settings(kafka=kafka)


def test_a_broker_that_is_not_there_is_said_in_one_sentence() -> None:
    (port,) = free_ports(1)

    with pytest.raises(UnavailableError, match=rf"No Kafka broker answers at 127.0.0.1:{port}"):
        asyncio.run(check_topics(settings_for(f"127.0.0.1:{port}")))


@pytest.mark.integration
def test_a_missing_topic_is_named(broker: Broker) -> None:
    with pytest.raises(UserError, match=r"no topic never\.made"):
        asyncio.run(check_topics(settings_for(broker.bootstrap, "never.made")))


@pytest.mark.integration
def test_topics_that_are_there_are_found(broker: Broker) -> None:
    asyncio.run(check_topics(settings_for(broker.bootstrap, topics.create(broker, 1))))


def test_the_app_reads_through_our_transport_and_keeps_nothing_on_disk() -> None:
    async def made() -> tuple[object, object, list[str]]:
        app = build(settings_for("one:9092,two:9093"), worker=Recorder())
        servers = [f"{url.host}:{url.port}" for url in app.transport.url]
        return app.transport, app.transport.Consumer, servers

    transport, consumer, servers = asyncio.run(made())

    assert isinstance(transport, Transport)
    assert consumer is Consumer
    assert servers == ["one:9092", "two:9093"]


def test_faust_does_not_see_our_arguments() -> None:
    program = (
        "import sys; from laddstream.cli.worker import _without_arguments\n"
        "with _without_arguments():\n    import faust\n"
        "print(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--datadir"],
        check=False, capture_output=True, text=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("['--datadir']\n", "")
