"""Money of a session as the worker writes it: price, reasons, adjustments, pricing afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UnavailableError
from streams.charge_words import ChargeWords
from streams.core.pricing.model import Component, Element, Restrictions, Tariff, Tax
from streams.core.pricing.priced import Line
from streams.core.pricing.words import because
from streams.sink.port import StoredSession
from tests.streams.core.core_events import meter16, ms, start16, stop16
from tests.streams.core.fleet_kit import (
    Drive,
    charges_in,
    sessions_in,
    settings_of,
    sink_of,
    slices_in,
)
from tests.streams.money_kit import (
    catalogue_of,
    charges,
    driven,
    ended_session,
    more,
    only,
    plain,
    station_of,
    wait,
)

EVENING = {
    "id": "day", "currency": "SEK", "elements": [
        {"price_components": [{"type": "ENERGY", "price": Decimal("2.00"), "vat": 25,
                               "step_size": 1}],
         "restrictions": {"start_time": "11:15", "end_time": "23:59"}},
        {"price_components": [{"type": "ENERGY", "price": Decimal("1.00"), "vat": 25,
                               "step_size": 1}, {"type": "FLAT", "price": Decimal("5.00"),
                                                 "vat": 25, "step_size": 1}]},
    ],
}  # fmt: skip


def test_a_price_change_in_mid_session_is_priced_by_what_flowed_before_and_after() -> None:
    sink = driven(catalogue_of(1, EVENING), *ended_session()).sink

    # 10:00Z is 11:00 in Malmö; 11:15 is after 15 of the first 20 minutes: 6.75 of 9 kWh.
    session = only(sink, "sessions")
    assert session["amount_excl_vat"] == Decimal("6.75") + 2 * Decimal("5.25") + 5
    assert session["rounded_excl_vat"] == Decimal("22.25")
    assert session["rounded_incl_vat"] == Decimal("27.81")
    assert (session["payer"], session["unpriced_reason"]) == ("driver", "")
    assert (session["region"], session["time_zone"]) == ("Skåne", "Europe/Stockholm")
    assert session["contract_because"] == ["tariff day: station S9's own"]
    lines = {(r["dimension"], r["element"]): r for r in charges(sink)}
    assert lines["ENERGY", 1]["quantity"] == Decimal("6.75")
    assert lines["ENERGY", 0]["quantity_billed"] == Decimal("5.25")
    assert lines["FLAT", 1]["amount_incl_vat"] == Decimal("6.25")
    assert lines["ENERGY", 0]["because"] == (
        "5.25 kWh, at 2.00 SEK per kWh plus 25 % VAT; element 1, between 11:15 and 23:59; "
        "from 2026-03-02 11:15 to 11:40."
    )
    slices = sorted(sink.tables["session_slices"].values(), key=lambda r: r["slice_start"])
    assert [s["amount_excl_vat"] for s in slices] == [
        Decimal("11.75"), Decimal("7.50"), Decimal("3.00"),
    ]  # fmt: skip


def test_a_late_event_after_the_close_raises_the_version_and_shows_as_an_adjustment() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), start16(0, 0), stop16(40, 12_000))
    first = only(drive.sink, "sessions")
    assert drive.sink.tables["adjustments"] == {}

    more(drive, stop16(50, 13_500))

    session, row = only(drive.sink, "sessions"), only(drive.sink, "adjustments")
    assert session["version"] > first["version"]
    assert session["amount_excl_vat"] == Decimal(27)
    assert (row["replaces"], row["version"]) == (first["version"], session["version"])
    assert row["reason"] == "late_event"
    assert row["detail"] == "energy 12.000 -> 13.500 kWh"
    assert (row["before_excl_vat"], row["after_excl_vat"]) == (Decimal(24), Decimal(27))
    assert (row["before_incl_vat"], row["after_incl_vat"]) == (Decimal(30), Decimal("33.75"))
    slices = drive.sink.tables["session_slices"].values()
    assert len(slices) == 4
    assert {s["version"] for s in slices} == {session["version"]}
    assert sum(s["amount_excl_vat"] for s in slices) == Decimal(27)
    assert sum(r["amount_excl_vat"] for r in charges(drive.sink)) == Decimal(27)


def test_a_late_stop_with_its_start_sent_again_to_another_worker_is_an_adjustment_too() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), start16(0, 0), stop16(40, 12_000))
    first = only(drive.sink, "sessions")

    drive.restart()
    more(drive, start16(0, 0), stop16(50, 13_500))

    row = only(drive.sink, "adjustments")
    assert (row["replaces"], row["reason"]) == (first["version"], "late_event")
    assert (row["before_excl_vat"], row["after_excl_vat"]) == (Decimal(24), Decimal(27))


def test_a_real_stop_after_an_estimated_end_is_an_adjustment_that_says_so() -> None:
    drive = driven(
        catalogue_of(1, plain("2.00")),
        start16(0, 0), meter16(20, 9_000), start16(60, 12_000, "8", id_token="B"),
    )  # fmt: skip

    more(drive, stop16(40, 12_000))

    (row,) = drive.sink.tables["adjustments"].values()
    assert row["detail"] == "no stop was seen -> ended; energy 9.000 -> 12.000 kWh"
    assert (row["before_excl_vat"], row["after_excl_vat"]) == (Decimal(18), Decimal(24))


def test_nothing_is_adjusted_while_a_session_is_open_or_its_price_stays() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), start16(0, 0))
    more(drive, meter16(20, 9_000))
    more(drive, stop16(40, 12_000))
    more(drive, meter16(30, 10_000))  # other slices, the same total

    assert drive.sink.tables["adjustments"] == {}


@pytest.mark.parametrize("writes", [0, 1, 2, 3, 4])
def test_a_crash_while_a_late_event_is_written_leaves_adjustments_that_add_up(writes: int) -> None:
    drive = driven(catalogue_of(1, plain("2.00")), start16(0, 0), stop16(40, 12_000))
    drive.values = [*drive.values, stop16(45, 13_000), stop16(50, 14_000)]
    drive.take(1)
    drive.crash_in_flush(writes)
    drive.take(1)
    drive.flush()
    drive.take(1)
    drive.flush()

    rows = drive.sink.tables["adjustments"].values()
    assert only(drive.sink, "sessions")["amount_excl_vat"] == Decimal(28)
    assert sum(r["after_excl_vat"] - r["before_excl_vat"] for r in rows) == Decimal(4)


def test_two_ways_to_the_same_correction_leave_one_adjustment() -> None:
    """A worker restarted after the first corrected version knows its price from the store."""
    drive = driven(catalogue_of(1, plain("2.00")), start16(0, 0), stop16(40, 12_000))
    more(drive, stop16(45, 13_000))
    drive.restart()
    more(drive, stop16(45, 13_000))
    more(drive, stop16(50, 14_000))

    rows = sorted(drive.sink.tables["adjustments"].values(), key=lambda r: r["version"])
    assert [(r["before_excl_vat"], r["after_excl_vat"]) for r in rows] == [
        (Decimal(24), Decimal(26)), (Decimal(26), Decimal(28)),
    ]  # fmt: skip


def test_a_late_event_under_a_newer_catalogue_names_both_reasons() -> None:
    drive = driven(catalogue_of(3, plain("2.00")), start16(0, 0), stop16(40, 12_000))
    drive.sink.current = catalogue_of(5, plain("3.00"))
    wait(drive, 6)

    more(drive, stop16(50, 13_500))

    row = only(drive.sink, "adjustments")
    assert row["reason"] == "late_event+catalogue"
    assert row["detail"] == "energy 12.000 -> 13.500 kWh; tariff day, catalogue revision 3 -> 5"
    assert (row["before_excl_vat"], row["after_excl_vat"]) == (Decimal(24), Decimal("40.5"))


def test_a_newer_catalogue_that_does_not_concern_the_session_is_no_reason() -> None:
    drive = driven(catalogue_of(3, plain("2.00")), start16(0, 0), stop16(40, 12_000))
    drive.sink.current = replace(drive.sink.current, revision=5)
    wait(drive, 6)

    more(drive, stop16(50, 13_500))

    row = only(drive.sink, "adjustments")
    assert (row["reason"], row["detail"]) == ("late_event", "energy 12.000 -> 13.500 kWh")
    assert row["version"] >> 40 == 5


def test_a_session_without_its_tariff_waits_unpriced_and_is_priced_when_it_arrives() -> None:
    drive = driven(catalogue_of(1), *ended_session())
    waiting = only(drive.sink, "sessions")
    assert waiting["unpriced_reason"] == "tariff_missing"
    assert (waiting["amount_excl_vat"], waiting["tariff_id"]) == (None, "day")

    drive.sink.current = catalogue_of(2, plain("2.00"))
    wait(drive, 7)

    session, row = only(drive.sink, "sessions"), only(drive.sink, "adjustments")
    assert (session["unpriced_reason"], session["amount_excl_vat"]) == ("", Decimal(24))
    assert session["version"] == 2 << 40 | waiting["version"] % (1 << 40)
    assert sum(r["amount_excl_vat"] for r in charges(drive.sink)) == Decimal(24)
    assert row["reason"] == "catalogue"
    assert row["detail"] == (
        "tariff day, catalogue revision 1 -> 2; unpriced (tariff_missing) -> priced"
    )


def test_a_session_of_another_worker_or_forgotten_is_priced_from_its_stored_events() -> None:
    drive = driven(catalogue_of(1, station=station_of("")), *ended_session(), start16(90, 12_000))
    drive.restart()
    drive.sink.current = catalogue_of(2, plain("2.00"))
    wait(drive, 3)

    rows = {r["status"]: r for r in drive.sink.tables["sessions"].values()}
    assert rows["ended"]["amount_excl_vat"] == Decimal(24)
    assert rows["active"]["amount_excl_vat"] == Decimal(0)
    assert {r["unpriced_reason"] for r in rows.values()} == {""}


def test_only_what_waits_is_priced_anew_by_a_new_revision() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), *ended_session())
    first = dict(only(drive.sink, "sessions"))
    drive.sink.current = catalogue_of(2, plain("9.00"))
    wait(drive, 30)

    assert only(drive.sink, "sessions") == first


def test_a_set_aside_session_is_not_billed() -> None:
    sink = driven(catalogue_of(1, plain("2.00")), stop16(40, 12_000)).sink

    session = only(sink, "sessions")
    assert (session["quarantine_reason"], session["unpriced_reason"]) == ("no_start", "not_billed")
    assert (session["amount_excl_vat"], session["payer"]) == (None, "")


def test_an_open_session_is_priced_so_far() -> None:
    sink = driven(catalogue_of(1, plain("2.00")), start16(0, 0), meter16(20, 9_000)).sink

    session = only(sink, "sessions")
    assert (session["quarantine_reason"], session["amount_incl_vat"]) == (
        "not_ended",
        Decimal("22.5"),
    )


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_arrival_ends_in_the_same_cents(seed: int) -> None:
    values = [*ended_session(), *(meter16(m, 300 * m) for m in range(1, 40, 3))]
    whole = driven(catalogue_of(1, EVENING), *values).sink
    random.Random(seed).shuffle(values)
    drive = Drive(values, sink_of(catalogue_of(1, EVENING)), settings_of(keep_s=0, live_s=0))
    while drive.position < len(values):
        drive.take(2)
        drive.flush()

    for rows in (sessions_in, slices_in, charges_in):
        assert rows(drive.sink) == rows(whole)
    adjustments = drive.sink.tables["adjustments"].values()
    if adjustments:
        last = max(adjustments, key=lambda row: row["version"])
        assert [last["after_excl_vat"]] == [
            r["amount_excl_vat"] for r in sessions_in(whole).values()
        ]


ZONES = [ZoneInfo("Europe/Stockholm"), ZoneInfo("UTC"), ZoneInfo("Australia/Lord_Howe")]
MOMENTS = st.integers(ms(0) - 200 * 86_400_000, ms(0) + 200 * 86_400_000)


@given(
    st.sampled_from(["ENERGY", "TIME", "PARKING_TIME", "FLAT"]),
    st.integers(0, 10**10),
    st.sampled_from([0, 999, 1]),
    MOMENTS,
    st.sampled_from([0, 1, 1000, 3_600_000, 61_000, 86_400_000]),
    st.sampled_from(ZONES),
    st.sampled_from(["NO", "YES"]),
)
def test_the_short_way_to_a_sentence_says_what_the_long_way_says(
    dimension: str,
    quantity: int,
    extra: int,
    start: int,
    length: int,
    zone: ZoneInfo,
    included: str,
) -> None:
    vat = Tax("VAT", Fraction(1, 4))
    component = Component(dimension, Fraction(7, 2), "3.5", (vat,), 300)
    restrictions = Restrictions(max_power_mw=11_000_000)
    tariff = Tariff("x", "EUR", (Element(4, (component,), restrictions),), included)
    if dimension == "FLAT":
        quantity, extra = 1, 0
    start = start // 1000 * 1000 if length % 1000 == 0 else start
    line = Line(
        dimension, False, 4, component, quantity, quantity + extra, start, start + length,
        1 + quantity % 2, Fraction(1, 4), 0, 0,
    )  # fmt: skip
    say = ChargeWords()

    for one in (line, line._replace(quantity=1_234_567 if dimension != "FLAT" else 1), line):
        assert say.sentence(one, say.known(one, tariff, zone), tariff, zone) == because(
            one, restrictions, "EUR", zone, tax_included=included
        )
    unit = say.known(line, tariff, zone).unit_micro
    assert unit == (2_800_000 if included == "YES" else 3_500_000)


def test_a_store_that_is_away_while_pricing_anew_makes_the_worker_try_again() -> None:
    drive = driven(catalogue_of(1), *ended_session())
    drive.restart()
    drive.sink.current = catalogue_of(2, plain("2.00"))
    events = drive.sink.events
    failing = [True]

    def away(sessions: Sequence[StoredSession]) -> Iterable[Mapping[str, Any]]:
        if failing:
            raise UnavailableError("the store is gone")
        return events(sessions)

    drive.sink.events = away  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        wait(drive, 7)
    failing.clear()
    wait(drive, 1)

    assert only(drive.sink, "sessions")["amount_excl_vat"] == Decimal(24)
