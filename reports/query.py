"""The one door to ClickHouse for whoever reads: statements with bound parameters, exact answers.

Answers come as the engine's JSON and are read with exact decimals: no float ever carries
energy or money. Times are ISO 8601 text in UTC with a trailing Z.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import msgspec
from clickhouse_connect import common
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.errors import LaddstreamError, UnavailableError, UserError

Value = str | int | Decimal | bool | list[Any] | dict[str, Any] | None
"""One cell: text (also times and UUIDs), exact numbers, null, or a list or map of these."""

Parameter = str | int | Sequence[str]

EXACT: dict[str, Any] = {
    "output_format_json_quote_decimals": 0,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_decimal_trailing_zeros": 0,
    "date_time_output_format": "iso",
}
"""Numbers as numbers, times with their zone, on every server version."""

StoreError = ClickHouseError
"""What the client raises; `explain` turns it into an error of ours."""

_CONNECT_TIMEOUT_S = 5
_CODE = re.compile(r"[Cc]ode:? (\d+)")
_NOISE = re.compile(
    r" (?:Expected one of: |In scope ).*?(?= \([A-Z_]+\))|\s*\((?:version|for url) .*$"
)
_NOT_MIGRATED = {"60", "81"}
_BAD_LOGIN = {"192", "193", "194", "516"}


class Column(msgspec.Struct, frozen=True):
    """Name and ClickHouse type of a column."""

    name: str
    type: str


class Result(msgspec.Struct, frozen=True):
    """An answer: `row_count` is how many rows there were before a LIMIT."""

    meta: tuple[Column, ...]
    data: list[list[Any]]
    rows: int
    totals: list[Any] | None = None
    rows_before_limit_at_least: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.meta)

    @property
    def row_count(self) -> int:
        """Rows before LIMIT, as far as the engine says."""
        return max(self.rows, self.rows_before_limit_at_least)

    def records(self) -> list[dict[str, Value]]:
        """The rows as objects."""
        return [dict(zip(self.names, row, strict=True)) for row in self.data]


_DECODER = msgspec.json.Decoder(Result, float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Address:
    """Where ClickHouse's HTTP interface is, and who asks."""

    url: str
    user: str = "default"
    password: str = ""


class Store:
    """A connection for reading; whoever opens it closes it (`contextlib.closing`)."""

    def __init__(self, client: Client, *, guarded: bool = False) -> None:
        self._client = client
        self._settings = EXACT | ({"readonly": 2} if guarded else {})

    def fetch(self, statement: str, parameters: Mapping[str, Parameter] | None = None) -> Result:
        """Run one SELECT with server-side `{name:Type}` parameters.

        Raises UserError where the statement is wrong, UnavailableError where the store is away.
        """
        try:
            raw = self._client.raw_query(
                statement.strip().rstrip(";"),
                parameters=dict(parameters or {}),
                settings=self._settings,
                fmt="JSONCompact",
            )
        except StoreError as error:
            raise explain(error) from error
        try:
            return _DECODER.decode(_in_order(raw))
        except msgspec.DecodeError as error:
            raise UserError("That statement gives no rows: only SELECT and its kin do.") from error

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()


def _in_order(raw: bytes) -> bytes:
    """Undo a fault of chDB 26.9: it writes the totals of no rows before everything else."""
    head, start, rest = raw.partition(b'{\n\t"meta"')
    if not head:
        return raw
    data = b'"data":\n\t[\n'
    return start + rest.replace(data, data + head, 1)


def connect_client(address: Address, database: str | None = None) -> Client:
    """A clickhouse-connect HTTP client; raises UnavailableError or UserError with a sentence."""
    parts = urlsplit(address.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UserError(
            f"{address.url!r} is no ClickHouse HTTP address: write it as http://host:8123"
        )
    # A connection that may only read still takes settings of the output: the server decides.
    common.set_setting("invalid_setting_action", "send")
    # The driver logs what it raises; without a handler that would reach the terminal.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    try:
        return clickhouse_connect.get_client(
            interface=parts.scheme,
            host=parts.hostname,
            port=parts.port or (8443 if parts.scheme == "https" else 8123),
            username=address.user,
            password=address.password,
            database=database or "__default__",
            connect_timeout=_CONNECT_TIMEOUT_S,
            autogenerate_session_id=False,
        )
    except StoreError as error:
        raise explain(error, address.url) from error


def connect(address: Address, *, guarded: bool = False) -> Store:
    """Connect for reading; `guarded`: for statements of others, the server refuses to write."""
    return Store(connect_client(address), guarded=guarded)


def explain(error: Exception, url: str = "") -> LaddstreamError:
    """The error to show instead of a driver's: one sentence and what to do next."""
    text = " ".join(str(error).split("Stack trace")[0].split())
    found = _CODE.search(text)
    code = found.group(1) if found else ""
    if not code:
        where = f" at {url}" if url else ""
        why = "" if "Max retries exceeded" in text else f" ({text[:200]})"
        return UnavailableError(
            f"ClickHouse does not answer{where}{why}: start it (laddstream up) or check the address"
        )
    if code in _BAD_LOGIN:
        return UserError(f"ClickHouse refuses the user or password ({text[:200]})")
    what = re.sub(r"^.*?DB::Exception: ", "", text)
    what = _NOISE.sub("", what)[:600]
    if code in _NOT_MIGRATED and "mart" in what:
        return UserError(f"{what} - if a view of mart is missing: laddstream migrate")
    return UserError(f"ClickHouse says: {what}")
