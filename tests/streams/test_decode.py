"""Bytes to events: what cannot be read is one dead letter with its reason, neighbours go on."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import Reason, Rejection
from schemas.topics import MAX_EVENT_BYTES
from streams.decode import parse_times
from tests.streams.core.fleet_kit import Drive, sink_of
from tests.streams.rows_of_events import decoded, event_rows

EVENT = {
    "type": "meter_sampled",
    "tenant": "t",
    "station_id": "S",
    "protocol": "ocpp1.6",
    "timestamp": "2026-03-02T10:00:00.000Z",
    "transaction_id": "1",
    "import_wh": 5,
}
GOOD = json.dumps(EVENT).encode()


def but(**changes: Any) -> bytes:
    """The good event with other fields."""
    return json.dumps(EVENT | changes).encode()


def raw(text: str) -> bytes:
    """The good event with this text where its register stands."""
    return GOOD.replace(b'"import_wh": 5', b'"import_wh": ' + text.encode())


def without(name: str) -> bytes:
    """The good event without one field."""
    return json.dumps({k: v for k, v in EVENT.items() if k != name}).encode()


POISON: dict[str, tuple[bytes | None, Reason, str]] = {
    "no value": (None, Reason.EMPTY, ""),
    "empty value": (b"", Reason.EMPTY, ""),
    "corrupt bytes": (b"\x93\xff\x00{]\x1f", Reason.NOT_JSON, ""),
    "truncated": (GOOD[:-7], Reason.NOT_JSON, ""),
    "two values": (GOOD + GOOD, Reason.NOT_JSON, ""),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, Reason.NOT_JSON, ""),
    "blanks": (b" \n ", Reason.NOT_JSON, ""),
    "invalid UTF-8 in a text": (GOOD.replace(b'"S"', b'"S\xff\xfe"'), Reason.NOT_JSON, ""),
    "invalid UTF-8 in an unknown field": (GOOD[:-1] + b',"x":"\xff"}', Reason.NOT_JSON, ""),
    "half a surrogate pair": (GOOD.replace(b'"S"', b'"\\ud800"'), Reason.NOT_JSON, ""),
    "NaN": (raw("NaN"), Reason.NOT_JSON, ""),
    "Infinity": (raw("Infinity"), Reason.NOT_JSON, ""),
    "minus Infinity": (raw("-Infinity"), Reason.NOT_JSON, ""),
    "deep arrays": (b"[" * 100_000, Reason.NOT_JSON, ""),
    "deep objects": (b'{"a":' * 100_000, Reason.NOT_JSON, ""),
    "deep in an unknown field": (
        GOOD[:-1] + b',"x":' + b"[" * 9_000 + b"]" * 9_000 + b"}", Reason.NOT_JSON, "",
    ),
    "null": (b"null", Reason.NOT_AN_EVENT, ""),
    "a number": (b"17", Reason.NOT_AN_EVENT, ""),
    "a text": (b'"meter_sampled"', Reason.NOT_AN_EVENT, ""),
    "an empty array": (b"[]", Reason.NOT_AN_EVENT, ""),
    "five megabytes": (but(signed_data="x" * 5_000_000), Reason.TOO_LARGE, ""),
    "five megabytes of rubbish": (b"\xfe" * 5_000_000, Reason.TOO_LARGE, ""),
    "unknown type": (but(type="meter_exploded"), Reason.UNKNOWN_TYPE, "type"),
    "no type": (without("type"), Reason.UNKNOWN_TYPE, "type"),
    "type is a number": (but(type=5), Reason.UNKNOWN_TYPE, "type"),
    "no station": (without("station_id"), Reason.INVALID_FIELD, "station_id"),
    "empty station": (but(station_id=""), Reason.INVALID_FIELD, "station_id"),
    "long station": (but(station_id="S" * 256), Reason.INVALID_FIELD, "station_id"),
    "tenant is a number": (but(tenant=5), Reason.INVALID_FIELD, "tenant"),
    "transaction is a number": (but(transaction_id=5), Reason.INVALID_FIELD, "transaction_id"),
    "unknown protocol": (but(protocol="ocpp9"), Reason.INVALID_FIELD, "protocol"),
    "control character in the station": (
        but(station_id="S\x07"), Reason.INVALID_FIELD, "station_id",
    ),
    "separator in the tenant": (but(tenant="a\x1fb"), Reason.INVALID_FIELD, "tenant"),
    "delete in the station": (but(station_id="S\x7f"), Reason.INVALID_FIELD, "station_id"),
    "register is true": (raw("true"), Reason.INVALID_FIELD, "import_wh"),
    "register is an object": (raw("{}"), Reason.INVALID_FIELD, "import_wh"),
    "register is a word": (but(import_wh="many"), Reason.INVALID_FIELD, "import_wh"),
    "register NaN as text": (but(import_wh="NaN"), Reason.INVALID_FIELD, "import_wh"),
    "register Infinity as text": (but(import_wh="Infinity"), Reason.INVALID_FIELD, "import_wh"),
    "register 1e400": (raw("1e400"), Reason.INVALID_FIELD, "import_wh"),
    "register 1e400 as text": (but(import_wh="1e400"), Reason.INVALID_FIELD, "import_wh"),
    "register beyond decimals": (but(import_wh="1e999999999"), Reason.INVALID_FIELD, "import_wh"),
    "register of 400 digits": (raw("9" * 400), Reason.INVALID_FIELD, "import_wh"),
    "register above every meter": (but(import_wh=10**14 + 1), Reason.INVALID_FIELD, "import_wh"),
    "power above every charger": (but(power_w=10**9 + 1), Reason.INVALID_FIELD, "power_w"),
    "power beyond decimals": (but(power_w="-1e999999999"), Reason.INVALID_FIELD, "power_w"),
    "state of charge is a word": (but(soc_percent="full"), Reason.INVALID_FIELD, "soc_percent"),
    "negative seq_no": (but(seq_no=-1), Reason.INVALID_FIELD, "seq_no"),
    "huge seq_no": (but(seq_no=2**31), Reason.INVALID_FIELD, "seq_no"),
    "negative connector": (but(connector_id=-1), Reason.INVALID_FIELD, "connector_id"),
    "unknown state": (
        but(type="charging_state_changed", charging_state="Flying"),
        Reason.INVALID_FIELD, "charging_state",
    ),
    "payment beyond decimals": (
        but(type="session_ended", paid_amount="1e999999999"), Reason.INVALID_FIELD, "paid_amount",
    ),
    "payment in seven decimals": (
        but(type="session_ended", paid_amount="0.0000001"), Reason.INVALID_FIELD, "paid_amount",
    ),
    "naive time": (
        but(timestamp="2026-03-02T10:00:00.000"), Reason.NAIVE_TIMESTAMP, "timestamp",
    ),
    "a date": (but(timestamp="2026-03-02"), Reason.NAIVE_TIMESTAMP, "timestamp"),
    "February 30": (
        but(timestamp="2026-02-30T10:00:00.000Z"), Reason.INVALID_FIELD, "timestamp",
    ),
    "second 60": (but(timestamp="2026-03-02T10:00:60.000Z"), Reason.INVALID_FIELD, "timestamp"),
    "year 9999": (but(timestamp="9999-12-31T23:59:59.999Z"), Reason.INVALID_FIELD, "timestamp"),
    "no time": (without("timestamp"), Reason.INVALID_FIELD, "timestamp"),
    "time in words": (but(timestamp="yesterday"), Reason.INVALID_FIELD, "timestamp"),
    "time is a number": (but(timestamp=1772445600), Reason.INVALID_FIELD, "timestamp"),
}  # fmt: skip


@pytest.mark.parametrize("name", POISON)
def test_poison_is_one_dead_letter_with_its_reason_and_neighbours_go_on(name: str) -> None:
    value, reason, field = POISON[name]

    found = decoded([GOOD, value, GOOD])

    assert found.offsets == [100, 102]
    assert len(event_rows(found)) == 2
    (dead,) = found.dead
    assert (dead.offset, dead.index, dead.key) == (101, -1, b"key")
    assert dead.raw == (value or b"")
    assert (dead.rejection.reason, dead.rejection.field) == (reason, field)
    assert dead.rejection.detail


def test_a_bad_element_of_an_array_is_a_dead_letter_of_its_own() -> None:
    bad = but(type="nonsense")
    naive = but(timestamp="2026-03-02T10:00:00")
    array = b" [" + b" , ".join([GOOD, bad, GOOD, b"null", naive]) + b"]"

    found = decoded([GOOD, array, GOOD])

    assert list(zip(found.offsets, found.indexes, strict=True)) == [
        (100, -1), (101, 0), (101, 2), (102, -1),
    ]  # fmt: skip
    assert [(d.offset, d.index, d.raw, d.rejection.reason) for d in found.dead] == [
        (101, 1, bad, Reason.UNKNOWN_TYPE),
        (101, 3, b"null", Reason.NOT_AN_EVENT),
        (101, 4, naive, Reason.NAIVE_TIMESTAMP),
    ]


def test_an_array_that_is_cut_off_is_one_dead_letter() -> None:
    found = decoded([b"[" + GOOD + b", " + GOOD])

    assert found.events == []
    assert [d.rejection.reason for d in found.dead] == [Reason.NOT_JSON]


def test_a_value_of_exactly_the_limit_is_read() -> None:
    room = MAX_EVENT_BYTES - len(GOOD)
    largest = GOOD[:-1] + b" " * room + b"}"

    assert len(decoded([largest]).events) == 1
    assert len(decoded([largest + b" "]).dead) == 1


@pytest.mark.parametrize(
    "name", ["Café Nord", "Stra\N{NO-BREAK SPACE}ße", "a'b\"c\\d", "充电站", "👍", "a/b"]
)
def test_a_name_may_hold_anything_but_control_characters(name: str) -> None:
    found = decoded([but(station_id=name)])

    assert found.dead == []
    assert event_rows(found)[0]["station_id"] == name


def test_unknown_fields_are_ignored() -> None:
    assert len(decoded([but(new_in_version_9={"a": [1]})]).events) == 1


def test_an_arrival_time_that_cannot_be_read_is_no_reason_to_refuse() -> None:
    found = decoded([but(received_at="just now"), but(received_at="2026-03-02T11:00:00+01:00")])

    received = [row["received_at"] for row in event_rows(found)]
    assert received == [None, datetime(2026, 3, 2, 10, tzinfo=UTC)]


def test_poison_reaches_the_dead_letter_topic_and_table_untouched() -> None:
    value = b'{"type": "\xff'
    drive = Drive([GOOD, value, GOOD.replace(b": 5", b": 6")], sink_of())
    drive.take(3)
    batch = drive.worker.prepare(drive.now_ms)
    assert batch is not None
    drive.worker.write(batch)

    (sent,) = batch.outgoing
    assert (sent.topic, sent.key, sent.value) == ("charging.events.dlq", b"k", value)
    headers = dict(sent.headers)
    assert headers["reason"] == b"not_json"
    assert (headers["source_topic"], headers["source_partition"]) == (b"charging.events", b"0")
    assert (headers["source_offset"], headers["source_index"]) == (b"1", b"-1")
    (row,) = drive.sink.tables["dead_letters"].values()
    assert (row["reason"], row["size_bytes"], row["kafka_offset"]) == ("not_json", 11, 1)
    assert len(drive.sink.tables["events"]) == 2


def test_all_poison_at_once_in_one_worker_leaves_every_good_event() -> None:
    values: list[bytes | None] = []
    for i, (bad, _, _) in enumerate(POISON.values()):
        values += [but(import_wh=i), bad]
    drive = Drive(values, sink_of())
    drive.finish()

    assert len(drive.sink.tables["events"]) == len(POISON)
    assert len(drive.sink.tables["dead_letters"]) == len(POISON)


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(datetime(1901, 1, 2), datetime(2282, 12, 30), timezones=ZONES)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def floor_ms(moment: datetime) -> int:
    """Epoch ms by arithmetic of exact time differences."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


@settings(max_examples=300)
@given(st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2282, 12, 31)), min_size=1))
@example([datetime(2024, 2, 29, 23, 59, 59, 999_000), datetime(2000, 2, 29), datetime(2100, 3, 1)])
@example([datetime(2026, 12, 31), datetime(2026, 1, 1), datetime(1971, 1, 1)])
def test_times_of_the_usual_form_are_what_the_calendar_says(moments: list[datetime]) -> None:
    texts = [m.isoformat(timespec="milliseconds") + "Z" for m in moments]

    assert parse_times(texts) == [floor_ms(m.replace(tzinfo=UTC)) for m in
                                  (datetime.fromisoformat(t[:-1]) for t in texts)]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(MOMENTS, min_size=1, max_size=5), st.sampled_from(["seconds", "microseconds"]))
def test_times_of_any_zone_and_precision_are_what_the_library_says(
    moments: list[datetime], precision: str
) -> None:
    texts = [m.isoformat(timespec=precision) for m in moments]

    assert parse_times(texts) == [floor_ms(datetime.fromisoformat(t)) for t in texts]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-02-29T00:00:00.000Z", "2024-02-29T00:00:00+00:00"),
        ("2026-03-02T10:00:00Z", "2026-03-02T10:00:00.000Z"),
        ("2026-03-02T15:45:00.000+05:45", "2026-03-02T10:00:00.000Z"),
        ("2026-03-02T10:00:00.0009999Z", "2026-03-02T10:00:00.000Z"),
    ],
)
def test_forms_of_one_instant_are_one_time(text: str, same: str) -> None:
    assert parse_times([text]) == parse_times([same])


@pytest.mark.parametrize(
    "text",
    ["2023-02-29T00:00:00.000Z", "2100-02-29T00:00:00.000Z", "2026-13-01T00:00:00.000Z",
     "2026-00-01T00:00:00.000Z", "2026-01-00T00:00:00.000Z", "2026-04-31T00:00:00.000Z",
     "2026-01-01T00:60:00.000Z", "2026-01-01T00:00:00.00٣Z", "٢026-01-01T00:00:00.000Z"],
)  # fmt: skip
def test_an_impossible_time_is_refused_alone_and_beside_others(text: str) -> None:
    usual = "2026-03-02T10:00:00.000Z"

    for texts in ([text], [usual, text], [text, usual]):
        bad = parse_times(texts)[texts.index(text)]
        assert isinstance(bad, Rejection)
        assert bad.reason is Reason.INVALID_FIELD


def test_the_recursion_limit_is_left_as_it_was() -> None:
    before = sys.getrecursionlimit()
    decoded([b"[" * 100_000])

    assert sys.getrecursionlimit() == before
