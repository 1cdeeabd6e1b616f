"""Small fleets for property tests, a worker driven without Kafka, and what must come out.

`Log` is one partition: records with offsets. `Drive` plays it to a worker in chunks with flushes
and crashes as told; after a crash a new worker begins at the committed offset, as Kafka does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa

from laddstream.settings import Settings
from schemas import wire
from schemas.errors import UnavailableError
from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue
from streams.chunk import Chunk, TopicPartition
from streams.convert import to_core
from streams.core.allot import Start, Tagged, allot
from streams.core.derive import derive
from streams.core.events import CoreEvent, Started
from streams.core.facts import Facts
from streams.core.identity import start_session_id, transaction_session_id
from streams.core.slices import slice_session
from streams.decode import parse_time
from streams.sink.memory import MemorySink
from streams.sink.port import Reassignment
from streams.worker import Worker

DAY_MS = 1_772_409_600_000
"""2026-03-02T00:00:00Z."""

NOW_MS = 10**12
"""The workers' clock: long before the events, so that nothing falls silent unless asked."""

TP = TopicPartition("charging.events", 0)
TARIFF = {
    "id": "T1",
    "currency": "SEK",
    "elements": [
        {
            "price_components": [
                {"type": "ENERGY", "price": 3.333, "vat": 25.0, "step_size": 1},
                {"type": "PARKING_TIME", "price": 7.77, "vat": 25.0, "step_size": 1},
                {"type": "FLAT", "price": 1.01, "vat": 6.0, "step_size": 1},
            ]
        }
    ],
}
NOISE = frozenset({"version", "updated_at", "slice_first", "slice_last"})
"""Columns that may differ between two ways to the same knowledge."""

Rows = dict[tuple[Any, ...], dict[str, Any]]


def catalogue(rated_power_w: int | None = 22_000) -> Catalogue:
    """Station S1 in area North with tariff T1; other stations are unknown."""
    station = {
        "tenant": "t", "station_id": "S1", "area": "North", "city": "Lund", "country": "SE",
        "time_zone": "Europe/Stockholm", "rated_power_w": rated_power_w, "tariff_id": "T1",
    }  # fmt: skip
    tariff = {"tenant": "t", "tariff_id": "T1", "ocpi_json": msgspec.json.encode(TARIFF)}
    return build_catalogue(1, [station], [tariff])


def settings_of(*, keep_s: float = 0, live_s: float = 60.0) -> Settings:
    """Settings under which closed sessions are packed after `keep_s`."""
    made = Settings()
    made.worker.closed_keep_s = keep_s
    made.worker.live_interval_s = live_s
    return made


class MortalSink(MemorySink):
    """Refuses every write after `writes_left` more; None = never."""

    writes_left: int | None = None

    def insert(self, table: str, rows: pa.Table) -> None:
        self._spend()
        super().insert(table, rows)

    def reassign(self, moves: Sequence[Reassignment]) -> None:
        if moves:
            self._spend()
        super().reassign(moves)

    def _spend(self) -> None:
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                raise UnavailableError("the store is gone")


def sink_of(known: Catalogue | None = None) -> MortalSink:
    """An empty sink that knows the catalogue."""
    sink = MortalSink()
    sink.current = known or catalogue()
    return sink


@dataclass(slots=True)
class Drive:
    """A worker and its partition, step by step."""

    values: Sequence[bytes | None]
    sink: MortalSink
    settings: Settings = field(default_factory=settings_of)
    now_ms: int = NOW_MS
    position: int = 0
    committed: int = 0
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new worker, which reads on from the committed offset."""
        self.worker = Worker(self.settings, self.sink)
        self.worker.assigned([TP])
        self.position = self.committed

    def take(self, count: int) -> None:
        """One chunk of at most `count` records."""
        upto = min(len(self.values), self.position + count)
        part = range(self.position, upto)
        if part:
            values = [self.values[i] for i in part]
            self.worker.accept(Chunk(TP, part, values, [b"k"] * len(part), upto), self.now_ms)
            self.position = upto
        self.now_ms += 1_000

    def flush(self) -> None:
        """One whole flush; the offsets are committed."""
        batch = self.worker.prepare(self.now_ms)
        if batch is not None:
            self.worker.write(batch)
            self.worker.done(batch, self.now_ms)
            self.committed = batch.acks.get(TP, self.committed)
        self.now_ms += 1_000

    def crash_in_flush(self, writes: int) -> None:
        """The worker dies after so many writes of its flush; nothing was acked."""
        batch = self.worker.prepare(self.now_ms)
        if batch is not None:
            self.sink.writes_left = writes
            with suppress(UnavailableError):
                self.worker.write(batch)
            self.sink.writes_left = None
        self.now_ms += 1_000
        self.restart()

    def finish(self) -> None:
        """Read to the end, flush until nothing is owed, sweep once."""
        while self.position < len(self.values):
            self.take(1000)
        for _ in range(3):
            self.flush()
        self.now_ms += 61_000
        for _ in range(2):
            self.flush()


def at_once(values: Sequence[bytes | None], known: Catalogue | None = None) -> MortalSink:
    """What one fresh worker makes of everything in one batch."""
    drive = Drive(values, sink_of(known))
    drive.take(len(values))
    drive.flush()
    return drive.sink


def sessions_in(sink: MemorySink) -> Rows:
    """Rows of `sessions` but tombstones, without noise."""
    return {
        key: _quiet(row)
        for key, row in sink.tables["sessions"].items()
        if row["status"] != "released"
    }


def slices_in(sink: MemorySink) -> Rows:
    """Rows of `session_slices` but those that say nothing, without noise."""
    return {
        key: _quiet(row)
        for key, row in sink.tables["session_slices"].items()
        if any(isinstance(v, Decimal) and v for v in row.values())
    }


def charges_in(sink: MemorySink) -> Rows:
    """The charge lines of each session's row as it stands."""
    now = {row["session_id"]: row["version"] for row in sink.tables["sessions"].values()}
    return {
        key: _quiet(row)
        for key, row in sink.tables["session_charges"].items()
        if row["version"] == now.get(row["session_id"]) and row["dimension"]
    }


def homes_in(sink: MemorySink) -> dict[tuple[Any, ...], UUID]:
    """The session of each stored event."""
    return {key: row["session_id"] for key, row in sink.tables["events"].items()}


def _quiet(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in NOISE}


def expected(events: Iterable[wire.WireEvent], known: Catalogue | None = None) -> dict[UUID, Facts]:
    """The facts of every session, by the pure functions alone and the whole set of events."""
    known = known or catalogue()
    sets, numbers, owners = _stitched(events)
    last: dict[tuple[Any, ...], int] = {}
    for sid, members in sets.items():
        for e in members:
            if isinstance(e, Started) and sid in numbers:
                last[numbers[sid]] = max(e.ts, last.get(numbers[sid], e.ts))
    out = {}
    for sid, members in sets.items():
        start = max((e.ts for e in members if isinstance(e, Started)), default=None)
        later = sid in numbers and start is not None and last[numbers[sid]] > start
        rated = known.station(owners[sid]).rated_power_w
        out[sid] = derive(members, superseded=later, rated_power_w=rated)
    return out


def _stitched(
    events: Iterable[wire.WireEvent],
) -> tuple[dict[UUID, set[CoreEvent]], dict[UUID, tuple[Any, ...]], dict[UUID, tuple[str, str]]]:
    """Session id to its events, to (tenant, station, number of the connector), to its owner."""
    sets: dict[UUID, set[CoreEvent]] = defaultdict(set)
    owners: dict[UUID, tuple[str, str]] = {}
    numbers: dict[UUID, tuple[Any, ...]] = {}
    starts: dict[tuple[str, str], dict[UUID, Start]] = defaultdict(dict)
    others: dict[tuple[str, str], set[Tagged]] = defaultdict(set)
    for event in events:
        ts = parse_time(event.timestamp)
        assert isinstance(ts, int)
        core = to_core(event, ts)
        owner, transaction = (event.tenant, event.station_id), event.transaction_id or ""
        if core is None or (event.protocol == "ocpp1.6" and event.connector_id == 0):
            continue
        if event.protocol != "ocpp1.6":
            if not transaction:
                continue
            sid = transaction_session_id(*owner, transaction)
            sets[sid].add(core)
            owners[sid] = owner
            number = core.evse if event.protocol.startswith("ocpp2") else core.connector
            if number >= 0:
                numbers[sid] = (*owner, number)
        elif isinstance(core, Started):
            sid = start_session_id(
                *owner, event.connector_id, core.id_token, event.timestamp, core.meter_mwh
            )
            ids = starts[owner][sid].transaction_ids if sid in starts[owner] else frozenset()
            starts[owner][sid] = Start(sid, core, ids | {transaction})
            sets[sid].add(core)
            owners[sid] = owner
            numbers[sid] = (*owner, core.connector)
        else:
            others[owner].add(Tagged(transaction, core))
    for owner, tagged in others.items():
        for one, home in allot(starts[owner].values(), tagged).items():
            if home is None and one.transaction_id in ("", "0", "-1", "9223372036854775807"):
                continue
            sid = home or transaction_session_id(*owner, one.transaction_id)
            sets[sid].add(one.event)
            owners[sid] = owner
    return sets, numbers, owners


def agrees(sink: MemorySink, truth: dict[UUID, Facts]) -> None:
    """Assert that the stored sessions and slices say what the facts say."""
    rows = {key[2]: row for key, row in sessions_in(sink).items()}
    assert set(rows) == set(truth)
    slices: dict[UUID, dict[int, tuple[Any, ...]]] = defaultdict(dict)
    for row in slices_in(sink).values():
        slices[row["session_id"]][row["slice_start"] * 1000] = (
            int(row["energy_wh"] * 1000),
            int(row["occupied_s"] * 1000),
            int(row["charging_s"] * 1000),
            int(row["idle_s"] * 1000),
        )
    for sid, facts in truth.items():
        row = rows[sid]
        assert row["status"] == facts.status
        assert row["quarantine_reason"] == facts.quarantine_reason
        assert row["grade"] == facts.grade
        assert tuple(row["flags"]) == facts.flags
        assert _ms(row["started_at"]) == facts.started_ms
        assert _ms(row["ended_at"]) == facts.ended_ms
        energy = None if row["energy_wh"] is None else int(row["energy_wh"] * 1000)
        assert energy == facts.energy_mwh
        assert row["driver_key"] == facts.id_token
        telling = {s.start: tuple(s[1:]) for s in slice_session(facts) if any(s[1:])}
        assert telling.keys() <= slices[sid].keys()
        for at, found in slices[sid].items():
            assert found == telling.get(at, (0, 0, 0, 0))


def _ms(moment: Any) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
