"""A migrated store for tests of views and reports, and rows to fill it with by hand."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request

import pytest

from laddstream.migrate import apply
from reports.query import Address

DATABASE = "laddstream"
START_S = 30


@pytest.fixture(scope="module")
def mart_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """An embedded store for the module, migrated; each test uses a tenant of its own."""
    with running_store(tmp_path_factory.mktemp("store")) as address:
        apply(address, DATABASE)
        yield address


@contextmanager
def running_store(home: Path) -> Iterator[Address]:
    """The embedded store as a process; the address has full rights."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "laddstream.embedded.store"]
    with subprocess.Popen([*command, "--home", str(home), "--port", str(port)]) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _await_ping(url, process)
            yield Address(url, "default", (home / "run" / "secret").read_text().strip())
        finally:
            process.terminate()
            try:
                process.wait(timeout=START_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _await_ping(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the store ended while starting"
        try:
            with urllib.request.urlopen(f"{url}/ping", timeout=1) as answer:  # noqa: S310
                assert answer.status == 200
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise AssertionError("the store does not answer")


def insert(address: Address, table: str, *rows: dict[str, Any]) -> None:
    """Write rows; columns that are left out take their defaults."""
    body = "\n".join(json.dumps(row) for row in rows).encode()
    query = quote(f"INSERT INTO {DATABASE}.{table} FORMAT JSONEachRow")
    headers = {"X-ClickHouse-User": address.user, "X-ClickHouse-Key": address.password}
    request = Request(f"{address.url}/?query={query}", body, headers)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.status == 200


def session_id(name: str) -> str:
    """A readable name as UUID."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def session(tenant: str, name: str, **changes: Any) -> dict[str, Any]:
    """A counted hour of 10 kWh at station S1/1 in Area A that cost 5.00 + 25 % VAT, in SEK."""
    start = changes.get("started_at", "2026-03-02 10:00:00")
    end = changes.get("ended_at", "2026-03-02 11:00:00")
    row = {
        "tenant": tenant, "station_id": "S1", "session_id": session_id(f"{tenant}/{name}"),
        "version": 1, "protocol": "ocpp1.6", "connector_id": 1, "transaction_id": name,
        "transaction_ids": [name], "driver_key": "D1", "area": "Area A", "city": "City",
        "country": "SE", "time_zone": "Europe/Stockholm", "status": "ended",
        "started_at": start, "ended_at": end,
        "first_event_at": start or "2026-03-02 10:00:00",
        "last_event_at": end or "2026-03-02 11:00:00",
        "energy_wh": "10000", "export_wh": "0", "duration_s": "3600", "charging_s": "1800",
        "idle_s": "1800", "suspended_evse_s": "0", "currency": "SEK", "tariff_id": "T1",
        "amount_excl_vat": "5", "amount_vat": "1.25", "amount_incl_vat": "6.25",
        "grade": "exact", "flags": [], "quarantine_reason": "", "event_count": 2,
    }  # fmt: skip
    return row | changes


def slice_of(tenant: str, name: str, start: str, **changes: Any) -> dict[str, Any]:
    """A counted quarter of an hour with 2.5 kWh that cost 1.25 + 25 % VAT, in SEK."""
    row = {
        "tenant": tenant, "slice_start": start, "station_id": "S1",
        "session_id": session_id(f"{tenant}/{name}"), "version": 1, "area": "Area A",
        "driver_key": "D1", "tariff_id": "T1", "currency": "SEK", "energy_wh": "2500",
        "export_wh": "0", "occupied_s": "900", "charging_s": "900", "idle_s": "0",
        "amount_excl_vat": "1.25", "amount_incl_vat": "1.5625", "provisional": 0, "counted": 1,
    }  # fmt: skip
    return row | changes
