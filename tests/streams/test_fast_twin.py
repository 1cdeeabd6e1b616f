"""The worker with its fast lane writes what the worker without it writes, whatever happens.

Streams are those of `twin_streams`: small fleets, faults, crashes, rebalances. A seed that fails
is named; `python -m tests.streams.twin_shrink SEED` makes its stream small.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.streams.twin_kit import play
from tests.streams.twin_shrink import differs
from tests.streams.twin_side import Counts
from tests.streams.twin_streams import script_of

REACHED = {
    "duplicate", "misfit", "asked the store", "late after packing", "adjustment", "dead letter",
    "in an array", "on a slice border", "across a change of clocks", "revised",
    "protocol ocpp1.6", "protocol ocpp2.0.1", "protocol ocpp2.1", "protocol import",
    "event meter_sampled", "event charging_state_changed", "event session_expired",
    "event station_status", "event authorization", "event flag card_masked",
    "event flag clock_corrected", "event flag unit_guessed",
    "status active", "status pending", "status ended", "status ended_gaps",
    "status ended_estimated", "status orphan_stop", "status invalid", "status released",
    "unpriced no_tariff", "unpriced tariff_missing", "unpriced tariff_refused",
    "set aside no_energy", "set aside implausible_energy", "set aside implausible_power",
    "set aside end_before_start",
    "step meanwhile", "step crash", "step restart", "step revoke", "step forget", "step lend",
    "step revise", "at rest", "told on", "matched heads", "matched samples",
}  # fmt: skip
"""What must have come up among the streams (`twin_kit.Counts.seen`)."""


def played(seeds: Iterable[int], *, live: bool = False) -> Counts:
    """All counts together; every seed on which the sides differ is named."""
    counts, failed = Counts(), []
    for seed in seeds:
        script = script_of(seed, live=live)
        try:
            counts.add(play(script))
        except Exception:  # noqa: BLE001  # what a worker raises is a difference too
            failed.append(f"seed {seed}: {differs(script)}")
    assert not failed, "\n".join(failed)
    return counts


def much_was_fast(counts: Counts) -> None:
    """The fast lane was really open, for open and for ended sessions, and it priced them."""
    assert counts.fast_samples >= 0.5 * counts.samples
    sessions = counts.fast_sessions + counts.slow_sessions
    assert counts.fast_sessions >= 0.3 * sessions
    assert counts.fast_ended >= 0.3 * counts.fast_sessions
    assert counts.fast_priced >= 0.3 * counts.fast_sessions


@pytest.mark.slow
def test_streams_are_written_alike_with_the_fast_lane_open_and_shut() -> None:
    counts = played(range(250))
    much_was_fast(counts)
    missing = REACHED - {name for name, count in counts.seen.items() if count}
    assert not missing


def went_on(counts: Counts) -> None:
    """Many rows were of sessions at rest, and of those many were derived on from their newest."""
    assert counts.seen["at rest"] >= 0.3 * counts.fast_sessions
    assert counts.seen["told on"] >= 0.1 * counts.seen["at rest"]


@pytest.mark.slow
def test_live_streams_are_written_alike_with_the_fast_lane_open_and_shut() -> None:
    went_on(played(range(60), live=True))


def test_a_stream_is_the_same_for_the_same_seed() -> None:
    assert script_of(3) == script_of(3)
    assert script_of(3) != script_of(4)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("thousand", range(10))
def test_ten_thousand_streams_are_written_alike(thousand: int) -> None:
    counts = played(range(1000 * thousand + 1_000_000, 1000 * thousand + 1_001_000))
    much_was_fast(counts)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("hundred", range(10))
def test_a_thousand_live_streams_are_written_alike(hundred: int) -> None:
    went_on(played(range(100 * hundred + 2_000_000, 100 * hundred + 2_000_100), live=True))
