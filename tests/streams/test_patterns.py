"""Values that look like one before are compared, not read: nothing else may come of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import wire
from schemas.units import MAX_WH, iso_ms
from streams.hot import HotDecoder
from streams.patterns import pattern_of
from streams.spans import Joined
from tests.streams.test_hot import IDS, ODD, PAN, PLAIN, PLAIN_SAMPLES, _same, but, chunk_of
from tests.streams.wire_strategies import EVENTS, INDEXES, INSTANTS

DAY = "2026-03-02T"
START = PLAIN | {"type": "session_started", "id_token": "TAG 1", "meter_start_wh": 5}
END = PLAIN | {"type": "session_ended", "id_token": "TAG 1", "meter_stop_wh": 5, "reason": "Local"}
STATE = PLAIN | {"type": "charging_state_changed", "charging_state": "Charging"}
for _plain in (START, END, STATE):
    del _plain["import_wh"]


def encoded(fields: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps(fields | changes).encode()


def after(first: Sequence[bytes], then: Sequence[bytes]) -> tuple[int, int]:
    """Asserts that a decoder which saw `first` makes the same of `then` as the general path; how
    many it read as samples, and how many of all without reading them.
    """
    decoder = HotDecoder(1)
    for value in first:
        decoder.decode(chunk_of([value]))
    chunk = chunk_of(then)
    matched = len(then) - len(decoder._patterns.match(chunk).left)
    taken = decoder.decode(chunk)
    return _same(chunk, taken), matched


PLAIN_NUMBERS = st.integers(-(10**5), 10**6) | st.integers(1, 10**9).map(lambda n: n / 1000)
ALIKE = st.fixed_dictionaries({
    "station_id": st.sampled_from(["S", "S1", "SE-STO-00012", "a b~!"]),
    "transaction_id": st.uuids().map(str) | st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True),
    "timestamp": st.integers(0, 86_399_999).map(lambda ms: iso_ms(1_772_409_600_000 + ms)),
    "evse_id": st.integers(0, 2**31 - 1),
    "seq_no": st.integers(0, 10**6),
    "import_wh": st.integers(0, 10**9) | st.integers(0, 10**12).map(lambda n: n / 1000),
    "power_w": st.integers(-(10**5), 10**6),
    "current_a": st.integers(0, 10**5).map(lambda n: n / 100) | st.integers(0, 500),
    "message_id": st.uuids().map(str) | st.just(""),
})  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(ALIKE, min_size=2, max_size=12))
def test_samples_that_differ_in_numbers_and_names_are_not_read(
    fields: list[dict[str, Any]],
) -> None:
    values = [but(**dict(sorted(each.items()))) for each in fields]

    assert after(values, values) == (len(values), len(values))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([START, END, STATE]),
    st.lists(
        st.fixed_dictionaries({
            "id_token": st.sampled_from(["", "TAG", "0123456789ABCDEF", "AA-BB-CC"]),
            "transaction_id": IDS.filter(str.isascii),
            "timestamp": st.integers(0, 10**8).map(lambda ms: iso_ms(1_772_409_600_000 + ms)),
            "seq_no": st.integers(0, 99),
            "connector_id": st.integers(0, 99),
        }),
        min_size=1,
        max_size=9,
    ),
)  # fmt: skip
def test_starts_states_and_ends_that_look_alike_are_not_read(
    plain: dict[str, Any], fields: list[dict[str, Any]]
) -> None:
    values = [encoded(plain, **dict(sorted(each.items()))) for each in fields]

    assert after(values, values) == (0, len(values))


@settings(max_examples=600, deadline=None)
@given(PLAIN_SAMPLES | EVENTS.map(wire.encode), st.data())
def test_a_damaged_byte_does_the_same_where_the_whole_value_is_known(
    value: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(value) - 1))
    byte = data.draw(
        st.integers(0, 255).map(lambda b: bytes([b]))
        | st.sampled_from(
            [b"", b"\\n", b'"', b"0", b"00", b".5", b"-", b"e3", b"\\", b"\x7f", b","]
        )
    )

    after([value], [value, value[:at] + byte + value[at + 1 :], value])


@settings(max_examples=200, deadline=None)
@given(st.lists(PLAIN_SAMPLES | EVENTS.map(wire.encode), min_size=2, max_size=12))
def test_whatever_was_seen_before_changes_nothing(values: list[bytes]) -> None:
    after(values, list(reversed(values)))


NUMBERS: dict[str, tuple[str, list[Any]]] = {
    "as an index": ("seq_no", [0, 7, 2**31 - 1, 2**31, -1, "7", 1.0, None, 10**11]),
    "as a register": (
        "import_wh",
        [0, 12, 0.5, 12.125, 12.0005, 1e-7, -0.5, -3, "12.5", "007", MAX_WH, MAX_WH + 1, 10**13],
    ),
    "as a long fraction": ("import_wh", [1.5, 123456789012.345, 12345678901234.567]),
    "as text": ("power_w", ["12.5", "1e3", "+1", " 1", "1.", ".5", "-0", "0.0", "12", "007"]),
    "as a current": ("current_a", [16, 16.5, 10.0, 10.25, 0, -0.5, 2_147_484, 1e3]),
    "as a current in text": ("current_a", ["16.50", "16", "-0.5", "1.000", "2147483.648"]),
    "as a share": ("soc_percent", [0, 55.125, 100, 100_000, 100_001]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_what_msgspec_reads(name: str) -> None:
    field, numbers = NUMBERS[name]
    values = [but(**{field: number}) for number in numbers]

    for value in values:
        after([value], values)


@pytest.mark.parametrize("written", ["-0", "-0.0", "01", "1.", "1.5000", "1.05", "1E2", "1_0"])
def test_numbers_that_json_or_exactness_forbid_are_left_to_msgspec(written: str) -> None:
    value = but(import_wh=4711).replace(b"4711", written.encode())

    after([but(import_wh=1)], [but(import_wh=2), value, but(current_a=1), value])


@pytest.mark.parametrize(
    "clock",
    ["10:00:00.000Z", "24:00:00.000Z", "23:59:60.000Z", "23:60:00.000Z", "29:00:00.000Z",
     "10:00:00.00Z", "10:00:00Z", "10:00:00.000+01:00", "1O:00:00.000Z"],
)  # fmt: skip
def test_times_of_one_day_are_what_the_general_path_reads(clock: str) -> None:
    odd = but(timestamp=DAY + clock)

    after(
        [but()], [but(timestamp=DAY + "00:00:00.001Z"), odd, but(timestamp=DAY + "23:59:59.999Z")]
    )


def test_times_of_several_days_and_other_forms_match_too() -> None:
    days = [but(timestamp=f"2026-02-2{day}T23:59:59.5Z") for day in range(9)]
    zones = [but(timestamp=f"2026-02-2{day}T23:59:59+0{day}:00") for day in range(9)]

    assert after(days[:1], days) == (9, 9)
    assert after(zones[:1], zones) == (9, 9)


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_odd_among_known_values_too(name: str) -> None:
    fields = {"gateway": "g", "message_id": "m", "seq_no": 1, "power_w": 7, "soc_percent": 1}

    after([but(), but(**fields)], [but(), ODD[name], but(**fields)])
    after([but(), ODD[name]], [ODD[name], but(), ODD[name]])


@pytest.mark.parametrize("field", ["transaction_id", "message_id", "gateway"])
def test_card_numbers_do_not_pass_as_names(field: str) -> None:
    plain = [but(**{field: f"name {i}"}) for i in range(5)]
    card = but(**{field: PAN})

    assert after(plain[:1], [*plain, card])[1] == 5
    start = [encoded(START, **{field: f"name {i}"}) for i in range(5)]
    assert after(start[:1], [*start, encoded(START, **{field: PAN})])[1] == 5
    assert after(start[:1], [*start, encoded(START, id_token=PAN)])[1] == 5


@pytest.mark.parametrize("arrival", ["", "just now", "2026-03-02T10:00:00Z", None])
def test_an_arrival_that_is_no_time_is_lost_and_the_sample_is_not(arrival: str | None) -> None:
    values = [but(received_at=arrival), but(received_at=arrival, import_wh=7)]

    assert after(values[:1], values)[0] == 2


def test_values_of_many_tenants_match_one_pattern() -> None:
    values = [but(tenant=f"operator {i}") for i in range(40)]

    assert after(values[:3], values) == (40, 40)


def test_values_without_content_among_known_ones_are_dead_letters() -> None:
    chunk = chunk_of([but(), None, b"", but()])
    decoder = HotDecoder(1)
    decoder.decode(chunk_of([but()]))

    assert _same(chunk, decoder.decode(chunk)) == 2


def test_what_is_not_written_plainly_makes_no_pattern() -> None:
    odd = [
        b"[" + but() + b"]",
        but()[:-1] + b',"import_wh":7}',
        but(context="a\\b"),
        but()[:-1],
        but() + b" x",
        b'{"tenant":"t"}',
        but(context="x" * 3000),
    ]

    assert [pattern_of(value, PLAIN | {"context": "x"}, tenants=False) for value in odd] == [
        None
    ] * 7


def test_spaces_between_the_fields_are_part_of_the_pattern() -> None:
    values = [
        json.dumps(PLAIN | {"seq_no": i}, indent=1, separators=(" , ", " :\t")).encode() + b"\n"
        for i in range(5)
    ]

    assert after(values[:1], values) == (5, 5)


@settings(max_examples=100, deadline=None)
@given(st.lists(INSTANTS, min_size=1, max_size=8), INDEXES)
def test_a_pattern_matches_only_whole_values(times: list[str], seq: int | None) -> None:
    values = [but(timestamp=time, seq_no=seq) for time in times]
    pattern = pattern_of(values[0], PLAIN, tenants=False)

    assert pattern is not None
    cut = [*(value[:-1] for value in values), *(value + b" " for value in values)]
    joined = Joined(cut)
    assert pattern.match(joined, pattern.begun(joined, np.arange(len(cut)))) is None


def form(number: int, begins: bool, **changes: Any) -> bytes:
    """A sample in one of many forms, which differ in how they begin or in how they end."""
    told = {"context": f"c{number}"}
    return json.dumps(told | PLAIN | changes if begins else PLAIN | changes | told).encode()


def test_patterns_that_are_not_used_give_way() -> None:
    decoder = HotDecoder(1)
    for i in range(40):
        values = [form(i, begins=True, transaction_id=str(UUID(int=i)))] * 64
        assert decoder.decode(chunk_of(values)).compared == 0
    chunk = chunk_of([form(39, begins=True, import_wh=9)] * 3)

    assert decoder.decode(chunk).compared == 3


def test_a_few_forms_are_all_known_however_late_they_differ() -> None:
    decoder = HotDecoder(1)
    values = [form(i % 3, begins=False, import_wh=i) for i in range(300)]
    for _ in range(40):
        last = decoder.decode(chunk_of(values)).compared

    assert last == 300


def test_too_many_forms_that_differ_late_are_soon_left_alone_for_a_while() -> None:
    decoder = HotDecoder(1)
    values = [form(i % 50, begins=False, import_wh=i) for i in range(500)]
    tried = [decoder.decode(chunk_of(values)).compared for _ in range(200)]

    assert max(tried) < 150
    assert tried.count(0) > 100


def test_what_was_futile_is_tried_again_later() -> None:
    decoder = HotDecoder(1)
    for i in range(100):
        decoder.decode(chunk_of([form(i, begins=False)] * 64))
    chunk = chunk_of([form(7, begins=False, import_wh=i) for i in range(64)])
    tried = [decoder.decode(chunk).compared for _ in range(40)]

    assert tried[-1] == 64
