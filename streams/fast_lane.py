"""The fast lane: plain samples of 2.x sessions in columns, derived and priced many at a time.

    accept    samples -> the lane, one slot a session        (`take`)
    prepare   due sessions -> columns -> figures -> prices    (`derive`)

Every rule is that of the general path (`streams.session_rows`); a session that is not ordinary is
handed back for it, with its samples as tuples (`samples`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from streams.core.book import Book, Session
from streams.core.columns import ABSENT, UNKNOWN, Bits, Samples, Small
from streams.core.events import CURRENT, CoreEvent, Sample
from streams.core.groups import PROTOCOL
from streams.core.lane import SampleLane

if TYPE_CHECKING:
    from streams.hot import HotChunk

_SLOW = frozenset({PROTOCOL, "import"})
_INT32 = 2**31 - 1
_ID = pa.binary(16)


class FastLane:
    """The samples of a book's sessions. Slots belong to sessions until `release`."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.lane = SampleLane()

    # taking in ----------------------------------------------------------------------------

    def take(self, hot: HotChunk, partition: int, now_ms: int) -> pa.Table:
        """Add a chunk's samples; returns their rows of `events` with the sessions in them."""
        direct = self._book.direct
        found = list(map(direct.get, hot.keys))
        if None in found:
            for i, session in enumerate(found):
                if session is None:
                    key, protocol = hot.keys[i], hot.protocols[i]
                    found[i] = self._book.open_direct(key, protocol, partition)
        homes: list[Session] = found  # type: ignore[assignment]  # none is missing now
        codes = np.array([self.lane.shape(*s) for s in hot.shapes], np.int32)
        samples = hot.samples._replace(shape=codes[hot.samples.shape])
        for session in dict.fromkeys(homes):
            if session.slot < 0 and not session.packed:
                session.slot = self.lane.new_slot()
            if not session.dirty_since and not session.packed:
                session.dirty_since = now_ms
                self._book.dirty[session] = None
        slots = np.array([s.slot for s in homes], np.int32)
        self._place(homes, samples)
        for i in np.flatnonzero(~self._append(slots, samples)).tolist():
            # The general way: of packed sessions mostly known already, or misfits of the lane.
            sample, protocol = self._sample(samples, i), homes[i].protocol
            self._book.add_direct(*hot.keys[i], protocol, sample, partition, now_ms)
        ids = pa.py_buffer(b"".join([s.session_bytes for s in homes]))
        return hot.table.append_column(
            "session_id", pa.FixedSizeBinaryArray.from_buffers(_ID, len(homes), [None, ids])
        )

    def _place(self, homes: Sequence[Session], samples: Samples) -> None:
        """Sessions whose connector no event told yet."""
        for i, session in enumerate(homes):
            if session.connector is None and not session.packed:
                self._book.notice(session, self._sample(samples, i))

    def _append(self, slots: Small, samples: Samples) -> Bits:
        """Which samples the lane took; none of sessions without a slot."""
        homed = slots >= 0
        if homed.all():
            return self.lane.append(slots, samples)
        homed[homed] = self.lane.append(slots[homed], samples.where(homed))
        return homed

    def _sample(self, samples: Samples, i: int) -> Sample:
        context, connector, evse = self.lane.shapes[int(samples.shape[i])]
        current, power = int(samples.current_ma[i]), int(samples.power_mw[i])
        register = int(samples.import_mwh[i])
        return Sample(
            0,
            int(samples.ts[i]),
            int(samples.seq[i]),
            context,
            None if register == ABSENT else register,
            None,
            None if power == UNKNOWN else power,
            connector,
            evse,
            () if current == UNKNOWN else ((CURRENT, current),),
        )

    def load(self, session: Session, events: Iterable[CoreEvent]) -> list[CoreEvent]:
        """Plain samples from the store join the lane; returns the other events and misfits."""
        if session.protocol in _SLOW:
            return list(events)
        rest: list[CoreEvent] = []
        plain: list[Sample] = []
        rows: list[tuple[int, int, int, int, int, int]] = []
        for event in events:
            if isinstance(event, Sample) and (row := self._row(event)) is not None:
                plain.append(event)
                rows.append(row)
            else:
                rest.append(event)
        if rows:
            if session.slot < 0:
                session.slot = self.lane.new_slot()
            small, wide = np.int32, np.int64
            kinds = (wide, small, wide, small, small, small)
            columns = (np.array(c, k) for c, k in zip(zip(*rows, strict=True), kinds, strict=True))
            slots = np.full(len(rows), session.slot, np.int32)
            misfit = ~self.lane.append(slots, Samples(*columns))
            rest.extend(compress(plain, misfit.tolist()))
        return rest

    def _row(self, s: Sample) -> tuple[int, int, int, int, int, int] | None:
        if s.flags or s.export_mwh is not None:
            return None
        power = UNKNOWN if s.power_mw is None else s.power_mw
        current = UNKNOWN
        if s.extra:
            if len(s.extra) > 1 or s.extra[0][0] != CURRENT:
                return None
            current = s.extra[0][1]
        if abs(s.power_mw or 0) > _INT32 or (s.extra and abs(current) > _INT32):
            return None
        register = ABSENT if s.import_mwh is None else s.import_mwh
        shape = self.lane.shape(s.context, s.connector, s.evse)
        return (s.ts, s.seq, register, power, current, shape)

    # letting go ---------------------------------------------------------------------------

    def samples(self, session: Session) -> set[Sample]:
        """The session's samples in the lane, as tuples."""
        return self.lane.events(session.slot) if session.slot >= 0 else set()

    def release(self, sessions: Iterable[Session]) -> None:
        """Give the slots of sessions back that the book forgets."""
        gone = [s for s in sessions if s.slot >= 0]
        if gone:
            self.lane.free([s.slot for s in gone])
        for session in gone:
            session.slot = -1
