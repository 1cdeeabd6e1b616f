"""A file nobody has seen loads by writing a mapping: other header, dates, units, signs, bytes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.stack_help import Pipeline

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

FILE = """\
Ladesäule;Anschluss;Beginn;Dauer (min);Menge (Wh);Karte
Straße 1;links;03-Mar-2025 01:05:00 PM;90,5;12.604,0;Müller
Straße 1;rechts;03-Mar-2025 11:50:00 PM;80;7.200;K-2
Straße 1;links;30-Mar-2025 01:30:00 AM;60;1.000;K-2
Café;links;26-Oct-2025 12:15:00 AM;120;999,6;
Café;links;31-Feb-2025 10:00:00 AM;10;5;K-3
Café;rechts;01-Apr-2025 12:00:00 PM;15;viel;K-3
Summe;;;;;
"""
MAPPING = """\
name = "A town"
zone = "Europe/Berlin"
formats = ["%d-%b-%Y %I:%M:%S %p"]
decimal = ","
thousands = "."
source = { separator = ";", encoding = "cp1252" }

station = "Ladesäule"
connector = { column = "Anschluss", values = { links = "1", rechts = "2" } }
start = "Beginn"
duration = { column = "Dauer (min)", unit = "min" }
energy = { column = "Menge (Wh)", unit = "Wh" }
user = "Karte"

[[skip]]
column = "Ladesäule"
equals = "Summe"
reason = "sum of the file"
"""


def test_another_council_s_file_loads_by_writing_a_mapping_only(
    workaday: Pipeline, tmp_path: Path
) -> None:
    sessions, mapping = tmp_path / "ladungen.csv", tmp_path / "town.toml"
    sessions.write_bytes(FILE.encode("cp1252"))
    mapping.write_text(MAPPING, "utf-8")
    arguments = ("import", sessions, "--mapping", mapping, "--tenant", "town")
    told = workaday.ask_json(*arguments, code=1)
    workaday.settle()

    assert (told["rows"], told["sessions"], told["skipped"]) == (7, 4, {"sum of the file": 1})
    assert [(bad["line"], bad["column"]) for bad in told["rejected"]] == [
        (6, "Beginn"), (7, "Menge (Wh)"),
    ]  # fmt: skip
    assert all(bad["reason"] for bad in told["rejected"])
    found = workaday.rows(
        "SELECT station_id, connector_id, toString(started_at), toString(ended_at), energy_wh, "
        "driver_key FROM mart.sessions WHERE tenant = 'town' ORDER BY started_at"
    )
    # Berlin is an hour before UTC in winter and two in summer; it changed on 30 March at 01:00 UTC
    # and on 26 October at 01:00 UTC. Energy goes in whole watt-hours, half up.
    assert found == [
        ("Straße 1", 1, *times("03-03 12:05:00", "03-03 13:35:30"), Decimal(12604), "Müller"),
        ("Straße 1", 2, *times("03-03 22:50:00", "03-04 00:10:00"), Decimal(7200), "K-2"),
        ("Straße 1", 1, *times("03-30 00:30:00", "03-30 01:30:00"), Decimal(1000), "K-2"),
        ("Café", 1, *times("10-25 22:15:00", "10-26 00:15:00"), Decimal(1000), ""),
    ]
    assert workaday.rows(
        "SELECT DISTINCT status, quarantine_reason FROM mart.sessions WHERE tenant = 'town'"
    ) == [("ended", "")]
    report = workaday.run(
        "report", "energy", "--by", "month", "--tz", "Europe/Berlin", "--basis", "completion",
        "--tenant", "town", "--format", "csv",
    )  # fmt: skip
    assert [line.split(",")[:3] for line in report.splitlines()[1:4]] == [
        ["2025-03", "3", "20.804"], ["2025-10", "1", "1"],
    ]  # fmt: skip


def times(start: str, end: str) -> tuple[str, str]:
    """The two as the store writes them."""
    return f"2025-{start}.000", f"2025-{end}.000"
