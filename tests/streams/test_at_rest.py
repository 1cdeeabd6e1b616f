"""Open sessions rest in columns between their reports, and nobody can tell by their rows."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from streams.core.book import Book
from streams.core.events import SAMPLE, STARTED, STATE, CoreEvent, Started, StateChanged
from streams.core.keys import key_of, names_of
from streams.core.packed import Packed
from streams.core.session import Session
from tests.streams.core.core_events import end21, meter21, ms, start21, wire_base
from tests.streams.core.fleet_kit import DAY_MS, TP, Drive, at_once, settings_of, sink_of, slices_in

KEY = key_of("t", "S9", "x")


def driven(*values: bytes) -> Drive:
    """A worker that wrote what it took; the clock goes with the events."""
    drive = Drive(values, sink_of(), settings_of(), now_ms=ms(50))
    drive.take(len(values))
    drive.flush()
    return drive


def hear(drive: Drive, *values: bytes) -> dict[str, Any]:
    """Take more an hour later, write it, and give the session's row."""
    drive.now_ms += 3_600_000
    drive.values = [*drive.values, *values]
    drive.take(len(values))
    drive.flush()
    return row_of(drive)


def row_of(drive: Drive, transaction: str = "x") -> dict[str, Any]:
    rows = drive.sink.tables["sessions"].values()
    (row,) = (row for row in rows if row["transaction_id"] == transaction)
    return row


def book_of(drive: Drive) -> Book:
    return drive.worker._book


def rests(drive: Drive, key: str = KEY) -> bool:
    book = book_of(drive)
    slot = slot_of(book, key)
    return key not in book.direct and slot >= 0 and bool(book.resting.at_rest[slot])


def slot_of(book: Book, key: str) -> int:
    return int(book.resting.slots.find(Packed.of([key]))[0])


def state21(minute: float, seq: int) -> bytes:
    base = wire_base("ocpp2.1", "x", seq_no=seq)
    at = datetime.fromtimestamp(ms(minute) / 1000, UTC).isoformat()[:19] + "Z"
    return wire.encode(
        wire.ChargingStateChanged(**base, timestamp=at, charging_state="SuspendedEV")
    )


def test_an_open_session_rests_once_its_row_is_written() -> None:
    drive = driven(start21(0, "x"), meter21(5, 1000, "x", 1), state21(6, 2))

    assert rests(drive)
    assert row_of(drive)["event_count"] == 3


def test_samples_of_a_session_at_rest_need_no_object_and_are_told() -> None:
    drive = driven(start21(0, "x"), meter21(5, 1000, "x", 1), state21(6, 2))

    row = hear(drive, meter21(10, 2000, "x", 3), meter21(20, 4500, "x", 4))

    assert rests(drive)
    assert (row["event_count"], row["energy_wh"]) == (5, Decimal("3500.000"))
    assert row["driver_key"] == "A"


def test_its_end_wakes_it_and_is_told_with_everything_that_came_before() -> None:
    drive = driven(start21(0, "x"), meter21(5, 1000, "x", 1), state21(6, 2))
    hear(drive, meter21(10, 2000, "x", 3))

    row = hear(drive, end21(30, "x", 4, meter_stop_wh=3000))

    assert not rests(drive)
    values = drive.values
    assert row["status"] == "ended"
    assert row["energy_wh"] == Decimal("2000.000")
    told = at_once(values)
    assert slices_in(drive.sink) == slices_in(told)


def test_the_next_start_on_its_connector_wakes_and_closes_it() -> None:
    drive = driven(start21(0, "x"), meter21(5, 1000, "x", 1))
    assert rests(drive)

    row = hear(drive, start21(60, "y"))

    assert row["status"] == "ended_estimated"
    assert rests(drive, key_of("t", "S9", "y"))


def test_a_start_on_another_connector_lets_it_rest() -> None:
    drive = driven(start21(0, "x"), meter21(5, 1000, "x", 1))

    row = hear(drive, start21(60, "y", evse_id=2))

    assert rests(drive)
    assert row["status"] == "active"


def test_what_is_sent_again_changes_nothing_and_wakes_nobody_for_long() -> None:
    values = (start21(0, "x"), meter21(5, 1000, "x", 1), state21(6, 2))
    drive = driven(*values)
    before = row_of(drive)

    assert hear(drive, *values) == before
    row = hear(drive, meter21(10, 2000, "x", 3))

    assert (row["event_count"], row["energy_wh"]) == (4, Decimal("1000.000"))


def test_a_sample_that_comes_while_the_row_is_written_is_told_by_the_next_one() -> None:
    values = [start21(0, "x"), meter21(5, 1000, "x", 1), meter21(10, 2000, "x", 2)]
    drive = Drive(values, sink_of(), settings_of(), now_ms=ms(50))
    drive.take(2)
    batch = drive.worker.prepare(drive.now_ms)
    assert batch is not None
    drive.take(1)
    drive.worker._intake.stitch(drive.now_ms)
    drive.worker.write(batch)
    drive.worker.done(batch, drive.now_ms)
    assert rests(drive)

    drive.now_ms += 61_000
    drive.flush()

    assert row_of(drive)["event_count"] == 3


def test_an_end_that_comes_while_the_row_is_written_is_told_by_the_next_one() -> None:
    drive = driven(start21(0, "x"), meter21(5, 1000, "x", 1))
    drive.now_ms += 61_000
    drive.values = [*drive.values, meter21(10, 2000, "x", 2), end21(20, "x", 3, meter_stop_wh=2000)]
    drive.take(1)
    batch = drive.worker.prepare(drive.now_ms)  # the session rests, its row is due
    assert batch is not None
    drive.take(1)
    drive.worker._intake.stitch(drive.now_ms)
    drive.worker.write(batch)
    drive.worker.done(batch, drive.now_ms)
    assert row_of(drive)["status"] == "active"

    drive.flush()

    assert (row_of(drive)["status"], row_of(drive)["event_count"]) == ("ended", 4)


def test_partitions_that_go_take_their_sessions_at_rest_along() -> None:
    drive = driven(start21(0, "x"), meter21(5, 1000, "x", 1))
    slot = slot_of(book_of(drive), KEY)

    drive.worker.forget([TP])

    resting = book_of(drive).resting
    assert not len(resting.slots.slots())
    assert not resting.at_rest.any()
    assert drive.worker._fast.lane.new_slot() == slot


def test_slices_that_stay_are_not_written_again_while_a_session_is_open() -> None:
    begin = start21(0, "x", meter_start_wh=0)
    drive = driven(begin, *(meter21(5 * n, 500 * n, "x", n) for n in range(1, 11)))
    first = drive.sink.tables["session_slices"].copy()

    hear(drive, meter21(55, 5500, "x", 11))

    second = drive.sink.tables["session_slices"]
    changed = [row["slice_start"] * 1000 for key, row in second.items() if row != first.get(key)]
    assert len(second) == 4
    assert changed == [ms(45)]


def test_a_late_sample_has_all_slices_written_again() -> None:
    samples = [meter21(5 * n, 500 * n, "x", n) for n in (1, 2, 4, 5, 6, 7, 8, 9, 10)]
    drive = driven(start21(0, "x", meter_start_wh=0), *samples)

    hear(drive, meter21(15, 1100, "x", 3))

    versions = {row["version"] for row in drive.sink.tables["session_slices"].values()}
    assert versions == {row_of(drive)["version"]}


INSTANT = st.integers(DAY_MS, DAY_MS + 5 * 86_400_000)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NUMBER = st.integers(-1, 70_000)


@given(
    start=st.builds(
        Started, st.just(STARTED), INSTANT, NUMBER,
        st.none() | st.integers(0, 10**13), TEXT, NUMBER, st.integers(0, 70_000),
        st.sampled_from(["", "Charging", "Idle"]), TEXT, st.just(()),
    ),
    changes=st.sets(
        st.builds(
            StateChanged, st.just(STATE), INSTANT, NUMBER, TEXT, TEXT, NUMBER, NUMBER, st.just(())
        ),
        max_size=6,
    ),
)  # fmt: skip
def test_a_session_that_wakes_is_what_it_was_when_it_fell_asleep(
    start: Started, changes: set[StateChanged]
) -> None:
    drive = Drive([], sink_of())
    book = book_of(drive)
    session = book.open_direct(KEY, -1, "ocpp2.1", 0)
    session.must_load = False
    added: set[CoreEvent] = {start, *changes}
    for event in sorted(added):
        session.events.add(event)
        book.notice(session, event)
    book.touch(session, 1)
    drive.flush()
    assert rests(drive)

    woken = next(book.find([KEY]))

    assert woken is not None
    assert woken is not session
    assert woken.events == added
    assert {event.kind for event in woken.events} <= {STARTED, STATE} - {SAMPLE}
    for name in Session.__slots__:
        if name not in ("_events", "_id"):
            assert getattr(woken, name) == getattr(session, name), name
    assert woken.connector is not None
    assert list(woken.connector.open) == [woken]


def test_names_come_back_from_their_key_whatever_a_transaction_is_called() -> None:
    for names in (("t", "S", "x"), ("", "", ""), ("t", "S/1", "a\x1fb")):
        assert names_of(key_of(*names)) == names
