"""Heads of sessions at rest: their records as rows of the table of `streams.heads`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.core.columns import ABSENT, Bits, Ints, Small
from streams.core.many_order import firsts_of, places
from streams.core.resting import Resting
from streams.core.session import SLICE_S

_LOW = (1 << 32) - 1
COLUMNS = (
    "slot", "version", "events", "superseded", "slice_first", "slice_last", "last_ts",
    "kept_from_s", "start_ts", "start_seq", "start_mwh", "ended", "end_ts", "end_seq", "end_mwh",
    "change_first", "change_last", "connector", "evse", "end_connector", "end_evse",
    "first_shape", "states", "seqs",
)  # fmt: skip
AT = {name: place for place, name in enumerate(COLUMNS)}
"""Where each column stands."""


def table_of(records: NDArray[np.void], slots: Small) -> Ints:
    """Records as columns of a table; without changes of state."""
    size = len(slots)
    table = np.zeros((len(COLUMNS), size), np.int64)
    for name in (
        "version", "last_ts", "start_ts", "start_seq", "start_mwh", "connector",
        "evse", "first_shape", "states", "seqs",
    ):  # fmt: skip
        table[AT[name]] = records[name]
    table[AT["slot"]] = slots
    kept = records["kept_from_s"]
    table[AT["kept_from_s"]] = np.where(kept == 0, ABSENT, kept)
    table[AT["events"]] = 1 + records["changes"].astype(np.int64)
    slices = records["slices"]
    none = slices == ABSENT
    low = slices & _LOW
    table[AT["slice_first"]] = np.where(none, ABSENT, (slices >> 32) * SLICE_S)
    table[AT["slice_last"]] = np.where(none, ABSENT, (low - (low >> 31 << 32)) * SLICE_S)
    table[AT["end_seq"]], table[AT["end_mwh"]] = -1, ABSENT
    table[AT["change_first"]] = table[AT["change_last"]] = records["start_ts"]
    table[AT["end_connector"]] = table[AT["end_evse"]] = -1
    return table


class Marks:
    """States and sequence numbers of sessions at rest, one after the other.

    Without changes of state there is the start's sequence number alone.
    """

    def __init__(
        self, resting: Resting, slots: Small, records: NDArray[np.void], table: Ints
    ) -> None:
        self.has: Bits = (records["changes"] > 0) | (records["states"] > 0)
        seqs = records["start_seq"].astype(np.int64)
        if not self.has.any():
            self.state_ts: Ints = np.zeros(0, np.int64)
            self.state_codes: NDArray[np.int8] = np.zeros(0, np.int8)
            self.seqs: Ints = seqs[seqs >= 0]
            return
        at = np.flatnonzero(self.has)
        flat = resting.marks(slots[at].tolist())
        states, numbers = (records[name][at].astype(np.int64) for name in ("states", "seqs"))
        begin = firsts_of(2 + 2 * states + numbers)
        table[AT["change_first"], at] = flat[begin]
        table[AT["change_last"], at] = flat[begin + 1]
        self.state_ts = flat[places(begin + 2, states)]
        self.state_codes = flat[places(begin + 2 + states, states)].astype(np.int8)
        counts = records["seqs"].astype(np.int64)
        firsts = firsts_of(counts)
        self.seqs = np.empty(int(counts.sum()), np.int64)
        alone = counts > 0
        alone[at] = False
        self.seqs[firsts[alone]] = seqs[alone]
        self.seqs[places(firsts[at], numbers)] = flat[places(begin + 2 + 2 * states, numbers)]
