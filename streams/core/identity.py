"""Session ids: unique, deterministic, the same after any replay."""

from __future__ import annotations

from hashlib import sha1
from uuid import UUID, uuid5

NAMESPACE = UUID("6c616464-7374-5265-a16d-000000000001")
NIL = UUID(int=0)
_SEPARATOR = "\x1f"
_SPACE = NAMESPACE.bytes

UNKNOWN_TRANSACTIONS = frozenset({"", "-1", "0", "9223372036854775807"})
"""1.6 transaction ids that chargers send when they know none (OCPP 1.6 errata 3.18, 3.54).

0 and -1 are legal ids too; a start that carries one is preferred for a stop that does.
"""


def transaction_session_id(tenant: str, station_id: str, transaction_id: str) -> UUID:
    """Session of a transaction whose id the station itself made unique (2.x E01.FR.08, imports).

    Also the provisional session of 1.6 events whose start is not known.
    """
    return UUID(bytes=transaction_session_bytes(tenant, station_id, transaction_id))


def transaction_session_bytes(tenant: str, station_id: str, transaction_id: str) -> bytes:
    """The 16 bytes of `transaction_session_id`, without the object: a version 5 UUID."""
    name = _SEPARATOR.join((tenant, station_id, transaction_id))
    raw = sha1(_SPACE + name.encode(), usedforsecurity=False).digest()
    head, tail = raw[6] & 0x0F | 0x50, raw[8] & 0x3F | 0x80
    return b"%b%c%b%c%b" % (raw[:6], head, raw[7:8], tail, raw[9:16])


def start_session_id(  # the six facts that identify a 1.6 start
    tenant: str,
    station_id: str,
    connector_id: int | None,
    id_token: str,
    start_text: str,
    meter_start_mwh: int | None,
) -> UUID:
    """Session of a 1.6 start: its content, never the transaction id (reused) or message id.

    `start_text` is the start's time as `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    """
    connector = "" if connector_id is None else str(connector_id)
    meter = "" if meter_start_mwh is None else str(meter_start_mwh)
    parts = (tenant, station_id, connector, id_token, start_text, meter)
    return uuid5(NAMESPACE, _SEPARATOR.join(parts))
