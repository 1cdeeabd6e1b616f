"""A year of a real city through import, Kafka, worker and store, whatever happens on the way."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import StartPipeline
from tests.integration.stack_help import (
    Feed,
    Pipeline,
    finish,
    kill_workers_at_work,
    pipeline,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

MAPPING = ("--mapping", "perth_kinross")
LONDON = ("--tz", "Europe/London")
COUNTED = "SELECT count(), sum(energy_wh) FROM mart.sessions WHERE quarantine_reason = ''"
SECOND_YEAR = "toDateTime('2017-09-01 00:00:00', 'Europe/London')"
SET_ASIDE = "SELECT reason, count() FROM mart.set_aside_sessions GROUP BY reason ORDER BY reason"


@dataclass(frozen=True, slots=True)
class Year:
    """What one stack said: after the first year, after the same again, after the second year."""

    first: dict[str, tuple[int, str]]
    again: dict[str, tuple[int, str]]
    counted: tuple[Any, ...]
    set_aside: dict[str, int]
    by_month: str
    by_connector: str
    second_import: dict[str, Any]
    counted_then: tuple[Any, ...]
    second_year: tuple[Any, ...]


@pytest.fixture(scope="session")
def folder(shared_data: Path) -> Path:
    return shared_data / "perth_kinross"


@pytest.fixture(scope="session")
def first_file(folder: Path) -> Path:
    return folder / "EV_ChargeStation_Use_Sept_2016_to_Aug_2017.csv.gz"


@pytest.fixture(scope="session")
def year(
    bootstrap: str, folder: Path, first_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Year:
    second_file = folder / "EVChargeStationUseSept2017toAug2018.csv.gz"
    with pipeline(tmp_path_factory.mktemp("year"), bootstrap) as stack:
        stack.run("import", first_file, *MAPPING)
        stack.run("wait", "--timeout", "60")
        first, [counted] = stack.digest(), stack.rows(COUNTED)
        set_aside = dict(stack.rows(SET_ASIDE))
        by_month = stack.run(
            "report", "energy", "--by", "month", "--basis", "completion", *LONDON, "--format", "csv"
        )
        by_connector = stack.run("report", "connectors", "--format", "csv")
        stack.run("import", first_file, *MAPPING)
        stack.settle()
        again = stack.digest()
        second_import = stack.ask_json("import", second_file, *MAPPING)
        stack.settle()
        [counted_then] = stack.rows(f"{COUNTED} AND ended_at < {SECOND_YEAR}")
        [second_year] = stack.rows(
            "SELECT countIf(quarantine_reason = ''), countIf(quarantine_reason != '') "
            f"FROM mart.sessions WHERE first_event_at >= {SECOND_YEAR}"
        )
        return Year(
            first, again, counted, set_aside, by_month, by_connector,
            second_import, counted_then, second_year,
        )  # fmt: skip


def figures(text: str, key: Sequence[str], sessions: str, kwh: str) -> dict[tuple[str, ...], str]:
    """Sessions and energy by key; rows without a counted session are none."""
    return {
        tuple(row[name] for name in key): f"{row[sessions]} {Decimal(row[kwh]).normalize():f}"
        for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
        if row[sessions] != "0"
    }


def test_the_year_has_13638_counted_sessions_and_139116_812_kwh(year: Year) -> None:
    assert year.counted == (13_638, Decimal(139116812))


def test_the_other_38_rows_are_set_aside_with_a_reason(year: Year) -> None:
    assert sum(year.set_aside.values()) == 38
    assert "" not in year.set_aside
    # 37 rows have no end; one ends in 1970: the README of the data
    assert year.set_aside.pop("end_before_start") == 1
    assert sum(year.set_aside.values()) == 37


def test_every_end_month_is_as_the_independent_table_says(year: Year, folder: Path) -> None:
    table = (folder / "pk_2016_17_by_end_month.csv").read_text("utf-8")
    expected = figures(table, ["month_end"], "sessions", "kwh")
    assert len(expected) == 12
    assert figures(year.by_month, ["period"], "sessions", "energy_kwh") == expected


def test_every_connector_is_as_the_independent_table_says(year: Year, folder: Path) -> None:
    table = (folder / "pk_2016_17_by_cpid_connector.csv").read_text("utf-8")
    expected = figures(table, ["CP ID", "Connector"], "sessions", "kwh")
    assert len(expected) > 50
    found = figures(year.by_connector, ["station", "connector"], "sessions", "energy_kwh")
    assert found == expected


def test_the_same_file_again_leaves_every_figure_unchanged(year: Year) -> None:
    assert year.again == year.first


def test_the_next_year_loads_with_the_same_mapping_beside_the_first(year: Year) -> None:
    assert year.second_import["rows"] == year.second_import["sessions"] == 20_277
    assert year.second_import["rejected"] == []
    assert year.counted_then == year.counted
    # of the README of the data: 43 rows have no end, one has negative energy
    assert year.second_year == (20_277 - 44, 44)


def table_of(path: Path) -> tuple[str, list[str]]:
    """Header line and rows."""
    header, *rows = gzip.decompress(path.read_bytes()).decode("utf-8-sig").splitlines(keepends=True)
    return header, rows


def pieces(path: Path, into: Path, count: int, *, seed: int | None = None) -> list[Path]:
    """The file's rows in so many files, shuffled first where there is a seed."""
    header, rows = table_of(path)
    if seed is not None:
        random.Random(seed).shuffle(rows)
    files = [into / f"part-{number:02}.csv" for number in range(count)]
    for number, file in enumerate(files):
        file.write_text(header + "".join(rows[number::count]), encoding="utf-8")
    return files


def test_shuffled_rows_give_the_same_figures(
    start: StartPipeline, year: Year, first_file: Path, tmp_path: Path
) -> None:
    stack: Pipeline = start()
    stack.run("import", *pieces(first_file, tmp_path, 1, seed=20_160_901), *MAPPING)
    stack.settle()
    assert stack.digest() == year.first


def test_two_halves_from_two_processes_at_once_give_the_same_figures(
    start: StartPipeline, year: Year, first_file: Path, tmp_path: Path
) -> None:
    stack: Pipeline = start(workers=2)
    halves = [stack.begin("import", half, *MAPPING) for half in pieces(first_file, tmp_path, 2)]
    for half in halves:
        finish(half)
    stack.settle()
    assert stack.digest() == year.first


def test_ten_kills_of_workers_during_the_import_give_the_same_figures(
    start: StartPipeline, year: Year, first_file: Path, tmp_path: Path
) -> None:
    # Five: a group takes seconds to notice deaths, and the supervisor waits longer after each
    stack: Pipeline = start(workers=5)
    files = pieces(first_file, tmp_path, 12)
    feed = Feed(stack, [("import", file, *MAPPING) for file in files])
    kills = kill_workers_at_work(stack, 10, feed, seed=10)
    left = [command[1] for command in feed.rest()]
    if left:
        stack.run("import", *left, *MAPPING)
    stack.settle()

    assert len({kill.pid for kill in kills}) == 10
    assert all(kill.lag > 0 for kill in kills)
    assert stack.log("up").count("ended with exit code -9") == 10
    assert stack.digest() == year.first
