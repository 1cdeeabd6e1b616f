"""The embedded store as a process: who may do what, who owns the directory, what survives."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from streams.sink.clickhouse import PINNED
from tests.embedded.conftest import StoreUnderTest, store_process

pytestmark = pytest.mark.integration


def guest(
    store: StoreUnderTest, statement: str, path: str = "/", **headers: str
) -> tuple[int, str, str]:
    """A statement without rights: status, error code and text."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection(store.host, store.port, timeout=30)) as connection:
        connection.request("POST", path, statement.encode(), named)
        answer = connection.getresponse()
        code = answer.headers.get("X-ClickHouse-Exception-Code", "0")
        return answer.status, code, answer.read().decode()


def test_a_guest_reads(own_store: StoreUnderTest) -> None:
    reader = clickhouse_connect.get_client(host=own_store.host, port=own_store.port)
    assert reader.query("SELECT count() FROM numbers(10)").result_rows == [(10,)]
    assert reader.query("SHOW DATABASES").row_count >= 3
    with pytest.raises(DatabaseError, match="run/secret"):
        reader.command("CREATE TABLE t (a Int8) ENGINE = Memory")
    reader.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT file('/etc/passwd')",
        "SELECT * FROM `/etc/passwd`",
        "SELECT * FROM default.`/etc/passwd`",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM {t:Identifier}",
        "SELECT 1 INTO OUTFILE '/tmp/laddstream_must_not_exist'",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 1000",
        "SELECT * FROM url('http://127.0.0.1:1/')",
        "INSERT INTO FUNCTION file('/tmp/laddstream_must_not_exist') VALUES (1)",
    ],
)
def test_a_guest_gets_neither_files_nor_rights(own_store: StoreUnderTest, statement: str) -> None:
    status, code, text = guest(own_store, statement, "/?param_t=/etc/passwd")
    assert status >= 400
    assert int(code) in {60, 62, 164}
    assert "root:" not in text
    assert not Path("/tmp/laddstream_must_not_exist").exists()  # noqa: S108


def test_a_guest_cannot_raise_its_limits(own_store: StoreUnderTest) -> None:
    statement = "SELECT getSetting('max_execution_time'), getSetting('readonly')"
    assert guest(own_store, statement, "/?max_execution_time=0&readonly=0")[2] == "60\t1\n"
    assert guest(own_store, statement, "/?max_execution_time=5")[2] == "5\t1\n"
    assert guest(own_store, "SELECT 1", "/?output_format_schema=/tmp/x")[1] == "164"


def test_the_secret_gives_full_rights_in_each_of_the_usual_places(
    own_store: StoreUnderTest,
) -> None:
    secret = own_store.password
    statement = "CREATE DATABASE IF NOT EXISTS rights"
    assert guest(own_store, statement)[1] == "164"
    assert guest(own_store, statement, X_Laddstream_Secret=secret)[0] == 200
    assert guest(own_store, statement, X_ClickHouse_Key=secret)[0] == 200
    assert guest(own_store, statement, f"/?user=default&password={secret}")[0] == 200


def test_a_wrong_password_or_user_is_refused(own_store: StoreUnderTest) -> None:
    for headers in (
        {"X_ClickHouse_Key": "wrong"},
        {"X_Laddstream_Secret": "wrong"},
        {"X_ClickHouse_User": "admin", "X_ClickHouse_Key": own_store.password},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Bearer x"},
    ):
        assert guest(own_store, "SELECT 1", **headers)[:2] == (403, "516")


def test_a_name_that_is_not_loopback_is_refused(own_store: StoreUnderTest) -> None:
    assert guest(own_store, "SELECT 1", Host="evil.example:8123")[0] == 403
    assert guest(own_store, "SELECT 1", Host="localhost:8123")[0] == 200


def test_only_the_owner_can_read_the_secret(own_store: StoreUnderTest) -> None:
    assert own_store.home is not None
    mode = (own_store.home / "run" / "secret").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_it_listens_on_loopback_only(own_store: StoreUnderTest) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; tells which address would be used
        outside = probe.getsockname()[0]
    with closing(socket.socket()) as probe:
        probe.settimeout(2)
        assert probe.connect_ex((outside, own_store.port)) != 0


def test_a_large_guest_request_is_refused(own_store: StoreUnderTest) -> None:
    status, code, _ = guest(own_store, "SELECT '" + "x" * 20_000_000 + "'")
    assert (status, code) == (413, "229")


def test_a_torn_insert_leaves_nothing(own_store: StoreUnderTest) -> None:
    with closing(own_store.client()) as client:
        client.command("CREATE TABLE IF NOT EXISTS torn (n Int32) ENGINE = MergeTree ORDER BY n")
        with closing(socket.create_connection((own_store.host, own_store.port))) as raw:
            raw.sendall(
                b"POST /?query=INSERT+INTO+torn+FORMAT+CSV HTTP/1.1\r\nHost: localhost\r\n"
                b"X-ClickHouse-Key: %b\r\nContent-Length: 1000\r\n\r\n1\n2\n"
                % own_store.password.encode()
            )
        time.sleep(0.2)
        assert client.query("SELECT count() FROM torn").result_rows == [(0,)]


def test_a_statement_is_cancelled_when_its_client_goes_away(own_store: StoreUnderTest) -> None:
    statement = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 42"
    counting = "SELECT count() FROM system.processes WHERE query LIKE '%= 42'"
    with closing(own_store.client()) as client:
        raw = socket.create_connection((own_store.host, own_store.port))
        raw.sendall(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
            % (len(statement), statement.encode())
        )
        wait_for(lambda: client.query(counting).result_rows == [(1,)])
        raw.close()
        wait_for(lambda: client.query(counting).result_rows == [(0,)])


def wait_for(condition: object, seconds: float = 10.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def test_a_slow_statement_holds_up_neither_ping_nor_insert(own_store: StoreUnderTest) -> None:
    with closing(own_store.client()) as slow, closing(own_store.client()) as quick:
        quick.command("CREATE TABLE IF NOT EXISTS quick (n Int32) ENGINE = MergeTree ORDER BY n")
        statement = "SELECT sleepEachRow(1) FROM numbers(20) SETTINGS max_block_size = 1"
        running = threading.Thread(target=query_until_killed, args=(slow, statement))
        running.start()
        time.sleep(0.1)
        assert quick.ping()
        quick.insert("quick", [[1]], ["n"])
        assert quick.query("SELECT count() FROM quick").result_rows == [(1,)]
        assert running.is_alive()
        quick.command("KILL QUERY WHERE query LIKE 'SELECT sleepEachRow%'")
        running.join()


def query_until_killed(client: Client, statement: str) -> None:
    with pytest.raises(DatabaseError, match="394"):
        client.query(statement)


def test_what_is_not_http_ends_the_connection_and_nothing_else(own_store: StoreUnderTest) -> None:
    for noise in (b"\x00\x01\x02\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        with closing(socket.create_connection((own_store.host, own_store.port))) as raw:
            raw.settimeout(5)
            raw.sendall(noise)
            assert raw.recv(20).startswith(b"HTTP/1.1 400")
    assert guest(own_store, "SELECT 1")[0] == 200


def test_a_second_owner_of_the_directory_is_told_who_has_it(own_store: StoreUnderTest) -> None:
    command = [sys.executable, "-m", "laddstream.embedded.store", "--home", str(own_store.home)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 2
    assert f"in use by process {own_store.pid} at {own_store.url}" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_said(own_store: StoreUnderTest, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "laddstream.embedded.store"]
    command += ["--home", str(tmp_path), "--port", str(own_store.port)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 2
    assert f"port {own_store.port} for the store is taken" in second.stderr


def test_acknowledged_rows_survive_sigkill_in_the_middle_of_inserts(tmp_path: Path) -> None:
    """Three lives in one home: each is killed while it inserts; no batch is lost or doubled.

    What was not acknowledged is inserted again, as the worker does it: onto the same keys.
    """
    acknowledged = 0
    for life in range(3):
        with store_process(tmp_path) as (process, found), closing(found.client()) as client:
            client.command(
                "CREATE TABLE IF NOT EXISTS kept (batch Int64, n Int64)"
                " ENGINE = ReplacingMergeTree ORDER BY (batch, n)"
                " SETTINGS non_replicated_deduplication_window = 1000"
            )
            threading.Timer(0.4, process.send_signal, (signal.SIGKILL,)).start()
            acknowledged = insert_until_killed(client, acknowledged)
            assert process.wait(10) == -signal.SIGKILL, life
    with store_process(tmp_path) as (_, found), closing(found.client()) as client:
        counts = client.query("SELECT batch, count() FROM kept FINAL GROUP BY batch ORDER BY batch")
        assert acknowledged > 0
        assert [row for row in counts.result_rows if row[0] < acknowledged] == [
            (batch, 1000) for batch in range(acknowledged)
        ]
        assert all(row[1] == 1000 for row in counts.result_rows), "half a batch"


def insert_until_killed(client: Client, batch: int) -> int:
    """The first batch that was not acknowledged."""
    try:
        while True:
            rows = [[batch, n] for n in range(1000)]
            client.insert("kept", rows, ["batch", "n"], settings=PINNED)
            batch += 1
    except (ClickHouseError, OSError):
        return batch


def test_tables_in_the_default_database_stay_over_restarts(tmp_path: Path) -> None:
    for life in range(3):
        with store_process(tmp_path) as (_, found), closing(found.client()) as client:
            client.command(
                "CREATE TABLE IF NOT EXISTS `my ``table` (n Int32) ENGINE = MergeTree ORDER BY n"
            )
            client.command(f"INSERT INTO `my ``table` VALUES ({life})")
            rows = client.query("SELECT count() FROM `my ``table`").result_rows
            assert rows == [(life + 1,)]


def test_it_says_where_it_runs_and_takes_that_back(tmp_path: Path) -> None:
    with store_process(tmp_path) as (process, found):
        said = json.loads((tmp_path / "run" / "store.json").read_text())
        assert (said["pid"], said["address"]) == (process.pid, f"127.0.0.1:{found.port}")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not (tmp_path / "run" / "store.json").exists()
    assert not os.path.lexists(tmp_path / "run" / ".store.json")
