"""Samples that the lane cannot hold: the worker's rows are those of a worker without a lane."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from schemas import wire
from streams.core.book import Book
from streams.core.events import SAMPLE, CoreEvent, Sample
from streams.core.session import Session, Station
from streams.fast_lane import FastLane
from tests.streams.core.fleet_kit import (
    DAY_MS,
    Drive,
    charges_in,
    homes_in,
    sessions_in,
    sink_of,
    slices_in,
)

TIME, REGISTER, SEQ = 2**31 - 1, 2**31 - 1, 2**15 - 1
"""How far numbers may be from the first of their session: ms, mWh, sequence numbers."""

MINUTE = 60_000
_GENERAL = 10**9
"""Chunks that `HotDecoder` leaves to the general path: all."""


class NoLane(FastLane):
    """Takes nothing from the store."""

    def load(self, session: Session, events: Iterable[CoreEvent]) -> list[CoreEvent]:  # noqa: ARG002
        """All are others."""
        return list(events)


class General(Drive):
    """A drive whose worker has no fast lane."""

    def restart(self) -> None:
        """A new worker, with every sample a tuple."""
        super().restart()
        lane = NoLane(self.worker._book)
        worker = self.worker
        worker._fast = worker._lookup._fast = worker._intake.fast = worker._closed.fast = lane
        self.worker._intake.decoder._rest = _GENERAL


def session_of(random: Random, number: int) -> list[wire.WireEvent]:
    """A session whose clock, meter or count jumps here and there, often to the very limit."""
    begin = DAY_MS + 86_400_000 * number
    register, seq = random.choice([0, 5_000_000_000]), 0
    shift = {"ts": 0, "mwh": 0, "seq": 0}
    jumps = {"ts": TIME, "mwh": REGISTER, "seq": SEQ}
    odd = random.choice([None, None, "ts", "mwh", "seq"])
    common: dict[str, Any] = {
        "tenant": "t", "station_id": "S1", "protocol": "ocpp2.1", "evse_id": 1, "connector_id": 1,
        "transaction_id": f"tx{number}",
    }  # fmt: skip
    start = random.choice([None, register / 1000])
    out: list[wire.WireEvent] = [
        wire.SessionStarted(**common, timestamp=iso(begin), seq_no=0, meter_start_wh=start)
    ]
    first: tuple[int, int, int] | None = None
    for step in range(1, random.randrange(3, 9)):
        register, seq = register + random.choice([0, 1, 183_000]), seq + 1
        at = [begin + step * MINUTE, register, seq]
        first = first or (at[0], at[1], at[2])
        if odd and random.random() < 0.4:
            place = list(shift).index(odd)
            at[place] = first[place] + jumps[odd] + random.choice([0, 1, 1])
            if odd == "ts" and random.random() < 0.3:
                at[place] = step * MINUTE  # its clock is not set
        ts, mwh, count = at
        known, counted = random.random() < 0.9, random.random() < 0.9
        out.append(
            wire.MeterSampled(
                **common, timestamp=iso(ts), seq_no=count if counted else None,
                import_wh=mwh / 1000 if known else None, power_w=random.choice([None, 11_000]),
            )
        )  # fmt: skip
    if random.random() < 0.7:
        common |= {"timestamp": iso(begin + 10 * MINUTE), "seq_no": seq + 1}
        out.append(wire.SessionEnded(**common, meter_stop_wh=register / 1000, reason="Local"))
    return out


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def stream(random: Random, sessions: int) -> list[bytes]:
    """All events, some late, some twice."""
    events = [event for n in range(sessions) for event in session_of(random, n)]
    values = [wire.encode(event) for event in events]
    values += random.sample(values, len(values) // 8)
    return [v for _, v in sorted(zip(late(random, len(values)), values, strict=True))]


def late(random: Random, count: int) -> list[float]:
    return [i + random.choice([0, 0, 0, 5, 50]) * random.random() for i in range(count)]


def play(drive: Drive, random: Random) -> Drive:
    """Chunks, flushes, now and then a crash that makes the next worker load from the store."""
    while drive.position < len(drive.values):
        drive.take(random.choice([1, 5, 20, 50]))
        step = random.random()
        if step < 0.4:
            drive.flush()
        elif step < 0.5:
            drive.crash_in_flush(random.randrange(4))
    drive.finish()
    return drive


def in_lane(drive: Drive) -> int:
    """Samples in the lane."""
    worker = drive.worker
    return int(worker._fast.lane.held(worker._book.resting.slots.slots().tolist()).sum())


def misfits(drive: Drive) -> int:
    """Samples beside the lane in sessions that have others in it."""
    return sum(
        event.kind == SAMPLE
        for session in drive.worker._book.direct.values()
        if session.slot >= 0
        for event in session.peek()
    )


@pytest.mark.parametrize("seed", range(12))
def test_sessions_with_misfits_are_written_as_without_a_lane(seed: int) -> None:
    values = stream(Random(seed), 16)
    fast = play(Drive(values, sink_of()), Random(seed))
    slow = play(General(values, sink_of()), Random(seed))
    for rows in (sessions_in, slices_in, charges_in, homes_in):
        rows_in: Callable[[Any], Any] = rows
        assert rows_in(fast.sink) == rows_in(slow.sink)
    assert sessions_in(fast.sink)
    assert in_lane(fast) > 0 == in_lane(slow)


def test_misfits_of_chunks_and_of_the_store_lie_beside_the_lane() -> None:
    values = stream(Random(1), 40)
    drive = Drive(values, sink_of())
    drive.take(len(values))
    drive.flush()
    taken = misfits(drive)
    assert taken > 10
    assert in_lane(drive) > 3 * taken
    drive.restart()
    drive.committed = drive.position = 0
    drive.take(len(values))  # known already: the store's join what is read again
    drive.flush()
    assert misfits(drive) == taken


@pytest.mark.parametrize("known", [None, 2_000])
def test_load_returns_what_the_lane_did_not_take(known: int | None) -> None:
    fast = FastLane(Book())
    session = Session(Station(("t", "S1"), 0), bytes(16), "ocpp2.1")
    base = Sample(SAMPLE, DAY_MS, 40_000, "Sample.Periodic", 5_000_000, None, known, 1, 1)
    fits = [
        base,
        base._replace(ts=DAY_MS + TIME),
        base._replace(seq=40_000 - SEQ),
        base._replace(import_mwh=5_000_000 - REGISTER),
        base._replace(import_mwh=None, seq=-1),
        base._replace(extra=(("current", 16_000),)),
        base._replace(power_mw=-(2**31) + 1),
    ]
    others: list[CoreEvent] = [
        base._replace(ts=DAY_MS + TIME + 1),
        base._replace(seq=40_001 + SEQ),
        base._replace(import_mwh=5_000_001 + REGISTER),
        base._replace(export_mwh=0),
        base._replace(power_mw=-(2**31)),
        base._replace(extra=(("current", -(2**31)),)),
        base._replace(extra=(("l1", 1),)),
        base._replace(flags=("odd",)),
    ]
    for _ in range(2):
        rest = fast.load(session, [base, *others, *fits[1:]])
        assert len(rest) == len(others)
        assert set(rest) == set(others)
        assert fast.samples(session) == set(fits)
    fast.release([session])
    assert (session.slot, fast.samples(session)) == (-1, set())
    assert others[0] not in fast.load(session, others)
