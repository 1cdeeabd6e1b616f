"""`laddstream rebuild`: stored sessions under the newest catalogue, before and after."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from laddstream.migrate import address_of
from laddstream.rebuild import Choice, Outcome, Total, rebuild
from laddstream.services import clickhouse_credentials, clickhouse_url
from laddstream.settings import Settings
from reports.catalogue import parse_moment
from reports.query import connect
from schemas.errors import UserError
from schemas.units import micro_to_decimal
from streams.catalogue import Catalogue
from streams.sink.clickhouse import ClickHouseSink

SETTLED_S = 10.0
"""Running workers have read a revision this long after it was published."""

_MAX_SHOWN = 20
_AGE = """
SELECT toInt64(dateDiff('millisecond', max(published_at), now64(3))) AS age_ms,
    (SELECT count() FROM mart.worker_status WHERE at > now64(3) - INTERVAL 1 MINUTE) AS workers
FROM ${db}.catalogue_revisions
"""


def register(app: typer.Typer) -> None:
    """Add `laddstream rebuild`."""
    app.command("rebuild")(rebuild_sessions)


def rebuild_sessions(  # typer passes by name
    since: Annotated[
        str | None, typer.Option("--from", help="Sessions that started at or after this, in --tz.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Sessions that started before this, in --tz.")
    ] = None,
    tz: Annotated[str, typer.Option(help="IANA time zone of --from and --to.")] = "UTC",
    tariff: Annotated[str, typer.Option(help="Only sessions that have or get this tariff.")] = "",
    station: Annotated[str, typer.Option(help="Only sessions of this station.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show, write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, every change.")] = False,
) -> None:
    """Price stored sessions again under the newest catalogue; write those that change.

    Workers may run meanwhile. A session that had ended gets an adjustment; an invoiced amount
    stays as it is.

    laddstream rebuild --tariff ac-day --from 2026-03-01 --dry-run
    """
    choice = Choice(
        parse_moment(since, tz) if since else None,
        parse_moment(until, tz) if until else None,
        station,
        tariff,
    )
    if choice.since and choice.until and choice.since >= choice.until:
        raise UserError("--from is not before --to: there is no session in between.")
    settings = Settings()
    user, password = clickhouse_credentials(settings)
    url, database = clickhouse_url(settings), settings.clickhouse.database
    sink = ClickHouseSink(url, user, password, database)
    catalogue = sink.catalogue(Catalogue())
    if catalogue.revision == 0:
        raise UserError("There is no catalogue yet: load one with `laddstream catalog load`.")
    console = Console(stderr=True)
    if not dry_run:
        _wait_for_workers(settings, console)
    with _bar(console) as progress:
        outcome = rebuild(sink, catalogue, choice, dry_run=dry_run, progress=progress)
    if as_json:
        typer.echo(json.dumps(_json(outcome, dry_run=dry_run), ensure_ascii=False))
    else:
        show(outcome, Console(highlight=False), dry_run=dry_run)


def _wait_for_workers(settings: Settings, console: Console) -> None:
    """A worker that still prices by the revision before would be overruled with what it writes."""
    with closing(connect(address_of(settings))) as store:
        found = store.fetch(_AGE.replace("${db}", settings.clickhouse.database)).records()[0]
    rest = SETTLED_S - int(str(found["age_ms"])) / 1000
    if found["workers"] and 0 < rest <= SETTLED_S:
        console.print(f"[dim]The catalogue is new: {rest:.0f} s until every worker has it.[/]")
        time.sleep(rest)


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[int, int], None]]:
    columns = (
        TextColumn("Sessions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def show(outcome: Outcome, console: Console, *, dry_run: bool) -> None:
    """Print what changed, readable at 80 columns."""
    changes = outcome.changes
    would = "would change" if dry_run else "changed"
    console.print(
        f"{outcome.looked_at:,} sessions under catalogue revision {outcome.revision}: "
        f"[bold]{len(changes):,} {would}[/], {outcome.adjustments:,} adjustments"
    )
    if dry_run:
        console.print("Nothing was written: without --dry-run it is.")
    if outcome.without_events:
        console.print(
            f"[yellow]{outcome.without_events:,} left alone: their events are not stored[/]"
        )
    if not changes:
        return
    table = Table(box=None, pad_edge=False, title_justify="left", title="\nWith VAT")
    for name in ("tariff", "currency", "sessions", "before", "after", "difference"):
        table.add_column(name, justify="left" if name in {"tariff", "currency"} else "right")
    for (currency, tariff), total in sorted(outcome.totals.items()):
        table.add_row(
            tariff or "none", currency, f"{total.sessions:,}", _money(total.incl_before),
            _money(total.incl_after), _signed(total.incl_after - total.incl_before),
        )  # fmt: skip
    console.print(table)
    listing = Table(box=None, pad_edge=False, title_justify="left", title="\nSessions")
    for name in ("session", "started (UTC)", "before", "after"):
        listing.add_column(name, justify="right" if name in {"before", "after"} else "left")
    for one in changes[:_MAX_SHOWN]:
        listing.add_row(
            one.session_id, one.started_at[:16].replace("T", " "),
            _short(one.incl_vat_before), _short(one.incl_vat_after),
        )  # fmt: skip
    console.print(listing)
    if len(changes) > _MAX_SHOWN:
        console.print(f"… {len(changes) - _MAX_SHOWN:,} more: --json has all of them")


def _json(outcome: Outcome, *, dry_run: bool) -> dict[str, object]:
    return {
        "revision": outcome.revision,
        "dry_run": dry_run,
        "looked_at": outcome.looked_at,
        "changed": len(outcome.changes),
        "adjustments": outcome.adjustments,
        "without_events": outcome.without_events,
        "totals": [_total(*key, total) for key, total in sorted(outcome.totals.items())],
        "sessions": [asdict(change) for change in outcome.changes],
    }


def _total(currency: str, tariff_id: str, total: Total) -> dict[str, object]:
    amounts = {
        name: format(micro_to_decimal(getattr(total, name)), "f")
        for name in ("excl_before", "excl_after", "incl_before", "incl_after")
    }
    difference = {
        f"{kind}_difference": format(
            micro_to_decimal(getattr(total, f"{kind}_after") - getattr(total, f"{kind}_before")),
            "f",
        )
        for kind in ("excl", "incl")
    }
    named = {"tariff_id": tariff_id, "currency": currency, "sessions": total.sessions}
    return named | amounts | difference


def _money(micro: int) -> str:
    text = f"{micro_to_decimal(micro):,.6f}"
    whole, _, part = text.partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def _signed(micro: int) -> str:
    return f"+{_money(micro)}" if micro > 0 else _money(micro)


def _short(text: str) -> str:
    if not text:
        return "–"
    whole, _, part = text.partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"
