"""Which session a 1.6 event belongs to: a rule over a station's events, whatever their order.

In OCPP 1.6 the transaction id comes from the back end, is reused after resets, is missing
in the request, and is -1 where the answer was lost (errata 3.16, 3.18). So the session is
the *start*, and other events are allotted:

- an event with a transaction id goes to the latest start with that id not after it, else to
  the earliest later one within `EARLY_MS`;
- an event whose id says nothing (`UNKNOWN_TRANSACTIONS`): a stop goes to the latest start of
  a connector not after it that has no stop of its own and no higher register, preferring one
  that carries the same id, then one with the same id token; a reading goes to the latest
  start on its connector not after it, unless that session had stopped;
- what no start claims stays with its transaction id (orphan) or, without one, nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from streams.core.events import ENDED, CoreEvent, Ended, Started
from streams.core.identity import UNKNOWN_TRANSACTIONS

EARLY_MS = 24 * 3600 * 1000
"""How far before its start an event may be stamped and still belong to it (clock jitter)."""


class Start(NamedTuple):
    """A known 1.6 session and the transaction ids its start was answered with."""

    session_id: UUID
    started: Started
    transaction_ids: frozenset[str]


class Tagged(NamedTuple):
    """An event other than a start, with the transaction id it came with ('' = none)."""

    transaction_id: str
    event: CoreEvent


def allot(
    starts: Iterable[Start],
    events: Iterable[Tagged],
    stops: Mapping[UUID, int] | None = None,
) -> dict[Tagged, UUID | None]:
    """The session of each event of one station; None where no start claims it.

    `stops`: sessions known to have a stop of their own that is not among `events`, and when.
    """
    ordered = sorted(starts, key=_start_key)
    by_id: dict[str, list[Start]] = {}
    for start in ordered:
        for transaction_id in start.transaction_ids:
            by_id.setdefault(transaction_id, []).append(start)
    out: dict[Tagged, UUID | None] = {}
    floating: list[Tagged] = []
    stopped: dict[UUID, int] = dict(stops or {})
    for tagged in events:
        if tagged.transaction_id in UNKNOWN_TRANSACTIONS:
            floating.append(tagged)
            continue
        candidates = by_id.get(tagged.transaction_id)
        home = None if candidates is None else _by_time(candidates, tagged.event.ts)
        out[tagged] = None if home is None else home.session_id
        if home is not None and tagged.event.kind == ENDED:
            stopped[home.session_id] = max(tagged.event.ts, stopped.get(home.session_id, 0))
    floating.sort(key=_float_key)
    for tagged in floating:
        home = _float_home(ordered, tagged, stopped)
        out[tagged] = None if home is None else home.session_id
        if home is not None and tagged.event.kind == ENDED:
            stopped[home.session_id] = tagged.event.ts
    return out


def _start_key(start: Start) -> tuple[int, UUID]:
    return (start.started.ts, start.session_id)


def _float_key(tagged: Tagged) -> tuple[bool, int, str]:
    """Stops first, oldest first; the text only makes ties definite."""
    return (tagged.event.kind != ENDED, tagged.event.ts, repr(tagged))


def _by_time(candidates: list[Start], ts: int) -> Start | None:
    before = [s for s in candidates if s.started.ts <= ts]
    if before:
        return before[-1]
    first = candidates[0]
    return first if first.started.ts - ts <= EARLY_MS else None


def _float_home(ordered: list[Start], tagged: Tagged, stopped: Mapping[UUID, int]) -> Start | None:
    event = tagged.event
    latest: dict[object, Start] = {}
    for s in ordered:
        connector = s.started.connector
        if s.started.ts <= event.ts and (event.connector < 0 or connector in (-1, event.connector)):
            latest[connector if connector >= 0 else s.session_id] = s
    candidates = sorted(latest.values(), key=_start_key)
    if event.kind != ENDED:
        home = candidates[-1] if candidates else None
        if home is None or stopped.get(home.session_id, event.ts) < event.ts:
            return None
        return home
    stop: Ended = event  # type: ignore[assignment]  # kind says so
    free = [s for s in candidates if s.session_id not in stopped and _register_fits(s, stop)]
    carriers = [s for s in free if tagged.transaction_id in s.transaction_ids]
    same = [s for s in free if stop.id_token and s.started.id_token == stop.id_token]
    pool = carriers or same or free
    return pool[-1] if pool else None


def _register_fits(start: Start, stop: Ended) -> bool:
    begin, end = start.started.meter_mwh, stop.meter_mwh
    return begin is None or end is None or begin <= end
