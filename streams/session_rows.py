"""One derived session, priced, and its row of `sessions`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from schemas.currencies import minor_exponent
from streams.arrow import MONEY, SECONDS, STRINGS, WH, scaled, times, uuids, words
from streams.catalogue import Catalogue, StationInfo
from streams.core import facts as status
from streams.core.derive import derive
from streams.core.events import Sample
from streams.core.facts import Facts
from streams.core.pricing.accrual import accrue
from streams.core.pricing.adjust import discounted, freed
from streams.core.pricing.contract import NO_CONTRACT, Contract
from streams.core.pricing.engine import price
from streams.core.pricing.priced import Money, Priced
from streams.core.session import SLICE_S, Bill, Session, slices_code
from streams.core.slices import Slice, slice_session
from streams.session_usage import usage_of_facts

VERSION_BITS = 40
COUNT_BITS = 28
NOT_BILLED, TARIFF_REFUSED = "not_billed", "tariff_refused"

_BILLED = frozenset({"", "not_ended"})
_NOTHING = Money(0, 0)
_NO_SETTLEMENT = frozenset({status.ORPHAN_STOP, status.RELEASED})
_NO_PRICE = Priced("", 1, (), (), ())


@dataclass(slots=True)
class Derived:
    """One session as it will be written. `priced` None: `unpriced_reason` says why.

    `replaced` and `before`: the version and the bill of the closed row this one follows.
    """

    session: Session
    version: int
    facts: Facts
    station: StationInfo
    contract: Contract = NO_CONTRACT
    priced: Priced | None = None
    unpriced_reason: str = NOT_BILLED
    total: Money | None = None
    slices: list[Slice] = field(default_factory=list)
    amounts: list[Money] = field(default_factory=list)
    event_count: int = 0
    replaced: int = 0
    before: Bill | None = None

    @property
    def counted(self) -> bool:
        """In the standard totals."""
        return not self.facts.quarantine_reason

    @property
    def currency(self) -> str:
        """ISO 4217; empty where nothing was priced."""
        return "" if self.priced is None else self.priced.currency

    @property
    def rounded(self) -> Money | None:
        """The total rounded to minor units, in micro-units."""
        if self.priced is None:
            return None
        if self.total == _NOTHING:
            return _NOTHING
        exponent = minor_exponent(self.priced.currency)
        exponent = 2 if exponent is None else exponent
        unit = 10 ** (6 - exponent)
        minor = self.priced.rounded(exponent)
        return Money(minor.excl * unit, minor.incl * unit)

    @property
    def bill(self) -> Bill | None:
        """What a later version is compared with; None while nobody could have been billed."""
        facts, total = self.facts, self.total
        if facts.status not in status.CLOSED or facts.status in _NO_SETTLEMENT:
            return None
        excl, incl = (None, None) if total is None else total
        return Bill(
            facts.status, facts.energy_mwh, excl, incl, self.currency, self.contract.tariff_id,
            self.unpriced_reason,
        )  # fmt: skip


def terms_of(row: Derived) -> tuple[str, ...]:
    """The columns `streams.sink.port.TERMS` of a row to be."""
    contract, info = row.contract, row.station
    return (
        contract.plan_id, _payer(row), contract.payer_id, contract.driver_id, contract.company_id,
        info.area or row.facts.area, info.city, info.region, info.country, info.time_zone,
    )  # fmt: skip


def settled(bill: Bill) -> Bill | None:
    """A stored row's bill, where its session was one that somebody could have been billed for."""
    billable = bill.status in status.CLOSED and bill.status not in _NO_SETTLEMENT
    return bill if billable else None


def derive_session(
    session: Session, catalogue: Catalogue, samples: Collection[Sample] = ()
) -> Derived | None:
    """The rows of one session; None where the store already holds this knowledge.

    `samples`: those that its set does not hold, but `streams.fast_lane`.

    version = catalogue revision << 40 | moves << 28 | 2 × distinct events + superseded, where
    moves count how often events left the session: their number alone would let it fall.
    """
    if session.packed:
        return None  # its events are not here: that is no reason to call it empty
    events = session.events.union(samples) if samples else session.events
    count = len(events)
    moves = (session.version % (1 << VERSION_BITS) >> COUNT_BITS) + session.forced
    knowledge = (moves << COUNT_BITS) + 2 * count + session.superseded
    version = (catalogue.revision << VERSION_BITS) | knowledge
    if version <= session.version:
        return None
    if count == 0:
        return None if session.version == 0 else _tombstone(session, version)
    owner = session.station.key
    begun = session.start_ts
    info = catalogue.station(owner, min(e.ts for e in events) if begun is None else begun)
    facts = derive(events, superseded=session.superseded, rated_power_w=info.rated_power_w)
    out = Derived(session, version, facts, info, event_count=count)
    out.replaced, out.before = session.version, session.bill
    out.slices = slice_session(facts)
    started = facts.first_event_ms if facts.started_ms is None else facts.started_ms
    out.contract = catalogue.contract(owner, facts.id_token, started, facts.area)
    _price(out, catalogue)
    _cover_old_slices(out)
    return out


def _price(out: Derived, catalogue: Catalogue) -> None:
    """Fills in the price, or why there is none."""
    facts, contract = out.facts, out.contract
    if facts.quarantine_reason not in _BILLED:
        return
    compiled = catalogue.compiled(contract)
    if compiled is None:
        if contract.free_reason:
            out.priced, out.total, out.unpriced_reason = _NO_PRICE, _NOTHING, ""
        else:
            out.unpriced_reason = contract.unpriced_reason or TARIFF_REFUSED
        return
    usage = usage_of_facts(facts, contract.zone)
    priced = price(compiled, usage)
    if contract.discount:
        priced = discounted(priced, contract.discount, usage.end_ms)
    if contract.free_reason:
        priced = freed(priced, usage.end_ms)
    out.priced, out.total, out.unpriced_reason = priced, priced.micro, ""
    out.amounts = accrue(priced, usage, out.slices)


def _cover_old_slices(out: Derived) -> None:
    """Slices written before that no longer apply are written as zeros at the new version."""
    session = out.session
    starts = [s.start // 1000 for s in out.slices]
    out.amounts = out.amounts or [_NOTHING] * len(out.slices)
    old_first, old_last = session.slice_first, session.slice_last
    if old_first is not None and old_last is not None:
        now = set(starts)
        gone = [t for t in range(old_first, old_last + 1, SLICE_S) if t not in now]
        out.slices = [*out.slices, *(Slice(t * 1000, 0, 0, 0, 0) for t in gone)]
        out.amounts = [*out.amounts, *(_NOTHING for _ in gone)]
        starts += [old_first, old_last]
    if starts:
        session.slices = slices_code(min(starts), max(starts))


def _tombstone(session: Session, version: int) -> Derived:
    nothing = Facts(
        status.RELEASED, "released", "set_aside", (), None, None, 0, 0, 0, -1, -1, "", "", "",
        None, 0, None, None, None, 0, 0, 0, None, "", (), (), by_state=False,
    )  # fmt: skip
    out = Derived(session, version, nothing, StationInfo())
    out.replaced, out.before = session.version, session.bill
    _cover_old_slices(out)
    return out


def sessions_table(rows: Sequence[Derived]) -> pa.Table:
    """Rows of `sessions`."""
    f = [r.facts for r in rows]
    s = [r.session for r in rows]
    infos = [r.station for r in rows]
    columns = {
        "tenant": words([x.station.key[0] for x in s]),
        "station_id": pa.array([x.station.key[1] for x in s], pa.string()),
        "session_id": uuids(x.session_id for x in s),
        "version": pa.array([r.version for r in rows], pa.uint64()),
        "protocol": words([x.protocol for x in s]),
        "evse_id": _index([x.evse for x in f]),
        "connector_id": _index([x.connector for x in f]),
        "transaction_id": pa.array([min(x.transaction_ids, default="") for x in s]),
        "transaction_ids": pa.array([sorted(x.transaction_ids) for x in s], STRINGS),
        "driver_key": pa.array([x.id_token for x in f], pa.string()),
        "area": words([i.area or x.area for i, x in zip(infos, f, strict=True)]),
        "city": words([i.city for i in infos]),
        "region": words([i.region for i in infos]),
        "country": words([i.country for i in infos]),
        "time_zone": words([i.time_zone for i in infos]),
        "status": words([x.status for x in f]),
        "started_at": times([x.started_ms for x in f]),
        "ended_at": times([x.ended_ms for x in f]),
        "last_event_at": times([x.last_event_ms for x in f]),
        "first_event_at": times([x.first_event_ms for x in f]),
        "meter_start_wh": scaled([x.meter_start_mwh for x in f], WH),
        "meter_stop_wh": scaled([x.meter_stop_mwh for x in f], WH),
        "energy_wh": scaled([x.energy_mwh for x in f], WH),
        "export_wh": scaled([x.export_mwh for x in f], WH),
        "duration_s": scaled([x.duration_ms for x in f], SECONDS),
        "charging_s": scaled([x.charging_ms for x in f], SECONDS),
        "idle_s": scaled([x.idle_ms for x in f], SECONDS),
        "suspended_evse_s": scaled([x.suspended_evse_ms for x in f], SECONDS),
        "max_power_w": scaled([x.max_power_mw for x in f], WH),
        "stop_reason": words([x.stop_reason for x in f]),
        "paid_amount": scaled([x.paid_micro for x in f], MONEY),
        "paid_currency": words([x.paid_currency for x in f]),
        "grade": words([x.grade for x in f]),
        "flags": pa.array([list(x.flags) for x in f], STRINGS),
        "quarantine_reason": words([x.quarantine_reason for x in f]),
        "event_count": pa.array([r.event_count for r in rows], pa.uint32()),
        "slice_first": pa.array([x.slice_first for x in s], pa.uint32()),
        "slice_last": pa.array([x.slice_last for x in s], pa.uint32()),
    }
    return pa.table(columns | _money_columns(rows))


def _money_columns(rows: Sequence[Derived]) -> dict[str, pa.Array]:
    contracts = [r.contract for r in rows]
    totals, rounded = [r.total for r in rows], [r.rounded for r in rows]
    return {
        "company_id": pa.array([c.company_id for c in contracts], pa.string()),
        "driver_id": pa.array([c.driver_id for c in contracts], pa.string()),
        "plan_id": words([c.plan_id for c in contracts]),
        "payer": words([_payer(r) for r in rows]),
        "payer_id": pa.array([c.payer_id for c in contracts], pa.string()),
        "contract_because": pa.array([list(c.because) for c in contracts], STRINGS),
        "unpriced_reason": words([r.unpriced_reason for r in rows]),
        "currency": words([r.currency for r in rows]),
        "tariff_id": pa.array([c.tariff_id for c in contracts], pa.string()),
        "amount_excl_vat": scaled([None if t is None else t.excl for t in totals], MONEY),
        "amount_vat": scaled([None if t is None else t.incl - t.excl for t in totals], MONEY),
        "amount_incl_vat": scaled([None if t is None else t.incl for t in totals], MONEY),
        "rounded_excl_vat": scaled([None if m is None else m.excl for m in rounded], MONEY),
        "rounded_incl_vat": scaled([None if m is None else m.incl for m in rounded], MONEY),
    }


def _payer(row: Derived) -> str:
    return "" if row.unpriced_reason == NOT_BILLED else row.contract.payer


def _index(values: Sequence[int]) -> pa.Array:
    return pa.array([None if v < 0 else v for v in values], pa.int32())
