"""What every benchmark needs of the machine: a throw-away stack, CPU of processes, topics."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = Path(__file__).parents[1]
PARTITIONS = 4
_JIFFIES = os.sysconf("SC_CLK_TCK")
_PATIENCE_S = 60.0


def say(text: str) -> None:
    """One line of progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, in steps of a hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _JIFFIES


def memory_mb(pid: int | str = "self", *, peak: bool = False) -> float:
    """Resident memory of a process, now or at its highest."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:" if peak else "VmRSS:")[2].split()[0]) / 1024


def about() -> dict[str, Any]:
    """Processor, cores, Python: beside every figure."""
    words = Path("/proc/cpuinfo").read_text().partition("model name")[2].splitlines()
    return {
        "processor": words[0].lstrip("\t :") if words else platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


@dataclass(frozen=True, slots=True)
class Stack:
    """A home with a store, and a broker, its own or another's."""

    home: Path
    environment: Mapping[str, str]
    broker: str
    events_topic: str

    @property
    def store_pid(self) -> int:
        """The embedded store's process."""
        found: int = json.loads((self.home / "run" / "store.json").read_text())["pid"]
        return found

    def laddstream(self, *arguments: str) -> str:
        """What one of the product's commands prints; ends the benchmark where it fails."""
        command = [sys.executable, "-m", "laddstream", *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Rows of one reading statement."""
        rows: list[dict[str, Any]] = json.loads(self.laddstream("sql", query, "--format", "json"))
        return rows


@contextmanager
def stack(kafka: str = "") -> Iterator[Stack]:
    """A stack without workers in a throw-away home, gone afterwards; on `kafka` where given."""
    home = Path(tempfile.mkdtemp(prefix="laddstream-bench-"))
    names = {
        kind: f"bench.{kind}.{time.time_ns() // 1_000_000}"
        for kind in ("events", "payments", "dlq")
    }
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("LADDSTREAM_")},
        "PYTHONPATH": str(ROOT),
        "LADDSTREAM_HOME": str(home),
        "LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "LADDSTREAM_KAFKA__PARTITIONS": str(PARTITIONS),
        "LADDSTREAM_KAFKA__GROUP": names["events"],
        "LADDSTREAM_KAFKA__EVENTS_TOPIC": names["events"],
        "LADDSTREAM_KAFKA__PAYMENTS_TOPIC": names["payments"],
        "LADDSTREAM_KAFKA__DEAD_LETTER_TOPIC": names["dlq"],
    }
    found = Stack(home, environment, kafka, names["events"])
    try:
        found.laddstream("up", "--detach", "--workers", "0")
        own = home / "run" / "broker.json"
        broker = kafka or json.loads(own.read_text())["address"]
        yield Stack(home, environment, broker, names["events"])
    finally:
        found.laddstream("down")
        shutil.rmtree(home, ignore_errors=True)
        if kafka:
            _delete(kafka, list(names.values()))


@contextmanager
def apache() -> Iterator[str]:
    """The address of a real Kafka of our own: ../shared/kafka, which needs Java 17 and Maven."""
    script = ROOT.parent / "shared" / "kafka" / "kafka.sh"
    if not script.exists():
        raise SystemExit(f"{script} is not there: name a Kafka with --kafka HOST:PORT")
    directory = tempfile.mkdtemp(prefix="laddstream-kafka-")
    address = f"127.0.0.1:{free_port()}"
    try:
        subprocess.run(["bash", script, "start", directory, address.rpartition(":")[2]], check=True)
        yield address
    finally:
        subprocess.run(["bash", script, "stop", directory], check=False)
        time.sleep(1.0)
        shutil.rmtree(directory, ignore_errors=True)


def free_port(first: int = 19_092) -> int:
    """A port nobody listens on, nor on the next, which is a Kafka controller's."""
    for port in range(first, first + 200, 2):
        with socket.socket() as one, socket.socket() as two:
            try:
                for probe, number in ((one, port), (two, port + 1)):
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
    raise SystemExit("no free port for Kafka")


def child(
    module: str, *arguments: object, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The JSON object in the last line a module of ours prints, run in a process of its own."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise SystemExit(f"{module} ended with {done.returncode}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(lines[-1])
    return result


@contextmanager
def topic(bootstrap: str, name: str) -> Iterator[str]:
    """A topic of this run alone, by a name that begins so; deleted where the broker can."""
    full = f"bench.{name}.{time.time_ns() // 1_000_000}"
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(full, PARTITIONS, 1)])[full].result(_PATIENCE_S)
    try:
        yield full
    finally:
        _delete(bootstrap, [full])


def _delete(bootstrap: str, names: list[str]) -> None:
    """What the broker makes of it does not matter: a broker of our own ends anyway."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for future in admin.delete_topics(names).values():
        future.exception(_PATIENCE_S)


def load(bootstrap: str, name: str, records: Iterable[tuple[bytes, bytes]]) -> int:
    """Publish keys and values, compressed, in large batches; gives how many the broker took."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "lz4",
            "linger.ms": 50,
            "batch.size": 1_000_000,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "queue.buffering.max.messages": 200_000,
        }
    )
    sent = 0
    for key, value in records:
        while True:
            try:
                producer.produce(name, value, key)
                break
            except BufferError:
                producer.poll(0.05)
        sent += 1
        if sent % 1_000 == 0:
            producer.poll(0)
    if producer.flush(_PATIENCE_S):
        raise SystemExit(f"the broker at {bootstrap} did not take all records")
    return sent


class Committed:
    """How far a group is in a topic; asks the coordinator, is no member. Close it."""

    def __init__(self, bootstrap: str, name: str, group: str) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0}
        )
        self._wanted = [TopicPartition(name, number) for number in range(PARTITIONS)]

    def records(self) -> int:
        """Records before the committed offsets of all partitions."""
        found = self._consumer.committed(self._wanted, timeout=_PATIENCE_S)
        return sum(max(0, each.offset) for each in found)

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()
