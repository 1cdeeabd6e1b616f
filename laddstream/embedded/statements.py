"""Just enough of ClickHouse's lexical grammar to route a statement and to split an INSERT.

The engine does the parsing; here we only need to know which kind of statement it is, which
output format it names, and where the data of an INSERT begin. Tokens follow ClickHouse's
lexer: `''` and backslash escapes, heredocs (`$tag$…$tag$`), `--`, `#!`, `# ` and `/* */`
comments that do not nest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

READING = frozenset(
    {"SELECT", "WITH", "FROM", "(", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN"}
)
"""First words of statements that only read; a parenthesis opens a SELECT."""

_TOKEN = re.compile(
    r"""
      (?P<space>   [ \t\n\r\f\v]++ | --[^\n]*+ | \#(?=[ !])[^\n]*+ | /\*.*?\*/ )
    | (?P<string>  '(?:[^'\\]++|\\.|'')*+' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<quoted>  `(?:[^`\\]++|\\.|``)*+` | "(?:[^"\\]++|\\.|"")*+" )
    | (?P<word>    [A-Za-z_][A-Za-z0-9_$]*+ )
    | (?P<number>  [0-9][A-Za-z0-9_.]*+ )
    | (?P<broken>  ['"`] | /\* )
    | (?P<symbol>  . )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_TAIL_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_LONG = 65_536
"""Longer statements (long IN lists of our own) are not cut into tokens to find the format."""


class Token(NamedTuple):
    """One token: its kind (string, quoted, word, number, broken, symbol), text and place."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT that carries data: `head` up to the format, and where the data begin."""

    head: str
    format: str
    data_at: int


def tokens(text: str) -> Iterator[Token]:
    """Every token but space and comments, lazily."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "symbol"
        if kind == "tag":
            kind = "string"
        if kind != "space":
            yield Token(kind, match.group(), match.start(), match.end())


def first_word(text: str) -> str:
    """The first token in upper case: SELECT, INSERT, `(` …, or an empty string."""
    return next((token.text.upper() for token in tokens(text)), "")


def output_format(text: str) -> str | None:
    """The format a reading statement names itself (`… FORMAT JSON`), if it does."""
    if len(text) > _LONG:
        match = _TAIL_FORMAT.search(text[-200:])
        return match.group(1) if match else None
    last = [token for token in tokens(text) if token.text != ";"][-2:]
    if len(last) == 2 and last[0].text.upper() == "FORMAT" and last[1].kind == "word":
        return last[1].text
    return None


def has_second_statement(text: str) -> bool:
    """Whether something follows a semicolon; ClickHouse's HTTP interface refuses that."""
    if ";" not in text.rstrip("; \t\r\n"):
        return False
    ended = False
    for token in tokens(text):
        if ended and token.text != ";":
            return True
        ended = ended or token.text == ";"
    return False


def uses_input(text: str) -> bool:
    """Whether an INSERT … SELECT reads the request's data through `input(…)`."""
    before = ""
    for token in tokens(text):
        if token.text == "(" and before == "INPUT":
            return True
        before = token.text.upper()
    return False


def split_insert(text: str) -> Insert | None:
    """Where head, format and data of an INSERT are; None where it carries no data itself.

    `format` is empty where the statement names none (then the request's default counts).
    """
    depth = 0
    stream = tokens(text)
    for token in stream:
        word = token.text.upper()
        if word in "()":
            depth += 1 if word == "(" else -1
        elif word in {"SELECT", "WITH", "INFILE"} and depth <= 1 and token.kind == "word":
            return None
        elif depth == 0 and word == "VALUES" and token.kind == "word":
            return Insert(text[: token.start], "Values", token.end)
        elif depth == 0 and word == "FORMAT" and token.kind == "word":
            name = next(stream, None)
            if name is None or name.kind != "word":
                return None
            return Insert(text[: token.start], name.text, _data_start(text, name.end))
    return Insert(text.rstrip().removesuffix(";"), "", len(text))


def _data_start(text: str, at: int) -> int:
    """ClickHouse's rule: blanks and at most one line end stand between format and data."""
    match = re.compile(r"[ \t\f]*(?:\r?\n)?").match(text, at)
    return match.end() if match else at
