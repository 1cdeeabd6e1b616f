"""What ordinary sessions say beside their samples, as columns: the first step of a flush.

    awake     Started, 2 StateChanged    ──┐     table: one row of integers    states     seqs
    at rest   a record of columns        ──┴──>  start, end, connector …       a b        0 3 7

One pass of Python over the sessions awake, none over those at rest; everything after it works on
whole columns. Sessions awake come first.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import compress
from typing import cast

import numpy as np
from numpy.typing import NDArray

from streams.core.columns import (
    ABSENT,
    BEGIN,
    CHARGING,
    END,
    IDLE,
    PLAIN,
    SUSPENDED_EVSE,
    Bits,
    Ints,
    Past,
    Samples,
    Sessions,
    Small,
)
from streams.core.curve import BEGIN as BEGIN_CONTEXT
from streams.core.curve import END as END_CONTEXT
from streams.core.events import ENDED, STARTED, STATE, Ended, Started, StateChanged
from streams.core.resting import PROTOCOLS, Resting
from streams.core.session import Session
from streams.core.timeline import CHARGING as CHARGING_STATE
from streams.core.timeline import SUSPENDED_EVSE as SUSPENDED_STATE
from streams.fast_lane import FastLane
from streams.heads_at_rest import AT, COLUMNS, Marks, table_of
from streams.lasting import LastingContracts
from streams.said import Said, Told, said_by
from streams.session_rows import COUNT_BITS, VERSION_BITS

_KNOWLEDGE = (1 << VERSION_BITS) - 1
_MOVED = 1 << COUNT_BITS
_STATES = {CHARGING_STATE: CHARGING, SUSPENDED_STATE: SUSPENDED_EVSE}
_CONTEXTS = {BEGIN_CONTEXT: BEGIN, END_CONTEXT: END}
_NO_END = (0, 0, -1, ABSENT)
_State = tuple[int, int, str]


class Heads:
    """Ordinary sessions, n of them; columns are parallel, and whole after `close`.

    `column(name)`, one integer a session: version of its stored row, `events` beside the samples,
    first and last slice that are stored, `kept_from_s` (epoch s, ABSENT: none), `last_ts` and
    `first_shape` as in `streams.core.resting.RECORD`, connector and evse as start or changes tell
    them, as the end does (-1: unknown), how many states and sequence numbers it has.
    """

    said: Said
    """The rest of what they say."""

    def __init__(self, fast: FastLane, terms: LastingContracts) -> None:
        self._fast = fast
        self._lasting = terms
        self.sessions: list[Session] = []
        """Those awake."""
        self.slots_at_rest: Small = np.zeros(0, np.int32)
        self.state_ts: Ints = np.zeros(0, np.int64)
        self.state_codes: NDArray[np.int8] = np.zeros(0, np.int8)
        self.seqs: Ints = np.zeros(0, np.int64)
        self._numbers = array("q")
        self._states: list[_State] = []
        self._seqs = array("q")
        self._told = Told()
        self._table: Ints = np.zeros((len(COLUMNS), 0), np.int64)

    def __len__(self) -> int:
        """How many sessions."""
        return int(self._table.shape[1])

    # sessions awake -----------------------------------------------------------------------

    def take(self, session: Session) -> bool:
        """Add a session awake; False where it is not ordinary and nothing was added."""
        if (
            session.packed
            or session.forced
            or session.bill is not None
            or session.protocol not in PROTOCOLS
            or session.station.partition < 0
            or (session.version & _KNOWLEDGE) >= _MOVED
            or len(session.transaction_ids) != 1
        ):
            return False
        start: Started | None = None
        end: Ended | None = None
        changes: list[StateChanged] = []
        for event in session.peek():
            kind = event.kind
            if event.flags:
                return False
            if kind == STARTED and start is None:
                start = cast("Started", event)
            elif kind == ENDED and end is None:
                end = cast("Ended", event)
            elif kind == STATE:
                changes.append(cast("StateChanged", event))
            else:
                return False
        if start is None or (end is not None and _says_more(end)):
            return False
        self._add(session, start, sorted(changes), end)
        return True

    def _add(
        self, session: Session, start: Started, changes: Sequence[StateChanged], end: Ended | None
    ) -> None:
        token, connector, evse = start.id_token, start.connector, start.evse
        first = last = start.ts
        if changes:
            first, last = changes[0].ts, changes[-1].ts
            for change in changes:
                token = token or change.id_token
                connector = connector if connector >= 0 else change.connector
                evse = evse if evse >= 0 else change.evse
        reason = ""
        ended, place = _NO_END, (-1, -1)
        if end is not None:
            token, reason = token or end.id_token, end.reason
            ended = (1, end.ts, end.seq, _register(end.meter_mwh))
            place = (end.connector, end.evse)
        states = self._take_states(start, changes, end)
        seqs = self._take_seqs(start, changes, end)
        first_slice, last_slice = session.slice_first, session.slice_last
        self._numbers.extend((
            self._fast.slot(session), session.version, 1 + len(changes) + ended[0],
            session.superseded,
            ABSENT if first_slice is None else first_slice,
            ABSENT if last_slice is None else last_slice,
            ABSENT, ABSENT, start.ts, start.seq, _register(start.meter_mwh), *ended,
            first, last, connector, evse, *place, -1, states, seqs,
        ))  # fmt: skip
        self.sessions.append(session)
        told, station = self._told, session.station
        told.tenants.append(station.tenant)
        told.stations.append(station.station_id)
        told.transactions.append(session.transaction_ids[0])
        told.protocols.append(session.protocol)
        told.terms.append(self._lasting.find(station.key, token, start.ts, start.area))
        told.id_tokens.append(token)
        told.areas.append(start.area)
        told.stop_reasons.append(reason)
        told.marked.append(bool(changes) or bool(start.state))

    def _take_states(
        self, start: Started, changes: Sequence[StateChanged], end: Ended | None
    ) -> int:
        if not changes and end is None:
            if start.state:
                self._states.append((start.ts, start.seq, start.state))
            return 1 if start.state else 0
        rows = [(e.ts, e.seq, e.state) for e in (start, *changes, end) if e and e.state]
        self._states += sorted(rows)
        return len(rows)

    def _take_seqs(self, start: Started, changes: Sequence[StateChanged], end: Ended | None) -> int:
        if not changes and end is None:
            if start.seq >= 0:
                self._seqs.append(start.seq)
            return 1 if start.seq >= 0 else 0
        seqs = [e.seq for e in (start, *changes, end) if e and e.seq >= 0]
        self._seqs.extend(seqs)
        return len(seqs)

    # sessions at rest ---------------------------------------------------------------------

    def close(self, resting: Resting, slots: Small, records: NDArray[np.void]) -> None:
        """Add these sessions that rest, with their records; there are no more after them."""
        flat = np.array(self._numbers, np.int64)
        awake = np.ascontiguousarray(flat.reshape(-1, len(COLUMNS)).T)
        self.state_ts = np.array([ts for ts, _, _ in self._states], np.int64)
        self.state_codes = np.array(
            [_STATES.get(state, IDLE) for _, _, state in self._states], np.int8
        )
        self.seqs = np.array(self._seqs, np.int64)
        self.slots_at_rest = slots
        marks = Marks(resting, slots, records, table := table_of(records, slots))
        self.state_ts = np.concatenate([self.state_ts, marks.state_ts])
        self.state_codes = np.concatenate([self.state_codes, marks.state_codes])
        self.seqs = np.concatenate([self.seqs, marks.seqs])
        self._table = np.concatenate([awake, table], axis=1)
        self.said = said_by(self._told, resting, slots, records, marks.has, self._lasting)

    # columns ------------------------------------------------------------------------------

    def column(self, name: str) -> Ints:
        """One of `COLUMNS`; its own memory, to be changed freely until the next `keep`."""
        out: Ints = self._table[AT[name]]
        return out

    def keep(self, chosen: Bits) -> None:
        """Go on with some of the sessions."""
        of_state = np.repeat(chosen, self.column("states"))
        of_seq = np.repeat(chosen, self.column("seqs"))
        self.state_ts, self.state_codes = self.state_ts[of_state], self.state_codes[of_state]
        self.seqs = self.seqs[of_seq]
        awake = len(self.sessions)
        self._table = np.ascontiguousarray(self._table[:, chosen])
        self.slots_at_rest = self.slots_at_rest[chosen[awake:]]
        self.sessions = list(compress(self.sessions, chosen.tolist()))
        self.said = self.said.where(chosen)

    def to_derive(self, counts: Ints, samples: Samples, past: Past | None) -> Sessions:
        """What `derive_many` reads, with the samples and the past of these sessions."""
        contexts = [_CONTEXTS.get(context, PLAIN) for context, _, _ in self._fast.lane.shapes]
        classes = np.array(contexts, np.int8)
        watts = [found.info.rated_power_w for found in self.said.terms.unique]
        rated = np.array([-1 if w is None else w for w in watts], np.int64)
        return Sessions(
            start_ts=self.column("start_ts"),
            start_seq=self.column("start_seq"),
            start_mwh=self.column("start_mwh"),
            ended=self.column("ended").astype(np.bool_),
            end_ts=self.column("end_ts"),
            end_seq=self.column("end_seq"),
            end_mwh=self.column("end_mwh"),
            change_first=self.column("change_first"),
            change_last=self.column("change_last"),
            superseded=self.column("superseded").astype(np.bool_),
            rated_power_w=self.said.terms.coded.spread(rated),
            counts=counts,
            samples=samples,
            contexts=classes[samples.shape] if len(samples.shape) else np.zeros(0, np.int8),
            state_counts=self.column("states"),
            state_ts=self.state_ts,
            state=self.state_codes,
            seq_counts=self.column("seqs"),
            seqs=self.seqs,
            past=past,
        )

    def first_shapes(self, counts: Ints, samples: Samples, past: Bits) -> Ints:
        """Of the first sample of each session, -1 without any; the record tells that of those with
        a `past`.
        """
        out = np.where(past, self.column("first_shape"), -1)
        sampled = np.flatnonzero((counts > 0) & ~past)
        out[sampled] = samples.shape[(np.cumsum(counts) - counts)[sampled]]
        return out

    def numbers(self, first_shape: Ints) -> tuple[Ints, Ints]:
        """Connector and evse: start, changes, the first sample, the end (OCPP 2.0.1 E01.FR.16)."""
        out = []
        for place, name in ((1, "connector"), (2, "evse")):
            number = self.column(name).copy()
            if (number < 0).any():
                shapes = self._fast.lane.shapes
                known = np.array([*(one[place] for one in shapes), -1], np.int64)
                number = np.where(number >= 0, number, known[first_shape])  # -1 is the last one
                number = np.where(number >= 0, number, self.column(f"end_{name}"))
            out.append(number)
        return out[0], out[1]


def _says_more(end: Ended) -> bool:
    """An imported row's energy or payment."""
    return end.energy_mwh is not None or end.paid_micro is not None or bool(end.paid_currency)


def _register(mwh: int | None) -> int:
    return ABSENT if mwh is None else mwh
