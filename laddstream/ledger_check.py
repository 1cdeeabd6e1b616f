"""Compares what `mart` says with a simulator's ledger: per session, per slice, in sum."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from producers.simulator import LedgerReport, SessionTruth
from reports.query import Store
from schemas.units import micro_to_decimal, mwh_to_wh

_SESSIONS = """
SELECT toString(session_id) AS session_id, station_id, status, quarantine_reason, started_at,
    ended_at, driver_key, area, tariff_id, currency, energy_wh, charging_s, idle_s,
    amount_excl_vat, amount_vat
FROM mart.sessions WHERE tenant = {tenant:String}
"""
_SLICES = """
SELECT toString(session_id) AS session_id, toUnixTimestamp(slice_start) AS slice, energy_wh,
    amount_excl_vat, amount_incl_vat
FROM mart.session_slices WHERE tenant = {tenant:String} AND counted AND NOT provisional
"""
_SUMS = """
SELECT tariff_id, count() AS sessions, sum(energy_wh) AS energy_wh,
    sum(amount_excl_vat) AS excl, sum(amount_vat) AS vat
FROM mart.sessions WHERE tenant = {tenant:String} AND quarantine_reason = '' GROUP BY tariff_id
"""
_SET_ASIDE = """
SELECT reason, count() AS count FROM mart.set_aside_sessions
WHERE tenant = {tenant:String} GROUP BY reason
"""
_DEAD_LETTERS = "SELECT reason, count() AS count FROM mart.dead_letters GROUP BY reason"
_EVENTS = """
SELECT count() AS count FROM mart.events
WHERE tenant = {tenant:String} AND type != 'session_expired'
"""
_PAYMENTS = """
SELECT currency, sumIf(amount, kind = 'captured') AS captured,
    sumIf(amount, kind = 'refunded') AS refunded
FROM mart.payments WHERE tenant = {tenant:String} AND counted GROUP BY currency
"""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What the store says, as rows of the questions above."""

    sessions: list[Row]
    slices: list[Row]
    sums: list[Row]
    set_aside: dict[str, int]
    dead_letters: dict[str, int]
    events: int
    payments: dict[str, Row] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as the ledger says. `where`: a session id, or a total."""

    where: str
    what: str
    expected: str
    found: str


def read(store: Store, tenant: str) -> Found:
    """Ask the store. Raises UnavailableError where it is away."""

    def rows(statement: str) -> list[Row]:
        return list(store.fetch(statement, {"tenant": tenant}).records())

    return Found(
        sessions=rows(_SESSIONS),
        slices=rows(_SLICES),
        sums=rows(_SUMS),
        set_aside={row["reason"]: row["count"] for row in rows(_SET_ASIDE)},
        dead_letters={row["reason"]: row["count"] for row in rows(_DEAD_LETTERS)},
        events=rows(_EVENTS)[0]["count"],
        payments={row["currency"]: row for row in rows(_PAYMENTS)},
    )


def compare(
    ledger: LedgerReport, found: Found, money_in: Mapping[str, Row] | None = None
) -> list[Difference]:
    """Every difference between the ledger and the store: an empty list means equal.

    `money_in`: by currency, what was captured and refunded, where payments were sent.
    """
    paid = money_in or {}
    return [
        *_totals(ledger, found),
        *_sessions(ledger, found),
        *_slices(ledger, found),
        *(
            difference
            for currency, sums in paid.items()
            for difference in _differ(
                f"payments in {currency}", sums, found.payments.get(currency, {})
            )
        ),
    ]


def _differ(where: str, expected: Row, found: Row) -> Iterator[Difference]:
    for what, value in expected.items():
        if found.get(what) != value:
            yield Difference(where, what, _text(value), _text(found.get(what)))


def _text(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _totals(ledger: LedgerReport, found: Found) -> Iterator[Difference]:
    totals = ledger.totals
    yield from _differ(
        "totals",
        {
            "sessions": totals.sessions,
            "energy_wh": mwh_to_wh(totals.energy_mwh),
            "distinct events": ledger.records.distinct,
        },
        {
            "sessions": sum(row["sessions"] for row in found.sums),
            "energy_wh": sum((Decimal(row["energy_wh"]) for row in found.sums), Decimal(0)),
            "distinct events": found.events,
        },
    )
    sums = {row["tariff_id"]: row for row in found.sums}
    for tariff_id in totals.revenue.keys() | sums.keys():
        revenue = totals.revenue.get(tariff_id)
        expected = {
            "sessions": revenue.sessions if revenue else 0,
            "excl": micro_to_decimal(revenue.excl_micro if revenue else 0),
            "vat": micro_to_decimal(revenue.vat_micro if revenue else 0),
        }
        yield from _differ(f"revenue of tariff {tariff_id}", expected, sums.get(tariff_id, {}))
    yield from _counts("sessions set aside", totals.set_aside, found.set_aside)
    yield from _counts("dead letters", ledger.dead_letters, found.dead_letters)


def _counts(
    where: str, expected: Mapping[str, int], found: Mapping[str, int]
) -> Iterator[Difference]:
    names = sorted(expected.keys() | found.keys())
    yield from _differ(
        where,
        {name: expected.get(name, 0) for name in names},
        {name: found.get(name, 0) for name in names},
    )


def _sessions(ledger: LedgerReport, found: Found) -> Iterator[Difference]:
    stored = {row["session_id"]: row for row in found.sessions}
    for truth in ledger.sessions:
        row = stored.pop(truth.session_id, None)
        if row is None:
            yield Difference(truth.session_id, "session", f"{truth.status}", "missing")
            continue
        moments = {name: _instant(row[name]) for name in ("started_at", "ended_at")}
        yield from _differ(truth.session_id, _expected(truth), {**row, **moments})
    for session_id, row in stored.items():
        yield Difference(session_id, "session", "no such session", row["status"])


def _expected(truth: SessionTruth) -> Row:
    """Columns of `mart.sessions` that the ledger knows; energy and money of counted ones."""
    always = {
        "station_id": truth.station_id,
        "status": truth.status,
        "quarantine_reason": truth.reason,
        "area": truth.area,
    }
    if not truth.counted:
        return always
    return always | {
        "started_at": _instant(truth.started_at),
        "ended_at": _instant(truth.ended_at),
        "driver_key": truth.driver,
        "tariff_id": truth.tariff_id,
        "currency": truth.currency,
        "energy_wh": mwh_to_wh(truth.energy_mwh),
        "charging_s": Decimal(truth.charging_s),
        "idle_s": Decimal(truth.idle_s),
        "amount_excl_vat": micro_to_decimal(truth.excl_micro),
        "amount_vat": micro_to_decimal(truth.vat_micro),
    }


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _slices(ledger: LedgerReport, found: Found) -> Iterator[Difference]:
    """Energy in each slice where the ledger knows it; else, and for money, that they sum up."""
    energy: dict[str, dict[int, Decimal]] = defaultdict(dict)
    excl: Counter[str] = Counter()
    incl: Counter[str] = Counter()
    for row in found.slices:
        if row["energy_wh"]:
            energy[row["session_id"]][row["slice"]] = Decimal(row["energy_wh"])
        excl[row["session_id"]] += row["amount_excl_vat"]
        incl[row["session_id"]] += row["amount_incl_vat"]
    for truth in ledger.sessions:
        if not truth.counted:
            continue
        where, slices = truth.session_id, energy.get(truth.session_id, {})
        yield from _differ(
            where,
            {
                "sum of slices, Wh": mwh_to_wh(truth.energy_mwh),
                "sum of slices, excl. VAT": micro_to_decimal(truth.excl_micro),
                "sum of slices, incl. VAT": micro_to_decimal(truth.excl_micro + truth.vat_micro),
            },
            {
                "sum of slices, Wh": sum(slices.values(), Decimal(0)),
                "sum of slices, excl. VAT": excl[where],
                "sum of slices, incl. VAT": incl[where],
            },
        )
        if truth.slices is not None:
            for slice_ in sorted(truth.slices.keys() | slices.keys()):
                yield from _differ(
                    where,
                    {f"slice {slice_}": mwh_to_wh(truth.slices.get(slice_, 0))},
                    {f"slice {slice_}": slices.get(slice_, Decimal(0))},
                )
