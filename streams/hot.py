"""The hot path of decoding: plain events of OCPP 2.x, taken together as columns.

    values ──> like one before? ──> columns of bytes ──────────────┐──> HotHeads: starts, ends …
                     │ no       streams/patterns                   ├──> HotChunk: samples
                HotSample ──> columns ──> numbers, times, cards ───┘
                     │ all that is not plain: other events,  │ odd ones
                     │ rare fields, 1.6, rubbish             │
                     └──────────> streams.decode <───────────┘

A value that reads as `HotSample` has nothing that the columns could not hold: a field more, a
flag, another protocol, and it is no HotSample. Values that differ from such a one in their numbers
and names only are not even read. What is odd in any way is read again by `streams.decode`, which
knows all the rules; here is only what nearly all values are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Annotated, Any, Literal, NamedTuple, cast

import msgspec
import numpy as np
import pyarrow as pa

from schemas import wire
from schemas.topics import MAX_EVENT_BYTES
from schemas.wire import Index, Name, Number, Text
from streams.cards import suspicious
from streams.chunk import Chunk, Later
from streams.core.columns import ABSENT, UNKNOWN, Bits, Ints, Samples, Small
from streams.core.keys import keys_of
from streams.core.packed import Packed
from streams.decode import Decoded, decode_chunk
from streams.hot_checks import any_control, has_card, is_card_id, is_odd_name, no_uuids, strike
from streams.hot_columns import (
    MOST_MILLI,
    MOST_MWH,
    MOST_SOC,
    HotColumns,
    joined,
    shapes_of,
)
from streams.hot_heads import HEADS, HotHeads, head_of
from streams.hot_known import Patterns
from streams.hot_rows import (
    attributes,
    hot_table,
    integers,
    received,
    text,
    thousandths,
    utc_ms,
)

_REST = 30
"""Chunks that are not tried after one that was mostly not plain: 3 % of the effort is lost."""

_PATIENCE = 64
LEAST = 128
"""Fewer values that look alike are read faster one by one."""


class HotSample(
    msgspec.Struct,
    gc=False,
    kw_only=True,
    tag_field="type",
    tag="meter_sampled",
    forbid_unknown_fields=True,
):
    """`schemas.wire.MeterSampled` of a 2.x transaction, without the rare fields.

    Every key and text of such a value was read, so all of it is proven UTF-8.
    """

    tenant: Name
    station_id: Name
    protocol: Literal["ocpp2.0.1", "ocpp2.1"]
    timestamp: str
    evse_id: Index | None = None
    connector_id: Index | None = None
    transaction_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    received_at: str | None = None
    seq_no: Index | None = None
    message_id: Text | None = None
    offline: bool = False
    gateway: Text | None = None
    context: Text = "Sample.Periodic"
    import_wh: Number | None = None
    power_w: Number | None = None
    current_a: Number | None = None
    soc_percent: Number | None = None


_Event = (
    HotSample
    | wire.SessionStarted
    | wire.ChargingStateChanged
    | wire.SessionEnded
    | wire.SessionExpired
    | wire.StationStatus
    | wire.Authorization
)
_DECODE = msgspec.json.Decoder(_Event).decode
_Read = list[Any]
"""What was read of each value: a HotSample, another wire event, or None: not read."""


@dataclass(slots=True)
class HotChunk:
    """n plain samples of one chunk in the order of their offsets, n > 0; all fields parallel.

    `samples.shape` are codes of `shapes`, (context, connector, evse) with -1 for unknown.
    """

    keys: Packed
    protocols: Sequence[str]
    samples: Samples
    shapes: list[tuple[str, int, int]]
    offsets: Ints
    """As in the chunk."""
    table: pa.Table
    """Columns of `events` but for the session, the partition and the offset."""


class Taken(NamedTuple):
    """All events and dead letters of a chunk."""

    samples: HotChunk | None
    heads: list[HotHeads]
    rest: Decoded
    compared: int = 0
    """How many values matched a pattern."""


class HotDecoder:
    """Decodes chunks of one worker. Where most values are not plain (a fleet of 1.6), trying
    costs more than it brings: the next `_REST` chunks are left to the general path.
    """

    def __init__(self, least: int = LEAST) -> None:
        """`least` values must look alike, that patterns are tried."""
        self._rest = 0
        self._patterns = Patterns(least)

    def decode(self, chunk: Chunk) -> Taken:
        """Plain events as columns, and all the rest as `decode_chunk` would have it."""
        if self._rest > 0:
            self._rest -= 1
            return Taken(None, [], decode_chunk(chunk))
        known = self._patterns.match(chunk)
        parts, left = known.samples, known.left
        matched = len(left) < len(chunk)
        values = [chunk.values[i] for i in left] if matched else chunk.values
        found = _read(values)
        hot = [type(event) is HotSample for event in found]
        if not matched and 2 * sum(hot) < len(found) and 2 * found.count(None) > len(found):
            self._rest = _REST
        if (columns := self._columns(values, found, hot, left)) is not None:
            parts.append(columns)
        self._learn_heads(values, found)
        samples = _hot_chunk(joined(parts), chunk) if parts else None
        rest = _general(chunk, left, found, hot)
        return Taken(samples, known.heads, rest, len(chunk) - len(left))

    def _columns(
        self, values: Sequence[bytes | None], found: _Read, hot: list[bool], left: Sequence[int]
    ) -> HotColumns | None:
        """Of what reads as a plain sample and is one; what only looks like one is no longer hot."""
        plain: list[HotSample] = list(compress(found, hot))
        if not plain:
            return None
        places = np.flatnonzero(hot)
        raw = cast("list[bytes]", list(compress(values, hot)))  # what was read is not None
        columns, good = _checked(plain, raw)
        if not good.all():
            for place in places[~good].tolist():
                found[place], hot[place] = None, False
            if not good.any():
                return None
            plain, raw = list(compress(plain, good)), list(compress(raw, good))
            columns, _ = _checked(plain, ())
            places = places[good]
        if self._patterns.wants(len(raw)):
            self._patterns.learn(raw[0], msgspec.structs.asdict(plain[0]))
        columns.places = np.asarray(left, np.int64)[places]
        return columns

    def _learn_heads(self, values: Sequence[bytes | None], found: _Read) -> None:
        """One value of each kind of starts, changes of state and ends."""
        counts = Counter(map(type, found))
        for kind in HEADS:
            if not self._patterns.wants(counts[kind]):
                continue
            place = next(i for i, event in enumerate(found) if type(event) is kind)
            value, event = cast("bytes", values[place]), found[place]
            if (head := head_of(value, event)) is not None:
                self._patterns.learn(value, msgspec.structs.asdict(event), head)


def _read(values: Sequence[bytes | None]) -> _Read:
    """Every value as what it is, as long as enough of them are plain."""
    out: _Read = []
    decoded = map(_DECODE, cast("Sequence[bytes]", values))
    failed = 0
    while True:
        try:
            out.extend(decoded)  # keeps what it got before a value that raises, and goes on after
        except (msgspec.DecodeError, ValueError, TypeError, RecursionError):
            out.append(None)
            failed += 1
            if 2 * failed > len(out) + _PATIENCE:
                out.extend([None] * (len(values) - len(out)))
                return out
        else:
            return out


def _general(chunk: Chunk, left: Sequence[int], found: _Read, hot: list[bool]) -> Decoded:
    """All values that are not hot, by the general path; `found` and `hot` are of those left."""
    others = [i for i, is_hot in zip(left, hot, strict=True) if not is_hot]
    if not others:
        return Decoded()
    if len(others) == len(chunk):
        return decode_chunk(chunk, found)
    part = Chunk(
        chunk.tp,
        [chunk.offsets[i] for i in others],
        [chunk.values[i] for i in others],
        Later(len(others), lambda: [chunk.keys[i] for i in others]),
        chunk.next_offset,
    )
    return decode_chunk(
        part, [event for event, is_hot in zip(found, hot, strict=True) if not is_hot]
    )


def _checked(plain: list[HotSample], values: Sequence[bytes]) -> tuple[HotColumns, Bits]:
    """The samples as columns, and which of them are as plain as they look."""
    (
        tenant, station, protocol, timestamp, evse, connector, transaction, received_at, seq,
        message, offline, gateway, context, register, power, current, soc,
    ) = zip(*map(msgspec.structs.astuple, plain), strict=True)  # fmt: skip
    good = np.ones(len(plain), np.bool_)
    ts, readable = utc_ms(timestamp)
    import_mwh, a = thousandths(register, MOST_MWH)
    power_mw, b = thousandths(power, MOST_MILLI)
    current_ma, c = thousandths(current, MOST_MILLI)
    soc_milli, d = thousandths(soc, MOST_SOC)
    for each in (readable, a, b, c, d):
        if each is not None:
            good &= each
    if max(map(len, values), default=0) > MAX_EVENT_BYTES:
        good &= np.array([len(value) <= MAX_EVENT_BYTES for value in values], np.bool_)
    for names in (tenant, station):
        if any_control(names):
            strike(good, names, set(names), is_odd_name)
    ids, notes = set(transaction), {*context, *message, *gateway}
    notes.discard(None)
    doubtful = no_uuids([*ids, *notes])
    if suspicious(doubtful):
        strike(good, transaction, doubtful, is_card_id)
        for texts in (context, message, gateway):
            strike(good, texts, doubtful, has_card)
    columns = HotColumns(
        np.arange(len(plain)),
        Packed.of(keys_of(tenant, station, transaction)),
        protocol,
        context,
        {
            "tenant": text(tenant),
            "station_id": text(station),
            "protocol": text(protocol),
            "transaction_id": text(transaction),
            "context": text(context),
            "message_id": text(message),
            "gateway": text(gateway),
            "attributes": attributes(current),
        },
        received(received_at),
        pa.array(np.fromiter(offline, np.uint8, len(plain))),
        ts, integers(evse), integers(connector), integers(seq),
        import_mwh, power_mw, current_ma, soc_milli,
    )  # fmt: skip
    return columns, good


def _hot_chunk(c: HotColumns, chunk: Chunk) -> HotChunk:
    codes, shapes = shapes_of(c)
    samples = Samples(c.ts, c.seq, c.import_mwh, _small(c.power_mw), _small(c.current_ma), codes)
    offsets = chunk.offset_array()[c.places]
    return HotChunk(c.keys, c.protocols, samples, shapes, offsets, hot_table(c, chunk.tp.topic))


def _small(values: Ints) -> Small:
    """The same with UNKNOWN for ABSENT."""
    return np.where(values == ABSENT, UNKNOWN, values).astype(np.int32)
