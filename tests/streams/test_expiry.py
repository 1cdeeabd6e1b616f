"""Silent sessions are given up by an event; whoever knows better later wins."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from schemas import wire
from streams.ports import Outgoing
from streams.worker import FIRST_SWEEP_MS, SWEEP_MS, SWEEP_WAITS_MS
from tests.streams.core.core_events import (
    meter16,
    meter21,
    ms,
    stamp,
    start16,
    start21,
    stop16,
)
from tests.streams.core.fleet_kit import Drive, settings_of, sink_of

DAY = 24 * 60
SILENT_AT = ms(45 + DAY) + 3_600_000


def silent(values: list[bytes]) -> tuple[Drive, list[Outgoing]]:
    """A worker that took the values and then heard nothing for a day and an hour."""
    drive = Drive(values, sink_of(), settings_of(), now_ms=ms(50))
    drive.take(len(values))
    drive.flush()
    drive.now_ms = SILENT_AT
    batch = drive.worker.prepare(drive.now_ms)
    assert batch is not None
    drive.worker.write(batch)
    drive.worker.done(batch, drive.now_ms)
    return drive, batch.outgoing


def hear(drive: Drive, *values: bytes) -> dict[str, Any]:
    """Take the values in and give the session's row."""
    drive.values = [*drive.values, *values]
    drive.take(len(values))
    drive.flush()
    (row,) = (r for r in drive.sink.tables["sessions"].values() if r["transaction_id"] in "7x")
    return row


def test_a_silent_session_is_given_up_a_day_after_its_last_event() -> None:
    drive, (sent,) = silent([start16(0, 100), meter16(45, 4100)])

    event = msgspec.json.decode(sent.value, type=wire.SessionExpired)
    assert (sent.topic, sent.key) == ("charging.events", b"t/S9")
    assert (event.timestamp, event.silence_s) == (stamp(45 + DAY), 86_400)
    assert (event.transaction_id, event.connector_id) == ("7", 1)
    (row,) = drive.sink.tables["sessions"].values()
    assert event.session_id == str(row["session_id"])


def test_the_event_is_the_same_whoever_publishes_it_and_whenever() -> None:
    drive, (first,) = silent([start21(0, "x"), meter21(0, 0, "x", 1), meter21(45, 4000, "x", 2)])
    drive.restart()
    drive.now_ms += 7_200_000
    early = drive.worker.prepare(drive.now_ms)
    batch = drive.worker.prepare(drive.now_ms + FIRST_SWEEP_MS)

    assert early is not None
    assert early.outgoing == []  # what lies in the topic comes before the sweep

    assert batch is not None
    assert batch.outgoing == [first]


def test_a_sweep_waits_for_a_flush_without_events_but_not_for_ever() -> None:
    drive, (first,) = silent([start21(0, "x"), meter21(0, 0, "x", 1), meter21(45, 4000, "x", 2)])

    def flush_with_an_event(at_ms: int) -> list[Outgoing]:
        drive.values = [*drive.values, start21(2 * DAY, "other")]
        drive.now_ms = at_ms
        drive.take(1)
        batch = drive.worker.prepare(at_ms)
        assert batch is not None
        return batch.outgoing

    due = SILENT_AT + SWEEP_MS
    assert flush_with_an_event(due) == []
    assert flush_with_an_event(due + SWEEP_WAITS_MS - 1) == []
    assert flush_with_an_event(due + SWEEP_WAITS_MS) == [first]


def test_the_event_closes_the_session_at_its_last_reading() -> None:
    drive, (sent,) = silent([start16(0, 100), meter16(45, 4100)])

    row = hear(drive, sent.value, sent.value)

    assert (row["status"], row["grade"]) == ("ended_estimated", "estimated")
    assert (row["energy_wh"], row["duration_s"]) == (Decimal(4000), Decimal(45 * 60))
    assert row["flags"] == ["expired"]
    assert row["event_count"] == 3


def test_a_session_that_spoke_within_the_day_is_left_alone() -> None:
    _, sent = silent([start16(0, 100), meter16(45, 4100), meter16(120, 4200)])

    assert sent == []


def test_an_ended_session_is_left_alone() -> None:
    _, sent = silent([start16(0, 100), stop16(45, 4100)])

    assert sent == []


def test_a_later_event_revives_a_session_that_was_given_up() -> None:
    drive, (sent,) = silent([start16(0, 100), meter16(45, 4100)])
    given_up = hear(drive, sent.value)

    row = hear(drive, meter16(45 + DAY + 5, 6100))

    assert given_up["status"] == "ended_estimated"
    assert (row["status"], row["ended_at"]) == ("active", None)
    assert row["energy_wh"] == 6000
    assert row["version"] > given_up["version"]


def test_a_late_reading_from_before_the_silence_was_over_revives_nothing() -> None:
    drive, (sent,) = silent([start16(0, 100), meter16(45, 4100)])
    hear(drive, sent.value)

    row = hear(drive, meter16(60, 5100))

    assert (row["status"], row["energy_wh"]) == ("ended_estimated", Decimal(5000))
    assert row["duration_s"] == 3600


def test_a_late_stop_wins_over_giving_up_and_over_the_next_start() -> None:
    drive, (sent,) = silent([start16(0, 100), meter16(45, 4100)])
    hear(drive, sent.value, start16(2 * DAY, 9000, "8"))

    row = hear(drive, stop16(50, 4600))

    assert (row["status"], row["grade"], row["flags"]) == ("ended", "exact", [])
    assert (row["energy_wh"], row["duration_s"]) == (Decimal(4500), Decimal(3000))


def test_a_worker_that_never_saw_the_session_gives_it_up_too() -> None:
    drive, (sent,) = silent([start16(0, 100), meter16(45, 4100)])
    drive.values, drive.committed = [], 0
    drive.restart()

    row = hear(drive, sent.value)

    assert (row["status"], row["energy_wh"]) == ("ended_estimated", Decimal(4000))
