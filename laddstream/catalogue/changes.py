"""What a load changes: entries against what the store has, and whether all they name is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from laddstream.catalogue.checking import (
    Contents,
    Key,
    Values,
    Wanted,
    subscription_row,
)
from laddstream.catalogue.documents import Fault
from laddstream.catalogue.entries import MODELS

History = dict[int, Values | None]
"""Instant to what holds from there on; None: nothing does."""

FOREVER = 1 << 62


@dataclass(slots=True)
class State:
    """What the store has up to revision `written`; workers see it up to `published`."""

    published: int = 0
    written: int = 0
    histories: dict[Key, History] = field(default_factory=lambda: defaultdict(dict))


@dataclass(frozen=True, slots=True)
class Change:
    """A row to write; `known`: the key was there before; `replaces`: with this instant, too."""

    key: Key
    from_ms: int
    values: Values | None
    known: bool
    replaces: bool


def settle(contents: Contents, state: State) -> list[Change]:
    """The rows to write, in the order of the tables; adds faults and notes to `contents`."""
    defaults = contents.defaults
    for raw, entry in contents.late:
        tenant = entry.tenant or defaults.tenant
        zone = _plan_zone(state, ("plans", tenant, entry.plan_id)) or defaults.zone
        contents.rows.append(subscription_row(raw, entry, tenant, zone, contents))
    contents.late.clear()
    before = {key: dict(history) for key, history in state.histories.items()}
    after: dict[Key, History] = defaultdict(dict, {k: dict(h) for k, h in before.items()})
    for row in [*_taken_away(contents.rows, state), *contents.rows]:
        if row.values is not None or not row.owner:
            _apply(after[row.key], row)
    contents.faults.extend(_dangling(contents, after))
    contents.faults.extend(_overlaps(contents.rows, after))
    contents.notes.extend(_staying(contents.rows, after))
    changes = [
        Change(key, from_ms, values, bool(before.get(key)), from_ms in before.get(key, {}))
        for key, history in after.items()
        for from_ms, values in sorted(history.items())
        if from_ms not in before.get(key, {}) or before[key][from_ms] != values
        if values is not None or before.get(key)
    ]
    order = list(MODELS)
    return sorted(changes, key=lambda one: (order.index(one.key[0]), one.key, one.from_ms))


def _apply(history: History, row: Wanted) -> None:
    """Put a row into the history of its key.

    An end also ends what the key was to become later. What is there again after an end holds on,
    over later ends that only repeated the first.
    """
    later = sorted(at for at in history if at > row.from_ms)
    if row.key[0] == "subscriptions":
        later = []  # each stands for itself
    if row.values is None:
        for at in later if row.key[0] != "drivers" else []:  # a token may go on to someone else
            history[at] = None
    else:
        earlier = [at for at in history if at <= row.from_ms]
        ended = not earlier or history[max(earlier)] is None
        for at in later if ended and earlier else []:
            if history[at] is not None:
                break
            history[at] = row.values
    history[row.from_ms] = row.values


def _taken_away(rows: list[Wanted], state: State) -> Iterator[Wanted]:
    """Tokens that a driver had and that the driver's entry no longer names: an end of the driver
    takes them for all time to come.
    """
    named = {(row.key, row.from_ms) for row in rows if row.values is not None}
    held: dict[tuple[str, str], list[Key]] = defaultdict(list)
    for key, history in state.histories.items():
        if key[0] == "drivers":
            for driver in {str(v["driver_id"]) for v in history.values() if v is not None}:
                held[key[1], driver].append(key)
    entries = {(row.key[1], row.owner, row.from_ms): row for row in rows if row.owner}
    for (tenant, owner, from_ms), row in entries.items():
        for key in held[tenant, owner]:
            history = state.histories[key]
            later = [at for at in history if at > from_ms and row.values is None]
            for at in [from_ms, *later]:
                values = _holds(history, at)
                mine = values is not None and values["driver_id"] == owner
                if mine and (key, at) not in named:
                    yield Wanted(key, at, None, row.raw)


def _holds(history: History, at_ms: int) -> Values | None:
    begun = [at for at in history if at <= at_ms]
    return history[max(begun)] if begun else None


def _plan_zone(state: State, key: Key) -> ZoneInfo | None:
    values = _holds(state.histories.get(key, {}), FOREVER)
    name = msgspec.json.decode(values["plan_json"]).get("time_zone") if values else ""
    return ZoneInfo(name) if name else None


def _dangling(contents: Contents, after: dict[Key, History]) -> Iterator[Fault]:
    """What an entry names must be somewhere; a station may wait for its tariff."""
    live = {key for key, history in after.items() if any(v is not None for v in history.values())}
    drivers = {
        (key[1], str(values["driver_id"]))
        for key, history in after.items()
        if key[0] == "drivers"
        for values in history.values()
        if values is not None
    }
    waiting: set[str] = set()
    for row in contents.rows:
        if row.values is None:
            continue
        table, tenant = row.key[:2]
        for name, target in _names(row):
            if (target, tenant, name) in live or (target, name) in contents.refused:
                continue
            column = {"tariffs": "tariff_id", "companies": "company_id", "plans": "plan_id"}[target]
            if table == "stations":
                waiting.add(name)
                continue
            what = f"{name} is neither in these files nor in the catalogue"
            yield row.raw.fault((column,), what)
        person = row.key[2]
        known = (tenant, person) in drivers or ("drivers", person) in contents.refused
        if table == "subscriptions" and not known:
            what = f"{person} is neither in these files nor in the catalogue"
            yield row.raw.fault(("driver_id",), what)
    contents.notes.extend(
        f"stations name tariff {name}, which is not in the catalogue: their sessions are unpriced"
        " until it is"
        for name in sorted(waiting)
    )


def _names(row: Wanted) -> Iterator[tuple[str, str]]:
    """What a row refers to: id and table."""
    values = row.values or {}
    if row.key[0] == "subscriptions":
        yield row.key[3], "plans"
    if row.key[0] == "plans":
        values = msgspec.json.decode(values["plan_json"])
    if values.get("tariff_id"):
        yield values["tariff_id"], "tariffs"
    if values.get("company_id") and row.key[0] in {"drivers", "assignments"}:
        yield values["company_id"], "companies"


def _staying(rows: list[Wanted], after: dict[Key, History]) -> Iterator[str]:
    """Later versions that an entry without valid_from leaves as they are."""
    named = {(row.key, row.from_ms) for row in rows}
    for row in rows:
        later = [
            at
            for at, values in after[row.key].items()
            if at > row.from_ms == 0 and values is not None and (row.key, at) not in named
        ]
        if later and row.key[0] in {"stations", "tariffs", "companies", "plans"}:
            day = datetime.fromtimestamp(min(later) / 1000, UTC).date()
            yield f"{row.key[2]} of {row.key[0]} has a later version, from {day} on: it stays"


def _overlaps(rows: Iterable[Wanted], after: dict[Key, History]) -> Iterator[Fault]:
    """A driver has one plan at a time."""
    mine = [row for row in rows if row.key[0] == "subscriptions" and row.values is not None]
    people = {row.key[1:3] for row in mine}
    held: dict[Key, list[tuple[int, int, Key]]] = defaultdict(list)
    for key, history in after.items():
        if key[0] == "subscriptions" and key[1:3] in people:
            for at, values in history.items():
                if values is not None:
                    until = values["until_ms"]
                    held[key[1:3]].append((at, FOREVER if until is None else until, key))
    said: set[frozenset[tuple[int, Key]]] = set()
    for row in mine:
        until = (row.values or {})["until_ms"]
        end = FOREVER if until is None else until
        for at, other_end, key in held[row.key[1:3]]:
            both = frozenset({(at, key), (row.from_ms, row.key)})
            if len(both) == 2 and at < end and row.from_ms < other_end and both not in said:
                said.add(both)
                what = f"{row.key[2]} has plan {key[3]} at the same time: one has to end before"
                yield row.raw.fault(("from",), what)
