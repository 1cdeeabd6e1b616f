"""Files of events that exist already: one Kafka value a line, published untouched but for
card numbers, which are starred.

Nothing is judged here. What a line holds is for the worker to accept or to set aside, so
that a damaged line ends as a dead letter with its reason, and not in a message on a screen.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.card_fields import mask_value
from schemas.errors import UserError
from schemas.topics import event_key

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number from 1, its bytes without the line's end, and its Kafka key."""

    number: int
    value: bytes
    key: bytes


class _Owner(msgspec.Struct, gc=False):
    tenant: str
    station_id: str


_OWNER = msgspec.json.Decoder(_Owner | list[_Owner])


def open_lines(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """The file as a stream of bytes, unpacked where it is gzip. Raises UserError."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
        return gzip.open(path, "rb") if packed else path.open("rb")
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error


def raw_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file as they are. Raises UserError where it cannot be read on; the
    lines before that place have been given by then.
    """
    try:
        with open_lines(path) as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"Cannot read {path} to its end: {error}.") from error


def read_event_file(path: Path) -> Iterator[Line]:
    """Every line that is not blank, of a plain file or gzip. Raises UserError as `raw_lines`."""
    for number, line in enumerate(raw_lines(path), 1):
        value = line.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1:
            value = value.removeprefix(_BOM)
        if value.strip():
            value, _ = mask_value(value)
            yield Line(number, value, key_of_value(value))


def key_of_value(value: bytes) -> bytes:
    """The Kafka key of a value: its station's, or empty where it cannot be read."""
    try:
        owner = _OWNER.decode(value)
        first = owner[:1] if isinstance(owner, list) else [owner]
        return b"".join(event_key(each.tenant, each.station_id) for each in first)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return b""
