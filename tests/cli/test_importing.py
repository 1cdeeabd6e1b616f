"""`laddstream import` as a person meets it: what it publishes, counts, lists and answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from confluent_kafka import Consumer, Message, TopicPartition
from typer.testing import CliRunner, Result

from laddstream.cli import importing
from producers.kafka import create_topics
from schemas.cards import mask_text
from schemas.errors import MappingError, UnavailableError, UserError
from schemas.events import EVENT_ADAPTER
from schemas.topics import DLQ_HEADERS
from tests.kafka.brokers import Broker

MAPPING = """
name = "Test council"
zone = "Europe/London"
station = "CP ID"
start = "Start"
end = "End"
energy = "kWh"
"""
ROWS = """cp_id,start,end,kwh,site
A,2020-01-01 10:00,2020-01-01 11:00,7.5,x
A,2020-01-01 12:00,,,x
B,tomorrow,2020-01-01 11:00,1,x
B,2020-01-01 10:00,2020-01-01 11:00,many,x
"""
NOWHERE = {"LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "COLUMNS": "80"}


def laddstream(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    importing.register(app)
    return CliRunner().invoke(
        app, ["import", *map(str, arguments)], env=env or NOWHERE, standalone_mode=True
    )


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rows, mapping = tmp_path / "rows.csv", tmp_path / "council.toml"
    rows.write_text(ROWS)
    mapping.write_text(MAPPING)
    return rows, mapping


@pytest.fixture
def kafka(tansu_broker: Broker) -> dict[str, str]:
    """Settings that point at topics of this test's own."""
    name = f"import-{uuid4().hex[:12]}"
    create_topics(tansu_broker.bootstrap, {name: 2, f"{name}.dlq": 1})
    return {
        "LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS": tansu_broker.bootstrap,
        "LADDSTREAM_KAFKA__EVENTS_TOPIC": name,
        "LADDSTREAM_KAFKA__DEAD_LETTER_TOPIC": f"{name}.dlq",
        "COLUMNS": "80",
    }


def published(kafka: dict[str, str], topic: str = "EVENTS") -> list[Message]:
    def messages() -> Iterator[Message]:
        consumer = Consumer(
            {
                "bootstrap.servers": kafka["LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS"],
                "group.id": uuid4().hex,
                "enable.partition.eof": True,
            }
        )
        name = kafka[f"LADDSTREAM_KAFKA__{topic}_TOPIC"]
        open_ends = set(consumer.list_topics(name, timeout=10).topics[name].partitions)
        consumer.assign([TopicPartition(name, partition, 0) for partition in open_ends])
        while open_ends:
            message = consumer.poll(20)
            assert message is not None
            if message.error() is None:
                yield message
            else:
                open_ends.discard(message.partition() or 0)
        consumer.close()

    return list(messages())


def events(kafka: dict[str, str]) -> list[Any]:
    return [json.loads(message.value() or b"") for message in published(kafka)]


@pytest.mark.integration
def test_rows_are_published_counted_and_the_bad_ones_listed(
    files: tuple[Path, Path], kafka: dict[str, str]
) -> None:
    result = laddstream(files[0], "--mapping", files[1], "--tenant", "council", env=kafka)
    out = events(kafka)

    assert result.exit_code == 1
    assert [(each["station_id"], each["type"], each["timestamp"]) for each in out] == [
        ("A", "session_started", "2020-01-01T10:00:00.000Z"),
        ("A", "session_ended", "2020-01-01T11:00:00.000Z"),
        ("A", "session_started", "2020-01-01T12:00:00.000Z"),
    ]
    assert {each["tenant"] for each in out} == {"council"}
    assert "rows.csv line 4: 'Start' 'tomorrow' is in none of the formats 'iso'" in result.stderr
    assert "rows.csv line 5: 'kWh' 'many' is not a number" in result.stderr
    counts = dict(line.rsplit(maxsplit=1) for line in result.stdout.splitlines()[1:])
    assert {name.strip(): int(count) for name, count in counts.items()} == {
        "rows read": 4,
        "sessions": 2,
        "without an end: only their start is known": 1,
        "ended with no energy stated": 0,
        "rows that repeat another row": 0,
        "rows left out by the mapping": 0,
        "rows rejected": 2,
        "events acknowledged by Kafka": 3,
    }


@pytest.mark.integration
def test_what_is_printed_as_json_says_the_same(
    files: tuple[Path, Path], kafka: dict[str, str], tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    result = laddstream(files[0], "-m", files[1], "--json", "--rejects", rejects, env=kafka)
    outcome = json.loads(result.stdout)

    assert (outcome["rows"], outcome["sessions"], outcome["acknowledged"]) == (4, 2, 3)
    assert [(each["line"], each["column"]) for each in outcome["rejected"]] == [
        (4, "Start"),
        (5, "kWh"),
    ]
    assert [line.split(",")[:3] for line in rejects.read_text().splitlines()] == [
        ["file", "line", "column"],
        ["rows.csv", "4", "Start"],
        ["rows.csv", "5", "kWh"],
    ]


def test_a_dry_run_counts_without_any_broker(files: tuple[Path, Path]) -> None:
    result = laddstream(files[0], "-m", files[1], "--dry-run", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout) | {"rejected": []} == {
        "rows": 4,
        "sessions": 2,
        "without_end": 1,
        "without_energy": 0,
        "repeated": 0,
        "skipped": {},
        "rejected": [],
        "clashes": [],
        "events": 3,
        "acknowledged": 0,
        "refused": {},
    }


def test_explain_shows_cells_events_and_unused_columns_within_80_columns(
    files: tuple[Path, Path],
) -> None:
    result = laddstream(files[0], "-m", files[1], "--explain", "--rows", "3")

    assert result.exit_code == 0
    assert "rows.csv line 2" in result.stdout
    assert "2020-01-01T11:00:00.000Z  session_ended\n      meter_stop_wh 7500" in result.stdout
    assert "→ rejected: Start: 'tomorrow' is in none of the formats 'iso'" in result.stdout
    assert "line 5" not in result.stdout
    assert result.stdout.endswith("Columns the mapping does not use: site\n")
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_explain_as_json_holds_events_of_the_contract(files: tuple[Path, Path]) -> None:
    result = laddstream(files[0], "-m", files[1], "--explain", "--json", "--rows", "4")
    explained = json.loads(result.stdout)

    assert [len(row["events"]) for row in explained["rows"]] == [2, 1, 0, 0]
    assert explained["rows"][0]["cells"]["CP ID"] == "A"
    assert explained["unused"] == ["site"]
    for row in explained["rows"]:
        for event in row["events"]:
            EVENT_ADAPTER.validate_python(event)


def test_a_shipped_mapping_is_named_without_a_path(tmp_path: Path) -> None:
    path = tmp_path / "pk.csv"
    path.write_text(
        "_id,CP ID,Connector,Start Date,Start Time,End Date,End Time,Total kWh,Site,Model\n"
        "1,51519,2,2018-08-31T00:00:00,22:48,2018-08-31T00:00:00,22:58,2.78,Broxden,APT\n"
    )
    result = laddstream(path, "-m", "perth_kinross", "--dry-run", "--json")

    assert (result.exit_code, json.loads(result.stdout)["sessions"]) == (0, 1)


def test_rows_without_a_mapping_are_refused_with_what_to_do(files: tuple[Path, Path]) -> None:
    assert isinstance(laddstream(files[0]).exception, UserError)
    assert isinstance(laddstream(files[0], "-m", "nonsense").exception, MappingError)
    assert isinstance(laddstream(files[0], "-m", files[1], "-f", "events").exception, UserError)


def test_a_broker_that_is_not_there_is_said_in_one_sentence(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "ANSWER_S", 0.5)
    error = laddstream(files[0], "-m", files[1]).exception

    assert isinstance(error, UnavailableError)
    assert str(error).startswith("Kafka at 127.0.0.1:1 does not answer")


@pytest.mark.integration
def test_event_files_go_out_untouched(kafka: dict[str, str], tmp_path: Path) -> None:
    lines = [
        b'{"type":"session_started","tenant":"t","station_id":"S","x":1}',
        b"\xff not json",
        b'[{"tenant":"t","station_id":"S"},{"tenant":"t","station_id":"S"}]',
    ]
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(lines))
    result = laddstream(path, "--format", "events", "--json", env=kafka)

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "lines": 3,
        "without_station": 1,
        "acknowledged": 3,
        "refused": {},
    }
    assert {(each.key(), each.value()) for each in published(kafka)} == {
        (b"t/S", lines[0]),
        (None, lines[1]),
        (b"t/S", lines[2]),
    }


@pytest.mark.integration
def test_every_frame_of_a_log_is_accounted_for(kafka: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    start = {"connectorId": 1, "idTag": "A", "meterStart": 5, "timestamp": "2026-01-01T10:00:00Z"}
    answer = {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
    call = [2, "1", "StartTransaction", start]
    lines = [
        json.dumps({"station": "S", "dir": "cp->csms", "frame": call}),
        json.dumps({"station": "S", "dir": "csms->cp", "frame": [3, "1", answer]}),
        '{"station": "S", "frame": [2, "2", "Heartbeat", {}]}',
        '{"station": "S", "raw": "[2, \\"3\\", \\"Meter"}',
        "\udcff broken",
    ]
    log.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    result = laddstream(log, "-f", "ocpp-log", "--json", env=kafka)
    outcome = json.loads(result.stdout)
    letters = published(kafka, "DEAD_LETTER")

    assert result.exit_code == 0
    assert outcome["frames"] == 5
    assert outcome["frames_with_events"] == 1
    assert sum(outcome["ignored"].values()) == 2
    assert sum(outcome["dead_lettered"].values()) == 2
    assert Counter(each["type"] for each in events(kafka)) == {"session_started": 1}
    assert [each.value() for each in letters] == log.read_bytes().split(b"\n")[3:]
    headers = dict(letters[0].headers() or [])
    assert list(headers) == list(DLQ_HEADERS)
    assert (headers["source_topic"], headers["source_offset"]) == (b"file:log.jsonl", b"4")


def test_a_log_of_which_nothing_can_be_read_answers_no(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"frame": [2, "1", "Heartbeat", {}]}\n')

    assert laddstream(log, "-f", "ocpp-log", "--dry-run").exit_code == 1
    assert laddstream(log, "-f", "ocpp-log", "--dry-run", "--station", "S").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [["--dry-run"], ["--dry-run", "--json"], ["--explain"], ["--explain", "--json"]],
    ids=" ".join,
)
def test_no_card_number_of_a_file_is_shown_or_written(tmp_path: Path, arguments: list[str]) -> None:
    rows, mapping, rejects = (tmp_path / name for name in ("r.csv", "m.toml", "rejects.csv"))
    mapping.write_text(MAPPING + 'user = "Card"\ntransaction = "Tx"\n')
    rows.write_text(
        "CP ID,Start,End,kWh,Card,Tx,4012 8888 8888 1881\n"
        "A,2020-01-01 10:00,2020-01-01 11:00,7.5,4111111111111111,5555555555554444,x\n"
        "A,2020-01-01 12:00,371449635398431,1,x,y,x\n"
        "A,2020-01-01 12:00,2020-01-01 13:00,3530111333300000,x,y,x\n"
    )
    more: list[str | Path] = ["--rejects", rejects] if "--dry-run" in arguments else []

    outcome = laddstream(rows, "--mapping", mapping, *arguments, *more)

    told = outcome.output + (rejects.read_text() if more else "")
    assert "***********8431" in told
    assert mask_text(told)[1] == 0


def test_no_card_number_of_a_log_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "frames.jsonl"
    frame = [2, "1", "Pay4111111111111111", {}]
    line = {"station": "S", "dir": "cp->csms", "received_at": "2026-03-01T12:00:00Z"}
    log.write_text(json.dumps(line | {"frame": frame}) + '\n"4111111111111111\n')

    for more in ([], ["--json"]):
        outcome = laddstream(log, "--format", "ocpp-log", "--dry-run", *more)
        assert "Pay************1111" in outcome.output
        assert mask_text(outcome.output)[1] == 0
