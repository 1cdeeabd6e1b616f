"""Scripts by chance, the same for the same seed: small fleets with everything that can go wrong."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from schemas.units import iso_ms
from tests.streams.core.fleet_kit import NOW_MS
from tests.streams.twin_sessions import Event, Teller
from tests.streams.twin_side import Script
from tests.streams.twin_terms import STATIONS, WORLDS, catalogue

_LONG = 2 * 86_400_000
"""A session that fell silent is given up before the next one."""


def _fleet(teller: Teller) -> list[Event]:
    """Sessions of one to four stations, told one after the other or at the same time."""
    chance = teller.chance
    clocks = dict.fromkeys(STATIONS[: chance.randint(1, 4)], teller.begin)
    out = []
    for _ in range(chance.choice((1, 2, 3, 5, 8))):
        station = chance.choice(list(clocks))
        begin = clocks[station]
        out += teller.session(station, begin)
        if chance.random() < 0.1:
            out.append(teller.stray(station, begin + 60_000))
        clocks[station] += chance.choice((600_000, 3_600_000, 7_200_000, 0, _LONG))
    out.sort(key=lambda event: event["timestamp"] if isinstance(event["timestamp"], int) else 0)
    return out


def _rough(teller: Teller, events: list[Event]) -> list[Event]:
    """Lost, twice, late, contradicted, out of order."""
    chance = teller.chance
    rate = chance.choice((0.0, 0.0, 0.01, 0.05, 0.15))
    placed: list[tuple[float, Event]] = []
    last = chance.randrange(len(events)) if chance.random() < 0.4 else -1
    for at, event in enumerate(events):
        if chance.random() < rate:
            continue
        place = at + (chance.uniform(-4, 4) if chance.random() < rate else 0)
        late = at == last or chance.random() < rate
        placed.append((len(events) + at if late else place, event))
        if chance.random() < rate:
            placed.append((at + chance.choice((0, 1, 20, 2 * len(events))), event))
        if chance.random() < rate:
            other = event | chance.choice(
                ({"import_wh": 77}, {"power_w": 1}, {"meter_stop_wh": 99_999}, {"message_id": "m"})
            )
            placed.append((place + chance.choice((0, 1, len(events))), other))
    placed.sort(key=lambda pair: pair[0])
    return [event for _, event in placed]


_CARRIED = frozenset(
    {"message_id", "gateway", "offline", "received_at", "meter_stop_wh", "soc_percent", "unknown"}
)

POISON: tuple[bytes | None, ...] = (None, b"", b"{", b"[]", b"[1]", b'{"type":"?"}', b"\xff", b"7")


def _values(teller: Teller, events: list[Event]) -> list[bytes | None]:
    """As a producer would send them: one by one, or several in an array."""
    chance = teller.chance
    arrays = chance.random() < 0.1
    out: list[bytes | None] = []
    batch: list[Event] = []
    for event in events:
        if isinstance(event["timestamp"], int):
            text = iso_ms(event["timestamp"])
            if teller.wrong():
                text = text.replace("Z", chance.choice(("+00:00", "999Z", "+02:00", "")))
            event = event | {"timestamp": text}  # noqa: PLW2901
        batch.append(event)
        if not arrays or chance.random() < 0.5:
            encoded = json.dumps(batch[0] if len(batch) == 1 else batch, ensure_ascii=False)
            out.append(encoded.encode())
            batch = []
        if teller.wrong() and teller.wrong():
            out.append(chance.choice(POISON))
    return [*out, json.dumps(batch).encode()] if batch else out


_SETTLED = (("wait", 6_000), ("flush", 0), ("wait", 30_000), ("flush", 0))
"""Before another catalogue: the last one is read, and looked at once more. Known: what was priced
late under a catalogue is priced anew if the next one comes within those 20 s, unless it is in
memory, which the lane lets more sessions be.
"""

_LOSSES = ("crash", "restart", "revoke", "forget", "lend")


def _steps(
    chance: Random, sizes: tuple[int, int], happenings: tuple[str, ...], *, live: bool
) -> list[tuple[str, int]]:
    """Chunks, flushes, and what befalls workers."""
    left = list(sizes)
    out: list[tuple[str, int]] = []
    most = chance.choice((1, 2, 4) if live else (3, 10, 40, 40))
    eager = 0.75 if live else 0.45
    while any(left):
        p = chance.choice([p for p in (0, 1) if left[p]])
        count = min(left[p], chance.randint(1, most))
        left[p] -= count
        out.append(("take", 10 * count + p))
        what = chance.random()
        if what < eager:
            out.append(("flush", 0))
        elif what < eager + 0.05:
            p = chance.choice((0, 1))
            taken = min(left[p], chance.randint(1, 9))
            left[p] -= taken
            out.append(("meanwhile", 10 * taken + p))
        elif what < eager + 0.15:
            out.append(("wait", chance.choice((4_000, 70_000, 400_000))))
        elif happenings and what < max(0.8, eager + 0.17):
            name = chance.choice(happenings)
            numbers = {"crash": chance.randint(0, 6), "lend": 10 * chance.randint(1, 9) + p}
            numbers |= {"forget": p, "revise": chance.randint(1, 2), "revoke": numbers["crash"]}
            if name == "revise" and any(step == "revise" for step, _ in out):
                out += _SETTLED
            out.append((name, numbers.get(name, 0)))
            if name in _LOSSES:
                left = [min(size, n + most) for size, n in zip(sizes, left, strict=True)]
                happenings = happenings if chance.random() < 0.7 else ()
    return out


def _once(events: list[Event]) -> list[Event]:
    """Without samples that come twice: see `twin_kit` of duplicates under a new catalogue."""
    known: set[tuple[Any, ...]] = set()
    out = []
    for event in events:
        key = tuple(sorted((n, repr(v)) for n, v in event.items() if n not in _CARRIED))
        if event["type"] != "meter_sampled" or key not in known:
            out.append(event)
        known.add(key)
    return out


def script_of(seed: int, *, live: bool = False) -> Script:
    """The script of a seed; `live`: long sessions that are looked at after every few events."""
    chance = Random(seed)
    teller = Teller(chance, calm=live)
    events = _rough(teller, _fleet(teller))
    happenings = chance.choice(
        ((), (), (), (), _LOSSES, _LOSSES, ("revise",), ("revise",), (*_LOSSES, *["revise"] * 4))
    )
    if "revise" in happenings:
        events = _once(events)
    log0, log1 = (
        tuple(_values(teller, [e for e in events if STATIONS.index(e["station_id"]) % 2 == p]))
        for p in (0, 1)
    )
    world = chance.randrange(len(WORLDS))
    return Script(
        logs=(log0, log1),
        steps=tuple(_steps(chance, (len(log0), len(log1)), happenings, live=live)),
        catalogues=tuple(catalogue(world, revision) for revision in (1, 2, 3)),
        keep_s=chance.choice((0, 0, 10, 300)),
        live_s=chance.choice((0, 0, 5, 60)),
        stride=chance.choice((4000, 4000, 2, 7)),
        packed=chance.choice((100_000, 100_000, 0, 1, 3)),
        clock_ms=NOW_MS if chance.random() < 0.8 else teller.begin + 3 * 86_400_000,
    )
