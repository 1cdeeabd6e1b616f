"""A second opinion on prices, written from the rules alone; it shares no code with the product.

Slow and obvious on purpose: a session is cut at every instant at which anything can change (the
local clock is tried minute by minute), each dimension is looked up from the raw OCPI document on
each piece, and amounts are fractions. Rules: OCPI 2.2.1 and 2.3.0 mod_tariffs and mod_cdrs as
docs/pricing tells them. One rounding is part of the rules: the energy up to an instant is
floored to mWh within its even flow; a threshold in kWh divides it exactly, at the first
millisecond by which that much has flowed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.oracle.ocpi_rules import (
    CLOCK,
    MS_PER_MINUTE,
    UNITS,
    Price,
    clock_allows,
    limits_of,
    price_of,
    use_allows,
    without_nulls,
)


class Stretch(NamedTuple):
    """An even flow from start to end, in mWh and ms; power and current as (trough, peak).

    `share` = (energy, width, offset): part of a longer even flow, on which energy is floored.
    """

    start: int
    end: int
    energy: int = 0
    charging: int = 0
    parking: int = 0
    low_power: int | None = None
    high_power: int | None = None
    low_current: int | None = None
    high_current: int | None = None
    share: tuple[int, int, int] | None = None


@dataclass
class Session:
    """What was used: stretches in order of time, and what was reserved before."""

    stretches: Sequence[Stretch]
    zone: ZoneInfo
    reserved: Sequence[Stretch] = ()
    expired: bool = False


class Piece(NamedTuple):
    """A part of a stretch in which nothing changes; `level` is the energy before it."""

    start: int
    end: int
    level: int
    energy: int
    charging: int
    parking: int
    stretch: Stretch


class Posting(NamedTuple):
    """A sum, where it comes from, and the instant whose window it belongs to."""

    dimension: str
    reservation: bool
    price: Price | None
    instant: int
    volume: int
    excl: Fraction
    incl: Fraction


@dataclass
class Bill:
    """Exact sums, in the currency's major unit."""

    postings: list[Posting]
    pieces: list[Piece] = field(default_factory=list)

    @property
    def excl(self) -> Fraction:
        return sum((one.excl for one in self.postings), Fraction(0))

    @property
    def incl(self) -> Fraction:
        return sum((one.incl for one in self.postings), Fraction(0))

    def lines(self) -> dict[tuple[str, bool, int], tuple[Fraction, Fraction]]:
        """Sums by dimension, reservation and element; -1: no element made it."""
        groups: dict[tuple[str, bool, int], list[Posting]] = {}
        for one in self.postings:
            key = (one.dimension, one.reservation, one.price.element if one.price else -1)
            groups.setdefault(key, []).append(one)
        return {key: (Bill(group).excl, Bill(group).incl) for key, group in groups.items()}

    def minor(self, exponent: int) -> tuple[int, int]:
        """Rounded half up once a tax rate; a bound that took hold is itself rounded."""
        rates: dict[object, list[Posting]] = {}
        bound = any(one.dimension in ("MIN_PRICE", "MAX_PRICE") for one in self.postings)
        for one in self.postings:
            rates.setdefault(bound or (one.price and one.price.rate), []).append(one)
        groups = [Bill(group) for group in rates.values()]
        return (
            sum(rounded(group.excl * 10**exponent) for group in groups),
            sum(rounded(group.incl * 10**exponent) for group in groups),
        )

    def windows(self, borders: Sequence[int]) -> list[tuple[Fraction, Fraction]]:
        """Sums by window; `borders` begin the windows, what lies before is in the first."""
        out = [(Fraction(0), Fraction(0)) for _ in borders]
        for one in self.postings:
            at = max(0, bisect_right(borders, one.instant) - 1)
            out[at] = (out[at][0] + one.excl, out[at][1] + one.incl)
        return out


def rounded(amount: Fraction) -> int:
    """Half up, halves away from zero."""
    half = Fraction(1, 2)
    return floor(amount + half) if amount >= 0 else -floor(half - amount)


class Oracle:
    """Prices sessions of one time zone by one OCPI tariff document (numbers as Decimal or int)."""

    def __init__(self, document: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.document = document
        self.zone = zone
        self.rules = [without_nulls(e.get("restrictions")) for e in document["elements"]]
        self.prices = [
            [price_of(document, i, c) for c in element["price_components"]]
            for i, element in enumerate(document["elements"])
        ]
        self.clocked = any(r.keys() & CLOCK for r in self.rules)
        self.limits = [limits_of(rules) for rules in self.rules]
        bounds = [limit for limits in self.limits for limit in limits]
        self.levels = sorted({ceil(b.bound) for b in bounds if b.quantity == "kwh"})
        self.durations = {ceil(b.bound) for b in bounds if b.quantity == "duration"}
        self._clocks: dict[int, tuple[bool, ...]] = {}

    def bill(self, session: Session, borders: Iterable[int] = ()) -> Bill:
        """What the session costs. `borders`: further instants to cut at, for windows."""
        assert session.zone.key == self.zone.key
        out = Bill([])
        for stretches, reserved in ((session.reserved, True), (session.stretches, False)):
            if stretches:
                pieces = list(self._pieces(stretches, set(borders)))
                out.pieces += pieces
                out.postings += self._postings(pieces, reserved=reserved, expired=session.expired)
        ends = session.stretches or session.reserved
        if ends:
            last = max(one.end for one in ends)
            self._bound(out, max(ends[0].start, last - 1))
        return out

    def clock(self, instant: int) -> tuple[bool, ...]:
        """Which elements the local clock and calendar allow at an instant."""
        minute = instant // MS_PER_MINUTE
        if minute not in self._clocks:
            local = datetime.fromtimestamp(minute * 60, self.zone)
            self._clocks[minute] = tuple(clock_allows(rules, local) for rules in self.rules)
        return self._clocks[minute]

    def _pieces(self, stretches: Sequence[Stretch], cuts: set[int]) -> Iterator[Piece]:
        origin, end = stretches[0].start, max(one.end for one in stretches)
        cuts |= {origin + duration for duration in self.durations}
        if self.clocked:
            first = (origin // MS_PER_MINUTE + 1) * MS_PER_MINUTE
            for minute in range(first, end, MS_PER_MINUTE):
                if self.clock(minute) != self.clock(minute - MS_PER_MINUTE):
                    cuts.add(minute)
        spent = 0
        found = False
        for one in stretches:
            inside = sorted(t for t in cuts if one.start < t < one.end)
            for a, b in pairwise((one.start, *inside, one.end)):
                for piece in self._at_levels(one, a, b, spent):
                    if piece.end > piece.start or piece.energy or piece.charging or piece.parking:
                        found = True
                        yield piece
            spent += one.energy
        if not found:
            yield Piece(origin, origin, 0, 0, 0, 0, stretches[0])

    def _at_levels(self, one: Stretch, a: int, b: int, spent: int) -> Iterator[Piece]:
        """The part of a stretch from a to b, divided at thresholds of energy."""
        at, done = a, _flowed(one, a) if a > one.start else (0, 0, 0)
        top = spent + _flowed(one, b)[0]
        for mark in [*(m for m in self.levels if spent + done[0] < m <= top), None]:
            then, upto = b, _flowed(one, b)
            if mark is not None:
                wanted = mark - spent
                then = a + bisect_left(range(a, b), wanted, key=lambda t: _flowed(one, t)[0])
                upto = (wanted, *_flowed(one, then)[1:])
            energy, charging, parking = (y - x for x, y in zip(done, upto, strict=True))
            yield Piece(at, then, spent + done[0], energy, charging, parking, one)
            at, done = then, upto

    def _active(
        self, piece: Piece, origin: int, dimension: str, *, kinds: Sequence[str | None]
    ) -> Price | None:
        clock = self.clock(piece.start) if self.clocked else None
        one, duration = piece.stretch, piece.start - origin
        use: dict[str, tuple[int | None, int | None]] = {
            "kwh": (piece.level, piece.level),
            "duration": (duration, duration),
            "power": (one.low_power, one.high_power),
            "current": (one.low_current, one.high_current),
        }
        for kind in kinds:
            for index, rules in enumerate(self.rules):
                if rules.get("reservation") != kind or (clock and not clock[index]):
                    continue
                if not use_allows(self.limits[index], use):
                    continue
                for price in self.prices[index]:
                    if price.dimension == dimension:
                        return price
        return None

    def _postings(self, pieces: list[Piece], *, reserved: bool, expired: bool) -> list[Posting]:
        kinds: tuple[str | None, ...] = (None,)
        if reserved:
            kinds = ("RESERVATION_EXPIRES", "RESERVATION") if expired else ("RESERVATION",)
        origin = pieces[0].start
        out: list[Posting] = []
        for piece in pieces:
            flat = self._active(piece, origin, "FLAT", kinds=kinds)
            if flat:
                posting = _posting(flat, piece.start, 1, reserved=reserved)
                out.append(posting)
                break
        priced: dict[str, list[Posting]] = {"ENERGY": [], "TIME": [], "PARKING_TIME": []}
        for piece in pieces:
            volumes = zip(priced, (piece.energy, piece.charging, piece.parking), strict=True)
            for dimension, volume in volumes:
                if volume and not (reserved and dimension != "TIME"):
                    price = self._active(piece, origin, dimension, kinds=kinds)
                    if price:
                        posting = _posting(price, piece.start, volume, reserved=reserved)
                        priced[dimension].append(posting)
        for dimension, postings in priced.items():
            out += postings
            if postings and not (dimension == "TIME" and priced["PARKING_TIME"]):
                last = postings[-1]
                assert last.price
                rest = _rest(sum(one.volume for one in postings), last.price.step * 1000)
                out.append(_posting(last.price, last.instant, rest, reserved=reserved))
        return out

    def _bound(self, bill: Bill, instant: int) -> None:
        """min_price, then max_price: each bound on its own; a sum without a bound of its own
        keeps its proportion to the other.
        """
        for name, choose in (("min_price", max), ("max_price", min)):
            limit = without_nulls(self.document.get(name))
            if not limit:
                continue
            sums = (bill.excl, bill.incl)
            if name == "min_price" and not any(sums):
                limit = {} if self.document.get("min_price_applies") == "WHEN_CHARGED" else limit
            to: list[Fraction | None] = [None, None]
            for i, word in enumerate(("before_taxes", "after_taxes", "excl_vat", "incl_vat")):
                if word in limit:
                    to[i % 2] = choose(sums[i % 2], Fraction(limit[word]))
            excl, incl = to
            if excl is not None and incl is None:
                incl = excl * sums[1] / sums[0] if sums[0] else excl
            if incl is not None and excl is None:
                excl = incl * sums[0] / sums[1] if sums[1] else incl
            if excl is not None and incl is not None and (excl, incl) != sums:
                deltas = excl - sums[0], incl - sums[1]
                bill.postings.append(Posting(name.upper(), False, None, instant, 1, *deltas))


def _posting(price: Price, instant: int, volume: int, *, reserved: bool) -> Posting:
    units = Fraction(volume, UNITS[price.dimension])
    return Posting(
        price.dimension, reserved, price, instant, volume, price.excl * units, price.incl * units
    )


def _rest(volume: int, step: int) -> int:
    """What is missing to a whole number of steps; an exact multiple stays, 0 does not round."""
    return -volume % step if step else 0


def _flowed(one: Stretch, instant: int) -> tuple[int, int, int]:
    """Energy, charging and parking of a stretch before an instant in it, each floored."""
    if instant >= one.end:
        return one.energy, one.charging, one.parking
    width, gone = one.end - one.start, instant - one.start
    energy = one.energy * gone // width
    if one.share is not None:
        total, whole, offset = one.share
        energy = total * (offset + gone) // whole - total * offset // whole
    return energy, one.charging * gone // width, one.parking * gone // width
