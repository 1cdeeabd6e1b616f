"""The live view of the demo: what the store says, asked once a second, on one 80x24 screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports.query import Store

WINDOWS = 6
STATIONS = 5
CURRENCIES = ("SEK", "EUR")

_WORKERS = """
SELECT sum(events_total) AS events, sum(duplicates_total) AS duplicates,
    sum(dead_letters_total) AS dead_letters, sum(open_sessions) AS open_sessions,
    sum(arraySum(mapValues(positions))) AS done
FROM mart.worker_status
"""
_WINDOWS = """
SELECT slice_start, uniqExact(session_id) AS sessions, sum(energy_wh) / 1000 AS energy_kwh,
    sumIf(amount_incl_vat, currency = 'SEK') AS SEK, sumIf(amount_incl_vat, currency = 'EUR') AS EUR
FROM mart.session_slices
WHERE tenant = {tenant:String} AND slice_start > {since:DateTime}
GROUP BY slice_start ORDER BY slice_start DESC LIMIT 6
"""
_CHARGING = """
SELECT station_id, any(area) AS area, any(city) AS city, count() AS sessions,
    sum(energy_wh) / 1000 AS energy_kwh, sum(max_power_w) / 1000 AS power_kw,
    count() OVER () AS stations
FROM mart.sessions WHERE tenant = {tenant:String} AND status = 'active'
GROUP BY station_id ORDER BY power_kw DESC, station_id LIMIT 5
"""

Row = Mapping[str, Any]


@dataclass(slots=True)
class Snapshot:
    """What one screen shows. `sent`: records acknowledged by Kafka; `rate`: events a second."""

    stations: int
    speed: float
    simulated: datetime
    sent: int = 0
    events: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    open_sessions: int = 0
    done: int = 0
    rate: float = 0.0
    windows: list[Row] = field(default_factory=list)
    charging: list[Row] = field(default_factory=list)

    @property
    def lag(self) -> int:
        """Records in Kafka that no worker has taken yet."""
        return max(0, self.sent - self.done)


def take(store: Store, snapshot: Snapshot, tenant: str) -> None:
    """Fill a snapshot from the store. Raises UnavailableError where it is away."""
    since = snapshot.simulated - timedelta(hours=6)
    where = {"tenant": tenant, "since": f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S}"}
    workers = store.fetch(_WORKERS).records()[0]
    for name, value in workers.items():
        setattr(snapshot, name, value)
    snapshot.windows = list(store.fetch(_WINDOWS, where).records())
    snapshot.charging = list(store.fetch(_CHARGING, where).records())


def screen(snapshot: Snapshot) -> RenderableType:
    """The whole view; at most 80 columns and 23 lines."""
    head = Text.assemble(
        ("laddstream demo", "bold green"),
        f"  {snapshot.stations:,} stations, {snapshot.speed:,.0f}x real time,",
        f" clock {snapshot.simulated:%Y-%m-%d %H:%M} UTC",
    )
    foot = Text("Ctrl-C stops everything", style="dim")
    return Group(head, _figures(snapshot), _windows(snapshot), _charging(snapshot), foot)


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        width=78,
    )


def _figures(snapshot: Snapshot) -> Table:
    table = _table("")
    figures = (
        ("events/s", f"{snapshot.rate:,.0f}"),
        ("events", f"{snapshot.events:,}"),
        ("open sessions", f"{snapshot.open_sessions:,}"),
        ("lag", f"{snapshot.lag:,}"),
        ("duplicates", f"{snapshot.duplicates:,}"),
        ("dead letters", f"{snapshot.dead_letters:,}"),
    )
    for name, _ in figures:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*(Text(value, style="bold cyan") for _, value in figures))
    return table


def _windows(snapshot: Snapshot) -> Table:
    table = _table("Newest 15 minutes (UTC)")
    for name in ("from", "sessions", "kWh", *CURRENCIES):
        table.add_column(name, justify="left" if name == "from" else "right", no_wrap=True)
    for row in snapshot.windows[:WINDOWS]:
        start = datetime.fromisoformat(row["slice_start"])
        table.add_row(
            f"{start:%m-%d %H:%M}",
            f"{row['sessions']:,}",
            f"{Decimal(row['energy_kwh']):,.1f}",
            *(f"{Decimal(row[name]):,.2f}" for name in CURRENCIES),
        )
    return table


def _charging(snapshot: Snapshot) -> Table:
    count = snapshot.charging[0]["stations"] if snapshot.charging else 0
    table = _table(f"Stations now charging: {count:,}")
    for name in ("station", "area", "city", "cars", "kWh", "kW at most"):
        number = name in {"cars", "kWh", "kW at most"}
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in snapshot.charging[:STATIONS]:
        table.add_row(
            Text(row["station_id"]),
            Text(row["area"]),
            Text(row["city"]),
            f"{row['sessions']}",
            f"{Decimal(row['energy_kwh'] or 0):,.1f}",
            f"{Decimal(row['power_kw'] or 0):,.0f}",
        )
    return table
