"""What a worker lets go of: closed sessions are packed, and after long forgotten."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from streams.core.book import Book
from streams.core.groups import PROTOCOL, GroupBook
from streams.core.session import Session
from streams.fast_lane import FastLane
from streams.listed import Listed

OPEN_IN_MEMORY = 20_000
"""Closed sessions kept whole before the oldest are packed."""

PACKED_IN_MEMORY = 100_000
"""Packed sessions kept before the oldest are forgotten; about 3 KB each."""


class Closed:
    """Sessions that closed, in the order in which their rows were written."""

    def __init__(
        self, book: Book, groups: GroupBook, fast: FastLane, listed: Listed, keep_ms: int
    ) -> None:
        self.packed: deque[Session] = deque()
        self.fast = fast
        self._book = book
        self._groups = groups
        self._listed = listed
        self._keep_ms = keep_ms
        self._whole: deque[tuple[int, Session]] = deque()

    def add(self, session: Session, now_ms: int) -> None:
        """Its row was written just now."""
        self._whole.append((now_ms, session))

    def forget(self, partitions: Collection[int]) -> None:
        """Those of these partitions are gone."""
        self._whole = deque((t, s) for t, s in self._whole if s.station.partition not in partitions)
        self.packed = deque(s for s in self.packed if s.station.partition not in partitions)

    def let_go(self, now_ms: int) -> None:
        """Pack what is closed, forget what has been so for long."""
        while self._whole:
            written, session = self._whole[0]
            if len(self._whole) <= OPEN_IN_MEMORY and now_ms - written < self._keep_ms:
                break
            self._whole.popleft()
            if not (self._book.has_news(session) or session.packed or session.must_load):
                if session.slot < 0:  # samples in the lane are small enough as they are
                    if session.protocol == PROTOCOL:
                        self._groups.pack(session)
                    else:
                        session.pack()
                self.packed.append(session)
        for _ in range(len(self.packed) - PACKED_IN_MEMORY):
            session = self.packed.popleft()
            if self._book.has_news(session) or session.must_load:
                self.packed.append(session)
            elif session.packed or session.slot >= 0:
                book = self._groups if session.protocol == PROTOCOL else self._book
                self._listed.let_go(session, book.evict)
                self.fast.release([session])
