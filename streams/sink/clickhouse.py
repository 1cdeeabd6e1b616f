"""The store behind the worker: ClickHouse over HTTP, embedded or a server, the same code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import methodcaller
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import clickhouse_connect
import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.binding import format_str
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from numpy.typing import NDArray

from schemas.errors import DefectError, UnavailableError
from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue
from streams.core.identity import UNKNOWN_TRANSACTIONS
from streams.core.session import Owner
from streams.sink.arrow_file import ArrowFile
from streams.sink.blanks import without_blanks
from streams.sink.catalogue_sql import CATALOGUE, PUBLISHED, alike_stations, newest_rows
from streams.sink.port import (
    Reassignment,
    Selection,
    StoredSession,
    StoredStation,
    StoredTerms,
)
from streams.sink.session_sql import SESSION, TERMED, chosen_sql, stored_session, stored_terms

PINNED = {
    "async_insert": 0,
    "insert_deduplicate": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}
"""Server defaults drift between versions; the truth path must not. Every row lands on its own key,
so the engine's own insert deduplication is off: it can lose a row (docs/decisions/0007)."""

_INSERT = {**PINNED, "optimize_on_insert": 0}
"""Rows are replaced at merge and by FINAL; doing it in the insert too costs CPU for nothing."""

_QUERY = {"max_query_size": 64 * 1024 * 1024, "max_execution_time": 120}
_KEYS_A_QUERY = 2_000
_RETRYABLE = frozenset({159, 164, 201, 202, 203, 209, 210, 241, 242, 243, 252, 279, 319, 425, 999})
"""Time, memory, read-only, too many parts or queries, network, no space, Keeper."""

T = TypeVar("T")

_EVENT = """toString(session_id) AS id, type,
    toUnixTimestamp64Milli(timestamp) AS timestamp_ms, seq_no, context, charging_state, id_token,
    toInt64(toDecimal128(meter_wh, 3) * 1000) AS meter_mwh,
    toInt64(toDecimal128(import_wh, 3) * 1000) AS import_mwh,
    toInt64(toDecimal128(export_wh, 3) * 1000) AS export_mwh, toInt64(power_w * 1000) AS power_mw,
    connector_id, evse_id, attributes, flags, protocol"""


_WORD = "toUInt32(bitShiftRight(reinterpretAsUInt64(session_id), 32))"
"""The first 32 bits of an id: the engine keeps each half of it backwards."""


class ClickHouseSink:
    """`streams.sink.port.Sink` on a ClickHouse HTTP endpoint. One thread at a time."""

    def __init__(self, url: str, user: str, password: str, database: str) -> None:
        self._address = (url, user, password, database)
        self._made: Client | None = None
        self._file = ArrowFile()

    def insert(self, table: str, rows: pa.Table) -> None:
        """Upsert rows into one table, durable on return."""
        told = without_blanks(table, rows)
        body, names = self._file.write(told), told.column_names
        self._guarded(lambda c: c.raw_insert(table, names, body, _INSERT, "Arrow"))

    def reassign(self, moves: Sequence[Reassignment]) -> None:
        """Write the moved events again, with their new session and a higher assignment."""
        times: dict[tuple[Owner, str, str, UUID], set[int]] = {}
        for m in moves:
            key = (m.owner, m.transaction_id, m.type, m.session_id)
            times.setdefault(key, set()).add(m.timestamp_ms)
        for (owner, transaction_id, kind, session_id), instants in times.items():
            ticks = ",".join(f"fromUnixTimestamp64Milli({t}, 'UTC')" for t in sorted(instants))
            sql = (
                "INSERT INTO events SELECT * REPLACE("
                f"toUUID('{session_id}') AS session_id, assignment + 1 AS assignment) "
                f"FROM (SELECT * FROM events FINAL WHERE tenant = {format_str(owner[0])} "
                f"AND station_id = {format_str(owner[1])} AND timestamp IN ({ticks}) "
                f"AND type = {format_str(kind)} AND protocol = 'ocpp1.6' "
                f"AND transaction_id = {format_str(transaction_id)} "
                f"AND session_id != toUUID('{session_id}'))"
            )
            self._guarded(methodcaller("command", sql, settings={**PINNED, **_QUERY}))

    def stations(self, owners: Collection[Owner]) -> list[StoredStation]:
        """What is stored of these stations; stations without any session are left out."""
        out: list[StoredStation] = []
        for part in _parts(owners):
            keys = _tuples(part)
            starts = self._rows(
                "SELECT tenant, station_id,"
                " max(ifNull(toUnixTimestamp64Milli(started_at), -1)) AS start,"
                " max(toUnixTimestamp64Milli(last_event_at)) AS last_ms,"
                " ifNull(if(startsWith(protocol, 'ocpp2'), evse_id, connector_id), -1) AS number"
                f" FROM sessions FINAL WHERE {_near(part)}"
                " GROUP BY tenant, station_id, number"
            )
            wanted = set(part)
            starts = [row for row in starts if (row["tenant"], row["station_id"]) in wanted]
            if starts:
                where = f"(tenant, station_id) IN ({keys}) AND status IN ('active', 'pending')"
                out.extend(_stations(starts, self._sessions(where)))
        return out

    def sessions_by_id(self, keys: Collection[tuple[str, str, UUID]]) -> list[StoredSession]:
        """Stored sessions by (tenant, station, session id)."""
        out: list[StoredSession] = []
        for part in _parts(keys):
            out.extend(self._rows_of(part))
        return out

    def _rows_of(self, keys: Sequence[tuple[str, str, UUID]]) -> Iterator[StoredSession]:
        """Nearly always of sessions that are not stored: the whole key says where to look, and of
        what lies there the ids alone are read. Ids as literals: a function each takes the store
        longer to parse than the looking.
        """
        places = ",".join(f"({format_str(t)},{format_str(s)},'{u}')" for t, s, u in keys)
        where = f"indexHint((tenant, station_id, session_id) IN ({places}))"
        ids = _ids(u for _, _, u in keys)
        wanted = set(keys)
        for row in self._rows(f"{SESSION} PREWHERE session_id IN ({ids}) WHERE {where}"):
            session = stored_session(row)
            if (*session.owner, session.session_id) in wanted:
                yield session

    def session_words(self, owners: Collection[Owner]) -> Mapping[Owner, NDArray[np.uint32]]:
        """The first 32 bits of the id of every stored session of these stations."""
        out: dict[Owner, NDArray[np.uint32]] = {}
        for part in _parts(owners):
            found = self._table(
                f"SELECT tenant, station_id, groupArray({_WORD}) AS words FROM sessions"
                f" WHERE {_near(part)} GROUP BY tenant, station_id"
            )
            words = found["words"].combine_chunks()
            ends = words.offsets.to_numpy()
            flat = words.values.to_numpy()
            names = zip(found["tenant"].to_pylist(), found["station_id"].to_pylist(), strict=True)
            wanted = set(part)
            out.update(
                (name, flat[ends[n] : ends[n + 1]])
                for n, name in enumerate(names)
                if name in wanted
            )
        return out

    def sessions16(
        self, wanted: Mapping[Owner, Collection[str]], windows: Mapping[Owner, tuple[int, int]]
    ) -> list[StoredSession]:
        """Stored 1.6 sessions by transaction ids, and by the time window their events touch."""
        out: dict[UUID, StoredSession] = {}
        for part in _parts(wanted):
            ids = {i for owner in part for i in wanted[owner]}
            array = ",".join(format_str(i) for i in sorted(ids))
            found = self._sessions(
                f"(tenant, station_id) IN ({_tuples(part)}) AND protocol = 'ocpp1.6'"
                f" AND status != 'released' AND hasAny(transaction_ids, [{array}])"
            )
            out.update(
                (s.session_id, s) for s in found if set(s.transaction_ids) & set(wanted[s.owner])
            )
        for owner, (low, high) in windows.items():
            found = self._sessions(
                f"(tenant, station_id) IN ({_tuples([owner])}) AND protocol = 'ocpp1.6'"
                " AND status != 'released'"
                f" AND last_event_at >= fromUnixTimestamp64Milli({low}, 'UTC')"
                f" AND first_event_at <= fromUnixTimestamp64Milli({high}, 'UTC')"
            )
            out.update((s.session_id, s) for s in found)
        return list(out.values())

    def events(self, sessions: Sequence[StoredSession]) -> Iterable[Mapping[str, Any]]:
        """Stored events of sessions, by station, time range and session."""
        for part in _parts(sessions):
            own = [s for s in part if s.protocol != "ocpp1.6"]
            moved = [s for s in part if s.protocol == "ocpp1.6"]
            if own:
                # Of others than 1.6 the session, and all that is read, follow from the event's
                # identity: its rows are alike, any of them will do, and FINAL would read more.
                yield from self._rows(
                    f"SELECT DISTINCT {_EVENT}, '' AS transaction_id FROM events"
                    f" PREWHERE session_id IN ({_ids_of(own)}) WHERE indexHint({_span(own)})"
                )
            if moved:
                yield from self._rows(
                    f"SELECT {_EVENT}, transaction_id FROM events FINAL PREWHERE {_span(moved)}"
                    f" WHERE session_id IN ({_ids_of(moved)})"
                )

    def floating(self, owners: Collection[Owner]) -> Iterable[Mapping[str, Any]]:
        """1.6 readings and stops without a usable transaction id, of the last 30 days."""
        for part in _parts(owners):
            keys = _tuples(part)
            yield from self._rows(
                f"SELECT tenant, station_id, {_EVENT}, transaction_id FROM events FINAL"
                f" PREWHERE (tenant, station_id) IN ({keys}) WHERE protocol = 'ocpp1.6'"
                f" AND transaction_id IN ({_UNKNOWN})"
                " AND type IN ('meter_sampled', 'session_ended') AND ifNull(connector_id, -1) != 0"
                f" AND timestamp > (SELECT max(last_event_at) FROM sessions"
                f" WHERE (tenant, station_id) IN ({keys})) - INTERVAL 30 DAY"
            )

    def silent(self, event_before_ms: int, written_before_ms: int) -> list[StoredSession]:
        """Open sessions whose last event and last write are older than these instants."""
        return self._sessions(
            "status IN ('active', 'pending')"
            f" AND last_event_at < fromUnixTimestamp64Milli({event_before_ms}, 'UTC')"
            f" AND updated_at < fromUnixTimestamp64Milli({written_before_ms}, 'UTC')",
            most=10_000,
        )

    def stale(self) -> list[StoredSession]:
        """Open sessions of which more distinct events are stored than their row counts."""
        rows = self._rows(
            f"{SESSION} WHERE status IN ('active', 'pending')"
            " AND (session_id, event_count) NOT IN ("
            "SELECT session_id, toUInt32(count()) FROM events FINAL WHERE session_id IN ("
            "SELECT session_id FROM sessions WHERE status IN ('active', 'pending'))"
            " GROUP BY session_id) LIMIT 10000"
        )
        return [stored_session(row) for row in rows]

    def count(self, chosen: Selection) -> int:
        """How many sessions are chosen."""
        rows = self._rows(
            f"SELECT count() AS n FROM sessions FINAL WHERE {chosen_sql(chosen, format_str)}"
        )
        return int(rows[0]["n"])

    def page(
        self, chosen: Selection, after: tuple[str, str, UUID] | None, limit: int
    ) -> list[StoredTerms]:
        """Chosen sessions in the order of the table's key, beyond `after`."""
        where = chosen_sql(chosen, format_str)
        if after is not None:
            tenant, station, session = after
            where += (
                f" AND (tenant, station_id, session_id) >"
                f" ({format_str(tenant)}, {format_str(station)}, toUUID('{session}'))"
            )
        order = f"ORDER BY sessions.tenant, station_id, sessions.session_id LIMIT {limit}"
        return [stored_terms(row) for row in self._rows(f"{TERMED} WHERE {where} {order}")]

    def catalogue(self, known: Catalogue) -> Catalogue:
        """The newest published catalogue; `known` itself where the revision is the same."""
        revision = self._published()
        if revision == known.revision:
            return known
        while True:
            tables = {n: self._rows(newest_rows(n, revision)) for n in CATALOGUE if n != "stations"}
            tables["stations"] = self._rows(alike_stations(revision))
            newer = self._published()
            if newer == revision:  # else rows of this one may be replaced already
                return build_catalogue(revision, **tables)
            revision = newer

    def _published(self) -> int:
        return int(self._rows(PUBLISHED)[0]["revision"])

    def _sessions(self, where: str, most: int = 0) -> list[StoredSession]:
        """Sessions whose newest row is so. FINAL alone would read all columns of all rows: first
        which have any such row, read by the columns of the condition; then the newest of these.
        """
        some = f"SELECT session_id FROM sessions WHERE {where}"
        limit = f" LIMIT {most}" if most else ""
        rows = self._rows(f"{SESSION} PREWHERE session_id IN ({some}) WHERE {where}{limit}")
        return [stored_session(row) for row in rows]

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        return self._table(sql).to_pylist()  # type: ignore[no-any-return]  # pyarrow has no types

    def _table(self, sql: str) -> pa.Table:
        return self._guarded(lambda c: c.query_arrow(sql, settings=dict(_QUERY)))

    def _guarded(self, call: Callable[[Client], T]) -> T:
        try:
            return call(self._client())
        except OperationalError as error:
            self._made = None
            raise UnavailableError(f"ClickHouse does not answer: {_first_line(error)}") from error
        except ClickHouseError as error:
            code = _code(error)
            if code in _RETRYABLE or code is None:
                raise UnavailableError(f"ClickHouse refuses: {_first_line(error)}") from error
            raise DefectError(f"ClickHouse says: {_first_line(error)}") from error
        except OSError as error:
            self._made = None
            raise UnavailableError(f"ClickHouse does not answer: {error}") from error

    def _client(self) -> Client:
        if self._made is None:
            url, user, password, database = self._address
            parts = urlsplit(url)
            self._made = clickhouse_connect.get_client(
                host=parts.hostname or "127.0.0.1",
                port=parts.port or (8443 if parts.scheme == "https" else 8123),
                secure=parts.scheme == "https",
                username=user,
                password=password,
                database=database,
                compress=False,
                autogenerate_session_id=False,
                send_receive_timeout=120,
                query_retries=0,
            )
        return self._made


_UNKNOWN = ",".join(format_str(i) for i in sorted(UNKNOWN_TRANSACTIONS))
_DAY_MS = 86_400_000


def _parts(keys: Collection[T]) -> Iterator[list[T]]:
    rows = list(keys)
    for i in range(0, len(rows), _KEYS_A_QUERY):
        yield rows[i : i + _KEYS_A_QUERY]


def _tuples(owners: Iterable[Owner]) -> str:
    return ",".join(f"({format_str(t)},{format_str(s)})" for t, s in owners)


def _ids(sessions: Iterable[UUID]) -> str:
    return ",".join(f"'{u}'" for u in sessions)


def _ids_of(sessions: Iterable[StoredSession]) -> str:
    return _ids(s.session_id for s in sessions)


def _span(sessions: Collection[StoredSession]) -> str:
    """Where events of these sessions lie: their stations, from the first to the last and beyond."""
    low = min(s.first_event_ms for s in sessions) - _DAY_MS
    high = max(s.last_event_ms for s in sessions) + _DAY_MS * 60
    return (
        f"(tenant, station_id) IN ({_tuples({s.owner for s in sessions})})"
        f" AND timestamp >= fromUnixTimestamp64Milli({low}, 'UTC')"
        f" AND timestamp <= fromUnixTimestamp64Milli({high}, 'UTC')"
    )


def _near(owners: Collection[Owner]) -> str:
    """Rows of these stations, and of others of their names: comparing tenants too, in millions of
    rows, takes the store longer than all else, so that is left to who reads the few that are left.
    """
    names = ",".join(sorted({format_str(station) for _, station in owners}))
    return f"station_id IN ({names}) AND indexHint((tenant, station_id) IN ({_tuples(owners)}))"


def _stations(
    starts: list[dict[str, Any]], sessions: list[StoredSession]
) -> Iterator[StoredStation]:
    by_owner: dict[Owner, list[dict[str, Any]]] = {}
    for row in starts:
        by_owner.setdefault((row["tenant"], row["station_id"]), []).append(row)
    open_by_owner: dict[Owner, list[StoredSession]] = {}
    for session in sessions:
        open_by_owner.setdefault(session.owner, []).append(session)
    for owner, rows in by_owner.items():
        yield StoredStation(
            owner,
            max(r["last_ms"] for r in rows),
            tuple((r["number"], r["start"]) for r in rows),
            tuple(open_by_owner.get(owner, ())),
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


def _code(error: ClickHouseError) -> int | None:
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return code
    text = str(error)
    digits = text.partition("Code: ")[2].partition(".")[0].strip()
    digits = digits or text.partition("error code ")[2].partition(",")[0].strip()
    return int(digits) if digits.isdigit() else None
