"""What is set aside, what is only flagged, and how good the evidence is (domain rules 2.3.6)."""

from __future__ import annotations

import pytest

from streams.core.derive import derive
from tests.streams.core.core_events import ms, row_end, sample, start, state, stop


def test_a_session_at_rated_power_and_a_tenth_is_plausible() -> None:
    facts = derive([start(0, 0), stop(60, 24_200)], rated_power_w=22_000)

    assert facts.quarantine_reason == ""


def test_a_session_faster_than_the_connector_can_is_set_aside_where_its_power_is_known() -> None:
    facts = derive([start(0, 0), stop(60, 30_000)], rated_power_w=22_000)

    assert (facts.quarantine_reason, facts.grade) == ("implausible_power", "set_aside")


def test_without_a_known_rating_the_same_session_counts() -> None:
    assert derive([start(0, 0), stop(60, 30_000)]).quarantine_reason == ""


def test_without_a_known_rating_an_incredible_power_is_flagged_fast_and_counts() -> None:
    facts = derive([start(0), row_end(20, 200_000)])

    assert facts.quarantine_reason == ""
    assert facts.flags == ("fast",)
    assert facts.grade == "flagged"


@pytest.mark.parametrize(
    ("wh", "reason"),
    [(250_000, ""), (250_000.001, "implausible_energy"), (0, ""), (-0.001, "negative_energy")],
)
def test_a_row_may_state_up_to_250_kwh_and_never_less_than_nothing(wh: float, reason: str) -> None:
    assert derive([start(0), row_end(600, wh)]).quarantine_reason == reason


def test_an_end_before_its_start_is_invalid() -> None:
    facts = derive([start(0), row_end(-1, 1000)])

    assert (facts.status, facts.quarantine_reason) == ("invalid", "end_before_start")


def test_an_end_in_the_minute_of_its_start_is_an_attempt_and_counts() -> None:
    facts = derive([start(0), row_end(0, 1000)])

    assert (facts.quarantine_reason, facts.flags) == ("", ("attempt",))


def test_sixty_days_are_plausible_and_a_minute_more_is_not() -> None:
    sixty = 60 * 24 * 60

    assert derive([start(0), row_end(sixty, 1000)]).quarantine_reason == ""
    longer = derive([start(0), row_end(sixty + 1, 1000)])
    assert longer.quarantine_reason == "implausible_duration"


def test_a_session_without_any_reading_has_no_energy_and_is_set_aside() -> None:
    facts = derive([start(0, seq=0), stop(60, seq=1)])

    assert (facts.energy_mwh, facts.quarantine_reason) == (None, "no_energy")


def test_an_open_session_is_not_in_the_totals_yet() -> None:
    facts = derive([start(0, 0), sample(10, 1000)])

    assert (facts.status, facts.quarantine_reason, facts.ended_ms) == ("active", "not_ended", None)


def test_readings_of_an_unknown_session_wait_as_pending() -> None:
    facts = derive([sample(0, 0), sample(10, 1000)])

    assert (facts.status, facts.quarantine_reason, facts.ended_ms) == ("pending", "no_start", None)


def test_intervals_are_summed_once_for_each_interval_end() -> None:
    readings = [sample(m, None, extra=(("interval", 500_000),)) for m in (15, 30, 45)]
    again = sample(45, None, seq=9, extra=(("interval", 500_000),))

    facts = derive([start(0), *readings, again, stop(45)])

    assert facts.energy_mwh == 1_500_000
    assert "intervals_summed" in facts.flags


def test_a_total_register_is_never_mixed_with_phases_or_power() -> None:
    phases = (("l1", 9_000_000), ("l2", 9_000_000), ("l3", 9_000_000))
    facts = derive([
        start(0, 1000), sample(30, 2000, power_mw=11_000_000, extra=phases), stop(60, 3000)
    ])  # fmt: skip

    assert facts.energy_mwh == 2_000_000
    assert facts.flags == ()


def test_power_alone_is_integrated_and_graded_estimated() -> None:
    readings = [sample(m, None, power_mw=11_000_000) for m in (0, 30, 60)]

    facts = derive([start(0), *readings, stop(60)])

    assert (facts.energy_mwh, facts.grade) == (11_000_000, "estimated")
    assert "integrated_from_power" in facts.flags


def test_exported_energy_has_its_own_column_and_is_never_netted() -> None:
    facts = derive([
        start(0, 0), sample(0, 0, export_mwh=100_000), sample(30, 3000, export_mwh=100_000),
        sample(60, 3000, export_mwh=700_000), stop(60, 3000),
    ])  # fmt: skip

    assert (facts.energy_mwh, facts.export_mwh) == (3_000_000, 600_000)


def test_energy_flows_in_charging_time_only_where_states_were_told() -> None:
    facts = derive([start(0, 0, state="Charging"), state(30, "SuspendedEV"), stop(90, 4000)])

    ends = {span.end - span.start: span.state for span in facts.spans}
    assert ends == {30 * 60_000: "Charging", 60 * 60_000: "Idle"}


def test_the_begin_value_sent_only_with_the_end_is_the_begin() -> None:
    begin = sample(0, 1000, 2, context="Transaction.Begin")
    end = sample(60, 6000, 2, context="Transaction.End")

    facts = derive([start(0, seq=0), sample(30, 3000, 1), stop(60, seq=2), begin, end])

    assert (facts.energy_mwh, facts.meter_start_mwh) == (5_000_000, 1_000_000)


def test_a_sample_after_the_stop_register_does_not_add_energy() -> None:
    facts = derive([start(0, 0), stop(60, 5000), sample(61, 5200)])

    assert (facts.energy_mwh, facts.ended_ms, facts.duration_ms) == (5_000_000, ms(60), 3_600_000)
    assert "sample_after_end" in facts.flags
