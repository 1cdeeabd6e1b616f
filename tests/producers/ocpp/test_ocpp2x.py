"""OCPP 2.0.1 and 2.1: what each request becomes."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import Reason
from tests.producers.ocpp.ocpp_builders import (
    T0,
    call,
    content,
    events,
    one,
    read_frames,
    transaction,
    value_2x,
)

EVSE = {"evse": {"id": 2, "connectorId": 1}}
TOKEN = {"idToken": {"idToken": "RFID", "type": "ISO14443"}}


def test_a_started_becomes_a_session_and_its_samples_under_one_seq_no() -> None:
    frame = transaction(
        "Started",
        4,
        info={"chargingState": "EVConnected"},
        meterValue=[value_2x(17, context="Transaction.Begin")],
        reservationId=3,
        offline=True,
        **EVSE,
        **TOKEN,
    )
    begun, sample = events(frame)

    assert content(begun) == {
        "type": "session_started",
        "tenant": "acme",
        "station_id": "CP1",
        "protocol": "ocpp2.0.1",
        "timestamp": "2026-03-01T12:04:00.000Z",
        "evse_id": 2,
        "connector_id": 1,
        "transaction_id": "tx-1",
        "seq_no": 4,
        "offline": True,
        "id_token": "RFID",
        "reservation_id": 3,
        "charging_state": "EVConnected",
        "trigger_reason": "Authorized",
    }
    assert begun.flags == sample.flags == ()
    assert content(sample) == {
        "type": "meter_sampled",
        "tenant": "acme",
        "station_id": "CP1",
        "protocol": "ocpp2.0.1",
        "timestamp": "2026-03-01T12:00:00.000Z",
        "evse_id": 2,
        "connector_id": 1,
        "transaction_id": "tx-1",
        "seq_no": 4,
        "offline": True,
        "context": "Transaction.Begin",
        "import_wh": 17,
    }


def test_an_update_with_a_state_and_values_becomes_both() -> None:
    frame = transaction(
        "Updated", 1, info={"chargingState": "SuspendedEV"}, meterValue=[value_2x(5), value_2x(6)]
    )
    changed, *samples = events(frame)

    assert content(changed)["charging_state"] == "SuspendedEV"
    assert [content(each)["import_wh"] for each in samples] == [5, 6]
    assert {each.seq_no for each in (changed, *samples)} == {1}


def test_an_update_with_values_only_becomes_samples_only() -> None:
    assert content(one(transaction("Updated", 1, meterValue=[value_2x(5)])))["import_wh"] == 5


def test_an_update_with_neither_shows_its_seq_no() -> None:
    told = content(one(transaction("Updated", 3)))

    assert (told["type"], told["seq_no"]) == ("charging_state_changed", 3)
    assert "charging_state" not in told


def test_an_ended_carries_reason_and_all_values() -> None:
    frame = transaction(
        "Ended",
        9,
        info={"stoppedReason": "EVDisconnected", "chargingState": "Idle"},
        meterValue=[
            value_2x(100, context="Transaction.Begin"),
            value_2x(7100.5, "2026-03-01T12:09:00Z", context="Transaction.End"),
        ],
    )
    ended, begin, end = events(frame)

    assert (content(ended)["reason"], content(ended)["charging_state"]) == (
        "EVDisconnected",
        "Idle",
    )
    assert [content(each)["import_wh"] for each in (begin, end)] == [100, "7100.500"]


def test_evse_and_token_said_once_are_filled_in_later() -> None:
    found = events(
        transaction("Started", 0, **TOKEN),
        transaction("Updated", 1, **EVSE),
        transaction("Updated", 2, meterValue=[value_2x(5)]),
        transaction("Ended", 3),
    )

    assert [each.evse_id for each in found] == [None, 2, 2, 2]
    assert [content(found[at])["id_token"] for at in (0, 1, 3)] == ["RFID"] * 3


def test_what_is_said_later_is_not_filled_in_when_an_earlier_message_comes_again() -> None:
    frames = [transaction("Started", 0), transaction("Updated", 1, **EVSE), transaction("Ended", 2)]
    found = events(*frames, *frames)

    assert [content(each) for each in found[:3]] == [content(each) for each in found[3:]]


def test_transactions_do_not_share_what_they_said() -> None:
    other = transaction("Updated", 5, info={"transactionId": "tx-2"})

    assert events(transaction("Started", 0, **EVSE), other)[-1].evse_id is None


@pytest.mark.parametrize(
    ("changes", "protocol"),
    [
        ({}, "ocpp2.0.1"),
        ({"evseSleep": True}, "ocpp2.1"),
        ({"preconditioningStatus": "Ready"}, "ocpp2.1"),
        ({"triggerReason": "TxResumed"}, "ocpp2.1"),
        ({"transactionInfo": {"transactionId": "tx-1", "tariffId": "T"}}, "ocpp2.1"),
        (
            {
                "meterValue": [
                    {**value_2x(1), "sampledValue": [{"value": 1, "location": "Upstream"}]}
                ]
            },
            "ocpp2.1",
        ),
    ],
)
def test_the_dialect_shows_in_fields_that_only_2_1_has(
    changes: dict[str, Any], protocol: str
) -> None:
    event = events(transaction("Updated", 1, **changes))[0]

    assert (event.protocol, event.flags) == (protocol, ())


def test_an_upstream_meter_is_not_the_outlet() -> None:
    event = one(transaction("Updated", 1, meterValue=[value_2x(5, location="Upstream")]))

    assert "import_wh" not in content(event)
    assert content(event)["other"] == {"Energy.Active.Import.Register@Upstream": "5"}


def test_a_status_names_evse_and_connector() -> None:
    payload = {"timestamp": T0, "connectorStatus": "Occupied", "evseId": 2, "connectorId": 1}
    event = one(call("StatusNotification", payload))

    assert (event.status, event.evse_id, event.connector_id) == ("Occupied", 2, 1)
    assert (event.protocol, event.flags) == ("ocpp2.0.1", ())


@pytest.mark.parametrize("evse", [0, 1])
def test_meter_values_outside_transactions_have_an_evse_and_no_transaction(evse: int) -> None:
    event = one(call("MeterValues", {"evseId": evse, "meterValue": [value_2x(5)]}))

    assert (event.evse_id, event.transaction_id, event.import_wh) == (evse, None, 5)


def test_an_authorize_takes_its_status() -> None:
    asked = call("Authorize", TOKEN, "a")
    answer = [3, "a", {"idTokenInfo": {"status": "Accepted"}}]
    event = one(asked, answer, received_at=T0)

    assert (event.id_token, event.status, event.protocol) == ("RFID", "Accepted", "ocpp2.0.1")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"transactionInfo": {}}, "payload.transactionInfo.transactionId"),
        (
            {"transactionInfo": {"transactionId": "x" * 256}},
            "payload.transactionInfo.transactionId",
        ),
        ({"eventType": "Paused"}, "payload.eventType"),
        ({"timestamp": "2026-13-01T00:00:00Z"}, "payload.timestamp"),
    ],
)
def test_an_unusable_transaction_event_is_rejected_with_its_field(
    changes: dict[str, Any], field: str
) -> None:
    (outcome,) = read_frames(transaction("Started", 0, **changes))

    assert outcome.rejected is not None
    assert (outcome.rejected.reason, outcome.rejected.field) == (Reason.INVALID_PAYLOAD, field)


def test_a_meter_entry_without_time_is_left_out_and_said() -> None:
    entries = [value_2x(5), {"sampledValue": [{"value": 6}]}]
    found = events(transaction("Ended", 1, meterValue=entries))

    assert [content(each)["type"] for each in found] == ["session_ended", "meter_sampled"]
    assert all("entry_unreadable" in each.flags for each in found)


def test_an_unknown_charging_state_is_left_out_and_flagged() -> None:
    event = one(transaction("Updated", 1, info={"chargingState": "Dreaming"}))

    assert (event.charging_state, event.flags) == (None, ("schema_deviation",))
