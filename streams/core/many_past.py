"""Open sessions derived on from where they were: what to remember of them, and the way back.

    derive_many(whole session)       ──> kept_of ──> 28 bytes a session
    derive_many(its newest samples)  <── past_of <──

So an update costs what is new in it, however long the session is. The result is that of the whole
session: energy, charging and idle time are sums over time, and where the newest event is a reading
of the register, nothing before it changes any more while only later samples come.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from schemas.units import SLICE_MS
from streams.core.columns import ABSENT, UNKNOWN, Bits, Ints, Many, Past, Samples
from streams.core.many_order import falls, firsts_of

_LEAST_READINGS = 3
"""Fewer may still turn out to begin with a placeholder (`streams.core.many_curve`)."""

_MOST = 2**31 - 1

NOTHING = -1


class Kept(NamedTuple):
    """What is remembered of sessions, S long; see `Past`. Times and energies below 2^31."""

    energy_mwh: Ints
    """NOTHING: the session is to be derived whole, and the rest means nothing."""
    charging_ms: Ints
    idle_ms: Ints
    max_power_mw: Ints
    """UNKNOWN where none was measured."""
    slice_energy_mwh: Ints
    """In the slice of the newest event so far, as are the next two."""
    slice_charging_ms: Ints
    slice_idle_ms: Ints


def kept_of(many: Many, start_ms: Ints, change_first: Ints, newest_ms: Ints, past: Bits) -> Kept:
    """What to remember of sessions just derived. `newest_ms`: of their newest samples; `past`:
    which of them were derived with one.
    """
    parts = _in_the_last_slice(many)
    goes_on = (
        many.ok
        & ~many.closed
        & (many.settled_ms == many.until_ms)
        & (newest_ms == many.until_ms)
        & (past | (many.readings >= _LEAST_READINGS))
        & (many.first_event_ms == np.minimum(start_ms, change_first))
        & (many.duration_ms <= _MOST)
    )
    energy_mwh = np.where(goes_on, many.energy_mwh, NOTHING)
    power_mw = np.where(many.max_power_mw == ABSENT, UNKNOWN, many.max_power_mw)
    return Kept(energy_mwh, many.charging_ms, many.idle_ms, power_mw, *parts)


def _in_the_last_slice(many: Many) -> list[Ints]:
    """Energy, charging and idle time in the slice of the settled instant, where that is the last;
    0 where that slice only begins.
    """
    sliced = np.flatnonzero(many.slice_counts)
    lasts = np.cumsum(many.slice_counts)[sliced] - 1
    inside = many.slice_start_ms[lasts] == many.settled_ms[sliced] // SLICE_MS * SLICE_MS
    out = []
    for column in (many.slice_energy_mwh, many.slice_charging_ms, many.slice_idle_ms):
        part = np.zeros(len(many.ok), np.int64)
        part[sliced] = np.where(inside, column[lasts], 0)
        out.append(part)
    return out


def go_on(rows: Samples, counts: Ints, anchor_ms: Ints) -> Bits:
    """Sessions whose rows are their anchor and plain later samples; `counts` of each, at least 1.

    Samples out of order, repeated or without number are for those who see the whole session.
    """
    firsts = firsts_of(counts)
    out: Bits = rows.ts[firsts] == anchor_ms
    owner = np.repeat(np.arange(len(counts)), counts)
    for odd in (
        falls(rows.ts, firsts, 1),
        falls(rows.seq, firsts, 0),
        np.flatnonzero(rows.seq < 0),
    ):
        out[owner[odd]] = False
    return out


def past_of(kept: Kept, anchored: Bits, at_ms: Ints, at_mwh: Ints, first_slice_ms: Ints) -> Past:
    """The past of sessions, of which some are `anchored` at this reading."""
    energy, charging, idle = kept[:3]
    columns = (
        at_ms,
        at_mwh,
        at_mwh - energy,
        energy,
        charging,
        idle,
        kept.max_power_mw,
        first_slice_ms,
        energy - kept.slice_energy_mwh,
        charging - kept.slice_charging_ms,
        idle - kept.slice_idle_ms,
    )
    return Past(anchored, *(np.where(anchored, column, 0) for column in columns))
