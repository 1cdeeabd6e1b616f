"""Frames of real chargers, and the two habits that make sessions count twice or never."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stack_help import Pipeline

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

LOG = ("--format", "ocpp-log")
REAL = ("actec_ev_ac22k_metervalues_2026-02-24", "field_reports", "frames_from_docs")


@pytest.mark.data
def test_every_real_frame_is_accounted_for(workaday: Pipeline, shared_data: Path) -> None:
    told = {
        name: workaday.ask_json(
            "import", shared_data / "ocpp_frames" / f"{name}.jsonl", *LOG,
            "--tenant", "real", "--station", "DOCS",
        )
        for name in REAL
    }  # fmt: skip
    workaday.settle()
    assert [told[name]["frames"] for name in REAL] == [17, 23, 24]
    for said in told.values():
        ignored, dead = sum(said["ignored"].values()), sum(said["dead_lettered"].values())
        assert said["frames_with_events"] + ignored + dead == said["frames"]
        assert said["acknowledged"] == said["events"] + dead
        assert said["refused"] == {}
        assert len(said["dead_letters"]) == dead
        assert all(letter["reason"] and letter["detail"] for letter in said["dead_letters"])
    # the four excerpts that the README calls cut off or no frame
    dead_lines = [letter["line"] for letter in told["field_reports"]["dead_letters"]]
    assert dead_lines == [2, 7, 8, 23]

    [(stored,)] = workaday.rows(
        "SELECT count() FROM mart.events WHERE tenant = 'real' AND type != 'session_expired'"
    )
    # one start was sent again under a new message id: the same event
    assert stored == sum(said["events"] for said in told.values()) - 1


@pytest.mark.data
def test_the_start_a_real_charger_sent_again_made_one_session(
    workaday: Pipeline, shared_data: Path
) -> None:
    frames = shared_data / "ocpp_frames" / "field_reports.jsonl"
    workaday.ask_json("import", frames, *LOG, "--tenant", "again")
    workaday.settle()
    assert workaday.rows(
        "SELECT transaction_id, status, energy_wh FROM mart.sessions WHERE tenant = 'again' "
        "AND station_id = 'MicroOcpp' AND toYear(first_event_at) = 2023"
    ) == [("113", "ended", Decimal(0))]


def start_of(message_id: str, token: str, minute: int, meter: int) -> list[Any]:
    moment = f"2026-05-02T10:{minute:02}:00Z"
    payload = {"connectorId": 1, "idTag": token, "meterStart": meter, "timestamp": moment}
    return [2, message_id, "StartTransaction", payload]


def answer(message_id: str, transaction: int) -> list[Any]:
    return [3, message_id, {"transactionId": transaction, "idTagInfo": {"status": "Accepted"}}]


def stop_of(message_id: str, transaction: int, minute: int, meter: int) -> list[Any]:
    moment = f"2026-05-02T10:{minute:02}:00Z"
    payload = {"transactionId": transaction, "meterStop": meter, "timestamp": moment}
    return [2, message_id, "StopTransaction", payload]


HABITS: dict[str, Sequence[list[Any]]] = {
    "SAME-ID": [
        start_of("1", "A", 0, 500), start_of("1", "A", 0, 500), answer("1", 11),
        stop_of("2", 11, 30, 1500),
    ],
    "SAME-ID-ANSWERED-TWICE": [
        start_of("1", "A", 0, 500), answer("1", 12), start_of("1", "A", 0, 500), answer("1", 12),
        stop_of("2", 12, 30, 1500),
    ],
    "NEW-ID": [
        start_of("1", "A", 0, 500), answer("1", 13), start_of("9", "A", 0, 500), answer("9", 13),
        stop_of("2", 13, 30, 1500),
    ],
    "NEW-ID-NEW-TRANSACTION": [
        start_of("1", "A", 0, 500), answer("1", 14), start_of("9", "A", 0, 500), answer("9", 15),
        stop_of("2", 15, 30, 1500),
    ],
    "MINUS-ONE": [start_of("1", "A", 0, 500), answer("1", 16), stop_of("2", -1, 30, 1500)],
    "NEVER-ANSWERED": [start_of("1", "A", 0, 500), stop_of("2", -1, 30, 1500)],
}  # fmt: skip


def test_a_start_sent_again_is_one_session_and_a_stop_of_minus_one_finds_its_own(
    workaday: Pipeline, tmp_path: Path
) -> None:
    log = tmp_path / "habits.jsonl"
    frames = [(station, frame) for station, spoken in HABITS.items() for frame in spoken]
    log.write_text(
        "".join(
            json.dumps({"station": station, "dir": "csms->cp" if frame[0] == 3 else "cp->csms",
                        "frame": frame}) + "\n"
            for station, frame in frames
        ), "utf-8",
    )  # fmt: skip
    told = workaday.ask_json("import", log, *LOG, "--tenant", "habits")
    assert told["frames"] == len(frames)
    assert told["dead_lettered"] == {}
    workaday.settle()
    found = workaday.rows(
        "SELECT station_id, status, energy_wh, duration_s, quarantine_reason FROM mart.sessions "
        "WHERE tenant = 'habits' ORDER BY station_id"
    )
    assert found == [
        (station, "ended", Decimal(1000), Decimal(1800), "") for station in sorted(HABITS)
    ]
