"""Status, grade, flags, and whether a session is in the standard totals.

Sources: domain rules 2.3.6 and 2.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.core import facts as status
from streams.core.curve import Curve
from streams.core.order import Ordered

MAX_ENERGY_MWH = 250 * 1000 * 1000
"""More in one session is no road vehicle: set aside (domain rules 2.3.6)."""

MAX_DURATION_MS = 60 * 24 * 3600 * 1000
FIRST_VALID_MS = 946_684_800_000
"""2000-01-01: an earlier stamp is an unset clock (row 26)."""

FLAG_POWER_W = 400_000
"""Average power above this is flagged where no rated power is known."""

ATTEMPT_MWH = 500 * 1000
ATTEMPT_MS = 60_000


@dataclass(slots=True)
class Evidence:
    """What a verdict is made from."""

    ordered: Ordered
    curve: Curve
    energy_mwh: int | None
    started_ms: int | None
    until_ms: int
    closed: bool
    superseded: bool
    rated_power_w: int | None

    @property
    def duration_ms(self) -> int:
        """Milliseconds from start to the end known so far."""
        return 0 if self.started_ms is None else self.until_ms - self.started_ms


@dataclass(frozen=True, slots=True)
class Verdict:
    """See the fields of the same names in `streams.core.facts.Facts`."""

    status: str
    quarantine_reason: str
    grade: str
    flags: tuple[str, ...]


def judge(e: Evidence) -> Verdict:
    """The verdict on one session."""
    state = _status(e)
    reason = _quarantine(e, state)
    flags = _flags(e, state)
    return Verdict(state, reason, _grade(state, reason, flags), flags)


def _status(e: Evidence) -> str:
    start, end = e.ordered.start, e.ordered.end
    if start is None:
        return status.ORPHAN_STOP if end is not None else status.PENDING
    if end is None:
        return status.ENDED_ESTIMATED if e.closed else status.ACTIVE
    if end.ts < start.ts or _clock_bad(e):
        return status.INVALID
    return status.ENDED_GAPS if _has_gaps(e) else status.ENDED


def _has_gaps(e: Evidence) -> bool:
    """Complete means every seqNo from Started to Ended is there (2.0.1 E 1.3.2.1, row 5)."""
    start, end = e.ordered.start, e.ordered.end
    if start is None or end is None or start.seq < 0 or end.seq < start.seq:
        return False
    return len(e.ordered.seqs) < end.seq - start.seq + 1


def _clock_bad(e: Evidence) -> bool:
    if "clock_bad" in e.ordered.flags:
        return True
    started = e.started_ms
    return (started is not None and started < FIRST_VALID_MS) or e.until_ms < FIRST_VALID_MS


def _quarantine(e: Evidence, state: str) -> str:  # noqa: PLR0911  # a table of reasons, in order
    if state in (status.PENDING, status.ORPHAN_STOP):
        return "no_start"
    if state == status.ACTIVE:
        return "not_ended"
    if e.duration_ms < 0:
        return "end_before_start"
    if _clock_bad(e):
        return "clock_bad"
    if e.duration_ms > MAX_DURATION_MS:
        return "implausible_duration"
    if e.energy_mwh is None:
        return "no_energy"
    return _energy_reason(e, e.energy_mwh)


def _energy_reason(e: Evidence, energy_mwh: int) -> str:
    if energy_mwh < 0:
        return "negative_energy"
    if energy_mwh > MAX_ENERGY_MWH:
        return "implausible_energy"
    if e.rated_power_w is not None and _faster_than(e, energy_mwh, e.rated_power_w):
        return "implausible_power"
    return ""


def _faster_than(e: Evidence, energy_mwh: int, watts: int) -> bool:
    """Average power above 1.1 times `watts`; times have minute steps in many sources."""
    minute_ms = 60_000
    return energy_mwh * 36_000 > watts * (max(0, e.duration_ms) + minute_ms) * 11


def _flags(e: Evidence, state: str) -> tuple[str, ...]:
    found = [*e.ordered.flags, *e.curve.flags]
    if e.superseded and e.ordered.end is None:
        found.append("superseded")
    elif e.closed and e.ordered.end is None:
        found.append("expired")
    energy = e.energy_mwh
    if energy is not None and state in status.CLOSED:
        if energy < ATTEMPT_MWH or e.duration_ms < ATTEMPT_MS:
            found.append("attempt")
        if e.rated_power_w is None and _faster_than(e, energy, FLAG_POWER_W):
            found.append("fast")
    if state == status.ENDED_GAPS:
        found.append("seq_gap")
    return tuple(sorted(set(found)))


_HARMLESS = frozenset({"attempt", "timestamp_naive", "start_inferred", "end_inferred", "seq_gap"})


def _grade(state: str, reason: str, flags: tuple[str, ...]) -> str:
    if reason:
        return "set_aside"
    if state == status.ENDED_ESTIMATED or "integrated_from_power" in flags:
        return "estimated"
    return "exact" if set(flags) <= _HARMLESS else "flagged"
