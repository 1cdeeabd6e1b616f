"""`rebuild` on the in-memory sink: what differs is written, what does not is left as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from laddstream.rebuild import Choice, Outcome, rebuild
from tests.streams.core.core_events import ms, start16, stop16
from tests.streams.core.fleet_kit import Drive
from tests.streams.money_kit import (
    catalogue_of,
    charges,
    driven,
    ended_session,
    more,
    only,
    plain,
    wait,
)

NIGHT = plain("1.00", "night")


def rebuilt(drive: Drive, choice: Choice | None = None, *, dry_run: bool = False) -> Outcome:
    """Under the catalogue that the sink has now."""
    return rebuild(drive.sink, drive.sink.current, choice or Choice(), dry_run=dry_run)


def test_a_tariff_changed_for_the_past_reprices_its_sessions_and_adjusts_them() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), *ended_session())
    first = only(drive.sink, "sessions")
    drive.sink.current = catalogue_of(2, plain("3.00"))

    found = rebuilt(drive)

    session, row = only(drive.sink, "sessions"), only(drive.sink, "adjustments")
    assert (found.looked_at, found.adjustments, len(found.changes)) == (1, 1, 1)
    assert session["amount_excl_vat"] == Decimal(36)
    assert session["version"] == first["version"] + (1 << 40)
    assert sum(r["amount_excl_vat"] for r in charges(drive.sink)) == Decimal(36)
    slices = drive.sink.tables["session_slices"].values()
    assert sum(s["amount_incl_vat"] for s in slices) == Decimal(45)
    assert (row["reason"], row["detail"]) == ("catalogue", "tariff day, catalogue revision 1 -> 2")
    assert (row["before_incl_vat"], row["after_incl_vat"]) == (Decimal(30), Decimal(45))
    total = found.totals["SEK", "day"]
    assert (total.sessions, total.excl_before, total.excl_after) == (1, 24_000_000, 36_000_000)
    (change,) = found.changes
    assert (change.excl_vat_before, change.excl_vat_after) == ("24.000000", "36.000000")


def test_a_dry_run_shows_the_same_and_writes_nothing() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), *ended_session())
    before = {name: dict(rows) for name, rows in drive.sink.tables.items()}
    drive.sink.current = catalogue_of(2, plain("3.00"))

    shown = rebuilt(drive, dry_run=True)

    assert drive.sink.tables == before
    assert rebuilt(drive).changes == shown.changes


def test_a_change_that_touches_no_price_writes_nothing() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), *ended_session())
    first = dict(only(drive.sink, "sessions"))
    drive.sink.current = catalogue_of(2, plain("2.00"), NIGHT)

    found = rebuilt(drive)

    assert (found.looked_at, found.changes) == (1, [])
    assert only(drive.sink, "sessions") == first


def test_a_second_rebuild_finds_nothing_more() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), *ended_session())
    drive.sink.current = catalogue_of(2, plain("3.00"))
    rebuilt(drive)

    assert (rebuilt(drive).looked_at, len(drive.sink.tables["adjustments"])) == (0, 1)


def test_sessions_are_chosen_by_start_station_and_tariff() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), *ended_session())
    drive.sink.current = catalogue_of(2, plain("3.00"))
    started = datetime.fromtimestamp(ms(0) // 1000, UTC)
    misses = [
        Choice(until=started),
        Choice(since=datetime(2026, 3, 2, 10, 0, 1, tzinfo=UTC)),
        Choice(station_id="S1"),
        Choice(tariff_id="night"),
    ]
    for choice in misses:
        assert rebuilt(drive, choice, dry_run=True).looked_at == 0
    for choice in (Choice(since=started, tariff_id="day", station_id="S9"), Choice()):
        assert rebuilt(drive, choice, dry_run=True).looked_at == 1


def test_a_session_that_gets_the_tariff_counts_as_one_that_has_it() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), *ended_session())
    moved = {
        "tenant": "t", "station_id": "S9", "area": "Harbour", "city": "", "country": "SE",
        "time_zone": "Europe/Stockholm", "rated_power_w": None, "tariff_id": "night",
    }  # fmt: skip
    drive.sink.current = catalogue_of(2, plain("2.00"), NIGHT, station=moved)

    (change,) = rebuilt(drive, Choice(tariff_id="night")).changes

    assert (change.tariff_before, change.tariff_after) == ("day", "night")
    assert only(drive.sink, "adjustments")["detail"] == "tariff day -> night"


def test_a_late_event_after_a_rebuild_adds_up_in_a_worker_that_knew_the_old_price() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), *ended_session())
    drive.sink.current = catalogue_of(2, plain("3.00"))
    wait(drive, 6)  # the worker has the revision, and the session in memory at the old price
    rebuilt(drive)

    more(drive, stop16(50, 14_000))

    rows = drive.sink.tables["adjustments"].values()
    assert only(drive.sink, "sessions")["amount_excl_vat"] == Decimal(42)
    assert sum(r["after_excl_vat"] - r["before_excl_vat"] for r in rows) == Decimal(42 - 24)


def test_a_session_whose_events_are_gone_is_left_alone_and_counted() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), *ended_session())
    drive.sink.tables["events"].clear()
    drive.sink.current = catalogue_of(2, plain("3.00"))

    found = rebuilt(drive)

    assert (found.without_events, found.changes) == (1, [])
    assert only(drive.sink, "sessions")["amount_excl_vat"] == Decimal(24)


def test_that_another_session_followed_is_no_late_event() -> None:
    drive = driven(catalogue_of(1, plain("2.00")), *ended_session())
    more(drive, start16(60, 12_000, "8"))
    drive.sink.current = catalogue_of(2, plain("3.00"))

    rebuilt(drive)

    assert {r["version"] % 2 for r in drive.sink.tables["sessions"].values()} == {0, 1}
    assert only(drive.sink, "adjustments")["reason"] == "catalogue"
