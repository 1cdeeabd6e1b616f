"""Open sessions as columns: what the fast lane of stitching, deriving and pricing speaks.

    sessions   s0          s1    s2
    counts     3           1     2
    rows       a a a       b     c c        ts, seq, import_mwh, power_mw, current_ma, shape

All arrays are numpy; a session's rows lie together, sessions one after the other. Absent numbers
are sentinels, so that columns stay plain integers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Small = NDArray[np.int32]
Bits = NDArray[np.bool_]

ABSENT = -(2**63)
"""No such register (int64)."""

UNKNOWN = -(2**31)
"""No such power or current (int32)."""

PLAIN, BEGIN, END = range(3)
"""What a sample's context means to the energy curve: nothing, Transaction.Begin, .End."""

CHARGING, SUSPENDED_EVSE, IDLE = range(3)
"""Codes of reported states; every state but the first two is idle (`streams.core.timeline`)."""


class Samples(NamedTuple):
    """Meter samples, one entry each. `shape` is a code of `SampleLane.shapes`."""

    ts: Ints
    """Epoch ms."""
    seq: Small
    """-1: unknown."""
    import_mwh: Ints
    """ABSENT where the sample has none."""
    power_mw: Small
    """UNKNOWN where the sample has none."""
    current_ma: Small
    """UNKNOWN where the sample has none."""
    shape: Small

    def where(self, keep: Bits) -> Samples:
        """Those samples for which `keep` is true."""
        ts, seq, register, power, current, shape = (column[keep] for column in self)
        return Samples(ts, seq, register, power, current, shape)  # type: ignore[arg-type]


@dataclass(slots=True)
class Past:
    """What is known of sessions of which only the newest samples are told, S long.

        start ──── slices that stay ────┬── slice of the anchor ──┬─────
                   kept_*               │   anchor: *_ms, *_mwh   │  samples
                                        └ first instant of that slice

    An *anchor* is the newest sample that is left out, with a register, and nothing was known after
    it. Start and changes of state are told whole. Elsewhere `anchored` is False and the rest 0.
    """

    anchored: Bits
    anchor_ms: Ints
    anchor_mwh: Ints
    begin_mwh: Ints
    """Register when the session began."""
    energy_mwh: Ints
    """From the start to the anchor, as are the next two."""
    charging_ms: Ints
    idle_ms: Ints
    max_power_mw: Ints
    """UNKNOWN where none was measured."""
    first_slice_ms: Ints
    """Begin of the session's first slice."""
    kept_energy_mwh: Ints
    """From the start to the begin of the anchor's slice, as are the next two."""
    kept_charging_ms: Ints
    kept_idle_ms: Ints

    def where(self, keep: Bits) -> Past:
        """Some of the sessions."""
        return Past(*(getattr(self, field.name)[keep] for field in fields(self)))


@dataclass(slots=True)
class Sessions:
    """Sessions to derive, S of them, and their N samples in session order, duplicates removed.

    Each has exactly one Started; at most one Ended; no flags, no expiry; protocol 2.x. Ints are
    epoch ms and mWh. `state_*` are all states reported by Started, StateChanged and Ended in
    the order of (ts, seq, state name), `state_counts[s]` of session s. `seqs` are the sequence
    numbers (>= 0) of Started, Ended and every StateChanged, `seq_counts[s]` of session s.
    """

    start_ts: Ints
    start_seq: Ints
    start_mwh: Ints
    """ABSENT where Started has no register."""
    ended: Bits
    end_ts: Ints
    end_seq: Ints
    end_mwh: Ints
    change_first: Ints
    """Earliest and latest instant of the StateChanged events; start_ts where there is none."""
    change_last: Ints
    superseded: Bits
    rated_power_w: Ints
    """-1: unknown."""
    counts: Ints
    samples: Samples
    contexts: NDArray[np.int8]
    """PLAIN, BEGIN or END of each sample."""
    state_counts: Ints
    state_ts: Ints
    state: NDArray[np.int8]
    seq_counts: Ints
    seqs: Ints
    past: Past | None = None
    """None: all sessions are told whole. One with a past is open."""


@dataclass(slots=True)
class Many:
    """What `derive_many` found, S long; slices one after the other, `slice_counts[s]` of s.

    Only sessions with `ok` are derived: the others need `streams.core.derive.derive`.
    """

    ok: Bits
    status: NDArray[np.object_]
    """As in Facts; so are the next ones."""
    quarantine: NDArray[np.object_]
    grade: NDArray[np.object_]
    flags: NDArray[np.object_]
    """Tuples of str, sorted."""
    until_ms: Ints
    settled_ms: Ints
    """Up to here nothing changes any more while all that comes are later samples."""
    closed: Bits
    """`ended_ms` is `until_ms` where closed, else None."""
    first_event_ms: Ints
    last_event_ms: Ints
    energy_mwh: Ints
    """ABSENT: None."""
    meter_start_mwh: Ints
    meter_stop_mwh: Ints
    readings: Ints
    """Of the register; of a session with a past from its anchor on."""
    max_power_mw: Ints
    """ABSENT: None."""
    charging_ms: Ints
    idle_ms: Ints
    suspended_evse_ms: Ints
    duration_ms: Ints
    slice_counts: Ints
    """Of a session with a past, its slices before that of the anchor are told as one."""
    slice_start_ms: Ints
    slice_energy_mwh: Ints
    slice_occupied_ms: Ints
    slice_charging_ms: Ints
    slice_idle_ms: Ints


@dataclass(slots=True)
class PricedLine:
    """One component's line of every session that `price_many` priced, P long.

    Sessions without this line have `present` False. `rule` is the component's rule, `dimension`
    as in `streams.core.pricing.priced.Line`; micro-units are differences of rounded running sums.
    """

    dimension: str
    rule: Any
    present: Bits
    quantity: Ints
    billed: Ints
    rest_ms: Ints
    """Begin of the slice that has what is billed beyond the volumes of the slices."""
    start_ms: Ints
    end_ms: Ints
    excl_micro: Ints
    incl_micro: Ints


@dataclass(slots=True)
class PricedMany:
    """Prices of P sessions under one plain tariff, in micro-units; slices as they were given.

    `ok` False: numbers too large for 64 bits; `price` and `accrue` must do it.
    """

    ok: Bits
    lines: list[PricedLine]
    """In the order of a Priced's lines."""
    excl_micro: Ints
    incl_micro: Ints
    rounded_excl_micro: Ints
    """Rounded to minor units, told in micro-units."""
    rounded_incl_micro: Ints
    slice_excl_micro: Ints
    slice_incl_micro: Ints
