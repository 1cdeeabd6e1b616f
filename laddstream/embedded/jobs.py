"""From an HTTP request to what the engine shall do: statement, data, format, settings, rights."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

from laddstream.embedded.engine import PINNED, STREAMED, EngineError
from laddstream.embedded.guard import GuardError, check_setting, check_statement
from laddstream.embedded.statements import (
    READING,
    Insert,
    first_word,
    has_second_statement,
    output_format,
    split_insert,
    uses_input,
)
from laddstream.embedded.wire import RESERVED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

OWN_LIMITS = {"max_execution_time": 3600.0}
"""Seconds a statement with full rights may take unless it asks for more."""

GUEST_LIMITS = {
    "max_execution_time": 60.0,
    "max_memory_usage": 2.0 * 2**30,
    "max_result_bytes": 1.0 * 2**30,
}
"""What a statement without rights gets at most: seconds and bytes."""

Headers = Union["Mapping[str, str]", "Message"]
"""Looked up by name, in whatever case where it comes from a request."""

SECRET_HEADER = "X-Laddstream-Secret"  # noqa: S105
DEFAULT_USER = "default"
_HEAD = 65_536
_QUERY_ID = re.compile(r"[\x21-\x7e]{1,200}")
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class Job:
    """One statement to run."""

    query_id: str
    statement: str
    word: str
    trusted: bool
    format: str
    database: str
    params: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    insert: Insert | None = None
    data: list[bytes] = field(default_factory=list)
    streams: bool = False

    @property
    def reads(self) -> bool:
        """Whether it only reads, and so has a result and may be cancelled at will."""
        return self.word in READING


def failure(code: int, text: str, name: str) -> EngineError:
    """An error of ours, in ClickHouse's words."""
    return EngineError(f"Code: {code}. DB::Exception: {text}. ({name})", code)


def authenticate(headers: Headers, params: Mapping[str, str], secret: str) -> bool:
    """Whether the request has full rights; without a password it may only read.

    Raises EngineError 516 for a wrong password or another user than `default`.
    """
    given = headers.get(SECRET_HEADER)
    if given is not None and _same(given, secret):
        return True
    user, password = _credentials(headers, params)
    if given is None and user in {"", DEFAULT_USER} and not password:
        return False
    if given is None and user in {"", DEFAULT_USER} and _same(password, secret):
        return True
    text = "Authentication failed: password is incorrect, or there is no user with such name"
    raise failure(516, f"{user or DEFAULT_USER}: {text}", "AUTHENTICATION_FAILED")


def parse(
    params: Mapping[str, str],
    headers: Headers,
    body: list[bytes],
    *,
    trusted: bool,
    may_write: bool,
) -> Job:
    """The job a request describes; raises EngineError for one that may not or cannot be done."""
    job = _statement(params, body)
    job.trusted = trusted
    job.query_id = _query_id(params.get("query_id") or headers.get("X-ClickHouse-Query-Id") or "")
    job.database = params.get("database") or headers.get("X-ClickHouse-Database") or ""
    default = params.get("default_format") or headers.get("X-ClickHouse-Format") or ""
    job.params = {k[6:]: v for k, v in params.items() if k.startswith("param_")}
    if not trusted:
        _guarded(job)
    _check(job, may_write=may_write)
    if job.insert:
        job.format = job.insert.format or default or "Values"
    else:
        job.format = output_format(job.statement) or default or "TabSeparated"
        job.streams = job.format.lower() in STREAMED and job.word in {"SELECT", "WITH", "FROM", "("}
    job.settings = _settings(params, job)
    return job


def _statement(params: Mapping[str, str], body: list[bytes]) -> Job:
    """ClickHouse's rule: the statement is the `query` parameter, a line end and the body."""
    query = params.get("query", "")
    in_url = bool(query.strip())
    word = first_word(query if in_url else _head(body, _HEAD))
    job = Job("", query, word, trusted=False, format="", database="")
    if word == "INSERT":
        job.insert = split_insert(query) if in_url else _insert_in(body)
    if job.insert is None:
        text = _text(b"".join(body))
        job.statement = f"{query}\n{text}" if in_url and text else query if in_url else text
        return job
    if in_url:
        inline = query[job.insert.data_at :].strip()
        job.data = [f"{inline}\n".encode(), *body] if inline else body
    else:
        head = job.insert.head.encode("latin-1")
        job.insert = Insert(_text(head), job.insert.format, job.insert.data_at)
        job.data = _after(body, job.insert.data_at)
    job.statement = job.insert.head
    return job


def _insert_in(body: list[bytes]) -> Insert | None:
    """The INSERT at the start of a body, with the head still as one character a byte."""
    for size in (_HEAD, 16 * _HEAD):
        found = split_insert(_head(body, size))
        if found and found.format:
            return found
    return None


def _after(body: list[bytes], at: int) -> list[bytes]:
    rest = list(body)
    while rest and at >= len(rest[0]):
        at -= len(rest.pop(0))
    return [rest[0][at:], *rest[1:]] if rest else []


def _head(body: list[bytes], size: int) -> str:
    start = body[0][:size] if body else b""
    for piece in body[1:]:
        if len(start) >= size:
            break
        start += piece[: size - len(start)]
    return start.decode("latin-1")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise failure(62, "the statement is not UTF-8", "SYNTAX_ERROR") from None


def _guarded(job: Job) -> None:
    try:
        check_statement(job.statement)
    except GuardError as error:
        name = "READONLY" if error.code == 164 else "SYNTAX_ERROR"
        raise failure(error.code, str(error), name) from None


def _check(job: Job, *, may_write: bool) -> None:
    if not job.statement.strip():
        raise failure(62, "Empty query", "SYNTAX_ERROR")
    if not may_write and not job.reads:
        text = "Cannot execute query in readonly mode: HTTP GET only reads, use POST"
        raise failure(164, text, "READONLY")
    if job.insert is None and has_second_statement(job.statement):
        raise failure(62, "Syntax error (Multi-statements are not allowed)", "SYNTAX_ERROR")
    if job.word == "INSERT" and job.insert is None and uses_input(job.statement):
        text = "input() is not supported by the embedded store, insert into a table with FORMAT"
        raise failure(48, text, "NOT_IMPLEMENTED")


def _settings(params: Mapping[str, str], job: Job) -> dict[str, str]:
    for name in ("compress", "decompress"):
        if params.get(name, "0") not in {"0", ""}:
            text = f"{name}=1 is not supported here, use Accept-Encoding and Content-Encoding"
            raise failure(48, text, "NOT_IMPLEMENTED")
    asked = {k: v for k, v in params.items() if k not in RESERVED and not k.startswith("param_")}
    for name in asked:
        if not _SETTING_NAME.fullmatch(name):
            raise failure(115, f"Unknown setting '{name}'", "UNKNOWN_SETTING")
    if job.trusted:
        ours = {name: f"{limit:.0f}" for name, limit in OWN_LIMITS.items()}
        readonly = {"readonly": asked.pop("readonly")} if "readonly" in asked else {}
        return {**PINNED, **ours, **asked, "log_comment": job.query_id, **readonly}
    for name in asked:
        try:
            check_setting(name)
        except GuardError as error:
            raise failure(error.code, str(error), "READONLY") from None
    limits = {name: _least(asked.get(name, ""), limit) for name, limit in GUEST_LIMITS.items()}
    return {**PINNED, **asked, **limits, "log_comment": job.query_id, "readonly": "1"}


def _least(asked: str, limit: float) -> str:
    """The stricter of what a guest asks for and the limit; 0 means no limit to ClickHouse."""
    try:
        value = float(asked)
    except ValueError:
        value = 0.0
    return f"{value:g}" if 0 < value < limit else f"{limit:.0f}"


def _query_id(given: str) -> str:
    if given and not _QUERY_ID.fullmatch(given):
        raise failure(36, "query_id must be up to 200 printable ASCII characters", "BAD_ARGUMENTS")
    return given or str(uuid.uuid4())


def _credentials(headers: Headers, params: Mapping[str, str]) -> tuple[str, str]:
    """User and password by header, HTTP basic authentication or URL, in that order."""
    if "X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers:
        return headers.get("X-ClickHouse-User", ""), headers.get("X-ClickHouse-Key", "")
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", "malformed"
        return user, password
    if scheme:
        return "", encoded or "malformed"
    return params.get("user", ""), params.get("password", "")


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())
