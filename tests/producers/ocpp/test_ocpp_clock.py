"""Times: what chargers write, and what their clocks do (domain-rules 2.5 rows 24-26)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.ocpp.clock import parse_time
from tests.producers.ocpp.ocpp_builders import (
    call,
    events,
    line,
    meter,
    one,
    read,
    start,
    status,
    stop,
)

NOON = 1772366400000
"""2026-03-01T12:00:00Z."""


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T12:00:00z", NOON),
        ("2026-03-01t12:00:00Z", NOON),
        ("2026-03-01 12:00:00Z", NOON),
        ("2026-03-01T12:00:00 Z", NOON),
        ("2026-03-01T12:00:00 UTC", NOON),
        ("2026-03-01T12:00Z", NOON),
        ("20260301T120000Z", NOON),
        ("2026-3-1T12:00:00Z", NOON),
        ("2026-03-01T15:00:00+03", NOON),
        ("2026-03-01T15:00:00+0300", NOON),
        ("2026-03-01T15:00:00+03:00", NOON),
        ("2026-03-01T06:30:00-05:30", NOON),
        ("2026-03-01T12:00:00.5Z", NOON + 500),
        ("2026-03-01T12:00:00,25Z", NOON + 250),
        ("2026-03-01T12:00:00.123456789Z", NOON + 123),
        ("2026-03-01T12:00:00.9999999Z", NOON + 999),
        ("2026-03-01T11:59:60Z", NOON),
        ("  2026-03-01T12:00:00Z ", NOON),
    ],
)
def test_every_way_to_write_noon_is_noon(text: str, ms: int) -> None:
    assert parse_time(text) == (ms, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-03-01",
        "2026-02-30T12:00:00Z",
        "2026-03-01T25:00:00Z",
        "2026-03-01T12:00:61Z",
        "2026-03-01T12:00:00+25:00",
        "0000-00-00T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "２０２６-03-01T12:00:00Z",
        "9" * 10_000,
        None,
        1772366400,
        ["2026-03-01T12:00:00Z"],
    ],
)
def test_what_is_no_time_is_none(text: object) -> None:
    assert parse_time(text) is None


@given(
    moment=st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1)),
    minutes=st.integers(-14 * 60, 14 * 60),
)
def test_any_iso_time_with_an_offset_is_read_as_the_standard_library_reads_it(
    moment: datetime, minutes: int
) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    exact = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

    assert parse_time(aware.isoformat()) == (exact, False)


def test_a_naive_time_is_utc_and_flagged() -> None:
    event = one(status("Available", "2026-03-01T12:00:00"))

    assert (event.timestamp, event.flags) == ("2026-03-01T12:00:00.000Z", ("timestamp_naive",))


@pytest.mark.parametrize("zone", ["Europe/Zurich", ZoneInfo("Europe/Zurich"), "+01:00"])
def test_a_naive_time_is_local_where_the_zone_of_the_station_is_told(zone: object) -> None:
    (outcome,) = read(
        [line(status("Available", "2026-03-01T12:00:00"))], station_zones={"CP1": zone}
    )

    assert outcome.events[0].timestamp == "2026-03-01T11:00:00.000Z"
    assert outcome.events[0].flags == ("timestamp_naive",)


@pytest.mark.parametrize("stamp", ["1970-01-01T00:00:00.740Z", "2000-01-01T00:03:00Z"])
def test_an_unset_clock_takes_the_receipt(stamp: str) -> None:
    event = one(status("Available", stamp), received_at="2026-03-01T12:00:00Z")

    assert (event.timestamp, event.flags) == ("2026-03-01T12:00:00.000Z", ("clock_bad",))


def test_an_unset_clock_keeps_its_stamp_where_the_receipt_is_unknown() -> None:
    event = one(status("Available", "1970-01-01T00:00:00.740Z"))

    assert (event.timestamp, event.flags) == ("1970-01-01T00:00:00.740Z", ("clock_bad",))


def test_a_stamp_more_than_a_day_ahead_takes_the_receipt() -> None:
    event = one(status("Available", "2026-03-02T12:00:01Z"), received_at="2026-03-01T12:00:00Z")

    assert (event.timestamp, event.flags) == ("2026-03-01T12:00:00.000Z", ("clock_bad",))


def test_an_unreadable_stamp_takes_the_receipt() -> None:
    event = one(start(timestamp="now"), received_at="2026-03-01T12:00:00Z")

    assert event.timestamp == "2026-03-01T12:00:00.000Z"
    assert event.flags == ("timestamp_unreadable", "start_unanswered")


@pytest.mark.parametrize(
    ("stamp", "shown"),
    [
        ("2026-03-01T13:00:30Z", "2026-03-01T12:00:30.000Z"),
        ("2026-03-01T17:31:00Z", "2026-03-01T12:01:00.000Z"),
        ("2026-03-01T12:13:10Z", "2026-03-01T11:58:10.000Z"),
    ],
)
def test_local_time_stamped_z_lies_ahead_by_quarters_and_is_corrected(
    stamp: str, shown: str
) -> None:
    event = one(status("Available", stamp), received_at="2026-03-01T12:00:00Z")

    assert (event.timestamp, event.flags) == (shown, ("clock_corrected",))


@pytest.mark.parametrize("stamp", ["2026-03-01T12:00:03Z", "2026-03-01T12:05:00Z"])
def test_a_small_skew_is_left_alone(stamp: str) -> None:
    event = one(status("Available", stamp), received_at="2026-03-01T12:00:00Z")

    assert (event.timestamp, event.flags) == (f"{stamp[:-1]}.000Z", ())


def test_a_clock_ahead_by_no_quarter_is_left_alone_and_flagged() -> None:
    event = one(status("Available", "2026-03-01T12:37:00Z"), received_at="2026-03-01T12:00:00Z")

    assert (event.timestamp, event.flags) == ("2026-03-01T12:37:00.000Z", ("clock_ahead",))


def test_a_backlog_is_late_and_not_wrong() -> None:
    event = one(stop(timestamp="2026-03-01T09:00:00Z"), received_at="2026-03-01T12:00:00Z")

    assert (event.timestamp, event.flags) == ("2026-03-01T09:00:00.000Z", ())


def test_a_known_offset_also_corrects_a_queued_message_of_the_same_boot() -> None:
    live = line(status("Available", "2026-03-01T14:00:00Z"), received_at="2026-03-01T12:00:00Z")
    queued = line(stop(timestamp="2026-03-01T08:07:00Z"), received_at="2026-03-01T12:00:01Z")
    boot = line(call("BootNotification", {}))
    after = line(stop(timestamp="2026-03-01T08:07:00Z"), received_at="2026-03-01T12:00:02Z")
    _, late, _, fresh = read([live, queued, boot, after])

    assert late.events[0].timestamp == "2026-03-01T06:07:00.000Z"
    assert fresh.events[0].timestamp == "2026-03-01T08:07:00.000Z"


def test_a_clock_that_is_set_right_again_is_believed_again() -> None:
    wrong = line(status("Available", "2026-03-01T13:00:00Z"), received_at="2026-03-01T12:00:00Z")
    right = line(status("Preparing", "2026-03-01T12:01:00Z"), received_at="2026-03-01T12:01:00Z")

    assert read([wrong, right])[1].events[0].flags == ()


@pytest.mark.parametrize("receipt", [True, False])
def test_statuses_right_after_a_boot_show_an_offset_of_either_sign(receipt: bool) -> None:
    more = {"received_at": "2026-03-01T12:00:02Z"} if receipt else {}
    answer = [3, "b", {"currentTime": "2026-03-01T12:00:00Z", "status": "Accepted"}]
    frames = [
        call("BootNotification", {}, "b"),
        answer,
        status("Available", "2026-03-01T07:00:05Z", connector=1),
        status("Preparing", "2026-03-01T07:00:06Z", connector=2),
        stop(timestamp="2026-03-01T07:30:00Z"),
    ]
    found = events(*frames, **more)

    assert [each.timestamp for each in found] == [
        "2026-03-01T07:00:05.000Z",
        "2026-03-01T12:00:06.000Z",
        "2026-03-01T12:30:00.000Z",
    ]
    assert "clock_corrected" in found[2].flags


def test_one_old_status_after_a_boot_proves_nothing() -> None:
    frames = [
        call("BootNotification", {}, "b"),
        status("Available", "2026-03-01T07:00:05Z", connector=1),
        status("Faulted", "2026-02-27T18:22:06Z", connector=2),
    ]

    assert [each.flags for each in events(*frames, received_at="2026-03-01T12:00:00Z")] == [(), ()]


def test_all_stamps_of_a_corrected_message_are_corrected() -> None:
    values = [
        {"timestamp": stamp, "sampledValue": [{"value": "1"}]}
        for stamp in ("2026-03-01T13:45:00Z", "2026-03-01T14:00:00Z")
    ]
    found = events(meter(meterValue=values), received_at="2026-03-01T12:00:10Z")

    assert [each.timestamp[11:16] for each in found] == ["11:45", "12:00"]
