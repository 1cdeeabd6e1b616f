"""A whole pipeline for a test: started, fed, killed, asked and stopped through its own commands."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from laddstream.embedded.process import Running, alive, all_running, running
from laddstream.kafka_offsets import Offsets, lags
from laddstream.migrate import address_of
from laddstream.services import kafka_bootstrap
from laddstream.settings import Settings
from laddstream.wait import wait
from reports.query import Parameter, connect
from tests.kafka.brokers import free_ports

ROOT = Path(__file__).parents[2]
COMMAND_S = 90.0
SETTLE_S = 90.0
KILLING_S = 150.0
TRACEBACK = "Traceback (most recent call last)"

FIGURES: dict[str, str] = {
    "sessions": "updated_at, version",
    "session_slices": "updated_at, version",
    "session_charges": "updated_at, version",
    "meter_curve": "",
    "set_aside_sessions": "",
    "missing_energy": "",
    "facts": "",
    "status_events": "",
    "events": "received_at, message_id, offline, gateway, kafka_topic, kafka_partition, "
    "kafka_offset, kafka_index, ingested_at",
    "dead_letters": "dead_letter_id, kafka_partition, kafka_offset, at",
}
"""Views of mart, and what in them tells of one arrival: when, in which record, as what version."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One SIGKILL: whom it met, and how many records of its partitions it had yet to commit."""

    pid: int
    lag: int


@dataclass(slots=True)
class Pipeline:
    """The processes of one home. An empty `bootstrap` is the stack's own broker."""

    home: Path
    bootstrap: str = ""
    suffix: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What every command of this home sees; nothing of the caller's own settings."""
        own = {name: value for name, value in os.environ.items() if "LADDSTREAM_" not in name}
        kafka = {
            "BOOTSTRAP_SERVERS": self.bootstrap,
            "EVENTS_TOPIC": f"charging.events{self.suffix}",
            "DEAD_LETTER_TOPIC": f"charging.events.dlq{self.suffix}",
            "PAYMENTS_TOPIC": f"charging.payments{self.suffix}",
            "GROUP": f"laddstream{self.suffix}",
        }
        named = {f"LADDSTREAM_KAFKA__{name}": value for name, value in kafka.items()}
        return own | named | {"LADDSTREAM_HOME": str(self.home)} | self.extra

    @property
    def settings(self) -> Settings:
        """The same as settings of this process."""
        env = self.environment
        return Settings.model_validate(
            {
                "home": self.home,
                "kafka": {
                    name: env[f"LADDSTREAM_KAFKA__{name.upper()}"]
                    for name in (
                        "bootstrap_servers",
                        "events_topic",
                        "dead_letter_topic",
                        "payments_topic",
                        "group",
                    )
                },
            }
        )

    @property
    def broker(self) -> str:
        """`host:port` of the Kafka in use."""
        return kafka_bootstrap(self.settings)

    # commands -----------------------------------------------------------------------------

    def begin(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a `laddstream` command; `finish` ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "laddstream", *map(str, arguments)],
            cwd=ROOT, env=self.environment, text=True, encoding="utf-8",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments: str | Path, code: int = 0) -> str:
        """What a command says, once it has ended with that exit code."""
        return finish(self.begin(*arguments), code)

    def ask_json(self, *arguments: str | Path, code: int = 0) -> Any:
        """The same of a command that speaks JSON."""
        return json.loads(self.run(*arguments, "--json", code=code))

    # state --------------------------------------------------------------------------------

    def workers(self) -> list[Running]:
        """The living workers."""
        return [one for one in all_running(self.home / "run") if one.name.startswith("worker-")]

    def store(self) -> Running | None:
        """The store's process, if it lives."""
        return running(self.home / "run", "store")

    def lag(self) -> int:
        """Records that are published and not committed."""
        kafka = self.settings.kafka
        return sum(one.lag for one in lags(self.broker, kafka.events_topic, kafka.group))

    def rows(self, statement: str, **parameters: Parameter) -> list[tuple[Any, ...]]:
        """The answer of the store."""
        with closing(connect(address_of(self.settings))) as store:
            return [tuple(row) for row in store.fetch(statement, parameters).data]

    def assignments(self) -> dict[int, set[int]]:
        """The partitions of events that each worker process said in mart to read from."""
        events = f"{self.settings.kafka.events_topic}-"
        found = self.rows("SELECT worker_id, mapKeys(positions) FROM mart.worker_status")
        return {
            int(worker.rpartition("-")[2]): {
                int(name.removeprefix(events)) for name in names if name.startswith(events)
            }
            for worker, names in found
        }

    def settle(self) -> None:
        """Wait until everything published is processed and written."""
        end = wait(self.settings, SETTLE_S, lambda _: None)
        assert end.done, f"after {SETTLE_S:.0f} s: {end}\n{self.log('up')[-2000:]}"

    def digest(self) -> dict[str, tuple[int, str]]:
        """Rows of every view of mart, and a hash over all its figures in order."""
        found = {}
        for view, moving in FIGURES.items():
            chosen = f"* EXCEPT ({moving})" if moving else "*"
            rows = self.rows(f"SELECT {chosen} FROM mart.{view} ORDER BY ALL")
            found[view] = (len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
        return found

    def log(self, name: str) -> str:
        """What a process of the stack has said."""
        path = self.home / "logs" / f"{name}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""


@contextmanager
def pipeline(
    home: Path, bootstrap: str = "", *, workers: int = 1, **extra: str
) -> Iterator[Pipeline]:
    """A running stack; afterwards nothing of it runs, and nobody has logged a traceback."""
    suffix = f".{home.name}" if bootstrap else ""
    stack = Pipeline(home, bootstrap, suffix, {f"LADDSTREAM_{k}": v for k, v in extra.items()})
    store, broker = map(str, free_ports(2))
    ports = ("--port-store", store, "--port-broker", broker)
    started: list[Running] = []
    try:
        stack.run("up", "--detach", "--workers", str(workers), *ports)
        started = all_running(home / "run")
        yield stack
    finally:
        started += all_running(home / "run")
        stack.run("down")
    assert [one.name for one in started if alive(one)] == []
    for path in sorted((home / "logs").iterdir()):
        assert TRACEBACK not in stack.log(path.stem), f"{path}:\n{stack.log(path.stem)[-3000:]}"


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """What a command printed; it must end in time, with that exit code and no traceback."""
    try:
        out, err = process.communicate(timeout=COMMAND_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    assert process.returncode == code, (process.args, process.returncode, out[-2000:], err[-2000:])
    assert TRACEBACK not in out + err
    return out


class Feed:
    """Commands that publish, one after another, while something else happens."""

    def __init__(self, stack: Pipeline, commands: Sequence[Sequence[str | Path]]) -> None:
        self._stack = stack
        self._commands = list(commands)
        self._current: subprocess.Popen[str] | None = None

    def go_on(self) -> None:
        """Start the next command where the last one has ended."""
        if self._current is not None and self._current.poll() is None:
            return
        self._end_current()
        if self._commands:
            self._current = self._stack.begin(*self._commands.pop(0))

    def rest(self) -> list[Sequence[str | Path]]:
        """End the command that runs; gives those that were never started."""
        self._end_current()
        left, self._commands = self._commands, []
        return left

    def _end_current(self) -> None:
        if self._current is not None:
            process, self._current = self._current, None
            finish(process)


def kill_workers_at_work(stack: Pipeline, times: int, feed: Feed, seed: int) -> list[Kill]:
    """SIGKILL workers, each while records of its own partitions wait for it.

    Moments are seeded: between reading, writing and committing, wherever they fall.
    """
    chance = random.Random(seed)
    kills: list[Kill] = []
    kafka = stack.settings.kafka
    until = time.monotonic() + KILLING_S
    with closing(Offsets(stack.broker, kafka.events_topic, kafka.group)) as offsets:
        while len(kills) < times:
            assert time.monotonic() < until, f"{kills} in {KILLING_S} s\n{stack.log('up')[-2000:]}"
            owned = stack.assignments()
            killed = {kill.pid for kill in kills}
            victims = [one for one in stack.workers() if one.pid in owned.keys() - killed]
            if victims:
                feed.go_on()
            for victim in victims[: times - len(kills)]:
                time.sleep(chance.uniform(0.0, 0.4))
                waiting = {one.partition: one.lag for one in offsets.read()}
                lag = sum(waiting[number] for number in owned[victim.pid])
                if lag and alive(victim):
                    os.kill(victim.pid, signal.SIGKILL)
                    kills.append(Kill(victim.pid, lag))
            time.sleep(0.05)
    return kills
