"""The store's side of a load: what is there, and writing a revision that appears all at once.

1. The load claims its revision: an insert with a deduplication token that names the number, so
   of two loads one only gets it. The claim is a row of 1970 in `catalogue_revisions`.
2. It looks again: where another revision was published meanwhile, it gives up.
3. It writes its rows, table by table, and last the revision's row with the time of now.

Workers and views look at revisions that are published only. A load that was cut off is completed
by the next one, which has a higher number: it compares with everything written, published or not.
Until then the rows that were published hold, as far as the store has not merged them away; what
is new to the catalogue is in no view.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from laddstream.catalogue.changes import Change, State
from laddstream.catalogue.checking import Key
from reports.query import Address, Store, StoreError, connect_client, explain
from schemas.errors import UserError
from streams.sink.catalogue_sql import CATALOGUE, PUBLISHED, newest_rows

STALE_S = 300
"""A claim that is older was cut off."""

_ROWS_AN_INSERT = 50_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GIVEN_UP = "1970-01-01 00:00:01.000"
_PINNED = {"async_insert": 0, "insert_deduplicate": 1}
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_WRITTEN = " UNION ALL ".join(
    f"SELECT max(revision) AS r FROM {table}"  # noqa: S608 - names of ours
    for table in CATALOGUE
)
_CLAIMED = "SELECT max(revision) AS r FROM catalogue_revisions"
_CLAIM = (
    "SELECT revision, toUnixTimestamp64Milli(now64(3)) AS now_ms, summary FROM catalogue_revisions"
    " WHERE published_at = toDateTime64(0, 3, 'UTC') AND revision > {published:UInt32}"
    " AND revision NOT IN (SELECT revision FROM catalogue_revisions"
    " WHERE published_at > toDateTime64(0, 3, 'UTC')) ORDER BY revision DESC LIMIT 1"
)


class CatalogueStore:
    """A connection to the tables of the catalogue."""

    def __init__(self, address: Address, database: str) -> None:
        self._address = address
        self._client = connect_client(address, database)
        self._store = Store(self._client)

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def written(self) -> int:
        """The highest revision of any row, published or not."""
        return int(self._store.fetch(f"SELECT max(r) FROM ({_WRITTEN})").data[0][0])  # noqa: S608

    def published(self) -> int:
        """The newest published revision."""
        return int(self._store.fetch(PUBLISHED).data[0][0])

    def state(self, tenants: set[str]) -> State:
        """Everything written of some tenants."""
        out = State(self.published(), self.written())
        for table, (key, _) in CATALOGUE.items():
            names = key.split(", ")
            for row in self._store.fetch(newest_rows(table, 2**32 - 1)).records():
                if row["tenant"] in tenants:
                    where: Key = (table, *(str(row.pop(name)) for name in names[:-1]))
                    from_ms, deleted = int(str(row.pop("from_ms"))), row.pop("deleted")
                    del row["revision"]
                    out.histories[where][from_ms] = None if deleted else row
        return out

    def unfinished(self) -> tuple[int, float, str] | None:
        """The newest claim that was not published: revision, age in seconds, whose it is."""
        found = self._store.fetch(_CLAIM, {"published": self.published()}).records()
        if not found:
            return None
        mark, _, began = str(found[0]["summary"]).partition("@")
        age = (int(str(found[0]["now_ms"])) - int(began or 0)) / 1000
        return int(str(found[0]["revision"])), age, mark

    def publish(
        self, changes: list[Change], state: State, say: Callable[[str, int, int], None]
    ) -> int:
        """Write changes at the next revision, and publish it; `say` is told table, done, total.

        Raises UserError where another load was faster, UnavailableError where the store is away.
        """
        try:
            revision = self._claim(state)
            try:
                self._write(changes, revision, say)
            except BaseException:
                with suppress(StoreError):  # the next load need not wait for this one
                    self._mark(revision, _GIVEN_UP, "cut off")
                raise
        except StoreError as error:
            raise explain(error, self._address.url) from error
        return revision

    def _write(
        self, changes: list[Change], revision: int, say: Callable[[str, int, int], None]
    ) -> None:
        rows: dict[str, list[bytes]] = defaultdict(list)
        for change in changes:
            rows[change.key[0]].append(_ENCODER.encode(_row(change, revision)))
        for table, lines in rows.items():
            for i in range(0, len(lines), _ROWS_AN_INSERT):
                self._insert(table, lines[i : i + _ROWS_AN_INSERT])
                say(table, min(i + _ROWS_AN_INSERT, len(lines)), len(lines))
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        summary = ", ".join(f"{len(lines)} {table}" for table, lines in rows.items())
        self._mark(revision, now, summary)

    def _claim(self, state: State) -> int:
        """A revision of our own, above everything that is written."""
        waiting = self.unfinished()
        if waiting is not None and waiting[1] < STALE_S:
            raise UserError(
                f"Another load is writing revision {waiting[0]} since {waiting[1]:.0f} s: try again"
                f" when it is done (one that was cut off is overtaken after {STALE_S // 60} min)."
            )
        claimed = int(self._store.fetch(_CLAIMED).data[0][0])
        revision, mark = max(claimed, self.written()) + 1, uuid.uuid4().hex
        now = self._store.fetch("SELECT toUnixTimestamp64Milli(now64(3))").data[0][0]
        self._mark(revision, "1970-01-01 00:00:00.000", f"{mark}@{now}", f"claim-{revision}")
        holder = self.unfinished()
        if holder is None or holder[0] != revision or holder[2] != mark:
            raise UserError("Another load began at the same moment: try again when it is done.")
        if self.published() != state.published:
            self._mark(revision, _GIVEN_UP, "given up")
            raise UserError(
                "Another load was published while this one was checked: run it again, to check it"
                " against the new catalogue."
            )
        return revision

    def _mark(self, revision: int, at: str, summary: str, token: str = "") -> None:
        row = {"revision": revision, "published_at": at, "summary": summary}
        self._insert("catalogue_revisions", [_ENCODER.encode(row)], token)

    def _insert(self, table: str, lines: list[bytes], token: str = "") -> None:
        settings: dict[str, Any] = dict(_PINNED)
        if token:
            settings["insert_deduplication_token"] = token
        self._client.raw_insert(
            table, insert_block=b"\n".join(lines), fmt="JSONEachRow", settings=settings
        )


def _row(change: Change, revision: int) -> dict[str, Any]:
    """A row as the table has it. The columns of an ended one are empty."""
    table, *ids = change.key
    *names, begins = CATALOGUE[table][0].split(", ")
    out: dict[str, Any] = dict(zip(names, ids, strict=True))
    out |= {begins: _time(change.from_ms), "revision": revision}
    out["replaces"] = int(change.replaces)
    if change.values is None:
        return out | {"deleted": 1}
    values = dict(change.values)
    if "until_ms" in values:
        until = values.pop("until_ms")
        name = "ends_at" if table == "subscriptions" else "valid_until"
        out[name] = None if until is None else _time(until)
    return out | values


def _time(ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=ms)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{ms % 1000:03}"


@contextmanager
def catalogue_store(address: Address, database: str) -> Iterator[CatalogueStore]:
    """A connection for the time of a load; raises UnavailableError where the store is away."""
    with closing(CatalogueStore(address, database)) as store:
        yield store
