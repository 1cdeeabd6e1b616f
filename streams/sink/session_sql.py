"""Stored sessions in SQL: what a worker reads of their rows, and which it looks at again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from streams.core.session import Bill
from streams.sink.port import TERMS, Selection, StoredSession, StoredTerms

COLUMNS = """tenant, station_id, toString(session_id) AS id, protocol, transaction_ids, version,
    status,
    ifNull(if(startsWith(protocol, 'ocpp2'), evse_id, connector_id), -1) AS number,
    ifNull(connector_id, -1) AS connector,
    toUnixTimestamp64Milli(started_at) AS started_ms,
    toUnixTimestamp64Milli(first_event_at) AS first_ms,
    toUnixTimestamp64Milli(last_event_at) AS last_ms,
    toInt64(toUnixTimestamp(slice_first)) * 1000 AS slice_first_ms,
    toInt64(toUnixTimestamp(slice_last)) * 1000 AS slice_last_ms,
    toInt64(toDecimal128(energy_wh, 3) * 1000) AS energy_mwh,
    toInt64(toDecimal128(amount_excl_vat, 6) * 1000000) AS excl_micro,
    toInt64(toDecimal128(amount_incl_vat, 6) * 1000000) AS incl_micro,
    currency, tariff_id, unpriced_reason"""
SESSION = f"SELECT {COLUMNS} FROM sessions FINAL"  # noqa: S608 - names of ours
_BEGUN = "ifNull(started_at, first_event_at)"
TERMED = f"""SELECT {COLUMNS}, driver_key, toUnixTimestamp64Milli({_BEGUN}) AS begun_ms,
    toInt64(toDecimal128(rounded_excl_vat, 6) * 1000000) AS rounded_excl,
    toInt64(toDecimal128(rounded_incl_vat, 6) * 1000000) AS rounded_incl, {", ".join(TERMS)}
FROM sessions FINAL"""  # noqa: S608 - names of ours
_WAITING = (
    "(unpriced_reason NOT IN ('', 'not_billed') OR (unpriced_reason = ''"
    " AND isNull(amount_excl_vat) AND quarantine_reason IN ('', 'not_ended')))"
)
"""Sessions for which there was no tariff; the second half: written before reasons were."""


def stored_session(row: Mapping[str, Any]) -> StoredSession:
    """A row of `SESSION`."""
    return StoredSession(
        row["tenant"],
        row["station_id"],
        UUID(row["id"]),
        row["protocol"],
        tuple(row["transaction_ids"]),
        row["version"],
        row["status"],
        row["number"],
        row["connector"],
        row["started_ms"],
        row["first_ms"],
        row["last_ms"],
        row["slice_first_ms"],
        row["slice_last_ms"],
        Bill(
            row["status"],
            row["energy_mwh"],
            row["excl_micro"],
            row["incl_micro"],
            row["currency"],
            row["tariff_id"],
            row["unpriced_reason"],
        ),
    )


def stored_terms(row: Mapping[str, Any]) -> StoredTerms:
    """A row of `TERMED`."""
    return StoredTerms(
        stored_session(row),
        row["driver_key"],
        row["begun_ms"],
        row["area"],
        (row["rounded_excl"], row["rounded_incl"]),
        tuple(row[name] for name in TERMS),
    )


def chosen_sql(chosen: Selection, quoted: Callable[[str], str]) -> str:
    """The condition that chooses; `quoted` makes text a literal."""
    parts = [f"version < {chosen.below}", "status != 'released'"]
    if chosen.unpriced:
        parts.append(_WAITING)
    if chosen.from_ms is not None:
        parts.append(f"{_BEGUN} >= fromUnixTimestamp64Milli({chosen.from_ms}, 'UTC')")
    if chosen.to_ms is not None:
        parts.append(f"{_BEGUN} < fromUnixTimestamp64Milli({chosen.to_ms}, 'UTC')")
    if chosen.station_id:
        parts.append(f"station_id = {quoted(chosen.station_id)}")
    return " AND ".join(parts)
