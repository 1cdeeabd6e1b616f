"""`up`, `status` and `down` as a person uses them, on ports of their own and without workers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner, Result

from laddstream import services
from laddstream.cli.stack import register
from laddstream.embedded.process import alive, all_running, running
from laddstream.settings import Settings
from schemas.errors import UnavailableError, UserError

pytestmark = pytest.mark.integration


def free_port() -> str:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def laddstream(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own; whatever a test leaves running there is stopped."""
    monkeypatch.setenv("LADDSTREAM_HOME", str(tmp_path))
    for name in ("LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS", "LADDSTREAM_CLICKHOUSE__URL"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    laddstream("down")


def up(*more: str) -> dict[str, Any]:
    ports = ("--port-store", free_port(), "--port-broker", free_port())
    done = laddstream("up", "--detach", "--workers", "0", *ports, "--json", *more)
    assert done.exit_code == 0, (done.output, done.exception)
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_up_status_and_down(home: Path) -> None:
    started = up()
    assert started["running"]
    addresses = {service["name"]: service["address"] for service in started["services"]}
    assert addresses.keys() == {"store", "broker", "up"}

    assert json.loads(laddstream("status", "--json").stdout) == started
    shown = laddstream("status")
    assert shown.exit_code == 0
    assert f"http://{addresses['store']}" in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())

    settings = Settings()
    assert services.clickhouse_url(settings) == f"http://{addresses['store']}"
    assert services.kafka_bootstrap(settings) == addresses["broker"]
    user, secret = services.clickhouse_credentials(settings)
    assert (user, secret) == ("default", (home / "run" / "secret").read_text().strip())

    again = laddstream("up", "--detach")
    assert isinstance(again.exception, UserError)
    assert "already runs" in str(again.exception)
    assert addresses["store"] in str(again.exception)

    topics = AdminClient({"bootstrap.servers": addresses["broker"]}).list_topics(timeout=10).topics
    assert {"charging.events", "charging.events.dlq"} <= topics.keys()
    assert len(topics["charging.events"].partitions) == settings.kafka.partitions
    assert records_go_through(addresses["broker"])

    found = all_running(home / "run")
    assert laddstream("down").stdout == "stopped\n"
    assert not any(alive(service) for service in found)
    assert laddstream("status").exit_code == 1
    assert laddstream("down").exit_code == 0


@pytest.mark.kafka
@pytest.mark.skipif(
    "LADDSTREAM_EMBEDDED_KAFKA_LIBS" not in os.environ,
    reason="LADDSTREAM_EMBEDDED_KAFKA_LIBS names no jars of Apache Kafka",
)
def test_apache_kafka_takes_the_embedded_broker_s_place_and_remembers(home: Path) -> None:
    for _ in range(2):
        services_up = {service["name"]: service for service in up()["services"]}
        assert records_go_through(services_up["broker"]["address"])
        assert laddstream("down").stdout == "stopped\n"
    assert list((home / "broker" / "data").glob("charging.events-*"))


def records_go_through(bootstrap: str) -> bool:
    value = uuid.uuid4().bytes
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True,
                         "compression.codec": "lz4"})  # fmt: skip
    producer.produce("charging.events", value, b"default/S1", partition=3)
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test"})
    consumer.assign([TopicPartition("charging.events", 3, 0)])
    found = False
    while not found and (record := consumer.poll(10)) is not None:
        found = record.value() == value and record.key() == b"default/S1"
    consumer.close()
    return found


def test_a_killed_store_comes_back_with_its_rows(home: Path) -> None:
    up()
    store = running(home / "run", "store")
    assert store is not None
    os.kill(store.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while (again := running(home / "run", "store")) is None or again.pid == store.pid:
        assert time.monotonic() < deadline, "the store was not started again"
        time.sleep(0.1)
    assert again.address == store.address
    assert "store ended with exit code -9" in (home / "logs" / "up.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal")
def test_nothing_is_left_when_the_supervisor_is_killed(home: Path) -> None:
    up()
    found = all_running(home / "run")
    supervisor = running(home / "run", "up")
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(alive(service) for service in found):
        assert time.monotonic() < deadline, "a process outlived its supervisor"
        time.sleep(0.1)
    assert laddstream("status").exit_code == 1


def test_a_foreground_stack_stops_on_ctrl_c(home: Path) -> None:
    arguments = ["up", "--workers", "0", "--port-store", free_port(), "--port-broker", free_port()]
    program = "from laddstream.cli import stack; import typer; app = typer.Typer(); "
    program += "stack.register(app); app()"
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.strip() == "ready":
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(30) == 0
    assert "ready" in lines
    assert "stopped" in rest
    assert all_running(home / "run") == []


@pytest.mark.usefixtures("home")
def test_a_taken_port_is_one_clear_sentence() -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = laddstream("up", "--detach", "--workers", "0", "--port-store", port)
    assert isinstance(done.exception, UserError)
    assert f"port {port} for the store is taken" in str(done.exception)


@pytest.mark.usefixtures("home")
def test_without_a_stack_everyone_is_told_how_to_start_one() -> None:
    for ask in (services.kafka_bootstrap, services.clickhouse_url, services.clickhouse_credentials):
        with pytest.raises(UnavailableError, match="start it with `laddstream up`"):
            ask(Settings())


def test_services_elsewhere_win(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("LADDSTREAM_CLICKHOUSE__URL", "http://clickhouse:8123/")
    monkeypatch.setenv("LADDSTREAM_CLICKHOUSE__PASSWORD", "p")
    settings = Settings(home=home)
    assert services.kafka_bootstrap(settings) == "kafka:9092"
    assert services.clickhouse_url(settings) == "http://clickhouse:8123"
    assert services.clickhouse_credentials(settings) == ("default", "p")
