"""Prices stored sessions again under the newest catalogue and writes those that change.

A session is derived from its stored events, exactly as a worker would, apart from any worker.
Only rows whose figures differ are written, at the catalogue's revision, so that they replace
what was known before and are replaced by whatever is learnt later. A closed session whose price
changes gets a row of `adjustments`; what was invoiced stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from schemas.units import iso_ms, micro_to_decimal
from streams.adjustment_rows import changed as adjusted
from streams.catalogue import Catalogue
from streams.charge_words import ChargeWords
from streams.repricing import complete
from streams.session_rows import VERSION_BITS, Derived, derive_session, terms_of
from streams.session_tables import session_tables
from streams.sink.port import Selection, Sink, StoredTerms

PAGE = 2_000

Figures = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sessions: by their start (half-open), station, and the tariff they have or get."""

    since: datetime | None = None
    until: datetime | None = None
    station_id: str = ""
    tariff_id: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One session before and after; amounts are decimal text with six places, empty: no price."""

    session_id: str
    tenant: str
    station_id: str
    started_at: str
    status: str
    tariff_before: str
    tariff_after: str
    currency_before: str
    currency_after: str
    excl_vat_before: str
    excl_vat_after: str
    incl_vat_before: str
    incl_vat_after: str
    energy_wh: str
    unpriced_reason: str
    adjustment: bool


@dataclass(slots=True)
class Total:
    """All changes between two tariffs and currencies, in micro-units."""

    sessions: int = 0
    excl_before: int = 0
    excl_after: int = 0
    incl_before: int = 0
    incl_after: int = 0


@dataclass(slots=True)
class Outcome:
    """What a rebuild looked at and changed. `without_events`: left alone, their events are gone.

    `totals` by (currency, tariff after): never more than one currency in a sum; a session whose
    currency changes counts in both.
    """

    revision: int
    looked_at: int = 0
    without_events: int = 0
    adjustments: int = 0
    changes: list[Change] = field(default_factory=list)
    totals: dict[tuple[str, str], Total] = field(default_factory=dict)


def rebuild(
    sink: Sink,
    catalogue: Catalogue,
    choice: Choice,
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Outcome:
    """Derive the chosen sessions again; write those that differ unless it is a dry run.

    Raises UnavailableError where the store is away: run it again, it goes on where it was.
    """
    out = Outcome(catalogue.revision)
    chosen = _selection(choice, catalogue.revision)
    total = sink.count(chosen)
    say = ChargeWords()
    seen = 0
    progress(0, total)
    for page in _pages(sink, chosen):
        seen += len(page)
        rows = [row for row in page if _concerns(choice.tariff_id, catalogue, row)]
        out.looked_at += len(rows)
        derived = _different(sink, catalogue, rows, out)
        if derived and not dry_run:
            for table, written in session_tables(derived, say, catalogue):
                sink.insert(table, written)
        progress(seen, max(total, seen))
    return out


def _selection(choice: Choice, revision: int) -> Selection:
    return Selection(
        below=revision << VERSION_BITS,
        from_ms=None if choice.since is None else _ms(choice.since),
        to_ms=None if choice.until is None else _ms(choice.until),
        station_id=choice.station_id,
    )


def _ms(moment: datetime) -> int:
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1000 + moment.microsecond // 1000


def _pages(sink: Sink, chosen: Selection) -> Iterator[list[StoredTerms]]:
    page = sink.page(chosen, None, PAGE)
    while page:
        yield page
        page = sink.page(chosen, page[-1].key, PAGE) if len(page) == PAGE else []


def _concerns(tariff_id: str, catalogue: Catalogue, row: StoredTerms) -> bool:
    """The tariff that was asked for is or will be the session's; none asked: all are."""
    if not tariff_id or row.session.bill.tariff_id == tariff_id:
        return True
    contract = catalogue.contract(row.session.owner, row.driver_key, row.begun_ms, row.area)
    return contract.tariff_id == tariff_id


def _different(
    sink: Sink, catalogue: Catalogue, rows: list[StoredTerms], out: Outcome
) -> list[Derived]:
    stored = {row.session.session_id: row for row in rows}
    sessions = complete(sink, [row.session for row in rows])
    out.without_events += len(rows) - len(sessions)
    found: list[Derived] = []
    for session in sessions:
        row = stored[session.session_id]
        derived = derive_session(session, catalogue)
        if derived is not None and _figures_now(derived) != _figures(row):
            found.append(derived)
            _note(out, row, derived)
    return found


def _figures(row: StoredTerms) -> Figures:
    return (row.session.bill, row.rounded, row.terms)


def _figures_now(row: Derived) -> Figures:
    excl, incl = row.total or (None, None)
    facts = row.facts
    bill = (
        facts.status, facts.energy_mwh, excl, incl, row.currency, row.contract.tariff_id,
        row.unpriced_reason,
    )  # fmt: skip
    return (bill, tuple(row.rounded or (None, None)), terms_of(row))


def _note(out: Outcome, row: StoredTerms, derived: Derived) -> None:
    before, after = row.session.bill, derived.total
    adjustment = adjusted(derived)
    out.adjustments += adjustment
    out.changes.append(
        Change(
            session_id=str(row.session.session_id),
            tenant=row.session.tenant,
            station_id=row.session.station_id,
            started_at=iso_ms(row.begun_ms),
            status=derived.facts.status,
            tariff_before=before.tariff_id,
            tariff_after=derived.contract.tariff_id,
            currency_before=before.currency,
            currency_after=derived.currency,
            excl_vat_before=_text(before.excl_micro),
            excl_vat_after=_text(after.excl if after else None),
            incl_vat_before=_text(before.incl_micro),
            incl_vat_after=_text(after.incl if after else None),
            energy_wh=_energy(derived.facts.energy_mwh),
            unpriced_reason=derived.unpriced_reason,
            adjustment=adjustment,
        )
    )
    tariff, then, now = derived.contract.tariff_id, before.currency, derived.currency
    same = then == now or not then or not now
    old = out.totals.setdefault((now or then if same else then, tariff), Total())
    new = old if same else out.totals.setdefault((now, tariff), Total())
    old.sessions += 1
    new.sessions += not same
    old.excl_before += before.excl_micro or 0
    old.incl_before += before.incl_micro or 0
    new.excl_after += after.excl if after else 0
    new.incl_after += after.incl if after else 0


def _text(micro: int | None) -> str:
    return "" if micro is None else format(micro_to_decimal(micro), "f")


def _energy(mwh: int | None) -> str:
    return "" if mwh is None else f"{mwh // 1000}.{mwh % 1000:03d}"
