"""Which 1.6 transaction a StopTransaction ends, where its id does not say (domain-rules 2.5 row 8).

The core stitches by transaction id. A log without the central system's answers has no start
with an id: what a stop shows about its start is added here, flagged, and only where one
start alone can be meant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from producers.ocpp.model import Settled, StationState, Transaction16
from producers.ocpp.waiting import give_up, named, starts_on, with_transaction
from schemas.units import wh_to_mwh
from schemas.wire import SessionStarted

UNKNOWN_IDS = frozenset({"-1", "0", "9223372036854775807"})
"""Ids a charger sends when it was never told one."""


@dataclass(frozen=True, slots=True)
class Stop:
    """What a StopTransaction says; `time` is the wire's text, `register` in Wh."""

    transaction_id: str | None
    time: str
    register: int | str | float | None
    token: str | None

    @property
    def has_id(self) -> bool:
        """Whether its transaction id is one."""
        return self.transaction_id is not None and self.transaction_id not in UNKNOWN_IDS

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two stops the same one."""
        return (self.transaction_id, self.time, self.register)


@dataclass(frozen=True, slots=True)
class Ended:
    """The connector a stop belongs to, whether its id said so, and the start it named."""

    connector_id: int | None = None
    inferred: bool = False
    start: tuple[SessionStarted, ...] = ()


def end(state: StationState, stop: Stop) -> tuple[StationState, Ended, tuple[Settled, ...]]:
    """Note the end of the transaction that `stop` means; settle starts that wait for it.

    `Ended.start` repeats a start that was published without an id, now with the stop's.
    """
    found, by_id = _meant(state, stop)
    if found is None:
        state, settled = give_up(
            state,
            lambda _key, call: any(starts_on(call, each, stop.time) for each in state.connectors),
        )
        return state, Ended(), settled
    connector = found.start.connector_id
    if _names(found, stop):
        found = replace(found, transaction_id=stop.transaction_id, inferred=True)
    state = with_transaction(state, replace(found, stop=stop.key))
    state, settled = give_up(state, lambda _key, call: starts_on(call, connector, stop.time))
    start = (named(found.start, found),) if found.inferred and not settled else ()
    return state, Ended(connector, found.inferred or not by_id, start), settled


def _meant(state: StationState, stop: Stop) -> tuple[Transaction16 | None, bool]:
    """The transaction a stop ends, where exactly one can be meant, and whether by its id.

    A stop that repeats an earlier one finds the same transaction again. Without an id it
    is the only running one of its idTag, else the only running one; an id that nobody knows
    can only mean one whose own id was never told.
    """
    known = list(state.connectors.values())
    named_so = [
        each for each in known if stop.has_id and each.transaction_id == stop.transaction_id
    ]
    for each in named_so:
        if each.stop is None or each.stop == stop.key:
            return each, True
    running = [each for each in known if each.stop == stop.key] or [
        each
        for each in known
        if each.stop is None
        and each.start.timestamp <= stop.time
        and not (stop.has_id and (each.transaction_id is not None or _sampled(each, stop) is False))
    ]
    told = [each for each in running if _sampled(each, stop)]
    same = [each for each in running if stop.token and each.start.id_token == stop.token]
    for candidates in (told, same, running):
        if len(candidates) == 1:
            return candidates[0], False
    return (named_so[0], True) if named_so else (None, False)


def _sampled(found: Transaction16, stop: Stop) -> bool | None:
    """Whether meter values before the stop gave the connector the stop's id; None: none did."""
    if found.sampled is None or found.sampled[1] > stop.time:
        return None
    return found.sampled[0] == stop.transaction_id


def _names(found: Transaction16, stop: Stop) -> bool:
    """Whether the stop's id can be taken for the id its start was never answered with.

    A station waits for its answer before it says anything else, so it is not going to come.
    Another idTag or a lower register speak against it, meter values under the id for it.
    """
    if not stop.has_id or found.transaction_id is not None or found.stop is not None:
        return False
    begin, register = found.start.meter_start_wh, stop.register
    if begin is not None and register is not None and wh_to_mwh(begin) > wh_to_mwh(register):
        return False
    return bool(_sampled(found, stop)) or stop.token in {None, found.start.id_token}


def note_samples(
    state: StationState, connector: int | None, transaction_id: str, time: str
) -> StationState:
    """Remember under which id a connector sends meter values while its start has none."""
    found = state.connectors.get(connector)
    if found is None or found.transaction_id is not None or found.stop is not None:
        return state
    if transaction_id in UNKNOWN_IDS or time < found.start.timestamp:
        return state
    return with_transaction(state, replace(found, sampled=(transaction_id, time)))
