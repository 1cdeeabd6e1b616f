"""Rows are replaced by version: it never falls, and what no longer applies is written out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import wire
from tests.streams.core.core_events import meter16, ms, start16, stop16
from tests.streams.core.fleet_kit import Drive, MortalSink, catalogue, settings_of, sink_of
from tests.streams.core.fleet_strategies import fleets


class WatchingSink(MortalSink):
    """Remembers every version of a session that was written, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.current = catalogue()
        self.versions: dict[UUID, list[int]] = {}

    def insert(self, table: str, rows: pa.Table) -> None:
        if table == "sessions":
            for row in rows.to_pylist():
                key = UUID(bytes=row["session_id"])
                self.versions.setdefault(key, []).append(row["version"])
        super().insert(table, rows)


def flushed(*parts: list[bytes]) -> Drive:
    """A worker that flushed after each part."""
    drive = Drive([v for part in parts for v in part], sink_of(), settings_of(live_s=0))
    for part in parts:
        drive.take(len(part))
        drive.flush()
    return drive


@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    fleets(), st.randoms(use_true_random=False), st.integers(1, 5), st.sampled_from([0.0, 300.0])
)
def test_a_running_worker_only_ever_raises_the_version(
    events: list[wire.WireEvent], chance: Any, size: int, keep_s: float
) -> None:
    values: list[bytes | None] = [wire.encode(e) for e in events]
    chance.shuffle(values)
    sink = WatchingSink()
    drive = Drive(values, sink, settings_of(keep_s=keep_s, live_s=0))

    while drive.position < len(values):
        drive.take(size)
        drive.flush()
    drive.finish()

    for versions in sink.versions.values():
        assert versions == sorted(set(versions))


def test_a_session_that_learned_nothing_is_not_written_again() -> None:
    values = [start16(0, 0), stop16(60, 5000)]
    sink = WatchingSink()
    drive = Drive(values * 3, sink, settings_of())
    for _ in values * 3:
        drive.take(1)
        drive.flush()

    (versions,) = sink.versions.values()
    assert len(versions) == 2


def test_the_same_knowledge_has_the_same_version_in_any_worker() -> None:
    values = [start16(0, 0), meter16(10, 1000), stop16(60, 5000)]
    sinks = [flushed(values).sink, flushed(values[:1], values[2:], values[1:2]).sink]

    one, other = ({k: row["version"] for k, row in s.tables["sessions"].items()} for s in sinks)

    assert one == other


def test_a_newer_catalogue_outranks_any_knowledge_of_events() -> None:
    old = flushed([start16(0, 0), meter16(5, 500), meter16(10, 1000), stop16(60, 5000)])
    (row,) = old.sink.tables["sessions"].values()

    assert row["version"] >> 40 == 1
    assert row["version"] < (2 << 40)


def test_a_provisional_session_whose_events_found_their_start_is_released() -> None:
    drive = flushed([meter16(10, 1000), meter16(20, 2000)], [start16(0, 0)], [stop16(60, 5000)])

    rows = {row["status"]: row for row in drive.sink.tables["sessions"].values()}
    assert set(rows) == {"released", "ended"}
    assert rows["released"]["quarantine_reason"] == "released"
    assert rows["released"]["event_count"] == 0
    assert rows["ended"]["energy_wh"] == 5000
    homes = {row["session_id"] for row in drive.sink.tables["events"].values()}
    assert homes == {rows["ended"]["session_id"]}


def test_a_slice_that_no_longer_applies_is_written_as_zero_at_the_new_version() -> None:
    drive = flushed([start16(0, 0), meter16(70, 3000)], [stop16(40, 2000)])

    (session,) = drive.sink.tables["sessions"].values()
    slices = sorted(drive.sink.tables["session_slices"].values(), key=lambda r: r["slice_start"])
    assert [(s["slice_start"] - ms(0) // 1000) // 60 for s in slices] == [0, 15, 30, 45, 60]
    assert {s["version"] for s in slices} == {session["version"]}
    assert [s["energy_wh"] > 0 for s in slices] == [True, True, True, False, False]
    for s in slices[3:]:
        assert s["occupied_s"] == s["charging_s"] == s["idle_s"] == s["energy_wh"] == 0
    assert sum(s["energy_wh"] for s in slices) == Decimal(2000)


def test_vanished_slices_are_zeroed_by_a_worker_that_did_not_write_them() -> None:
    drive = Drive(
        [start16(0, 0), meter16(70, 3000), stop16(40, 2000)], sink_of(), settings_of(live_s=0)
    )
    drive.take(2)
    drive.flush()
    drive.restart()
    drive.take(1)
    drive.flush()

    slices = drive.sink.tables["session_slices"].values()
    assert sum(s["energy_wh"] for s in slices) == Decimal(2000)
    assert sum(s["occupied_s"] for s in slices) == Decimal(2400)
