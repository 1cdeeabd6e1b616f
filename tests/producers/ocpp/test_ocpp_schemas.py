"""Our shapes against the JSON schemas of the PyPI package `ocpp`, an outside judge."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import ocpp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.ocpp import parse_json
from producers.ocpp.shapes import conforms, dialect_of
from producers.ocpp.words import COMMANDS
from schemas.events import Protocol
from tests.producers.ocpp.ocpp_builders import (
    T0,
    call,
    events,
    meter,
    start,
    status,
    stop,
    transaction,
    value_2x,
)

FOLDERS = {
    Protocol.OCPP16: ("v16", ""),
    Protocol.OCPP201: ("v201", "Request"),
    Protocol.OCPP21: ("v21", "Request"),
}
SIGNED = {
    "signedMeterData": "AA==",
    "signingMethod": "",
    "encodingMethod": "OCMF",
    "publicKey": "",
    "customData": {"vendorId": "v", "more": 1},
}
RICH_2X = [
    transaction(
        "Started",
        1,
        info={
            "chargingState": "Charging",
            "timeSpentCharging": 4,
            "stoppedReason": "Local",
            "remoteStartId": 9,
        },
        offline=True,
        numberOfPhasesUsed=3,
        cableMaxCurrent=32,
        reservationId=4,
        evse={"id": 1, "connectorId": 1},
        idToken={
            "idToken": "A",
            "type": "Central",
            "additionalInfo": [{"additionalIdToken": "B", "type": "x"}],
        },
        meterValue=[
            value_2x(
                1.5,
                context="Sample.Clock",
                measurand="Energy.Active.Net",
                phase="L1-N",
                location="Inlet",
                signedMeterValue=SIGNED,
                unitOfMeasure={"unit": "kWh", "multiplier": -1},
            )
        ],
    ),
    call(
        "StatusNotification",
        {"timestamp": T0, "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1},
    ),
    call("MeterValues", {"evseId": 0, "meterValue": [value_2x(0)]}),
    call("Authorize", {"idToken": {"idToken": "", "type": "NoAuthorization"}}),
]
RICH_16 = [
    start(reservationId=1),
    stop(
        reason="PowerLoss",
        idTag="T",
        transactionData=[{"timestamp": T0, "sampledValue": [{"value": "1", "format": "Raw"}]}],
    ),
    status("SuspendedEV"),
    meter(
        {
            "value": "1",
            "context": "Trigger",
            "format": "SignedData",
            "measurand": "RPM",
            "phase": "L3-L1",
            "location": "Body",
            "unit": "Celcius",
        }
    ),
    call("Authorize", {"idTag": "T"}),
]
CASES = [(Protocol.OCPP16, frame) for frame in RICH_16] + [
    (protocol, frame) for protocol in (Protocol.OCPP201, Protocol.OCPP21) for frame in RICH_2X
]


@cache
def judge(protocol: Protocol, action: str) -> Any:
    folder, suffix = FOLDERS[protocol]
    path = Path(ocpp.__file__).parent / folder / "schemas" / f"{action}{suffix}.json"
    schema = json.loads(path.read_text(encoding="utf-8-sig"))
    return jsonschema.validators.validator_for(schema)(schema)


@pytest.mark.parametrize(("protocol", "frame"), CASES)
def test_our_well_formed_frames_are_valid_and_pass_without_a_flag(
    protocol: Protocol, frame: list[Any]
) -> None:
    _, _, action, payload = frame

    assert judge(protocol, action).is_valid(payload)
    assert conforms(protocol, action, decoded(payload))
    found = events(frame, received_at="2026-03-02T00:00:00Z")
    assert found
    assert {flag for each in found for flag in each.flags} <= {"start_unanswered"}


def decoded(payload: Any) -> Any:
    """The payload as it comes out of a log: decimals exact."""
    return parse_json(json.dumps(payload))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside a JSON value, itself first."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


ODD: list[Any] = [
    None, True, False, 0, -1, 3, 4, 7.0, 1.5, 10**30, "", "x", "Local", "Charging", "L1", "A" * 21,
    "A" * 37, "A" * 51, "A" * 256, "A" * 3000, [], [{}], {}, {"vendorId": "v"}, {"vendorId": 1},
    "TxResumed", "Upstream", "Display.PresentSOC", "Trigger", "Hertz", "Wh", "SoC", "Celsius",
    "SOCLimitReached", "SoCLimitReached", "Faulted", "OtherError", "Raw", "Outlet", "eMAID",
]  # fmt: skip


@given(case=st.sampled_from(CASES), odd=st.sampled_from(ODD), data=st.data())
def test_what_our_shapes_allow_is_what_the_schemas_allow(
    case: tuple[Protocol, list[Any]], odd: Any, data: st.DataObject
) -> None:
    protocol, (_, _, action, original) = case
    payload = copy.deepcopy(original)
    *path, last = data.draw(st.sampled_from([each for each in places(payload) if each]))
    inside = payload
    for key in path:
        inside = inside[key]
    change = data.draw(st.sampled_from(["replace", "drop", "add"]))
    if change == "replace":
        inside[last] = odd
    elif change == "drop":
        del inside[last]
    elif isinstance(inside, dict):
        inside["unheardOf"] = odd

    assert conforms(protocol, action, decoded(payload)) == judge(protocol, action).is_valid(payload)


@given(odd=st.sampled_from(ODD), frame=st.sampled_from([*RICH_16, *RICH_2X]), data=st.data())
def test_an_invalid_frame_is_flagged_or_rejected_and_never_raises(
    odd: Any, frame: list[Any], data: st.DataObject
) -> None:
    changed = copy.deepcopy(frame)
    *path, last = data.draw(st.sampled_from([each for each in places(changed[3]) if each]))
    inside = changed[3]
    for key in path:
        inside = inside[key]
    inside[last] = odd
    valid = any(judge(p, frame[2]).is_valid(changed[3]) for p, f in CASES if f[2] == frame[2])

    for event in events(changed, received_at="2026-03-02T00:00:00Z"):
        assert ("schema_deviation" in event.flags) == (not valid)


@pytest.mark.parametrize(("protocol", "frame"), CASES)
def test_the_dialect_of_a_frame_is_seen_or_told(protocol: Protocol, frame: list[Any]) -> None:
    _, _, action, payload = frame
    seen = dialect_of(action, payload, None)

    assert seen is (Protocol.OCPP16 if protocol is Protocol.OCPP16 else Protocol.OCPP201)
    assert dialect_of(action, payload, protocol) is protocol


def test_every_command_is_a_message_of_some_dialect_that_a_station_never_sends() -> None:
    known = {
        path.name.removesuffix(".json").removesuffix("Request")
        for folder, _ in FOLDERS.values()
        for path in (Path(ocpp.__file__).parent / folder / "schemas").glob("*.json")
    }

    assert set(COMMANDS.split()) - known == set()
    assert not {"DataTransfer", "MeterValues", "TransactionEvent"} & set(COMMANDS.split())
