"""`laddstream simulate`: publish a simulated fleet, and write down what is true of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
import typer

from laddstream.cli import importing_view as view
from laddstream.services import kafka_bootstrap
from laddstream.settings import Settings
from producers.kafka import EventProducer
from producers.simulator import (
    FAULTS,
    LedgerReport,
    Record,
    Simulation,
    SimulationSpec,
    master_data,
    paced,
    parse_rates,
)
from producers.simulator.payments import payments as payments_of
from schemas.errors import UserError

_HOUR_MS = 3_600_000
_INTERRUPTED = 130


class Send(Protocol):
    """Takes one record: key, value, and the topic if it is not the events' own."""

    def __call__(self, key: bytes, value: bytes, topic: str | None = None) -> None:
        """Raises UnavailableError where it cannot be taken."""


def register(app: typer.Typer) -> None:
    """Add `laddstream simulate`."""
    app.command("simulate")(simulate)


def simulate(
    stations: Annotated[int, typer.Option(min=1, max=100_000, help="Charging stations.")] = 50,
    days: Annotated[float, typer.Option(min=0.01, max=3660, help="Simulated days.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Same seed, same events, same ledger.")] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="NAME=RATE, repeatable; all: every fault at its usual rate."),
    ] = None,
    speed: Annotated[
        str, typer.Option(help="So many times faster than real time, or max.")
    ] = "max",
    ledger: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write what must be reported (JSON).")
    ] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write the fleet's master data for catalog load."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write the values to this file, one a line: no Kafka."),
    ] = None,
    start: Annotated[
        str, typer.Option(help="First simulated instant, ISO 8601 with zone.")
    ] = "2026-03-01T00:00:00Z",
    payments: Annotated[
        bool, typer.Option("--payments", help="Publish what drivers pay for these sessions, too.")
    ] = False,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="Say what each fault does, and stop.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Publish a simulated fleet of charging stations; everything follows from the seed.

      laddstream simulate --stations 200 --days 7 --seed 42 --fault all --ledger ledger.json

    Load its stations, tariffs, drivers, companies and plans before, for money and places:

      laddstream simulate --days 7 --seed 42 --catalogue fleet.json --out /dev/null

      laddstream catalog load fleet.json
    """
    if list_faults:
        _print_faults(as_json=as_json)
        return
    if payments and out is not None:
        raise UserError("--payments go to Kafka: leave --out away.")
    settings = Settings()
    spec = SimulationSpec(
        stations=stations,
        days=days,
        seed=seed,
        start=_instant(start),
        tenant=settings.tenant,
        rates=parse_rates(fault or []),
    )
    pace = _speed(speed)
    simulation = Simulation(spec)
    if catalogue is not None:
        _write(
            catalogue,
            msgspec.json.format(
                msgspec.json.encode(master_data(simulation.fleet, simulation.spec.start))
            ),
        )
    destination = str(out) if out else settings.kafka.events_topic
    try:
        with _outlet(settings, out) as (send, failed):
            _publish(simulation, send, pace)
            if payments:
                topic = settings.kafka.payments_topic
                for record in payments_of(simulation.ledger.sessions, settings.tenant):
                    send(record.key, record.value, topic)
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    report = simulation.ledger.report()
    if ledger is not None:
        _write(ledger, msgspec.json.format(msgspec.json.encode(report), indent=1))
    _print_outcome(report, destination, failed, as_json=as_json)
    if failed:
        raise typer.Exit(1)


@contextmanager
def _outlet(settings: Settings, out: Path | None) -> Iterator[tuple[Send, dict[str, int]]]:
    """Where values go, and what was refused, known on leaving. Raises UnavailableError."""
    failed: dict[str, int] = {}
    if out is not None:
        try:
            with out.open("wb") as file:
                yield lambda _, value, _topic=None: file.writelines((value, b"\n")), failed
        except OSError as error:
            raise UserError(f"Cannot write {out}: {error.strerror or error}.") from error
        return
    with EventProducer(kafka_bootstrap(settings), settings.kafka.events_topic) as producer:
        producer.check()
        yield lambda key, value, topic=None: producer.send_raw(key, value, topic=topic), failed
        failed.update(producer.flush().failed)


def _publish(simulation: Simulation, send: Send, speed: float | None) -> None:
    records: Iterable[Record] = simulation.records()
    if speed is not None:
        records = paced(records, speed, clock=time.monotonic, sleep=time.sleep)
    hours = int((simulation.spec.days or 0) * 24)
    begin = int(simulation.spec.start.timestamp() * 1000)
    passed = 0
    with view.progress_bar("simulated hours", hours) as advance:
        for record in records:
            send(record.key, record.value)
            hour = (record.arrival_ms - begin) // _HOUR_MS
            if hour > passed:
                advance(hour - passed)
                passed = hour


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901  # stands for: no instant
    if moment.tzinfo is None:
        raise UserError(f"--start {text!r} is no instant with a zone, such as 2026-03-01T00:00Z.")
    return moment.astimezone(UTC)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise UserError(f"--speed {text!r} is neither max nor a number above 0, such as 3600.")
    return speed


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error


def _print_faults(*, as_json: bool) -> None:
    if as_json:
        view.print_json(FAULTS)
        return
    for fault, meaning in FAULTS.items():
        typer.echo(f"{fault:<27}{meaning}")


def _print_outcome(
    report: LedgerReport, destination: str, failed: dict[str, int], *, as_json: bool
) -> None:
    """What was sent, what went wrong on purpose, and what must come out."""
    if as_json:
        summary = msgspec.to_builtins(report)
        view.print_json({**summary, "sessions": len(report.sessions), "refused": failed})
        return
    records, totals = report.records, report.totals
    counts = [(f"records to {destination}", records.sent)]
    counts += [("  distinct events", records.distinct)]
    counts += [("  duplicates", records.duplicates), ("  damaged", records.corrupt)]
    counts += [("sessions in the totals", totals.sessions)]
    counts += [("  energy, Wh", totals.energy_mwh // 1000)]
    counts += [(f"  set aside: {reason}", count) for reason, count in totals.set_aside.items()]
    view.print_counts("Simulated fleet", counts + view.reasons(failed))
    happened = {name: fault.count for name, fault in report.faults.items() if fault.count}
    if happened:
        view.print_counts("Faults", view.reasons(happened))
