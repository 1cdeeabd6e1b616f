"""The reading and operating commands as a user runs them, on an embedded store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from laddstream.cli import operations, report
from laddstream.kafka_offsets import PartitionLag, lags
from laddstream.wait import ALIVE_S, Worker, judge
from producers.kafka import EventProducer, create_topics
from reports.query import Address
from schemas.errors import LaddstreamError, UnavailableError, UserError
from tests.kafka.brokers import Broker
from tests.sql.mart_store import insert, mart_address, session, session_id, slice_of

__all__ = ["mart_address"]
TENANT = "cli"


def cli(*words: str) -> Result:
    app = typer.Typer()
    for group in (report, operations):
        group.register(app)
    return CliRunner().invoke(app, list(words))


def said(*words: str) -> Any:
    result = cli(*words)
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def refused(*words: str) -> LaddstreamError:
    error = cli(*words).exception
    assert isinstance(error, LaddstreamError), error
    return error


@pytest.fixture
def stack(mart_address: Address, monkeypatch: pytest.MonkeyPatch) -> Address:
    """The environment of someone who uses this store."""
    monkeypatch.setenv("LADDSTREAM_CLICKHOUSE__URL", mart_address.url)
    monkeypatch.setenv("LADDSTREAM_CLICKHOUSE__PASSWORD", mart_address.password)
    monkeypatch.setenv("LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("COLUMNS", "80")
    insert(mart_address, "sessions", session(TENANT, "a"))
    insert(mart_address, "session_slices", slice_of(TENANT, "a", "2026-03-02 10:00:00"))
    return mart_address


@pytest.fixture
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDSTREAM_HOME", str(tmp_path))


@pytest.mark.usefixtures("nothing_runs")
def test_reports_are_listed_without_any_service() -> None:
    listed = said("report", "--format", "json")
    assert {"name", "title", "about", "by", "basis"} == set(listed[0])
    text = cli("report").stdout
    assert all(one["name"] in text for one in listed)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize(
    "words",
    [("report", "energy"), ("sql", "SELECT 1"), ("lag",), ("wait",), ("migrate",), ("dlq", "list")],
)
def test_what_does_not_run_is_said_with_exit_code_3(words: tuple[str, ...]) -> None:
    error = refused(*words)
    assert isinstance(error, UnavailableError)
    assert error.exit_code == 3
    assert "laddstream up" in str(error)


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
def test_a_report_in_every_format_and_into_a_file(tmp_path: Path) -> None:
    words = ("report", "energy", "--tenant", TENANT, "--basis", "completion", "--by", "month")
    rows = said(*words, "--format", "json")
    assert rows[0]["period"] == "2026-03"
    assert rows[0]["energy_kwh"] == 10
    out = tmp_path / "energy.csv"
    assert cli(*words, "--format", "csv", "--out", str(out)).stdout == ""
    assert out.read_text().splitlines()[1].startswith("2026-03,1,10,6.25,5,SEK,")
    assert "2026-03" in cli(*words).stdout


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    error = refused("report", "energy", "--out", str(tmp_path / "no" / "x.csv"))
    assert "cannot be written" in str(error)


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
def test_sql_prints_exact_numbers_one_object_a_row() -> None:
    statement = "SELECT toDecimal128('12345678901234567.123456', 6) AS d, NULL AS n, 'ä' AS s"
    result = cli("sql", statement, "--format", "json")
    assert result.stdout == '[\n{"d":12345678901234567.123456,"n":null,"s":"ä"}\n]\n'
    assert cli("sql", statement + " ;", "-f", "csv").stdout == (
        "d,n,s\n12345678901234567.123456,,ä\n"
    )


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE x (a Int8) ENGINE = Memory",
     "INSERT INTO laddstream.stations (tenant) SELECT 'x'", "DROP TABLE laddstream.sessions",
     "SELEC 1", "SELECT * FROM nowhere", ""],
)  # fmt: skip
def test_sql_that_does_not_read_is_refused_in_one_sentence(statement: str) -> None:
    error = refused("sql", statement)
    assert isinstance(error, UserError)
    assert "\n" not in str(error)
    assert "Stack trace" not in str(error)


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
def test_all_of_a_session() -> None:
    wanted = session_id(f"{TENANT}/a")
    whole = said("session", wanted, "--json")
    assert set(whole) == {
        "session", "charges", "adjustments", "owed", "ledger", "payments", "invoiced", "slices",
        "curve", "events",
    }  # fmt: skip
    assert whole["session"]["energy_wh"] == 10000
    assert whole["slices"][0]["energy_wh"] == 2500
    text = cli("session", wanted).stdout
    assert wanted in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
@pytest.mark.parametrize("name", ["nope", session_id("unknown"), "'; DROP TABLE x"])
def test_a_session_that_is_not_there(name: str) -> None:
    assert isinstance(refused("session", name), UserError)


@pytest.mark.integration
def test_dead_letters_are_listed_and_shown(stack: Address) -> None:
    insert(stack, "dead_letters", {
        "kafka_topic": "cli.events", "kafka_partition": 1, "kafka_offset": 2, "kafka_index": -1,
        "reason": "not_json", "detail": "cut off", "head": "{[b]", "kafka_key": "cli/S1",
    })  # fmt: skip
    listed = said("dlq", "list", "--json")
    assert "cli.events-1-2" in [one["dead_letter_id"] for one in listed]
    assert "not_json" in cli("dlq", "list", "--reason", "not_json").stdout
    assert said("dlq", "show", "cli.events-1-2", "--json")[0]["head"] == "{[b]"
    assert "{[b]" in cli("dlq", "show", "cli.events-1-2").stdout
    assert isinstance(refused("dlq", "show", "x-1-1"), UserError)


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
def test_migrating_again_says_that_nothing_was_done() -> None:
    assert said("migrate", "--json") == {"changed": []}
    assert "up to date" in cli("migrate").stdout


@pytest.mark.usefixtures("stack")
@pytest.mark.integration
def test_doctor_names_every_fault_and_what_to_do() -> None:
    result = cli("doctor", "--json")
    assert result.exit_code == 1
    found = {check["name"]: check["ok"] for check in json.loads(result.stdout)}
    assert found["Kafka"] is False
    assert found["ClickHouse"] is found["schema"] is True
    assert found["workers"] is False


def test_configuration_is_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LADDSTREAM_CLICKHOUSE__PASSWORD", "hunter2-secret")
    for result in (cli("config", "show"), cli("config", "show", "--json")):
        assert "hunter2" not in result.stdout
    assert "LADDSTREAM_CLICKHOUSE__PASSWORD" in cli("config", "show").stdout
    assert said("config", "show", "--json")["kafka"]["group"] == "laddstream"


@pytest.mark.integration
def test_lag_is_what_the_group_has_not_committed(tansu_broker: Broker) -> None:
    servers, topic = tansu_broker.bootstrap, "lag.events"
    create_topics(servers, {topic: 3})
    assert [(p.partition, p.lag, p.committed) for p in lags(servers, topic, "lag")] == [
        (0, 0, None), (1, 0, None), (2, 0, None),
    ]  # fmt: skip
    # The embedded broker says where its last batch begins when asked where a partition ends.
    with EventProducer(servers, topic) as producer:
        for number in range(3000):
            producer.send_raw(b"lag/S%d" % (number % 50), b"x" * 100)
    found = lags(servers, topic, "lag")
    assert sum(p.lag for p in found) == sum(p.end for p in found) == 3000
    with pytest.raises(UnavailableError, match="no topic"):
        lags(servers, "no.such.topic", "lag")


def test_a_broker_that_is_away_is_said() -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        lags("127.0.0.1:1", "x", "y")


@pytest.mark.parametrize(
    ("partition", "lag", "lost"),
    [
        (PartitionLag(0, 0, 10, None), 10, False),
        (PartitionLag(0, 4, 10, None), 6, False),
        (PartitionLag(0, 0, 10, 7), 3, False),
        (PartitionLag(0, 0, 10, 10), 0, False),
        (PartitionLag(0, 0, 5, 10), 0, True),
        (PartitionLag(0, 8, 10, 5), 2, True),
    ],
)
def test_lag_and_loss_of_one_partition(partition: PartitionLag, lag: int, lost: bool) -> None:
    assert (partition.lag, partition.lost) == (lag, lost)


NOW = 1_000_000.0
DONE = [PartitionLag(0, 0, 10, 10)]
BEHIND = [PartitionLag(0, 0, 10, 3), PartitionLag(1, 0, 5, None)]


def worker(at: float, dirty: int = 0) -> Worker:
    return Worker(f"w{at}", at, dirty, 0)


@pytest.mark.parametrize(
    ("lag", "workers", "caught_up_at", "done", "words"),
    [
        (DONE, [worker(NOW)], NOW - 1, True, "everything is processed"),
        (BEHIND, [worker(NOW)], None, False, "12 records to read"),
        (DONE, [worker(NOW, 3)], NOW - 1, False, "3 sessions to write"),
        (DONE, [worker(NOW - 2)], NOW - 1, False, "1 of 1 workers to confirm"),
        (DONE, [worker(NOW), worker(NOW - 2)], NOW - 1, False, "1 of 2 workers to confirm"),
        (DONE, [worker(NOW), worker(NOW - ALIVE_S - 1, 9)], NOW - 1, True, "everything"),
        (DONE, [], NOW - 1, False, "no worker is running"),
        (BEHIND, [worker(NOW - 60)], None, False, "12 records to read, no worker is running"),
    ],
)
def test_waiting_ends_when_all_is_read_and_every_living_worker_says_so(
    lag: list[PartitionLag],
    workers: list[Worker],
    caught_up_at: float | None,
    done: bool,
    words: str,
) -> None:
    progress = judge(lag, workers, caught_up_at, NOW)
    assert progress.done is done
    assert str(progress).startswith(words)
