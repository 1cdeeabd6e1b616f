"""`laddstream demo`: everything at once, on a simulated fleet."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from laddstream import demo as machinery
from laddstream import live
from laddstream.cli import importing_view as view
from laddstream.settings import Settings
from producers.simulator import LedgerReport
from reports.render import Format

_STATIONS_ONCE, _STATIONS_LIVE = 300, 1_000
_SHOWN = 20
_REFRESH_S = 1.0


def register(app: typer.Typer) -> None:
    """Add `laddstream demo`."""
    app.command("demo")(demo)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="A finite fleet: reports, compared with its ledger.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same fleet.")] = 1,
    stations: Annotated[
        int | None,
        typer.Option(min=1, max=20_000, help="Charging stations; default 1000, once: 300."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Start everything on this machine and let a simulated fleet charge, until Ctrl-C.

    With --once the fleet is finite (every fault switched on): prints the reports, compares
    them with what the simulator knows to be true, exits 0 if all is equal and 1 if not.
    """
    settings = machinery.demo_settings()
    with _terminable():
        try:
            if once:
                _once(settings, stations or _STATIONS_ONCE, seed, as_json=as_json)
            else:
                _live(settings, stations or _STATIONS_LIVE, seed, as_json=as_json)
        except KeyboardInterrupt:
            raise typer.Exit from None


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does; once it ends, nothing cuts in."""

    def interrupt(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _once(settings: Settings, stations: int, seed: int, *, as_json: bool) -> None:
    console = Console(stderr=True, highlight=False)
    begin = time.monotonic()

    def say(what: str) -> None:
        console.print(Text(f"{time.monotonic() - begin:5.1f} s  {what}", style="dim"))

    outcome = machinery.run_once(
        settings,
        stations=stations,
        seed=seed,
        say=say,
        fmt=Format.JSON if as_json else Format.TABLE,
    )
    if as_json:
        _print_json(outcome)
    else:
        for text in outcome.reports:
            typer.echo(text)
        _print_verdict(outcome)
    if outcome.differences:
        raise typer.Exit(1)


def _print_json(outcome: machinery.Outcome) -> None:
    ledger = msgspec.to_builtins(outcome.ledger)
    names = [name for name, _ in machinery.REPORTS]
    view.print_json(
        {
            "equal": not outcome.differences,
            "differences": [asdict(one) for one in outcome.differences],
            "seconds": round(outcome.seconds, 1),
            "ledger": ledger | {"sessions": len(ledger["sessions"])},
            "reports": {
                name: json.loads(text) for name, text in zip(names, outcome.reports, strict=True)
            },
        }
    )


def _print_verdict(outcome: machinery.Outcome) -> None:
    console = Console(highlight=False)
    console.print(Text(_ledger_line(outcome.ledger)))
    found = outcome.differences
    if not found:
        console.print(Text(f"equal ({outcome.seconds:.0f} s)", style="bold green"))
        return
    console.print(Text(f"{len(found):,} differences from the ledger", style="bold red"))
    for one in found[:_SHOWN]:
        console.print(Text(f"  {one.where}: {one.what} is {one.found}, not {one.expected}"))
    if len(found) > _SHOWN:
        console.print(f"  … and {len(found) - _SHOWN:,} more")


def _ledger_line(ledger: LedgerReport) -> str:
    records, faults = ledger.records, sum(fault.count for fault in ledger.faults.values())
    return (
        f"The ledger: {records.distinct:,} events and {records.duplicates:,} duplicates, "
        f"{records.corrupt:,} damaged records, {faults:,} faults, "
        f"{len(ledger.sessions):,} sessions, {ledger.totals.energy_mwh // 1_000_000:,} kWh."
    )


def _live(settings: Settings, stations: int, seed: int, *, as_json: bool) -> None:
    begin = time.monotonic()
    console = Console(highlight=False)
    last: live.Snapshot | None = None
    if not as_json:
        console.print(Text("starting broker, store and worker", style="dim"))
    with machinery.fresh_stack(settings):
        simulation = machinery.endless_fleet(settings, stations=stations, seed=seed)
        machinery.load_catalogue(settings, simulation)
        publisher = machinery.Publisher(simulation, settings, machinery.SPEED)
        publisher.start()
        try:
            snapshots = machinery.watch(settings, publisher, stations)
            for snapshot in _shown(snapshots, console, as_json):
                last = snapshot
                time.sleep(_REFRESH_S)
        except KeyboardInterrupt:
            if not as_json:
                console.print(Text("stopping worker, broker and store", style="dim"))
        finally:
            publisher.stop()
    seconds = time.monotonic() - begin
    events = last.events if last else 0
    if not as_json:
        console.print(f"Stopped after {seconds:,.0f} s and {events:,} events; nothing runs on.")


def _shown(
    snapshots: Iterator[live.Snapshot],
    console: Console,
    as_json: bool,
) -> Iterator[live.Snapshot]:
    """Show every snapshot: a screen on a terminal, a line elsewhere, JSON where asked for."""
    if as_json or not console.is_terminal:
        for snapshot in snapshots:
            typer.echo(_json_line(snapshot) if as_json else _line(snapshot))
            yield snapshot
        return
    with Live(console=console, auto_refresh=False, screen=True) as screen:
        for snapshot in snapshots:
            screen.update(live.screen(snapshot), refresh=True)
            yield snapshot


def _json_line(snapshot: live.Snapshot) -> str:
    fields = asdict(snapshot) | {"lag": snapshot.lag}
    return msgspec.json.encode(fields).decode()


def _line(snapshot: live.Snapshot) -> str:
    return (
        f"{snapshot.simulated:%m-%d %H:%M} {snapshot.rate:>7,.0f} events/s "
        f"{snapshot.open_sessions:>6,} open {snapshot.lag:>6,} lag "
        f"{snapshot.dead_letters:>4,} dead letters"
    )
