"""What a statement without the home's secret may do: read from the store, and nothing else.

The engine's own `readonly=1` comes on top and stops writes, DDL, table functions and changed
settings. It does not stop the scalar function `file()` (also by `APPLY file`, `arrayMap(file, …)`
and escaped quoted names), `INTO OUTFILE`, `merge()`, `mergeTreeIndex()`, chDB's `arrowstream()`
and `python()`, the `ai…` functions that call out, or `KILL QUERY`: those are stopped here.
"""

from __future__ import annotations

import re
from itertools import pairwise

from laddstream.embedded.statements import READING, Token, has_second_statement, tokens

MAX_STATEMENT = 262_144
"""Characters; ClickHouse's own `max_query_size`."""

HOW = (
    "and this connection may only read: log in as user `default` with the text of "
    "`run/secret` in the LADDSTREAM_HOME directory as password"
)

_FORBIDDEN_NAME = re.compile(
    r"file|stack_trace|reversednsquery"
    r"|ai(generate|classify|embed|extract|filter|redact|similarity|translate)"
)
"""Never, as whatever part of a statement: a function can be named without being called."""

_FORBIDDEN_CALL = re.compile(
    r"(azureblobstorage|cluster|deltalake|executable|file|gcs|hdfs|hudi|iceberg|mergetree|paimon"
    r"|remote|s3|url)\w*"
    r"|arrowstream|bigquery|cosn|eval|input|jdbc|loop|merge|mongodb|mysql|odbc|oss|postgresql"
    r"|python|redis|sqlite|ytsaurus"
)
"""Not with an argument list behind it: table functions that leave the store or show its inside."""

_HARMLESS_CALL = re.compile(r"filesystem(available|capacity|unreserved)|url(path)?(hash|hierarchy)")

_CHANGING = frozenset(
    {
        *("ALTER", "ATTACH", "BACKUP", "CHECK", "COPY", "CREATE", "DELETE", "DETACH", "DROP"),
        *("EXCHANGE", "EXECUTE", "GRANT", "INSERT", "KILL", "MOVE", "OPTIMIZE", "PARALLEL"),
        *("RENAME", "REPLACE", "RESTORE", "REVOKE", "SET", "SYSTEM", "TRUNCATE", "UNDROP"),
        *("UPDATE", "USE"),
    }
)

_SETTING = re.compile(
    r"(output_format|date_time|join|format_csv|format_tsv|bool)_\w+"
    r"|max_(threads|block_size|execution_time|memory_usage)"
    r"|max_(result|rows_to|bytes_to)_(rows|bytes|read)"
    r"|extremes|final|limit|offset|log_comment|max_query_size|readonly|transform_null_in"
    r"|session_timezone|use_client_time_zone|result_overflow_mode|timeout_overflow_mode"
    r"|prefer_column_name_to_alias|aggregate_functions_null_for_empty|add_http_cors_header"
    r"|cancel_http_readonly_queries_on_client_close|http_write_exception_in_output_format"
)
_UNSAFE_SETTING = re.compile(r"schema|template|path|file|dir")


class GuardError(Exception):
    """A refused statement; `code` is ClickHouse's error code."""

    def __init__(self, message: str, code: int = 164) -> None:
        """Keep the code; the message is one sentence."""
        super().__init__(message)
        self.code = code


def check_statement(text: str) -> None:
    """Let a reading statement pass, refuse everything else.

    Raises GuardError with ClickHouse's code: 62 for a second statement or text that cannot
    be read safely, 164 (READONLY) for all the rest.
    """
    if len(text) > MAX_STATEMENT:
        raise GuardError("the statement is longer than 256 KiB", 62)
    found = list(tokens(text))
    if not found:
        raise GuardError("Empty query", 62)
    word = found[0].text.upper()
    if word in _CHANGING:
        raise GuardError(f"{word} needs full rights here, {HOW}")
    if word not in READING:
        raise GuardError(f"Syntax error: failed at position 1 ({word[:40]}): not a query", 62)
    if has_second_statement(text):
        raise GuardError("Multi-statements are not allowed", 62)
    for token in found:
        _check_token(token)
    for token, following in pairwise(found):
        _check_call(token, following)


def check_setting(name: str) -> None:
    """Let a harmless setting of the request pass; raises GuardError (164) for all others."""
    if not _SETTING.fullmatch(name) or _UNSAFE_SETTING.search(name):
        raise GuardError(f"Setting {name[:60]} may not be changed without full rights here, {HOW}")


def _check_token(token: Token) -> None:
    if token.kind == "broken":
        raise GuardError(f"the quote or comment at position {token.start + 1} is not closed", 62)
    if token.kind == "symbol" and not token.text.isascii():
        raise GuardError(f"{token.text!r} outside quotes at position {token.start + 1}", 62)
    name = _name(token)
    if token.kind == "word" and name in {"into", "insert", "infile"}:
        raise GuardError(f"{name.upper()} needs full rights here, {HOW}")
    if name and _FORBIDDEN_NAME.fullmatch(name):
        raise GuardError(f"{name} is not for statements that only read, {HOW}")


def _check_call(token: Token, following: Token) -> None:
    name = _name(token)
    if not name or following.text != "(" or _HARMLESS_CALL.fullmatch(name):
        return
    if _FORBIDDEN_CALL.fullmatch(name):
        raise GuardError(f"{name}() is not for statements that only read, {HOW}")


def _name(token: Token) -> str:
    """The lower-case name a word or quoted identifier stands for, else an empty string."""
    if token.kind == "word":
        return token.text.lower()
    if token.kind != "quoted":
        return ""
    inner = token.text[1:-1]
    if "\\" in inner:
        raise GuardError(f"a backslash in a quoted name at position {token.start + 1}", 62)
    quote = token.text[0]
    return inner.replace(quote * 2, quote).lower()
