"""Many ordinary sessions derived and sliced in one pass over columns.

    Sessions -> frame (order, bounds) -> curves (energy) -> timelines (what the vehicle did)
                                                  `-> verdicts            `-> slices

The twin of `streams.core.derive.derive` with `streams.core.slices.slice_session`: where `ok`,
every value equals theirs. A session in which anything must be mended (clocks that jump,
registers that fall, readings outside start and stop, placeholders, no end but a successor,
no register but power) is not `ok` and needs them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streams.core.columns import ABSENT, UNKNOWN, Ints, Many, Past, Sessions
from streams.core.many_curve import Curves, curves_of
from streams.core.many_order import Frame, frame_of
from streams.core.many_slices import slices_of, timelines_of
from streams.core.many_verdict import verdicts_of
from streams.core.verdict import MAX_ENERGY_MWH


def derive_many(sessions: Sessions) -> Many:
    """What is known of each session, with its slices; see `Many.ok`."""
    begin_ms, sessions = sessions.start_ts, _from_anchors(sessions)
    frame = frame_of(sessions, begin_ms)
    curves = curves_of(sessions, frame)
    lines = timelines_of(sessions, frame, curves)
    verdicts = verdicts_of(sessions, frame, curves)
    energy_mwh, start_mwh = _energy(sessions.past, curves)
    ok = frame.ok & curves.ok & (energy_mwh <= MAX_ENERGY_MWH)  # so energy times duration fits
    slices, charging_ms, idle_ms = slices_of(sessions, frame, curves, lines, begin_ms, ok)
    return Many(
        ok=ok,
        status=verdicts.status,
        quarantine=verdicts.quarantine,
        grade=verdicts.grade,
        flags=verdicts.flags,
        until_ms=frame.until_ms,
        settled_ms=_settled(sessions, curves),
        closed=sessions.ended,
        first_event_ms=frame.first_ms,
        last_event_ms=frame.last_ms,
        energy_mwh=energy_mwh,
        meter_start_mwh=start_mwh,
        meter_stop_mwh=curves.stop_mwh,
        readings=curves.counts,
        max_power_mw=_max_power(sessions, frame),
        charging_ms=charging_ms,
        idle_ms=idle_ms,
        suspended_evse_ms=frame.duration_ms - charging_ms - idle_ms,
        duration_ms=frame.duration_ms,
        slice_counts=slices.counts,
        slice_start_ms=slices.start_ms,
        slice_energy_mwh=slices.energy_mwh,
        slice_occupied_ms=slices.occupied_ms,
        slice_charging_ms=slices.charging_ms,
        slice_idle_ms=slices.idle_ms,
    )


def _from_anchors(sessions: Sessions) -> Sessions:
    """Sessions with a past as if they had begun at its anchor."""
    past = sessions.past
    if past is None:
        return sessions
    return replace(
        sessions,
        start_ts=np.where(past.anchored, past.anchor_ms, sessions.start_ts),
        start_mwh=np.where(past.anchored, past.anchor_mwh, sessions.start_mwh),
    )


def _energy(past: Past | None, curves: Curves) -> tuple[Ints, Ints]:
    """Energy of the whole sessions, and the register when they began."""
    if past is None:
        return curves.energy_mwh, curves.start_mwh
    since = np.where(curves.energy_mwh == ABSENT, 0, curves.energy_mwh)
    return (
        np.where(past.anchored, past.energy_mwh + since, curves.energy_mwh),
        np.where(past.anchored, past.begin_mwh, curves.start_mwh),
    )


def _settled(sessions: Sessions, curves: Curves) -> Ints:
    """The last reading of the register: energy and time after it await the next one. Without a
    register of the begin nothing is settled: a later sample may tell it (Transaction.Begin).
    """
    lasts = np.maximum(curves.firsts + curves.counts - 1, 0)
    known = (curves.counts > 0) & ~curves.start_inferred
    return np.where(known, curves.ts[lasts], sessions.start_ts)


def _max_power(sessions: Sessions, frame: Frame) -> Ints:
    """Highest measured power in mW, ABSENT where none was measured."""
    highest = np.full(len(sessions.counts), UNKNOWN, np.int64)
    sampled = sessions.counts > 0
    if sampled.any():
        highest[sampled] = np.maximum.reduceat(sessions.samples.power_mw, frame.firsts[sampled])
    if sessions.past is not None:
        before = np.where(sessions.past.anchored, sessions.past.max_power_mw, UNKNOWN)
        highest = np.maximum(highest, before)
    return np.where(highest == UNKNOWN, ABSENT, highest)
