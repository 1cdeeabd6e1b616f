"""The real files of Perth and Kinross, against sums made independently of this project."""

from __future__ import annotations

import csv
import gzip
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from producers.rows.importer import Import, read_files
from producers.rows.mapping import load_mapping
from producers.rows.sessions import Session
from schemas import wire
from tests.producers.rows.row_helpers import PERTH, PERTH_2016_17, PERTH_2017_18, business

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not PERTH.is_dir(), reason="../shared/data is not beside the checkout"),
]
LONDON = ZoneInfo("Europe/London")


@cache
def year(path: Path) -> Import:
    return read_files([path], load_mapping("perth_kinross"))


def valid(found: Import) -> list[Session]:
    return [each for each in found.sessions if each.end and each.end.ms >= each.start.ms]


def table(name: str, keys: int) -> dict[tuple[str, ...], tuple[int, int]]:
    with (PERTH / name).open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return {tuple(row[:keys]): (int(row[keys]), int(Decimal(row[keys + 1]) * 1000)) for row in rows}


def local(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(LONDON)


def summed(pairs: Iterable[tuple[tuple[str, ...], int]]) -> dict[tuple[str, ...], tuple[int, int]]:
    sums: dict[tuple[str, ...], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for key, energy in pairs:
        count, total = sums[key]
        sums[key] = count + 1, total + energy
    return dict(sums)


def test_the_first_year_gives_the_known_counts_and_energy() -> None:
    found = year(PERTH_2016_17)
    events = Counter(type(event) for event in found.events("pk"))

    assert (found.rows, len(found.sessions), found.faults) == (13_676, 13_676, [])
    assert events == {wire.SessionStarted: 13_676, wire.SessionEnded: 13_639}
    assert found.event_count == 27_315
    assert len(valid(found)) == 13_638
    assert sum(each.energy_wh or 0 for each in valid(found)) == 139_116_812
    assert found.clashes() == []


def test_the_first_year_gives_the_known_table_by_month_of_end() -> None:
    pairs = [
        ((f"{local(each.end.ms):%Y-%m}",), each.energy_wh or 0)
        for each in valid(year(PERTH_2016_17))
        if each.end
    ]

    assert summed(pairs) == table("pk_2016_17_by_end_month.csv", 1)


def test_the_first_year_gives_the_known_table_by_connector() -> None:
    pairs = [
        ((each.station, str(each.connector)), each.energy_wh or 0)
        for each in valid(year(PERTH_2016_17))
    ]

    assert summed(pairs) == table("pk_2016_17_by_cpid_connector.csv", 2)


def test_the_lost_clock_goes_out_as_it_is() -> None:
    (lost,) = [
        event
        for event in year(PERTH_2016_17).events("pk")
        if isinstance(event, wire.SessionEnded) and event.timestamp < "2016"
    ]

    assert (lost.timestamp, lost.energy_wh) == ("1970-01-01T00:00:00.000Z", 4320)


def test_the_second_year_loads_with_the_same_mapping_and_the_counted_quirks() -> None:
    found = year(PERTH_2017_18)
    energies = [each.energy_wh for each in found.sessions if each.energy_wh is not None]
    starts = Counter((each.station, each.connector, each.start.ms) for each in found.sessions)

    assert (found.rows, len(found.sessions), found.faults) == (20_277, 20_277, [])
    assert found.without_end == 43
    assert [each for each in energies if each < 0] == [-1_394_711]
    assert (sum(each > 100_000 for each in energies), energies.count(0)) == (2, 407)
    assert sum(each.end.ms < each.start.ms for each in found.sessions if each.end) == 0
    assert sum(count - 1 for count in starts.values()) == 21
    assert found.clashes() == []
    assert {f"{local(each.start.ms):%Y-%m}" for each in found.sessions} == {
        *(f"2017-{month:02}" for month in range(9, 13)),
        *(f"2018-{month:02}" for month in range(1, 9)),
    }


def test_swapped_back_the_rows_stand_in_order_of_time() -> None:
    for path in (PERTH_2016_17, PERTH_2017_18):
        starts = [session.start.ms for session in year(path).sessions]
        assert sum(later > earlier for earlier, later in pairwise(starts)) == 0


def test_on_a_connector_no_start_comes_before_the_stop_of_an_earlier_session() -> None:
    by_id = {(each.station, each.transaction_id): each for each in year(PERTH_2016_17).sessions}
    ended: set[tuple[str, str | None]] = set()
    seen: dict[tuple[str, int | None], list[Session]] = defaultdict(list)
    for event in year(PERTH_2016_17).events("pk"):
        key = (event.station_id, event.transaction_id or "")
        if isinstance(event, wire.SessionEnded):
            ended.add(key)
            continue
        before = seen[event.station_id, event.connector_id]
        session = by_id[key]
        late = [
            each
            for each in before[-3:]
            if each.end
            and each.end.ms <= session.start.ms
            and (each.station, each.transaction_id) not in ended
        ]
        assert late == []
        before.append(session)


def test_registers_run_on_per_connector_and_carry_the_stated_energy() -> None:
    stands: dict[tuple[str, int | None], int] = {}
    starts: dict[tuple[str, str | None], int] = {}
    for event in year(PERTH_2016_17).events("pk"):
        key = (event.station_id, event.transaction_id)
        if isinstance(event, wire.SessionStarted):
            starts[key] = int(event.meter_start_wh or 0)
        elif isinstance(event, wire.SessionEnded):
            assert int(event.meter_stop_wh or 0) - starts[key] == event.energy_wh
            connector = (event.station_id, event.connector_id)
            stands[connector] = stands.get(connector, 0) + int(event.energy_wh or 0)
    assert sum(stands.values()) == 139_116_812 + 4320


def test_shuffled_and_in_two_halves_the_events_are_the_same(tmp_path: Path) -> None:
    with gzip.open(PERTH_2016_17, "rt", encoding="utf-8-sig", newline="") as file:
        header, *lines = file.read().splitlines(keepends=True)
    random.Random(7).shuffle(lines)
    halves = []
    for name, part in (("a.csv", lines[:6000]), ("b.csv", lines[6000:])):
        (tmp_path / name).write_text(header + "".join(part), encoding="cp1252")
        halves.append(read_files([tmp_path / name], load_mapping("perth_kinross")))

    whole = {business(event) for event in year(PERTH_2016_17).events("pk")}
    apart = [business(event) for half in halves for event in half.events("pk")]

    assert set(apart) == whole
    assert len(apart) == len(whole) == 27_315
