"""What the worker needs from a store. `memory` and `clickhouse` pass one test suite."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streams.catalogue import Catalogue
from streams.core.session import Bill, Owner

NO_BILL = Bill("", None, None, None, "", "", "")
TERMS = (
    "plan_id",
    "payer",
    "payer_id",
    "driver_id",
    "company_id",
    "area",
    "city",
    "region",
    "country",
    "time_zone",
)
"""Columns of a session that the catalogue decides, besides its price."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """What a worker must know of a stored row of `sessions`. `number` is -1 where unknown:
    the EVSE of a 2.x session, else the connector.
    """

    tenant: str
    station_id: str
    session_id: UUID
    protocol: str
    transaction_ids: tuple[str, ...]
    version: int
    status: str
    number: int
    connector_id: int
    started_ms: int | None
    first_event_ms: int
    last_event_ms: int
    slice_first: int | None
    slice_last: int | None
    bill: Bill = NO_BILL

    @property
    def owner(self) -> Owner:
        """Tenant and station."""
        return (self.tenant, self.station_id)


@dataclass(frozen=True, slots=True)
class StoredStation:
    """What the store knows of a station: newest event, last start per connector, open sessions."""

    owner: Owner
    last_event_ms: int
    last_starts: tuple[tuple[int, int], ...]
    """(number of EVSE or connector, start in ms), -1 where unknown."""

    open_sessions: tuple[StoredSession, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Stored sessions to look at again. `unpriced`: only those that wait for a tariff.

    `below`: only versions below this one. `from_ms`/`to_ms`: start (else first event), half-open.
    """

    below: int
    unpriced: bool = False
    from_ms: int | None = None
    to_ms: int | None = None
    station_id: str = ""


@dataclass(frozen=True, slots=True)
class StoredTerms:
    """A stored session with what it was priced from: token, instant, and columns `TERMS`."""

    session: StoredSession
    driver_key: str
    begun_ms: int
    area: str
    rounded: tuple[int | None, int | None]
    terms: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, UUID]:
        """Tenant, station and session."""
        return (*self.session.owner, self.session.session_id)


@dataclass(frozen=True, slots=True)
class Reassignment:
    """Stored 1.6 events of one kind, transaction id and instant now belong to another session."""

    owner: Owner
    transaction_id: str
    timestamp_ms: int
    type: str
    session_id: UUID


class Sink(Protocol):
    """Every method may raise UnavailableError (a retry may help); writes are idempotent."""

    def insert(self, table: str, rows: pa.Table) -> None:
        """Upsert rows into one table, durable on return."""

    def reassign(self, moves: Sequence[Reassignment]) -> None:
        """Give stored events their new session, at a higher assignment number."""

    def stations(self, owners: Collection[Owner]) -> list[StoredStation]:
        """What is stored of these stations; stations without any session are left out."""

    def sessions_by_id(self, keys: Collection[tuple[str, str, UUID]]) -> list[StoredSession]:
        """Stored sessions by (tenant, station, session id)."""

    def sessions16(
        self, wanted: Mapping[Owner, Collection[str]], windows: Mapping[Owner, tuple[int, int]]
    ) -> list[StoredSession]:
        """Stored 1.6 sessions by transaction ids, and by the time window their events touch."""

    def events(self, sessions: Sequence[StoredSession]) -> Iterable[Mapping[str, Any]]:
        """Stored events of sessions, with the columns of `streams.event_rows.READ_COLUMNS`. Whose
        an event is, its `transaction_id` tells of 1.6 only: of others it may be empty.
        """

    def floating(self, owners: Collection[Owner]) -> Iterable[Mapping[str, Any]]:
        """1.6 readings and stops that no session claims, newest weeks only: the columns of
        `READ_COLUMNS` and tenant, station_id.
        """

    def silent(self, event_before_ms: int, written_before_ms: int) -> list[StoredSession]:
        """Open sessions whose last event and last write are older than these instants."""

    def stale(self) -> list[StoredSession]:
        """Open sessions of which more distinct events are stored than their row counts."""

    def count(self, chosen: Selection) -> int:
        """How many sessions are chosen."""

    def page(
        self, chosen: Selection, after: tuple[str, str, UUID] | None, limit: int
    ) -> list[StoredTerms]:
        """Chosen sessions in a fixed order of their keys, beyond `after`."""

    def catalogue(self, known: Catalogue) -> Catalogue:
        """The newest published catalogue; `known` itself where the revision is the same."""


@runtime_checkable
class Lister(Protocol):
    """A sink that can also list what is stored of stations, small enough to be kept."""

    def session_words(self, owners: Collection[Owner]) -> Mapping[Owner, NDArray[np.uint32]]:
        """The first 32 bits of the id of every stored session of these stations, at least."""
