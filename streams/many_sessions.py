"""Due sessions, derived and priced many at a time: from the lane to `streams.many_rows`.

What is not ordinary (two starts, odd readings, a tariff with restrictions, a bill that changes) is
left to `streams.session_rows.derive_session`, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import compress
from typing import NamedTuple

import numpy as np

from schemas.currencies import minor_exponent
from streams.catalogue import Catalogue
from streams.core.book import Bill, Session, slices_code
from streams.core.columns import ABSENT, Bits, Ints, Many, PricedMany, Samples
from streams.core.facts import CLOSED, ORPHAN_STOP
from streams.core.lane import SampleLane
from streams.core.many import derive_many
from streams.core.pricing.compiled import Compiled
from streams.core.pricing.contract import NO_CONTRACT, Contract
from streams.core.pricing.many import Volumes, can_price_many, price_many
from streams.heads import Heads
from streams.lasting import LastingContracts
from streams.many_rows import ManyRows, slice_bounds
from streams.session_rows import NOT_BILLED, TARIFF_REFUSED, VERSION_BITS


@dataclass(slots=True)
class Outcome:
    """`rows` to write, their bills where they closed, and the sessions left to the general path."""

    rows: ManyRows | None
    bills: list[Bill | None]
    rest: list[Session]

    def written(self) -> Iterator[tuple[Session, int, Bill | None, bool]]:
        """Each session with its row's version, its bill, and whether it is closed."""
        if self.rows is not None:
            closed = self.rows.many.closed.tolist()
            shared: dict[int, int] = {}  # an object a number, not a session
            versions = [shared.setdefault(v, v) for v in self.rows.versions.tolist()]
            yield from zip(self.rows.sessions, versions, self.bills, closed, strict=True)


def derive_due(
    lane: SampleLane, due: Sequence[Session], catalogue: Catalogue, terms: LastingContracts
) -> Outcome:
    """The rows of all due sessions that are ordinary and have news."""
    heads = Heads(lane, catalogue)
    rest = [session for session in due if not heads.take(session)]
    if not heads:
        return Outcome(None, [], rest)
    counts, samples = lane.gather(heads.column("slot").astype(np.int32))
    work = _Work(catalogue, terms, heads, counts, samples, rest)
    work.leave_what_is_known()
    return work.outcome() if heads else Outcome(None, [], rest)


class _Terms(NamedTuple):
    """Contracts of sessions, and which tariff prices them: an index of `tariffs`, -1: none."""

    contracts: list[Contract]
    which: Ints
    tariffs: list[Compiled]


_Prices = list[tuple[Ints, Compiled, PricedMany]]


@dataclass(slots=True)
class _Work:
    """One call of `derive_due`, step by step; columns as made so far."""

    catalogue: Catalogue
    terms: LastingContracts
    heads: Heads
    counts: Ints
    samples: Samples
    rest: list[Session]
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
        heads = self.heads
        many = derive_many(heads.to_derive(self.counts, self.samples))
        connector, evse = heads.numbers(self.counts, self.samples)
        billed = (many.quarantine == "") | (many.quarantine == "not_ended")
        terms = self._terms(many.ok)
        keep = many.ok & self._covers(many) & (~billed | _payable(terms))
        prices, refused = self._prices(many, terms, keep & billed)
        if refused.any():  # numbers beyond 64 bits: once more without them
            keep &= ~refused
        if not keep.all():
            self.rest.extend(compress(heads.sessions, (~keep).tolist()))
            self._keep(keep)
            many, connector, evse, billed = (
                select(many, keep),
                connector[keep],
                evse[keep],
                billed[keep],
            )
            contracts = list(compress(terms.contracts, keep.tolist()))
            terms = _Terms(contracts, terms.which[keep], terms.tariffs)
            prices, _ = self._prices(many, terms, billed)
        if not heads:
            return Outcome(None, [], self.rest)
        rows = ManyRows(
            sessions=heads.sessions,
            infos=heads.infos,
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
        )
        _remember_slices(heads.sessions, many)
        return Outcome(rows, _bills(rows), self.rest)

    def _terms(self, ok: Bits) -> _Terms:
        heads, contract_of, ready = self.heads, self.terms.contract, self.catalogue.compiled
        each = zip(
            ok.tolist(), heads.sessions, heads.id_tokens, heads.column("start_ts").tolist(),
            heads.areas, strict=True,
        )  # fmt: skip
        contracts = [
            contract_of(session.station.key, token, start, area) if good else NO_CONTRACT
            for good, session, token, start, area in each
        ]
        codes: dict[int, int] = {}
        tariffs: list[Compiled] = []
        which = np.full(len(contracts), -1, np.int64)
        for i, contract in enumerate(contracts):
            if contract.tariff is None:
                continue
            key = id(contract.tariff)
            code = codes.get(key)
            if code is None:
                compiled = ready(contract)
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
    for session, begin, end in zip(sessions, first.tolist(), last.tolist(), strict=True):
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
    many, count = rows.many, len(rows.sessions)
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
