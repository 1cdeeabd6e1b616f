"""Energy curves of many sessions from their total import registers.

    start register   (ts, mwh)  |  samples' registers  |  end register
                       1 or 0           0 ...               1 or 0

The twin of `streams.core.curve` where registers never fall: then a point's cumulative energy
is its register less the session's first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streams.core.columns import ABSENT, BEGIN, END, UNKNOWN, Bits, Ints, Sessions
from streams.core.curve import _SLACK_MWH as SLACK_MWH
from streams.core.curve import UNRATED_POWER_W
from streams.core.many_order import Frame, falls, firsts_of


class Curves(NamedTuple):
    """Curves of S sessions with P points; a session's points lie together, in time."""

    ok: Bits
    counts: Ints
    firsts: Ints
    ts: Ints
    """P + 1 long, as is the next: the last is nobody's, so that `firsts` is always an index."""
    mwh: Ints
    """Register."""
    energy_mwh: Ints
    """ABSENT with fewer than two points; the next two without points."""
    start_mwh: Ints
    stop_mwh: Ints
    start_inferred: Bits
    end_inferred: Bits


def curves_of(s: Sessions, frame: Frame) -> Curves:
    """All curves; `ok` where they are what the general path would make."""
    size = len(s.counts)
    known = s.samples.import_mwh != ABSENT
    begins = s.contexts == BEGIN
    begin_mwh = _begin_registers(s, frame, np.flatnonzero(known & begins))
    rows = np.flatnonzero(known & ~begins)
    read = np.bincount(frame.owner[rows], minlength=size)
    has_begin, has_end = begin_mwh != ABSENT, s.ended & (s.end_mwh != ABSENT)
    final = ~s.ended | has_end
    final[frame.owner[np.flatnonzero(known & (s.contexts == END))]] = True

    counts = read + has_begin + has_end
    firsts = firsts_of(counts)
    lasts = firsts + counts - 1
    ts, mwh = np.zeros(counts.sum() + 1, np.int64), np.zeros(counts.sum() + 1, np.int64)
    place = np.arange(rows.size) + np.repeat(firsts + has_begin - firsts_of(read), read)
    ts[place], mwh[place] = s.samples.ts[rows], s.samples.import_mwh[rows]
    ts[firsts[has_begin]], mwh[firsts[has_begin]] = s.start_ts[has_begin], begin_mwh[has_begin]
    ts[lasts[has_end]], mwh[lasts[has_end]] = s.end_ts[has_end], s.end_mwh[has_end]

    found = Curves(
        ok=np.ones(size, np.bool_),
        counts=counts,
        firsts=firsts,
        ts=ts,
        mwh=mwh,
        energy_mwh=np.where(counts > 1, mwh[lasts] - mwh[firsts], ABSENT),
        start_mwh=np.where(counts > 0, mwh[firsts], ABSENT),
        stop_mwh=np.where(counts > 0, mwh[lasts], ABSENT),
        start_inferred=(read > 0) & ~has_begin,
        end_inferred=(counts > 0) & ~final,
    )
    _doubt(found, s, frame)
    return found


def _begin_registers(s: Sessions, frame: Frame, rows: Ints) -> Ints:
    """Started's register, else that of the first sample (of `rows`) taken at the begin."""
    found = s.start_mwh.copy()
    whose, first = np.unique(frame.owner[rows], return_index=True)
    lacking = found[whose] == ABSENT
    found[whose[lacking]] = s.samples.import_mwh[rows[first[lacking]]]
    return found


def _doubt(c: Curves, s: Sessions, frame: Frame) -> None:
    """Take `ok` from curves that the general path would mend or reject."""
    ok, several = c.ok, np.flatnonzero(c.counts > 1)
    fallen = falls(c.mwh[:-1], c.firsts[c.counts > 0], 0)
    ok[np.searchsorted(c.firsts, fallen, "right") - 1] = False
    first = c.firsts[several]
    rise_ms = c.ts[first + 1] - c.ts[first]
    ok[several] &= rise_ms >= 0  # a reading before a start that has its register from a sample

    rated = s.rated_power_w[several]
    watts = np.where(rated > 0, rated, UNRATED_POWER_W)
    possible_mwh = watts * np.maximum(rise_ms, 0) * 11 // 36_000 + SLACK_MWH
    placeholder = (c.mwh[first] == 0) & (c.mwh[first + 1] > possible_mwh)
    ok[several] &= ~(placeholder & (c.counts[several] > 2))

    unmetered = c.counts < 2
    if unmetered.any():  # an integral over power takes the registers' place
        powered = frame.owner[s.samples.power_mw != UNKNOWN]
        ok &= ~unmetered | (np.bincount(powered, minlength=len(ok)) < 2)
