"""Bytes to events: every value of a chunk becomes events or dead letters, nothing else.

msgspec does types and required fields; what it cannot say (zones of time stamps, exact
numbers, printable names) is checked here. Times of a chunk are parsed at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from typing import cast

import msgspec
import pyarrow as pa

from schemas.errors import Reason, Rejection
from schemas.topics import MAX_EVENT_BYTES
from schemas.wire import AnyEvent, WireEvent
from streams.cards import GUARDED, mask_ids
from streams.chunk import Chunk
from streams.core.events import CoreEvent

_DECODE = msgspec.json.Decoder(AnyEvent).decode
_DECODE_ARRAY = msgspec.json.Decoder(list[msgspec.Raw]).decode
_FIRST_MS, _LAST_MS = -2_208_988_800_000, 9_904_550_400_000
"""1900 to 2283: what a DateTime64(3) column holds."""

_FEW = 64
"""Time stamps that are read one at a time where one of them is unusual."""

_DETAIL_CHARS = 300
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""What no name of an operator or station may hold."""


@dataclass(slots=True)
class DeadValue:
    """A value (or one element of an array) that is no event; `index` is -1 for a whole value."""

    offset: int
    index: int
    raw: bytes
    key: bytes | None
    rejection: Rejection
    masked: int = 0
    """Card numbers that were starred in `raw` and `key`."""


@dataclass(slots=True)
class Decoded:
    """Parallel lists, one entry an event, and the dead values.

    `cores[i]` is None for events that belong to no session by nature (station status,
    authorization).
    """

    events: list[WireEvent] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    cores: list[CoreEvent | None] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    dead: list[DeadValue] = field(default_factory=list)


def decode_chunk(chunk: Chunk, given: Sequence[WireEvent | None] | None = None) -> Decoded:
    """Decode every value of a chunk; `given[i]`, where it is not None, is what was read of the
    i-th value already.
    """
    out = Decoded()
    events: list[WireEvent] = []
    offsets: list[int] = []
    indexes: list[int] = []
    append = events.append
    plain = 0
    for position, value in enumerate(chunk.values):
        event = given[position] if given else None
        try:
            if len(value) > MAX_EVENT_BYTES:  # type: ignore[arg-type]  # None is caught below
                raise ValueError  # noqa: TRY301  # one slow path for all that is unusual
            if not value.isascii():  # type: ignore[union-attr]  # None is caught below
                value.decode()  # type: ignore[union-attr]  # msgspec does not look at what it skips
            append(event or _DECODE(value))  # type: ignore[arg-type]  # None is caught below
        except (msgspec.DecodeError, ValueError, TypeError, RecursionError):
            offsets.extend(chunk.offsets[plain:position])
            indexes.extend([-1] * (position - plain))
            plain = position + 1
            _decode_unusual(out, chunk, position, events, offsets, indexes)
    offsets.extend(chunk.offsets[plain:])
    indexes.extend([-1] * (len(chunk.values) - plain))
    _accept(out, chunk, events, offsets, indexes)
    return out


def _decode_unusual(  # fills the caller's parallel lists
    out: Decoded,
    chunk: Chunk,
    position: int,
    events: list[WireEvent],
    offsets: list[int],
    indexes: list[int],
) -> None:
    offset, value, key = chunk.offsets[position], chunk.values[position], chunk.keys[position]
    if not value:
        out.dead.append(DeadValue(offset, -1, b"", key, Rejection(Reason.EMPTY, "no value")))
        return
    if len(value) > MAX_EVENT_BYTES:
        detail = f"{len(value)} bytes, at most {MAX_EVENT_BYTES} are read"
        out.dead.append(DeadValue(offset, -1, value, key, Rejection(Reason.TOO_LARGE, detail)))
        return
    if value.lstrip()[:1] != b"[":
        out.dead.append(DeadValue(offset, -1, value, key, _why(value)))
        return
    try:
        parts = _DECODE_ARRAY(value)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        rejection = Rejection(Reason.NOT_JSON, _text(error))
        out.dead.append(DeadValue(offset, -1, value, key, rejection))
        return
    if not parts:
        rejection = Rejection(Reason.NOT_AN_EVENT, "an array without events")
        out.dead.append(DeadValue(offset, -1, value, key, rejection))
    for index, part in enumerate(parts):
        raw = bytes(part)
        try:
            raw.decode()
            events.append(_DECODE(raw))
        except (msgspec.DecodeError, ValueError, RecursionError):
            out.dead.append(DeadValue(offset, index, raw, key, _why(raw)))
        else:
            offsets.append(offset)
            indexes.append(index)


def _why(raw: bytes) -> Rejection:
    """What is wrong with a value that did not decode."""
    try:
        raw.decode()
        _DECODE(raw)
    except msgspec.ValidationError as error:
        text = _text(error)
        path = text.rpartition("`$.")[2].rstrip("`") if "`$." in text else ""
        if path == "type" or "required field `type`" in text:
            return Rejection(Reason.UNKNOWN_TYPE, text, "type")
        if text.startswith("Expected `object`"):
            return Rejection(Reason.NOT_AN_EVENT, text)
        if not path and "required field `" in text:
            path = text.partition("required field `")[2].partition("`")[0]
        return Rejection(Reason.INVALID_FIELD, text, path)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Rejection(Reason.NOT_JSON, _text(error))
    return Rejection(Reason.INVALID_FIELD, "not readable")


def _text(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:_DETAIL_CHARS]


def _accept(
    out: Decoded,
    chunk: Chunk,
    events: list[WireEvent],
    offsets: list[int],
    indexes: list[int],
) -> None:
    """Check what msgspec cannot, convert to core events, keep the good ones."""
    times = parse_times([e.timestamp for e in events])
    wrong: dict[int, Rejection] = {
        i: time for i, time in enumerate(times) if isinstance(time, Rejection)
    }
    _odd_names(events, wrong)
    mask_ids(events)
    cores = _cores(events, times, wrong)
    if wrong:
        out.dead.extend(_dead(chunk, offsets[i], indexes[i], wrong[i]) for i in wrong)
        keep = [i not in wrong for i in range(len(events))]
        events, times = list(compress(events, keep)), list(compress(times, keep))
        cores = list(compress(cores, keep))
        offsets, indexes = list(compress(offsets, keep)), list(compress(indexes, keep))
    out.events, out.times, out.cores = events, cast("list[int]", times), cores
    out.offsets, out.indexes = offsets, indexes


def _odd_names(events: list[WireEvent], wrong: dict[int, Rejection]) -> None:
    """Names with control characters would break keys, logs and files."""
    odd = {n for n in {e.station_id for e in events} if CONTROL.search(n)}
    odd |= {n for n in {e.tenant for e in events} if CONTROL.search(n)}
    if not odd:
        return
    for i, event in enumerate(events):
        for name in ("tenant", "station_id"):
            if getattr(event, name) in odd:
                detail = "control characters in a name"
                wrong.setdefault(i, Rejection(Reason.INVALID_FIELD, detail, name))


def _cores(
    events: list[WireEvent], times: list[int | Rejection], wrong: dict[int, Rejection]
) -> list[CoreEvent | None]:
    """Core events; None too where the event is wrong. All at once while none raises."""
    clock = [0 if i in wrong else t for i, t in enumerate(times)] if wrong else times
    ticks = cast("list[int]", clock)
    try:
        return [GUARDED[type(e)](e, t) for e, t in zip(events, ticks, strict=True)]
    except ValueError:
        pass
    cores: list[CoreEvent | None] = []
    for i, event in enumerate(events):
        core = None
        try:
            core = GUARDED[type(event)](event, ticks[i])
        except ValueError as error:
            name, _, detail = str(error).partition(": ")
            found = Rejection(Reason.INVALID_FIELD, detail[:_DETAIL_CHARS], name)
            wrong.setdefault(i, found)
        cores.append(core)
    return cores


def _dead(chunk: Chunk, offset: int, index: int, rejection: Rejection) -> DeadValue:
    position = chunk.offsets.index(offset)
    raw, key = chunk.values[position] or b"", chunk.keys[position]
    if index >= 0:
        raw = bytes(_DECODE_ARRAY(raw)[index])
    return DeadValue(offset, index, raw, key, rejection)


def parse_times(texts: Sequence[str]) -> list[int | Rejection]:
    """Epoch milliseconds of time stamps, as `parse_time` reads each; many are read together."""
    found = instants(texts) if texts else None
    if found is not None:
        return cast("list[int | Rejection]", found.to_numpy().tolist())
    if len(texts) <= _FEW:
        return [parse_time(text) for text in texts]
    half = len(texts) // 2  # what one at a time must be read is in few of the halves
    return [*parse_times(texts[:half]), *parse_times(texts[half:])]


def instants(texts: Sequence[str | None] | pa.Array) -> pa.Array | None:
    """Epoch ms of at least one time stamp, null for None, all as `parse_time` reads them; None
    where one of them is unusual or no time at all.
    """
    written = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    for unit, per_ms in (("ms", 1), ("us", 1000)):
        try:
            found = written.cast(pa.timestamp(unit, "UTC")).cast(pa.int64())
        except pa.ArrowInvalid:
            continue  # perhaps more digits than the unit has
        values = (found.fill_null(0) if found.null_count else found).to_numpy()
        if per_ms > 1:
            values = values // per_ms
            found = pa.array(values, mask=written.is_null().to_numpy(zero_copy_only=False))
        return found if values.min() >= _FIRST_MS and values.max() < _LAST_MS else None
    return None


def parse_time(text: str) -> int | Rejection:
    """One time stamp of any ISO 8601 form with a zone; sub-millisecond digits are cut."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        detail = f"{text[:40]!r} is not an ISO 8601 time"
        return Rejection(Reason.INVALID_FIELD, detail, "timestamp")
    if moment.tzinfo is None:
        detail = f"{text[:40]!r} has no zone: nobody can know which instant is meant"
        return Rejection(Reason.NAIVE_TIMESTAMP, detail, "timestamp")
    seconds = int(moment.replace(microsecond=0).timestamp())
    value = seconds * 1000 + moment.microsecond // 1000
    if not _FIRST_MS <= value < _LAST_MS:
        detail = f"{text[:40]!r} is outside 1900 to 2283"
        return Rejection(Reason.INVALID_FIELD, detail, "timestamp")
    return value
