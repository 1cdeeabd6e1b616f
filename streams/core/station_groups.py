"""What is remembered of a station's 1.6 events: groups by transaction id, sessions, homes."""

from __future__ import annotations

from uuid import UUID

from streams.core.allot import EARLY_MS, Tagged
from streams.core.events import ENDED, CoreEvent, Started
from streams.core.identity import UNKNOWN_TRANSACTIONS
from streams.core.session import NOTHING_STORED, Session, Station


class Group:
    """Everything a station said under one transaction id ('' = none)."""

    __slots__ = (
        "allotted",
        "end_ts",
        "events",
        "first_ts",
        "seen",
        "starts",
        "station",
        "transaction_id",
    )

    def __init__(self, station: StationGroups, transaction_id: str) -> None:
        self.station = station
        self.transaction_id = transaction_id
        self.events: set[CoreEvent] = set()
        self.seen: set[int] = set()
        self.first_ts: int | None = None
        self.end_ts: int | None = None
        self.allotted = False
        """Some of its events have a remembered home, which may differ from the only start."""
        self.starts: dict[UUID, Session] = {}

    def add(self, event: CoreEvent) -> None:
        """Take an event in; the earliest event and the latest stop are remembered."""
        self.events.add(event)
        if self.first_ts is None or event.ts < self.first_ts:
            self.first_ts = event.ts
        if event.kind == ENDED:
            self.end_ts = max(event.ts, self.end_ts or event.ts)

    def only(self) -> Session | None:
        """The one session all events of this id belong to, where that is certain."""
        if len(self.starts) != 1 or self.transaction_id in UNKNOWN_TRANSACTIONS:
            return None
        (session,) = self.starts.values()
        if len(session.transaction_ids) != 1 or session.start_ts is None:
            return None
        early = self.first_ts is not None and self.first_ts < session.start_ts - EARLY_MS
        return None if early else session


class StationGroups:
    """The 1.6 memory of one station, and what it wants from the store."""

    __slots__ = (
        "float_until",
        "groups",
        "homes",
        "sessions",
        "started",
        "station",
        "wanted_from",
        "wanted_ids",
        "wanted_to",
        "wanting",
        "window",
    )

    def __init__(self, station: Station, wanting: dict[StationGroups, None]) -> None:
        self.station = station
        self.wanting = wanting
        """Everybody who wants something; joined by who does."""
        self.groups: dict[str, Group] = {}
        self.sessions: dict[UUID, Session] = {}
        self.started: dict[UUID, Started] = {}
        self.homes: dict[Tagged, UUID | None] = {}
        self.float_until = -1
        """Latest event without a usable transaction id: a later start cannot change its home."""
        self.wanted_ids: set[str] = set()
        self.wanted_from = self.wanted_to = 0
        self.window: tuple[int, int] = (0, 0)

    def group(self, transaction_id: str) -> Group:
        """The group of one id, made on first sight."""
        found = self.groups.get(transaction_id)
        if found is None:
            found = self.groups[transaction_id] = Group(self, transaction_id)
            if self.station.stored_until != NOTHING_STORED:
                self.want(transaction_id)
        return found

    def want(self, *transaction_ids: str) -> None:
        """Have what is stored under these ids loaded."""
        self.wanted_ids.update(transaction_ids)
        self.wanting[self] = None

    def want_nothing(self) -> None:
        """All that was wanted has been asked for."""
        self.wanted_ids.clear()
        self.wanted_from = self.wanted_to = 0
        self.wanting.pop(self, None)
