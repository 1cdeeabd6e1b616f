"""The hot path of decoding takes nearly all, loses nothing, and makes the general path's rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import wire
from schemas.errors import Rejection
from schemas.topics import MAX_EVENT_BYTES
from schemas.units import MAX_WH, iso_ms, wh_to_mwh
from streams.chunk import Chunk
from streams.core.columns import ABSENT, UNKNOWN
from streams.core.events import CURRENT, SAMPLE, Sample
from streams.core.keys import keys_of
from streams.core.packed import Packed
from streams.decode import Decoded, decode_chunk, parse_time, parse_times
from streams.event_rows import _columns
from streams.hot import HotChunk, HotDecoder, Taken
from streams.hot_rows import received, thousandths, utc_ms
from tests.streams.rows_of_events import TP
from tests.streams.test_decode import POISON
from tests.streams.wire_strategies import EVENTS, INDEXES, INSTANTS, NAMES

PAN = "4111111111111111"
PLAIN = {
    "type": "meter_sampled",
    "tenant": "t",
    "station_id": "S",
    "protocol": "ocpp2.0.1",
    "timestamp": "2026-03-02T10:00:00.000Z",
    "transaction_id": "7d3f2a10-0000-4000-8000-000000000001",
    "import_wh": 5,
}


def but(**changes: Any) -> bytes:
    """The plain sample with other fields."""
    return json.dumps(PLAIN | changes, ensure_ascii=False).encode()


def chunk_of(values: Sequence[bytes | None]) -> Chunk:
    """The values at offsets with gaps."""
    offsets = [100 + 3 * i for i in range(len(values))]
    keys = [b"key %d" % i for i in range(len(values))]
    return Chunk(TP, offsets, values, keys, 100 + 3 * len(values))


def samples_of(hot: HotChunk) -> list[Sample]:
    """The core's events of the columns."""
    out = []
    for ts, seq, register, power, current, shape in zip(*hot.samples, strict=True):
        context, connector, evse = hot.shapes[shape]
        out.append(
            Sample(
                SAMPLE, int(ts), int(seq), context,
                None if register == ABSENT else int(register), None,
                None if power == UNKNOWN else int(power), connector, evse,
                () if current == UNKNOWN else ((CURRENT, int(current)),),
            )
        )  # fmt: skip
    return out


def in_order(table: pa.Table) -> pa.Table:
    return table.sort_by([("kafka_offset", "ascending"), ("kafka_index", "ascending")])


def columns(found: Decoded) -> pa.Table:
    """By the general path, of partition 7."""
    return _columns(found, TP.topic, [7] * len(found.events))


def same_as_general(values: Sequence[bytes | None]) -> int:
    """Asserts that both paths make the same of the values, at first sight and when the decoder has
    seen such values before; how many samples were hot.
    """
    chunk = chunk_of(values)
    decoder = HotDecoder(1)
    first = _same(chunk, decoder.decode(chunk))
    for _ in range(3):  # it learns one pattern a chunk
        again = HotDecoder(1) if decoder._rest else decoder
        assert _same(chunk, again.decode(chunk)) == first
    return first


def _same(chunk: Chunk, taken: Taken) -> int:
    hot, rest = taken.samples, taken.rest
    twin = decode_chunk(chunk)
    assert rest.dead == twin.dead
    assert rest.offsets == sorted(rest.offsets)
    cores = dict(zip(zip(rest.offsets, rest.indexes, strict=True), rest.cores, strict=True))
    tables = [columns(rest)]
    if hot is not None:
        hot.table.validate(full=True)
        offsets = hot.offsets.tolist()
        tables.insert(0, _placed(hot.table, offsets).select(tables[0].column_names))
        assert offsets == sorted(offsets)
        cores |= {(at, -1): c for at, c in zip(offsets, samples_of(hot), strict=True)}
        _columns_are_those_of(hot)
    for heads in taken.heads:
        heads.table.validate(full=True)
        offsets = [chunk.offsets[place] for place in heads.places.tolist()]
        tables.insert(0, _placed(heads.table, offsets).select(tables[-1].column_names))
        cores |= {(at, -1): core for at, core in zip(offsets, heads.cores, strict=True)}
        _keys_are_those_of(heads.keys, heads.table)
        assert {heads.protocol} == set(heads.table["protocol"].to_pylist())
    assert len(cores) == len(twin.cores)
    assert cores == dict(zip(zip(twin.offsets, twin.indexes, strict=True), twin.cores, strict=True))
    both = pa.concat_tables([t for t in tables if len(t)] or tables)
    assert in_order(both).equals(in_order(columns(twin)))
    return 0 if hot is None else len(hot.keys)


def _placed(table: pa.Table, offsets: list[int]) -> pa.Table:
    """With the columns that only the worker can fill; partition 7."""
    partitions = pa.array([7] * len(offsets), pa.int32())
    placed = table.append_column("kafka_partition", partitions)
    return placed.append_column("kafka_offset", pa.array(offsets))


def _keys_are_those_of(keys: Packed, table: pa.Table) -> None:
    names = ("tenant", "station_id", "transaction_id")
    assert keys.texts() == keys_of(*(table[n].to_pylist() for n in names))


def _columns_are_those_of(hot: HotChunk) -> None:
    """Packed and protocols are parallel to the table; numbers are of the agreed width."""
    _keys_are_those_of(hot.keys, hot.table)
    assert list(hot.protocols) == hot.table["protocol"].to_pylist()
    wide = [each.dtype for each in hot.samples]
    assert wide == [np.int64, np.int32, np.int64, np.int32, np.int32, np.int32]


REGISTERS = st.none() | st.one_of(
    st.integers(0, 10**8),
    st.decimals(0, 10**8, places=3).map(str),
    st.decimals(0, 10**8, places=5).map(str),
    st.floats(0, 10**8),
    st.integers(0, 10**9).map(lambda n: n / 1000),
)
SMALL = st.none() | st.integers(-(10**5), 2_147_483) | st.integers(0, 10**7).map(lambda n: n / 100)
IDS = st.integers(1, 3).map(lambda n: str(UUID(int=n, version=4))) | st.sampled_from(["1", "å"])
PLAIN_SAMPLES = st.builds(
    wire.MeterSampled,
    tenant=st.just("t") | NAMES,
    station_id=st.sampled_from(["S1", "S2"]) | NAMES,
    protocol=st.sampled_from(["ocpp2.0.1", "ocpp2.1"]),
    timestamp=INSTANTS,
    evse_id=INDEXES,
    connector_id=st.just(1) | INDEXES,
    transaction_id=IDS,
    received_at=st.none() | INSTANTS,
    seq_no=INDEXES,
    message_id=st.none() | IDS,
    offline=st.booleans(),
    gateway=st.none() | st.just("g"),
    context=st.just("Sample.Periodic") | st.sampled_from(["Transaction.Begin", ""]),
    import_wh=REGISTERS,
    power_w=SMALL,
    current_a=SMALL | st.sampled_from(["16.5", " 1\n", "٣"]),
    soc_percent=st.none() | st.integers(0, 100) | st.just("55.125"),
).map(wire.encode)

ODD: dict[str, bytes] = {
    "flags": but(flags=["clock_bad"]),
    "no flags": but(flags=[]),
    "1.6": but(protocol="ocpp1.6"),
    "imported": but(protocol="import"),
    "no transaction": but(transaction_id=None),
    "empty transaction": but(transaction_id=""),
    "export": but(export_wh=5),
    "a phase": but(import_l1_wh=5),
    "signed": but(signed_data="x"),
    "other": but(other={"Voltage V": "230"}),
    "something new": but(new_in_version_9={"a": [1]}),
    "power beyond 32 bits": but(power_w=2_147_484),
    "current beyond 32 bits": but(current_a="2147483.648"),
    "charge beyond its column": but(soc_percent=100_001),
    "naive": but(timestamp="2026-03-02T10:00:00"),
    "beyond its column": but(timestamp="2283-11-12T00:00:00Z"),
    "before 1900": but(timestamp="1899-12-31T23:59:59Z"),
    "year 0": but(timestamp="0000-01-01T00:00:00Z"),
    "control character": but(station_id="S\x07"),
    "delete": but(tenant="t\x7f"),
    "card as transaction": but(transaction_id=PAN),
    "card as context": but(context="card " + PAN),
    "card as message": but(message_id="4111-1111-1111-1111"),
    "card as gateway": but(gateway="4111 1111 1111 1111"),
    "card in a text as long as a UUID": but(gateway="card4111-1111-1111-1111-of some kind"),
    "invalid UTF-8 in what is skipped": (
        but(type="session_started", new_in_version_9="x").replace(b'"x"', b'"\xff"')
    ),
    "array": b"[" + but() + b"," + but(import_wh=6) + b"]",
    "too large": but()[:-1] + b" " * MAX_EVENT_BYTES + b"}",
    "invalid UTF-8": but().replace(b'"S"', b'"S\xff"'),
    "a surrogate": but().replace(b'"S"', b'"\xed\xa0\x80"'),
    "twice": but(),
    "type said twice": but()[:-1] + b',"type":"session_started"}',
    "no number": but(import_wh="1e"),
    "not finite": but(power_w="Infinity"),
}
"""Whatever may stand among plain samples; `twice` is as plain as they are."""

FINE: dict[str, bytes] = {
    "usual": but(),
    "second": but(timestamp="2026-03-02T10:00:00Z"),
    "zone": but(timestamp="2026-03-02T15:45:00.000+05:45"),
    "microseconds": but(timestamp="2026-03-02T10:00:00.123999Z"),
    "basic form": but(timestamp="20260302T100000Z"),
    "1900": but(timestamp="1900-01-01T00:00:00Z"),
    "last instant": but(timestamp="2283-11-11T23:59:59.999Z"),
    "arrival unreadable": but(received_at="just now"),
    "arrival naive": but(received_at="2026-03-02T10:00:00"),
    "arrival in another zone": but(received_at="2026-03-02T11:00:00+01:00"),
    "arrival beyond": but(received_at="9999-03-02T11:00:00Z"),
    "nothing but a sample": but(import_wh=None),
    "float": but(import_wh=0.0005, power_w=1e-7),
    "text": but(import_wh="12345678.9995", power_w="1E3"),
    "digits of a script": but(import_wh="٣"),
    "blank text": but(current_a=" 16.5\n"),
    "negative": but(import_wh=-0.5, power_w=-7),
    "largest register": but(import_wh=MAX_WH),
    "largest power": but(power_w="2147483.647"),
    "duplicate key": but()[:-1] + b',"import_wh":7}',
    "names in scripts": but(station_id="充电站", tenant="Å", context="👍", gateway="a'b\"c\\d"),
    "escapes": but(context="x").replace(b'"x"', b'"\\u00e5\\ud83d\\udc4d\\n"'),
    "no card": but(transaction_id="9007199254740993123", message_id="1772616384555"),
    "all": but(
        evse_id=0, connector_id=2**31 - 1, seq_no=0, received_at="2026-03-02T10:00:01.000Z",
        message_id="", offline=True, gateway="g", context="Transaction.End", power_w=11_000,
        current_a=16, soc_percent=100,
    ),
}  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        PLAIN_SAMPLES
        | PLAIN_SAMPLES
        | EVENTS.map(wire.encode)
        | st.sampled_from([*ODD.values(), *FINE.values(), None, b""]),
        max_size=12,
    )
)
def test_both_paths_make_the_same_of_any_chunk(values: list[bytes | None]) -> None:
    same_as_general(values)


@settings(max_examples=200, deadline=None)
@given(st.lists(PLAIN_SAMPLES, min_size=1, max_size=30))
def test_every_plain_sample_is_hot(values: list[bytes]) -> None:
    assert same_as_general(values) == len(values)


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_takes_the_general_path_and_its_neighbours_do_not(name: str) -> None:
    hot = same_as_general([but(), ODD[name], but(import_wh=6.5, power_w=1)])

    assert hot == 2 + (name == "twice")
    assert same_as_general([ODD[name]]) == (name == "twice")


@pytest.mark.parametrize("name", FINE)
def test_what_only_looks_odd_is_hot(name: str) -> None:
    assert same_as_general([but(), FINE[name]]) == 2
    assert same_as_general([FINE[name]]) == 1


@pytest.mark.parametrize("name", POISON)
def test_poison_among_plain_samples_is_the_same_dead_letter(name: str) -> None:
    value = POISON[name][0]
    if value is not None:
        value = value.replace(b"ocpp1.6", b"ocpp2.1")

    assert same_as_general([but(), value, but()]) == 2


@settings(max_examples=500, deadline=None)
@given(PLAIN_SAMPLES, st.data())
def test_a_damaged_byte_does_the_same_in_both_paths(value: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(value) - 1))
    byte = data.draw(st.integers(0, 255).map(lambda b: bytes([b])) | st.sampled_from([b"", b"\\n"]))

    same_as_general([but(), value[:at] + byte + value[at + 1 :]])


def test_a_long_chunk_of_many_sessions_is_hot_but_for_starts_and_ends() -> None:
    values = [
        but(
            station_id=f"S{i % 7}",
            transaction_id=str(UUID(int=i % 50, version=4)),
            timestamp=iso_ms(1_772_445_600_000 + i * 997),
            seq_no=i,
            connector_id=i % 3,
            power_w=i * 7.25,
        )
        if i % 20
        else but(type="session_started", seq_no=i)
        for i in range(4000)
    ]

    assert same_as_general(values) == 3800


def test_after_a_chunk_that_is_mostly_not_plain_some_are_not_tried() -> None:
    fleet16, fleet2 = chunk_of([but(protocol="ocpp1.6")] * 200), chunk_of([but()])
    decoder = HotDecoder(1)

    assert decoder.decode(fleet2).samples is not None
    assert decoder.decode(fleet16).samples is None
    tried = [decoder.decode(fleet2).samples is not None for _ in range(40)]
    assert tried == [False] * 30 + [True] * 10


def test_many_starts_and_states_are_no_reason_to_rest() -> None:
    values = [but(type="session_started"), but(type="charging_state_changed")] * 50
    decoder = HotDecoder(1)
    decoder.decode(chunk_of(values))

    taken = decoder.decode(chunk_of([*values, but()]))

    assert taken.samples is not None
    assert len(taken.rest.events) + sum(len(heads.keys) for heads in taken.heads) == 100


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20),
    st.integers(-(10**6), 10**6),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.decimals(-(10**13), 10**13, places=3).map(str),
    st.decimals(-1, 1, places=4).map(str),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**16), 10**16).map(lambda n: n / 1000),
    st.integers(-(10**5), 10**5).map(lambda n: n / 10_000),
    st.sampled_from(
        ["1_0", " 7 ", "-0", "+.5", "5.", "", "١٢", "0x1", "1e-320", "1e-9999999999999999999"]
    ),
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.none() | NUMBERS, min_size=1, max_size=6), st.sampled_from([10**17, 2**31 - 1]))
@example([0.0005, 2.675, 1.0005, "0.0004999999999999999999", "1e-9999999999999999999"], 10**17)
def test_numbers_are_exactly_what_one_by_one_gives(values: list[Any], most: int) -> None:
    numbers, good = thousandths(values, most)

    for i, value in enumerate(values):
        try:
            expected = ABSENT if value is None else wh_to_mwh(value)
        except ValueError:
            expected = None
        if expected is None or (expected != ABSENT and abs(expected) > most):
            assert good is not None
            assert not good[i]
        else:
            assert (int(numbers[i]), good is None or bool(good[i])) == (expected, True)


STAMPS = st.one_of(
    INSTANTS,
    st.datetimes().map(lambda t: t.isoformat() + "Z"),
    st.datetimes(datetime(1890, 1, 1), datetime(1975, 1, 1)).map(lambda t: f"{t.isoformat()}+01"),
    st.from_regex(
        r"(19|20|22|99)[0-9]{2}-?[01][0-9]-?[0-3][0-9][T ][0-2][0-9](:?[0-6][0-9]){0,2}"
        r"([.,][0-9]{0,4})?(Z|z|[+-][0-2][0-9](:?[0-9]{2})?)?", fullmatch=True,
    ),
    st.text("0123456789-+:.TZ ", max_size=26),
)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(st.lists(STAMPS, min_size=1, max_size=4))
def test_times_are_exactly_what_one_by_one_gives(texts: list[str]) -> None:
    found, good = utc_ms(texts)
    expected = [parse_time(text) for text in texts]

    assert parse_times(texts) == expected

    known = [None if isinstance(t, Rejection) else t for t in expected]
    flags = [True] * len(texts) if good is None else good.tolist()
    assert [int(t) if ok else None for t, ok in zip(found, flags, strict=True)] == known
    arrivals = received([*texts, None]).cast(pa.int64()).to_pylist()
    assert arrivals == [*known, None]


def test_one_bad_time_among_many_is_found_alone() -> None:
    texts = [iso_ms(i * 999) for i in range(1000)]
    texts[777] = "yesterday"

    found = parse_times(texts)

    assert isinstance(found.pop(777), Rejection)
    assert found == [i * 999 for i in range(1000) if i != 777]


def test_dead_values_keep_their_bytes_and_keys() -> None:
    rest = HotDecoder(1).decode(chunk_of([but(), b"rubbish", but(seq_no=-1)])).rest

    found = [(d.offset, d.raw, d.key) for d in rest.dead]
    assert found == [(103, b"rubbish", b"key 1"), (106, but(seq_no=-1), b"key 2")]
