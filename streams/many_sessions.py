"""Due sessions, derived and priced many at a time: from the lane to `streams.many_rows`.

What is not ordinary (two starts, odd readings, a tariff with restrictions, a bill that changes) is
left to `streams.session_rows.derive_session`, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, cast

import numpy as np

from schemas.currencies import minor_exponent
from streams.catalogue import Catalogue, StationInfo
from streams.core.book import Bill, Session
from streams.core.columns import ABSENT, BEGIN, END, PLAIN, Bits, Ints, Many, Samples, Sessions
from streams.core.curve import BEGIN as BEGIN_CONTEXT
from streams.core.curve import END as END_CONTEXT
from streams.core.events import ENDED, STARTED, STATE, Ended, Started, StateChanged
from streams.core.facts import CLOSED, ORPHAN_STOP
from streams.core.lane import SampleLane
from streams.core.many import derive_many
from streams.core.pricing.compiled import Compiled
from streams.core.pricing.contract import Contract
from streams.core.pricing.many import Volumes, can_price_many, price_many
from streams.core.timeline import CHARGING, SUSPENDED_EVSE
from streams.lasting import LastingContracts
from streams.many_rows import ManyRows
from streams.session_rows import COUNT_BITS, NOT_BILLED, TARIFF_REFUSED, VERSION_BITS

_BILLED = frozenset({"", "not_ended"})
_STATES = {CHARGING: 0, SUSPENDED_EVSE: 1}
_IDLE = 2
_KNOWLEDGE = (1 << VERSION_BITS) - 1
_MOVED = 1 << COUNT_BITS
_CONTEXTS = {BEGIN_CONTEXT: BEGIN, END_CONTEXT: END}


class _Parts(NamedTuple):
    """An ordinary session's events that are no samples."""

    session: Session
    start: Started
    end: Ended | None
    changes: list[StateChanged]
    info: StationInfo

    @property
    def id_token(self) -> str:
        for event in (self.start, *self.changes, self.end):
            if event is not None and event.id_token:
                return event.id_token
        return ""

    def known(self, name: str) -> int:
        """The connector or evse that start or changes tell; -1: ask the samples."""
        found = (getattr(e, name) for e in (self.start, *self.changes))
        return next((number for number in found if number >= 0), -1)


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
    found: list[_Parts] = []
    rest: list[Session] = []
    for session in due:
        parts = _ordinary(session, catalogue)
        if parts is None:
            rest.append(session)
        else:
            found.append(parts)
            if session.slot < 0:
                session.slot = lane.new_slot()
    if not found:
        return Outcome(None, [], rest)
    counts, samples = lane.gather(np.array([p.session.slot for p in found], np.int32))
    events = counts + np.array([len(p.session.events) for p in found], np.int64)
    versions = _versions(found, events, catalogue)
    news = versions > np.array([p.session.version for p in found], np.int64)
    if not news.all():
        found = [p for p, new in zip(found, news.tolist(), strict=True) if new]
        samples = samples.where(np.repeat(news, counts))
        counts, events, versions = counts[news], events[news], versions[news]
    if not found:
        return Outcome(None, [], rest)
    work = _Work(lane, catalogue, terms, found, counts, samples, events, versions, rest)
    return work.outcome()


def _ordinary(session: Session, catalogue: Catalogue) -> _Parts | None:
    if (
        session.packed
        or session.forced
        or session.bill is not None
        or session.protocol not in ("ocpp2.0.1", "ocpp2.1")
        or session.station.partition < 0
        or (session.version & _KNOWLEDGE) >= _MOVED
    ):
        return None
    start: Started | None = None
    end: Ended | None = None
    changes: list[StateChanged] = []
    for event in session.events:
        kind = event.kind
        if event.flags:
            return None
        if kind == STARTED and start is None:
            start = cast("Started", event)
        elif kind == ENDED and end is None:
            end = cast("Ended", event)
        elif kind == STATE:
            changes.append(cast("StateChanged", event))
        else:
            return None
    if start is None or (
        end is not None
        and (end.energy_mwh is not None or end.paid_micro is not None or end.paid_currency)
    ):
        return None
    changes.sort()
    info = catalogue.station(session.station.key, start.ts)
    return _Parts(session, start, end, changes, info)


def _versions(found: list[_Parts], events: Ints, catalogue: Catalogue) -> Ints:
    superseded = np.array([p.session.superseded for p in found], np.int64)
    return (catalogue.revision << VERSION_BITS) | (2 * events + superseded)


@dataclass(slots=True)
class _Work:
    """One call of `derive_due`, step by step; columns as made so far."""

    lane: SampleLane
    catalogue: Catalogue
    terms: LastingContracts
    found: list[_Parts]
    counts: Ints
    samples: Samples
    events: Ints
    versions: Ints
    rest: list[Session]

    def outcome(self) -> Outcome:
        """Derive, choose terms, price; what turns out odd on the way joins the rest."""
        many = derive_many(sessions_of(self.lane, self.found, self.counts, self.samples))
        connector, evse = self._numbers()
        contracts = [
            self._contract(p) if ok else None
            for p, ok in zip(self.found, many.ok.tolist(), strict=True)
        ]
        keep = many.ok & self._covers(many) & self._priceable(many, contracts)
        prices, refused = self._prices(many, contracts, keep)
        if refused.any():  # numbers beyond 64 bits: once more without them
            keep &= ~refused
            prices = []
        if not keep.all():
            self.rest.extend(
                p.session for p, kept in zip(self.found, keep.tolist(), strict=True) if not kept
            )
            many = select(many, keep)
            self.found = [p for p, k in zip(self.found, keep.tolist(), strict=True) if k]
            contracts = [c for c, k in zip(contracts, keep.tolist(), strict=True) if k]
            connector, evse = connector[keep], evse[keep]
            self.events, self.versions = self.events[keep], self.versions[keep]
            prices, _ = self._prices(many, contracts, many.ok)
        if not self.found:
            return Outcome(None, [], self.rest)
        rows = self._rows(many, contracts, connector, evse, prices)
        return Outcome(rows, _bills(rows), self.rest)

    def _contract(self, p: _Parts) -> Contract:
        owner, start = p.session.station.key, p.start
        return self.terms.contract(owner, p.id_token, start.ts, start.area)

    def _numbers(self) -> tuple[Ints, Ints]:
        """Connector and evse: start, changes, the first sample, the end (E01.FR.16)."""
        firsts = np.cumsum(self.counts) - self.counts
        out = []
        for place, name in ((1, "connector"), (2, "evse")):
            numbers = [p.known(name) for p in self.found]
            for i, number in enumerate(numbers):
                if number < 0:
                    p = self.found[i]
                    if self.counts[i]:
                        shape = int(self.samples.shape[firsts[i]])
                        numbers[i] = cast("int", self.lane.shapes[shape][place])
                    if numbers[i] < 0 and p.end is not None:
                        numbers[i] = getattr(p.end, name)
            out.append(np.array(numbers, np.int64))
        return out[0], out[1]

    def _covers(self, many: Many) -> Bits:
        """The slices written before are all among the new ones."""
        lasts = np.cumsum(many.slice_counts)
        some = many.slice_counts > 0
        out = np.ones(len(self.found), np.bool_)
        for i, p in enumerate(self.found):
            first, last = p.session.slice_first, p.session.slice_last
            if first is None or last is None or not many.ok[i]:
                continue
            begin = int(lasts[i] - many.slice_counts[i])
            out[i] = (
                bool(some[i])
                and int(many.slice_start_ms[begin]) // 1000 <= first
                and int(many.slice_start_ms[lasts[i] - 1]) // 1000 >= last
            )
        return out

    def _priceable(self, many: Many, contracts: Sequence[Contract | None]) -> Bits:
        """Nothing to price, or a plain tariff of the session's own."""
        out = np.zeros(len(contracts), np.bool_)
        seen: dict[int, bool] = {}
        for i, (contract, reason) in enumerate(
            zip(contracts, many.quarantine.tolist(), strict=True)
        ):
            if contract is None:
                continue
            if reason not in _BILLED:
                out[i] = True
                continue
            compiled = self.catalogue.compiled(contract)
            if compiled is None:
                out[i] = not contract.free_reason
                continue
            known = seen.get(id(compiled))
            if known is None:
                known = seen[id(compiled)] = can_price_many(compiled)
            out[i] = known and not contract.free_reason and not contract.discount
        return out

    def _prices(
        self, many: Many, contracts: Sequence[Contract | None], keep: Bits
    ) -> tuple[list[tuple[Ints, Compiled, object]], Bits]:
        refused = np.zeros(len(contracts), np.bool_)
        groups: dict[int, tuple[Compiled, list[int]]] = {}
        for i, (contract, reason, kept) in enumerate(
            zip(contracts, many.quarantine.tolist(), keep.tolist(), strict=True)
        ):
            if not kept or contract is None or reason not in _BILLED:
                continue
            compiled = self.catalogue.compiled(contract)
            if compiled is not None:
                groups.setdefault(id(compiled), (compiled, []))[1].append(i)
        out: list[tuple[Ints, Compiled, object]] = []
        for compiled, members in groups.values():
            at = np.array(members, np.int64)
            exponent = minor_exponent(compiled.tariff.currency)
            volumes = self._volumes(many, at)
            priced = price_many(compiled, 2 if exponent is None else exponent, volumes)
            refused[at[~priced.ok]] = True
            out.append((at, compiled, priced))
        return out, refused

    def _volumes(self, many: Many, at: Ints) -> Volumes:
        start = np.array([self.found[i].start.ts for i in at.tolist()], np.int64)
        energy = many.energy_mwh[at]
        chosen = np.zeros(len(many.ok), np.bool_)
        chosen[at] = True
        part = np.repeat(chosen, many.slice_counts)
        return Volumes(
            start_ms=start,
            end_ms=np.maximum(start, many.until_ms[at]),
            energy_mwh=np.where(energy == ABSENT, 0, energy),
            charging_ms=many.charging_ms[at],
            parking_ms=many.idle_ms[at],
            slice_counts=many.slice_counts[at],
            slice_start_ms=many.slice_start_ms[part],
            slice_energy_mwh=many.slice_energy_mwh[part],
            slice_charging_ms=many.slice_charging_ms[part],
            slice_idle_ms=many.slice_idle_ms[part],
        )

    def _rows(
        self,
        many: Many,
        contracts: Sequence[Contract | None],
        connector: Ints,
        evse: Ints,
        prices: list[tuple[Ints, Compiled, object]],
    ) -> ManyRows:
        kept = cast("list[Contract]", contracts)
        ends = np.cumsum(many.slice_counts)
        counts = many.slice_counts.tolist()
        for p, count, end in zip(self.found, counts, ends.tolist(), strict=True):
            if count:
                p.session.slice_first = int(many.slice_start_ms[end - count]) // 1000
                p.session.slice_last = int(many.slice_start_ms[end - 1]) // 1000
        unpriced = []
        for contract, reason in zip(kept, many.quarantine.tolist(), strict=True):
            if reason not in _BILLED:
                unpriced.append(NOT_BILLED)
            elif self.catalogue.compiled(contract) is None:
                unpriced.append(contract.unpriced_reason or TARIFF_REFUSED)
            else:
                unpriced.append("")
        return ManyRows(
            sessions=[p.session for p in self.found],
            infos=[p.info for p in self.found],
            contracts=kept,
            versions=self.versions,
            event_counts=self.events,
            connector=connector,
            evse=evse,
            id_tokens=[p.id_token for p in self.found],
            areas=[p.start.area for p in self.found],
            stop_reasons=["" if p.end is None else p.end.reason for p in self.found],
            many=many,
            unpriced=unpriced,
            prices=prices,  # type: ignore[arg-type]
        )


def sessions_of(
    lane: SampleLane, found: Sequence[_Parts], counts: Ints, samples: Samples
) -> Sessions:
    """The columns `derive_many` reads."""
    rows = [_numbers(p) for p in found]
    table = np.array(rows, np.int64).T.copy()
    states = [_states(p) for p in found]
    flat = [each for of_one in states for each in of_one]
    seqs = [[e.seq for e in (p.start, *p.changes, p.end) if e and e.seq >= 0] for p in found]
    classes = np.array([_CONTEXTS.get(context, PLAIN) for context, _, _ in lane.shapes], np.int8)
    return Sessions(
        start_ts=table[0],
        start_seq=table[1],
        start_mwh=table[2],
        ended=table[3].astype(np.bool_),
        end_ts=table[4],
        end_seq=table[5],
        end_mwh=table[6],
        change_first=table[7],
        change_last=table[8],
        superseded=table[9].astype(np.bool_),
        rated_power_w=table[10],
        counts=counts,
        samples=samples,
        contexts=classes[samples.shape] if len(samples.shape) else np.zeros(0, np.int8),
        state_counts=np.array([len(s) for s in states], np.int64),
        state_ts=np.array([t for t, _ in flat], np.int64),
        state=np.array([_STATES.get(state, _IDLE) for _, state in flat], np.int8),
        seq_counts=np.array([len(s) for s in seqs], np.int64),
        seqs=np.array([seq for of_one in seqs for seq in of_one], np.int64),
    )


def _numbers(p: _Parts) -> tuple[int, ...]:
    start, end, changes = p.start, p.end, p.changes
    rated = p.info.rated_power_w
    first, last = start.ts, start.ts
    if changes:  # they are sorted by time
        first, last = changes[0].ts, changes[-1].ts
    known = (start.ts, start.seq, ABSENT if start.meter_mwh is None else start.meter_mwh)
    rest = (first, last, p.session.superseded, -1 if rated is None else rated)
    if end is None:
        return (*known, 0, 0, -1, ABSENT, *rest)
    return (*known, 1, end.ts, end.seq, ABSENT if end.meter_mwh is None else end.meter_mwh, *rest)


def _states(p: _Parts) -> list[tuple[int, str]]:
    rows = [(e.ts, e.seq, e.state) for e in (p.start, *p.changes, p.end) if e and e.state]
    rows.sort()
    return [(t, state) for t, _, state in rows]


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
    excl: list[int | None] = [None] * count
    incl: list[int | None] = [None] * count
    currency = [""] * count
    for at, compiled, priced in rows.prices:
        totals = zip(
            at.tolist(), priced.excl_micro.tolist(), priced.incl_micro.tolist(), strict=True
        )
        for i, before, with_tax in totals:
            excl[i], incl[i], currency[i] = before, with_tax, compiled.tariff.currency
    energies = [None if e == ABSENT else e for e in many.energy_mwh.tolist()]
    return [
        Bill(status, energy, e, w, money, contract.tariff_id, unpriced)
        if status in CLOSED and status != ORPHAN_STOP
        else None
        for status, energy, e, w, money, contract, unpriced in zip(
            many.status.tolist(), energies, excl, incl, currency, rows.contracts, rows.unpriced,
            strict=True,
        )
    ]  # fmt: skip
