"""Sessions that fell silent are given up by an event, so that every worker agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas import wire
from schemas.units import iso_ms
from streams.ports import Outgoing
from streams.sink.port import Sink, StoredSession

if TYPE_CHECKING:
    from laddstream.settings import WorkerSettings


def expirations(sink: Sink, settings: WorkerSettings, topic: str, now_ms: int) -> list[Outgoing]:
    """`session_expired` events for every stored session silent for too long.

    Silent means: no event for `expire_after_s` of event time, and none arrived for
    `expire_grace_s`. The identity is deterministic: published twice it is one event.
    """
    silent = sink.silent(
        now_ms - settings.expire_after_s * 1000, now_ms - settings.expire_grace_s * 1000
    )
    out = []
    for session in silent:
        event = expiration(session, settings.expire_after_s)
        out.append(Outgoing(topic, wire.key_of(event), wire.encode(event)))
    return out


def expiration(session: StoredSession, silence_s: int) -> wire.SessionExpired:
    """The event that gives one session up."""
    return wire.SessionExpired(
        tenant=session.tenant,
        station_id=session.station_id,
        protocol=session.protocol,  # type: ignore[arg-type]  # stored from the same closed list
        timestamp=iso_ms(session.last_event_ms + silence_s * 1000),
        connector_id=session.connector_id if session.connector_id >= 0 else None,
        transaction_id=session.transaction_ids[0] if session.transaction_ids else None,
        session_id=str(session.session_id),
        silence_s=silence_s,
    )
