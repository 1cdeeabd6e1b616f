"""Incremental state equals the batch function, whatever order, duplicates, batches and crashes."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import wire
from tests.streams.core.fleet_kit import (
    Drive,
    agrees,
    at_once,
    charges_in,
    expected,
    homes_in,
    sessions_in,
    settings_of,
    sink_of,
    slices_in,
)
from tests.streams.core.fleet_strategies import STEPS, fleets

SLOW = settings(
    max_examples=150, derandomize=True, suppress_health_check=list(HealthCheck), deadline=None
)


@SLOW
@given(fleets())
def test_one_batch_through_a_worker_equals_the_pure_functions(events: list[wire.WireEvent]) -> None:
    sink = at_once([wire.encode(e) for e in events])

    agrees(sink, expected(events))


@SLOW
@given(
    fleets(),
    st.randoms(use_true_random=False),
    st.lists(STEPS, max_size=25),
    st.sampled_from([0.0, 5.0, 300.0]),
    st.sampled_from([0.0, 60.0]),
)
def test_any_order_split_duplicate_and_crash_leaves_the_same_rows(
    events: list[wire.WireEvent],
    chance: random.Random,
    steps: list[tuple[str, int]],
    keep_s: float,
    live_s: float,
) -> None:
    values: list[bytes | None] = [wire.encode(e) for e in events]
    truth = at_once(values)
    played = values + chance.sample(values, chance.randint(0, len(values)))
    chance.shuffle(played)
    drive = Drive(played, sink_of(), settings_of(keep_s=keep_s, live_s=live_s))

    for step, size in steps:
        play(drive, step, size)
    drive.finish()

    same(drive, truth)


def play(drive: Drive, step: str, size: int) -> None:
    """One step of a random story."""
    if step == "take":
        drive.take(size)
    elif step == "flush":
        drive.flush()
    elif step == "crash":
        drive.restart()
    else:
        drive.crash_in_flush(size)


def same(drive: Drive, truth: Any) -> None:
    """Assert that the driven sink shows what the other one shows."""
    assert sessions_in(drive.sink) == sessions_in(truth)
    assert slices_in(drive.sink) == slices_in(truth)
    assert charges_in(drive.sink) == charges_in(truth)
    assert homes_in(drive.sink) == homes_in(truth)
