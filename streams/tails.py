"""Due sessions at rest of which only the newest samples need to be looked at.

    slot's rows in the lane    a a a a  a a a A | n n      A: the anchor, newest when last written
                               told by its record | told here

What has to be seen whole (rows out of order, another catalogue, nothing remembered) is told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.core.columns import Ints, Past, Samples, Small
from streams.core.lane import SampleLane
from streams.core.many_order import firsts_of
from streams.core.many_past import NOTHING, Kept, go_on, past_of
from streams.core.resting import Resting
from streams.core.session import SLICE_S
from streams.session_rows import COUNT_BITS, VERSION_BITS


@dataclass(slots=True)
class AtRest:
    """Due sessions at rest: those to be seen whole, then those with a past."""

    slots: Small
    records: NDArray[np.void]
    whole: int
    """How many are to be seen whole; the columns below are of the others."""
    before: Ints
    """Samples that its record tells."""
    anchor_ms: Ints
    anchor_mwh: Ints
    counts: Ints
    """Samples that came since."""
    samples: Samples

    def past(self, others: int) -> Past | None:
        """Of `others` sessions without a past and these; None where none has one."""
        if not len(self.before):
            return None
        records = self.records
        kept = Kept(*(_after(others, records[name][self.whole :]) for name in Kept._fields))
        anchored = np.zeros(others + len(records) - self.whole, np.bool_)
        anchored[others:] = True
        first = (records["slices"][self.whole :] >> 32) * (SLICE_S * 1000)
        anchor_ms, anchor_mwh, first_ms = (
            _after(others, column) for column in (self.anchor_ms, self.anchor_mwh, first)
        )
        return past_of(kept, anchored, anchor_ms, anchor_mwh, first_ms)


def at_rest(lane: SampleLane, resting: Resting, slots: Small, revision: int) -> AtRest:
    """Find out which can be derived on; `revision` of the catalogue now."""
    records = resting.records.take(slots)
    before = (records["version"] % (1 << COUNT_BITS) >> 1) - 1 - records["changes"]
    same = (records["energy_mwh"] != NOTHING) & (records["version"] >> VERSION_BITS == revision)
    rows_held = lane.held(slots)
    at = np.flatnonzero(same & (before > 0) & (before <= rows_held))
    counts, rows = lane.newest(slots[at], before[at] - 1)
    good = go_on(rows, counts, records["last_ts"][at])
    chosen, firsts = at[good], firsts_of(counts)
    since = np.repeat(good, counts)
    since[firsts] = False
    others = np.ones(len(slots), np.bool_)
    others[chosen] = False
    order = np.concatenate([np.flatnonzero(others), chosen])
    return AtRest(
        slots=slots[order],
        records=records[order],
        whole=len(slots) - len(chosen),
        before=before[chosen],
        anchor_ms=rows.ts[firsts[good]],
        anchor_mwh=rows.import_mwh[firsts[good]],
        counts=counts[good] - 1,
        samples=rows.where(since),
    )


def joined(parts: Sequence[Samples]) -> Samples:
    """Samples of the ones, then of the others."""
    return Samples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _after(others: int, column: Ints) -> Ints:
    """A column of the last sessions as one of all; what stands before means nothing."""
    return np.concatenate([np.zeros(others, np.int64), column.astype(np.int64)])
