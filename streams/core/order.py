"""Session order: by time, by sequence number where the clock jumped (domain rules 2.4, row 27).

A 2.x Ended may carry readings of the whole transaction under its own seqNo, so time comes
first; only when times contradict sequence numbers does the sequence number decide.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TypeVar

from streams.core.events import CoreEvent, Ended, Expired, Sample, Started, StateChanged

Bound = TypeVar("Bound", Started, Ended)


class Parts:
    """The events of a session by kind."""

    __slots__ = ("changes", "ends", "expiries", "flags", "samples", "starts")

    def __init__(self, events: Collection[CoreEvent]) -> None:
        self.samples: list[Sample] = []
        self.starts: list[Started] = []
        self.ends: list[Ended] = []
        self.changes: list[StateChanged] = []
        self.expiries: list[Expired] = []
        by_kind = (self.samples, self.starts, self.ends, self.changes, self.expiries)
        self.flags: set[str] = set()
        for event in events:
            if event.flags:
                self.flags.update(event.flags)
            by_kind[event.kind].append(event)  # type: ignore[arg-type]  # its kind names the list


@dataclass(slots=True)
class Ordered:
    """The events of a session in order, and what was noticed while ordering."""

    start: Started | None = None
    end: Ended | None = None
    samples: list[Sample] = field(default_factory=list)
    states: list[tuple[int, str]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    seqs: set[int] = field(default_factory=set)
    first_ms: int = 0
    last_ms: int = 0
    connector: int = -1
    evse: int = -1
    id_token: str = ""
    clock_jumped: bool = False


def order(parts: Parts) -> Ordered:
    """Choose start and end, order samples and states, merge sparse fields."""
    out = Ordered()
    out.start = _choose(out, parts.starts)
    out.end = _choose(out, parts.ends)
    _notice_flags(out, parts)
    _collect_seqs(out, parts)
    out.samples = _ordered_samples(out, parts.samples)
    _states(out, parts.changes)
    _sparse(out, parts)
    times = [s.ts for s in out.samples]
    times.extend(c.ts for c in parts.changes)
    times.extend(e.ts for e in (out.start, out.end) if e is not None)
    if not times:
        times = [e.ts for e in parts.expiries]
    out.first_ms, out.last_ms = min(times), max(times)
    return out


def _choose(out: Ordered, found: list[Bound]) -> Bound | None:
    """Of several different ones the later counts, and the session is flagged (row 3)."""
    if not found:
        return None
    if len(found) > 1:
        out.flags.append("conflict")
    return max(found, key=_whole)


def _whole(event: Sequence[object]) -> list[tuple[bool, object]]:
    """Any two events in one definite order, whatever they leave out."""
    return [(value is not None, value) for value in event]


def _notice_flags(out: Ordered, parts: Parts) -> None:
    if parts.flags:
        out.flags.extend(sorted(parts.flags))


def _collect_seqs(out: Ordered, parts: Parts) -> None:
    seqs = out.seqs
    for group in (parts.starts, parts.samples, parts.ends, parts.changes):
        seqs.update([e.seq for e in group])
    seqs.discard(-1)


def _ordered_samples(out: Ordered, samples: list[Sample]) -> list[Sample]:
    try:
        rows = sorted(samples)  # whole, so that equal ranks have one definite order
        if len({s[1] for s in rows}) != len(rows):
            rows.sort(key=_TIME_KEY)
    except TypeError:  # two at one instant, one of them without a register
        rows = sorted(samples, key=_whole)
        rows.sort(key=_by_time)
    if not rows:
        return rows
    if rows[-1].seq >= 0 and _clock_jumped(rows, out.end):
        out.clock_jumped = True
        out.flags.append("clock_jumped")
        rows.sort(key=_by_seq)
        rows = _never_backwards(rows)
    else:
        rows = _within(out, rows)
    return _one_an_instant(out, rows)


def _by_time(s: Sample) -> tuple[int, int, int, str]:
    return (s.ts, s.seq, -1 if s.import_mwh is None else s.import_mwh, s.context)


_TIME_KEY = itemgetter(1, 2, 4, 3)
"""`_by_time` at the speed of C: ts, seq, import_mwh, context."""


def _by_seq(s: Sample) -> tuple[int, int, int, str]:
    return (s.seq, s.ts, -1 if s.import_mwh is None else s.import_mwh, s.context)


def _clock_jumped(rows: list[Sample], end: Ended | None) -> bool:
    last_seq = end.seq if end is not None else -1
    top = -1
    for s in rows:
        if s.seq == last_seq:
            continue
        if s.seq < top:
            return True
        top = s.seq
    return False


def _never_backwards(rows: list[Sample]) -> list[Sample]:
    clock = rows[0].ts
    out: list[Sample] = []
    for s in rows:
        clock = max(clock, s.ts)
        out.append(s if s.ts == clock else s._replace(ts=clock))
    return out


def _within(out: Ordered, rows: list[Sample]) -> list[Sample]:
    """Readings from outside start and stop do not count where these carry registers."""
    start, end = out.start, out.end
    if start is not None and start.meter_mwh is not None and rows[0].ts < start.ts:
        rows = [s for s in rows if s.ts >= start.ts]
        out.flags.append("sample_before_start")
    if end is not None and end.meter_mwh is not None and rows and rows[-1].ts > end.ts:
        rows = [s for s in rows if s.ts <= end.ts]
        out.flags.append("sample_after_end")
    return rows


def _one_an_instant(out: Ordered, rows: list[Sample]) -> list[Sample]:
    """Two readings of one register at one instant in one context contradict each other."""
    last: Sample | None = None
    for s in rows:
        if (
            last is not None
            and s.ts == last.ts
            and s.context == last.context
            and s.import_mwh is not None
            and last.import_mwh is not None
            and s.import_mwh != last.import_mwh
        ):
            out.flags.append("conflict")
        last = s
    return rows


def _states(out: Ordered, changes: list[StateChanged]) -> None:
    rows: list[tuple[int, int, str]] = [(c.ts, c.seq, c.state) for c in changes if c.state]
    if out.start is not None and out.start.state:
        rows.append((out.start.ts, out.start.seq, out.start.state))
    if out.end is not None and out.end.state:
        rows.append((out.end.ts, out.end.seq, out.end.state))
    if out.clock_jumped:
        rows.sort(key=lambda r: (r[1], r[0], r[2]))
    else:
        rows.sort()
    out.states = [(t, state) for t, _, state in rows]


def _sparse(out: Ordered, parts: Parts) -> None:
    """Fields a 2.x station sends once: the start's value, else the earliest known (E01.FR.16)."""
    firsts: list[Started | Ended | StateChanged | Sample | Expired] = []
    if out.start is not None:
        firsts.append(out.start)
    firsts.extend(sorted(parts.changes))
    firsts.extend(out.samples[:1])
    if out.end is not None:
        firsts.append(out.end)
    for event in firsts:
        if out.connector < 0:
            out.connector = event.connector
        if out.evse < 0:
            out.evse = event.evse
        if not out.id_token and not isinstance(event, Sample):
            out.id_token = event.id_token
