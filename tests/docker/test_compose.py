"""The compose file says what the code says; no Docker is needed to see that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from laddstream.settings import Settings
from schemas.topics import MAX_RECORD_BYTES, TOPICS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
        "services"
    ]
    return found


def test_every_image_has_a_version_and_no_port_leaves_this_machine(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        assert re.search(r":\d+\.\d+(\.\d+)?$", service["image"]), name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name


def test_services_wait_for_what_they_need(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], name
            else:
                assert how["condition"] == "service_completed_successfully"
                assert "restart" not in services[needed], "a one-shot service must end"
    assert set(services["worker"]["depends_on"]) == {"topics", "migrate"}


def test_the_topics_service_creates_the_topic_table(services: dict[str, dict[str, Any]]) -> None:
    (script,) = services["topics"]["command"]
    names = re.search(r"for topic in (.*); do", script)

    assert names
    assert names[1].split() == [topic.name for topic in TOPICS]
    assert {f"--partitions {topic.partitions} " in script for topic in TOPICS} == {True}
    assert f"max.message.bytes={MAX_RECORD_BYTES}" in script
    assert services["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"] == str(MAX_RECORD_BYTES)


def test_the_settings_of_the_worker_are_settings_that_exist(
    services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services["worker"]["environment"].items():
        assert name.startswith("LADDSTREAM_")
        monkeypatch.setenv(name, value)
        section, field = name.removeprefix("LADDSTREAM_").lower().split("__")
        read = getattr(getattr(Settings(), section), field)
        assert getattr(read, "get_secret_value", lambda read=read: read)() == value


def test_no_password_is_written_down_and_the_example_names_every_variable() -> None:
    compose = (ROOT / "docker-compose.yml").read_text("utf-8")
    example = (ROOT / "deploy" / "env.example").read_text("utf-8")
    variables = set(re.findall(r"\$\{(\w+)", compose))

    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == variables
    assert "CLICKHOUSE_PASSWORD=\n" in example
    assert "CLICKHOUSE_PASSWORD:?" in compose
    assert "CLICKHOUSE_PASSWORD:-" not in compose


def test_the_image_holds_every_room_and_does_not_run_as_root() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text("utf-8").split()
    copied = set(re.findall(r"^COPY (?!--)(\S+)", dockerfile, re.MULTILINE))

    assert copied >= {"schemas", "producers", "streams", "sql", "reports", "laddstream"}
    assert all((ROOT / name).exists() and f"!{name}" in ignored for name in copied)
    assert "--require-hashes" in dockerfile
    assert re.search(r"^USER (?!root)\w+", dockerfile, re.MULTILINE)
