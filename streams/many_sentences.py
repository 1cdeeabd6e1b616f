"""`ChargeWords.sentence` of many charge lines at once: text columns, joined row by row.

    12.345 kWh  middle  from   2026-03-02  " 11:15"  ":07"   " to"  " 11:40"  ""      .
    counted     kind, how it was billed    of the start      of the end

Every text is taken from a small table (dates, minutes of a day, milliseconds of a minute). Lines
that do not fit, such as where the clocks change in between, are asked for one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streams.arrow import MONEY
from streams.charge_words import Known, volume_words
from streams.core.columns import Bits, Ints
from streams.core.pricing.model import ENERGY, FLAT, TIME
from streams.core.verdict import FIRST_VALID_MS
from streams.many_arrow import Coded, decimals, texts

_MINUTE_MS, _DAY_MINUTES = 60_000, 1440
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_MS = 4_102_444_800_000
"""2100-01-01. Between FIRST_VALID_MS and it, clocks change at, and by, whole minutes."""

_NEVER = 2**62
"""No quantity is a multiple of such a step."""

_MANY_MWH = 1_000_000_000
"""From here on, whole kWh are grouped by thousands."""


class Lines(NamedTuple):
    """Charge lines, one entry each: `kind` indexes Kinds, `zone` a list of zones; mWh, ms."""

    kind: Ints
    zone: Ints
    quantity: Ints
    billed: Ints
    start_ms: Ints
    end_ms: Ints


class Kinds(NamedTuple):
    """What lines of one kind share."""

    dimension: list[str]
    known: list[Known]


def sentences(
    lines: Lines, kinds: Kinds, zones: Sequence[ZoneInfo], one: Callable[[int], str]
) -> pa.Array:
    """The sentence of each line; `one` writes that of a line that does not fit."""
    flat = np.array([d == FLAT for d in kinds.dimension])[lines.kind]
    rounded = (lines.quantity != lines.billed) & ~flat
    within = (lines.start_ms >= FIRST_VALID_MS) & (lines.end_ms < _LAST_MS)
    within &= lines.start_ms <= lines.end_ms
    start, end = (
        _Local(np.where(within, ms, FIRST_VALID_MS), lines.zone, zones)
        for ms in (lines.start_ms, lines.end_ms)
    )
    odd = ~within | ~_fits(lines, kinds, rounded) | (start.offset_s != end.offset_s)
    at = flat | (lines.start_ms == lines.end_ms)
    whole = pc.binary_join_element_wise(
        _volumes(lines.quantity, lines.kind, kinds),
        *_middles(lines, kinds, rounded, at),
        start.dates,
        start.minutes,
        start.seconds,
        *_until(start, end, at),
        ".",
        "",
    )
    if not odd.any():
        return whole
    rows = np.flatnonzero(odd)
    place = np.arange(len(odd))
    place[rows] = len(odd) + np.arange(len(rows))
    return pa.concat_arrays([whole, texts([one(i) for i in rows.tolist()])]).take(pa.array(place))


def _fits(lines: Lines, kinds: Kinds, rounded: Bits) -> Bits:
    """Sentences of these parts, of numbers that need no more."""
    known = kinds.known
    simple = np.array([bool(k.middle) for k in known])[lines.kind]
    step = np.array([min(k.step, _NEVER) for k in known])[lines.kind]
    energy = np.array([d == ENERGY for d in kinds.dimension])[lines.kind]
    many = energy & (np.maximum(lines.quantity, lines.billed) >= _MANY_MWH)
    multiple = (step > 0) & (lines.billed % np.maximum(step, 1) == 0)
    out: Bits = simple & ~many & (multiple | ~rounded) & (lines.quantity >= 0)
    return out


def _middles(lines: Lines, kinds: Kinds, rounded: Bits, at: Bits) -> list[pa.Array]:
    """What stands between the quantity and the first instant: of the kind, of what was billed."""
    first = [text for k in kinds.known for text in (k.middle, k.between)]
    after = [f"{a}{w}" for k in kinds.known for a in ("", k.after) for w in ("from ", "at ")]
    how = lines.kind * 2 + rounded
    billed = texts([""])
    place = np.zeros(len(how), np.int64)
    if rounded.any():
        rows = np.flatnonzero(rounded)
        place[rows] = np.arange(1, len(rows) + 1)
        words = _volumes(lines.billed[rows], lines.kind[rows], kinds)
        billed = pa.concat_arrays([billed, words])
    return [_pick(texts(first), how), _pick(billed, place), _pick(texts(after), how * 2 + at)]


def _volumes(quantity: Ints, kind: Ints, kinds: Kinds) -> pa.Array:
    """Quantities as `volume_words` says them; only few of the times are different."""
    energy = np.array([d == ENERGY for d in kinds.dimension])[kind]
    flat = np.array([d == FLAT for d in kinds.dimension])[kind]
    energies, times = np.flatnonzero(energy), np.flatnonzero(~energy & ~flat)
    place = np.zeros(len(kind), np.int64)
    place[energies] = 1 + np.arange(len(energies))
    place[times] = 1 + len(energies) + np.arange(len(times))
    of_time = [volume_words(TIME, ms) for ms in quantity[times].tolist()]
    parts = [texts([""]), _energy_words(quantity[energies]), texts(of_time)]
    return _pick(pa.concat_arrays(parts), place)


def _energy_words(mwh: Ints) -> pa.Array:
    """Kilowatt-hours without closing zeros."""
    exact = decimals(mwh, MONEY).cast(pa.string())
    return pc.ascii_rtrim(pc.ascii_rtrim(exact, "0"), ".")


def _until(start: _Local, end: _Local, at: Bits) -> list[pa.Array]:
    """Up to when, without the date where it is the start's; nothing for one instant."""
    same = start.day == end.day
    to = pa.concat_arrays([texts(["", " to"]), pc.binary_join_element_wise(" to ", end.dates, "")])
    place = np.where(at, 0, np.where(same, 1, 2 + np.arange(len(at))))
    return [
        _pick(to, place),
        _pick(_minute_words(), np.where(at, _DAY_MINUTES, end.minute)),
        _pick(_second_words(), np.where(at, 0, end.rest_ms)),
    ]


class _Local:
    """Instants by the clocks of their sites."""

    def __init__(self, ms: Ints, zone: Ints, zones: Sequence[ZoneInfo]) -> None:
        minute, self.rest_ms = np.divmod(ms, _MINUTE_MS)
        coded = Coded(minute * len(zones) + zone)
        pairs = [divmod(key, len(zones)) for key in coded.keys.tolist()]
        offsets = [_offset_s(zones[number], at) for at, number in pairs]
        self.offset_s = coded.spread(np.array(offsets, np.int64))
        self.day, self.minute = np.divmod(minute + self.offset_s // 60, _DAY_MINUTES)
        self.dates = _dates(self.day)
        self.minutes = _pick(_minute_words(), self.minute)
        self.seconds = _pick(_second_words(), self.rest_ms)


def _dates(day: Ints) -> pa.Array:
    """2026-03-02"""
    coded = Coded(day)
    return coded.texts([date.fromordinal(_EPOCH_DAY + d).isoformat() for d in coded.keys.tolist()])


@lru_cache(maxsize=1 << 14)  # eleven days of one zone
def _offset_s(zone: ZoneInfo, minute: int) -> int:
    """What a zone's clock is ahead of UTC, by minutes since the epoch."""
    offset = datetime.fromtimestamp(minute * 60, zone).utcoffset()
    return 0 if offset is None else offset // timedelta(seconds=1)


@cache
def _minute_words() -> pa.Array:
    """By the minute of the day: a blank and 11:15; the last one is empty."""
    return texts([*(f" {m // 60:02d}:{m % 60:02d}" for m in range(_DAY_MINUTES)), ""])


@cache
def _second_words() -> pa.Array:
    """By the millisecond of the minute: :07, :07.250, nothing at 0."""
    times = (divmod(ms, 1000) for ms in range(_MINUTE_MS))
    words = [f":{s:02d}.{rest:03d}" if rest else f":{s:02d}" for s, rest in times]
    return texts(["", *words[1:]])


def _pick(table: pa.Array, places: Ints) -> pa.Array:
    return table.take(pa.array(places))
