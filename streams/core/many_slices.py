"""Charging time of many sessions, and their 15-minute slices.

Charging and idle time are piecewise linear functions of time, and so is energy; each slice is
the difference of their values at its two borders, found for all borders of all sessions at
once. The twin of `streams.core.timeline` and `streams.core.slices`.

    breaks   |S    Charging   |    Idle     |   Charging   | until
    charging |0               |10 min       |10 min        |
    borders         ^                ^              ^
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.units import SLICE_MS
from streams.core.columns import ABSENT, CHARGING, IDLE, Bits, Ints, Past, Sessions
from streams.core.many_curve import Curves
from streams.core.many_order import Frame, firsts_of, places


class Timelines(NamedTuple):
    """What vehicles did: a state from each break to the next, the last one until the end.

    Running times, in ms, go on from session to session; only differences mean something.
    """

    firsts: Ints
    counts: Ints
    ts: Ints
    charges: Bits
    idles: Bits
    charged_ms: Ints
    """Before the break."""
    idled_ms: Ints
    begin_ms: Ints
    """S long, as is the next."""
    until_ms: Ints

    def at(self, owner: Ints, moments: Ints) -> tuple[Ints, Ints]:
        """Charging and idle ms of sessions `owner` from their start to `moments`."""
        moments = np.minimum(np.maximum(moments, self.begin_ms[owner]), self.until_ms[owner])
        first = self.firsts[owner]
        found = first_at_least(self.ts, first, self.counts[owner], moments)
        row = np.maximum(found - 1, first)
        since = moments - self.ts[row]
        charging = self.charged_ms[row] - self.charged_ms[first] + since * self.charges[row]
        idle = self.idled_ms[row] - self.idled_ms[first] + since * self.idles[row]
        return charging, idle


class Slices(NamedTuple):
    """`counts` S long, the others one entry a slice; see `streams.core.slices.Slice`."""

    counts: Ints
    start_ms: Ints
    energy_mwh: Ints
    occupied_ms: Ints
    charging_ms: Ints
    idle_ms: Ints


def first_at_least(values: Ints, first: Ints, counts: Ints, wanted: Ints) -> Ints:
    """For each `wanted` the first row with at least it among `counts` rows from `first`.

    The row after them where there is none. A binary search of all at once, each in its own
    rows; `values` rise within them.
    """
    low, left = first, counts
    top = len(values) - 1
    while left.any():
        half = left >> 1
        middle = low + half
        below = (values[np.minimum(middle, top)] < wanted) & (left > 0)
        low = np.where(below, middle + 1, low)
        left = np.where(below, left - half - 1, half)
    return low


def timelines_of(s: Sessions, frame: Frame, curves: Curves) -> Timelines:
    """Reported states where there are any; else charging is where energy flowed."""
    by_state = frame.by_state
    flowed = np.where(by_state, 0, curves.counts)
    counts = 1 + flowed + s.state_counts
    firsts = firsts_of(counts)
    ts, state = np.empty(counts.sum(), np.int64), np.empty(counts.sum(), np.int8)
    ts[firsts] = s.start_ts
    state[firsts] = IDLE
    opening = s.state[firsts_of(s.state_counts)[by_state]]
    state[firsts[by_state]] = np.where(opening == CHARGING, IDLE, CHARGING)

    place = places(firsts + 1, s.state_counts)
    ts[place], state[place] = s.state_ts, s.state
    if not by_state.all():
        rows = places(curves.firsts, flowed)
        place = places(firsts + 1, flowed)
        ts[place] = curves.ts[rows]
        state[place] = np.where(curves.mwh[rows + 1] > curves.mwh[rows], CHARGING, IDLE)
        ends_idle = flowed > 0
        state[(firsts + counts - 1)[ends_idle]] = IDLE  # nothing is known to flow after the last

    until = np.repeat(frame.until_ms, counts)
    np.minimum(np.maximum(ts, np.repeat(s.start_ts, counts)), until, out=ts)
    lasted = until
    lasted[:-1] = ts[1:]
    lasted[firsts + counts - 1] = frame.until_ms
    lasted -= ts
    charges, idles = state == CHARGING, state == IDLE
    charged, idled = lasted * charges, lasted * idles
    return Timelines(
        firsts=firsts,
        counts=counts,
        ts=ts,
        charges=charges,
        idles=idles,
        charged_ms=np.cumsum(charged) - charged,
        idled_ms=np.cumsum(idled) - idled,
        begin_ms=s.start_ts,
        until_ms=frame.until_ms,
    )


class _Grid(NamedTuple):
    """Slices before they are filled: the session of each, its number there, its later border."""

    counts: Ints
    owner: Ints
    nth: Ints
    start_ms: Ints
    border: Ints
    inner: Ints
    """Those that are not the last of their session."""
    leading: Ints
    """Those that stand for all slices before that of the anchor."""

    def steps(self, sums: Ints) -> Ints:
        """Differences within each session of values at later borders, from 0."""
        out = sums.copy()
        out[1:] -= sums[:-1] * (self.nth[1:] > 0)
        return out


def slices_of(
    s: Sessions, frame: Frame, curves: Curves, lines: Timelines, begin_ms: Ints, ok: Bits
) -> tuple[Slices, Ints, Ints]:
    """Slices of the sessions that are `ok`, and charging and idle ms of all sessions. `begin_ms`:
    of the whole sessions.
    """
    charging, idle = lines.at(np.arange(len(ok)), frame.until_ms)
    grid = _grid(s, frame.until_ms, ok)
    owner, inner = grid.owner, grid.inner
    energy_sums = np.where(curves.energy_mwh == ABSENT, 0, curves.energy_mwh)[owner]
    charging_sums, idle_sums = charging[owner], idle[owner]
    charging_sums[inner], idle_sums[inner] = lines.at(owner[inner], grid.border[inner])
    flows = inner[energy_sums[inner] > 0]
    energy_sums[flows] = _energy_before(
        frame, curves, lines, owner[flows], grid.border[flows], charging_sums[flows]
    )
    if s.past is not None:
        charging, idle = charging + s.past.charging_ms, idle + s.past.idle_ms
        _go_on(s.past, grid, (energy_sums, charging_sums, idle_sums))
    slices = Slices(
        counts=grid.counts,
        start_ms=grid.start_ms,
        energy_mwh=grid.steps(energy_sums),
        occupied_ms=grid.steps(grid.border - begin_ms[owner]),
        charging_ms=grid.steps(charging_sums),
        idle_ms=grid.steps(idle_sums),
    )
    return slices, charging, idle


def _go_on(past: Past, grid: _Grid, sums: tuple[Ints, Ints, Ints]) -> None:
    """Sums since the anchor become those since the start, in place."""
    before = past.energy_mwh, past.charging_ms, past.idle_ms
    kept = past.kept_energy_mwh, past.kept_charging_ms, past.kept_idle_ms
    led = grid.owner[grid.leading]
    for column, to_anchor, to_slice in zip(sums, before, kept, strict=True):
        np.add(column, to_anchor[grid.owner], out=column)
        column[grid.leading] = to_slice[led]


def _grid(s: Sessions, until_ms: Ints, ok: Bits) -> _Grid:
    first = s.start_ts // SLICE_MS
    counts = np.where(ok, np.maximum((until_ms - 1) // SLICE_MS - first, 0) + 1, 0)
    leads = np.zeros(len(ok), np.int64)
    if s.past is not None:  # all slices before that of the anchor are one
        leads[ok & s.past.anchored & (s.past.first_slice_ms < first * SLICE_MS)] = 1
        counts += leads
    owner = np.repeat(np.arange(len(ok)), counts)
    firsts = firsts_of(counts)
    nth = np.arange(len(owner)) - firsts[owner]
    begin = ((first - leads)[owner] + nth) * SLICE_MS
    border = np.minimum(begin + SLICE_MS, until_ms[owner])
    leading = firsts[leads > 0]
    if s.past is not None:
        begin[leading] = s.past.first_slice_ms[owner[leading]]
    return _Grid(
        counts=counts,
        owner=owner,
        nth=nth,
        start_ms=begin,
        border=border,
        inner=np.flatnonzero(nth < counts[owner] - 1),
        leading=leading,
    )


def _energy_before(
    frame: Frame, c: Curves, lines: Timelines, owner: Ints, border: Ints, charged: Ints
) -> Ints:
    """Energy in mWh, floored, of sessions with energy until `border`; `charged` ms by then."""
    first, counts = c.firsts[owner], c.counts[owner]
    row = first_at_least(c.ts, first, counts, border)
    over = row == first + counts  # after the last reading
    row = np.minimum(np.maximum(row, first + 1), first + counts - 1)
    t0, t1, e0 = c.ts[row - 1], c.ts[row], c.mwh[row - 1]
    flow = c.mwh[row] - e0
    part, whole = border - t0, t1 - t0
    told = np.flatnonzero(frame.by_state[owner])
    if told.size:  # spread over the charging time between the two readings
        before, _ = lines.at(owner[told], t0[told])
        after, _ = lines.at(owner[told], t1[told])
        charges = after > before
        told = told[charges]
        part[told] = charged[told] - before[charges]
        whole[told] = (after - before)[charges]
    share: NDArray[np.int64] = flow * part // np.maximum(whole, 1)
    sums = np.where(border <= t0, 0, e0 - c.mwh[first] + share)
    return np.where(over, c.energy_mwh[owner], sums)
