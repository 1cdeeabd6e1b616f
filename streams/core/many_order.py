"""Which sessions of many are in plain order, and the instants that bound them.

The twin of `streams.core.order` for sessions in which nothing has to be put right: times of
samples rise, sequence numbers agree with them, and no reading lies outside start and stop.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.core.columns import ABSENT, Bits, Ints, Sessions
from streams.core.verdict import FIRST_VALID_MS, MAX_DURATION_MS

MAX_RATED_W = 10**8
"""A connector rated higher is left to the exact integers of the general path."""


class Frame(NamedTuple):
    """Order and bounds of S sessions with N samples."""

    ok: Bits
    owner: Ints
    """N long: the session of each sample."""
    firsts: Ints
    """Index of each session's first sample (of the next session's, where it has none)."""
    first_ms: Ints
    last_ms: Ints
    until_ms: Ints
    """The end, or for now the last event."""
    duration_ms: Ints
    by_state: Bits
    """Charging states were reported."""


def firsts_of(counts: Ints) -> Ints:
    """Index of the first row of each group, where groups lie one after the other."""
    return np.cumsum(counts) - counts


def places(begins: Ints, counts: Ints) -> Ints:
    """Indices of `counts[i]` rows from begins[i] on, one group after the other."""
    return np.arange(counts.sum()) + np.repeat(begins - firsts_of(counts), counts)


def falls(values: NDArray[np.integer], firsts: Ints, least: int) -> Ints:
    """Rows that rise by less than `least` over the row before them in their group.

    `firsts` are the first rows of all groups that have rows.
    """
    steps = np.diff(values)
    steps[firsts[1:] - 1] = least
    return np.flatnonzero(steps < least) + 1


def frame_of(s: Sessions, begin_ms: Ints) -> Frame:
    """Order and bounds; `ok` where the order is plain. `begin_ms`: of the whole sessions."""
    size = len(s.counts)
    owner = np.repeat(np.arange(size), s.counts)
    firsts = firsts_of(s.counts)
    sampled = s.counts > 0
    first_ms, last_ms = s.start_ts.copy(), s.start_ts.copy()
    first_ms[sampled] = s.samples.ts[firsts[sampled]]
    last_ms[sampled] = s.samples.ts[(firsts + s.counts - 1)[sampled]]
    ok = ~((s.start_mwh != ABSENT) & (first_ms < s.start_ts))
    ok &= ~(s.ended & (s.end_mwh != ABSENT) & (last_ms > s.end_ts))
    ends = np.where(s.ended, s.end_ts, s.start_ts)
    first_ms = _each(np.minimum, first_ms, begin_ms, s.change_first, ends)
    last_ms = _each(np.maximum, last_ms, s.start_ts, s.change_last, ends)
    until_ms = np.where(s.ended, s.end_ts, last_ms)
    duration_ms = until_ms - begin_ms
    ok &= s.ended | ~s.superseded
    ok &= (s.start_ts >= FIRST_VALID_MS) & (duration_ms >= 0) & (duration_ms <= MAX_DURATION_MS)
    # Far events are no error, but times their energy they might not fit 64 bits.
    ok &= (begin_ms - first_ms <= MAX_DURATION_MS) & (last_ms - until_ms <= MAX_DURATION_MS)
    ok &= s.rated_power_w <= MAX_RATED_W
    ok[owner[falls(s.samples.ts, firsts[sampled], 1)]] = False
    ok[_clock_jumped(s, owner, firsts)] = False
    return Frame(ok, owner, firsts, first_ms, last_ms, until_ms, duration_ms, s.state_counts > 0)


def _each(best: np.ufunc, first: Ints, *others: Ints) -> Ints:
    for other in others:
        first = best(first, other)
    return first


def _clock_jumped(s: Sessions, owner: Ints, firsts: Ints) -> Ints:
    """Sessions in which a later sample has a lower number; see `streams.core.order`.

    Samples that came with the Ended bear its number and do not count. Leaving rows out can
    only hide falls, so the few sessions with any fall are looked at again without them.
    """
    seq = s.samples.seq
    suspects = owner[falls(seq, firsts[s.counts > 0], 0)]
    if not suspects.size:
        return suspects
    suspects = np.unique(suspects)
    suspects = suspects[seq[firsts[suspects] + s.counts[suspects] - 1] >= 0]
    suspected = np.zeros(len(s.counts), np.bool_)
    suspected[suspects] = True
    ended_with = np.where(s.ended, s.end_seq, -1)
    rows = np.flatnonzero(suspected[owner])
    rows = rows[seq[rows] != ended_with[owner[rows]]]
    whose = owner[rows]
    fell = (np.diff(seq[rows].astype(np.int64)) < 0) & (whose[1:] == whose[:-1])
    fallen: Ints = whose[1:][fell]
    return fallen
