"""The in-memory twin of the ClickHouse sink: for tests and dry runs, same behaviour."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue
from streams.convert import CORE_FLAGS
from streams.core.identity import NIL, UNKNOWN_TRANSACTIONS
from streams.core.session import Bill, Owner
from streams.sink.catalogue_sql import CATALOGUE, CLAIMED
from streams.sink.port import (
    TERMS,
    Reassignment,
    Selection,
    StoredSession,
    StoredStation,
    StoredTerms,
)

KEYS: dict[str, tuple[str, ...]] = {
    "events": ("tenant", "station_id", "timestamp", "identity"),
    "sessions": ("tenant", "station_id", "session_id"),
    "session_slices": ("tenant", "slice_start", "station_id", "session_id"),
    "session_charges": ("tenant", "session_id", "line"),
    "adjustments": ("tenant", "session_id", "replaces"),
    "dead_letters": ("kafka_topic", "kafka_partition", "kafka_offset", "kafka_index"),
    "worker_status": ("worker_id",),
    "payments": ("tenant", "psp", "payment_id", "kind", "timestamp", "identity"),
    "catalogue_revisions": ("revision",),
    **{name: (*key.split(", "), "revision") for name, (key, _) in CATALOGUE.items()},
}
"""The sorting key of each table, as in sql/migrations; of the catalogue every revision is kept."""

_TRANSPORT = (
    "session_id", "flags", "received_at", "message_id", "offline", "gateway",
    "kafka_topic", "kafka_partition", "kafka_offset", "kafka_index",
)  # fmt: skip

Row = dict[str, Any]


class MemorySink:
    """Tables as dicts by key; the higher version wins, as in ReplacingMergeTree."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = {name: {} for name in KEYS}
        self.current = Catalogue()

    def insert(self, table: str, rows: pa.Table) -> None:
        """Upsert rows into one table."""
        target = self.tables[table]
        for row in rows.to_pylist():
            if "session_id" in row:
                row["session_id"] = UUID(bytes=row["session_id"])
            if table == "events":
                row["identity"] = _identity(row)
                row["assignment"] = 0
            key = tuple(row[name] for name in KEYS[table])
            known = target.get(key)
            if known is None or _rank(row) >= _rank(known):
                target[key] = row

    def reassign(self, moves: Sequence[Reassignment]) -> None:
        """Give stored events their new session, at a higher assignment number."""
        for move in moves:
            for row in self.tables["events"].values():
                if (
                    (row["tenant"], row["station_id"]) == move.owner
                    and _ms(row["timestamp"]) == move.timestamp_ms
                    and row["type"] == move.type
                    and row["protocol"] == "ocpp1.6"
                    and row["transaction_id"] == move.transaction_id
                    and row["session_id"] != move.session_id
                ):
                    row["session_id"] = move.session_id
                    row["assignment"] += 1

    def stations(self, owners: Collection[Owner]) -> list[StoredStation]:
        """What is stored of these stations; stations without any session are left out."""
        by_owner: dict[Owner, list[StoredSession]] = {}
        wanted = set(owners)
        for session in self._sessions():
            if session.owner in wanted:
                by_owner.setdefault(session.owner, []).append(session)
        out = []
        for owner, sessions in by_owner.items():
            starts: dict[int, int] = {}
            for s in sessions:
                begun = -1 if s.started_ms is None else s.started_ms
                starts[s.number] = max(begun, starts.get(s.number, -1))
            opened = tuple(s for s in sessions if s.status in ("active", "pending"))
            last = max(s.last_event_ms for s in sessions)
            out.append(StoredStation(owner, last, tuple(starts.items()), opened))
        return out

    def sessions_by_id(self, keys: Collection[tuple[str, str, UUID]]) -> list[StoredSession]:
        """Stored sessions by (tenant, station, session id)."""
        found = (self.tables["sessions"].get(key) for key in keys)
        return [_stored(row) for row in found if row is not None]

    def session_words(self, owners: Collection[Owner]) -> Mapping[Owner, NDArray[np.uint32]]:
        """The first 32 bits of the id of every stored session of these stations."""
        found: dict[Owner, list[int]] = {owner: [] for owner in owners}
        for tenant, station, session in self.tables["sessions"]:
            if (tenant, station) in found:
                found[tenant, station].append(session.int >> 96)
        return {owner: np.array(words, np.uint32) for owner, words in found.items()}

    def sessions16(
        self, wanted: Mapping[Owner, Collection[str]], windows: Mapping[Owner, tuple[int, int]]
    ) -> list[StoredSession]:
        """Stored 1.6 sessions by transaction ids, and by the time window their events touch."""
        out = []
        for s in self._sessions():
            low, high = windows.get(s.owner, (1, 0))
            by_id = bool(set(wanted.get(s.owner, ())) & set(s.transaction_ids))
            if (
                s.protocol == "ocpp1.6"
                and s.status != "released"
                and (by_id or (s.last_event_ms >= low and s.first_event_ms <= high))
            ):
                out.append(s)
        return out

    def events(self, sessions: Sequence[StoredSession]) -> Iterable[Mapping[str, Any]]:
        """Stored events of sessions."""
        ids = {s.session_id for s in sessions}
        for row in self.tables["events"].values():
            if row["session_id"] in ids and row["session_id"] != NIL:
                yield _read(row)

    def floating(self, owners: Collection[Owner]) -> Iterable[Mapping[str, Any]]:
        """1.6 readings and stops without a usable transaction id."""
        wanted = set(owners)
        for row in self.tables["events"].values():
            if (
                row["transaction_id"] in UNKNOWN_TRANSACTIONS
                and (row["tenant"], row["station_id"]) in wanted
                and row["protocol"] == "ocpp1.6"
                and row["type"] in ("meter_sampled", "session_ended")
                and row["connector_id"] != 0
            ):
                yield _read(row)

    def silent(self, event_before_ms: int, written_before_ms: int) -> list[StoredSession]:
        """Open sessions whose last event is older; every write here counts as old."""
        del written_before_ms
        return [
            s
            for s in self._sessions()
            if s.status in ("active", "pending") and s.last_event_ms < event_before_ms
        ]

    def stale(self) -> list[StoredSession]:
        """Open sessions of which more distinct events are stored than their row counts."""
        counts = Counter(row["session_id"] for row in self.tables["events"].values())
        rows = self.tables["sessions"].values()
        return [
            _stored(r)
            for r in rows
            if r["status"] in ("active", "pending") and counts[r["session_id"]] > r["event_count"]
        ]

    def count(self, chosen: Selection) -> int:
        """How many sessions are chosen."""
        return len(self._chosen(chosen))

    def page(
        self, chosen: Selection, after: tuple[str, str, UUID] | None, limit: int
    ) -> list[StoredTerms]:
        """Chosen sessions in the order of their keys, beyond `after`."""
        found = sorted(self._chosen(chosen), key=lambda one: one.key)
        return [one for one in found if after is None or one.key > after][:limit]

    def _chosen(self, chosen: Selection) -> list[StoredTerms]:
        low = -(1 << 62) if chosen.from_ms is None else chosen.from_ms
        high = 1 << 62 if chosen.to_ms is None else chosen.to_ms
        rows = [
            row
            for row in self.tables["sessions"].values()
            if row["version"] < chosen.below
            and row["status"] != "released"
            and (not chosen.unpriced or row["unpriced_reason"] not in ("", "not_billed"))
            and chosen.station_id in ("", row["station_id"])
        ]
        return [one for one in map(_terms, rows) if low <= one.begun_ms < high]

    def catalogue(self, known: Catalogue) -> Catalogue:
        """The newest published catalogue: of its tables, else the one set on this sink."""
        rows = self.tables["catalogue_revisions"].values()
        said = [r["revision"] for r in rows if r["published_at"].year > CLAIMED]
        published = max(said, default=None)
        if published is None:
            return known if known.revision == self.current.revision else self.current
        if published == known.revision:
            return known
        return build_catalogue(published, **{n: self._newest(n, published) for n in CATALOGUE})

    def _newest(self, table: str, revision: int) -> list[Row]:
        """The newest row of each key up to a revision."""
        found: dict[tuple[Any, ...], Row] = {}
        for key in sorted(key for key in self.tables[table] if key[-1] <= revision):
            found[key[:-1]] = self.tables[table][key]
        return [_times(row, KEYS[table][-2]) for row in found.values()]

    def _sessions(self) -> Iterable[StoredSession]:
        return [_stored(row) for row in self.tables["sessions"].values()]


def _identity(row: Row) -> str:
    """A stand-in for the column's hash: everything but transport facts."""
    parts = [f"{k}={v}" for k, v in sorted(row.items()) if k not in _TRANSPORT]
    parts.extend(f for f in CORE_FLAGS if f in row["flags"].split(","))
    if row["protocol"] == "import":
        parts = [p for p in parts if not p.startswith("meter_wh=")]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _times(row: Row, begins: str) -> Row:
    until = row.get("ends_at", row.get("valid_until"))
    return row | {"from_ms": _ms(row[begins]), "until_ms": _ms(until)}


def _rank(row: Row) -> int:
    if "published_at" in row:
        return _ms(row["published_at"]) or 0
    rank: int = row["version"] if "version" in row else row.get("assignment", 0)
    return rank


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def _mwh(value: Decimal | None) -> int | None:
    return None if value is None else int(value.scaleb(3))


def _micro(value: Decimal | None) -> int | None:
    return None if value is None else int(value.scaleb(6))


def _stored(row: Row) -> StoredSession:
    number = row["evse_id"] if row["protocol"].startswith("ocpp2") else row["connector_id"]
    first, last = row["slice_first"], row["slice_last"]
    return StoredSession(
        row["tenant"],
        row["station_id"],
        row["session_id"],
        row["protocol"],
        tuple(row["transaction_ids"]),
        row["version"],
        row["status"],
        -1 if number is None else number,
        -1 if row["connector_id"] is None else row["connector_id"],
        _ms(row["started_at"]),
        _ms(row["first_event_at"]) or 0,
        _ms(row["last_event_at"]) or 0,
        None if first is None else first * 1000,
        None if last is None else last * 1000,
        Bill(
            row["status"],
            _mwh(row["energy_wh"]),
            _micro(row["amount_excl_vat"]),
            _micro(row["amount_incl_vat"]),
            row["currency"],
            row["tariff_id"],
            row["unpriced_reason"],
        ),
    )


def _terms(row: Row) -> StoredTerms:
    return StoredTerms(
        _stored(row),
        row["driver_key"],
        _ms(row["started_at"] or row["first_event_at"]) or 0,
        row["area"],
        (_micro(row["rounded_excl_vat"]), _micro(row["rounded_incl_vat"])),
        tuple(row[name] for name in TERMS),
    )


def _read(row: Row) -> Row:
    return {
        **row,
        "id": str(row["session_id"]),
        "timestamp_ms": _ms(row["timestamp"]),
        "meter_mwh": _mwh(row["meter_wh"]),
        "import_mwh": _mwh(row["import_wh"]),
        "export_mwh": _mwh(row["export_wh"]),
        "power_mw": _mwh(row["power_w"]),
    }
