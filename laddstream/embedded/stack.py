"""The supervisor: store, broker and workers as processes of one home, started, watched, stopped.

    python -m laddstream.embedded.stack [--workers N] [--port-store P] [--port-broker P]

The order is store, broker, topics, migrations, workers; they are stopped the other way round.
What ends by itself is started again with growing pauses. When the supervisor goes, even by
SIGKILL, the kernel ends its children (`process.dies_with_parent`).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from laddstream.embedded import broker
from laddstream.embedded.launch import SUPERVISOR, Plan, environment, refuse_second
from laddstream.embedded.process import (
    LOOPBACK,
    announce,
    choose_port,
    dies_with_parent,
    lock,
    note,
    withdraw,
)
from laddstream.embedded.store import DEFAULT_PORT as STORE_PORT
from laddstream.settings import Settings
from schemas.errors import LaddstreamError, UnavailableError, UserError

START_S = 60.0
"""How long a service may take until it answers."""
STOP_S: Mapping[str, float] = {"worker": 20.0, "broker": 10.0, "store": 20.0}
"""How long a service may take to end after SIGTERM, before SIGKILL."""
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Before a service that ended is started again; from the beginning after a minute of life."""
_HEALTHY_S = 60.0
_POLL_S = 0.25
_LOG_LIMIT = 10 * 2**20

Say = Callable[[str], None]


@dataclass(slots=True)
class Service:
    """One process that is kept running."""

    name: str
    argv: list[str]
    address: str = ""
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    failures: int = 0
    again_at: float = 0.0

    @property
    def kind(self) -> str:
        """`worker-0` is a worker."""
        return self.name.partition("-")[0]


@dataclass(slots=True)
class Stack:
    """The processes of one home; `up` starts them, `watch` keeps them, `down` stops them."""

    settings: Settings
    plan: Plan
    say: Say
    services: list[Service] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def home(self) -> Path:
        """The directory everything lives in."""
        return self.settings.home_dir

    def up(self) -> None:
        """Start everything; raises LaddstreamError where something does not come up."""
        if not self.settings.clickhouse.url:
            self._start_store()
        if not self.settings.kafka.bootstrap_servers:
            self._start_broker()
        bootstrap = self.settings.kafka.bootstrap_servers or self._service("broker").address
        broker.create_topics(self.settings, bootstrap)
        # Imported here: it needs a ClickHouse client, which a supervisor at work does not.
        from laddstream.migrate import migrate  # noqa: PLC0415

        changed = migrate(self.settings)
        if changed:
            self.say(f"schema: {len(changed)} migrations and views brought up to date")
        for number in range(self.plan.workers):
            argv = [sys.executable, "-m", "laddstream", "worker"]
            self._spawn(self._add(Service(f"worker-{number}", argv)))
        self.say(f"workers: {self.plan.workers}")

    def watch(self) -> None:
        """Start again what ends, until `stop` is set."""
        while not self.stop.wait(_POLL_S):
            for service in self.services:
                self._keep(service)

    def down(self) -> None:
        """Stop everything, workers first; what does not end in time is killed."""
        for kind in ("worker", "broker", "store"):
            group = [s for s in self.services if s.kind == kind and s.process is not None]
            for service in group:
                _signal(service, signal.SIGTERM)
            until = time.monotonic() + STOP_S[kind]
            for service in group:
                self._wait_end(service, until)

    def _start_store(self) -> None:
        port = choose_port(self.plan.store_port, STORE_PORT, "store", "--port-store")
        argv = [sys.executable, "-m", "laddstream.embedded.store"]
        argv += ["--home", str(self.home), "--port", str(port)]
        service = self._add(Service("store", argv, f"{LOOPBACK}:{port}"))
        self._spawn(service)
        self._await_store(service)
        self.say(f"store:   http://{service.address}{_instead(port, STORE_PORT)}")

    def _start_broker(self) -> None:
        port = choose_port(self.plan.broker_port, broker.DEFAULT_PORT, "broker", "--port-broker")
        argv = broker.command(self.home, port)
        service = self._add(Service("broker", argv, f"{LOOPBACK}:{port}"))
        self._spawn(service)
        broker.wait_ready(service.address, START_S, service.process)
        self.say(f"broker:  {service.address}{_instead(port, broker.DEFAULT_PORT)}")

    def _add(self, service: Service) -> Service:
        self.services.append(service)
        return service

    def _service(self, name: str) -> Service:
        return next(service for service in self.services if service.name == name)

    def _spawn(self, service: Service) -> None:
        path = self.home / "logs" / f"{service.name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            service.process = subprocess.Popen(  # noqa: S603
                service.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env=environment(self.home),
                # A Ctrl-C in the terminal is for the supervisor, which stops them in order.
                process_group=0,
                preexec_fn=dies_with_parent(os.getpid()),  # noqa: PLW1509
            )
        service.since = time.monotonic()
        if service.kind != "store":
            announce(self.settings.run_dir, service.name, service.process.pid, service.address)

    def _await_store(self, service: Service) -> None:
        until = time.monotonic() + START_S
        while not _pings(service.address):
            if service.process is None or service.process.poll() is not None:
                raise UserError(self._last_words(service))
            if time.monotonic() > until:
                raise UnavailableError(f"the store does not answer, see {self._log(service)}.")
            time.sleep(0.05)

    def _last_words(self, service: Service) -> str:
        lines = self._log(service).read_text(errors="replace").strip().splitlines()
        said = lines[-1].removeprefix("error: ") if lines else "it said nothing"
        return (
            said
            if lines and lines[-1].startswith("error: ")
            else (f"the {service.name} ended: {said} (see {self._log(service)}).")
        )

    def _log(self, service: Service) -> Path:
        return self.home / "logs" / f"{service.name}.log"

    def _keep(self, service: Service) -> None:
        now = time.monotonic()
        if service.process is not None and service.process.poll() is not None:
            code, service.process = service.process.returncode, None
            service.failures = 0 if now - service.since > _HEALTHY_S else service.failures
            pause = PAUSES_S[min(service.failures, len(PAUSES_S) - 1)]
            service.failures += 1
            service.again_at = now + pause
            log = self._log(service)
            self.say(f"{service.name} ended with exit code {code}, again in {pause:g} s: {log}")
        elif service.process is None and now >= service.again_at:
            self._restart(service)

    def _restart(self, service: Service) -> None:
        try:
            self._spawn(service)
            if service.kind == "broker":
                broker.wait_ready(service.address, START_S, service.process)
                broker.create_topics(self.settings, service.address)
                if broker.forgets():
                    self.say("the broker has forgotten all unprocessed events: import them again")
        except LaddstreamError as error:
            self.say(f"{service.name} does not start: {error}")

    def _wait_end(self, service: Service, until: float) -> None:
        process = service.process
        if process is None:
            return
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.say(f"{service.name} does not end and is killed")
            _signal(service, signal.SIGKILL)
            process.wait()
        withdraw(self.settings.run_dir, service.name)


def run(settings: Settings, plan: Plan, say: Say) -> None:
    """Run the stack in this process until SIGINT or SIGTERM.

    Raises UserError where the home already has a running stack or a port is taken.
    """
    refuse_second(settings)
    run_dir = settings.run_dir
    with lock(settings.home_dir / "stack.lock", f"the stack of {settings.home_dir}") as owner:
        note(owner, f"process {os.getpid()}")
        stack = Stack(settings, plan, say)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stack.stop.set())
        try:
            stack.up()
            announce(run_dir, SUPERVISOR, os.getpid())
            say("ready")
            stack.watch()
            say("stopping")
        finally:
            stack.down()
            withdraw(run_dir, SUPERVISOR)


def main() -> None:
    """Entry point of the detached supervisor."""
    parser = argparse.ArgumentParser(prog="laddstream.embedded.stack")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--port-store", type=int)
    parser.add_argument("--port-broker", type=int)
    parser.add_argument("--follow", type=int, help="end when this process, the parent, ends")
    given = parser.parse_args()
    if given.follow:
        dies_with_parent(given.follow)()
    try:
        run(Settings(), Plan(given.workers, given.port_store, given.port_broker), _log_line)
    except LaddstreamError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


def _log_line(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)  # noqa: T201


def _instead(port: int, usual: int) -> str:
    return "" if port == usual else f"  (instead of port {usual})"


def _pings(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/ping", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _signal(service: Service, number: signal.Signals) -> None:
    if service.process is not None and service.process.poll() is None:
        service.process.send_signal(number)


if __name__ == "__main__":
    main()
