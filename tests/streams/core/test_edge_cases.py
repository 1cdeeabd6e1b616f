"""The field's edge cases, one test a row of the table in the domain rules (2.5).

Rows that are about translation (21 units, 23 to 25 in part) have theirs in tests/producers/ocpp;
row 17 (energy between two sessions) is a view and has its in tests/sql; rows 36 to 40 are about
roaming and tariffs.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from schemas import wire
from streams.core.derive import derive
from streams.core.facts import Facts
from streams.core.ocpi.tariffs import read_tariff
from streams.core.pricing.compiled import compile_tariff
from streams.core.pricing.contract import UTC_ZONE
from streams.core.pricing.engine import price
from streams.core.slices import slice_session
from streams.session_usage import usage_of_facts
from streams.sink.memory import MemorySink
from tests.streams.core.core_events import (
    end21,
    given_up,
    meter16,
    meter21,
    ms,
    row_end,
    sample,
    stamp,
    start,
    start16,
    start21,
    state,
    stop,
    stop16,
    wire_base,
)
from tests.streams.core.fleet_kit import Drive, at_once, sessions_in, sink_of, slices_in

HOUR_MS = 3_600_000


def rows(sink: MemorySink) -> list[dict[str, Any]]:
    """Session rows by start."""
    return sorted(sessions_in(sink).values(), key=lambda r: str(r["started_at"]))


def flush_each(*parts: list[bytes]) -> Drive:
    """A worker that flushes after each part, by the end of what was given."""
    drive = Drive([v for part in parts for v in part], sink_of())
    for part in parts:
        drive.take(len(part))
        drive.flush()
    return drive


def kwh_by_slice(facts: Facts) -> dict[int, int]:
    """Minutes after ten to Wh."""
    return {(s.start - ms(0)) // 60_000: s.energy_mwh // 1000 for s in slice_session(facts)}


@pytest.mark.parametrize("new_id", ["m-2", "m-1"])
def test_row_1_a_start_sent_again_makes_one_session(new_id: str) -> None:
    sink = at_once([start16(0, 100, message_id="m-1"), start16(0, 100, message_id=new_id)])

    (row,) = rows(sink)
    assert row["event_count"] == 1


def test_row_2_a_stop_sent_again_is_ignored_and_counted_as_duplicate() -> None:
    drive = flush_each([start16(0, 100), stop16(60, 5100), stop16(60, 5100, message_id="again")])

    (row,) = rows(drive.sink)
    assert (row["energy_wh"], row["event_count"]) == (Decimal(5000), 2)
    (status,) = drive.sink.tables["worker_status"].values()
    assert status["duplicates_total"] == 1


def test_row_3_the_same_seq_no_with_another_payload_keeps_both_and_uses_the_later_time() -> None:
    facts = derive([start(0, seq=0), sample(0, 0, 0), stop(50, 4000, 1), stop(60, 5000, 1)])

    assert "conflict" in facts.flags
    assert (facts.ended_ms, facts.energy_mwh) == (ms(60), 5_000_000)


def test_row_4_a_seq_no_may_begin_at_417() -> None:
    facts = derive([start(0, 0, 417), sample(30, 2000, 418), stop(60, 5000, 419)])

    assert (facts.status, facts.grade, facts.energy_mwh) == ("ended", "exact", 5_000_000)


def test_row_5_a_gap_in_seq_no_is_billed_from_registers_and_marked() -> None:
    facts = derive([start(0, 0, 0), sample(30, 2000, 1), stop(60, 5000, 4)])

    assert facts.status == "ended_gaps"
    assert "seq_gap" in facts.flags
    assert (facts.energy_mwh, facts.quarantine_reason) == (5_000_000, "")


def test_row_6_an_end_before_its_start_is_held_and_built_when_the_start_arrives() -> None:
    drive = Drive([end21(60, "x", 2), meter21(60, 5000, "x", 2), meter21(0, 0, "x", 0),
                   meter21(30, 2000, "x", 1), start21(0, "x")], sink_of())  # fmt: skip
    drive.take(4)
    drive.flush()
    (held,) = rows(drive.sink)
    assert (held["status"], held["quarantine_reason"]) == ("orphan_stop", "no_start")

    drive.take(1)
    drive.flush()

    (row,) = rows(drive.sink)
    assert (row["status"], row["quarantine_reason"]) == ("ended", "")
    assert row["energy_wh"] == 5000


def test_row_7_a_session_delivered_days_late_is_told_in_the_windows_of_its_events() -> None:
    week = 7 * 24 * 60
    today = [start16(week, 9000, "8"), stop16(week + 15, 9100, "8")]
    late = [start16(0, 0, offline=True), stop16(30, 3000, offline=True)]
    drive = flush_each(today, late)

    energy = {row["slice_start"]: row["energy_wh"] for row in slices_in(drive.sink).values()}
    ten = ms(0) // 1000
    assert energy == {ten: 1500, ten + 900: 1500, ten + week * 60: 100}


@pytest.mark.parametrize("unknown", ["-1", "0", "9223372036854775807", None])
def test_row_8_a_stop_without_usable_id_finds_the_open_session_of_its_token(
    unknown: str | None,
) -> None:
    sink = at_once([
        start16(0, 100, "7"),
        start16(5, 900, "8", connector_id=2, id_token="B"),
        stop16(60, 5100, unknown, id_token="A"),
    ])  # fmt: skip

    first, second = rows(sink)
    assert (first["status"], first["energy_wh"]) == ("ended", Decimal(5000))
    assert second["status"] == "active"


def test_row_9_a_stop_never_started_shows_its_energy_and_is_not_billed() -> None:
    sink = at_once([meter16(10, 1000, "99"), stop16(40, 3000, "99")])

    (row,) = rows(sink)
    assert (row["status"], row["quarantine_reason"]) == ("orphan_stop", "no_start")
    assert (row["energy_wh"], row["amount_excl_vat"]) == (Decimal(2000), None)


def test_row_10_without_a_stop_the_next_start_closes_at_the_last_sample_as_estimated() -> None:
    sink = at_once([start16(0, 100), meter16(45, 4100), start16(120, 9000, "8", id_token="B")])

    first, _ = rows(sink)
    assert (first["status"], first["grade"]) == ("ended_estimated", "estimated")
    assert (first["energy_wh"], first["duration_s"]) == (Decimal(4000), Decimal(2700))
    assert "superseded" in first["flags"]


def test_row_10_without_a_stop_silence_closes_at_the_last_sample_as_estimated() -> None:
    facts = derive([start(0, 100), sample(45, 4100), given_up(45 + 24 * 60)])

    assert (facts.status, facts.grade) == ("ended_estimated", "estimated")
    assert (facts.ended_ms, facts.energy_mwh) == (ms(45), 4_000_000)
    assert "expired" in facts.flags


def test_row_11_available_before_the_last_meter_values_closes_nothing() -> None:
    free = wire.StationStatus(
        **wire_base("ocpp1.6", None), timestamp=stamp(50), connector_id=1, status="Available"
    )
    sink = at_once([start16(0, 100), meter16(45, 4100), wire.encode(free), meter16(52, 4600)])

    (row,) = rows(sink)
    assert (row["status"], row["energy_wh"]) == ("active", Decimal(4500))


def test_row_12_a_stop_after_the_forced_close_replaces_the_estimate_at_a_higher_version() -> None:
    drive = Drive([start16(0, 100), meter16(45, 4100), start16(120, 9000, "8"),
                   stop16(60, 5100)], sink_of())  # fmt: skip
    drive.take(3)
    drive.flush()
    estimate = min(drive.sink.tables["sessions"].values(), key=lambda r: r["started_at"])
    drive.take(1)
    drive.flush()
    final = min(drive.sink.tables["sessions"].values(), key=lambda r: r["started_at"])

    assert (estimate["status"], final["status"]) == ("ended_estimated", "ended")
    assert (final["energy_wh"], final["grade"]) == (Decimal(5000), "exact")
    assert final["version"] > estimate["version"]


def test_row_13_a_placeholder_zero_begin_is_dropped_and_83_wh_remain() -> None:
    facts = derive([
        start(0, seq=0), sample(0, 0, 0, context="Transaction.Begin"),
        sample(1, 909_948, 1), stop(30, seq=2),
        sample(30, 910_031, 2, context="Transaction.End"),
    ])  # fmt: skip

    assert facts.energy_mwh == 83_000
    assert "placeholder_start" in facts.flags


def test_row_14_a_session_relative_register_in_the_samples_leaves_stop_minus_start() -> None:
    facts = derive([start(0, 1_000_000), sample(15, 1000), sample(30, 4000), stop(60, 1_005_000)])

    assert facts.energy_mwh == 5_000_000
    assert "register_basis_mixed" in facts.flags
    assert kwh_by_slice(facts) == {0: 1000, 15: 3000, 30: 500, 45: 500}


def test_row_15_an_equal_start_and_stop_with_energy_in_the_samples_uses_the_samples() -> None:
    facts = derive([start(0, 500), sample(1, 500), sample(59, 4500), stop(60, 500)])

    assert facts.energy_mwh == 4_000_000
    assert "stop_equals_start" in facts.flags


def test_row_16_a_register_that_fell_is_summed_by_segments_and_never_negative() -> None:
    swapped = derive([start(0, 100_000), stop(60, 500)])
    seen = derive([start(0, 100_000), sample(20, 102_000), sample(30, 0), stop(60, 1500)])

    assert (swapped.energy_mwh, seen.energy_mwh) == (0, 2_000_000 + 1_500_000)
    assert "register_reset" in swapped.flags
    assert "register_reset" in seen.flags


def test_row_18_a_lifetime_register_reported_as_session_energy_is_set_aside() -> None:
    facts = derive([start(0), row_end(60, 910_031)])

    assert (facts.quarantine_reason, facts.grade) == ("implausible_energy", "set_aside")
    assert facts.energy_mwh == 910_031_000


def test_row_19_a_reading_without_energy_keeps_the_last_total() -> None:
    facts = derive([start(0, 1000), sample(30, 4000), sample(45, None)])

    assert facts.energy_mwh == 3_000_000


def test_row_20_clock_aligned_samples_are_register_points() -> None:
    clock = {"context": "Sample.Clock"}
    facts = derive([start(0, seq=0), sample(15, 100, 1, **clock), sample(30, 1600, 2, **clock),
                    stop(31, seq=3)])  # fmt: skip

    assert facts.energy_mwh == 1_500_000
    assert {"start_inferred", "end_inferred"} <= set(facts.flags)


def test_row_22_phases_alone_are_summed() -> None:
    def phases(minute: int, one: int, two: int, three: int) -> Any:
        wh = (("l1", one * 1000), ("l2", two * 1000), ("l3", three * 1000))
        return sample(minute, None, extra=wh)

    facts = derive([start(0), phases(0, 10, 20, 30), phases(60, 1010, 1020, 1030), stop(60)])

    assert facts.energy_mwh == 3 * 1_000_000
    assert "phases_summed" in facts.flags


def test_row_23_signed_data_is_no_number_and_is_stored_verbatim() -> None:
    ocmf = 'OCMF|{"RD":[{"RV":1234.500}]}|{"SD":"30450221"}'
    signed = wire.MeterSampled(
        **wire_base("ocpp1.6", "7"), timestamp=stamp(30), connector_id=1, signed_data=ocmf
    )
    sink = at_once([start16(0, 100), wire.encode(signed), stop16(60, 5100)])

    (stored,) = (r for r in sink.tables["events"].values() if r["type"] == "meter_sampled")
    assert msgspec.json.decode(stored["attributes"])["signed_data"] == ocmf
    assert rows(sink)[0]["energy_wh"] == 5000


def test_row_24_a_time_read_as_utc_for_want_of_a_zone_is_flagged() -> None:
    facts = derive([start(0, 0, flags=("timestamp_naive",)), stop(60, 5000)])

    assert facts.flags == ("timestamp_naive",)
    assert facts.quarantine_reason == ""


def test_row_25_a_corrected_clock_is_flagged_and_counted() -> None:
    facts = derive([start(0, 0, flags=("clock_corrected",)), stop(60, 5000)])

    assert (facts.grade, facts.quarantine_reason) == ("flagged", "")
    assert facts.flags == ("clock_corrected",)


def test_row_26_a_clock_in_1970_sets_the_session_aside_until_reviewed() -> None:
    unset = derive([start(-29_540_000, 0), stop(60, 5000)])
    told = derive([start(0, 0, flags=("clock_bad",)), stop(60, 5000)])

    for facts in (unset, told):
        assert (facts.status, facts.quarantine_reason) == ("invalid", "clock_bad")


def test_row_27_after_a_clock_jump_seq_no_orders_and_no_time_is_negative() -> None:
    facts = derive([
        start(0, seq=0), sample(0, 0, 0), sample(30, 2000, 1), sample(10, 3000, 2),
        sample(20, 4000, 3), stop(40, seq=4), sample(40, 5000, 4, context="Transaction.End"),
    ])  # fmt: skip

    assert facts.energy_mwh == 5_000_000
    assert "clock_jumped" in facts.flags
    assert "register_reset" not in facts.flags
    assert all(s.end > s.start for s in facts.spans)
    assert min(facts.charging_ms, facts.idle_ms, facts.duration_ms) >= 0


@pytest.mark.parametrize(("minutes", "wh"), [(60, 0), (60, 499), (0.5, 600)])
def test_row_28_almost_no_energy_or_time_is_an_attempt(minutes: float, wh: int) -> None:
    facts = derive([start(0, 1000), stop(minutes, 1000 + wh)])

    assert "attempt" in facts.flags
    assert facts.quarantine_reason == ""


def test_row_28_half_a_kilowatt_hour_in_a_minute_is_no_attempt() -> None:
    assert "attempt" not in derive([start(0, 1000), stop(1, 1500)]).flags


def test_row_29_of_two_open_transactions_on_one_evse_the_second_start_closes_the_first() -> None:
    other_evse = start21(10, "z", evse_id=2)
    sink = at_once([start21(0, "x"), meter21(0, 0, "x", 1), meter21(20, 1000, "x", 2),
                    start21(30, "y"), other_evse])  # fmt: skip

    by_id = {row["transaction_id"]: row for row in rows(sink)}
    assert (by_id["x"]["status"], by_id["x"]["energy_wh"]) == ("ended_estimated", Decimal(1000))
    assert by_id["y"]["status"] == by_id["z"]["status"] == "active"


def test_row_30_a_transaction_resumed_after_power_loss_has_no_energy_in_the_gap() -> None:
    facts = derive([
        start(0, 0, 0), sample(30, 2000, 1), sample(75, 2000, 2), sample(90, 3000, 3),
        stop(90, 3000, 4),
    ])  # fmt: skip

    assert (facts.status, facts.energy_mwh) == ("ended", 3_000_000)
    assert kwh_by_slice(facts) == {0: 1000, 15: 1000, 30: 0, 45: 0, 60: 0, 75: 1000}
    assert facts.idle_ms == 45 * 60_000


def test_row_31_suspended_by_the_charger_is_neither_charging_nor_parking() -> None:
    facts = derive([start(0, 0, state="Charging"), state(20, "SuspendedEVSE"),
                    state(35, "Charging"), stop(60, 5000)])  # fmt: skip

    assert facts.suspended_evse_ms == 15 * 60_000
    assert (facts.charging_ms, facts.idle_ms) == (45 * 60_000, 0)


def test_row_32_charging_again_after_suspended_ev_ends_the_parking() -> None:
    facts = derive([start(0, 0, state="Charging"), state(20, "SuspendedEV"),
                    state(35, "Charging"), state(50, "SuspendedEV"), stop(60, 5000)])  # fmt: skip

    assert (facts.charging_ms, facts.idle_ms) == (35 * 60_000, 25 * 60_000)


def test_row_33_time_is_billed_for_energy_transfer_only() -> None:
    hourly = {"type": "TIME", "price": Decimal(2), "step_size": 1}
    tariff = read_tariff(
        {"id": "h", "currency": "EUR", "elements": [{"price_components": [hourly]}]}
    ).tariff
    facts = derive([start(0, 0, state="Charging"), state(30, "SuspendedEV"), stop(120, 5000)])
    assert tariff is not None

    priced = price(compile_tariff(tariff), usage_of_facts(facts, UTC_ZONE))

    assert priced.micro == (1_000_000, 1_000_000)


def test_row_34_a_session_over_midnight_and_month_is_split_where_the_energy_flowed() -> None:
    noon_march_31 = 29 * 24 * 60
    begin = noon_march_31 + 13.5 * 60  # 23:30 UTC
    facts = derive([start(begin, 0), sample(begin + 30, 4000), stop(begin + 60, 6000)])

    halves = {True: 0, False: 0}
    for s in slice_session(facts):
        halves[s.start >= ms(begin + 30)] += s.energy_mwh
    assert halves == {False: 4_000_000, True: 2_000_000}


def test_row_34_the_night_the_clocks_go_back_has_a_real_hour_more() -> None:
    ten_to_october = (237 - 1) * 24 * 60 + 12 * 60  # 2026-10-24T22:00Z
    facts = derive([start(ten_to_october, 0), stop(ten_to_october + 240, 8000)])

    slices = slice_session(facts)
    assert len(slices) == 16
    assert sum(s.occupied_ms for s in slices) == 4 * HOUR_MS
    assert {s.energy_mwh for s in slices} == {500_000}


def test_row_35_the_token_of_the_start_is_billed() -> None:
    facts = derive([start(0, 0, id_token="driver"), stop(60, 5000, id_token="master")])

    assert facts.id_token == "driver"
