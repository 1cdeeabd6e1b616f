"""ClickHouse's HTTP interface as data: status codes, reserved parameters, compression.

Source: the ClickHouse documentation "HTTP Interface" and the behaviour of server 26.x.
"""

from __future__ import annotations

import io
import json
import re
import zlib
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Protocol, cast

import lz4.frame
import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from laddstream.embedded.engine import Progress

PIECE = 1 << 20
"""Bytes read or decompressed at a time."""

RESERVED = frozenset(
    {
        *("query", "query_id", "database", "default_format", "user", "password", "quota_key"),
        *("role", "session_id", "session_timeout", "session_check", "close_session", "compress"),
        *("decompress", "buffer_size", "wait_end_of_query", "stacktrace"),
        *("client_protocol_version", "enable_http_compression", "http_zlib_compression_level"),
        *("send_progress_in_http_headers", "http_headers_progress_interval_ms"),
    }
)
"""URL parameters that are no settings of the engine."""

_STATUS = {
    400: (
        *(6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321),
        *(376, 427, 441, 675, 676),
    ),
    401: (194,),
    403: (192, 193, 497, 512, 516),
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
    408: (159,),
    411: (381,),
    413: (229,),
    415: (779,),
    501: (48,),
    503: (76, 209, 439),
}
_STATUS_OF = {code: status for status, codes in _STATUS.items() for code in codes}

_CONTENT_TYPES = (
    (re.compile(r"jsoneachrow|jsoncompacteachrow.*|jsonstringseachrow|ndjson|jsonlines"),
     "application/x-ndjson; charset=UTF-8"),
    (re.compile(r"json.*|prettyjson.*"), "application/json; charset=UTF-8"),
    (re.compile(r"csv.*"), "text/csv; charset=UTF-8"),
    (re.compile(r"(tabseparated|tsv).*"), "text/tab-separated-values; charset=UTF-8"),
    (re.compile(r"xml"), "application/xml; charset=UTF-8"),
    (re.compile(r"markdown"), "text/markdown; charset=UTF-8"),
    (re.compile(r"native|rowbinary.*|arrow.*|parquet|orc|avro|msgpack|protobuf.*|npy|bson.*"),
     "application/octet-stream"),
)  # fmt: skip


class TooLargeError(Exception):
    """A body above its limit, before or after decompression."""


class Source(Protocol):
    """What a body is read from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes, fewer only at the end."""

    def readline(self, size: int = -1, /) -> bytes:
        """At most so many bytes, up to a line end."""


class Encoder(Protocol):
    """Compresses a response piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """What can be sent now."""

    def flush(self) -> bytes:
        """What remains at the end."""


class Plain:
    """No compression."""

    def compress(self, data: bytes, /) -> bytes:
        """The data themselves."""
        return data

    def flush(self) -> bytes:
        """Nothing remains."""
        return b""


class _Lz4:
    """An lz4 frame with its header in front of the first piece."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._head: bytes = self._frame.begin()

    def compress(self, data: bytes, /) -> bytes:
        head, self._head = self._head, b""
        return cast("bytes", head + self._frame.compress(data))

    def flush(self) -> bytes:
        return cast("bytes", self._head + self._frame.flush())


def status_of(code: int) -> int:
    """The HTTP status ClickHouse answers with for an error code."""
    return _STATUS_OF.get(code, 500)


def content_type(fmt: str) -> str:
    """The media type of an output format."""
    found = (kind for form, kind in _CONTENT_TYPES if form.fullmatch(fmt.lower()))
    return next(found, "text/plain; charset=UTF-8")


def summary(progress: Progress) -> str:
    """The value of `X-ClickHouse-Summary`: numbers as text, as ClickHouse writes them."""
    return json.dumps(
        {
            "read_rows": str(progress.read_rows),
            "read_bytes": str(progress.read_bytes),
            "written_rows": str(progress.written_rows),
            "written_bytes": str(progress.written_bytes),
            "total_rows_to_read": str(progress.read_rows),
            "result_rows": str(progress.result_rows or progress.written_rows),
            "result_bytes": str(progress.result_bytes or progress.written_bytes),
            "elapsed_ns": str(round(progress.elapsed_s * 1_000_000_000)),
        },
        separators=(",", ":"),
    )


def accepted_encoding(header: str) -> str:
    """The cheapest compression the client accepts: lz4, zstd, gzip, deflate or none ("")."""
    accepted = {
        part.partition(";")[0].strip().lower()
        for part in header.split(",")
        if not re.search(r";\s*q=0(\.0*)?\s*$", part)
    }
    return next((name for name in ("lz4", "zstd", "gzip", "deflate") if name in accepted), "")


def encoder(encoding: str) -> Encoder:
    """A fresh compressor for one response."""
    if encoding == "lz4":
        return _Lz4()
    if encoding == "zstd":
        return cast("Encoder", zstandard.ZstdCompressor(level=1).compressobj())
    if encoding in {"gzip", "deflate"}:
        return cast("Encoder", zlib.compressobj(1, wbits=31 if encoding == "gzip" else 15))
    return Plain()


def decoded(pieces: list[bytes], encoding: str, limit: int) -> list[bytes]:
    """The body without its `Content-Encoding`.

    Raises TooLargeError above `limit` bytes, ValueError for an encoding that is not known and
    for bytes that are not in it.
    """
    if encoding in {"", "identity"}:
        return pieces
    source = io.BytesIO(b"".join(pieces))
    try:
        return list(_limited(_decompressed(source, encoding), limit))
    except (zlib.error, zstandard.ZstdError, RuntimeError, EOFError, OSError) as error:
        message = f"the body is not valid {encoding}: {error}"
        raise ValueError(message) from None


def read_body(stream: Source, length: int | None, limit: int) -> list[bytes]:
    """The whole body in pieces; `length` is None for a chunked one.

    Raises TooLargeError above `limit` bytes and EOFError where the client stops half-way, so
    that a torn insert never reaches the engine.
    """
    source = _chunks(stream) if length is None else _sized(stream, length)
    if (length or 0) > limit:
        raise TooLargeError
    return list(_limited(source, limit))


def form_fields(body: bytes, kind: str) -> dict[str, str]:
    """The fields of a multipart form (`query`, `param_…`).

    Raises ValueError for files, which would be external tables.
    """
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    fields = {}
    for part in message_from_bytes(head + body, policy=policy.HTTP).iter_parts():
        if part.get_filename():
            message = "external tables are not supported by the embedded store"
            raise ValueError(message)
        name = part.get_param("name", header="content-disposition")
        fields[str(name)] = (part.get_payload(decode=True) or b"").decode()  # type: ignore[union-attr]
    return fields


def _limited(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > limit:
            raise TooLargeError
        yield piece


def _sized(stream: Source, length: int) -> Iterator[bytes]:
    while length:
        piece = stream.read(min(length, PIECE))
        if not piece:
            raise EOFError
        length -= len(piece)
        yield piece


def _chunks(stream: Source) -> Iterator[bytes]:
    while True:
        try:
            size = int(stream.readline(64).partition(b";")[0], 16)
        except ValueError:
            raise EOFError from None
        if size < 0:
            raise EOFError
        yield from _sized(stream, size)
        if not size:
            while stream.readline(8192).strip():
                pass
            return
        if stream.readline(8) not in {b"\r\n", b"\n"}:
            raise EOFError


def _decompressed(source: io.BytesIO, encoding: str) -> Iterator[bytes]:
    if encoding == "zstd":
        reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
    elif encoding == "lz4":
        reader = lz4.frame.open(source)
    elif encoding in {"gzip", "deflate"}:
        yield from _inflated(source.read(), 31 if encoding == "gzip" else 15)
        return
    else:
        message = f"Content-Encoding {encoding} is not known; use gzip, deflate, zstd or lz4"
        raise ValueError(message)
    while piece := reader.read(PIECE):
        yield piece


def _inflated(data: bytes, wbits: int) -> Iterator[bytes]:
    while data:
        machine = zlib.decompressobj(wbits)
        while not machine.eof:
            piece = machine.decompress(data, PIECE)
            data = machine.unconsumed_tail
            if not piece and not data and not machine.eof:
                raise EOFError
            yield piece
        data = machine.unused_data
