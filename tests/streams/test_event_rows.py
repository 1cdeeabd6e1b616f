"""Events become rows of `events` and come back as the events that were accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from schemas import wire
from schemas.asyncapi import tag_of
from schemas.events import EVENT_TYPES
from streams.core.events import CoreEvent
from streams.event_rows import core_event
from streams.sink.memory import _read
from tests.streams.rows_of_events import EXAMPLES, GOLDEN, decoded, event_rows, golden_rows
from tests.streams.wire_strategies import EVENTS

KINDS = sorted(folder.name for folder in EXAMPLES.iterdir())


def read_back(row: dict[str, Any]) -> CoreEvent:
    """The core event of a row as a sink gives it back."""
    return core_event(_read(row))


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_make_the_golden_rows(kind: str) -> None:
    golden = json.loads((GOLDEN / f"{kind}.json").read_text(encoding="utf-8"))

    assert golden_rows(kind) == golden, "run: python -m tests.streams.rows_of_events"


def test_every_type_has_golden_rows() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {tag_of(t) for t in EVENT_TYPES}


def test_a_reading_keeps_its_numbers_to_the_milliwatt_hour() -> None:
    row = json.loads((GOLDEN / "meter_sampled.json").read_text(encoding="utf-8"))["ocpp16"]

    assert (row["import_wh"], row["power_w"]) == ("8415640.000", "10980.500")
    assert row["timestamp"] == "2026-03-02T08:00:00.000+00:00"
    attributes = json.loads(row["attributes"])
    assert attributes["current_a"] == "47.7"
    assert attributes["other"]["Voltage.L2-N V"] == "229.8"


def test_an_imported_end_keeps_stated_energy_and_payment() -> None:
    row = json.loads((GOLDEN / "session_ended.json").read_text(encoding="utf-8"))["import"]

    attributes = json.loads(row["attributes"])
    assert attributes["energy_wh"] == "8434.500"
    assert (attributes["paid_micro"], attributes["paid_currency"]) == (2_360_000, "GBP")
    assert row["meter_wh"] == "521134.500"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.json")), ids=lambda p: p.parent.name)
def test_every_example_comes_back_as_the_event_that_was_accepted(path: Any) -> None:
    found = decoded([path.read_bytes()])

    (row,), (core,) = event_rows(found), found.cores
    if core is not None:
        assert read_back(row) == core


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_any_event_comes_back_as_the_event_that_was_accepted(event: wire.WireEvent) -> None:
    found = decoded([wire.encode(event)])

    assert found.dead == []
    (row,), (core,) = event_rows(found), found.cores
    if core is not None:
        assert read_back(row) == core
        assert hash(read_back(row)) == hash(core)
