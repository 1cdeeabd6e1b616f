"""What is known of one session: the result of the pure function `derive`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.core.curve import Point
from streams.core.events import CURRENT, Sample
from streams.core.timeline import Span

PENDING, ACTIVE, ENDED, ENDED_GAPS, ENDED_ESTIMATED, ORPHAN_STOP, INVALID = (
    "pending",
    "active",
    "ended",
    "ended_gaps",
    "ended_estimated",
    "orphan_stop",
    "invalid",
)
RELEASED = "released"
"""Tombstone: every event of this provisional session was found to belong elsewhere."""

CLOSED = frozenset({ENDED, ENDED_GAPS, ENDED_ESTIMATED, ORPHAN_STOP, INVALID, RELEASED})


@dataclass(slots=True)
class Facts:
    """One session, derived. Times in epoch ms, energy in mWh, durations in ms.

    `quarantine_reason` is empty exactly when the session is in the standard totals.
    `curve` is the cumulative energy; `spans` what the vehicle did; both cover
    [started_ms, ended_ms], where an open session ends, for now, at its last event.
    `samples` are those that count, in session order.
    """

    status: str
    quarantine_reason: str
    grade: str
    flags: tuple[str, ...]
    started_ms: int | None
    ended_ms: int | None
    until_ms: int
    first_event_ms: int
    last_event_ms: int
    connector: int
    evse: int
    id_token: str
    area: str
    stop_reason: str
    energy_mwh: int | None
    export_mwh: int
    meter_start_mwh: int | None
    meter_stop_mwh: int | None
    max_power_mw: int | None
    charging_ms: int
    idle_ms: int
    suspended_evse_ms: int
    paid_micro: int | None
    paid_currency: str
    curve: tuple[Point, ...]
    spans: tuple[Span, ...]
    by_state: bool
    """True where charging states were reported: energy is spread over charging time only."""

    samples: Sequence[Sample] = ()

    @property
    def power(self) -> list[tuple[int, int]]:
        """Measured power in mW with its instants."""
        return [(s.ts, s.power_mw) for s in self.samples if s.power_mw is not None]

    @property
    def current(self) -> list[tuple[int, int]]:
        """Measured current in mA with its instants."""
        named = [(s.ts, s.extra) for s in self.samples if s.extra]
        return [(ts, value) for ts, extra in named for name, value in extra if name == CURRENT]

    @property
    def duration_ms(self) -> int:
        """Occupied time."""
        if self.started_ms is None:
            return 0
        return max(0, self.until_ms - self.started_ms)
