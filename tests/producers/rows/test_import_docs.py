"""docs/import.md: its mappings load, its example does what it says, its tables are whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from producers.rows import mapping, numbers, sessions, times
from tests.producers.rows.row_helpers import mapping_of, read_text

DOCS = (Path(__file__).parents[3] / "docs" / "import.md").read_text()
MAPPINGS = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)


@pytest.mark.parametrize("text", MAPPINGS)
def test_every_mapping_in_the_docs_is_one(text: str) -> None:
    assert mapping_of(text).name


def test_the_worked_example_gives_what_its_rows_say(tmp_path: Path) -> None:
    (content,) = re.findall(r"```csv\n(.*?)```", DOCS, re.DOTALL)
    found = read_text(tmp_path, content, mapping_of(MAPPINGS[0]))

    assert (found.faults, found.skipped) == ([], {"summary row": 1})
    assert [
        (each.station, each.connector, each.energy_wh, each.paid, each.user)
        for each in found.sessions
    ] == [
        ("Market Square 1", 1, 12_604, "4.79", "C-0815"),
        ("Market Square 1", 2, 7200, "2.74", "C-4711"),
        ("Station Road", 1, None, None, "C-0815"),
    ]
    assert found.without_end == 1


def test_every_key_flag_and_repair_is_in_the_docs() -> None:
    models = (mapping.Mapping, mapping.Source, mapping.Skip, mapping.EnergyCell, mapping.TimeCell)
    keys = {key for model in models for key in model.model_fields}
    flags = {
        *(sessions.DATE_REPAIRED, sessions.NEXT_DAY, sessions.NEGATIVE_CLIPPED),
        *(sessions.FROM_ROW, sessions.FROM_DURATION, times.REPEATED_HOUR, times.SPRING_GAP),
    }
    words = {*keys, *flags, *mapping.Repair, *times.FIXED_FORMATS, *numbers.ENERGY_UNITS}

    assert {word for word in words if not re.search(rf"\b{re.escape(word)}\b", DOCS)} == set()
