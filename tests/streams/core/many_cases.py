"""Seeded sessions for the columnar path: ordinary ones of every kind, and the same made odd."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from schemas.units import SLICE_MS
from streams.core.events import (
    CURRENT,
    ENDED,
    SAMPLE,
    STARTED,
    STATE,
    Ended,
    Sample,
    Started,
    StateChanged,
)
from tests.streams.core.many_kit import Case

MARCH_MS = 1_772_445_600_000 // SLICE_MS * SLICE_MS
"""A slice border in March 2026."""

NAMES = ["Charging", "Charging", "EVConnected", "SuspendedEV", "SuspendedEVSE", "Idle"]
DAY_MS = 24 * 3600 * 1000
FALLS = [-1, -9_999, -20_000, 10**9]


def ordinary(chance: random.Random) -> Case:
    """A session with nothing to put right; every optional part may lack."""
    begin = MARCH_MS + chance.choice([0, 0, 1, SLICE_MS - 1, chance.randrange(DAY_MS)])
    lasted = _duration(chance)
    until = begin + lasted
    open_ = chance.random() < 0.25
    # A session is known by its first number only if stations count at all.
    counts = chance.random() < 0.8
    stamps = _instants(chance, begin, until)
    registers = _registers(chance, len(stamps) + 1)
    by_started, by_ended = chance.random() < 0.3, not open_ and chance.random() < 0.3
    samples = _samples(chance, stamps, registers, counts=counts, begins=not by_started)
    seq = len(stamps) + 1 if counts else -1
    end = None
    if not open_:
        top = max([registers[0], *(s.import_mwh or 0 for s in samples)])
        meter = top + chance.choice([0, 0, 5_000]) if by_ended else None
        end = Ended(ENDED, until, seq, meter, state=chance.choice(["", "", "Idle", "Charging"]))
        if samples and chance.random() < 0.5:
            samples[-1] = samples[-1]._replace(
                seq=chance.choice([seq, samples[-1].seq]), context="Transaction.End"
            )
    if counts and chance.random() < 0.3 and len(samples) > 2:
        del samples[chance.randrange(1, len(samples) - 1)]  # a gap
    reports = chance.random() < 0.6
    start = Started(
        STARTED,
        begin,
        0 if counts else -1,
        registers[0] if by_started else None,
        state=chance.choice(["", *NAMES]) if reports else "",
    )
    return Case(
        start,
        end,
        _changes(chance, begin, until, reports=reports, counts=counts),
        samples,
        end is not None and chance.random() < 0.2,
        chance.choice([None, None, 0, 3_700, 22_000, 350_000]),
    )


def _duration(chance: random.Random) -> int:
    return chance.choice([
        0,
        1,
        chance.randrange(2, 120_000),
        SLICE_MS * chance.randint(1, 3),
        *[chance.randrange(60_000, 6 * 3_600_000) for _ in range(4)],
        60 * 1000 * chance.randrange(1, 600),
        chance.randrange(DAY_MS, 2 * DAY_MS),
    ])  # fmt: skip


def _instants(chance: random.Random, begin: int, until: int) -> list[int]:
    """Distinct instants of readings, some exactly at start, end and slice borders."""
    found = {chance.randint(begin, until) for _ in range(chance.choice([0, 1, 1, 2, 5, 12, 25]))}
    if found:
        found |= {t for t in (begin, until) if chance.random() < 0.5}
        borders = range(-(-begin // SLICE_MS) * SLICE_MS, until + 1, SLICE_MS)
        found |= {t for t in borders[:30] if chance.random() < 0.3}
    return sorted(found)


def _registers(chance: random.Random, size: int) -> list[int]:
    """Never falling, with stretches without energy; some in odd mWh, some far too fast."""
    value = chance.choice([0, 0, chance.randrange(1_000_000), chance.randrange(10**12)])
    most = chance.choice([1, 50_000, 700_000, 700_000, 700_000, 5_000_000, 60_000_000])
    out: list[int] = []
    for _ in range(size):
        out.append(value)
        value += chance.choice([0, chance.randint(0, most), most])
    return out


def _samples(
    chance: random.Random, stamps: list[int], registers: list[int], *, counts: bool, begins: bool
) -> list[Sample]:
    powered = chance.random() < 0.6
    registered = chance.random() < 0.9
    out: list[Sample] = []
    for i, t in enumerate(stamps):
        value = registers[i + 1] if registered and chance.random() < 0.9 else None
        context = "Sample.Periodic"
        if i == 0 and chance.random() < (0.7 if begins else 0.3):
            context, value = "Transaction.Begin", registers[0]
        known = powered and chance.random() < 0.9
        out.append(
            Sample(
                SAMPLE,
                t,
                i + 1 if counts else -1,
                context,
                value,
                power_mw=chance.randint(0, 22_000_000) if known else None,
                extra=((CURRENT, chance.randint(0, 32_000)),) if known else (),
            )
        )
    return out


def _changes(
    chance: random.Random, begin: int, until: int, *, reports: bool, counts: bool
) -> list[StateChanged]:
    """States inside and a little outside, some at one instant, some that only prove a number."""
    found: list[StateChanged] = []
    for _ in range(chance.choice([0, 1, 2, 4])):
        t = chance.choice([begin, until, chance.randint(begin, until), *(c.ts for c in found)])
        t += chance.choice([0, 0, 0, 0, -5_000, 5_000])
        name = chance.choice(["", *NAMES]) if reports else ""
        found.append(StateChanged(STATE, t, chance.randint(0, 5) if counts else -1, name))
    return found


def _one_sample(**change: Callable[[random.Random, Sample], Any]) -> Callable[..., Case]:
    def odd(chance: random.Random, case: Case) -> Case:
        samples = list(case.samples)
        if samples:
            i = chance.randrange(len(samples))
            new = {name: make(chance, samples[i]) for name, make in change.items()}
            samples[i] = samples[i]._replace(**new)
        return case._replace(samples=samples)

    return odd


def _late_end(chance: random.Random, case: Case) -> Case:
    if case.end is None:
        return case._replace(superseded=True)
    shift = chance.choice([-(10**6), -1, 70 * DAY_MS])
    return case._replace(end=case.end._replace(ts=case.end.ts + shift))


def _late_start(chance: random.Random, case: Case) -> Case:
    shift = chance.choice([-70 * DAY_MS, 1, 10**6, -case.start.ts])
    return case._replace(start=case.start._replace(ts=case.start.ts + shift))


def _no_registers(_: random.Random, case: Case) -> Case:
    samples = [s._replace(import_mwh=None, power_mw=s.power_mw or 7_000) for s in case.samples]
    return case._replace(samples=samples, start=case.start._replace(meter_mwh=None))


def _other_bound(chance: random.Random, case: Case) -> Case:
    other = chance.choice([0, 1_000, 10**6, 10**12, -5_000, 10**17])
    if case.end is not None and chance.random() < 0.5:
        return case._replace(end=case.end._replace(meter_mwh=other))
    return case._replace(start=case.start._replace(meter_mwh=other))


def _placeholder(chance: random.Random, case: Case) -> Case:
    shift = chance.choice([10**6, 10**7, 10**9])
    raised = [
        s._replace(import_mwh=s.import_mwh + shift) if s.import_mwh is not None else s
        for s in case.samples
    ]
    return case._replace(start=case.start._replace(meter_mwh=0), samples=raised)


def _other_end_seq(chance: random.Random, case: Case) -> Case:
    if case.end is None:
        return case
    return case._replace(end=case.end._replace(seq=chance.choice([-1, 0, 1, 5, 100])))


ODDITIES: Sequence[Callable[[random.Random, Case], Case]] = (
    _one_sample(
        import_mwh=lambda r, s: (s.import_mwh or 0) + r.choice([-1, -9_999, -20_000, 9**9])
    ),
    _one_sample(import_mwh=lambda _, __: 0),
    _one_sample(ts=lambda r, s: s.ts + r.choice([-1, -60_000, 60_000, DAY_MS])),
    _one_sample(seq=lambda r, _: r.choice([-1, 0, 3, 40])),
    _one_sample(context=lambda r, _: r.choice(["Transaction.Begin", "Transaction.End"])),
    _late_end,
    _late_start,
    _no_registers,
    _other_bound,
    _placeholder,
    _other_end_seq,
)


def odd(chance: random.Random) -> Case:
    """An ordinary session with one to three things wrong."""
    case = ordinary(chance)
    for spoil in chance.choices(ODDITIES, k=chance.randint(1, 3)):
        case = spoil(chance, case)
    return case
