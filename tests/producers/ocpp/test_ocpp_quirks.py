"""Quirks of real chargers, from public reports, each re-created in a frame of our own.

The link in each test names the report.
"""

from __future__ import annotations

import json

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


def raw(text: str) -> str:
    return json.dumps({"station": "CP1", "raw": text, "frame": None})


def test_blanks_round_separators_and_a_numeric_utc_offset() -> None:
    # https://github.com/evcc-io/evcc/issues/7458
    text = (
        '[2, "99", "StatusNotification" ,{"connectorId":2,"status":"Finishing","errorCode":'
        '"NoError","info":"none","timestamp":"2024-01-02T03:04:05.678+00:00","vendorId":"X"}]'
    )
    (outcome,) = read([raw(text)])

    assert outcome.events[0].timestamp == "2024-01-02T03:04:05.678Z"
    assert outcome.events[0].flags == ()


def test_periodic_and_begin_register_together_at_a_winter_offset_in_summer() -> None:
    # https://github.com/lbbrhzn/ocpp/issues/1838
    values = [
        {"value": "2500", "context": "Sample.Periodic"},
        {"value": "900", "context": "Transaction.Begin"},
    ]
    entry = {"timestamp": "2026-01-05T14:58:38+10:00", "sampledValue": values}
    found = events(
        meter(meterValue=[entry]),
        received_local="2026-01-05 15:58:39",
        server_tz="Australia/Sydney (AEDT, UTC+11)",
    )

    assert [(each.context, each.import_wh) for each in found] == [
        ("Sample.Periodic", 2500),
        ("Transaction.Begin", 900),
    ]
    assert {(each.timestamp, each.received_at, each.flags) for each in found} == {
        ("2026-01-05T04:58:38.000Z", "2026-01-05T04:58:39.000Z", ())
    }


def test_context_trigger_decimal_energy_and_transaction_id_last() -> None:
    # https://github.com/evcc-io/evcc/issues/15874
    sample = {"measurand": "Energy.Active.Import.Register", "unit": "Wh", "value": "77.0"}
    event = one(meter(sample | {"context": "Trigger"}, transactionId=3))

    assert (event.context, event.import_wh, event.transaction_id) == ("Trigger", 77, "3")


def test_vendor_data_transfer_with_json_or_lists_inside_is_ignored() -> None:
    # https://github.com/evcc-io/evcc/issues/15874 and https://github.com/evcc-io/evcc/pull/14733
    for data in ('{"duty":0,"transactionId":9}', "1,Charging,NoError,{20,8016},{0,0}"):
        frame = call("DataTransfer", {"vendorId": "V", "messageId": "m", "data": data})

        assert read_frames(frame)[0].ignored == "DataTransfer"


def test_no_context_a_register_from_zero_and_power_without_phase() -> None:
    # https://github.com/evcc-io/evcc/pull/14733
    event = one(
        meter(
            {"value": "0", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
            {"value": "0", "measurand": "Power.Active.Import", "unit": "W"},
            {"value": "0.0", "measurand": "Current.Import", "phase": "L1", "unit": "A"},
        )
    )

    assert (event.context, event.import_wh, event.power_w, event.current_a) == (
        "Sample.Periodic", 0, 0, 0,
    )  # fmt: skip


def test_the_largest_transaction_id_loses_no_digit() -> None:
    # https://github.com/lbbrhzn/ocpp/issues/45
    assert one(meter({"value": "1"}, transactionId=2**63 - 1)).transaction_id == (
        "9223372036854775807"
    )


def test_meter_values_of_a_transaction_nobody_saw_with_total_and_phase_power() -> None:
    # https://github.com/lbbrhzn/ocpp/issues/609
    total = {"value": "4200.000", "measurand": "Power.Active.Import", "unit": "W"}
    event = one(
        meter(
            {"value": "3058620.000", "location": "Outlet", "unit": "Wh"},
            total,
            total | {"value": "4200.000", "phase": "L1"},
        )
    )

    assert (event.import_wh, event.power_w) == (3058620, 4200)


def test_a_status_of_1970_right_after_the_boot() -> None:
    # https://github.com/matth-x/MicroOcpp/issues/311
    boot = call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    event = one(
        boot, status("Available", "1970-01-01T00:00:00.740Z"), received_at="2026-03-01T12:00:00Z"
    )

    assert (event.timestamp, event.flags) == ("2026-03-01T12:00:00.000Z", ("clock_bad",))


def test_a_start_sent_twice_under_new_ids_and_answered_concurrent_is_one_start() -> None:
    # https://github.com/matth-x/MicroOcpp/issues/237
    lines = [
        line(start("5")),
        line(started(113, "5"), "CSMS"),
        line(start("6")),
        line(started(113, "6", "ConcurrentTx"), "CSMS"),
        line(status("Charging", "2026-03-01T12:00:00.002Z")),
        line(
            stop(113, timestamp="2026-03-01T12:00:00.131Z", meterStop=1000, reason="DeAuthorized")
        ),
    ]
    first, _, second, _, charging, ended = read(lines)

    assert content(first.events[0]) == content(second.events[0])
    assert second.events[0].flags == ("start_concurrent_tx",)
    assert [each.transaction_id for each in charging.events] == [None, "113"]
    assert content(ended.events[0])["reason"] == "DeAuthorized"


def test_a_two_second_session_without_answer_reason_or_tag() -> None:
    # https://github.com/matth-x/MicroOcpp/issues/73
    late = stop(10001, meterStop=0, timestamp="2026-03-01T12:00:02Z")
    begun, ended = events(start(meterStart=0), late)

    assert (begun.transaction_id, ended.transaction_id, ended.connector_id) == ("10001", "10001", 1)
    assert "transaction_inferred" in begun.flags
    assert "reason" not in content(ended)


def test_an_offset_of_hours_without_minutes() -> None:
    assert one(start(timestamp="2025-09-05T18:51:43+03")).timestamp == "2025-09-05T15:51:43.000Z"


def test_a_proxy_that_appends_two_numbers_to_each_frame() -> None:
    frames = [start("82", meterStart=6514787), stop(642, "105", meterStop=6514998, idTag="TAG")]
    tails = [",1969.62890625,0", ",1970.27294921875,1970.27294921875"]
    begun, ended = read([raw(json.dumps(f) + tail) for f, tail in zip(frames, tails, strict=True)])

    assert content(begun.events[0])["meter_start_wh"] == 6514787
    assert content(ended.events[0])["meter_stop_wh"] == 6514998
    assert all("log_noise" in each.events[0].flags for each in (begun, ended))


def test_a_message_logged_several_times_says_the_same_each_time() -> None:
    found = [content(each) for each in events(*[start("82")] * 3, started(5, "82"))]

    assert found == found[:1] * 3


def test_a_sampled_value_with_nothing_but_a_value() -> None:
    event = one(meter({"value": "6515723"}))

    assert (event.import_wh, event.context, event.flags) == (6515723, "Sample.Periodic", ())


def test_a_payload_printed_by_python_is_rejected_with_its_text() -> None:
    # https://github.com/road-labs/chargestation-one/issues/61
    text = raw("{'connectorId': 1, 'meterStop': 1625, 'transactionId': 1}")
    (outcome,) = read([text])

    assert outcome.rejected is not None
    assert (outcome.rejected.reason, outcome.rejected.field) == (Reason.INVALID_FRAME, "raw")
    assert outcome.raw == text.encode()


def test_a_stop_with_foreign_keys_and_kilowatt_hours_full_of_float_noise() -> None:
    # https://github.com/road-labs/chargestation-one/issues/61
    sample = {"value": "1.6250000000000002", "unit": "kWh", "location": "Outlet"}
    data = [{"timestamp": "2026-03-01T13:00:00Z", "sampledValue": [sample]}]
    ended, end = events(
        stop(
            1,
            connectorId=1,
            disconnectReason="EVDisconnected",
            meterStop=1625,
            transactionData=data,
        )
    )

    assert (content(ended)["meter_stop_wh"], content(end)["import_wh"]) == (1625, 1625)
    assert ended.flags == end.flags == ("schema_deviation",)
