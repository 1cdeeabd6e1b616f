"""The way from the charger to the topic: delay, queues, duplicates, disorder, damage."""

from __future__ import annotations

from heapq import heappush
from random import Random

import msgspec

from producers.simulator.corrupt import corrupt
from producers.simulator.dialects import Role, Sent, Stay, message_id
from producers.simulator.faults import Fault, Rates
from producers.simulator.fleet import Connector
from producers.simulator.ledger import Ledger
from schemas import wire

Waiting = tuple[int, int, bytes, bytes]
"""Arrival in epoch ms, a number that makes ties definite, key, value."""

_DELAY_MS = (60, 1_500)
_AGAIN_MS = (500, 600_000)
_RETRY_MS = (5_000, 90_000)
_OFFLINE_S = (3_600, 8 * 3_600)


class Transport:
    """Takes what stations send and keeps it in `waiting` (a heap) until it arrives."""

    def __init__(self, rates: Rates, ledger: Ledger) -> None:
        self.waiting: list[Waiting] = []
        self._ledger = ledger
        self._number = 0
        self._duplicate = rates.get(Fault.DUPLICATE, 0.0)
        self._reorder = rates.get(Fault.REORDER, 0.0)
        self._corrupt = rates.get(Fault.CORRUPT_BYTES, 0.0)
        self._resent = rates.get(Fault.START_RESENT, 0.0)

    def send_plain(self, connector: Connector, at: int, value: bytes) -> None:
        """One record without any fault."""
        self._ledger.distinct += 1
        self._push(at * 1000 + connector.rng.randrange(*_DELAY_MS), connector.station.key, value)

    def send(self, stay: Stay, sent: list[Sent], rng: Random) -> None:
        """Everything of one stay, with the faults of the way."""
        lost = _LOST.get(stay.fault, frozenset()) if stay.fault else frozenset()
        sent = [one for one in sent if one.role not in lost]
        values = [wire.encode(one.event) for one in sent]
        arrivals = self._arrivals(stay, sent, rng)
        if self._reorder:
            self._swap(rng, values)
        key = stay.connector.station.key
        self._ledger.distinct += len(values)
        for arrival, value in zip(arrivals, values, strict=True):
            self._push(arrival, key, value)
            if self._duplicate and rng.random() < self._duplicate:
                self._ledger.faults[Fault.DUPLICATE] += 1
                self._again(arrival + rng.randrange(*_AGAIN_MS), key, value)
            if self._corrupt and rng.random() < self._corrupt:
                damaged, reason = corrupt(rng, value)
                self._ledger.faults[Fault.CORRUPT_BYTES] += 1
                self._ledger.dead_letters[reason] += 1
                self._push(arrival, key, damaged)
        if self._resent and rng.random() < self._resent:
            self._resend(stay, sent, arrivals, rng)

    def _arrivals(self, stay: Stay, sent: list[Sent], rng: Random) -> list[int]:
        """In order; what is sent offline waits for the connection."""
        offline, back = stay.offline_from, 0
        if offline is not None:
            self._ledger.faults[Fault.LATE] += 1
            back = (offline + rng.randrange(*_OFFLINE_S)) * 1000
        arrivals: list[int] = []
        before = 0
        for one in sent:
            arrival = one.at * 1000 + rng.randrange(*_DELAY_MS)
            if offline is not None and one.at >= offline:
                arrival = max(arrival, back)
            before = max(arrival, before + 1)
            arrivals.append(before)
        return arrivals

    def _swap(self, rng: Random, values: list[bytes]) -> None:
        for index in range(1, len(values)):
            if rng.random() < self._reorder:
                self._ledger.faults[Fault.REORDER] += 1
                values[index - 1], values[index] = values[index], values[index - 1]

    def _resend(self, stay: Stay, sent: list[Sent], arrivals: list[int], rng: Random) -> None:
        for one, arrival in zip(sent, arrivals, strict=True):
            if one.role is Role.START:
                self._ledger.faults[Fault.START_RESENT] += 1
                event = msgspec.structs.replace(one.event, message_id=message_id(rng))
                again = arrival + rng.randrange(*_RETRY_MS)
                self._again(again, stay.connector.station.key, wire.encode(event))
                return

    def _again(self, arrival: int, key: bytes, value: bytes) -> None:
        self._ledger.duplicates += 1
        self._push(arrival, key, value)

    def _push(self, arrival: int, key: bytes, value: bytes) -> None:
        self._number += 1
        heappush(self.waiting, (arrival, self._number, key, value))


_LOST: dict[Fault, frozenset[Role]] = {
    Fault.MISSING_START: frozenset({Role.START}),
    Fault.MISSING_STOP: frozenset({Role.STOP, Role.AFTER}),
}
"""Roles whose events a fault swallows."""
