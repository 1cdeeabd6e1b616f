"""Which sessions of busy stations are stored, in 20 bits each: new ones need no question.

Nearly every id that the book does not know is new, and only the store can tell; telling costs it
a look into every part of the table. A station that was asked about in vain a few times has the
ids of all its stored sessions listed, as a Bloom filter: it may take a new session for a stored
one, which costs a question, and never a stored one for new.

A list is true as long as everything this worker stores of the station is in the book or in the
list. What the book evicts through `let_go` is added; any other eviction shows in the station,
since it raises `stored_until` to 0, and the list is not believed any more. Below
`NOTHING_STORED` that number says how often was asked in vain, or that the station is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.core.session import Owner, Session, Station
from streams.sink.port import Lister

LISTED = -2
_VAIN_ONCE, _VAIN_OFTEN = -3, -4
"""Asked in vain once, and often enough for a list: each time is one less."""

MOST_BYTES = 64 * 1024 * 1024
"""Of all lists; stations beyond are asked about every time."""

_AT_ONCE = 500
"""Stations listed in one flush: more would hold it up; the others have their turn when asked."""

_BITS_EACH = 16
_ROOM = 4
"""A list has room for a quarter more than is stored when it is made, and for a few."""

_WORDS = 1 << 32
_SPREADS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)
"""Odd numbers; multiplied by one of them, the high bits of a word depend on all of its bits. Of
four places, of which one in five is taken, all are so for one new word in 400."""


@dataclass(slots=True)
class _List:
    """A Bloom filter over words; `room`: for how many more it is wide enough."""

    bits: bytearray
    room: int

    def places(self, word: int) -> Iterator[int]:
        """The bits of a word."""
        width = len(self.bits) * 8
        return (word * spread % _WORDS * width // _WORDS for spread in _SPREADS)

    def has(self, word: int) -> bool:
        """Whether it may be in the list."""
        return all(self.bits[place >> 3] >> (place & 7) & 1 for place in self.places(word))

    def add(self, word: int) -> None:
        """Set its bits."""
        for place in self.places(word):
            self.bits[place >> 3] |= 1 << (place & 7)
        self.room -= 1


class Listed:
    """Lists of stations. `lister` None: a sink that has none to give."""

    def __init__(self, lister: Lister | None, most_bytes: int = MOST_BYTES) -> None:
        self._lister = lister
        self._most_bytes = most_bytes
        self._lists: dict[Station, _List] = {}
        self._bytes = 0

    def new(self, session: Session) -> bool:
        """Whether a session the book has just met is certainly not stored."""
        if session.station.stored_until != LISTED:
            return False
        found = self._lists.get(session.station)
        return found is not None and not found.has(word_of(session))

    def asked_in_vain(self, sessions: Iterable[Session]) -> None:
        """These were not stored. Lists the stations of which that was to be expected."""
        due: dict[Owner, Station] = {}
        for session in sessions:
            station = session.station
            if station.stored_until == LISTED and self._wide_enough(station):
                continue
            vain = station.stored_until or 0
            station.stored_until = max(min(vain - 1, _VAIN_ONCE), _VAIN_OFTEN)
            if station.stored_until == _VAIN_OFTEN:
                due[station.key] = station
        if due and self._lister is not None and self._bytes < self._most_bytes:
            now = list(due)[:_AT_ONCE]
            for owner, words in self._lister.session_words(now).items():
                self._keep(due[owner], words)

    def let_go(self, session: Session, evict: Callable[[Session], None]) -> None:
        """Have the book evict a stored session: only the list knows of it then."""
        station = session.station
        before = station.stored_until
        evict(session)
        if before is None or before > LISTED:
            return
        if before == LISTED and station in self._lists:
            self._lists[station].add(word_of(session))
        station.stored_until = before

    def forget(self) -> None:
        """Stations have gone to other workers; the others are listed again when asked about."""
        self._lists.clear()
        self._bytes = 0

    def _wide_enough(self, station: Station) -> bool:
        found = self._lists.get(station)
        return found is not None and found.room >= 0

    def _keep(self, station: Station, words: NDArray[np.uint32]) -> None:
        self._drop(station)
        room = len(words) // _ROOM + _ROOM
        width = -(-_BITS_EACH * (len(words) + room) // 8) * 8
        spread = words * np.array(_SPREADS, np.uint32)[:, None]  # modulo 2**32, as it is of 32 bits
        flags = np.zeros(width, np.bool_)
        flags[(spread.astype(np.uint64) * np.uint64(width) >> np.uint64(32)).ravel()] = True
        made = _List(bytearray(np.packbits(flags, bitorder="little").tobytes()), room)
        self._lists[station] = made
        self._bytes += len(made.bits)
        station.stored_until = LISTED

    def _drop(self, station: Station) -> None:
        gone = self._lists.pop(station, None)
        if gone is not None:
            self._bytes -= len(gone.bits)


def word_of(session: Session) -> int:
    """What stands for a session in a list: the first 32 bits of its id."""
    return int.from_bytes(session.session_bytes[:4], "big")
