"""A script played by two workers, fast lane open and shut, and all they wrote compared.

`play` compares after every flush, and at the end with fresh workers that get all in one batch.
Scripts come from `twin_streams`; where sides differ, `twin_shrink` makes the script small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from schemas.units import SLICE_MS
from streams import forgetting, intake
from streams.session_rows import VERSION_BITS
from tests.streams.core.fleet_kit import Rows, charges_in, homes_in, sessions_in
from tests.streams.core.fleet_kit import slices_in as every_slice
from tests.streams.twin_side import TABLES, Counts, Script, Side

QUIET = frozenset({"take", "flush", "wait", "revise", "meanwhile"})
"""Steps that lose nothing a worker remembers."""

CLOCKS = (1_774_746_000_000, 1_792_890_000_000)
"""Stockholm's clocks go forward, and back."""


class DifferenceError(AssertionError):
    """The two sides are not of one mind."""


@contextmanager
def _small(script: Script) -> Iterator[None]:
    """The worker's limits as the script wants them."""
    before = intake.STRIDE, forgetting.PACKED_IN_MEMORY
    intake.STRIDE, forgetting.PACKED_IN_MEMORY = script.stride, script.packed
    try:
        yield
    finally:
        intake.STRIDE, forgetting.PACKED_IN_MEMORY = before


def play(script: Script) -> Counts:
    """Both sides play the script; `DifferenceError` where they differ. Counts of the fast."""
    with _small(script):
        fast, slow = Side(script, fast=True), Side(script, fast=False)
        steps = (*script.steps, *_ending(script))
        for i, (name, number) in enumerate(steps):
            fast.do(name, number)
            slow.do(name, number)
            if name not in ("take", "wait", "revise"):
                compare(fast, slow, f"after step {i}, {name} {number}")
        twice = fast.duplicates(), slow.duplicates()
        # Of what a worker has forgotten neither side can tell how often it came.
        if twice[0] != twice[1] and not _evicts(script) and _names(script) <= QUIET:
            raise DifferenceError(f"duplicates: fast {twice[0]}, slow {twice[1]}")
        _at_once(script, fast)
        _see(fast)
        return fast.counts


def _evicts(script: Script) -> bool:
    """Sessions are forgotten soon after their end."""
    return script.packed <= 100


def _has16(script: Script) -> bool:
    return any(b"ocpp1.6" in (value or b"") for log in script.logs for value in log)


def _names(script: Script) -> set[str]:
    return {name for name, _ in script.steps}


def _ending(script: Script) -> Iterator[tuple[str, int]]:
    """Read to the end, flush until nothing is owed, sweep once."""
    for p in (0, 1):
        yield "take", 10 * len(script.logs[p]) + p
    yield from [("flush", 0)] * 3
    yield "wait", 61_000
    yield from [("flush", 0)] * 2


def _at_once(script: Script, played: Side) -> None:
    """A fresh worker with everything in one flush says the same; of prices only where the
    catalogue stayed.
    """
    told = []
    for is_fast in (True, False):
        side = Side(replace(script, steps=()), fast=is_fast)
        for name, number in _ending(side.script):
            side.do(name, number)
        told.append(side)
    compare(told[0], told[1], "all at once")
    happened = _names(script)
    if script.live_s and not happened <= QUIET:
        return  # a row not yet due when its worker went may wait for its session's next event
    if _has16(script) and (_evicts(script) or not happened <= QUIET):
        # Known of OCPP 1.6, on both sides: a start sent again under another transaction id after
        # its session was forgotten keeps one of the ids; a stop moved to a start that came after
        # it is lost from the row if the worker dies between events and sessions of that flush.
        return
    if "revise" in happened and not _rated_alike(script):
        return  # what a connector can give says which first register is a placeholder
    kept = FACTS if "revise" in happened else None
    for view in (sessions_in, every_slice) if kept else (sessions_in, every_slice, charges_in):
        a, b = (_facts(view(side.sink), kept) for side in (played, told[0]))
        if a != b:
            raise DifferenceError(f"at once, {view.__name__}\n" + _told(a, b))
    if homes_in(played.sink) != homes_in(told[0].sink):
        raise DifferenceError("at once, homes of events")


def _rated_alike(script: Script) -> bool:
    """Every catalogue knows the same power of all stations."""
    first, *others = (
        {
            owner: [each.value and each.value.rated_power_w for each in told]
            for owner, told in c.stations.items()
        }
        for c in script.catalogues
    )
    return all(first == other for other in others)


FACTS = frozenset({
    "protocol", "transaction_ids", "status", "started_at", "ended_at", "driver_key", "event_count",
    "meter_start_wh", "meter_stop_wh", "energy_wh", "duration_s", "charging_s", "idle_s",
    "max_power_w", "occupied_s",
})  # fmt: skip
"""Columns on which the catalogue has no say; grade and flags rest on a station's rated power."""


def _facts(rows: Rows, kept: frozenset[str] | None) -> Rows:
    if kept is None:
        return rows
    some = {k: {n: v for n, v in row.items() if n in kept} for k, row in rows.items()}
    return {  # no slices of money alone
        key: row
        for key, row in some.items()
        if "status" in row or any(isinstance(v, Decimal) and v for v in row.values())
    }


# comparing --------------------------------------------------------------------------------


def compare(fast: Side, slow: Side, when: str) -> None:
    """All tables and what goes out, of both sides."""
    for name in TABLES:
        a, b = fast.sink.tables[name], slow.sink.tables[name]
        if a != b and _read_again(fast.script):
            if name in ("session_charges", "adjustments"):
                continue
            if name in ("sessions", "session_slices"):
                a, b = _facts(a, FACTS), _facts(b, FACTS)
        if a != b and _stripped(name, a) != _stripped(name, b):
            raise DifferenceError(f"{when}: {name}\n" + _told(a, b))
    for one, other in zip(fast.sink.inserted, slow.sink.inserted, strict=True):
        if not one.equals(other.select(one.column_names)):
            raise DifferenceError(f"{when}: rows of events as inserted")
    fast.sink.inserted, slow.sink.inserted = [], []
    if fast.outgoing != slow.outgoing:
        raise DifferenceError(f"{when}: outgoing\n{fast.outgoing}\n{slow.outgoing}")
    for label, a, b in _numbers(fast, slow):
        if a != b:
            raise DifferenceError(f"{when}: {label}: fast {a}, slow {b}")


def _numbers(fast: Side, slow: Side) -> Iterator[tuple[str, Any, Any]]:
    a, b = fast.worker, slow.worker
    if not _evicts(fast.script):
        # Which of the sessions written in one flush is forgotten first is chance, and sessions
        # given up count as open until another follows.
        yield "open sessions", a._book.open_sessions, b._book.open_sessions
    yield "events", a._intake.events, b._intake.events
    yield "dead letters", a._intake.dead_total, b._intake.dead_total


def _read_again(script: Script) -> bool:
    """What is known is read again after a new catalogue. Known: a duplicate sample makes the fast
    lane write and price its session anew, under the new catalogue, while the general path sees at
    once that it is one; and so does any duplicate of a session that was forgotten, on both sides,
    but which one that is may differ. Terms and prices are then not compared.
    """
    names = _names(script)
    return "revise" in names and (_evicts(script) or not names <= QUIET)


_TRANSPORT = frozenset(
    {"received_at", "message_id", "offline", "gateway", "flags"}
    | {"kafka_topic", "kafka_partition", "kafka_offset", "kafka_index", "assignment"}
)


def _stripped(
    table: str, rows: dict[tuple[Any, ...], dict[str, Any]]
) -> dict[tuple[Any, ...], Any]:
    """Without what may differ.

    Which of equal events' transport facts stay in `events` is chance, as in the store. Of a
    version the last bit: when another session followed an ended one, both sides let its row be;
    but a duplicate sample makes the fast lane write it again, with nothing but that bit changed.
    A slice of an open session that stays as it was is not written again by the fast lane.
    """
    if table == "session_slices":
        rows = {
            key: {n: v for n, v in row.items() if n != "version" or not row["provisional"]}
            for key, row in rows.items()
        }
    if table == "events":
        return {
            key: {name: value for name, value in row.items() if name not in _TRANSPORT}
            for key, row in rows.items()
        }
    return {
        tuple(_even(part) for part in key): {
            name: _even(value) if name in ("version", "replaces") else value
            for name, value in row.items()
        }
        for key, row in rows.items()
    }


def _even(value: Any) -> Any:
    """A version without its last bit; anything else as it is."""
    return value | 1 if type(value) is int and value >= 1 << VERSION_BITS else value


def _told(a: dict[Any, Any], b: dict[Any, Any]) -> str:
    """The first few differences of two tables."""
    lines = [f"only fast: {a[key]}" for key in a.keys() - b.keys()]
    lines += [f"only slow: {b[key]}" for key in b.keys() - a.keys()]
    for key in a.keys() & b.keys():
        if a[key] != b[key] and isinstance(a[key], dict):
            names = [n for n in a[key] if a[key][n] != b[key].get(n)]
            lines.append(f"{key}: " + ", ".join(f"{n}: {a[key][n]} / {b[key][n]}" for n in names))
        elif a[key] != b[key]:
            lines.append(f"{key}: {a[key]} / {b[key]}")
    return "\n".join(lines[:8])


# what a stream reached --------------------------------------------------------------------


def _see(side: Side) -> None:
    """Count what the script made happen."""
    seen, tables = side.counts.seen, side.sink.tables
    seen["streams"] += 1
    seen["duplicate"] += side.duplicates()
    seen["misfit"] += side.misfits()
    seen["asked the store"] += side.sink.asked
    seen["adjustment"] += len(tables["adjustments"])
    seen["dead letter"] += len(tables["dead_letters"])
    for row in tables["events"].values():
        seen[f"event {row['type']}"] += 1
        seen[f"protocol {row['protocol']}"] += 1
        seen["in an array"] += row["kafka_index"] > 0
        seen["on a slice border"] += round(row["timestamp"].timestamp() * 1000) % SLICE_MS == 0
        seen.update(f"event flag {flag}" for flag in row["flags"].split(",") if flag)
    for row in tables["sessions"].values():
        seen[f"status {row['status']}"] += 1
        seen[f"unpriced {row['unpriced_reason']}"] += 1
        seen[f"set aside {row['quarantine_reason']}"] += 1
        seen["revised"] += row["version"] >> VERSION_BITS > 1
        _see_times(seen, row)


def _see_times(seen: Counter[str], row: dict[str, Any]) -> None:
    first, last = (row[name].timestamp() * 1000 for name in ("first_event_at", "last_event_at"))
    seen["across a change of clocks"] += any(first < at < last for at in CLOCKS)
