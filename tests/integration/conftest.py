"""Both kinds of broker for the whole pipeline, and one stack for tests that get along in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.integration.stack_help import Pipeline, pipeline
from tests.kafka.brokers import Broker

StartPipeline = Callable[..., Pipeline]


@pytest.fixture(
    scope="session", params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)]
)
def bootstrap(request: pytest.FixtureRequest) -> str:
    """Address of a real Apache Kafka, or empty: every stack has the embedded broker."""
    if request.param == "embedded":
        return ""
    broker: Broker = request.getfixturevalue("kafka_broker")
    return broker.bootstrap


@pytest.fixture
def start(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPipeline]:
    """Starts stacks with homes of their own, which stop with the test."""
    with ExitStack() as running:
        yield lambda **options: running.enter_context(
            pipeline(tmp_path_factory.mktemp("home"), bootstrap, **options)
        )


@pytest.fixture(scope="session")
def workaday(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """One stack for tests that have a tenant of their own and break nothing."""
    with pipeline(tmp_path_factory.mktemp("workaday"), bootstrap) as stack:
        yield stack
