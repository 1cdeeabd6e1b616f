"""CDRs and Sessions: volumes, time stamps, zones, and everything that is missing or odd."""

from __future__ import annotations

import importlib.util
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ocpi.cdrs import SessionDocument, SessionReading, read_session
from streams.core.ocpi.volumes import same_hours
from streams.core.pricing.usage import Flow

_spec = importlib.util.spec_from_file_location(
    "pricing_documents", Path(__file__).parent / "pricing_documents.py"
)
assert _spec is not None
assert _spec.loader is not None
docs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(docs)
cdr = docs.cdr

MIN = 60_000


def sound(raw: Any) -> SessionDocument:
    reading = read_session(raw)
    assert reading.session is not None, reading.findings
    return reading.session


def flows(raw: Any) -> list[Flow]:
    return list(sound(raw).usage.flows())


def codes(reading: SessionReading) -> set[str]:
    return {finding.code for finding in reading.findings}


@pytest.mark.parametrize(
    ("hours", "seconds", "same"),
    [
        ("0.6667", 2400, True),
        ("0.2167", 780, True),
        ("0.0834", 300, True),
        ("1.973", 7103, True),
        ("0.718", 2587, True),
        ("0.7", 2520, True),
        ("2.5", 9000, True),
        ("2.5", 9120, False),
        ("1", 4800, False),
        ("0.0834", 120, False),
        ("0.5", 3600, False),
    ],
)
def test_a_volume_means_the_time_stamps_where_it_agrees_with_them(
    hours: str, seconds: int, same: bool
) -> None:
    assert same_hours(Decimal(hours), seconds * 1000) is same


def test_volumes_become_milliwatt_hours_and_milliseconds() -> None:
    found = flows(
        cdr(
            [("10:00", {"ENERGY": "1.2345678", "TIME": "0.5"}), ("10:30", {"PARKING_TIME": "0.5"})],
            "11:00",
        )
    )
    assert [flow[2:5] for flow in found] == [(1_234_568, 30 * MIN, 0), (0, 0, 30 * MIN)]


def test_charging_and_parking_of_one_period_fill_it_together() -> None:
    found = flows(cdr([("10:00", {"TIME": "0.6667", "PARKING_TIME": "0.3333"})], "11:00"))
    assert (found[0].charging_ms, found[0].parking_ms) == (40 * MIN, 20 * MIN)


def test_a_volume_that_disagrees_counts_and_one_that_exceeds_is_said() -> None:
    less = cdr([("10:00", {"TIME": "0.5"})], "11:00")
    more = cdr([("10:00", {"TIME": "1.5"})], "11:00")
    assert flows(less)[0].charging_ms == 30 * MIN
    assert flows(more)[0].charging_ms == 90 * MIN
    assert "volume_exceeds_time" in codes(read_session(more))
    assert "volume_exceeds_time" not in codes(read_session(less))


def test_power_is_a_trough_and_a_peak() -> None:
    both = {"ENERGY": "1", "POWER": "7", "MAX_POWER": "11", "MIN_CURRENT": "6"}
    flow = flows(cdr([("10:00", both)], "11:00"))[0]
    assert (flow.low_power_mw, flow.high_power_mw) == (7_000_000, 11_000_000)
    assert (flow.low_current_ma, flow.high_current_ma) == (6_000, None)


def test_periods_out_of_order_are_sorted() -> None:
    raw = cdr([("10:00", {"ENERGY": "1"}), ("10:30", {"ENERGY": "2"})], "11:00")
    straight = flows(raw)
    raw["charging_periods"].reverse()
    assert flows(raw) == straight
    assert "unordered_periods" in codes(read_session(raw))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-3-2T9:00:00Z", "sloppy_time"),
        ("2026-03-02T09:00:00.000Z", ""),
        ("2026-03-02T10:00:00+01:00", ""),
        ("2026-03-02T09:00:00", "no_zone"),
        ("2026-03-02 09:00Z", "sloppy_time"),
    ],
)
def test_time_stamps_are_read_as_they_come(text: str, code: str) -> None:
    raw = cdr([("09:00", {"ENERGY": "1"})], "10:00")
    plain = sound(raw).usage.start_ms
    raw["start_date_time"] = raw["charging_periods"][0]["start_date_time"] = text
    reading = read_session(raw)
    assert reading.session is not None
    assert reading.session.usage.start_ms == plain
    assert codes(reading) - {"missing_field"} == ({code} if code else set())


def test_2_1_1_calls_its_times_and_its_location_otherwise() -> None:
    raw = cdr([("10:00", {"ENERGY": "1"})], "11:00")
    cdr_2_1_1 = {**raw, "stop_date_time": raw["end_date_time"], "auth_id": "x", "total_cost": 1}
    cdr_2_1_1["location"] = {"time_zone": "Europe/Oslo"}
    del cdr_2_1_1["end_date_time"], cdr_2_1_1["cdr_location"]
    session = {**cdr_2_1_1, "start_datetime": raw["start_date_time"], "kwh": 1}
    session["end_datetime"] = session.pop("stop_date_time")
    del session["start_date_time"]
    for document in (cdr_2_1_1, session):
        usage = sound(document).usage
        assert usage.zone == ZoneInfo("Europe/Oslo")
        assert usage.end_ms - usage.start_ms == 60 * MIN


def test_the_zone_is_the_locations_else_the_option_else_utc_with_a_warning() -> None:
    raw = cdr([("10:00", {"ENERGY": "1"})], "11:00", cdr_location={"time_zone": "Europe/Oslo"})
    given = ZoneInfo("Asia/Tokyo")
    for place, zone in (({"time_zone": "Europe/Oslo"}, "Europe/Oslo"), ({}, "Asia/Tokyo")):
        reading = read_session({**raw, "cdr_location": place}, given)
        assert reading.session is not None
        assert reading.session.usage.zone.key == zone
    reading = read_session({**raw, "cdr_location": {}})
    assert reading.session is not None
    assert reading.session.usage.zone.key == "UTC"
    assert "no_time_zone" in codes(reading)


def test_fields_that_are_missing_are_named() -> None:
    reading = read_session(cdr([("10:00", {"ENERGY": "1"})], "11:00"))
    missing = {f.pointer for f in reading.findings if f.code == "missing_field"}
    assert {"/total_energy", "/auth_method", "/cdr_token"} <= missing
    assert "/currency" not in missing


def test_a_reservation_stands_before_the_session() -> None:
    raw = cdr([("09:45", {"RESERVATION_TIME": "0.25"}), ("10:00", {"ENERGY": "1"})], "11:00")
    usage = sound(raw).usage
    assert [flow.charging_ms for flow in usage.reservation] == [15 * MIN]
    assert usage.start_ms - usage.reservation[0].start_ms == 15 * MIN
    assert not usage.reservation_expired
    assert sound(cdr([("09:45", {"RESERVATION_TIME": "0.25"})], "10:00")).usage.reservation_expired


def test_without_periods_the_totals_count() -> None:
    raw = cdr([("10:00", {"ENERGY": "1"})], "13:12")
    del raw["charging_periods"]
    raw |= {
        "total_energy": Decimal("5.5"),
        "total_time": Decimal("3.2"),
        "total_parking_time": Decimal("0.7"),
    }
    usage = sound(raw).usage
    assert (usage.energy_mwh, usage.charging_ms, usage.parking_ms) == (
        5_500_000,
        150 * MIN,
        42 * MIN,
    )
    assert "no_charging_periods" in codes(read_session(raw))


def test_several_tariffs_make_several_parts() -> None:
    raw = cdr([("10:00", {"ENERGY": "1"}), ("10:30", {"ENERGY": "2"})], "11:00")
    raw["charging_periods"][1]["tariff_id"] = "b"
    assert [part.tariff_id for part in sound(raw).parts] == ["b"]
    raw["charging_periods"][0]["tariff_id"] = "a"
    parts = [(part.tariff_id, part.usage.energy_mwh) for part in sound(raw).parts]
    assert parts == [("a", 1_000_000), ("b", 2_000_000)]


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"charging_periods": []},
        {"start_date_time": "2026-03-02T10:00:00Z", "end_date_time": "2026-03-02T09:00:00Z"},
        {"start_date_time": "yesterday"},
        {"start_date_time": "0026-03-02T10:00:00Z", "end_date_time": "2026-03-02T10:00:00Z"},
        {"start_date_time": "2026-03-02T10:00:00Z", "charging_periods": 5},
        cdr([("10:00", {"ENERGY": "NaN"})], "11:00"),
        5,
    ],
)
def test_what_cannot_be_read_is_an_error(raw: Any) -> None:
    reading = read_session(raw)
    assert reading.session is None
    assert any(finding.severity == "error" for finding in reading.findings)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
STAMPS = st.sampled_from(
    [
        "2026-03-02T10:00:00Z",
        "2026-03-02T11:00:00",
        "2026-3-2T9:0:0+14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:00",
        "2026-03-02",
        "x",
        7,
        None,
    ]
)
VOLUMES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["ENERGY", "TIME", "PARKING_TIME", "RESERVATION_TIME", "MAX_POWER", "energy"]
        ) | JSON,
        "volume": st.decimals(-5, 50) | st.integers(-5, 50) | JSON,
    }
)  # fmt: skip
PERIODS = st.fixed_dictionaries(
    {"start_date_time": STAMPS},
    optional={"dimensions": st.lists(VOLUMES, max_size=3) | JSON, "tariff_id": JSON},
)
SESSIONS = st.fixed_dictionaries(
    {"start_date_time": STAMPS},
    optional={
        "end_date_time": STAMPS,
        "charging_periods": st.lists(PERIODS, max_size=4) | JSON,
        "total_energy": JSON,
        "total_time": st.decimals(-5, 50) | JSON,
        "cdr_location": st.fixed_dictionaries({"coordinates": JSON, "time_zone": JSON}) | JSON,
        "last_updated": STAMPS,
        "credit": JSON,
        "status": JSON,
        "tariffs": JSON,
    },
)


@given(SESSIONS | JSON)
def test_no_json_makes_the_reader_raise(raw: Any) -> None:
    reading = read_session(raw)
    assert (reading.session is None) == any(f.severity == "error" for f in reading.findings)
    if reading.session is not None:
        usage = reading.session.usage
        parts = usage.flows()
        assert usage.energy_mwh == sum(flow.energy_mwh for flow in parts) >= 0
        assert all(flow.start_ms <= flow.end_ms for flow in parts)
        assert all(a.end_ms <= b.start_ms for a, b in pairwise(parts))
