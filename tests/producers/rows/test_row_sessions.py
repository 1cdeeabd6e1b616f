"""What rows of many shapes become, each with a mapping of its own and no code."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.rows.importer import read_files
from producers.rows.sessions import DATE_REPAIRED, FROM_DURATION, FROM_ROW, NEXT_DAY
from producers.rows.times import REPEATED_HOUR
from schemas import wire
from schemas.errors import LaddstreamError, MappingError
from schemas.events import EVENT_ADAPTER
from tests.producers.rows.row_helpers import BASIC, business, mapping_of, only, read_text

HEAD = "station,start,end,kwh\n"
ROW = "A,2020-01-01 10:00,2020-01-01 11:00,7.5\n"
EASTERN = BASIC.replace('"UTC"', '"America/New_York"')


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


def test_a_row_becomes_a_start_and_a_stop(tmp_path: Path) -> None:
    found = read_text(tmp_path, HEAD + ROW, mapping_of())
    start, stop = found.events("t")

    assert json.loads(wire.encode(start)) == {
        "type": "session_started",
        "tenant": "t",
        "station_id": "A",
        "protocol": "import",
        "timestamp": "2020-01-01T10:00:00.000Z",
        "transaction_id": "20200101T100000Z/20200101T110000Z/7500",
        "meter_start_wh": 0,
    }
    assert isinstance(stop, wire.SessionEnded)
    assert (stop.timestamp, stop.meter_stop_wh, stop.energy_wh) == (
        "2020-01-01T11:00:00.000Z",
        7500,
        7500,
    )


def test_a_row_without_an_end_is_a_start_and_nothing_more(tmp_path: Path) -> None:
    found = read_text(tmp_path, HEAD + "A,2020-01-01 10:00,,7.5\n", mapping_of())

    assert [type(event) for event in found.events("t")] == [wire.SessionStarted]
    assert (found.without_end, found.event_count) == (1, 1)


def test_a_row_with_an_end_and_no_energy_ends_with_no_register(tmp_path: Path) -> None:
    found = read_text(tmp_path, HEAD + "A,2020-01-01 10:00,2020-01-01 11:00,NA\n", mapping_of())
    _, stop = found.events("t")

    assert isinstance(stop, wire.SessionEnded)
    assert (stop.meter_stop_wh, stop.energy_wh, found.without_energy) == (None, None, 1)


def test_negative_energy_goes_out_as_it_is_unless_the_mapping_clips_it(tmp_path: Path) -> None:
    text = HEAD + "A,2020-01-01 10:00,2020-01-01 11:00,-0.5\n"
    clip = 'repairs = ["negative_energy_to_zero"]\n' + BASIC

    assert only(read_text(tmp_path, text, mapping_of())).energy_wh == -500
    assert only(read_text(tmp_path, text, mapping_of(clip))).energy_wh == 0


def test_header_names_match_whatever_their_case_blanks_and_underscores(tmp_path: Path) -> None:
    text = "\ufeff_ID,CP_Id,START  date,Total-kWh\n1,A,2020-01-01,1\n"
    mapping = mapping_of(
        'name="n"\nzone="UTC"\nstation="cp id"\nstart="Start Date"\nenergy="total_kwh"'
    )

    assert only(read_text(tmp_path, text, mapping)).energy_wh == 1000


def test_two_columns_of_one_name_are_told_apart_by_number(tmp_path: Path) -> None:
    text = "id,date,time,date,time\nA,2020-01-01,10:00,2020-01-02,11:00\n"
    base = 'name="n"\nzone="UTC"\nstation="id"\n'
    mapping = mapping_of(base + 'start=["date#1","time#1"]\nend=["date#2","time#2"]')

    session = only(read_text(tmp_path, text, mapping))

    assert session.end is not None
    assert (session.start.ms, session.end.ms) == (ms("2020-01-01T10:00"), ms("2020-01-02T11:00"))
    with pytest.raises(MappingError, match="2 columns 'date': write 'date#1'"):
        read_text(tmp_path, text, mapping_of(base + 'start="date"'))


def test_a_missing_column_is_answered_with_the_likely_one(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"start: .* no column 'start': did you mean 'startt'"):
        read_text(tmp_path, "station,startt,end,kwh\n", mapping_of())


def test_an_alias_finds_the_column_under_its_other_name(tmp_path: Path) -> None:
    mapping = mapping_of(BASIC, '[aliases]\nstation = ["charger"]\n')

    assert (
        only(read_text(tmp_path, HEAD.replace("station", "Charger") + ROW, mapping)).station == "A"
    )


def test_the_workplace_study_needs_a_mapping_only(tmp_path: Path) -> None:
    text = (
        "sessionId,kwhTotal,dollars,created,ended,chargeTimeHrs,userId,stationId,locationId\n"
        "1366563,7.78,0.58,0014-11-18 15:40:26,0014-11-18 17:11:04,1.510556,35897499,5828,4616\n"
    )
    mapping = mapping_of("""
name = "workplace"
zone = "America/New_York"
station = "stationId"
transaction = "sessionId"
user = "userId"
area = "locationId"
start = { column = "created", replace = [["^00", "20"]] }
end = { column = "ended", replace = [["^00", "20"]] }
energy = "kwhTotal"
paid = "dollars"
currency = { value = "USD" }
""")
    session = only(read_text(tmp_path, text, mapping))

    assert (session.start.ms, session.end and session.end.ms) == (
        ms("2014-11-18T20:40:26"),
        ms("2014-11-18T22:11:04"),
    )
    assert (session.paid, session.currency, session.user, session.transaction_id) == (
        "0.58",
        "USD",
        "35897499",
        "1366563",
    )


def test_a_duration_in_words_of_its_own_stands_for_the_end(tmp_path: Path) -> None:
    base = 'name="n"\nzone="UTC"\nstation="s"\nstart={column="t",formats=["%m/%d/%Y %I:%M %p"]}\n'
    text = "s,t,d\nA,07/29/2011 08:17 PM,{}\n"
    end = ms("2011-07-29T21:47:00")

    for cell, unit in (("1:30:00", "hms"), ("90", "min"), ("1.5", "h"), ("5400", "s")):
        mapping = mapping_of(base + f'duration={{column="d",unit="{unit}"}}')
        session = only(read_text(tmp_path, text.format(cell), mapping))
        assert session.end is not None
        assert session.end.ms == end


def test_a_duration_serves_where_the_end_is_missing(tmp_path: Path) -> None:
    mapping = mapping_of(BASIC, 'duration = { column = "d", unit = "min" }')
    text = (
        "station,start,end,kwh,d\n"
        "A,2020-01-01 10:00,,1,30\nB,2020-01-01 10:00,2020-01-01 11:00,1,30\n"
    )
    ends = {each.station: each.end for each in read_text(tmp_path, text, mapping).sessions}

    assert [end.ms for end in ends.values() if end] == [
        ms("2020-01-01T10:30"),
        ms("2020-01-01T11:00"),
    ]


def test_registers_at_both_ends_give_the_energy(tmp_path: Path) -> None:
    mapping = mapping_of(
        BASIC.replace('{ column = "kwh", optional = true }', '{column="b", minus="a", unit="Wh"}')
    )
    text = "station,start,end,a,b\nA,2020-01-01 10:00,2020-01-01 11:00,1000,3500\n"

    assert only(read_text(tmp_path, text, mapping)).energy_wh == 2500


def test_charging_times_of_the_row_become_marked_events(tmp_path: Path) -> None:
    mapping = mapping_of(BASIC, 'charging_start = "c1"\ncharging_end = "c2"')
    text = (
        "station,start,end,kwh,c1,c2\n"
        "A,2020-01-01 10:00,2020-01-01 12:00,5,2020-01-01 10:10,2020-01-01 11:00\n"
    )
    events = list(read_text(tmp_path, text, mapping).events("t"))

    assert [
        (type(each).__name__, each.timestamp[11:16], getattr(each, "charging_state", None))
        for each in events
    ] == [
        ("SessionStarted", "10:00", "EVConnected"),
        ("ChargingStateChanged", "10:10", "Charging"),
        ("ChargingStateChanged", "11:00", "SuspendedEV"),
        ("SessionEnded", "12:00", None),
    ]
    assert [each.flags for each in events] == [(), (FROM_ROW,), (FROM_ROW,), ()]


def test_a_charging_time_is_laid_at_the_start_and_says_so(tmp_path: Path) -> None:
    mapping = mapping_of(BASIC, 'charging_duration = { column = "c", unit = "h" }')
    text = "station,start,end,kwh,c\nA,2020-01-01 10:00,2020-01-01 12:00,5,0.5\n"
    _, done, _ = read_text(tmp_path, text, mapping).events("t")

    assert (done.timestamp, done.flags) == ("2020-01-01T10:30:00.000Z", (FROM_DURATION,))


def test_zones_may_stand_in_the_rows(tmp_path: Path) -> None:
    mapping = mapping_of('zone_column = "tz"\n' + BASIC)
    text = (
        "station,start,end,kwh,tz\n"
        "A,2020-01-01 10:00,,,Asia/Tokyo\nB,2020-01-01 10:00,,,-05:00\n"
        "C,2020-01-01 10:00,,,\nD,2020-01-01 10:00,,,Mars\n"
    )
    found = read_text(tmp_path, text, mapping)

    assert {each.station: each.start.ms for each in found.sessions} == {
        "A": ms("2020-01-01T01:00"),
        "B": ms("2020-01-01T15:00"),
        "C": ms("2020-01-01T10:00"),
    }
    assert [(fault.line, fault.column) for fault in found.faults] == [(5, "tz")]


def test_a_session_over_the_end_of_summer_time_keeps_its_length(tmp_path: Path) -> None:
    text = HEAD + "A,2020-11-01 01:50,2020-11-01 01:10,2\n"
    session = only(read_text(tmp_path, text, mapping_of(EASTERN)))

    assert session.end is not None
    assert session.end.ms - session.start.ms == 20 * 60_000
    assert session.end.flags == (REPEATED_HOUR,)


def test_swapped_dates_are_swapped_back_and_flagged(tmp_path: Path) -> None:
    mapping = mapping_of('repairs = ["swap_day_month_when_ambiguous"]\n' + BASIC)
    text = HEAD + "A,2017-12-06 10:00,2017-06-13 09:00,1\n"
    session = only(read_text(tmp_path, text, mapping))

    assert (session.start.ms, session.start.flags) == (ms("2017-06-12T10:00"), (DATE_REPAIRED,))
    assert session.end is not None
    assert (session.end.ms, session.end.flags) == (ms("2017-06-13T09:00"), ())


def test_an_end_before_its_start_is_left_unless_the_mapping_says_next_day(tmp_path: Path) -> None:
    text = "station,start,day,until\nA,2020-01-01 23:00,2020-01-01,01:00\n"
    base = BASIC.split("end =")[0] + 'end = ["day", "until"]\n'
    as_it_is = only(read_text(tmp_path, text, mapping_of(base))).end
    repaired = only(
        read_text(tmp_path, text, mapping_of('repairs = ["end_before_start_is_next_day"]\n' + base))
    ).end

    assert as_it_is is not None
    assert as_it_is.ms == ms("2020-01-01T01:00")
    assert repaired is not None
    assert (repaired.ms, repaired.flags) == (ms("2020-01-02T01:00"), (NEXT_DAY,))


def test_values_replacements_and_defaults_shape_any_text(tmp_path: Path) -> None:
    mapping = mapping_of(
        BASIC.replace('station = "station"', 'station = ["site", "station"]'),
        'connector = { column = "plug", values = { Left = "1" }, replace = [["^Socket ", ""]], '
        'default = "9" }\nuser = { column = "card", default = "walk-in" }\n',
    )
    text = (
        "site,station,start,plug,card\n"
        "N,1,2020-01-01,Left,x\nN,2,2020-01-01,Socket 3,\nN,3,2020-01-01,,y\nN,4,2020-01-01,A,y\n"
    )
    found = read_text(tmp_path, text, mapping)

    assert [(each.station, each.connector, each.user) for each in found.sessions] == [
        ("N/1", 1, "x"),
        ("N/2", 3, "walk-in"),
        ("N/3", 9, "y"),
    ]
    assert [(fault.line, fault.column) for fault in found.faults] == [(5, "plug")]


def test_rows_are_left_out_by_rule_and_counted(tmp_path: Path) -> None:
    mapping = mapping_of(
        BASIC,
        """
[[skip]]
column = "station"
matches = "(?i)^total"
reason = "summary row"
[[skip]]
column = "kwh"
below = 0.1
reason = "attempt"
[[skip]]
column = "kind"
one_of = ["public", "staff"]
negate = true
reason = "neither public nor staff"
[[skip]]
column = "start"
missing = true
reason = "no start"
""",
    )
    text = (
        "station,start,end,kwh,kind\n"
        "A,2020-01-01,,5,public\nB,2020-01-01,,0.05,staff\nC,2020-01-01,,5,test\n"
        "D,,,5,Staff\nTOTAL,,,15.05,\n"
    )
    found = read_text(tmp_path, text, mapping)

    assert [each.station for each in found.sessions] == ["A"]
    assert found.skipped == {
        "attempt": 1,
        "neither public nor staff": 1,
        "no start": 1,
        "summary row": 1,
    }
    assert (found.rows, found.faults) == (5, [])


def test_each_bad_row_is_named_with_line_column_and_reason_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    mapping = mapping_of(BASIC, 'paid = "fee"\ncurrency = { column = "cur" }\nuser = "user"\n')
    lines = [
        "station,start,end,kwh,fee,cur,user",
        "A,2020-01-01 10:00,2020-01-01 11:00,1,2,EUR,Ærøskøbing",
        "A,yesterday,2020-01-01 11:00,1,2,EUR,u",
        "A,2020-01-01 12:00,2020-01-01 13:00,lots,2,EUR,u",
        ",2020-01-01 12:00,2020-01-01 13:00,1,2,EUR,u",
        "A,2020-01-01 12:00,2020-01-01 13:00,1,2,euros,u",
        "A,2020-01-01 12:00,2020-01-01 13:00,1,2,,u",
        "A,2020-01-01 12:00",
        "A,2020-01-01 12:00,2020-01-01 13:00,1e20,2,EUR,u",
        "A,2020-01-01 12:00,2020-01-01 13:00,1,2,EUR,u\x07",
        "A,2020-01-01 14:00,2020-01-01 15:00,1,2,EUR,\udce4",
        "A,2020-01-01 16:00,2020-01-01 17:00,1,,,u",
    ]
    content = "\n".join(lines).encode("utf-8", "surrogateescape")
    found = read_text(tmp_path, content, mapping)

    assert [place.line for place in found.sessions.values()] == [2, 12]
    assert found.rows == 11
    assert [(fault.line, fault.column) for fault in found.faults] == [
        (3, "start"),
        (4, "kwh"),
        (5, "station"),
        (6, "cur"),
        (7, "cur"),
        (8, "end"),
        (9, "kwh"),
        (10, "user"),
        (11, "user"),
    ]


def test_json_paths_and_nulls_are_read(tmp_path: Path) -> None:
    text = (
        '{"data": {"rows": [{"Station": {"id": 7}, "t": {"from": 1577872800, "to": 1577876400},'
        ' "wh": 1500.5, "user": null}, {"t": {}}, 5]}}'
    )
    mapping = mapping_of("""
name = "nested"
formats = ["epoch_s"]
source = { records = "data.rows" }
station = "station.id"
start = "t.from"
end = "t.to"
energy = { column = "wh", unit = "Wh" }
user = "user"
""")
    found = read_text(tmp_path, text, mapping, "f.json")
    (session,) = found.sessions

    assert (session.station, session.user, session.energy_wh) == ("7", None, 1501)
    assert session.start.ms == ms("2020-01-01T10:00")
    assert [(fault.line, fault.column, fault.reason) for fault in found.faults] == [
        (2, "t.from", "is missing"),
        (3, "t.from", "is missing"),
    ]


def test_a_path_no_record_has_is_answered_with_the_likely_one(tmp_path: Path) -> None:
    mapping = mapping_of('name="n"\nformats=["epoch_s"]\nstation="id"\nstart="t.form"')

    with pytest.raises(MappingError, match=r"'t.form': did you mean 't.from'"):
        read_text(tmp_path, '[{"id": 1, "t": {"from": 1}}]', mapping, "f.json")


def test_a_workbook_gives_the_same_events_as_its_text(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["station", "start", "end", "kwh"])
    sheet.append([7, datetime(2020, 1, 1, 10, 0), datetime(2020, 1, 1, 11, 0), 7.5])
    sheet.append([7, 43831.5, 43831.75, 2])
    book.save(tmp_path / "f.xlsx")
    mapping = mapping_of('formats = ["iso", "excel"]\n' + BASIC)
    text = HEAD + "7,2020-01-01 10:00,2020-01-01 11:00,7.5\n7,2020-01-01 12:00,2020-01-01 18:00,2\n"

    from_sheet = read_files([tmp_path / "f.xlsx"], mapping)
    from_text = read_text(tmp_path, text, mapping)

    assert from_sheet.faults == []
    assert [business(each) for each in from_sheet.events("t")] == [
        business(each) for each in from_text.events("t")
    ]


def test_rows_that_one_id_does_not_tell_apart_are_a_finding(tmp_path: Path) -> None:
    mapping = mapping_of(BASIC, 'transaction = "@start"')
    other = ROW.replace("7.5", "8.5")
    found = read_text(tmp_path, HEAD + ROW + other + ROW, mapping)
    (clash,) = found.clashes()

    assert (clash.station, clash.transaction_id) == ("A", "20200101T100000Z")
    assert [place.line for place in clash.places] == [2, 3]
    assert (found.rows, len(found.sessions), found.repeated) == (3, 2, 1)


def test_a_transaction_id_may_be_made_of_columns_and_times(tmp_path: Path) -> None:
    mapping = mapping_of(BASIC, 'transaction = { columns = ["kwh", "@start"], separator = "-" }')

    assert only(read_text(tmp_path, HEAD + ROW, mapping)).transaction_id == "7.5-20200101T100000Z"


FUZZED = mapping_of(
    BASIC.replace('"UTC"', '"Europe/London"'),
    'connector = { column = "plug", optional = true }\n'
    'duration = { column = "span", unit = "hms", optional = true }\n'
    'charging_end = { column = "done", optional = true, formats = ["excel", "epoch_s", "iso"] }\n'
    'paid = { column = "fee", optional = true }\ncurrency = { value = "EUR" }\n',
)
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["2020-03-29 01:30", "0001-01-01", "9999-12-31 23:59", "1e30", "-1", "1:00", '"', "\x00"]
    ),
    st.from_regex(r"[0-9.,:T\- ]{0,16}"),
)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=9), max_size=6))
def test_any_table_is_read_to_the_end_and_every_event_is_of_the_contract(
    rows: list[list[str]],
) -> None:
    head = "station,start,end,kwh,plug,span,done,fee\n"
    text = head + "".join(",".join(row) + "\n" for row in rows)
    with TemporaryDirectory() as folder:
        try:
            found = read_text(Path(folder), text.encode("utf-8", "replace"), FUZZED)
        except LaddstreamError:
            return

    for event in found.events("t"):
        EVENT_ADAPTER.validate_json(wire.encode(event))


@given(st.binary(max_size=300), st.sampled_from(["f.csv", "f.json", "f.jsonl", "f.xlsx"]))
def test_any_bytes_are_read_or_refused_in_one_sentence(content: bytes, name: str) -> None:
    with TemporaryDirectory() as folder, suppress(LaddstreamError):
        read_text(Path(folder), content, FUZZED, name)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["station", "start", "end", "kwh", "x"]), inner)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused_in_one_sentence(value: object) -> None:
    text = json.dumps([{"station": "A", "start": "2020-01-01"}, value])
    with TemporaryDirectory() as folder:
        found = read_text(Path(folder), text, FUZZED, "f.json")

    assert found.rows == 2
    for event in found.events("t"):
        EVENT_ADAPTER.validate_json(wire.encode(event))
