"""Due sessions, derived and priced many at a time: from the lane to `streams.many_rows`.

What is not ordinary (two starts, odd readings, a tariff with restrictions, a bill that changes) is
left to `streams.session_rows.derive_session`, with the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import compress
from typing import NamedTuple

import numpy as np

from schemas.currencies import minor_exponent
from schemas.units import SLICE_MS
from streams.catalogue import Catalogue
from streams.core.columns import ABSENT, Bits, Ints, Many, PricedMany, Samples, Small
from streams.core.facts import CLOSED, ORPHAN_STOP
from streams.core.many import derive_many
from streams.core.pricing.compiled import Compiled
from streams.core.pricing.contract import Contract
from streams.core.pricing.many import Volumes, can_price_many, price_many
from streams.core.resting import Resting
from streams.core.session import Bill, Session, slices_code
from streams.fast_lane import FastLane
from streams.heads import Heads
from streams.lasting import LastingContracts
from streams.many_rows import ManyRows, slice_bounds
from streams.session_rows import COUNT_BITS, NOT_BILLED, TARIFF_REFUSED, VERSION_BITS


@dataclass(slots=True)
class Outcome:
    """`rows` to write and what they are of; `rest` and `left` are sessions awake and slots at rest
    for the general path.
    """

    rest: list[Session]
    left: list[int] = field(default_factory=list)
    found: Found | None = None


@dataclass(slots=True)
class Found:
    """Rows of sessions, those awake first, and what is to be remembered once they are written."""

    rows: ManyRows
    heads: Heads
    bills: list[Bill | None]
    """Where they closed."""
    last_ts: Ints
    """As in `streams.core.resting.RECORD`; so is the next one."""
    kept_from_s: Ints


def derive_due(
    fast: FastLane,
    resting: Resting,
    due: Sequence[Session],
    slots: Small,
    terms: LastingContracts,
) -> Outcome:
    """The rows of all due sessions, awake and at rest, that are ordinary and have news."""
    heads = Heads(fast, terms)
    rest = [session for session in due if not heads.take(session)]
    heads.close(resting, slots)
    if not heads:
        return Outcome(rest)
    counts, samples = fast.lane.gather(heads.column("slot").astype(np.int32))
    work = _Work(resting, terms.catalogue, heads, counts, samples, Outcome(rest))
    work.leave_what_is_known()
    return work.outcome() if heads else Outcome(rest)


class _Terms(NamedTuple):
    """Contracts of sessions, and which tariff prices them: an index of `tariffs`, -1: none."""

    contracts: list[Contract]
    which: Ints
    tariffs: list[Compiled]


_Prices = list[tuple[Ints, Compiled, PricedMany]]


@dataclass(slots=True)
class _Work:
    """One call of `derive_due`, step by step; columns as made so far."""

    resting: Resting
    catalogue: Catalogue
    heads: Heads
    counts: Ints
    samples: Samples
    out: Outcome
    events: Ints = field(init=False)
    versions: Ints = field(init=False)

    def leave_what_is_known(self) -> None:
        """Drop sessions whose stored row knows as much already."""
        heads = self.heads
        self.events = self.counts + heads.column("events")
        knowledge = 2 * self.events + heads.column("superseded")
        self.versions = (self.catalogue.revision << VERSION_BITS) | knowledge
        news = self.versions > heads.column("version")
        if not news.all():
            self.samples = self.samples.where(np.repeat(news, self.counts))
            self.counts = self.counts[news]
            self._keep(news)

    def _keep(self, chosen: Bits) -> None:
        self.heads.keep(chosen)
        self.events, self.versions = self.events[chosen], self.versions[chosen]

    def outcome(self) -> Outcome:
        """Derive, choose terms, price; what turns out odd on the way joins the rest."""
        heads, out = self.heads, self.out
        many = derive_many(heads.to_derive(self.counts, self.samples))
        connector, evse = heads.numbers(self.counts, self.samples)
        stored = self._stored_until(many)
        last_ts = self._last_ts()
        billed = (many.quarantine == "") | (many.quarantine == "not_ended")
        terms = self._terms()
        keep = many.ok & self._covers(many) & (~billed | _payable(terms))
        prices, refused = self._prices(many, terms, keep & billed)
        if refused.any():  # numbers beyond 64 bits: once more without them
            keep &= ~refused
        if not keep.all():
            awake = len(heads.sessions)
            out.rest.extend(compress(heads.sessions, (~keep).tolist()))
            out.left = heads.slots_at_rest[~keep[awake:]].tolist()
            self._keep(keep)
            many = select(many, keep)
            connector, evse, billed, stored, last_ts = (
                column[keep] for column in (connector, evse, billed, stored, last_ts)
            )
            contracts = list(compress(terms.contracts, keep.tolist()))
            terms = _Terms(contracts, terms.which[keep], terms.tariffs)
            prices, _ = self._prices(many, terms, billed)
        if not heads:
            return out
        rows = ManyRows(
            stations=heads.stations,
            transactions=heads.transactions,
            protocols=heads.protocols,
            ids=self.resting.ids.take(heads.column("slot"), axis=0),
            start_ms=heads.column("start_ts"),
            infos=[found.info for found in heads.terms],
            contracts=terms.contracts,
            versions=self.versions,
            event_counts=self.events,
            connector=connector,
            evse=evse,
            id_tokens=heads.id_tokens,
            areas=heads.areas,
            stop_reasons=heads.stop_reasons,
            many=many,
            unpriced=_unpriced(terms, billed),
            prices=prices,
            slices_from_s=stored,
        )
        _remember_slices(heads.sessions, many)
        out.found = Found(rows, heads, _bills(rows), last_ts, _kept_from_s(many, prices))
        return out

    def _last_ts(self) -> Ints:
        """Of each session's newest sample; ABSENT without any."""
        lasts = np.cumsum(self.counts) - 1
        out = np.full(len(lasts), ABSENT)
        some = self.counts > 0
        out[some] = self.samples.ts[lasts[some]]
        return out

    def _stored_until(self, many: Many) -> Ints:
        """Slices before are stored as they are: since the row was written there came only samples
        later than all others, and no other catalogue. Epoch s; ABSENT: all may have changed.
        """
        heads = self.heads
        version, kept = heads.column("version"), heads.column("kept_from_s")
        before = (version % (1 << COUNT_BITS) >> 1) - heads.column("events")  # samples then
        out = np.full(len(kept), ABSENT)
        at = np.flatnonzero(
            (kept != ABSENT)
            & (version >> VERSION_BITS == self.catalogue.revision)
            & (before > 0)
            & (before <= self.counts)
            & ~many.closed
        )
        newest_then = (np.cumsum(self.counts) - self.counts)[at] + before[at] - 1
        same = self.samples.ts[newest_then] == heads.column("last_ts")[at]
        out[at[same]] = kept[at[same]]
        return out

    def _terms(self) -> _Terms:
        codes: dict[int, int] = {}
        tariffs: list[Compiled] = []
        contracts = [found.contract for found in self.heads.terms]
        which = np.full(len(contracts), -1, np.int64)
        for i, contract in enumerate(contracts):
            if contract.tariff is None:
                continue
            key = id(contract.tariff)
            code = codes.get(key)
            if code is None:
                compiled = self.catalogue.compiled(contract)
                code = codes[key] = -1 if compiled is None else len(tariffs)
                tariffs += [] if compiled is None else [compiled]
            which[i] = code
        return _Terms(contracts, which, tariffs)

    def _covers(self, many: Many) -> Bits:
        """The slices written before are all among the new ones."""
        before_first, before_last = (
            self.heads.column("slice_first"),
            self.heads.column("slice_last"),
        )
        first, last = slice_bounds(many)
        none = (before_first == ABSENT) | (before_last == ABSENT)
        out: Bits = none | ((first != ABSENT) & (first <= before_first) & (last >= before_last))
        return out

    def _prices(self, many: Many, terms: _Terms, wanted: Bits) -> tuple[_Prices, Bits]:
        refused = np.zeros(len(wanted), np.bool_)
        out: _Prices = []
        start = self.heads.column("start_ts")
        for code, compiled in enumerate(terms.tariffs):
            at = np.flatnonzero(wanted & (terms.which == code))
            if not len(at):
                continue
            exponent = minor_exponent(compiled.tariff.currency)
            priced = price_many(
                compiled, 2 if exponent is None else exponent, _volumes(many, start, at)
            )
            refused[at[~priced.ok]] = True
            out.append((at, compiled, priced))
        return out, refused


def _kept_from_s(many: Many, prices: _Prices) -> Ints:
    """See `streams.core.resting.RECORD`. What is rounded up to steps lies in the last slice with a
    volume, and moves on with it: then none is kept.
    """
    out = many.settled_ms // SLICE_MS * (SLICE_MS // 1000)
    for at, _, priced in prices:
        for line in priced.lines:
            out[at[line.billed != line.quantity]] = ABSENT
    return out


def _payable(terms: _Terms) -> Bits:
    """Nothing to price, or a plain tariff of the session's own."""
    plain = np.array([can_price_many(one) for one in terms.tariffs] + [True], np.bool_)
    special = [bool(c.free_reason) or bool(c.discount and c.tariff) for c in terms.contracts]
    out: Bits = plain[terms.which] & ~np.array(special, np.bool_)
    return out


def _unpriced(terms: _Terms, billed: Bits) -> list[str]:
    """Why sessions have no price."""
    return [
        NOT_BILLED if not pays else "" if code >= 0 else contract.unpriced_reason or TARIFF_REFUSED
        for pays, code, contract in zip(
            billed.tolist(), terms.which.tolist(), terms.contracts, strict=True
        )
    ]


def _remember_slices(sessions: Sequence[Session], many: Many) -> None:
    first, last = slice_bounds(many)
    shared: dict[tuple[int, int], int] = {}  # an object a number, not a session
    for session, begin, end in zip(sessions, first.tolist(), last.tolist(), strict=False):
        if begin != ABSENT:
            code = shared.get((begin, end))
            if code is None:
                code = shared[(begin, end)] = slices_code(begin, end)
            session.slices = code


def _volumes(many: Many, start: Ints, at: Ints) -> Volumes:
    whole = len(at) == len(start)
    energy = many.energy_mwh[at]
    part: Bits | slice = slice(None)
    if not whole:
        chosen = np.zeros(len(start), np.bool_)
        chosen[at] = True
        part = np.repeat(chosen, many.slice_counts)
    return Volumes(
        start_ms=start[at],
        end_ms=np.maximum(start[at], many.until_ms[at]),
        energy_mwh=np.where(energy == ABSENT, 0, energy),
        charging_ms=many.charging_ms[at],
        parking_ms=many.idle_ms[at],
        slice_counts=many.slice_counts[at],
        slice_start_ms=many.slice_start_ms[part],
        slice_energy_mwh=many.slice_energy_mwh[part],
        slice_charging_ms=many.slice_charging_ms[part],
        slice_idle_ms=many.slice_idle_ms[part],
    )


def select(many: Many, keep: Bits) -> Many:
    """Some of the sessions, with their slices."""
    slices = np.repeat(keep, many.slice_counts)
    values = {
        f.name: getattr(many, f.name)[
            slices if f.name.startswith("slice_") and f.name != "slice_counts" else keep
        ]
        for f in fields(many)
    }
    return Many(**values)


def _bills(rows: ManyRows) -> list[Bill | None]:
    """What `Derived.bill` says of each."""
    many, count = rows.many, len(rows.stations)
    out: list[Bill | None] = [None] * count
    closed = np.flatnonzero(many.closed).tolist()
    if not closed:
        return out
    excl: list[int | None] = [None] * count
    incl: list[int | None] = [None] * count
    currency = [""] * count
    for at, compiled, priced in rows.prices:
        totals = zip(
            at.tolist(), priced.excl_micro.tolist(), priced.incl_micro.tolist(), strict=True
        )
        for i, before, with_tax in totals:
            excl[i], incl[i], currency[i] = before, with_tax, compiled.tariff.currency
    energies = many.energy_mwh.tolist()
    for i in closed:
        status = many.status[i]
        if status in CLOSED and status != ORPHAN_STOP:
            out[i] = Bill(
                status, None if energies[i] == ABSENT else energies[i], excl[i], incl[i],
                currency[i], rows.contracts[i].tariff_id, rows.unpriced[i],
            )  # fmt: skip
    return out
