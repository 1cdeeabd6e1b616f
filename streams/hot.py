"""The hot path of decoding: plain meter samples of OCPP 2.x, taken together as columns.

    values ──> HotSample ──> columns ──> numbers, times, names, cards ──> HotChunk
       │           all that is not plain: other events,        │ odd ones
       │           rare fields, 1.6, rubbish                   │
       └───────────────────> streams.decode <──────────────────┘

A value that reads as `HotSample` has nothing that the columns could not hold: a field more, a
flag, another protocol, and it is no HotSample. What is odd in any way is read again by
`streams.decode`, which knows all the rules; here is only what nearly all values are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Annotated, Any, Literal, cast

import msgspec
import numpy as np
import pyarrow as pa

from schemas import wire
from schemas.card_fields import mask_id
from schemas.cards import mask_text
from schemas.topics import MAX_EVENT_BYTES
from schemas.units import MAX_WH
from schemas.wire import Index, Name, Number, Text
from streams.cards import suspicious
from streams.chunk import Chunk
from streams.core.columns import ABSENT, UNKNOWN, Bits, Ints, Samples, Small
from streams.core.resting import keys_of
from streams.decode import CONTROL, Decoded, decode_chunk
from streams.hot_rows import HotColumns, hot_table, integers, same, thousandths, utc_ms

_MOST_MILLI = 2**31 - 1
_MOST_SOC = 100_000_000
_REST = 30
"""Chunks that are not tried after one that was mostly not plain: 3 % of the effort is lost."""

_PATIENCE = 64
_UUID_LENGTH = 36
_IS_HYPHEN = np.isin(np.arange(_UUID_LENGTH), (8, 13, 18, 23))


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

    keys: list[str]
    """Tenant, station and transaction as `streams.core.resting.keys_of` has them."""
    protocols: Sequence[str]
    samples: Samples
    shapes: list[tuple[str, int, int]]
    offsets: Ints
    """As in the chunk."""
    table: pa.Table
    """Columns of `events` but for the session, the partition and the offset."""


class HotDecoder:
    """Decodes chunks of one worker. Where most values are not plain (a fleet of 1.6), trying
    costs more than it brings: the next `_REST` chunks are left to the general path.
    """

    def __init__(self) -> None:
        self._rest = 0

    def decode(self, chunk: Chunk) -> tuple[HotChunk | None, Decoded]:
        """Plain samples as columns, and all the rest as `decode_chunk` would have it."""
        if self._rest > 0:
            self._rest -= 1
            return None, decode_chunk(chunk)
        found = _read(chunk.values)
        hot = [type(event) is HotSample for event in found]
        plain = list(compress(found, hot))
        if 2 * len(plain) < len(found) and 2 * found.count(None) > len(found):
            self._rest = _REST
        if not plain:
            return None, decode_chunk(chunk, found)
        values = cast("Sequence[bytes]", chunk.values)  # what was read is not None
        columns, good = _checked(plain, list(compress(values, hot)))
        if not good.all():
            places = np.flatnonzero(hot)
            for place in places[~good].tolist():
                found[place], hot[place] = None, False
            if not good.any():
                return None, decode_chunk(chunk, found)
            columns, _ = _checked(list(compress(plain, good)), ())
        offsets = np.array(list(compress(chunk.offsets, hot)), np.int64)
        return _hot_chunk(columns, chunk, offsets), _general(chunk, found, hot)


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


def _general(chunk: Chunk, found: _Read, hot: list[bool]) -> Decoded:
    """All values that are not hot, by the general path."""
    others = [i for i, is_hot in enumerate(hot) if not is_hot]
    if not others:
        return Decoded()
    part = Chunk(
        chunk.tp,
        [chunk.offsets[i] for i in others],
        [chunk.values[i] for i in others],
        [chunk.keys[i] for i in others],
        chunk.next_offset,
    )
    return decode_chunk(part, [found[i] for i in others])


def _checked(plain: list[HotSample], values: Sequence[bytes]) -> tuple[HotColumns, Bits]:
    """The samples as columns, and which of them are as plain as they look."""
    (
        tenant, station, protocol, timestamp, evse, connector, transaction, received, seq,
        message, offline, gateway, context, register, power, current, soc,
    ) = zip(*map(msgspec.structs.astuple, plain), strict=True)  # fmt: skip
    good = np.ones(len(plain), np.bool_)
    ts, readable = utc_ms(timestamp)
    import_mwh, a = thousandths(register, MAX_WH * 1000)
    power_mw, b = thousandths(power, _MOST_MILLI)
    current_ma, c = thousandths(current, _MOST_MILLI)
    soc_milli, d = thousandths(soc, _MOST_SOC)
    for each in (readable, a, b, c, d):
        if each is not None:
            good &= each
    if sum(map(len, values)) > MAX_EVENT_BYTES:
        good &= np.array([len(value) <= MAX_EVENT_BYTES for value in values], np.bool_)
    for names in (tenant, station):
        if _any_control(names):
            _strike(good, names, set(names), _is_odd_name)
    ids, notes = set(transaction), {*context, *message, *gateway}
    notes.discard(None)
    doubtful = _no_uuids([*ids, *notes])
    if suspicious(doubtful):
        _strike(good, transaction, doubtful, _is_card_id)
        for texts in (context, message, gateway):
            _strike(good, texts, doubtful, _has_card)
    columns = HotColumns(
        tenant, station, protocol, transaction, context, received, message, gateway, offline,
        current, ts, integers(evse), integers(connector), integers(seq),
        import_mwh, power_mw, current_ma, soc_milli,
    )  # fmt: skip
    return columns, good


def _strike(
    good: Bits, texts: Sequence[str | None], doubtful: Iterable[str], odd: Callable[[str], bool]
) -> None:
    """Unset `good` where a text is odd; only the doubtful ones may be."""
    wrong = {text for text in set(texts).intersection(doubtful) if text is not None and odd(text)}
    if wrong:
        good &= np.array([text not in wrong for text in texts], np.bool_)


def _any_control(names: Sequence[str]) -> bool:
    """Whether any name holds one of the characters of `streams.decode.CONTROL`."""
    joined = names[0] if same(names) else "".join(names)
    signs = np.frombuffer(joined.encode(), np.uint8)
    return bool(((signs < 32) | (signs == 127)).any())


def _no_uuids(texts: list[str]) -> list[str]:
    """Those that are not UUIDs in their usual form, which may look like cards but are none."""
    long = [t for t in texts if len(t) == _UUID_LENGTH]
    if not long:
        return texts
    signs = np.frombuffer("".join(long).encode("ascii", "replace"), np.uint8)
    grid = signs.reshape(len(long), _UUID_LENGTH)
    is_hex = (grid - 48 < 10) | ((grid | 32) - 97 < 6)
    fits = (is_hex != _IS_HYPHEN) & ((grid == 45) == _IS_HYPHEN)
    rest = [t for t in texts if len(t) != _UUID_LENGTH] if len(long) < len(texts) else []
    if not fits.all():
        rest += compress(long, (~fits.all(axis=1)).tolist())
    return rest


def _is_odd_name(name: str) -> bool:
    return CONTROL.search(name) is not None


def _is_card_id(text: str) -> bool:
    return mask_id(text)[0] != text


def _has_card(text: str) -> bool:
    return mask_text(text)[0] != text


def _hot_chunk(c: HotColumns, chunk: Chunk, offsets: Ints) -> HotChunk:
    codes, shapes = _shapes(c)
    samples = Samples(c.ts, c.seq, c.import_mwh, _small(c.power_mw), _small(c.current_ma), codes)
    table = hot_table(c, chunk.tp.topic)
    keys = keys_of(c.tenant, c.station_id, c.transaction_id)
    return HotChunk(keys, c.protocol, samples, shapes, offsets, table)


def _small(values: Ints) -> Small:
    """The same with UNKNOWN for ABSENT."""
    return np.where(values == ABSENT, UNKNOWN, values).astype(np.int32)


class _Codes(dict[tuple[str, int, int], int]):
    """Numbers things in the order they are first asked for."""

    def __missing__(self, key: tuple[str, int, int]) -> int:
        self[key] = code = len(self)
        return code


def _shapes(c: HotColumns) -> tuple[Small, list[tuple[str, int, int]]]:
    """Codes of (context, connector, evse), and what they mean."""
    n = len(c.ts)
    if same(c.context) and np.ptp(c.connector) == 0 and np.ptp(c.evse) == 0:
        return np.zeros(n, np.int32), [(c.context[0], int(c.connector[0]), int(c.evse[0]))]
    codes = _Codes()
    each = map(
        codes.__getitem__, zip(c.context, c.connector.tolist(), c.evse.tolist(), strict=True)
    )
    return np.fromiter(each, np.int32, n), list(codes)
