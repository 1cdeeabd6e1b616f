"""The demo's machinery: a throw-away stack, a fleet that speaks to it, and what came of it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from laddstream import ledger_check, live
from laddstream.catalogue import load, read
from laddstream.embedded.launch import SUPERVISOR, Plan, launch, shut
from laddstream.embedded.process import all_running, running
from laddstream.migrate import address_of
from laddstream.services import kafka_bootstrap
from laddstream.settings import Settings
from laddstream.wait import wait
from producers.kafka import EventProducer
from producers.simulator import (
    DEFAULT_RATES,
    LedgerReport,
    Simulation,
    SimulationSpec,
    master_data,
    paced,
)
from producers.simulator.payments import money_in, payments
from reports.catalogue import Request, find
from reports.catalogue import run as ask
from reports.query import Store, connect
from reports.render import Format, render
from schemas.errors import UnavailableError, UserError

SPEED = 900.0
"""Of the endless fleet: a quarter of an hour passes in a second."""

DAYS = 2.5
"""Of the finite fleet: 300 stations send some 265,000 events in it."""

REPORTS = (
    ("sessions-per-day", ()),
    ("energy", ("day",)),
    ("popular-stations", ()),
    ("revenue-per-area", ()),
    ("payments", ()),
    ("set-aside", ()),
)
"""What a finite run prints: reports by name, and their --by."""

_TOP = 12
_WAIT_S = 80.0
_LIVE_INTERVAL_S = 2.0
_RATE_OVER_S = 5.0
_START = datetime(2026, 3, 1, tzinfo=UTC)
_MORNING = timedelta(hours=5)
"""Nobody charges at night: the endless fleet starts when the first drivers come."""


def demo_settings() -> Settings:
    """Settings of the demo: its own home, always this machine's broker and store.

    They go into this process's environment, where the services that it starts find them.
    """
    home = Settings().home_dir / "demo"
    os.environ["LADDSTREAM_HOME"] = str(home)
    os.environ["LADDSTREAM_WORKER__LIVE_INTERVAL_S"] = str(_LIVE_INTERVAL_S)
    os.environ["LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS"] = ""
    os.environ["LADDSTREAM_CLICKHOUSE__URL"] = ""
    return Settings()


@contextmanager
def fresh_stack(settings: Settings) -> Iterator[None]:
    """A stack with empty data for the time of the block.

    Raises UserError where another demo runs in the same home.
    """
    other = running(settings.run_dir, SUPERVISOR)
    if other is not None:
        raise UserError(
            f"A demo already runs in {settings.home_dir} (process {other.pid}): stop it with "
            f"Ctrl-C there, or with LADDSTREAM_HOME={settings.home_dir} laddstream down."
        )
    shutil.rmtree(settings.home_dir, ignore_errors=True)
    try:
        launch(settings, Plan(workers=max(1, (os.cpu_count() or 2) // 2)), follow=True)
        yield
    finally:
        shut(settings)


def load_catalogue(settings: Settings, simulation: Simulation) -> None:
    """The fleet's stations and tariffs become known."""
    path = settings.home_dir / "fleet.json"
    path.write_bytes(msgspec.json.encode(master_data(simulation.fleet, simulation.spec.start)))
    load(read([path], settings.tenant), address_of(settings), settings.clickhouse.database)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finite run found: `differences` from the ledger, and the reports as text."""

    ledger: LedgerReport
    differences: list[ledger_check.Difference]
    reports: list[str]
    seconds: float


def run_once(
    settings: Settings, *, stations: int, seed: int, say: Callable[[str], None], fmt: Format
) -> Outcome:
    """A finite fleet with every fault, from an empty stack to compared reports.

    `say` is told what is being done. Raises UnavailableError where something never answers.
    """
    begin = time.monotonic()
    say("starting broker, store and worker")
    with fresh_stack(settings):
        simulation = Simulation(
            SimulationSpec(
                stations=stations,
                days=DAYS,
                seed=seed,
                start=_START,
                tenant=settings.tenant,
                rates=DEFAULT_RATES,
            )
        )
        load_catalogue(settings, simulation)
        say(f"simulating {stations:,} stations for {DAYS} days, every fault switched on")
        with producer_of(settings) as producer:
            for record in simulation.records():
                producer.send_raw(record.key, record.value)
            for payment in payments(simulation.ledger.sessions, settings.tenant):
                topic = settings.kafka.payments_topic
                producer.send_raw(payment.key, payment.value, topic=topic)
        ledger = simulation.ledger.report()
        say(f"{ledger.records.sent:,} records are in Kafka; waiting until all is processed")
        progress = wait(settings, _WAIT_S, lambda _: None)
        if not progress.done:
            raise UnavailableError(
                f"Not all is processed after {_WAIT_S:.0f} seconds ({progress}): the logs in "
                f"{settings.home_dir / 'logs'} may say why."
            )
        say("asking for the reports, comparing with the ledger")
        with closing(store_of(settings)) as store:
            texts = [_report(store, name, by, fmt) for name, by in REPORTS]
            found = ledger_check.read(store, settings.tenant)
            differences = ledger_check.compare(ledger, found, money_in(ledger.sessions))
        say("stopping")
    return Outcome(ledger, differences, texts, time.monotonic() - begin)


def _report(store: Store, name: str, by: tuple[str, ...], fmt: Format) -> str:
    limit = _TOP if fmt is Format.TABLE else None
    return render(ask(store, find(name), Request(by=by, limit=limit)), fmt)


def store_of(settings: Settings) -> Store:
    """A connection for reading the demo's own store."""
    return connect(address_of(settings))


def producer_of(settings: Settings) -> EventProducer:
    """A producer for the demo's own broker."""
    return EventProducer(kafka_bootstrap(settings), settings.kafka.events_topic)


class Publisher(threading.Thread):
    """Lets an endless fleet speak until told to stop."""

    def __init__(self, simulation: Simulation, settings: Settings, speed: float) -> None:
        super().__init__(name="fleet", daemon=True)
        self.simulated_ms = int(simulation.spec.start.timestamp() * 1000)
        self.acknowledged = 0
        self.error: Exception | None = None
        self._simulation = simulation
        self._settings = settings
        self._speed = speed
        self._stop_asked = threading.Event()

    def run(self) -> None:
        """Publish; an error is kept for whoever watches."""
        try:
            with producer_of(self._settings) as producer:
                self._publish(producer)
        except Exception as error:  # noqa: BLE001  # whoever watches raises it again
            self.error = error

    def _publish(self, producer: EventProducer) -> None:
        records = paced(
            self._simulation.records(),
            self._speed,
            clock=time.monotonic,
            sleep=self._stop_asked.wait,
        )
        for record in records:
            if self._stop_asked.is_set():
                return
            producer.send_raw(record.key, record.value)
            self.simulated_ms = record.arrival_ms
            self.acknowledged = producer.delivery.acknowledged

    def stop(self) -> None:
        """Ask it to stop, and wait a moment for it."""
        self._stop_asked.set()
        self.join(timeout=2.0)


def watch(settings: Settings, publisher: Publisher, stations: int) -> Iterator[live.Snapshot]:
    """A new snapshot on every step; never ends. Raises what made the fleet or a service stop."""
    services = {service.name for service in all_running(settings.run_dir)}
    seen: deque[tuple[float, int]] = deque()
    with closing(store_of(settings)) as store:
        while True:
            if publisher.error is not None:
                raise publisher.error
            gone = services - {service.name for service in all_running(settings.run_dir)}
            if gone:
                raise UnavailableError(
                    f"The {min(gone)} has stopped; see its log in {settings.home_dir / 'logs'}."
                )
            simulated = datetime.fromtimestamp(publisher.simulated_ms / 1000, UTC)
            snapshot = live.Snapshot(stations, SPEED, simulated, sent=publisher.acknowledged)
            live.take(store, snapshot, settings.tenant)
            seen.append((time.monotonic(), snapshot.events))
            while seen[-1][0] - seen[0][0] > _RATE_OVER_S:
                seen.popleft()
            elapsed = seen[-1][0] - seen[0][0]
            snapshot.rate = (seen[-1][1] - seen[0][1]) / elapsed if elapsed else 0.0
            yield snapshot


def endless_fleet(settings: Settings, *, stations: int, seed: int) -> Simulation:
    """The fleet of the live demo: every fault, no end."""
    return Simulation(
        SimulationSpec(
            stations=stations,
            days=None,
            seed=seed,
            start=_START + _MORNING,
            tenant=settings.tenant,
            rates=DEFAULT_RATES,
        )
    )
