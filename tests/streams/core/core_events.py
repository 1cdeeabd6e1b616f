"""Core and wire events by hand: times in minutes after 2026-03-02T10:00Z, registers in Wh."""

from __future__ import annotations

from typing import Any

from schemas import wire
from schemas.units import iso_ms
from streams.core.events import (
    ENDED,
    EXPIRED,
    SAMPLE,
    STARTED,
    STATE,
    Ended,
    Expired,
    Sample,
    Started,
    StateChanged,
)

TEN_MS = 1_772_445_600_000
MINUTE_MS = 60_000


def ms(minute: float) -> int:
    """Minutes after ten o'clock as epoch ms."""
    return TEN_MS + round(minute * MINUTE_MS)


def stamp(minute: float) -> str:
    """Minutes after ten o'clock as wire text."""
    return iso_ms(ms(minute))


def start(minute: float = 0, wh: float | None = None, seq: int = -1, **more: Any) -> Started:
    """A start; `id_token` is A unless told."""
    meter = None if wh is None else round(wh * 1000)
    return Started(STARTED, ms(minute), seq, meter, **{"id_token": "A", "connector": 1, **more})


def sample(minute: float, wh: float | None, seq: int = -1, **more: Any) -> Sample:
    """A reading of the import register."""
    context = more.pop("context", "Sample.Periodic")
    value = None if wh is None else round(wh * 1000)
    return Sample(SAMPLE, ms(minute), seq, context, value, **more)


def stop(minute: float, wh: float | None = None, seq: int = -1, **more: Any) -> Ended:
    """A stop."""
    return Ended(ENDED, ms(minute), seq, None if wh is None else round(wh * 1000), **more)


def row_end(minute: float, wh: float, **more: Any) -> Ended:
    """The end of an imported row that states its energy."""
    return Ended(ENDED, ms(minute), -1, None, energy_mwh=round(wh * 1000), **more)


def state(minute: float, name: str, seq: int = -1) -> StateChanged:
    """A charging state."""
    return StateChanged(STATE, ms(minute), seq, name)


def given_up(minute: float) -> Expired:
    """The session was given up."""
    return Expired(EXPIRED, ms(minute))


def wire_base(protocol: str, transaction: str | None, **more: Any) -> dict[str, Any]:
    """Common fields of wire events at station S9 of tenant t."""
    return {"tenant": "t", "station_id": "S9", "protocol": protocol,
            "transaction_id": transaction, **more}  # fmt: skip


def start16(minute: float, wh: int, transaction: str | None = "7", **more: Any) -> bytes:
    """A 1.6 start on connector 1 by token A."""
    fields: dict[str, Any] = {"connector_id": 1, "id_token": "A", "meter_start_wh": wh} | more
    return wire.encode(
        wire.SessionStarted(**wire_base("ocpp1.6", transaction), timestamp=stamp(minute), **fields)
    )


def meter16(minute: float, wh: int, transaction: str | None = "7", **more: Any) -> bytes:
    """A 1.6 reading on connector 1."""
    fields: dict[str, Any] = {"connector_id": 1, "import_wh": wh} | more
    return wire.encode(
        wire.MeterSampled(**wire_base("ocpp1.6", transaction), timestamp=stamp(minute), **fields)
    )


def stop16(minute: float, wh: int, transaction: str | None = "7", **more: Any) -> bytes:
    """A 1.6 stop."""
    fields: dict[str, Any] = {"meter_stop_wh": wh} | more
    return wire.encode(
        wire.SessionEnded(**wire_base("ocpp1.6", transaction), timestamp=stamp(minute), **fields)
    )


def start21(minute: float, transaction: str, **more: Any) -> bytes:
    """A 2.1 Started on EVSE 1 by token A."""
    fields: dict[str, Any] = {"evse_id": 1, "id_token": "A", "seq_no": 0} | more
    return wire.encode(
        wire.SessionStarted(**wire_base("ocpp2.1", transaction), timestamp=stamp(minute), **fields)
    )


def meter21(minute: float, wh: int, transaction: str, seq: int, **more: Any) -> bytes:
    """A 2.1 reading."""
    base = wire_base("ocpp2.1", transaction, seq_no=seq)
    return wire.encode(wire.MeterSampled(**base, timestamp=stamp(minute), import_wh=wh, **more))


def end21(minute: float, transaction: str, seq: int, **more: Any) -> bytes:
    """A 2.1 Ended."""
    base = wire_base("ocpp2.1", transaction, seq_no=seq)
    return wire.encode(wire.SessionEnded(**base, timestamp=stamp(minute), **more))
