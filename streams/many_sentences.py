"""`ChargeWords.sentence` of many charge lines at once: text columns, joined row by row.

    12.345 kWh   middle, from, 2026-03-02    " 11:15:07"    " to 11:40"    .
    counted      kind and date               second of the day, twice

Every text is taken from a table, so that a sentence is four of them. Times that are no whole
seconds, another day at the end, and what was billed in steps add some. Lines that do not fit, such
as where the clocks change in between, are asked for one by one.
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
_DAY_S = _DAY_MINUTES * 60
_OF_OTHER_DAY, _OF_SAME_DAY, _NO_CLOCK = 0, _DAY_S, 2 * _DAY_S
"""Where `_clock_words` begin."""

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
        *_middles(lines, kinds, rounded, at, start.day),
        *start.clock(),
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


def _middles(lines: Lines, kinds: Kinds, rounded: Bits, at: Bits, day: Ints) -> list[pa.Array]:
    """What stands between the quantity and the first clock: of the kind, of what was billed, and
    the first date. Whole for lines that are billed as they are, and those are mostly all.
    """
    coded = Coded(day * (4 * len(kinds.known)) + lines.kind * 4 + rounded * 2 + at)
    heads = []
    for key in coded.keys.tolist():
        day_of, rest = divmod(key, 4 * len(kinds.known))
        known, is_rounded, is_at = kinds.known[rest >> 2], rest & 2, rest & 1
        first = known.after if is_rounded else known.middle
        heads.append(f"{first}{'at' if is_at else 'from'} {_date(day_of)}")
    out = [coded.texts(heads)]
    if rounded.any():
        rows = np.flatnonzero(rounded)
        place = np.zeros(len(rounded), np.int64)
        place[rows] = np.arange(1, len(rows) + 1)
        words = _volumes(lines.billed[rows], lines.kind[rows], kinds)
        between = [k.between for k in kinds.known]
        out[:0] = [
            _pick(texts(["", *between]), np.where(rounded, 1 + lines.kind, 0)),
            _pick(pa.concat_arrays([texts([""]), words]), place),
        ]
    return out


def _volumes(quantity: Ints, kind: Ints, kinds: Kinds) -> pa.Array:
    """Quantities as `volume_words` says them; only few of the times are different."""
    energy = np.array([d == ENERGY for d in kinds.dimension])[kind]
    flat = np.array([d == FLAT for d in kinds.dimension])[kind]
    energies = _energy_words(quantity, ~energy)
    times = np.flatnonzero(~energy & ~flat)
    if not len(times):
        return energies
    place = np.arange(len(kind))
    place[times] = len(kind) + np.arange(len(times))
    of_time = [volume_words(TIME, ms) for ms in quantity[times].tolist()]
    return _pick(pa.concat_arrays([energies, texts(of_time)]), place)


def _energy_words(mwh: Ints, absent: Bits) -> pa.Array:
    """Kilowatt-hours without closing zeros; nothing where `absent`."""
    exact = decimals(mwh, MONEY, absent).cast(pa.string())
    return pc.ascii_rtrim(pc.ascii_rtrim(exact, "0"), ".").fill_null("")


def _until(start: _Local, end: _Local, at: Bits) -> list[pa.Array]:
    """Up to when, without the date where it is the start's; nothing for one instant."""
    other = (start.day != end.day) & ~at
    after = np.where(other, _OF_OTHER_DAY, _OF_SAME_DAY)
    out = end.clock(after, at)
    if other.any():
        coded = Coded(np.where(other, end.day, -1))
        dates = ["" if day < 0 else f" to {_date(day)}" for day in coded.keys.tolist()]
        out.insert(0, coded.texts(dates))
    return out


class _Local:
    """Instants by the clocks of their sites: days since the epoch, and what is left of the day."""

    def __init__(self, ms: Ints, zone: Ints, zones: Sequence[ZoneInfo]) -> None:
        minute, rest_ms = np.divmod(ms, _MINUTE_MS)
        coded = Coded(minute * len(zones) + zone)
        pairs = [divmod(key, len(zones)) for key in coded.keys.tolist()]
        offsets = [_offset_s(zones[number], at) for at, number in pairs]
        self.offset_s = coded.spread(np.array(offsets, np.int64))
        self.day, minute_of_day = np.divmod(minute + self.offset_s // 60, _DAY_MINUTES)
        self._second: Ints = minute_of_day * 60 + rest_ms // 1000
        self._part_ms: Ints = rest_ms % 1000

    def clock(self, table: Ints | int = 0, without: Bits | None = None) -> list[pa.Array]:
        """Hours, minutes and what is left of the minute; `table` says how they begin, of which
        `_clock_words` has several. Nothing for those `without`.
        """
        place = self._second + table
        if without is not None:
            place[without] = _NO_CLOCK
        out = [_pick(_clock_words(), place)]
        if self._part_ms.any():
            of_minute = (self._second % 60 == 0) * 1000
            part = np.where(self._part_ms > 0, self._part_ms + of_minute, 0)
            if without is not None:
                part[without] = 0
            out.append(_pick(_part_words(), part))
        return out


def _date(day: int) -> str:
    """2026-03-02"""
    return date.fromordinal(_EPOCH_DAY + day).isoformat()


@lru_cache(maxsize=1 << 14)  # eleven days of one zone
def _offset_s(zone: ZoneInfo, minute: int) -> int:
    """What a zone's clock is ahead of UTC, by minutes since the epoch."""
    offset = datetime.fromtimestamp(minute * 60, zone).utcoffset()
    return 0 if offset is None else offset // timedelta(seconds=1)


@cache
def _clock_words() -> pa.Array:
    """By the second of the day: 11:15 or 11:15:07 after a blank; again after " to"; and nothing."""
    minutes = [f" {m // 60:02d}:{m % 60:02d}" for m in range(_DAY_MINUTES)]
    seconds = ["", *(f":{s:02d}" for s in range(1, 60))]
    clocks = [minute + second for minute in minutes for second in seconds]
    return texts([*clocks, *(f" to{clock}" for clock in clocks), ""])


@cache
def _part_words() -> pa.Array:
    """By the millisecond of the second, .250, nothing at 0; the same where no second stands."""
    parts = ["", *(f".{ms:03d}" for ms in range(1, 1000))]
    return texts([*parts, *(f":00{part}" for part in parts)])


def _pick(table: pa.Array, places: Ints) -> pa.Array:
    return table.take(pa.array(places))
