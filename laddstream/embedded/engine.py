"""The one door to chDB: an engine on a directory, a connection for each request.

Measured on chDB 4.4 (engine 26.9.2): connections are cheap (0.1 ms), settings and `USE` belong to
a connection, any number of them run at once, and the interpreter is free while one works. So every
request gets its own, which keeps requests from seeing each other's settings. Inserts go through
`send_insert`, which takes the data as they came (any format) without a temporary file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import chdb

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path

STREAMED = frozenset(
    {"native", "rowbinary", "csv", "jsoneachrow", "tsv", "tsvraw", "tabseparated"}
    | {"tabseparatedraw"}
)
"""Formats (lower case) without head or foot: the engine's blocks can follow each other."""

PINNED = {
    "async_insert": "0",
    "insert_deduplicate": "1",
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    "implicit_select": "0",
    "allow_introspection_functions": "0",
}
"""As on a server, whatever the engine's defaults drift to; an insert is stored when we say so."""

_ERROR = re.compile(r"Code: (\d+)\. DB::Exception: ")
_VERSION = re.compile(r" \(version [\d.]+")
_STD_EXCEPTION = 1001


Raw = Any
"""A `chdb` connection; what comes out of it is annotated where it enters our code."""


class EngineError(Exception):
    """An error of the engine: ClickHouse's code, and the text as its HTTP interface writes it."""

    def __init__(self, message: str, code: int) -> None:
        """Keep the code; the message starts with `Code: `."""
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Progress:
    """What `X-ClickHouse-Summary` tells."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    elapsed_s: float = 0.0


Output = tuple[memoryview, Progress]


class Engine:
    """An open data directory. Only one process may have it, see `laddstream.embedded.store`."""

    def __init__(self, path: Path) -> None:
        """Open or create it; a connection is held as long as the engine lives."""
        self._path = str(path)
        self._held = chdb.connect(self._path)
        _plain_default_database(self._held)
        self.version = self.scalar("SELECT version()")

    def connect(self) -> Connection:
        """A connection of its own, in database `default`."""
        return Connection(chdb.connect(self._path), self.version)

    def scalar(self, query: str) -> str:
        """The single value a query of our own gives, as text."""
        return str(self._held.query(query, "TSVRaw").bytes().decode().rstrip("\n"))

    def kill(self, tag: str) -> None:
        """Cancel what runs under this `log_comment`; nothing happens where nothing runs."""
        connection = self.connect()
        try:
            condition = f"Settings['log_comment'] = {quoted(tag)}"
            connection.execute(f"KILL QUERY WHERE {condition} ASYNC", "Null", {})
        finally:
            connection.close()

    def close(self) -> None:
        """Let go of the directory."""
        self._held.close()


class Connection:
    """One request's (or one session's) connection; used by one thread at a time."""

    def __init__(self, raw: Raw, version: str) -> None:
        """Wrap chDB's connection."""
        self._raw = raw
        self._version = version

    def set(self, settings: Mapping[str, str]) -> None:
        """Apply settings; raises EngineError (115) for one that does not exist."""
        if settings:
            pairs = ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())
            self.execute(f"SET {pairs}", "Null", {})

    def execute(self, query: str, fmt: str, params: Mapping[str, str]) -> Output:
        """Run a statement to its end and give its output and what it did."""
        try:
            result = self._raw.query(query, fmt, params=dict(params))
        except Exception as error:  # noqa: BLE001  chDB raises several kinds
            raise self._error(error) from None
        output = memoryview(result.bytes())
        return output, Progress(
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            result_rows=result.rows_read(),
            result_bytes=len(output),
            elapsed_s=result.elapsed(),
        )

    def stream(
        self, query: str, fmt: str, params: Mapping[str, str], progress: Progress
    ) -> Generator[bytes, None, None]:
        """The output of a reading statement in pieces, for a format of `STREAMED`.

        Closing the iterator cancels the query.
        """
        try:
            result = self._raw.send_query(query, fmt, params=dict(params))
        except Exception as error:  # noqa: BLE001  chDB raises several kinds
            raise self._error(error) from None
        try:
            while True:
                try:
                    block = result.fetch()
                except Exception as error:  # noqa: BLE001  chDB raises several kinds
                    raise self._error(error) from None
                if block is None:
                    return
                piece = block.bytes()
                progress.read_rows = block.storage_rows_read() or progress.read_rows
                progress.read_bytes = block.storage_bytes_read() or progress.read_bytes
                progress.result_rows += block.rows_read()
                progress.result_bytes += len(piece)
                progress.elapsed_s = block.elapsed()
                yield piece
        finally:
            result.close()

    def insert(self, head: str, fmt: str, data: Iterable[bytes]) -> Progress:
        """Insert data in an input format; all of it in one go, or an EngineError."""
        try:
            with self._raw.send_insert(head, fmt) as inserter:
                for piece in data:
                    inserter.append(piece)
                result = inserter.finish()
        except Exception as error:  # noqa: BLE001  chDB raises several kinds
            raise self._error(error) from None
        return Progress(
            written_rows=result.rows_written,
            written_bytes=result.bytes_written,
            elapsed_s=result.elapsed,
        )

    def close(self) -> None:
        """Give it back."""
        self._raw.close()

    def _error(self, error: Exception) -> EngineError:
        """An error of chDB, which may wrap itself several times, as ClickHouse would write it."""
        text = str(error)
        found = list(_ERROR.finditer(text))
        if not found:
            return EngineError(f"Code: {_STD_EXCEPTION}. DB::Exception: {text}", _STD_EXCEPTION)
        message = _VERSION.split(text[found[-1].start() :])[0]
        return EngineError(f"{message} (version {self._version} (chDB))", int(found[-1].group(1)))


def quoted(text: str) -> str:
    """A string literal of ClickHouse."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _plain_default_database(connection: Raw) -> None:
    """Make `default` an ordinary database, keeping its tables.

    chDB opens it as an overlay over the file system, where any reader could say
    `` SELECT * FROM `/etc/passwd` ``; the choice is not remembered, so it is made at each start.
    Tables wait in a database of their own meanwhile, where a start cut short finds them again.
    """
    waiting = "laddstream_default_tables"
    connection.query("SET check_table_dependencies = 0, check_referential_table_dependencies = 0")
    connection.query(f"CREATE DATABASE IF NOT EXISTS {waiting} ENGINE = Atomic")
    _move_tables(connection, "default", waiting)
    connection.query("DROP DATABASE default")
    connection.query("CREATE DATABASE default ENGINE = Atomic")
    _move_tables(connection, waiting, "default")
    connection.query(f"DROP DATABASE {waiting}")


def _move_tables(connection: Raw, source: str, target: str) -> None:
    found = connection.query(f"SHOW TABLES FROM {source}", "JSONCompactEachRow").bytes()
    for line in found.splitlines():
        name = "`" + json.loads(line)[0].replace("\\", "\\\\").replace("`", "\\`") + "`"
        connection.query(f"RENAME TABLE {source}.{name} TO {target}.{name}")
