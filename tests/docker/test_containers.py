"""The pipeline's two servers as containers, in the versions that docker-compose.yml names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from testcontainers.core.container import DockerContainer

from producers.kafka import EventProducer, create_topics
from schemas.records import RECORDS
from schemas.topics import DEAD_LETTERS, EVENTS, MAX_EVENT_BYTES, TOPICS
from tests.conftest import unavailable
from tests.kafka.brokers import free_ports

pytestmark = [pytest.mark.docker, pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text("utf-8")


def _image(name: str) -> str:
    found = re.search(rf"image: ({name}:\S+)", COMPOSE)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    if shutil.which("docker") is None:
        unavailable("docker", "the docker command is not installed")
    asked = subprocess.run(["docker", "info"], check=False, capture_output=True, text=True)
    if asked.returncode:
        unavailable("docker", f"no Docker engine answers ({asked.stderr.strip()[:120]})")


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    """Bootstrap address of Apache Kafka in a container."""
    (port,) = free_ports(1)
    environment = {
        name: value.strip('"')
        for name, value in re.findall(
            r"^      (KAFKA_\w+|CLUSTER_ID): (.+)$", COMPOSE, re.MULTILINE
        )
    } | {"KAFKA_ADVERTISED_LISTENERS": f"INSIDE://localhost:19092,OUTSIDE://127.0.0.1:{port}"}
    container = DockerContainer(_image("apache/kafka")).with_bind_ports(9092, port)
    for name, value in environment.items():
        container = container.with_env(name, value)
    with container:
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
        deadline = time.monotonic() + 120
        while True:
            try:
                admin.list_topics(timeout=2)
                break
            except KafkaException:
                assert time.monotonic() < deadline, container.get_logs()
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def clickhouse() -> Iterator[dict[str, str]]:
    """Settings, as environment variables, that point at a ClickHouse server in a container."""
    container = (
        DockerContainer(_image("clickhouse/clickhouse-server"))
        .with_exposed_ports(8123)
        .with_env("CLICKHOUSE_USER", "laddstream")
        .with_env("CLICKHOUSE_PASSWORD", "for-tests")
        .with_env("CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT", "1")
    )
    with container:
        url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(8123)}"
        deadline = time.monotonic() + 120
        while not _answers(f"{url}/ping"):
            assert time.monotonic() < deadline, container.get_logs()
            time.sleep(0.5)
        yield {
            "LADDSTREAM_CLICKHOUSE__URL": url,
            "LADDSTREAM_CLICKHOUSE__USER": "laddstream",
            "LADDSTREAM_CLICKHOUSE__PASSWORD": "for-tests",
        }


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - http, made above
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def _select(server: dict[str, str], sql: str) -> list[dict[str, str]]:
    """One statement over plain HTTP; rows of JSONEachRow."""
    request = urllib.request.Request(  # noqa: S310 - http, made above
        server["LADDSTREAM_CLICKHOUSE__URL"],
        data=sql.encode(),
        headers={
            "X-ClickHouse-User": server["LADDSTREAM_CLICKHOUSE__USER"],
            "X-ClickHouse-Key": server["LADDSTREAM_CLICKHOUSE__PASSWORD"],
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        return [json.loads(line) for line in answer.read().splitlines()]


def _run(*command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=os.environ | environment,
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )


def test_apache_kafka_takes_our_topics_and_carries_events_and_oversized_values(kafka: str) -> None:
    wanted = {topic.name: topic.partitions for topic in TOPICS}
    assert set(create_topics(kafka, wanted)) == set(wanted)
    assert list(create_topics(kafka, wanted)) == []
    known = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=20).topics
    assert {name: len(known[name].partitions) for name in wanted} == wanted

    big = b"x" * (5 * MAX_EVENT_BYTES)
    with EventProducer(kafka, EVENTS.name) as producer:
        producer.send_raw(b"nordvik/NV-0042", big)
        producer.send_raw(b"nordvik/NV-0042", b"{", {"reason": "not_json"}, topic=DEAD_LETTERS.name)
    assert producer.delivery.failures == 0

    consumer = Consumer({
        "bootstrap.servers": kafka, "group.id": "t", "fetch.message.max.bytes": 2 * len(big),
    })  # fmt: skip
    consumer.assign([TopicPartition(EVENTS.name, number, 0) for number in range(EVENTS.partitions)])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert message.value() == big


def test_a_clickhouse_server_takes_the_migrations_twice_and_has_the_columns_of_the_records(
    clickhouse: dict[str, str],
) -> None:
    for _ in range(2):
        done = _run("laddstream", "migrate", environment=clickhouse)
        assert done.returncode == 0, done.stderr

    columns: dict[str, list[str]] = {}
    for row in _select(
        clickhouse,
        "SELECT table, name FROM system.columns WHERE database = 'laddstream'"
        " AND default_kind != 'MATERIALIZED' ORDER BY table, position FORMAT JSONEachRow",
    ):
        columns.setdefault(row["table"], []).append(row["name"])
    assert {table: columns[table] for table in RECORDS} == {
        table: list(record.model_fields) for table, record in RECORDS.items()
    }


def test_a_clickhouse_server_keeps_the_highest_version_of_a_row(clickhouse: dict[str, str]) -> None:
    assert _run("laddstream", "migrate", environment=clickhouse).returncode == 0
    key = {"tenant": "t", "station_id": "s", "session_id": "2f9b8a55-6d0f-5c4e-8f21-3f0c2f4d9e10"}
    for version, status in ((2, "ended"), (1, "active"), (2, "ended")):
        row = json.dumps(key | {"version": version, "status": status})
        _select(clickhouse, f"INSERT INTO laddstream.sessions FORMAT JSONEachRow\n{row}")

    found = _select(
        clickhouse,
        "SELECT status FROM laddstream.sessions FINAL WHERE tenant = 't' FORMAT JSONEachRow",
    )
    assert found == [{"status": "ended"}]


def test_a_clickhouse_server_passes_the_contract_suite_of_the_store(
    clickhouse: dict[str, str],
) -> None:
    environment = {
        "LADDSTREAM_TEST_CLICKHOUSE_URL": clickhouse["LADDSTREAM_CLICKHOUSE__URL"].replace(
            "://", "://laddstream:for-tests@"
        )
    }
    done = _run("pytest", "-q", "-k", "contract", "tests/embedded", environment=environment)
    assert done.returncode == 0, done.stdout[-4000:]
