"""Whatever a charger or a log tool sends: one outcome a line, no traceback, no difference."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from producers.ocpp import Context, Frame, Held, StationState, fold, release
from tests.producers.ocpp.ocpp_builders import (
    call,
    content,
    line,
    meter,
    read,
    start,
    started,
    status,
    stop,
    transaction,
    value_2x,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["2026-03-01T12:00:00Z", "Started", "Wh", "-1", "NaN", "Charging"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "connectorId",
                    "idTag",
                    "meterStart",
                    "timestamp",
                    "transactionId",
                    "meterValue",
                    "sampledValue",
                    "value",
                    "unit",
                    "unitOfMeasure",
                    "multiplier",
                    "transactionInfo",
                    "eventType",
                    "seqNo",
                    "evse",
                    "id",
                    "status",
                    "idToken",
                    "signedMeterValue",
                    "transactionData",
                    "phase",
                    "context",
                    "idTagInfo",
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)
ACTIONS = st.sampled_from(
    [
        "StartTransaction",
        "StopTransaction",
        "MeterValues",
        "StatusNotification",
        "Authorize",
        "TransactionEvent",
        "BootNotification",
        "Heartbeat",
        "DataTransfer",
        "Reset",
    ]
)
IDS = st.sampled_from(["1", "2", 3])
FRAMES = st.one_of(
    JSON,
    st.tuples(st.just(2), IDS, ACTIONS, JSON),
    st.tuples(st.just(3), IDS, JSON | st.just({"transactionId": 7, "idTagInfo": {"status": "x"}})),
    st.tuples(st.integers(), JSON, JSON),
)
MESSAGES = [
    call("BootNotification", {}, "b"),
    *(start(f"s{n}", connectorId=n % 2, timestamp=f"2026-03-01T12:0{n}:00Z") for n in range(4)),
    *(started(n, f"s{n}") for n in range(4)),
    *(stop(n, f"e{n}") for n in (-1, 1, 2)),
    *(status(each) for each in ("Charging", "SuspendedEV", "Available")),
    meter({"value": "5"}),
    meter({"value": "6"}, transactionId=2),
    call("Authorize", {"idTag": "T"}, "a"),
    [3, "a", {"idTagInfo": {"status": "Accepted"}}],
    transaction("Started", 0, evse={"id": 1}),
    transaction("Updated", 1, meterValue=[value_2x(5)]),
    transaction("Ended", 2, idToken={"idToken": "A", "type": "Central"}),
]


@given(st.lists(st.tuples(FRAMES, st.sampled_from(["A", "B"]), JSON), max_size=12))
def test_arbitrary_frames_have_one_outcome_each(frames: list[tuple[Any, str, Any]]) -> None:
    found = read([line(frame, station, received_at=at) for frame, station, at in frames])

    assert [each.line for each in found] == list(range(1, len(frames) + 1))


@given(st.lists(JSON.map(json.dumps), max_size=8))
def test_arbitrary_json_has_one_outcome_a_line(lines: list[str]) -> None:
    assert len(read(lines)) == len(lines)


@given(
    st.lists(st.binary(max_size=60).map(lambda raw: b"\xfe" + raw.replace(b"\n", b"")), max_size=8)
)
def test_arbitrary_bytes_have_one_outcome_a_line(lines: list[bytes]) -> None:
    assert all(each.rejected is not None for each in read(lines))


@given(st.text(max_size=80), st.text(max_size=80))
def test_arbitrary_text_round_a_frame_never_raises(before: str, after: str) -> None:
    raw = before + json.dumps(status("Available")) + after

    assert len(read([json.dumps({"station": "CP1", "raw": raw})])) == 1


@given(st.data())
def test_a_frame_cut_anywhere_or_with_a_letter_changed_never_raises(data: st.DataObject) -> None:
    text = line(data.draw(st.sampled_from(MESSAGES)), received_at="2026-03-01T12:00:00Z").encode()
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.binary(min_size=0, max_size=1).filter(lambda each: each not in b"\r\n"))
    changed = text[:at] + letter + text[at + 1 :]

    assert len(read([text[:at] or b"x", changed])) == 2


@given(st.lists(st.sampled_from(MESSAGES), max_size=30), st.booleans())
def test_a_log_read_twice_says_the_same(frames: list[Any], receipt: bool) -> None:
    more = {"received_at": "2026-03-01T12:30:00Z"} if receipt else {}
    lines = [line(frame, **more) for frame in frames]

    assert [each.events for each in read(lines)] == [each.events for each in read(lines)]


def told(lines: list[str]) -> set[str]:
    return {
        json.dumps(content(event), sort_keys=True) for each in read(lines) for event in each.events
    }


def test_a_log_that_repeats_itself_adds_nothing_new() -> None:
    session = [
        call("BootNotification", {}, "b"),
        call("Authorize", {"idTag": "TAG"}, "a"),
        [3, "a", {"idTagInfo": {"status": "Accepted"}}],
        start(),
        started(),
        status("Charging"),
        meter({"value": "2000"}),
        stop(),
        status("Finishing", "2026-03-01T13:00:01Z"),
        transaction("Started", 0, evse={"id": 1}),
        transaction("Updated", 1, idToken={"idToken": "A", "type": "Central"}),
        transaction("Updated", 2, meterValue=[value_2x(5)]),
        transaction("Ended", 3),
    ]
    lines = [line(frame, received_at="2026-03-01T14:00:00Z") for frame in session]

    assert told(lines + lines) == told(lines)


def test_a_log_without_answers_that_repeats_itself_adds_nothing_new() -> None:
    session = [
        start("1"),
        meter({"value": "2000"}, transactionId=7),
        stop(7, "2"),
        start("3", timestamp="2026-03-01T14:00:00Z"),
        stop(8, "4", timestamp="2026-03-01T15:00:00Z"),
        start("5", timestamp="2026-03-01T16:00:00Z"),
        stop(-1, "6", timestamp="2026-03-01T17:00:00Z"),
    ]
    lines = [line(frame) for frame in session]

    assert told(lines + lines) == told(lines)


def test_every_frame_kept_waiting_is_settled_exactly_once_in_any_order() -> None:
    context = Context("acme", "CP1")
    for seed in range(300):
        frames = random.Random(seed).choices(MESSAGES, k=40)
        state, waited, settled = StationState(), list[int](), list[int]()
        for ref, message in enumerate(frames):
            state, outcome = fold(state, Frame(message, ref), context)
            if isinstance(outcome.verdict, Held):
                waited.append(ref)
            settled.extend(each.ref for each in outcome.settled)
        state, rest = release(state)
        settled.extend(each.ref for each in rest)

        assert sorted(settled) == waited
        assert release(state)[1] == ()


def test_a_fold_leaves_the_state_it_was_given_as_it_was() -> None:
    context = Context("acme", "CP1")
    before, _ = fold(StationState(), Frame(start(), 1), context)
    snapshot = repr(before)
    fold(before, Frame(started(), 2), context)
    fold(before, Frame(stop(), 2), context)
    fold(before, Frame(transaction("Started"), 2), context)

    assert repr(before) == snapshot


def test_state_stays_small_whatever_comes() -> None:
    context = Context("acme", "CP1")
    state = StationState()
    for n in range(1000):
        for frame in (
            start(f"s{n}", connectorId=n),
            call("BootNotification", {}, f"b{n}"),
            transaction("Started", 0, info={"transactionId": f"t{n}"}),
        ):
            state, _ = fold(state, Frame(frame, n), context)

    assert max(len(state.calls), len(state.connectors), len(state.transactions)) <= 65
