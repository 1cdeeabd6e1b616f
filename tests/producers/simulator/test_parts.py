"""Parts of the simulator against hand calculation."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.simulator import (
    Record,
    Simulation,
    SimulationSpec,
    build_fleet,
    master_data,
    paced,
    parse_rates,
)
from producers.simulator.clock import iso
from producers.simulator.faults import DEFAULT_RATES, Fault
from producers.simulator.tariffs import AC_TIME, DC_FAST, half_up
from producers.simulator.truth import slices
from schemas.errors import UserError
from schemas.units import iso_ms

START = datetime(2026, 3, 1, tzinfo=UTC)


@given(st.integers(0, 4_102_444_800))
def test_time_stamps_are_those_of_the_contract(at: int) -> None:
    assert iso(at) == iso_ms(at * 1000)


def test_ten_kwh_cost_what_a_person_reckons() -> None:
    # 10 kWh x 4.7925 + 5.00 = 52.925; 25 % of it is 13.23125
    assert DC_FAST.price(10_000_000, 0, 0) == (52_925_000, 13_231_250)


def test_time_and_parking_cost_by_the_second() -> None:
    # 1 kWh x 2.24; 90 min x 6.00; 10 s x 1.20 per hour = 0.00333…; with VAT 14.0541666…
    assert AC_TIME.price(1_000_000, 5_400_000, 10_000) == (11_243_333, 14_054_167 - 11_243_333)


def test_a_discount_is_taken_off_before_anything_is_rounded() -> None:
    # 1 kWh x 2.24 + 10 s x 1.20 per hour = 2.24333…; 10 % less 2.019; with VAT 2.52375
    assert AC_TIME.price(1_000_000, 0, 10_000, 10) == (2_019_000, 504_750)


def test_subscriptions_and_companies_name_drivers_and_plans_that_exist() -> None:
    data: Any = master_data(build_fleet(stations=60, seed=1, tenant="default"), START)
    drivers = {driver["driver_id"] for driver in data["drivers"]}
    plans = {plan["plan_id"] for plan in data["plans"]}
    companies = {company["company_id"] for company in data["companies"]} | {""}

    assert {s["driver_id"] for s in data["subscriptions"]} < drivers
    assert {s["plan_id"] for s in data["subscriptions"]} == plans
    assert {d["company_id"] for d in data["drivers"]} == companies
    assert {s["from"] for s in data["subscriptions"]} == {"2026-02-01T00:00:00+00:00"}


def test_halves_are_rounded_up() -> None:
    assert [half_up(n, 2) for n in (0, 1, 2, 3)] == [0, 1, 1, 2]


def test_energy_is_spread_evenly_between_two_readings_where_no_state_is_known() -> None:
    # 1000 mWh from 00:10 to 00:40: 5, 15 and 10 of 30 minutes
    assert slices([(600, 0), (2400, 1000)], []) == {0: 166, 900: 500, 1800: 334}


def test_energy_flows_only_while_charging_where_states_are_known() -> None:
    spans = [(600, 1500, "EVConnected"), (1500, 2400, "Charging")]

    assert slices([(600, 0), (2400, 1000)], spans) == {900: 333, 1800: 667}


def test_the_catalogue_names_every_station_with_place_and_price() -> None:
    fleet = build_fleet(stations=60, seed=1, tenant="default")
    data = json.loads(json.dumps(master_data(fleet, START)), parse_float=Decimal)
    tariffs = {tariff["id"]: tariff for tariff in data["tariffs"]}

    assert len({s["station_id"] for s in data["stations"]}) == 60
    assert {s["tariff_id"] for s in data["stations"]} <= tariffs.keys()
    assert len({s["time_zone"] for s in data["stations"]}) == 6
    assert len({s["area"] for s in data["stations"]}) == 23
    for station in data["stations"]:
        assert ZoneInfo(station["time_zone"]).key == station["time_zone"]
        assert -90 < station["latitude"] < 90
    assert tariffs["dc-fast"]["elements"][0]["price_components"][0] == {
        "type": "ENERGY", "price": Decimal("4.7925"), "vat": 25, "step_size": 1,
    }  # fmt: skip


def test_parking_and_charging_time_are_priced_only_where_the_protocol_tells_them() -> None:
    fleet = build_fleet(stations=300, seed=2, tenant="default")
    timed = [s for s in fleet.stations if s.tariff.time or s.tariff.parking]

    assert timed
    assert all(s.protocol != "ocpp1.6" for s in timed)


def test_the_ledger_written_as_json_reads_back_equal() -> None:
    simulation = Simulation(
        SimulationSpec(stations=4, days=1, seed=8, rates=DEFAULT_RATES,
                       start=datetime(2026, 10, 25, tzinfo=UTC))
    )  # fmt: skip
    list(simulation.records())
    report = simulation.ledger.report()

    assert msgspec.json.decode(msgspec.json.encode(report), type=type(report)) == report


def test_rates_are_named_and_later_ones_win() -> None:
    assert parse_rates(["duplicate=0.25", "duplicate=0.5"]) == {Fault.DUPLICATE: 0.5}
    assert parse_rates(["all", "late=0"]) == {**DEFAULT_RATES, Fault.LATE: 0.0}
    assert parse_rates(["all=1000"])[Fault.GAP] == 1.0


@pytest.mark.parametrize("option", ["duplicate", "gremlins=0.1", "late=2", "late=x", "late=nan"])
def test_a_fault_that_is_not_one_is_refused_with_the_names(option: str) -> None:
    with pytest.raises(UserError, match="register_reset"):
        parse_rates([option])


def test_records_wait_until_they_are_due_at_the_speed_asked_for() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    records = [Record(at, b"", b"") for at in (0, 60_000, 60_001, 180_000)]
    assert list(paced(records, 60, clock=lambda: now[0], sleep=sleep)) == records
    assert slept == [1.0, 2.0]
