"""Times of rows: formats, zones and clock changes, against the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.rows.times import (
    REPEATED_HOUR,
    SPRING_GAP,
    parse_moment,
    parse_zone,
    swap_day_and_month,
    to_utc,
)

LONDON = parse_zone("Europe/London")


def utc(text: str) -> int:
    return round(datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


@pytest.mark.parametrize(
    ("parts", "formats", "expected"),
    [
        (["Wed, 25 Apr 2018 13:08:04 GMT"], ["%a, %d %b %Y %H:%M:%S GMT"], "2018-04-25T13:08:04"),
        (["25-04-2018 13:08"], ["%d-%m-%Y %H:%M"], "2018-04-25T13:08:00"),
        (["4/25/2018 1:08 PM"], ["%m/%d/%Y %I:%M %p"], "2018-04-25T13:08:00"),
        (["25 April 2018", "13:08"], ["%d %B %Y %H:%M"], "2018-04-25T13:08:00"),
        (["25.04.2018"], ["%Y-%m-%d", "%d.%m.%Y"], "2018-04-25T00:00:00"),
        (["2018-04-25 13:08:04"], ["iso"], "2018-04-25T13:08:04"),
        (["43215.5"], ["excel"], "2018-04-25T12:00:00"),
        (["43215", "0.5472222222222222"], ["excel"], "2018-04-25T13:08:00"),
        ([datetime(2018, 4, 25), time(13, 8)], ["iso"], "2018-04-25T13:08:00"),
        ([datetime(2018, 4, 25), "13:08"], ["iso"], "2018-04-25T13:08:00"),
        ([date(2018, 4, 25), "1:08 PM"], ["%Y-%m-%d %I:%M %p"], "2018-04-25T13:08:00"),
        ([datetime(2018, 4, 25, 13, 8)], ["%d.%m.%Y"], "2018-04-25T13:08:00"),
    ],
)
def test_a_time_is_read_in_the_first_format_that_fits(
    parts: list[object], formats: list[str], expected: str
) -> None:
    assert parse_moment(parts, formats).isoformat() == expected


@pytest.mark.parametrize(
    ("text", "time_format"),
    [
        ("1524661684", "epoch_s"),
        ("1524661684000", "epoch_ms"),
        ("2018-04-25T13:08:04Z", "iso"),
        ("2018-04-25T15:08:04+02:00", "iso"),
        ("25/04/2018 15:08:04 +0200", "%d/%m/%Y %H:%M:%S %z"),
    ],
)
def test_a_time_that_says_its_zone_needs_none(text: str, time_format: str) -> None:
    moment = parse_moment([text], [time_format])

    assert to_utc(moment, LONDON) == (utc("2018-04-25T13:08:04"), ())


@pytest.mark.parametrize("text", ["31/02/2018", "", "soon", "99999999999999999999999", "inf"])
def test_what_is_no_time_is_refused_naming_the_formats(text: str) -> None:
    with pytest.raises(ValueError, match="none of the formats"):
        parse_moment([text], ["%d/%m/%Y", "epoch_s", "excel"])


@pytest.mark.parametrize(
    ("name", "offset_hours"), [("UTC", 0), ("z", 0), ("+01:00", 1), ("-0530", -5.5), ("GMT+2", 2)]
)
def test_a_fixed_offset_is_a_zone(name: str, offset_hours: float) -> None:
    expected = timezone(timedelta(hours=offset_hours))

    assert datetime(2020, 1, 1, tzinfo=parse_zone(name)) == datetime(2020, 1, 1, tzinfo=expected)


@pytest.mark.parametrize("name", ["Europe/Londn", "", "../etc/passwd", "+99:00", "BSTX"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        parse_zone(name)


def test_the_repeated_hour_is_read_the_first_time_it_comes() -> None:
    ms, flags = to_utc(datetime(2017, 10, 29, 1, 30), LONDON)

    assert (ms, flags) == (utc("2017-10-29T00:30:00"), (REPEATED_HOUR,))


def test_the_repeated_hour_is_read_the_second_time_where_else_the_end_precedes_the_start() -> None:
    start, _ = to_utc(datetime(2017, 10, 29, 1, 50), LONDON)

    assert to_utc(datetime(2017, 10, 29, 1, 10), LONDON, start)[0] == utc("2017-10-29T01:10:00")
    assert to_utc(datetime(2017, 10, 29, 1, 55), LONDON, start)[0] == utc("2017-10-29T00:55:00")


def test_an_end_that_is_wrong_either_way_is_not_moved() -> None:
    start = utc("2017-10-29T05:00:00")

    assert to_utc(datetime(2017, 10, 29, 1, 10), LONDON, start)[0] == utc("2017-10-29T00:10:00")


def test_a_time_in_the_spring_gap_is_read_with_the_offset_before_and_flagged() -> None:
    ms, flags = to_utc(datetime(2018, 3, 25, 1, 30), LONDON)

    assert (ms, flags) == (utc("2018-03-25T01:30:00"), (SPRING_GAP,))


def test_british_standard_time_of_1970_is_an_hour_ahead() -> None:
    assert to_utc(datetime(1970, 1, 1, 1, 0), LONDON)[0] == 0


def test_a_time_without_any_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no zone"):
        to_utc(datetime(2018, 1, 1), None)


def test_a_time_at_the_edge_of_the_calendar_is_no_crash() -> None:
    with pytest.raises(ValueError, match="calendar"):
        to_utc(datetime.min, parse_zone("+05:00"))


@given(st.datetimes())
def test_swapping_day_and_month_twice_changes_nothing(moment: datetime) -> None:
    swapped = swap_day_and_month(moment)

    assert swap_day_and_month(swapped) == moment
    assert (swapped == moment) == (moment.day > 12 or moment.day == moment.month)


@given(st.datetimes(min_value=datetime(1975, 1, 1), max_value=datetime(2035, 1, 1)))
def test_outside_clock_changes_a_local_time_comes_back(moment: datetime) -> None:
    ms, flags = to_utc(moment, LONDON)
    back = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
    kept = moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    assert flags == (SPRING_GAP,) or back.astimezone(LONDON).replace(tzinfo=None) == kept
