"""The store's HTTP front: ClickHouse's interface on a socket.

One thread a connection, on the standard library's `http.server`: the engine blocks a thread for
each statement anyway and leaves the interpreter free meanwhile, the body of an insert goes from
the socket to the engine without passing an event loop, and a statement of 0.6 ms in the engine is
answered in about 1 ms. An ASGI server adds its own parsing, a queue and a thread hop to that and
gives nothing back on a loopback socket with a few dozen clients.
"""

from __future__ import annotations

import logging
import re
import secrets
import socket
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from laddstream.embedded import wire
from laddstream.embedded.engine import PINNED, Connection, EngineError, Progress
from laddstream.embedded.jobs import Job, authenticate, failure, parse
from laddstream.embedded.server import IDLE_S, Server
from laddstream.embedded.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from laddstream.embedded.wire import Encoder

OWN_BODY_LIMIT = 1 << 30
GUEST_BODY_LIMIT = 1 << 20
GUEST_WAIT_S = 10.0
LINGER_S = 2.0

_UNSTREAMABLE = 36
_LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])?(:\d+)?", re.IGNORECASE)
"""Another name in `Host` comes from a web page that has rebound its DNS name to loopback."""

_LOG = logging.getLogger("laddstream.store")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_S
    server: Server
    _query_id = ""
    _streaming: Encoder | None = None
    _tag = ""
    _unread = False

    def finish(self) -> None:
        """Let a client that is still sending a refused body finish, or it never sees why."""
        if self._unread:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_WR)
                self.connection.settimeout(LINGER_S)
                while self.connection.recv(wire.PIECE):
                    pass
        super().finish()

    def do_GET(self) -> None:
        """A reading statement in the URL, or a health check."""
        self._handle(may_write=False)

    def do_POST(self) -> None:
        """Any statement, in URL and body."""
        self._handle(may_write=True)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are not logged; statements can hold what must not be read in a log."""

    def send_error(
        self,
        code: int,
        message: str | None = None,
        explain: str | None = None,  # noqa: ARG002
    ) -> None:
        """What is no HTTP request gets a plain line, and the connection ends."""
        self.close_connection = True
        self._reply(code, f"{message or 'Bad request'}\n".encode(), {})

    def _handle(self, *, may_write: bool) -> None:
        self._query_id, self._streaming, self._tag = "", None, ""
        if self.server.stopping:
            self.close_connection = True
            self._reply(503, b"The store is stopping.\n", {})
            return
        try:
            with self.server.in_flight():
                self._route(may_write=may_write)
        except EngineError as error:
            self._fail(error)
        except (OSError, EOFError):
            self.close_connection = True
        except Exception:  # noqa: BLE001  the client must hear of a defect too
            _LOG.exception("a defect of the store, request %s", self._query_id)
            self._fail(failure(1001, "the store failed, see its log", "STD_EXCEPTION"))

    def _route(self, *, may_write: bool) -> None:
        url = urlsplit(self.path)
        params = dict(parse_qsl(url.query, keep_blank_values=True))
        greeting = url.path == "/" and not may_write and not params
        if not _LOOPBACK_HOST.fullmatch(self.headers.get("Host", "")):
            self.close_connection = True
            self._reply(403, b"Only the names of this machine's loopback are served.\n", {})
        elif greeting or url.path in {"/ping", "/replicas_status"}:
            self._reply(200, b"Ok.\n", {})
        elif url.path == "/":
            self._query(params, may_write=may_write)
        else:
            text = f"There is no handle {url.path}\n\nUse / or /ping for health checks.\n"
            self.close_connection = True
            self._reply(404, text.encode(), {})

    def _query(self, params: dict[str, str], *, may_write: bool) -> None:
        headers = self.headers
        self.close_connection = self._unread = True
        trusted = authenticate(headers, params, self.server.secret)
        body = self._body(OWN_BODY_LIMIT if trusted else GUEST_BODY_LIMIT)
        self._unread = False
        self.close_connection = headers.get("Connection", "").lower() == "close" or (
            self.request_version == "HTTP/1.0"
        )
        kind = headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):
            try:
                params, body = {**params, **wire.form_fields(b"".join(body), kind)}, []
            except ValueError as error:
                raise failure(48, str(error), "NOT_IMPLEMENTED") from None
        job = parse(params, headers, body, trusted=trusted, may_write=may_write)
        self._query_id = job.query_id
        with self._connection(params, job) as connection:
            if job.insert:
                self._insert(job, connection)
            elif job.reads:
                with self.server.watch.over(self.connection, job.query_id):
                    self._read(job, connection, params)
            else:
                output, progress = connection.execute(job.statement, job.format, job.params)
                self._answer(job, output, progress, params)

    def _body(self, limit: int) -> list[bytes]:
        headers = self.headers
        chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        try:
            length = None if chunked else int(headers.get("Content-Length") or 0)
            pieces = wire.read_body(self.rfile, length, limit)
            return wire.decoded(pieces, headers.get("Content-Encoding", "").lower(), limit)
        except wire.TooLargeError:
            text = f"The request is larger than {limit >> 20} MiB"
            raise failure(229, text, "QUERY_IS_TOO_LARGE") from None
        except ValueError as error:
            raise failure(117, str(error), "INCORRECT_DATA") from None

    @contextmanager
    def _connection(self, params: dict[str, str], job: Job) -> Iterator[Connection]:
        """The session's connection or a fresh one, set up for this job."""
        name = params.get("session_id", "")
        if name and job.trusted:
            timeout = _session_timeout(params.get("session_timeout") or "60")
            must_exist = params.get("session_check") == "1"
            with (
                self.server.sessions.use(name, timeout, must_exist=must_exist) as session,
                _in_session(session, job) as connection,
            ):
                yield connection
        elif job.trusted:
            with closing(self.server.engine.connect()) as connection:
                _prepare(connection, job, job.database)
                yield connection
        elif self.server.guests.acquire(timeout=GUEST_WAIT_S):
            try:
                with closing(self.server.engine.connect()) as connection:
                    _prepare(connection, job, job.database)
                    yield connection
            finally:
                self.server.guests.release()
        else:
            raise failure(202, "Too many simultaneous queries", "TOO_MANY_SIMULTANEOUS_QUERIES")

    def _insert(self, job: Job, connection: Connection) -> None:
        assert job.insert is not None  # noqa: S101
        connection.set({f"param_{name}": value for name, value in job.params.items()})
        progress = connection.insert(job.insert.head, job.format, job.data)
        self._reply(200, b"", {"X-ClickHouse-Summary": wire.summary(progress)})

    def _read(self, job: Job, connection: Connection, params: dict[str, str]) -> None:
        waits = params.get("wait_end_of_query", "0") not in {"0", ""}
        if job.streams and not waits and self.request_version != "HTTP/1.0":
            try:
                self._stream(job, connection, params)
            except EngineError as error:
                if error.code != _UNSTREAMABLE or self._streaming:
                    raise
            else:
                return
        output, progress = connection.execute(job.statement, job.format, job.params)
        self._answer(job, output, progress, params)

    def _stream(self, job: Job, connection: Connection, params: dict[str, str]) -> None:
        """A result of one block is sent whole with its summary, a longer one as it comes."""
        progress = Progress()
        with closing(connection.stream(job.statement, job.format, job.params, progress)) as pieces:
            first, second = next(pieces, b""), next(pieces, None)
            if second is None:
                self._answer(job, first, progress, params)
                return
            self._begin(job, progress, params)
            self._send(first)
            self._send(second)
            for piece in pieces:
                self._send(piece)
        self._end()

    def _answer(
        self, job: Job, output: bytes | memoryview, progress: Progress, params: dict[str, str]
    ) -> None:
        headers = {"X-ClickHouse-Summary": wire.summary(progress)}
        if job.reads or output:
            headers |= _describe(job)
        encoding = self._encoding(params)
        if encoding and output:
            machine = wire.encoder(encoding)
            output = machine.compress(bytes(output)) + machine.flush()
            headers["Content-Encoding"] = encoding
        self._reply(200, output, headers)

    def _begin(self, job: Job, progress: Progress, params: dict[str, str]) -> None:
        self._tag = secrets.token_hex(8)
        headers = {
            **_describe(job),
            "X-ClickHouse-Summary": wire.summary(progress),
            "X-ClickHouse-Exception-Tag": self._tag,
            "Transfer-Encoding": "chunked",
        }
        encoding = self._encoding(params)
        if encoding:
            headers["Content-Encoding"] = encoding
        self._streaming = wire.encoder(encoding)
        self.wfile.write(self._head(200, headers))

    def _send(self, piece: bytes) -> None:
        assert self._streaming is not None  # noqa: S101
        self._chunk(self._streaming.compress(piece))

    def _end(self) -> None:
        assert self._streaming is not None  # noqa: S101
        self._chunk(self._streaming.flush())
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _encoding(self, params: dict[str, str]) -> str:
        if params.get("enable_http_compression", "1") in {"0", "false"}:
            return ""
        return wire.accepted_encoding(self.headers.get("Accept-Encoding", ""))

    def _fail(self, error: EngineError) -> None:
        """The error as answer; in the middle of a stream as ClickHouse marks it there."""
        if wire.status_of(error.code) >= 500:
            _LOG.warning("%s failed with code %d", self._query_id or "a request", error.code)
        if self._streaming is None:
            headers = {"X-ClickHouse-Exception-Code": str(error.code)}
            if error.code == 516:
                headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
            self._reply(wire.status_of(error.code), f"{error}\n".encode(), headers)
            return
        text = f"{error}\n".encode()
        tag = self._tag.encode()
        mark = b"__exception__\r\n"
        block = b"\r\n%b%b\r\n%b%d %b\r\n%b" % (mark, tag, text, len(text), tag, mark)
        self._send(block)
        self._chunk(self._streaming.flush())
        self.close_connection = True  # without the last chunk: the client sees it is not whole

    def _reply(self, status: int, body: bytes | memoryview, headers: dict[str, str]) -> None:
        head = self._head(status, {**headers, "Content-Length": str(len(body))})
        self.wfile.write(head)
        if self.command != "HEAD" and body:
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> bytes:
        everything = {
            "Date": self.date_time_string(),
            "Connection": "close" if self.close_connection else "keep-alive",
            "Keep-Alive": f"timeout={IDLE_S:.0f}",
            "X-ClickHouse-Server-Display-Name": "laddstream",
            "X-ClickHouse-Timezone": "UTC",
            "Content-Type": "text/plain; charset=UTF-8",
            **headers,
        }
        if self._query_id:
            everything["X-ClickHouse-Query-Id"] = self._query_id
        reason = self.responses.get(status, ("",))[0]
        lines = "".join(f"{name}: {value}\r\n" for name, value in everything.items())
        return f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1", "replace")


@contextmanager
def _in_session(session: Session, job: Job) -> Iterator[Connection]:
    own = [name for name in job.settings if name not in PINNED]
    try:
        _prepare(session.connection, job, job.database or session.database)
        yield session.connection
        session.remember(job.word, job.statement)
    finally:
        session.restore(own)


def _prepare(connection: Connection, job: Job, database: str) -> None:
    if database:
        name = database.replace("\\", "\\\\").replace("`", "\\`")
        connection.execute(f"USE `{name}`", "Null", {})
    connection.set(job.settings)


def _session_timeout(text: str) -> float:
    if not text.isdecimal() or len(text) > 9:
        raise failure(374, f"Invalid session timeout: '{text[:20]}'", "INVALID_SESSION_TIMEOUT")
    return min(float(text), 3600.0)


def _describe(job: Job) -> dict[str, str]:
    return {"X-ClickHouse-Format": job.format, "Content-Type": wire.content_type(job.format)}
