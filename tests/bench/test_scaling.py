"""The programs that measure growth, two workers and look-ups, on small sizes."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from bench import lookups, scaling, workers
from bench.live import Counted, Line
from bench.machine import stack
from bench.scaling import Spread


def test_the_slope_of_a_power_is_its_exponent() -> None:
    assert scaling.slope({n: 3.0 * n**0.25 for n in (1, 10, 100)}) == pytest.approx(0.25)
    assert scaling.slope({10: 5.0, 1_000: 5.0}) == pytest.approx(0.0)


def test_each_point_of_a_spread_fleet_has_an_evse_of_its_own() -> None:
    fleet = Spread(60, 20, 7)
    told = [json.loads(value) for value in fleet.values([(point, 3) for point in range(60)])]
    places = Counter((event["station_id"], event["evse_id"]) for event in told)
    assert set(places.values()) == {1}
    assert {event["station_id"] for event in told} == set(fleet.names())
    assert len(fleet.names()) == 7


def test_sessions_stations_and_partitions_each_get_a_cost_by_size() -> None:
    assert all(cost > 0 for cost in scaling.by_sessions(1_000, (100, 300)).values())
    assert list(scaling.by_stations(1_000, (10, 100), points=200)) == [10, 100]
    assert list(scaling.by_partitions(1_000, (1, 5), points=200)) == [1, 5]


def test_all_events_of_a_fleet_reach_the_worker_in_its_partitions() -> None:
    fleet = Spread(200, 20, 100)
    shares: Counter[int] = Counter()

    class Seen(Line):
        def take(self, values: Any, now_ms: int, partition: int = 0) -> None:
            shares[partition] += len(values)
            super().take(values, now_ms, partition)

    line = Seen(Counted(fleet.names()), 4)
    now = scaling._tell(line, fleet, [(point, 0) for point in range(200)], 1_772_323_200_000)
    line.flush(now)
    assert shares == {0: 50, 1: 50, 2: 50, 3: 50}
    assert line.sink.rows["events"] == 200


def test_the_table_fits_a_screen() -> None:
    part = {"slope": 0.1234, "cpu_s_per_million": {str(n): 1234.5 for n in scaling.SESSIONS}}
    lines = scaling.table({"partitions": part})
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80


def test_one_and_two_workers_take_turns_in_going_first() -> None:
    assert workers.turns(2) == [1, 2, 2, 1]


def test_two_workers_are_compared_with_one_by_their_medians() -> None:
    runs = [
        {
            "right": True,
            "workers": count,
            "cpu_s_per_million": cpu,
            "store_cpu_s_per_million": 3.0,
            "events_per_s": 100,
            "events_by_worker": [1],
        }
        for count, cpu in ((1, 4.0), (1, 6.0), (2, 5.5), (2, 5.5))
    ]
    found = workers.summary(runs)
    assert found["ratio"] == pytest.approx(1.1)
    assert found["right"] is True


def test_no_two_new_sessions_share_an_id_and_a_round_takes_every_evse_once() -> None:
    told = [json.loads(value) for value in lookups.starts(0, 40, 20, 0)]
    told += [json.loads(value) for value in lookups.starts(40, 40, 20, 0)]
    assert len({event["transaction_id"] for event in told}) == 80
    assert all(len(event["transaction_id"]) == 32 for event in told)
    assert set(Counter((e["station_id"], e["evse_id"]) for e in told).values()) == {2}


@pytest.mark.integration
@pytest.mark.slow
def test_new_sessions_are_looked_up_in_a_store_that_knows_their_stations() -> None:
    with stack() as services:
        stored = lookups.fill(services, 2_000, 20)
        found = lookups.look_up(services, 20, 1, 0.5, rate=100)
        (rows,) = services.sql("SELECT count() AS n FROM mart.sessions")
    assert stored["sessions_in_store"] == 2_000
    assert found["lookup_cpu_s_per_s"] > 0
    assert found["lookup_ms_p50"] > 0
    assert int(rows["n"]) == 2_000 + 2 * 20 + 100
