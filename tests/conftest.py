"""What all tests share: brokers, the shared real data, and how hypothesis searches.

A test that cannot run here is skipped with its reason. `LADDSTREAM_TEST_REQUIRE=kafka,data,docker`
makes the named ones fail instead, for machines that are meant to have them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from tests.kafka.brokers import Broker, BrokerMissingError, apache_kafka, tansu

ROOT = Path(__file__).parents[1]

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def unavailable(what: str, reason: str) -> NoReturn:
    """Skip the test, or fail it where `what` is required to be there."""
    required = os.environ.get("LADDSTREAM_TEST_REQUIRE", "").split(",")
    if what in required:
        pytest.fail(f"{what}: {reason}")
    pytest.skip(f"{what}: {reason}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; mark the test `data`."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        unavailable("data", "no ../shared/data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def tansu_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The embedded broker, one for the whole run: use topic names of your own."""
    with tansu(tmp_path_factory.mktemp("tansu")) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Apache Kafka, one for the whole run; mark the test `kafka`."""
    try:
        with apache_kafka(tmp_path_factory.mktemp("kafka")) as broker:
            yield broker
    except BrokerMissingError as missing:
        unavailable("kafka", str(missing))


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Runs the test on both brokers."""
    name = {"embedded": "tansu_broker", "apache": "kafka_broker"}[request.param]
    found: Broker = request.getfixturevalue(name)
    return found
