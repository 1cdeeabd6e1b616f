"""What ordinary sessions say beside their samples, as columns: the first step of a flush.

    session   events that are no samples     table: one row of integers   states      seqs
    s0        Started                        start, end, connector …      -           0
    s1        Started, 2 StateChanged        start, end, connector …      a b         0 3 7

One pass of Python over the sessions; everything after it works on whole columns.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import compress
from typing import cast

import numpy as np

from streams.catalogue import Catalogue, StationInfo
from streams.core.book import Session
from streams.core.columns import ABSENT, BEGIN, END, PLAIN, Bits, Ints, Samples, Sessions
from streams.core.curve import BEGIN as BEGIN_CONTEXT
from streams.core.curve import END as END_CONTEXT
from streams.core.events import ENDED, STARTED, STATE, Ended, Started, StateChanged
from streams.core.lane import SampleLane
from streams.core.timeline import CHARGING, SUSPENDED_EVSE
from streams.session_rows import COUNT_BITS, VERSION_BITS

_PROTOCOLS = frozenset({"ocpp2.0.1", "ocpp2.1"})
_KNOWLEDGE = (1 << VERSION_BITS) - 1
_MOVED = 1 << COUNT_BITS
_STATES = {CHARGING: 0, SUSPENDED_EVSE: 1}
_IDLE = 2
_CONTEXTS = {BEGIN_CONTEXT: BEGIN, END_CONTEXT: END}
_COLUMNS = (
    "slot", "version", "events", "superseded", "rated_power_w", "slice_first", "slice_last",
    "start_ts", "start_seq", "start_mwh", "ended", "end_ts", "end_seq", "end_mwh",
    "change_first", "change_last", "connector", "evse", "end_connector", "end_evse", "states",
    "seqs",
)  # fmt: skip
_AT = {name: place for place, name in enumerate(_COLUMNS)}
_NO_END = (0, 0, -1, ABSENT)
_State = tuple[int, int, str]


class Heads:
    """Ordinary sessions, n of them; lists and columns are parallel.

    `column(name)`, one integer a session: version of its stored row, `events` beside the samples,
    first and last slice that are stored (epoch s, ABSENT: none), connector and evse as start or
    changes tell them, as the end does (-1: unknown), how many states and sequence numbers it has.
    """

    def __init__(self, lane: SampleLane, catalogue: Catalogue) -> None:
        self._lane = lane
        self._catalogue = catalogue
        self.sessions: list[Session] = []
        self.infos: list[StationInfo] = []
        self.id_tokens: list[str] = []
        self.areas: list[str] = []
        self.stop_reasons: list[str] = []
        self._numbers = array("q")
        self._states: list[_State] = []
        self._seqs = array("q")
        self._table: Ints | None = None

    def __len__(self) -> int:
        """How many sessions."""
        return len(self.sessions)

    def take(self, session: Session) -> bool:
        """Add a session, with a slot; False where it is not ordinary and nothing was added."""
        if (
            session.packed
            or session.forced
            or session.bill is not None
            or session.protocol not in _PROTOCOLS
            or session.station.partition < 0
            or (session.version & _KNOWLEDGE) >= _MOVED
        ):
            return False
        start: Started | None = None
        end: Ended | None = None
        changes: list[StateChanged] = []
        events = session.peek()
        for event in events:
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
        if session.slot < 0:
            session.slot = self._lane.new_slot()
        info = self._catalogue.station(session.station.key, start.ts)
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
        rated, first_slice, last_slice = info.rated_power_w, session.slice_first, session.slice_last
        self._numbers.extend((
            session.slot, session.version, 1 + len(changes) + ended[0], session.superseded,
            -1 if rated is None else rated,
            ABSENT if first_slice is None else first_slice,
            ABSENT if last_slice is None else last_slice,
            start.ts, start.seq, _register(start.meter_mwh), *ended,
            first, last, connector, evse, *place, states, seqs,
        ))  # fmt: skip
        self.sessions.append(session)
        self.infos.append(info)
        self.id_tokens.append(token)
        self.areas.append(start.area)
        self.stop_reasons.append(reason)

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

    # columns ------------------------------------------------------------------------------

    def column(self, name: str) -> Ints:
        """One of `_COLUMNS`; its own memory, to be changed freely until the next `keep`."""
        if self._table is None:
            flat = np.array(self._numbers, np.int64)
            self._table = np.ascontiguousarray(flat.reshape(-1, len(_COLUMNS)).T)
        out: Ints = self._table[_AT[name]]
        return out

    def keep(self, chosen: Bits) -> None:
        """Go on with some of the sessions."""
        of_state = np.repeat(chosen, self.column("states"))
        of_seq = np.repeat(chosen, self.column("seqs"))
        self._states = list(compress(self._states, of_state.tolist()))
        self._seqs = array("q", np.array(self._seqs, np.int64)[of_seq].tobytes())
        table = cast("Ints", self._table)
        self._table = np.ascontiguousarray(table[:, chosen])
        wanted = chosen.tolist()
        self.sessions = list(compress(self.sessions, wanted))
        self.infos = list(compress(self.infos, wanted))
        self.id_tokens = list(compress(self.id_tokens, wanted))
        self.areas = list(compress(self.areas, wanted))
        self.stop_reasons = list(compress(self.stop_reasons, wanted))

    def to_derive(self, counts: Ints, samples: Samples) -> Sessions:
        """What `derive_many` reads, with the samples of these sessions."""
        contexts = [_CONTEXTS.get(context, PLAIN) for context, _, _ in self._lane.shapes]
        classes = np.array(contexts, np.int8)
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
            rated_power_w=self.column("rated_power_w"),
            counts=counts,
            samples=samples,
            contexts=classes[samples.shape] if len(samples.shape) else np.zeros(0, np.int8),
            state_counts=self.column("states"),
            state_ts=np.array([ts for ts, _, _ in self._states], np.int64),
            state=np.array([_STATES.get(state, _IDLE) for _, _, state in self._states], np.int8),
            seq_counts=self.column("seqs"),
            seqs=np.array(self._seqs, np.int64),
        )

    def numbers(self, counts: Ints, samples: Samples) -> tuple[Ints, Ints]:
        """Connector and evse: start, changes, the first sample, the end (OCPP 2.0.1 E01.FR.16)."""
        firsts = (np.cumsum(counts) - counts)[counts > 0]
        shape = samples.shape[firsts]
        out = []
        for place, name in ((1, "connector"), (2, "evse")):
            number = self.column(name).copy()
            if (number < 0).any():
                sampled = np.full(len(number), -1, np.int64)
                known = np.array([one[place] for one in self._lane.shapes], np.int64)
                if len(shape):
                    sampled[counts > 0] = known[shape]
                number = np.where(number >= 0, number, sampled)
                number = np.where(number >= 0, number, self.column(f"end_{name}"))
            out.append(number)
        return out[0], out[1]


def _says_more(end: Ended) -> bool:
    """An imported row's energy or payment."""
    return end.energy_mwh is not None or end.paid_micro is not None or bool(end.paid_currency)


def _register(mwh: int | None) -> int:
    return ABSENT if mwh is None else mwh
