"""Sessions that waited for a tariff are priced as soon as the catalogue has one.

A new revision makes one worker, the owner of partition 0, look through the stored sessions that
have no price for want of a tariff, a page a flush. Those that can be priced now are written
again, from their stored events and apart from the book. Another worker may not have seen the new
revision yet and may write events of such a session under the old one: a little later everything
is therefore looked at once more.
"""

from __future__ import annotations

from uuid import UUID

from streams.catalogue import Catalogue
from streams.core.session import Session
from streams.lookup import Lookup, apart
from streams.session_rows import COUNT_BITS, VERSION_BITS
from streams.sink.port import Selection, Sink, StoredSession, StoredTerms

PAGE = 5_000
"""Sessions looked at in one flush."""

AGAIN_MS = 20_000
"""By then every worker has the new catalogue."""

Key = tuple[str, str, UUID]


def waiting(revision: int) -> Selection:
    """Sessions without a price for want of a tariff, last looked at before this revision."""
    return Selection(below=revision << VERSION_BITS, unpriced=True)


def priceable(catalogue: Catalogue, row: StoredTerms) -> bool:
    """There is a tariff for it now, or it is free."""
    contract = catalogue.contract(row.session.owner, row.driver_key, row.begun_ms, row.area)
    return bool(contract.free_reason) or catalogue.compiled(contract) is not None


def complete(sink: Sink, rows: list[StoredSession]) -> list[Session]:
    """The sessions with their stored events; those of which events are gone are left out, since
    nothing better than their row is known.
    """
    counts = {r.session_id: (r.version & ((1 << COUNT_BITS) - 1)) >> 1 for r in rows}
    return [s for s in apart(sink, rows) if s.events and len(s.events) >= counts[s.session_id]]


class Repricer:
    """One a worker. `begin` with each revision, then `step` with each flush."""

    def __init__(self, lookup: Lookup, sink: Sink) -> None:
        self._lookup = lookup
        self._sink = sink
        self.stop()

    @property
    def active(self) -> bool:
        """There is more to do right now."""
        return self._scanning or bool(self._rest)

    def stop(self) -> None:
        """Partition 0 belongs to somebody else, who begins anew."""
        self._revision = self._again_ms = 0
        self._after: Key | None = None
        self._scanning = False
        self._written: list[Key] = []
        self._rest: list[Key] = []

    def step(self, catalogue: Catalogue, now_ms: int) -> list[Session]:
        """Sessions to write now; those the book holds whole are marked there instead. Where the
        store is away, nothing is lost: the same step is made again.
        """
        if catalogue.revision != self._revision:
            self._revision = catalogue.revision
            self._scanning, self._after = True, None
            self._again_ms = now_ms + AGAIN_MS
        elif self._again_ms and now_ms >= self._again_ms:
            self._again_ms = 0
            self._scanning, self._after = True, None
            self._rest, self._written = self._written, []
        if self._rest:
            keys = self._rest[:PAGE]
            out = complete(self._sink, self._sink.sessions_by_id(keys))
            self._rest = self._rest[PAGE:]
            return out
        return self._page(catalogue) if self._scanning else []

    def _page(self, catalogue: Catalogue) -> list[Session]:
        page = self._sink.page(waiting(self._revision), self._after, PAGE)
        ready = [row for row in page if priceable(catalogue, row)]
        strange = [row for row in ready if not self._lookup.touch(row.session)]
        out = complete(self._sink, [row.session for row in strange])
        self._scanning = len(page) == PAGE
        self._after = page[-1].key if page else None
        if self._again_ms:
            self._written.extend(row.key for row in strange)
        return out
