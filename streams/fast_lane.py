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

from streams.core.book import Book
from streams.core.columns import ABSENT, UNKNOWN, Bits, Ints, Samples, Small
from streams.core.events import CURRENT, CoreEvent, Sample
from streams.core.groups import PROTOCOL
from streams.core.lane import SampleLane
from streams.core.packed import Packed
from streams.core.session import Session
from streams.hot_rows import placed

if TYPE_CHECKING:
    from streams.hot import HotChunk
    from streams.pool import Origin

_SLOW = frozenset({PROTOCOL, "import"})
_INT32 = 2**31 - 1


class FastLane:
    """The samples of a book's sessions. Slots belong to sessions until `release`."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.lane = SampleLane()

    # taking in ----------------------------------------------------------------------------

    def take(self, hot: HotChunk, origin: Origin, now_ms: int) -> pa.Table:
        """Add a chunk's samples; returns their rows of `events` with the sessions in them. The
        chunk's offsets are places in `origin`.
        """
        partitions = origin.partitions[hot.offsets]
        resting = self._book.resting
        slots, packed = self._slots(hot, partitions)
        codes = np.array([self.lane.shape(*s) for s in hot.shapes], np.int32)
        samples = hot.samples._replace(shape=codes[hot.samples.shape])
        self._place(hot.keys, slots, samples)
        taken = self._append(slots, samples)
        resting.news[slots[taken]] = True
        for i in np.flatnonzero(~taken).tolist():
            # The general way: of packed sessions mostly known already, or misfits of the lane.
            sample, partition = self._sample(samples, i), int(partitions[i])
            key, slot = hot.keys.text(i), int(slots[i])
            self._book.add_direct(key, slot, hot.protocols[i], sample, partition, now_ms)
        ids = resting.ids.take(slots, axis=0)
        for i, session in packed.items():
            ids[i] = np.frombuffer(session.session_bytes, np.int64)
        return placed(hot.table, origin, hot.offsets, ids)

    def _slots(self, hot: HotChunk, partitions: Ints) -> tuple[Small, dict[int, Session]]:
        """Slots of all samples; -1 for those of packed sessions, which are told apart."""
        slots = self._book.resting.slots.find(hot.keys)
        packed: dict[int, Session] = {}
        if (unknown := slots < 0).any():
            which = np.flatnonzero(unknown).tolist()
            met: dict[str, int] = {}
            for i, key in zip(which, hot.keys.where(unknown).texts(), strict=True):
                slot = met.get(key)
                if slot is None:
                    protocol, partition = hot.protocols[i], int(partitions[i])
                    session = self._book.open_direct(key, -1, protocol, partition)
                    if session.packed:
                        packed[i] = session
                        continue
                    slot = met[key] = self.slot(session)
                slots[i] = slot
        return slots, packed

    def slot(self, session: Session) -> int:
        """Where the session's samples lie, from now on."""
        if session.slot < 0:
            self._book.resting.settle(self.lane.new_slot(), session)
        return session.slot

    def _place(self, keys: Packed, slots: Small, samples: Samples) -> None:
        """Sessions whose connector no event told yet."""
        placed = self._book.resting.placed
        for i in np.flatnonzero(~placed[slots] & (slots >= 0)).tolist():
            session = self._book.direct[keys.text(i)]
            if session.connector is None:
                self._book.notice(session, self._sample(samples, i))
            placed[slots[i]] = session.connector is not None

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
            self.slot(session)
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
        self.give_back([s.slot for s in gone])
        for session in gone:
            session.slot = -1

    def give_back(self, slots: Sequence[int]) -> None:
        """These slots are nobody's any more."""
        if slots:
            self.lane.free(slots)
            self._book.resting.drop(slots)
