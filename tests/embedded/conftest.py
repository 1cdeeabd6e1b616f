"""One embedded store for the contract suite, or the server LADDSTREAM_TEST_CLICKHOUSE_URL names."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from laddstream.embedded.process import running

START_S = 30.0


@dataclass(frozen=True)
class StoreUnderTest:
    """Where it listens, with which password it gives full rights; `pid` where it is ours."""

    host: str
    port: int
    user: str
    password: str
    home: Path | None = None
    pid: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def client(self, **options: Any) -> Client:
        return clickhouse_connect.get_client(
            **{
                "host": self.host,
                "port": self.port,
                "username": self.user,
                "password": self.password,
                **options,
            }
        )


@contextmanager
def store_process(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], StoreUnderTest]]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        free = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "laddstream.embedded.store"]
    command += ["--home", str(home), "--port", free]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_S
            while (found := running(home / "run", "store")) is None or found.pid != process.pid:
                assert process.poll() is None, "the store ended while starting"
                assert time.monotonic() < deadline, "the store does not announce itself"
                time.sleep(0.02)
            host, _, port = found.address.partition(":")
            with urllib.request.urlopen(f"http://{found.address}/ping") as answer:
                assert answer.read() == b"Ok.\n"
            secret = (home / "run" / "secret").read_text().strip()
            yield process, StoreUnderTest(host, int(port), "default", secret, home, process.pid)
        finally:
            process.terminate()
            process.wait(START_S)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreUnderTest]:
    """The store the contract suite talks to."""
    given = os.environ.get("LADDSTREAM_TEST_CLICKHOUSE_URL")
    if given:
        url = urlsplit(given)
        user, password = url.username or "default", url.password or ""
        yield StoreUnderTest(url.hostname or "", url.port or 8123, user, password)
        return
    with store_process(tmp_path_factory.mktemp("store")) as (_, found):
        yield found


@pytest.fixture
def own_store(store: StoreUnderTest) -> StoreUnderTest:
    """The embedded store; tests of what a server does otherwise are skipped on one."""
    if store.home is None:
        pytest.skip("about the embedded store only")
    return store


@pytest.fixture
def client(store: StoreUnderTest) -> Iterator[Client]:
    with closing(store.client()) as opened:
        yield opened


@pytest.fixture
def table(client: Client, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a table of the test's own, which it may create."""
    name = f"t_{abs(hash(request.node.nodeid)):x}"
    client.command(f"DROP TABLE IF EXISTS {name}")
    yield name
    client.command(f"DROP TABLE IF EXISTS {name}")
