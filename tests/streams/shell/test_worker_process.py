"""Worker processes on real brokers: killed, joined, cut off from the sink, stopped, stuck.

The oracle is what the processes wrote down: every offset of every partition at least once,
and never a committed offset beyond what was written.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.kafka.brokers import Broker
from tests.streams.shell import topics

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
PARTITIONS = range(8)


@dataclass
class Crew:
    """Workers of one group on one topic, and what they wrote."""

    broker: Broker
    folder: Path
    topic: str
    dead_letters: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, **env: str) -> subprocess.Popen[bytes]:
        settings = {
            "LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS": self.broker.bootstrap,
            "LADDSTREAM_KAFKA__EVENTS_TOPIC": self.topic,
            "LADDSTREAM_KAFKA__DEAD_LETTER_TOPIC": self.dead_letters,
            "LADDSTREAM_KAFKA__PAYMENTS_TOPIC": "",
            "LADDSTREAM_KAFKA__GROUP": self.topic,
            "LADDSTREAM_KAFKA__SESSION_TIMEOUT_S": "6" if self.broker.kind == "apache" else "2",
        }
        command = [sys.executable, "-m", "tests.streams.shell.recorder", str(self.folder), name]
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **settings, **env}, stderr=log, stdout=log
            )
        self.processes[name] = process
        return process

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait(10)

    def stop(self, name: str) -> int:
        self.processes[name].send_signal(signal.SIGTERM)
        return self.processes[name].wait(30)

    def switch(self, trouble: str, *, on: bool) -> None:
        (self.folder / trouble).touch() if on else (self.folder / trouble).unlink()

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8")

    def written(self) -> dict[int, int]:
        """Per partition, how far from 0 on everything was written by somebody."""
        rows = [
            json.loads(line)
            for notes in self.folder.glob("*.notes")
            for line in notes.read_text("utf-8").splitlines(keepends=True)
            if line.endswith("\n")  # a killed writer leaves half a line
        ]
        reached = dict.fromkeys(PARTITIONS, 0)
        for partition, first, end, _ in sorted(rows):
            if first <= reached[partition]:
                reached[partition] = max(reached[partition], end)
        return reached

    def committed(self) -> dict[int, int]:
        return topics.committed(self.broker, self.topic, self.topic, PARTITIONS)


@pytest.fixture
def crew(broker: Broker, tmp_path: Path) -> Iterator[Crew]:
    topic = topics.create(broker, len(PARTITIONS))
    dead_letters = topics.create(broker, 1, f"{topic}.dlq")
    found = Crew(broker, tmp_path, topic, dead_letters)
    yield found
    for process in found.processes.values():
        process.kill()
        process.wait()


def until(condition: Callable[[], object], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def wrote_more_than(crew: Crew, records: int) -> bool:
    return sum(crew.written().values()) > records


def test_a_worker_killed_again_and_again_loses_nothing(crew: Crew) -> None:
    topics.fill(crew.broker, crew.topic, 200_000, 8, {"compression.type": "lz4"}, size=200)
    everything = dict.fromkeys(PARTITIONS, 25_000)

    for number in range(2 if crew.broker.kind == "apache" else 3):
        name = f"w{number}"
        crew.start(name, ACCEPT_S="0.1")
        before = sum(crew.written().values())
        until(partial(wrote_more_than, crew, before + 10_000))
        crew.kill(name)
        written, committed = crew.written(), crew.committed()
        assert all(committed[p] <= written[p] for p in PARTITIONS)
    assert sum(crew.written().values()) < 200_000
    crew.start("last")
    until(lambda: crew.committed() == everything)

    assert crew.written() == everything
    assert crew.stop("last") == 0


def test_workers_that_join_and_leave_leave_no_gap(crew: Crew) -> None:
    topics.fill(crew.broker, crew.topic, 100_000, 8, {"batch.num.messages": 500}, size=200)
    everything = dict.fromkeys(PARTITIONS, 12_500)

    crew.start("a", ACCEPT_S="0.6")
    until(lambda: sum(crew.written().values()) > 2_000)
    crew.start("b", ACCEPT_S="0.6")
    until((crew.folder / "b.notes").exists)
    crew.start("c", ACCEPT_S="0.6")
    until((crew.folder / "c.ready").exists)
    assert crew.stop("a") == 0
    until((crew.folder / "c.notes").exists)
    crew.kill("b")
    crew.switch("hurry", on=True)
    until(lambda: crew.committed() == everything, 60)

    assert crew.written() == everything
    assert crew.stop("c") == 0


def test_with_the_sink_down_nothing_is_committed_and_then_all_of_it(crew: Crew) -> None:
    topics.fill(crew.broker, crew.topic, 16_000, 8)
    crew.switch("down", on=True)
    crew.start("w", LADDSTREAM_WORKER__WATCHDOG_S="2")
    until(lambda: "paused" in crew.said("w"))
    time.sleep(2.5)  # longer than the watchdog waits
    assert crew.committed() == dict.fromkeys(PARTITIONS, 0)
    assert crew.processes["w"].poll() is None

    crew.switch("down", on=False)
    until(lambda: crew.committed() == dict.fromkeys(PARTITIONS, 2_000))

    assert crew.written() == dict.fromkeys(PARTITIONS, 2_000)
    assert crew.said("w").count("paused") == 1
    assert crew.said("w").count("reachable again") == 1


def test_a_clean_stop_commits_everything_that_was_written(crew: Crew) -> None:
    topics.fill(crew.broker, crew.topic, 80_000, 8, size=200)
    crew.start("w", ACCEPT_S="0.05")
    until(lambda: sum(crew.written().values()) > 5_000)

    assert crew.stop("w") == 0

    assert crew.committed() == crew.written()
    assert crew.said("w") == ""


@pytest.mark.parametrize("trouble", ["down", "hang"])
def test_a_stop_is_bounded_whatever_the_sink_does(tansu_crew: Crew, trouble: str) -> None:
    topics.fill(tansu_crew.broker, tansu_crew.topic, 800, 8)
    tansu_crew.switch(trouble, on=True)
    tansu_crew.start("w", STOP_S="1")
    until((tansu_crew.folder / "w.ready").exists)
    time.sleep(0.5)

    assert tansu_crew.stop("w") == 0

    assert "they will be read again" in tansu_crew.said("w")
    assert tansu_crew.committed() == dict.fromkeys(PARTITIONS, 0)


def test_a_second_signal_ends_at_once(tansu_crew: Crew) -> None:
    topics.fill(tansu_crew.broker, tansu_crew.topic, 800, 8)
    tansu_crew.switch("hang", on=True)
    worker = tansu_crew.start("w")
    until((tansu_crew.folder / "w.ready").exists)
    worker.send_signal(signal.SIGINT)
    time.sleep(0.3)
    worker.send_signal(signal.SIGINT)

    assert worker.wait(2) == 128 + signal.SIGINT


def test_the_watchdog_ends_a_worker_that_is_stuck(tansu_crew: Crew) -> None:
    topics.fill(tansu_crew.broker, tansu_crew.topic, 800, 8)
    tansu_crew.switch("hang", on=True)

    worker = tansu_crew.start("w", LADDSTREAM_WORKER__WATCHDOG_S="1.5")

    assert worker.wait(30) == 71
    assert "worker stalled: records wait" in tansu_crew.said("w")
    assert "in write" in tansu_crew.said("w")
    assert tansu_crew.committed() == dict.fromkeys(PARTITIONS, 0)


def test_an_error_nobody_foresaw_ends_the_worker_with_70_and_one_line(tansu_crew: Crew) -> None:
    topics.fill(tansu_crew.broker, tansu_crew.topic, 800, 8)
    tansu_crew.switch("poison", on=True)

    worker = tansu_crew.start("w")

    assert worker.wait(30) == 70
    assert tansu_crew.said("w").count("\n") == 1
    assert "ZeroDivisionError" in tansu_crew.said("w")
    assert tansu_crew.committed() == dict.fromkeys(PARTITIONS, 0)


def test_dead_letters_arrive_with_their_bytes_and_headers(crew: Crew) -> None:
    out = topics.producer(crew.broker)
    out.produce(crew.topic, b"dead", key=b"k", partition=5)
    out.produce(crew.topic, b"alive", partition=5)
    out.flush(20)
    crew.start("w")
    until(lambda: crew.committed()[5] == 2)

    reader = Consumer(
        {
            "bootstrap.servers": crew.broker.bootstrap,
            "group.id": f"{crew.topic}-reader",
        }
    )
    reader.assign([TopicPartition(crew.dead_letters, 0, 0)])
    try:
        letter = reader.poll(20)
    finally:
        reader.close()

    assert letter is not None
    assert (letter.key(), letter.value()) == (b"k", b"dead")
    assert letter.headers() == [("reason", b"test")]


@pytest.fixture
def tansu_crew(tansu_broker: Broker, tmp_path: Path) -> Iterator[Crew]:
    topic = topics.create(tansu_broker, len(PARTITIONS))
    found = Crew(tansu_broker, tmp_path, topic, topics.create(tansu_broker, 1, f"{topic}.dlq"))
    yield found
    for process in found.processes.values():
        process.kill()
        process.wait()
