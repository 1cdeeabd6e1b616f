"""What becomes of sessions once their rows are written: versions known, open ones laid to rest.

Between `prepare` and `done` more may have come: a session that was woken, or learnt something, is
told its new version and stays awake until its next row.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streams.core.book import Book
from streams.core.columns import ABSENT, Bits, Ints
from streams.core.keys import key_of
from streams.core.many_past import NOTHING, Kept
from streams.core.resting import PROTOCOLS, RECORD
from streams.core.session import SLICE_S, Bill, Session
from streams.heads import Heads
from streams.many_rows import slice_bounds
from streams.many_sessions import Ready

_MOST_CHANGES = 1_000


def written_awake(ready: Ready) -> Iterator[tuple[Session, int, Bill | None, bool]]:
    """Each session awake with its row's version, its bill, and whether it is closed."""
    sessions = ready.heads.sessions
    count = len(sessions)
    shared: dict[int, int] = {}  # an object a number, not a session
    versions = [shared.setdefault(v, v) for v in ready.rows.versions[:count].tolist()]
    closed = ready.rows.many.closed[:count].tolist()
    return zip(sessions, versions, ready.bills[:count], closed, strict=True)


def remember(book: Book, ready: Ready, now_ms: int) -> None:
    """The rows are in the store: sessions at rest know it, and others come to rest."""
    records = _records(ready, now_ms)
    awake = len(ready.heads.sessions)
    _remember_at_rest(book, ready, records[awake:])
    if awake:
        _lay_down(book, ready, records[:awake])


def _records(ready: Ready, now_ms: int) -> NDArray[np.void]:
    rows, heads = ready.rows, ready.heads
    out = np.zeros(len(rows.versions), RECORD)
    for name in ("start_ts", "start_mwh", "start_seq", "connector", "evse", "states", "seqs"):
        out[name] = heads.column(name)
    out["changes"] = heads.column("events") - 1
    out["version"], out["written_ms"] = rows.versions, now_ms
    out["slices"] = _slices(ready)
    out["last_ts"] = ready.last_ts
    out["kept_from_s"] = np.where(ready.kept_from_s == ABSENT, 0, ready.kept_from_s)
    for name, column in zip(Kept._fields, ready.kept, strict=True):
        out[name] = np.where(ready.kept.energy_mwh == NOTHING, NOTHING, column)
    out["first_shape"] = np.maximum(ready.first_shape, 0)
    out["terms"] = heads.said.terms.numbers(lambda found: found.code)
    return out


def _slices(ready: Ready) -> Ints:
    """What `slices_code` makes of them."""
    first, last = slice_bounds(ready.rows.many)
    codes = (first // SLICE_S) << 32 | last // SLICE_S & 0xFFFFFFFF
    return np.where(first == ABSENT, ABSENT, codes)


def _remember_at_rest(book: Book, ready: Ready, records: NDArray[np.void]) -> None:
    resting, slots, heads = book.resting, ready.heads.slots_at_rest, ready.heads
    if not len(slots):
        return
    ids = ready.rows.ids[len(heads.sessions) :]
    still: Bits = resting.at_rest[slots] & (resting.ids[slots] == ids).all(axis=1)
    there = slots[still]
    for name in (
        "version", "written_ms", "slices", "last_ts", "kept_from_s", "terms",
        "first_shape", *Kept._fields,
    ):  # fmt: skip
        resting.records[name][there] = records[name][still]
    for i in np.flatnonzero(~still).tolist():
        row = i + len(heads.sessions)
        names = (heads.said.tenants, heads.said.stations, heads.said.transactions)
        key = key_of(*(column[row].as_py() for column in names))
        session = book.direct.get(key)
        if session is not None and not session.packed:
            session.version = max(session.version, int(records["version"][i]))
            session.written_ms = int(records["written_ms"][i])
            slices = int(records["slices"][i])
            session.slices = None if slices == ABSENT else slices


def _lay_down(book: Book, ready: Ready, records: NDArray[np.void]) -> None:
    """Sessions awake that may rest do so."""
    heads = ready.heads
    events = heads.column("events").tolist()
    chosen = [i for i, session in enumerate(heads.sessions) if _may_rest(book, session, events[i])]
    if not chosen:
        return
    resting = book.resting
    records = records[chosen]
    slots = heads.column("slot")[chosen]
    area, sessions = resting.area, [heads.sessions[i] for i in chosen]
    areas = heads.said.areas.told(len(heads.sessions))
    records["area"] = [area(areas[i]) for i in chosen]
    records["protocol"] = [PROTOCOLS.index(session.protocol) for session in sessions]
    records["number"] = [session.connector.number for session in sessions if session.connector]
    resting.lay_down(slots, records, heads.said.id_tokens.take(pa.array(chosen)).to_pylist())
    marks = _Marks(heads)
    for i, slot, session in zip(chosen, slots.tolist(), sessions, strict=True):
        if heads.said.marked[i]:
            resting.remember(slot, session.folded(), marks.of(i))
        book.lay_down(session)


def _may_rest(book: Book, session: Session, events: int) -> bool:
    """Open, written, known whole, and nothing new but perhaps samples in the lane."""
    return not (
        session.closed
        or session.packed
        or session.must_load
        or session.forced
        or session.urgent
        or session.dirty_since
        or session.slot < 0
        or session.connector is None
        or session.end_ts is not None
        or session.superseded
        or session not in session.connector.open
        or events > _MOST_CHANGES
        or book.direct.get(book.resting.slots.key(session.slot)) is not session
    )


class _Marks:
    """Changes of state of sessions awake, as `Resting.remember` wants them."""

    def __init__(self, heads: Heads) -> None:
        self._ends = {name: np.cumsum(heads.column(name)) for name in ("states", "seqs")}
        self._counts = {name: heads.column(name) for name in ("states", "seqs")}
        self._heads = heads

    def of(self, i: int) -> bytes:
        """Those of one session."""
        heads = self._heads
        a, b = (int(self._ends[name][i]) for name in ("states", "seqs"))
        states = slice(a - int(self._counts["states"][i]), a)
        seqs = slice(b - int(self._counts["seqs"][i]), b)
        bounds = [int(heads.column(name)[i]) for name in ("change_first", "change_last")]
        return array(
            "q",
            [
                *bounds,
                *heads.state_ts[states].tolist(),
                *heads.state_codes[states].tolist(),
                *heads.seqs[seqs].tolist(),
            ],
        ).tobytes()
