"""The soak and the start of a worker in a full store, on small streams."""

from __future__ import annotations

import gc
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

import pytest

from bench import soak
from bench.machine import child
from bench.soak import Points, Soak


@pytest.fixture(autouse=True)
def _collecting() -> Iterator[None]:
    """A worker's process collects garbage between batches only; this one must go on to do so."""
    yield
    gc.unfreeze()
    gc.enable()


def test_each_point_of_the_soak_tells_whole_sessions_at_a_steady_pace() -> None:
    points = Points(count=30, samples=3)
    told: dict[tuple[str, int], list[dict[str, object]]] = defaultdict(list)
    for values, at_ms in islice(points.events(), 100):
        assert at_ms >= soak.NOON_MS
        for value in values:
            event = json.loads(value)
            told[event["station_id"], event["evse_id"]].append(event)
    assert len(told) == 30
    assert {station for station, _ in told} == set(points.stations)
    for events in told.values():
        assert [e["seq_no"] for e in events] == [n % 5 for n in range(len(events))]
        first, second = events[:5], events[5:10]
        kinds = ["session_started", *["meter_sampled"] * 3, "session_ended"]
        assert [e["type"] for e in first] == kinds
        assert len({e["transaction_id"] for e in first}) == 1
        assert first[0]["transaction_id"] != second[0]["transaction_id"]
        assert [e["timestamp"] for e in events] == sorted({str(e["timestamp"]) for e in events})


def test_open_sessions_of_the_soak_stay_steady_and_no_event_is_lost() -> None:
    ran = Soak(Points(count=1_200, samples=10), step=5_000, flush_events=500)
    ran.hear(60_000)
    rows = ran.sink.rows
    assert 60_000 <= ran.line.events < 61_000
    assert rows["events"] == ran.line.events
    assert rows["dead_letters"] == 0
    assert [at // 5_000 for at, _ in ran.weighed] == list(range(1, 13))
    assert all(mb > 10 for _, mb in ran.weighed)
    steady = ran.open_sessions[4:]
    assert all(1_000 <= count <= 1_200 for count in steady), steady


def test_the_soak_tells_its_figures_and_no_slope_before_memory_can_be_level() -> None:
    found = soak.measure(events=4_000, sessions=240, samples=10, step=1_000, flush_events=500)
    assert found["events"] >= 4_000
    assert len(found["resident_mb"]) == 4
    assert found["warm_up"] > found["events"]
    assert found["slope_mb_per_million"] is None
    assert found["cpu_s_per_million"] > 0
    assert found["sessions_written"] > 240


def test_the_slope_is_that_of_the_line_through_what_was_weighed() -> None:
    level = [(n * 1_000_000, 300.0 + n % 2) for n in range(40)]
    rising = [(n * 1_000_000, 300.0 + 2.5 * n) for n in range(10, 20)]
    assert abs(soak.slope(level)[0]) < 0.01
    assert 0.4 < soak.slope(level)[1] < 0.6
    assert soak.slope(rising)[0] == pytest.approx(2.5)
    assert soak.slope(rising)[1] < 1e-6


@pytest.mark.integration
@pytest.mark.slow
def test_a_new_worker_applies_the_next_sample_of_stored_sessions_copied_or_not() -> None:
    found = child("bench.start", "--sessions", 800, "--speaking", 50, "--template", 100)
    assert found["sessions"] == 800
    assert found["stations"] == 400
    assert found["speaking"] == 50
    assert found["right"] is True
    assert 0 < found["import_s"] < found["start_s"] < found["applied_s"] <= found["all_applied_s"]
    assert found["resident_mb"] > 10
