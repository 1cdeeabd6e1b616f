"""Verdicts on many sessions: the twin of `streams.core.verdict` for started, plain ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.core import facts as status
from streams.core.columns import ABSENT, Bits, Ints, Sessions
from streams.core.many_curve import Curves
from streams.core.many_order import Frame
from streams.core.verdict import ATTEMPT_MS, ATTEMPT_MWH, FLAG_POWER_W

_MINUTE_MS = 60_000

_STATUS = np.array([status.ACTIVE, status.ENDED, status.ENDED_GAPS], object)
_REASONS = np.array(["", "not_ended", "no_energy", "implausible_power"], object)
_GRADES = np.array(["exact", "flagged", "set_aside"], object)

_NAMES = ("attempt", "end_inferred", "fast", "seq_gap", "start_inferred")
"""Flags such sessions can have, sorted; one bit each, the first the lowest."""

_FLAGS = np.empty(1 << len(_NAMES), object)
for _mask in range(len(_FLAGS)):
    _FLAGS[_mask] = tuple(name for bit, name in enumerate(_NAMES) if _mask >> bit & 1)


class Verdicts(NamedTuple):
    """Each S long; see `streams.core.verdict.Verdict`."""

    status: NDArray[np.object_]
    quarantine: NDArray[np.object_]
    grade: NDArray[np.object_]
    flags: NDArray[np.object_]


def verdicts_of(s: Sessions, frame: Frame, curves: Curves) -> Verdicts:
    """Verdicts on all; right for those whose frame and curve are ok."""
    energy, duration = curves.energy_mwh, frame.duration_ms
    metered = energy != ABSENT
    watts = np.where(s.rated_power_w >= 0, s.rated_power_w, FLAG_POWER_W)
    faster = metered & s.ended & (energy * 36_000 > watts * (duration + _MINUTE_MS) * 11)
    gaps = _gaps(s, frame)
    attempt = s.ended & metered & ((energy < ATTEMPT_MWH) | (duration < ATTEMPT_MS))
    fast = faster & (s.rated_power_w < 0)

    state = np.where(s.ended, 1 + gaps, 0)
    reason = np.where(faster & ~fast, 3, 0)
    reason[~metered] = 2
    reason[~s.ended] = 1
    grade = np.where(reason > 0, 2, fast * 1)  # the other flags are harmless
    bits = (attempt, curves.end_inferred, fast, gaps, curves.start_inferred)
    mask = sum((b.astype(np.int64) << i for i, b in enumerate(bits)), np.zeros(len(gaps), np.int64))
    return Verdicts(_STATUS[state], _REASONS[reason], _GRADES[grade], _FLAGS[mask])


def _gaps(s: Sessions, frame: Frame) -> Bits:
    """Ended sessions that lack a sequence number between Started and Ended."""
    counted = s.ended & (s.start_seq >= 0) & (s.end_seq >= s.start_seq)
    if not counted.any():
        return counted
    size = len(s.counts)
    told = (s.samples.seq >= 0) & counted[frame.owner]  # a sort of all would cost the open ones too
    other = np.repeat(np.arange(size), s.seq_counts)
    asked = counted[other]
    keys = np.concatenate([
        (frame.owner[told] << 32) + s.samples.seq[told],
        (other[asked] << 32) + s.seqs[asked],
    ])  # fmt: skip
    keys.sort()
    new = np.ones(len(keys), np.bool_)
    new[1:] = keys[1:] != keys[:-1]
    borders = np.searchsorted(keys, np.arange(size + 1, dtype=np.int64) << 32)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(new)])
    found: Ints = np.diff(before[borders])
    return counted & (found < s.end_seq - s.start_seq + 1)
