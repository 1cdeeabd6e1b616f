"""Rows of `adjustments`: a closed session that was written costs something else now.

Written once per version that is replaced, whoever finds out and however often: what changed
adds up over any number of corrections, replays and crashes.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from streams.arrow import MONEY, WH, scaled, times, uuids, words
from streams.catalogue import Catalogue
from streams.core.facts import ENDED_ESTIMATED
from streams.core.session import Bill
from streams.session_rows import NOT_BILLED, VERSION_BITS, Derived

LATE_EVENT, CATALOGUE = "late_event", "catalogue"


def changed(row: Derived) -> bool:
    """A closed session's price is another one than what was written; none counts as 0."""
    return row.before is not None and _owed(row.before) != _owed_now(row)


def adjustments_table(rows: Sequence[Derived], catalogue: Catalogue) -> pa.Table | None:
    """A row for each session that `changed`; None where none did."""
    found = [(r, r.before) for r in rows if r.before is not None and changed(r)]
    if not found:
        return None
    owners, before = [r for r, _ in found], [b for _, b in found]
    totals = [r.total or (0, 0) for r in owners]
    again = [_concerned(r, catalogue) for r in owners]
    return pa.table(
        {
            "tenant": words([r.session.station.key[0] for r in owners]),
            "session_id": uuids(r.session.session_id for r in owners),
            "replaces": pa.array([r.replaced for r in owners], pa.uint64()),
            "version": pa.array([r.version for r in owners], pa.uint64()),
            "station_id": pa.array([r.session.station.key[1] for r in owners], pa.string()),
            "driver_key": pa.array([r.facts.id_token for r in owners], pa.string()),
            "ended_at": times([r.facts.ended_ms for r in owners]),
            "reason": words(list(map(_reason, owners, again))),
            "detail": pa.array(list(map(_detail, owners, before, again)), pa.string()),
            "currency": words([r.currency or b.currency for r, b in found]),
            "before_excl_vat": scaled([b.excl_micro or 0 for b in before], MONEY),
            "before_incl_vat": scaled([b.incl_micro or 0 for b in before], MONEY),
            "after_excl_vat": scaled([t[0] for t in totals], MONEY),
            "after_incl_vat": scaled([t[1] for t in totals], MONEY),
            "before_energy_wh": scaled([b.energy_mwh for b in before], WH),
            "after_energy_wh": scaled([r.facts.energy_mwh for r in owners], WH),
        }
    )


def _owed(bill: Bill) -> tuple[int, int, str]:
    amounts = (bill.excl_micro or 0, bill.incl_micro or 0)
    return (*amounts, bill.currency if any(amounts) else "")


def _owed_now(row: Derived) -> tuple[int, int, str]:
    amounts = row.total or (0, 0)
    return (amounts[0], amounts[1], row.currency if any(amounts) else "")


def _concerned(row: Derived, catalogue: Catalogue) -> bool:
    """A revision since the row that is replaced changed something this session's terms rest on."""
    facts, since = row.facts, row.replaced >> VERSION_BITS
    if row.version >> VERSION_BITS == since:
        return False
    started = facts.first_event_ms if facts.started_ms is None else facts.started_ms
    owner = row.session.station.key
    return catalogue.concerns(owner, facts.id_token, started, row.contract, since)


def _reason(row: Derived, again: bool) -> str:  # noqa: FBT001 - mapped
    """By the version's parts: what is known of the session, and the catalogue's revision, where it
    concerns the session. That a later session began on the connector (the lowest bit) says
    nothing of one that had ended.
    """
    knowledge = (1 << VERSION_BITS) - 2
    late = bool((row.version ^ row.replaced) & knowledge)
    newer = row.version >> VERSION_BITS != row.replaced >> VERSION_BITS
    reasons = [LATE_EVENT] * late + [CATALOGUE] * (again or (newer and not late))
    return "+".join(reasons) or LATE_EVENT


def _detail(row: Derived, before: Bill, again: bool) -> str:  # noqa: FBT001 - mapped
    """What changed besides the amount, in words."""
    facts, tariff = row.facts, row.contract.tariff_id
    parts = []
    if before.status != facts.status:
        first = "no stop was seen" if before.status == ENDED_ESTIMATED else before.status
        parts.append(f"{first} -> {facts.status}")
    if before.energy_mwh != facts.energy_mwh:
        parts.append(f"energy {_kwh(before.energy_mwh)} -> {_kwh(facts.energy_mwh)} kWh")
    old, new = row.replaced >> VERSION_BITS, row.version >> VERSION_BITS
    if before.tariff_id != tariff:
        parts.append(f"tariff {before.tariff_id or 'none'} -> {tariff or 'none'}")
    elif again:
        parts.append(f"tariff {tariff or 'none'}, catalogue revision {old} -> {new}")
    if before.unpriced_reason != row.unpriced_reason:
        parts.append(f"{_priced(before.unpriced_reason)} -> {_priced(row.unpriced_reason)}")
    return "; ".join(parts) or "times or charging states changed"


def _kwh(mwh: int | None) -> str:
    if mwh is None:
        return "unknown"
    whole, part = divmod((abs(mwh) + 500) // 1000, 1000)
    return f"{'-' if mwh < 0 else ''}{whole}.{part:03d}"


def _priced(unpriced_reason: str) -> str:
    if not unpriced_reason:
        return "priced"
    return "set aside" if unpriced_reason == NOT_BILLED else f"unpriced ({unpriced_reason})"
