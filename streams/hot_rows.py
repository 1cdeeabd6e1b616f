"""Rows of the table `events` from plain events, a column at a time.

What `streams.event_rows` builds value by value, for events that have no rare fields: same
names, types and values. A column that is the same all along costs nothing here.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
import numpy as np
import pyarrow as pa

from schemas.units import wh_to_mwh
from schemas.wire import Number
from streams import many_arrow
from streams.arrow import TIME, WH
from streams.core.columns import ABSENT, Bits, Ints, Small
from streams.decode import instants, parse_times
from streams.event_rows import SOC
from streams.hot_columns import HotColumns, same
from streams.pool import Origin

_FINE = 10**15
"""Below so many thousandths doubles lie closer than half a thousandth: whatever is read as the
double of a whole thousandth rounds to that one.
"""

_ENCODE = msgspec.json.Encoder().encode
_SCHEMA = pa.schema({
    "tenant": pa.string(),
    "station_id": pa.string(),
    "timestamp": TIME,
    "type": pa.string(),
    "protocol": pa.string(),
    "evse_id": pa.int32(),
    "connector_id": pa.int32(),
    "transaction_id": pa.string(),
    "seq_no": pa.int32(),
    "context": pa.string(),
    "charging_state": pa.string(),
    "id_token": pa.string(),
    "meter_wh": WH,
    "import_wh": WH,
    "export_wh": WH,
    "power_w": WH,
    "soc_percent": SOC,
    "attributes": pa.string(),
    "flags": pa.string(),
    "received_at": TIME,
    "message_id": pa.string(),
    "offline": pa.uint8(),
    "gateway": pa.string(),
    "kafka_topic": pa.string(),
    "kafka_index": pa.int32(),
})  # fmt: skip


def hot_table(c: HotColumns, topic: str) -> pa.Table:
    """The columns of `events` but for the session, the partition and the offset."""
    given = {
        **c.texts,
        "timestamp": many_arrow.instants(c.ts),
        "type": pa.repeat("meter_sampled", len(c.ts)),
        "evse_id": index(c.evse),
        "connector_id": index(c.connector),
        "seq_no": index(c.seq),
        "import_wh": decimals(c.import_mwh, WH),
        "power_w": decimals(c.power_mw, WH),
        "soc_percent": decimals(c.soc_milli, SOC),
        "received_at": c.received_at,
        "offline": c.offline,
    }
    return event_table(given, len(c.ts), topic)


def event_table(given: Mapping[str, pa.Array], n: int, topic: str) -> pa.Table:
    """The same of n events of any kind; what is not given is blank or null."""
    told = {
        **given,
        "kafka_topic": pa.repeat(topic, n),
        "kafka_index": pa.repeat(pa.scalar(-1, pa.int32()), n),
    }
    blank = pa.repeat("", n)
    arrays = [
        told[each.name]
        if each.name in told
        else blank
        if pa.types.is_string(each.type)
        else pa.nulls(n, each.type)
        for each in _SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def placed(table: pa.Table, origin: Origin, places: Ints, session_ids: Ints) -> pa.Table:
    """The rest of these columns: where the values came from, and session ids as int64 [n, 2]."""
    columns = {
        "kafka_partition": pa.array(origin.partitions[places].astype(np.int32)),
        "kafka_offset": pa.array(origin.offsets[places]),
        "session_id": many_arrow.ids(session_ids),
    }
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


def text(values: Sequence[str | None]) -> pa.Array:
    """A column of text; None becomes the empty text."""
    if same(values):
        return pa.repeat(values[0] or "", len(values))
    found = pa.array(values, pa.string())
    return found.fill_null("") if found.null_count else found


def decimals(values: Ints, kind: pa.Decimal128Type) -> pa.Array:
    """Integers that count 10^-scale units as a decimal column; ABSENT becomes null."""
    absent = values == ABSENT
    if absent.all():
        return pa.nulls(len(values), kind)
    return many_arrow.decimals(values, kind, absent)


def integers(values: Sequence[int | None]) -> Small:
    """Integers of 0 to 2^31 - 1; -1 where there is none."""
    try:
        return np.frombuffer(array("i", cast("Sequence[int]", values)), np.int32)
    except TypeError:
        return np.array([-1 if v is None else v for v in values], np.int32)


def utc_ms(texts: Sequence[str]) -> tuple[Ints, Bits | None]:
    """Epoch ms of time stamps, and which are good (None: all); the others' are 0."""
    found = instants(texts)
    if found is not None:
        return found.to_numpy(), None
    parsed = parse_times(texts)
    good = np.array([type(t) is int for t in parsed], np.bool_)
    return np.array([t if type(t) is int else 0 for t in parsed], np.int64), good


def received(texts: Sequence[str | None]) -> pa.Array:
    """Arrival times; one that cannot be read is lost, not the sample."""
    if texts[0] is None and same(texts):
        return pa.nulls(len(texts), TIME)
    found = instants(texts)
    if found is None:
        given = iter(parse_times([t for t in texts if t is not None]))
        known = [None if t is None else next(given) for t in texts]
        found = pa.array([t if type(t) is int else None for t in known], pa.int64())
    return found.cast(TIME)


def thousandths(values: Sequence[Number | None], most: int) -> tuple[Ints, Bits | None]:
    """Numbers in thousandths, exact as `wh_to_mwh` makes them, ABSENT where there is none;
    and which are good (None: all): numbers, and not beyond `most` thousandths.
    """
    if values[0] is None and same(values):
        return np.full(len(values), ABSENT, np.int64), None
    try:
        whole = np.frombuffer(array("q", cast("Sequence[int]", values)), np.int64)
    except (TypeError, OverflowError):
        return _mixed(values, most)
    bound = most // 1000
    if -bound <= whole.min() and whole.max() <= bound:
        return whole * 1000, None
    good = (whole >= -bound) & (whole <= bound)
    return np.where(good, whole, 0) * 1000, good


def _mixed(values: Sequence[Number | None], most: int) -> tuple[Ints, Bits | None]:
    """`thousandths` of integers, text, floats and gaps."""
    given = [v for v in values if v is not None]
    if len(given) < len(values):
        there = np.array([v is not None for v in values], np.bool_)
        out, good = np.full(len(values), ABSENT, np.int64), np.ones(len(values), np.bool_)
        numbers, fine = thousandths(given, most)
        out[there] = numbers
        if fine is not None:
            good[there] = fine
        return out, good
    try:
        near = np.array([_near(v) for v in given], np.float64)
    except (ValueError, OverflowError):
        near = np.full(len(given), np.nan)
    with np.errstate(over="ignore"):
        milli = np.rint(near * 1000)
    sure = (milli / 1000 == near) & (np.abs(milli) < min(_FINE, most))
    out = np.where(sure, milli, 0).astype(np.int64)
    good = np.ones(len(given), np.bool_)
    for i in np.flatnonzero(~sure).tolist():
        try:
            out[i] = wh_to_mwh(given[i])
        except ValueError:
            out[i], good[i] = 0, False
    good &= np.abs(out) <= most
    return out, good


def _near(value: Number) -> float:
    """The double next to a number; none for powers of ten, which may be beyond all decimals."""
    if type(value) is str and ("e" in value or "E" in value):
        return np.nan
    return float(value)


def attributes(currents: Sequence[Number | None]) -> pa.Array:
    """JSON of what few samples carry: here their current alone."""
    if currents[0] is None and same(currents):
        return pa.repeat("", len(currents))
    return pa.array(
        [
            ""
            if a is None
            else _ENCODE({"current_a": a}).decode()
            if type(a) is str
            else f'{{"current_a":"{a}"}}'
            for a in currents
        ],
        pa.string(),
    )


def index(values: Small) -> pa.Array:
    """A column of which -1 says that there is none."""
    if values.min() >= 0:
        return pa.array(values)
    return pa.array(values, mask=values < 0)
