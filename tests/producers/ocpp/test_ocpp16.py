"""OCPP 1.6-J: what each request becomes."""

from __future__ import annotations

from typing import Any

import pytest

from producers.ocpp_log import LineOutcome, read_ocpp_log
from schemas.errors import Reason
from tests.producers.ocpp.ocpp_builders import (
    call,
    content,
    events,
    line,
    meter,
    one,
    read,
    read_frames,
    start,
    started,
    status,
    stop,
)


def test_a_start_gets_its_transaction_id_from_the_answer() -> None:
    request, answer = read_frames(start(reservationId=5), started(113))

    (event,) = request.events
    assert content(event) == {
        "type": "session_started",
        "tenant": "acme",
        "station_id": "CP1",
        "protocol": "ocpp1.6",
        "timestamp": "2026-03-01T12:00:00.000Z",
        "connector_id": 1,
        "transaction_id": "113",
        "id_token": "TAG",
        "meter_start_wh": 1000,
        "reservation_id": 5,
    }
    assert event.flags == ()
    assert answer.ignored == "answer to StartTransaction"


def test_a_start_without_an_answer_is_published_at_the_end_of_the_log() -> None:
    event = one(start())

    assert event.transaction_id is None
    assert event.flags == ("start_unanswered",)


def test_the_next_start_on_the_connector_releases_an_unanswered_one() -> None:
    first, second, _answer = read_frames(
        start("s1"), start("s2", timestamp="2026-03-01T14:00:00Z"), started(8, "s2")
    )

    assert [first.events[0].transaction_id, second.events[0].transaction_id] == [None, "8"]


def test_a_start_on_another_connector_waits_on() -> None:
    found = read_frames(start("s1"), start("s2", connectorId=2), started(1, "s1"), started(2, "s2"))

    assert [each.events[0].transaction_id for each in found[:2]] == ["1", "2"]


def test_meter_values_of_a_transaction_release_the_unanswered_start_of_their_connector() -> None:
    frames = [start(), meter({"value": "1500"}), started(7)]
    request, sample, late = read_frames(*frames)

    assert request.events[0].transaction_id is None
    assert sample.events[0].transaction_id == "7"
    (again,) = late.events
    assert again.transaction_id == "7"
    assert again.flags == ("start_answered_late",)
    assert content(again) | {"transaction_id": None} == content(request.events[0]) | {
        "transaction_id": None
    }


def test_meter_values_without_a_transaction_let_a_start_wait() -> None:
    frames = [start(), meter({"value": "1500"}, transactionId=None), started(7)]

    assert read_frames(*frames)[0].events[0].transaction_id == "7"


def test_a_stop_names_the_one_start_that_was_never_answered() -> None:
    request, ended = read_frames(start(), stop(10001))

    (begun,) = request.events
    assert (begun.transaction_id, begun.flags) == (
        "10001",
        ("start_unanswered", "transaction_inferred"),
    )
    assert (ended.events[0].transaction_id, ended.events[0].connector_id) == ("10001", 1)
    assert ended.events[0].flags == ("connector_inferred",)


def test_a_start_released_before_its_stop_is_said_again_with_the_id_of_the_stop() -> None:
    request, sample, ended = read_frames(start(), meter({"value": "1500"}), stop(7))

    assert request.events[0].transaction_id is None
    assert [each.transaction_id for each in (*sample.events, *ended.events)] == ["7"] * 3
    assert content(ended.events[0]) == content(request.events[0]) | {"transaction_id": "7"}


@pytest.mark.parametrize(
    "changes",
    [
        {"idTag": "SOMEBODY"},
        {"meterStop": 999},
        {"timestamp": "2026-03-01T11:00:00Z"},
    ],
)
def test_a_stop_that_contradicts_the_start_does_not_name_it(changes: dict[str, Any]) -> None:
    assert read_frames(start(), stop(10001, **changes))[0].events[0].transaction_id is None


def test_a_stop_that_could_mean_two_unanswered_starts_names_neither() -> None:
    found = read_frames(start("s1"), start("s2", connectorId=2), stop(10001))

    assert [each.events[0].transaction_id for each in found] == [None, None, "10001"]
    assert found[2].events[0].connector_id is None


def test_meter_values_under_the_id_of_a_stop_tell_which_start_it_means() -> None:
    frames = [start("s1"), start("s2", connectorId=2)]
    samples = [
        meter({"value": "1500"}, connectorId=number, transactionId=20 + number) for number in (1, 2)
    ]
    one_ended, other_ended = read_frames(*frames, *samples, stop(22), stop(21, "e2"))[-2:]

    for outcome, connector in ((one_ended, 2), (other_ended, 1)):
        begun, ended = outcome.events
        assert begun.connector_id == ended.connector_id == connector
        assert begun.transaction_id == ended.transaction_id == str(20 + connector)


def test_an_answer_after_the_stop_that_says_another_id_is_heard() -> None:
    found = events(start(), stop(10001), started(8))

    assert [each.transaction_id for each in found] == ["10001", "10001", "8"]


@pytest.mark.parametrize(
    ("answer", "flag"),
    [
        ("ConcurrentTx", "start_concurrent_tx"),
        ("Blocked", "start_blocked"),
        ("Invalid", "start_invalid"),
        ("Expired", "start_expired"),
        ("Nonsense", "start_not_accepted"),
    ],
)
def test_a_start_that_is_not_accepted_is_published_with_a_flag(answer: str, flag: str) -> None:
    event = one(start(), started(7, status=answer))

    assert event.transaction_id == "7"
    assert event.flags == (flag,)


def test_an_error_answer_releases_the_start_with_a_flag() -> None:
    event = one(start(), [4, "s1", "InternalError", "", {}])

    assert (event.transaction_id, event.flags) == (None, ("start_error",))


def test_an_answer_of_the_station_under_the_same_message_id_answers_no_start() -> None:
    lines = [
        line(start("5")),
        line([3, "5", {"status": "Accepted"}], dir="cp->csms"),
        line(started(9, "5"), dir="csms->cp"),
    ]
    request, own, _answer = read(lines)

    assert own.ignored == "answer of the station"
    assert request.events[0].transaction_id == "9"


def test_an_answer_that_fits_no_start_leaves_it_waiting() -> None:
    request, odd, _answer = read_frames(start(), [3, "s1", {}], started(4))

    assert odd.ignored == "answer that does not fit its StartTransaction"
    assert request.events[0].transaction_id == "4"


@pytest.mark.parametrize("again", ["s1", "s2"])
def test_a_start_sent_again_before_the_answer_is_the_same_start(again: str) -> None:
    first, second, *_rest = read_frames(start("s1"), start(again), started(7, again))

    assert content(first.events[0]) == content(second.events[0])
    assert first.events[0].transaction_id == "7"


@pytest.mark.parametrize("again", ["s1", "s2"])
def test_a_start_sent_again_after_the_answer_is_the_same_start(again: str) -> None:
    found = events(start("s1"), started(7, "s1"), start(again))

    assert content(found[0]) == content(found[1])


def test_a_message_id_used_for_another_start_loses_neither() -> None:
    found = events(start("1"), start("1", connectorId=2), started(7, "1"))

    assert [(each.connector_id, each.transaction_id) for each in found] == [(1, None), (2, "7")]


def test_a_boot_under_the_message_id_of_a_waiting_start_does_not_lose_it() -> None:
    assert one(start("1"), call("BootNotification", {}, "1")).transaction_id is None


def test_a_stop_carries_register_reason_and_each_sample_of_its_data() -> None:
    data = [
        {"timestamp": "2026-03-01T12:00:00Z", "sampledValue": [{"value": "1000"}]},
        {
            "timestamp": "2026-03-01T13:00:00Z",
            "sampledValue": [{"value": "6", "unit": "kWh", "context": "Transaction.End"}],
        },
    ]
    found = events(start(), started(), stop(reason="EVDisconnected", transactionData=data))

    ended, first, last = found[1:]
    assert content(ended)["type"] == "session_ended"
    assert content(ended)["reason"] == "EVDisconnected"
    assert content(ended)["meter_stop_wh"] == 6000
    assert [content(each)["import_wh"] for each in (first, last)] == [1000, 6000]
    assert [each.transaction_id for each in (ended, first, last)] == ["7"] * 3
    assert [each.connector_id for each in (ended, first, last)] == [1] * 3
    assert content(last)["context"] == "Transaction.End"


def test_an_id_used_again_on_another_connector_means_the_start_that_still_runs() -> None:
    again = start("s2", connectorId=2, timestamp="2026-03-01T14:00:00Z")
    later = stop(7, "e2", timestamp="2026-03-01T15:00:00Z")

    assert events(start(), started(7), stop(7), again, later)[-1].connector_id == 2


@pytest.mark.parametrize("unknown", [-1, 0, 2**63 - 1])
def test_a_stop_without_a_known_id_keeps_it_and_names_the_only_connector(unknown: int) -> None:
    ended = events(start(), started(), stop(unknown, idTag="TAG"))[-1]

    assert ended.transaction_id == str(unknown)
    assert ended.connector_id == 1
    assert ended.flags == ("connector_inferred",)


def test_a_stop_minus_one_is_told_from_its_neighbour_by_its_id_tag() -> None:
    other = start("s2", connectorId=2, idTag="OTHER")
    ended = events(start(), started(1), other, started(2, "s2"), stop(-1, idTag="OTHER"))[-1]

    assert ended.connector_id == 2


def test_a_stop_minus_one_that_could_mean_two_names_no_connector() -> None:
    other = start("s2", connectorId=2)
    ended = events(start(), started(1), other, started(2, "s2"), stop(-1, idTag="TAG"))[-1]

    assert (ended.connector_id, ended.flags) == (None, ())


def test_a_stop_never_means_a_transaction_that_started_after_it() -> None:
    late = start(timestamp="2026-03-01T15:00:00Z")

    assert events(late, started(7), stop(-1))[-1].connector_id is None


@pytest.mark.parametrize("transaction_id", [7, -1])
def test_a_stop_sent_again_says_the_same(transaction_id: int) -> None:
    found = events(start(), started(), stop(transaction_id), stop(transaction_id, "e2"))

    assert content(found[1]) == content(found[2])


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("Charging", "Charging"),
        ("SuspendedEV", "SuspendedEV"),
        ("SuspendedEVSE", "SuspendedEVSE"),
        ("Finishing", "EVConnected"),
    ],
)
def test_a_status_of_a_running_transaction_is_also_its_charging_state(
    said: str, state: str
) -> None:
    shown, changed = events(start(), started(), status(said))[1:]

    assert content(shown)["status"] == said
    assert content(changed) == {
        "type": "charging_state_changed",
        "tenant": "acme",
        "station_id": "CP1",
        "protocol": "ocpp1.6",
        "timestamp": "2026-03-01T12:10:00.000Z",
        "connector_id": 1,
        "transaction_id": "7",
        "charging_state": state,
    }


@pytest.mark.parametrize(
    "frames",
    [
        [status("Charging")],
        [start(), started(), status("Available")],
        [start(), started(), status("Charging", connector=2)],
        [start(), started(), stop(), status("Finishing", "2026-03-01T13:00:01Z")],
        [start(), started(), status("Charging", "2026-03-01T11:59:59Z")],
    ],
)
def test_other_statuses_change_no_transaction(frames: list[object]) -> None:
    assert events(*frames)[-1].__struct_config__.tag == "station_status"


def test_a_status_without_a_time_takes_the_receipt_or_is_ignored_with_a_reason() -> None:
    told = one(status("Available", None), received_at="2026-03-01T12:00:01Z")
    (untold,) = read_frames(status("Available", None))

    assert told.timestamp == "2026-03-01T12:00:01.000Z"
    assert told.flags == ("timestamp_received",)
    assert untold.ignored == "StatusNotification without a time, its receipt unknown"


def test_an_authorize_takes_the_status_of_its_answer_and_the_time_of_its_receipt() -> None:
    asked = call("Authorize", {"idTag": "TAG"}, "a1")
    event = one(
        asked, [3, "a1", {"idTagInfo": {"status": "Blocked"}}], received_at="2026-03-01T12:00:00Z"
    )

    assert (event.id_token, event.status) == ("TAG", "Blocked")
    assert event.timestamp == "2026-03-01T12:00:00.000Z"
    assert event.flags == ()


def test_an_authorize_is_not_held_for_ever() -> None:
    asked = call("Authorize", {"idTag": "TAG"}, "a1")
    beats = [call("Heartbeat", {}, f"h{n}") for n in range(9)]
    order = [each.line for each in read_in_order(asked, *beats, status("Available")) if each.events]

    assert order == [1, 11]


def read_in_order(*frames: object) -> list[LineOutcome]:
    lines = [line(frame, received_at="2026-03-01T12:00:00Z") for frame in frames]
    return list(read_ocpp_log(lines, tenant="acme"))


def test_the_main_meter_keeps_connector_zero() -> None:
    frame = meter({"value": "5"}, connectorId=0, transactionId=None)

    assert (one(frame).connector_id, one(frame).transaction_id) == (0, None)


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        (call("StartTransaction", {"connectorId": 1, "idTag": "T"}), "payload.timestamp"),
        (call("StartTransaction", {"timestamp": "2026-03-01T12:00:00Z"}), "payload"),
        (call("StopTransaction", {"transactionId": 1, "timestamp": "soon"}), "payload.timestamp"),
        (
            call("StopTransaction", {"timestamp": "2026-03-01T12:00:00Z"}),
            "payload.transactionId",
        ),
        (call("MeterValues", {"connectorId": 1}), "payload.meterValue"),
        (
            call("MeterValues", {"connectorId": 1, "meterValue": [{"sampledValue": []}]}),
            "payload.meterValue[0].timestamp",
        ),
        (call("StatusNotification", {"connectorId": 1}), "payload.status"),
        (call("Authorize", {}), "payload.idTag"),
    ],
)
def test_a_payload_that_lacks_what_counts_is_rejected_with_its_field(
    frame: list[object], field: str
) -> None:
    (outcome,) = read_frames(frame)

    assert outcome.rejected is not None
    assert (outcome.rejected.reason, outcome.rejected.field) == (Reason.INVALID_PAYLOAD, field)


@pytest.mark.parametrize(
    "changes",
    [
        {"meterStart": "1000"},
        {"connectorId": "1"},
        {"vendor": "x"},
        {"idTag": "A" * 30},
        {"reservationId": None},
    ],
)
def test_a_start_outside_the_schema_but_usable_is_accepted_with_a_flag(
    changes: dict[str, Any],
) -> None:
    event = one(start(**changes), started())

    assert event.flags == ("schema_deviation",)
    assert (event.connector_id, event.meter_start_wh) == (1, 1000)


def test_an_unreadable_register_does_not_lose_the_start() -> None:
    event = one(start(meterStart="NaN"), started())

    assert event.meter_start_wh is None
    assert event.flags == ("schema_deviation", "reading_unreadable")


def test_very_many_unanswered_calls_stay_bounded_and_are_all_published() -> None:
    frames = [start(f"s{n}", connectorId=n) for n in range(200)]

    assert [each.connector_id for each in events(*frames)] == list(range(200))
