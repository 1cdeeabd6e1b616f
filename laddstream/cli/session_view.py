"""All that is known of one session, and how a person reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.query import Store, Value
from schemas.errors import UserError

Row = dict[str, Value]

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_MAX_SHOWN = 40
_MOMENTS = frozenset({"timestamp", "slice_start", "at"})
_LABELS = {
    "quantity_billed": "billed",
    "vat_percent": "VAT %",
    "amount_excl_vat": "excl. VAT",
    "amount_incl_vat": "incl. VAT",
    "owed_excl_vat": "excl. VAT",
    "owed_incl_vat": "incl. VAT",
    "before_incl_vat": "before",
    "after_incl_vat": "after",
    "invoiced_incl_vat": "invoiced",
    "price_incl_vat": "price now",
    "open_incl_vat": "difference",
    "unit_price": "price",
}
"""Shorter words for columns, so that a table of money fits 80 columns."""

_AMOUNTS = frozenset({*(name for name in _LABELS if name.endswith("_vat")), "unit_price"})
"""Columns of money: never fewer than two decimals."""

_EVENTS = (
    "SELECT * FROM mart.events WHERE session_id = {id:UUID} AND tenant = {tenant:String} "
    "AND station_id = {station:String} ORDER BY timestamp, seq_no, kafka_offset, kafka_index"
)
_CURVE = (
    "SELECT timestamp, context, import_wh, export_wh, power_w, soc_percent FROM mart.meter_curve "
    "WHERE session_id = {id:UUID} AND tenant = {tenant:String} AND station_id = {station:String} "
    "ORDER BY timestamp, import_wh"
)
_SLICES = (
    "SELECT * FROM mart.session_slices WHERE session_id = {id:UUID} AND tenant = {tenant:String} "
    "AND station_id = {station:String} ORDER BY slice_start"
)
_CHARGES = (
    "SELECT * FROM mart.session_charges WHERE session_id = {id:UUID} AND tenant = {tenant:String} "
    "ORDER BY line"
)
_MONEY = {
    "adjustments": (
        "SELECT * FROM mart.adjustments WHERE session_id = {id:UUID} AND tenant = {tenant:String} "
        "ORDER BY version"
    ),
    "owed": (
        "SELECT * FROM mart.session_owed WHERE session_id = {id:UUID} AND tenant = {tenant:String} "
        "ORDER BY payer, payer_id"
    ),
    "ledger": (
        "SELECT * FROM mart.ledger WHERE session_id = {id:UUID} AND tenant = {tenant:String} "
        "ORDER BY kind NOT IN ('session', 'adjustment'), at, entry_id"
    ),
    "payments": (
        "SELECT * FROM mart.payments WHERE session_id = {id:UUID} AND tenant = {tenant:String} "
        "ORDER BY at, payment_id"
    ),
    "invoiced": (
        "SELECT * FROM mart.invoiced_sessions WHERE session_id = {id:UUID} "
        "AND tenant = {tenant:String}"
    ),
}


@dataclass(frozen=True, slots=True)
class Whole:
    """A session's row and everything that belongs to it."""

    session: Row
    charges: list[Row]
    adjustments: list[Row]
    owed: list[Row]
    ledger: list[Row]
    payments: list[Row]
    invoiced: list[Row]
    slices: list[Row]
    curve: list[Row]
    events: list[Row]


def load(store: Store, session_id: str) -> Whole:
    """Read a session; raises UserError for text that is no id and for an unknown one."""
    try:
        wanted = str(UUID(session_id))
    except ValueError as error:
        raise UserError(
            f"{session_id!r} is no session id: it is a UUID, see mart.sessions"
        ) from error
    found = store.fetch("SELECT * FROM mart.sessions WHERE session_id = {id:UUID}", {"id": wanted})
    if not found.data:
        raise UserError(f"There is no session {wanted}: laddstream report driver lists sessions")
    row = found.records()[0]
    keys = {"id": wanted, "tenant": str(row["tenant"]), "station": str(row["station_id"])}
    charges, slices, curve, events = (
        store.fetch(statement, keys).records() for statement in (_CHARGES, _SLICES, _CURVE, _EVENTS)
    )
    money = {name: store.fetch(text, keys).records() for name, text in _MONEY.items()}
    return Whole(session=row, charges=charges, slices=slices, curve=curve, events=events, **money)


def as_json(whole: Whole) -> str:
    """One object with `session` and the lists of a `Whole`."""
    return msgspec.json.format(_ENCODER.encode(asdict(whole)), indent=1).decode() + "\n"


def show(whole: Whole, console: Console) -> None:
    """Print it, readable at 80 columns."""
    console.print(f"[bold]Session {whole.session['session_id']}[/]")
    facts = Table(box=None, show_header=False, pad_edge=False)
    for key, value in whole.session.items():
        if key not in {"session_id", "contract_because"} and value not in (None, "", []):
            facts.add_row(Text(key, style="dim"), Text(_text(value)))
    console.print(facts)
    if reason := whole.session["quarantine_reason"]:
        console.print(f"[yellow]Not in the standard totals: {reason}[/]")
    _money(console, whole)
    _part(
        console, "Quarters of an hour (UTC)", whole.slices,
        "slice_start energy_wh charging_s idle_s amount_incl_vat provisional",
    )  # fmt: skip
    _part(
        console, "Meter curve (UTC)", whole.curve,
        "timestamp context import_wh power_w soc_percent",
    )  # fmt: skip
    for event in whole.events:
        event["kafka"] = "{kafka_topic}-{kafka_partition}-{kafka_offset}".format(**event)
    _part(
        console, "Events and where they came from (UTC)", whole.events,
        "timestamp type meter_wh import_wh kafka flags",
    )  # fmt: skip


def _money(console: Console, whole: Whole) -> None:
    """What was owed, by whom, under which terms, line by line, and what became of it."""
    reasons = whole.session.get("contract_because")
    if isinstance(reasons, list) and reasons:
        console.print("\n[bold]Terms[/]")
        for reason in reasons:
            _say(console, _text(reason), style="")
    if unpriced := whole.session.get("unpriced_reason"):
        console.print(f"\n[yellow]No price: {_text(unpriced)}[/]")
    _part(
        console, "Price without VAT", whole.charges,
        "line dimension quantity_billed unit unit_price vat_percent amount_excl_vat currency",
    )  # fmt: skip
    for line in whole.charges:
        _say(console, _text(line["because"]), _text(line["line"]))
    if whole.owed:
        _owed(console, whole.owed, reasons if isinstance(reasons, list) else [])
    if whole.ledger:
        columns = "at kind account amount_excl_vat amount_incl_vat currency"
        for row in whole.ledger:
            row["account"] = f"{row['payer']} {row['payer_id']}".strip()
        _part(console, "Ledger (UTC)", whole.ledger, columns)
    if whole.adjustments:
        columns = "at reason before_incl_vat after_incl_vat currency"
        _part(console, "Adjustments (UTC, incl. VAT)", whole.adjustments, columns)
        for row in whole.adjustments:
            _say(console, _text(row["detail"]), _short("at", row["at"]))
    if whole.payments:
        columns = "at kind amount currency method card_brand card_last4 psp payment_id"
        _part(console, "Payments (UTC)", whole.payments, columns)
    if whole.invoiced:
        columns = "invoice_ids invoiced_incl_vat owed_incl_vat open_incl_vat currency"
        _part(console, "Invoiced, incl. VAT", whole.invoiced, columns)


def _owed(console: Console, owed: list[Row], terms: Sequence[object]) -> None:
    """Who owes what, and what the plan or the company made of the price, beyond the terms."""
    _part(console, "Owed", owed, "payer payer_id owed_excl_vat owed_incl_vat currency plan_id")
    known = "; ".join(map(str, terms))
    for because in dict.fromkeys(_text(row["because"]) for row in owed):
        if settled := because.removeprefix(known).removeprefix("; "):
            _say(console, settled)


def _say(console: Console, sentence: str, mark: str = "", style: str = "dim") -> None:
    """A sentence under a table, hanging below its mark."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_row("", *([Text(mark, style=style)] if mark else []), Text(sentence, style=style))
    console.print(grid)


def _part(console: Console, title: str, rows: list[Row], columns: str) -> None:
    console.print(f"\n[bold]{title}[/]" + ("" if rows else ": none"))
    if not rows:
        return
    used = [c for c in columns.split() if any(row.get(c) not in (None, "", []) for row in rows)]
    table = Table(box=None, pad_edge=False)
    for column in used:
        label = _LABELS.get(column, column)
        fixed = column in _MOMENTS or column in _AMOUNTS or column == "kind"
        table.add_column(
            label,
            overflow="fold",
            no_wrap=fixed,
            justify="right" if column in _AMOUNTS else "left",
        )
    for row in rows[:_MAX_SHOWN]:
        table.add_row(*(Text(_short(column, row[column])) for column in used))
    console.print(table)
    if len(rows) > _MAX_SHOWN:
        console.print(f"… {len(rows) - _MAX_SHOWN:,} more: --json has all of them")


def _short(column: str, value: Value) -> str:
    text = _text(value)
    if column in _AMOUNTS and text:
        whole, _, part = text.partition(".")
        return f"{whole}.{part.ljust(2, '0')}"
    if column in _MOMENTS:
        return text.replace("T", " ").partition(".")[0] if column == "at" else _moment(text)
    return text


def _moment(text: str) -> str:
    return text.replace("T", " ").removesuffix("Z").removesuffix(".000")


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return str(value)
