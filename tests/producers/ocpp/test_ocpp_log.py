"""The log reader: lines, receipts, directions, and the real frames beside the checkout."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from producers.ocpp.receipt import received_ms
from producers.ocpp_log import Summary, read_ocpp_log
from schemas.errors import Reason, UserError
from tests.producers.ocpp.ocpp_builders import (
    call,
    line,
    read,
    start,
    started,
    status,
    stop,
    value_2x,
)


def summed(lines: list[str] | list[bytes], **options: str) -> Summary:
    summary = Summary()
    for outcome in read(lines, **options):
        summary.add(outcome)
    assert summary.frames == (
        summary.frames_with_events + sum(summary.ignored.values()) + sum(summary.rejected.values())
    )
    return summary


def lines_of(folder: Path, name: str) -> list[bytes]:
    return (folder / "ocpp_frames" / name).read_bytes().splitlines(keepends=True)


@pytest.mark.data
def test_the_actec_charger_gives_seventeen_samples(shared_data: Path) -> None:
    lines = lines_of(shared_data, "actec_ev_ac22k_metervalues_2026-02-24.jsonl")
    found = read(lines)

    assert summed(lines) == Summary(17, 17, 17)
    samples: list[Any] = [event for each in found for event in each.events]
    # Registers, and the sums of three currents and powers, added by hand from the file.
    assert [each.import_wh for each in samples] == [
        60, 140, 210, 280, 350, 430, 500, 580, 670, 760, 840, 930, 1010, 1100, 1180, 1270, 1360,
    ]  # fmt: skip
    assert (samples[0].current_a, samples[0].power_w) == ("19.36", 4397)
    assert {each.flags for each in samples} == {()}
    assert samples[0].received_at == "2026-02-24T06:15:20.000Z"


@pytest.mark.data
def test_the_field_reports_are_all_accounted_for(shared_data: Path) -> None:
    # By hand: 4 raw texts are incomplete or no JSON, 2 are DataTransfer, 2 are answers; of
    # the other 15 one has two contexts, one is a status that is also a charging state, and
    # one a stop that says the id of a start released without one.
    assert summed(lines_of(shared_data, "field_reports.jsonl")) == Summary(
        23,
        15,
        18,
        Counter({"DataTransfer": 2, "answer to StartTransaction": 2}),
        Counter({"invalid_frame": 4}),
    )


@pytest.mark.data
def test_the_frames_from_documents_name_no_station(shared_data: Path) -> None:
    lines = lines_of(shared_data, "frames_from_docs.jsonl")

    assert summed(lines).rejected == {"invalid_field": 24}
    told = summed(lines, default_station="CP1")
    # 4 boots, 3 answers to them, 2 configurations and a profile and a reset from the
    # centre, one heartbeat, one status without a time; the rest are answers.
    assert told.ignored == {
        "BootNotification": 4,
        "answer to BootNotification": 3,
        "command Reset": 1,
        "command ChangeConfiguration": 1,
        "command GetConfiguration": 1,
        "command SetChargingProfile": 1,
        "Heartbeat": 1,
        "StatusNotification without a time, its receipt unknown": 1,
        "answer that nothing waits for": 11,
    }


@pytest.mark.parametrize(
    ("raw", "reason", "field"),
    [
        (b"\xff\xfe", Reason.NOT_JSON, ""),
        (b'{"station":"CP1","frame":', Reason.NOT_JSON, ""),
        (b"[" * 10_000, Reason.NOT_JSON, ""),
        (b'{"station":"CP1","frame":' + b"[" * 10_000 + b"]" * 10_000 + b"}", Reason.NOT_JSON, ""),
        (b"[1,2]", Reason.NOT_AN_EVENT, ""),
        (b'{"frame":[2,"1","Heartbeat",{}]}', Reason.INVALID_FIELD, "station"),
        (b'{"station":"","frame":[2,"1","Heartbeat",{}]}', Reason.INVALID_FIELD, "station"),
        (b'{"station":"a\\u0000b","frame":[]}', Reason.INVALID_FIELD, "station"),
        (b'{"station":"\\ud800","frame":[]}', Reason.INVALID_FIELD, "station"),
        (b'{"station":7,"frame":[2,"1","Heartbeat",{}]}', Reason.INVALID_FIELD, "station"),
        (b'{"station":"CP1"}', Reason.INVALID_FRAME, "frame"),
        (b'{"station":"CP1","frame":null,"raw":null}', Reason.INVALID_FRAME, "frame"),
        (b'{"station":"CP1","frame":{}}', Reason.INVALID_FRAME, "frame[0]"),
        (b'{"station":"CP1","frame":[]}', Reason.INVALID_FRAME, "frame[0]"),
        (b'{"station":"CP1","frame":[9,"1"]}', Reason.INVALID_FRAME, "frame[0]"),
        (b'{"station":"CP1","frame":[2]}', Reason.INVALID_FRAME, "frame[1]"),
        (b'{"station":"CP1","frame":[2,"1"]}', Reason.INVALID_FRAME, "frame[2]"),
        (b'{"station":"CP1","frame":[2,"1","MeterValues","x"]}', Reason.INVALID_FRAME, "frame[3]"),
        (b'{"station":"CP1","raw":"hello"}', Reason.INVALID_FRAME, "raw"),
    ],
)
def test_a_line_that_is_no_frame_is_rejected_untouched(
    raw: bytes, reason: Reason, field: str
) -> None:
    good = line(status("Available")).encode()
    before, bad, after = read([good, raw + b"\r\n", good])

    assert bad.rejected is not None
    assert (bad.rejected.reason, bad.rejected.field, bad.raw) == (reason, field, raw)
    assert before.events
    assert after.events


def test_a_line_beyond_the_topic_limit_is_rejected_as_too_large() -> None:
    raw = b'{"station":"CP1","raw":"' + b"x" * (16 * 1024 * 1024) + b'"}'
    (outcome,) = read([raw])

    assert outcome.rejected is not None
    assert outcome.rejected.reason is Reason.TOO_LARGE


def test_blank_lines_are_skipped_and_lines_are_counted_from_one() -> None:
    assert [each.line for each in read(["\n", line(call("Heartbeat", {})), "  \n"])] == [2]


def test_text_lines_and_a_byte_order_mark_are_read() -> None:
    text = line(call("Heartbeat", {}))

    assert read(["﻿" + text])[0].ignored == "Heartbeat"
    assert read([b"\xef\xbb\xbf" + text.encode()])[0].ignored == "Heartbeat"
    assert read(["\ud800"])[0].rejected is not None
    assert read([b"\xff".decode("utf-8", "surrogateescape")])[0].raw == b"\xff"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ",1969.62890625,0"),
        ("2026-03-01 12:00:00 DEBUG [websockets.server] < TEXT '", "' [71 bytes]"),
        ("", " "),
        ("﻿", "\n"),
    ],
)
def test_log_noise_round_a_frame_is_cut_off(before: str, after: str) -> None:
    raw = before + json.dumps(status("Available")) + after
    (outcome,) = read([json.dumps({"station": "CP1", "raw": raw})])

    assert len(outcome.events) == 1
    assert ("log_noise" in outcome.events[0].flags) == bool((before + after).strip())


def test_a_broken_frame_beside_its_raw_text_is_not_guessed_at() -> None:
    (outcome,) = read([json.dumps({"station": "CP1", "frame": None, "raw": '[2,"1","Met'})])

    assert outcome.rejected is not None
    assert outcome.rejected.field == "raw"


@pytest.mark.parametrize(
    ("frame", "more", "reason"),
    [
        (call("Reset", {"type": "Hard"}), {}, "command Reset"),
        (call("RemoteStartTransaction", {}), {}, "command RemoteStartTransaction"),
        (call("Whatever", {}), {"dir": "csms->cp"}, "command Whatever"),
        (call("Whatever", {}), {}, "Whatever"),
        (call("DataTransfer", {"vendorId": "x"}), {"dir": "cp->csms"}, "DataTransfer"),
        (call("BootNotification", {}), {}, "BootNotification"),
        ([2, "1", "Heartbeat"], {}, "Heartbeat"),
        ([2, "1", "Heartbeat", []], {}, "Heartbeat"),
        ([3, "1", {}], {}, "answer that nothing waits for"),
        ([3, "1"], {}, "answer that nothing waits for"),
        ([4, "1", "GenericError", "", {}], {}, "error answer"),
        ([5, "1", "GenericError", "", {}], {}, "error answer"),
        ([6, "1", "NotifyPeriodicEventStream", {}], {}, "NotifyPeriodicEventStream"),
    ],
)
def test_what_says_nothing_of_sessions_is_ignored_by_its_name(
    frame: object, more: dict[str, str], reason: str
) -> None:
    assert read([line(frame, **more)])[0].ignored == reason


@pytest.mark.parametrize(
    ("fields", "ms"),
    [
        ({"received_at": "2026-03-01T12:00:00Z"}, 1772366400000),
        ({"received_at": "2026-03-01T13:00:00+01:00"}, 1772366400000),
        ({"received_at": 1772366400}, 1772366400000),
        ({"received_at": 1772366400123}, 1772366400123),
        ({"received_at": "2026-03-01T12:00:00"}, 1772366400000),
        ({"received_local": "2026-03-01 12:00:00", "server_tz": "UTC"}, 1772366400000),
        (
            {"received_local": "2026-03-01 13:00:00", "server_tz": "Europe/Zurich (CET, UTC+1)"},
            1772366400000,
        ),
        (
            {"received_local": "2026-07-01 14:00:00", "server_tz": "Europe/Zurich (CET, UTC+1)"},
            1782907200000,
        ),
        ({"received_local": "2026-03-01 17:30:00", "server_tz": "UTC+5:30"}, 1772366400000),
        ({"received_local": "2026-03-01T12:00:00Z"}, 1772366400000),
        ({"received_local": "2026-03-01 13:00:00"}, None),
        ({"received_local": "2026-03-01 13:00:00", "server_tz": "Mars/Olympus"}, None),
        ({"received_local": "yesterday", "server_tz": "../../etc/passwd"}, None),
        ({"received_at": -1}, None),
        ({"received_at": True}, None),
        ({}, None),
    ],
)
def test_the_receipt_is_read_in_the_zone_of_the_server(
    fields: dict[str, object], ms: int | None
) -> None:
    assert received_ms(fields) == ms


def test_an_answer_filed_under_the_name_of_the_centre_finds_its_station() -> None:
    lines = [line(start("5"), "CP7"), line(started(9, "5"), "CSMS"), line(stop(9), "CP7")]
    request, answer, _stop = read(lines)

    assert request.events[0].transaction_id == "9"
    assert (answer.station, answer.ignored) == ("CP7", "answer to StartTransaction")


def test_an_answer_that_two_stations_may_wait_for_goes_to_neither() -> None:
    lines = [line(start("5"), "CP7"), line(start("5"), "CP8"), line(started(9, "5"), "CSMS")]

    assert [each.transaction_id for out in read(lines) for each in out.events] == [None, None]


def test_stations_do_not_answer_each_other() -> None:
    lines = [
        line(start("5"), "CP7"),
        line(start("6"), "CP8"),
        line(started(1, "6"), "CP8"),
        line(started(9, "5"), "CP8"),
    ]

    assert read(lines)[0].events[0].transaction_id is None


def test_tenant_gateway_and_dialect_are_what_the_caller_says() -> None:
    frame = call("MeterValues", {"evseId": 1, "meterValue": [value_2x(1)]})
    (outcome,) = read_ocpp_log([line(frame)], tenant="t9", gateway="gw", dialect="ocpp2.1")
    event = outcome.events[0]

    assert (event.tenant, event.gateway, event.protocol) == ("t9", "gw", "ocpp2.1")


@pytest.mark.parametrize(
    "options", [{"dialect": "ocpp3"}, {"dialect": "import"}, {"station_zones": {"CP1": "Nowhere"}}]
)
def test_options_that_do_not_exist_are_said_in_a_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="There is no"):
        list(read_ocpp_log([], tenant="t", **options))
