"""Reads JSON as people write it: with comments, trailing commas and a byte order mark.

Strict JSON first; only what that refuses is read again without its comments and trailing commas,
and each liberty is a finding. Numbers with a point are `Decimal`, with the zeros they were
written with: money is never a float.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from schemas.errors import UserError
from streams.core.ocpi.findings import Finding

_PIECES = re.compile(
    r'"(?:[^"\\]|\\.)*"'  # a string: whatever is in it stays
    r"|(?P<comment>//[^\n]*|\#[^\n]*|/\*.*?\*/)"
    r"|(?P<comma>,(?=(?:\s|//[^\n]*|\#[^\n]*|/\*.*?\*/)*[}\]]))",
    re.DOTALL,
)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_MOST_LEVELS = 64
_MAX_BYTES = 16 * 1024 * 1024


def load_json(path: Path) -> tuple[Any, tuple[Finding, ...]]:
    """The document in a file and what was forgiven. UserError: no JSON, with line and column."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path}: larger than 16 MiB; one tariff or CDR a file is enough.")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give the path of a JSON file.") from error
    return parse_json(content, str(path))


def parse_json(content: bytes, name: str) -> tuple[Any, tuple[Finding, ...]]:
    """The document in some bytes; `name` is what errors call it."""
    findings: list[Finding] = []
    if content.startswith(b"\xef\xbb\xbf"):
        findings.append(
            Finding("byte_order_mark", "", "The file begins with a byte order mark, not with JSON.")
        )
    try:
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    if not text.strip("\ufeff \t\r\n"):
        raise UserError(f"{name}: an empty file; give one with a tariff, a CDR or a session.")
    try:
        return _strict(text, findings), tuple(findings)
    except json.JSONDecodeError as refused:
        lenient: list[Finding] = []
        plain = _PIECES.sub(lambda piece: _blank(piece, text, lenient), text)
        if not lenient:
            raise _no_json(name, refused) from refused
    try:
        return _strict(plain, findings), (*findings, *lenient)
    except json.JSONDecodeError as refused:
        raise _no_json(name, refused) from refused


def dump_json(document: Any) -> str:  # noqa: ANN401 - any JSON there is
    """JSON, indented by two, numbers as they were read."""
    return msgspec.json.format(_ENCODER.encode(document), indent=2).decode() + "\n"


def _strict(text: str, findings: list[Finding]) -> Any:  # noqa: ANN401 - any JSON there is
    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(members)
        if len(found) < len(members):
            count = Counter(name for name, _ in members)
            twice.update(name for name in found if count[name] > 1)
        return found

    twice: set[str] = set()
    try:
        document = json.loads(
            text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=pairs
        )
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", text, 0) from error
    except json.JSONDecodeError:
        raise
    except (ValueError, ArithmeticError) as error:  # an integer of thousands of digits
        raise json.JSONDecodeError("a number without end", text, 0) from error
    _check(document, text)
    findings += [
        Finding("duplicate_key", "", f'The field "{name}" stands twice; the last one counts.')
        for name in sorted(twice)
    ]
    return document


def _check(document: Any, text: str) -> None:  # noqa: ANN401 - any JSON there is
    """Refuse what later steps could not walk through or write out again."""
    level = [document]
    for _ in range(_MOST_LEVELS):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    if level:
        raise json.JSONDecodeError("nested too deeply", text, 0)
    if "\\ud" in text.lower():
        try:
            json.dumps(document, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError as error:
            raise json.JSONDecodeError("half a character", text, 0) from error


def _no_number(word: str) -> NoReturn:
    raise json.JSONDecodeError(f"{word} is no number", word, 0)


def _no_json(name: str, refused: json.JSONDecodeError) -> UserError:
    return UserError(
        f"{name}: no JSON, line {refused.lineno} column {refused.colno}: {refused.msg}; mend it."
    )


def _blank(piece: re.Match[str], text: str, findings: list[Finding]) -> str:
    """What stands in place of a piece: strings stay; lines and columns stay true."""
    if piece["comment"] is None and piece["comma"] is None:
        return piece[0]
    line = text.count("\n", 0, piece.start()) + 1
    findings.append(
        Finding("json_comment", "", f"Line {line} has a comment; JSON knows none.")
        if piece["comma"] is None
        else Finding("json_trailing_comma", "", f"Line {line} has a comma too many.")
    )
    return re.sub(r"[^\n]", " ", piece[0])
