"""The stream both jobs read: charging sessions with duplicates and disorder, from a seed.

Stations charge one car after another; a session has a start, a sample every one to five minutes
and an end. One event in two hundred arrives after up to three later ones of its session, one in a
hundred is sent a second time up to half an hour later. The same truth is written in two forms:
`job_a` as the programs of ../shared/peers read it, `job_b` as the product's own wire events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

BEGIN_MS = 1_772_323_200_000
"""2026-03-01T00:00Z."""

STARTED, SAMPLED, ENDED = 0, 1, 2
TYPES = ("session_started", "meter_sampled", "session_ended")
AREAS = ("Harbour", "Old Town", "Station", "Campus", "Airport")

_MINUTE_MS = 60_000
_EVENTS_PER_STATION = 400
_MOST_STATIONS = 5_000
_MOST_POINTS = 122
_WATTS = np.array([7_400, 11_000, 22_000, 50_000, 150_000])


@dataclass(frozen=True, slots=True)
class Stream:
    """The truth as columns: one row a distinct event, one a session, and the order of arrival.

    Rows of one session are neighbours, in order; `first[s]` is where session `s` begins and
    `first[s + 1]` where it is over. `register` is Wh, `power` W, `time` epoch milliseconds.
    `order` names the row of each event that is sent, so a duplicate is there twice.
    """

    session: Ints
    seq: Ints
    time: Ints
    register: Ints
    power: Ints
    kind: Ints
    order: Ints
    first: Ints
    station: Ints
    evse: Ints
    tariff: Ints
    area: Ints
    ids: list[str]
    tokens: list[str]

    @property
    def events(self) -> int:
        """Events sent, duplicates counted."""
        return len(self.order)

    @property
    def sessions(self) -> int:
        """Sessions, all of them complete."""
        return len(self.ids)

    @property
    def stations(self) -> list[str]:
        """Every station that charges, by name."""
        return [station_name(n) for n in range(int(self.station.max()) + 1)]


def station_name(number: int) -> str:
    """The name of a station."""
    return f"ST-{number:05d}"


def make(events: int, seed: int = 7) -> Stream:
    """A stream of exactly so many events; the same for the same arguments. At least 1,000."""
    chance = np.random.default_rng(seed)
    stations = int(np.clip(events // _EVENTS_PER_STATION, 4, _MOST_STATIONS))
    begin, length, points = _sessions(chance, int(events / 1.01), stations)
    session = np.repeat(np.arange(len(begin)), length)
    first = np.concatenate([[0], np.cumsum(length)])
    time = begin[session] + points
    seq = np.arange(len(session)) - first[session]
    kind = np.where(seq == 0, STARTED, np.where(seq == length[session] - 1, ENDED, SAMPLED))
    power = _power(chance, session, len(begin))
    power[seq == 0] = 0
    station = np.arange(len(begin)) % stations
    return Stream(
        session=session,
        seq=seq,
        time=time,
        register=_registers(chance, time, power, station[session], stations),
        power=power,
        kind=kind,
        order=_arrivals(chance, events, time, seq, length[session]),
        first=first,
        station=station,
        evse=chance.integers(1, 3, len(begin)),
        tariff=chance.integers(1, 5, len(begin)),
        area=chance.integers(0, len(AREAS), len(begin)),
        ids=[str(UUID(bytes=chance.bytes(16), version=4)) for _ in range(len(begin))],
        tokens=[f"TOK{n:010d}" for n in chance.integers(0, 10**10, len(begin)).tolist()],
    )


def _sessions(chance: np.random.Generator, rows: int, stations: int) -> tuple[Ints, Ints, Ints]:
    """Start and number of points of each session, and each point's time after its start.

    As many whole sessions as fit in `rows` points; station after station, round after round.
    """
    free = BEGIN_MS + chance.integers(0, 60 * _MINUTE_MS, stations)
    begins, lengths, points, total = [], [], [], 0
    while total < rows:
        stay = chance.integers(15 * _MINUTE_MS, 120 * _MINUTE_MS, stations)
        steps = chance.integers(_MINUTE_MS, 5 * _MINUTE_MS, (stations, _MOST_POINTS))
        steps[:, 0] = 0
        after = np.minimum(np.cumsum(steps, axis=1), stay[:, None])
        length = (after < stay[:, None]).sum(axis=1) + 1  # the last one is the end itself
        begins.append(free)
        lengths.append(length)
        points.append(after[np.arange(_MOST_POINTS) < length[:, None]])
        total += int(length.sum())
        free = free + stay + chance.integers(_MINUTE_MS, 60 * _MINUTE_MS, stations)
    length = np.concatenate(lengths)
    whole = int(np.searchsorted(np.cumsum(length), rows, side="right"))
    kept = int(length[:whole].sum())
    return np.concatenate(begins)[:whole], length[:whole], np.concatenate(points)[:kept]


def _power(chance: np.random.Generator, session: Ints, sessions: int) -> Ints:
    most = _WATTS[chance.integers(0, len(_WATTS), sessions)]
    return most[session] * chance.integers(300, 1_000, len(session)) // 1_000


def _registers(
    chance: np.random.Generator, time: Ints, power: Ints, station: Ints, stations: int
) -> Ints:
    """Each station's register, going on from session to session, in Wh."""
    took = np.zeros(len(time), np.int64)
    took[1:] = time[1:] - time[:-1]
    energy = power * np.maximum(took, 0) // 3_600_000  # a start has no power, so it adds nothing
    by_station = np.argsort(station, kind="stable")
    running = np.cumsum(energy[by_station])
    heads = np.flatnonzero(np.diff(station[by_station], prepend=-1))
    counts = np.diff(heads, append=len(time))
    running -= np.repeat(running[heads] - energy[by_station][heads], counts)
    running += np.repeat(chance.integers(10_000, 9_000_000, stations)[: len(heads)], counts)
    register = np.empty(len(time), np.int64)
    register[by_station] = running
    return register


def _arrivals(
    chance: np.random.Generator, events: int, time: Ints, seq: Ints, length: Ints
) -> Ints:
    """Row of each event that is sent, in the order of sending."""
    rows = len(time)
    arrival = time + chance.integers(50, 900, rows)
    late = np.flatnonzero((chance.random(rows) < 0.005) & (seq < length - 1))
    behind = np.minimum(chance.integers(1, 4, len(late)), length[late] - 1 - seq[late])
    arrival[late] = arrival[late + behind] + 1 + seq[late] % 7
    again = chance.choice(rows, events - rows, replace=False)
    sent_again = arrival[again] + chance.integers(5_000, 30 * _MINUTE_MS, len(again))
    row = np.concatenate([np.arange(rows), again])
    return row[np.argsort(np.concatenate([arrival, sent_again]), kind="stable")]


def job_a(stream: Stream) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of every event, in the peers' form."""
    heads = [
        b'","session_id":"%s","station_id":"%s","evse_id":%d,"connector_id":1,"timestamp":"'
        % (sid.encode(), station_name(station).encode(), evse)
        for sid, station, evse in zip(
            stream.ids, stream.station.tolist(), stream.evse.tolist(), strict=True
        )
    ]
    tails = [
        b',"token_id":"%s","tariff_id":"T%d","area":"%s"}'
        % (token.encode(), tariff, AREAS[area].encode())
        for token, tariff, area in zip(
            stream.tokens, stream.tariff.tolist(), stream.area.tolist(), strict=True
        )
    ]
    types = [b'{"type":"%s' % kind.encode() for kind in TYPES]
    keys = [station_name(n).encode() for n in stream.station.tolist()]
    for s, stamp, kind, seq, register, power in _sent(stream):
        yield (
            keys[s],
            b'%s%s%s","seq_no":%d,"register_wh":%d,"power_w":%d%s'
            % (types[kind], heads[s], stamp, seq, register, power, tails[s]),
        )


def job_b(stream: Stream, tenant: str = "default") -> Iterator[tuple[bytes, bytes]]:
    """Key and value of every event, as wire events of OCPP 2.0.1 (`schemas.wire`)."""
    keys = [f"{tenant}/{station_name(n)}".encode() for n in stream.station.tolist()]
    heads = [
        b'","tenant":"%s","station_id":"%s","protocol":"ocpp2.0.1","evse_id":%d,"connector_id":1,'
        b'"transaction_id":"%s","timestamp":"'
        % (tenant.encode(), station_name(station).encode(), evse, sid.encode())
        for sid, station, evse in zip(
            stream.ids, stream.station.tolist(), stream.evse.tolist(), strict=True
        )
    ]
    types = [b'{"type":"%s' % kind.encode() for kind in TYPES]
    for s, stamp, kind, seq, register, power in _sent(stream):
        if kind == SAMPLED:
            rest = b'"import_wh":%d,"power_w":%d}' % (register, power)
        elif kind == STARTED:
            rest = b'"id_token":"%s","meter_start_wh":%d}' % (stream.tokens[s].encode(), register)
        else:
            rest = b'"meter_stop_wh":%d,"reason":"EVDisconnected"}' % register
        yield keys[s], b'%s%s%s","seq_no":%d,%s' % (types[kind], heads[s], stamp, seq, rest)


def _sent(stream: Stream) -> Iterator[tuple[int, bytes, int, int, int, int]]:
    """Session, time, kind, number, register and power of every event, in the order of sending."""
    order = stream.order
    stamps = np.datetime_as_string(stream.time[order].astype("M8[ms]"), timezone="UTC")
    return zip(
        stream.session[order].tolist(),
        stamps.astype("S24").tolist(),
        stream.kind[order].tolist(),
        stream.seq[order].tolist(),
        stream.register[order].tolist(),
        stream.power[order].tolist(),
        strict=True,
    )
