"""The order of events, their registers, and that nothing but registers depends on company."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from producers.rows.sessions import Instant, Session
from producers.rows.timeline import events_in_order
from schemas import wire
from schemas.events import EVENT_ADAPTER
from tests.producers.rows.row_helpers import business

MINUTE = 60_000


def session(start: int, end: int | None, energy: int | None = 1000, station: str = "A") -> Session:
    return Session(
        station=station,
        evse=None,
        connector=1,
        transaction_id=f"{start}/{end}/{energy}",
        user=None,
        area=None,
        start=Instant(start * MINUTE),
        charging_start=None,
        charging_end=None,
        end=None if end is None else Instant(end * MINUTE),
        energy_wh=energy,
        paid=None,
        currency=None,
    )


def told(sessions: list[Session]) -> list[str]:
    return [
        f"{'start' if isinstance(event, wire.SessionStarted) else 'stop'} {event.transaction_id}"
        for _, event in events_in_order(sessions, "t")
    ]


def test_a_stop_precedes_the_next_start_of_the_same_minute() -> None:
    assert told([session(10, 20), session(5, 10)]) == [
        "start 5/10/1000",
        "stop 5/10/1000",
        "start 10/20/1000",
        "stop 10/20/1000",
    ]


def test_sessions_within_one_minute_follow_each_other() -> None:
    assert told([session(5, 10), session(10, 10, 0), session(10, 12)]) == [
        "start 5/10/1000",
        "stop 5/10/1000",
        "start 10/10/0",
        "stop 10/10/0",
        "start 10/12/1000",
        "stop 10/12/1000",
    ]


def test_an_end_before_its_start_follows_the_start() -> None:
    assert told([session(10, 0), session(20, 30)]) == [
        "start 10/0/1000",
        "stop 10/0/1000",
        "start 20/30/1000",
        "stop 20/30/1000",
    ]


def test_registers_sum_per_connector_and_skip_what_has_no_end_or_no_energy() -> None:
    rows = [session(0, 1, 5), session(2, None, 7), session(3, 4, None), session(5, 6, -2)]
    events = [event for _, event in events_in_order([*rows, session(6, 7, 9)], "t")]

    assert [each.meter_start_wh for each in events if isinstance(each, wire.SessionStarted)] == [
        0,
        5,
        5,
        5,
        3,
    ]
    assert [each.meter_stop_wh for each in events if isinstance(each, wire.SessionEnded)] == [
        5,
        None,
        3,
        12,
    ]


SESSIONS = st.lists(
    st.builds(
        session,
        st.integers(0, 30),
        st.none() | st.integers(0, 40),
        st.none() | st.integers(-5, 50),
        st.sampled_from("AB"),
    ),
    max_size=12,
    unique=True,
)


@given(SESSIONS, st.randoms(use_true_random=False), st.integers(0, 12))
def test_order_and_company_change_registers_only(
    rows: list[Session], chance: st.DataObject, cut: int
) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands out a Random
    whole = [wire.encode(event) for _, event in events_in_order(rows, "t")]
    again = [wire.encode(event) for _, event in events_in_order(shuffled, "t")]
    halves = [
        business(event)
        for part in (shuffled[:cut], shuffled[cut:])
        for _, event in events_in_order(part, "t")
    ]

    assert again == whole
    assert sorted(halves, key=repr) == sorted(
        (business(event) for _, event in events_in_order(rows, "t")), key=repr
    )


@given(SESSIONS)
def test_every_session_starts_before_it_ends_and_every_event_is_of_the_contract(
    rows: list[Session],
) -> None:
    events = [event for _, event in events_in_order(rows, "t")]
    by_session = sorted(events, key=lambda each: (each.station_id, each.transaction_id or ""))

    for _, own in groupby(by_session, lambda each: (each.station_id, each.transaction_id)):
        kinds = [type(each) for each in own]
        assert kinds in ([wire.SessionStarted], [wire.SessionStarted, wire.SessionEnded])
    for event in events:
        EVENT_ADAPTER.validate_json(wire.encode(event))
