"""Keys of sessions: tenant, station and transaction as one text."""

from __future__ import annotations

from collections.abc import Sequence

SEPARATOR = "\x1f"
"""Between the names in a key: no name holds a control character."""


def key_of(tenant: str, station_id: str, transaction_id: str) -> str:
    """One text for the three."""
    return f"{tenant}{SEPARATOR}{station_id}{SEPARATOR}{transaction_id}"


def keys_of(
    tenants: Sequence[str], station_ids: Sequence[str], transaction_ids: Sequence[str]
) -> list[str]:
    """The same of many."""
    return list(map(SEPARATOR.join, zip(tenants, station_ids, transaction_ids, strict=True)))


def names_of(key: str) -> tuple[str, str, str]:
    """Tenant, station, transaction."""
    tenant, station_id, transaction_id = key.split(SEPARATOR, 2)
    return tenant, station_id, transaction_id
