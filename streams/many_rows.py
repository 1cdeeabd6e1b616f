"""The tables of sessions that were derived and priced as columns, equal to those of
`streams.session_tables` for the same sessions.

    what stands in `Many`          numpy -> Arrow, no object per value     `decimals`, `instants`
    what stations, terms share     read once an object, taken by code      `Objects`
    what a session has itself      text columns, cut from bytes            `streams.said`
    slices                         the session's columns, repeated         `Spread`
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streams.arrow import MONEY, SECONDS, STRINGS, WH, words
from streams.charge_words import ChargeWords
from streams.core.columns import ABSENT, Bits, Ints, Many, PricedMany
from streams.core.pricing.compiled import Compiled
from streams.core.pricing.contract import HERE
from streams.many_arrow import Objects, Spread, bits, decimals, ids, instants, whole
from streams.many_charges import charges_table
from streams.said import Said
from streams.session_rows import NOT_BILLED

__all__ = ["ManyRows", "decimals", "slice_bounds", "tables"]


@dataclass(slots=True)
class ManyRows:
    """Sessions of protocol 2.x as they will be written, S of them, all `ok` in `many`.

    None of them was paid at the charger, exported energy, or is free by its contract. Slices that
    were stored before must be among the new ones.
    """

    said: Said
    ids: Ints
    """(S, 2), the bytes of the session ids."""
    start_ms: Ints
    versions: Ints
    event_counts: Ints
    connector: Ints
    """-1: unknown; so is the next one."""
    evse: Ints
    many: Many
    unpriced: Objects
    """Why there is no price; empty for exactly the sessions in `prices`."""
    prices: list[tuple[Ints, Compiled, PricedMany]]
    """Session indices, the tariff that priced them, their prices: all `ok`."""
    slices_from_s: Ints
    """Slices that begin before are stored already as they are; epoch s, ABSENT: none is."""


def tables(rows: ManyRows, say: ChargeWords) -> list[tuple[str, pa.Table]]:
    """Table name and rows, in the order in which they are written; none without rows."""
    if not len(rows.versions):
        return []
    shared = _Shared(rows)
    found = (
        ("session_slices", _slices(rows, shared)),
        (
            "session_charges",
            charges_table(
                rows.prices, shared.contracts, shared.tenant, shared.ids, rows.versions, say
            ),
        ),
        ("sessions", _sessions(rows, shared)),
    )
    return [(name, table) for name, table in found if table is not None and table.num_rows]


def slice_bounds(many: Many) -> tuple[Ints, Ints]:
    """Start of the first and of the last slice of each session, epoch s; ABSENT without slices."""
    counts, starts = many.slice_counts, many.slice_start_ms // 1000
    some = counts > 0
    ends = np.cumsum(counts)[some]
    first, last = np.full(len(counts), ABSENT), np.full(len(counts), ABSENT)
    first[some], last[some] = starts[ends - counts[some]], starts[ends - 1]
    return first, last


class _Shared:
    """Columns of sessions that more than one table has."""

    def __init__(self, rows: ManyRows) -> None:
        said = rows.said
        self.station, self.driver = said.stations, said.id_tokens
        self.infos = said.terms.each(lambda found: found.info)
        self.contracts = said.terms.each(lambda found: found.contract)
        self.tenant = said.tenants.dictionary_encode()
        self.area = self._area(rows)
        self.ids = rows.ids
        self.money = _Totals(rows)
        self.counted: Bits = rows.many.quarantine == ""

    def _area(self, rows: ManyRows) -> pa.DictionaryArray:
        if all(info.area for info in self.infos.unique):
            return self.infos.words(lambda info: info.area)
        both = zip(self.infos.told(), rows.said.areas.told(), strict=True)
        return words([info.area or told for info, told in both])


class _Totals:
    """What each session costs; ABSENT where it has no price."""

    def __init__(self, rows: ManyRows) -> None:
        count = len(rows.versions)
        self.excl, self.incl, self.rounded_excl, self.rounded_incl = np.zeros((4, count), np.int64)
        self.absent: Bits = np.ones(count, np.bool_)
        currency = np.full(count, "", np.object_)
        for at, compiled, priced in rows.prices:
            self.absent[at] = False
            self.excl[at], self.incl[at] = priced.excl_micro, priced.incl_micro
            self.rounded_excl[at] = priced.rounded_excl_micro
            self.rounded_incl[at] = priced.rounded_incl_micro
            currency[at] = compiled.tariff.currency
        self.currency = words(currency.tolist())

    def columns(self) -> dict[str, pa.Array]:
        """The amounts as the table has them."""
        amounts = {
            "amount_excl_vat": self.excl,
            "amount_vat": self.incl - self.excl,
            "amount_incl_vat": self.incl,
            "rounded_excl_vat": self.rounded_excl,
            "rounded_incl_vat": self.rounded_incl,
        }
        return {name: decimals(values, MONEY, self.absent) for name, values in amounts.items()}


def _slices(rows: ManyRows, shared: _Shared) -> pa.Table:
    many = rows.many
    excl, incl = _slice_amounts(rows)
    counts, new = _new_slices(rows)
    spread = Spread(counts)
    session = spread.rows
    return pa.table(
        {
            "tenant": spread.words(shared.tenant),
            "slice_start": whole(many.slice_start_ms[new] // 1000, pa.uint32()),
            "station_id": spread.words(shared.station.dictionary_encode()),
            "session_id": ids(shared.ids[session]),
            "version": whole(rows.versions[session], pa.uint64()),
            "area": spread.words(shared.area),
            "driver_key": spread.words(shared.driver.dictionary_encode()),
            "tariff_id": spread.words(shared.contracts.words(lambda c: c.tariff_id)),
            "currency": spread.words(shared.money.currency),
            "energy_wh": decimals(many.slice_energy_mwh[new], WH),
            "export_wh": decimals(np.zeros(len(session), np.int64), WH),
            "occupied_s": decimals(many.slice_occupied_ms[new], SECONDS),
            "charging_s": decimals(many.slice_charging_ms[new], SECONDS),
            "idle_s": decimals(many.slice_idle_ms[new], SECONDS),
            "amount_excl_vat": decimals(excl[new], MONEY),
            "amount_incl_vat": decimals(incl[new], MONEY),
            "provisional": bits(~many.closed[session]),
            "counted": bits(shared.counted[session]),
        }
    )


def _new_slices(rows: ManyRows) -> tuple[Ints, Bits | slice]:
    """How many slices of each session are to be written, and which of all."""
    counts, since = rows.many.slice_counts, rows.slices_from_s
    if (since == ABSENT).all():
        return counts, slice(None)
    new: Bits = rows.many.slice_start_ms // 1000 >= np.repeat(since, counts)
    owner = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(owner[new], minlength=len(counts)), new


def _slice_amounts(rows: ManyRows) -> tuple[Ints, Ints]:
    """Of each slice, before and with taxes; 0 where its session has no price."""
    counts = rows.many.slice_counts
    firsts = np.cumsum(counts) - counts
    excl, incl = np.zeros((2, len(rows.many.slice_start_ms)), np.int64)
    for at, _, priced in rows.prices:
        of_each = counts[at]
        offset = firsts[at] - (np.cumsum(of_each) - of_each)
        place = np.repeat(offset, of_each) + np.arange(len(priced.slice_excl_micro))
        excl[place], incl[place] = priced.slice_excl_micro, priced.slice_incl_micro
    return excl, incl


def _sessions(rows: ManyRows, shared: _Shared) -> pa.Table:
    many, count = rows.many, len(rows.versions)
    infos, nothing = shared.infos, np.zeros(count, np.int64)
    transactions = rows.said.transactions
    alone = pa.array(np.arange(count + 1), pa.int32())
    first, last = slice_bounds(many)
    columns = {
        "tenant": shared.tenant,
        "station_id": shared.station,
        "session_id": ids(shared.ids),
        "version": whole(rows.versions, pa.uint64()),
        "protocol": rows.said.protocols.words(str),
        "evse_id": whole(rows.evse, pa.int32(), rows.evse < 0),
        "connector_id": whole(rows.connector, pa.int32(), rows.connector < 0),
        "transaction_id": transactions,
        "transaction_ids": pa.ListArray.from_arrays(alone, transactions),
        "driver_key": shared.driver,
        "area": shared.area,
        "city": infos.words(lambda i: i.city),
        "region": infos.words(lambda i: i.region),
        "country": infos.words(lambda i: i.country),
        "time_zone": infos.words(lambda i: i.time_zone),
        "status": words(many.status.tolist()),
        "started_at": instants(rows.start_ms),
        "ended_at": instants(many.until_ms, ~many.closed),
        "last_event_at": instants(many.last_event_ms),
        "first_event_at": instants(many.first_event_ms),
        "meter_start_wh": _known(many.meter_start_mwh),
        "meter_stop_wh": _known(many.meter_stop_mwh),
        "energy_wh": _known(many.energy_mwh),
        "export_wh": decimals(nothing, WH),
        "duration_s": decimals(many.duration_ms, SECONDS),
        "charging_s": decimals(many.charging_ms, SECONDS),
        "idle_s": decimals(many.idle_ms, SECONDS),
        "suspended_evse_s": decimals(many.suspended_evse_ms, SECONDS),
        "max_power_w": _known(many.max_power_mw),
        "stop_reason": rows.said.stop_reasons.words(str),
        "paid_amount": pa.nulls(count, MONEY),
        "paid_currency": words([""] * count),
        "grade": words(many.grade.tolist()),
        "flags": Objects.of(many.flags.tolist()).lists(lambda flags: flags),
        "quarantine_reason": words(many.quarantine.tolist()),
        "event_count": whole(rows.event_counts, pa.uint32()),
        "slice_first": whole(first, pa.uint32(), first == ABSENT),
        "slice_last": whole(last, pa.uint32(), last == ABSENT),
    }
    return pa.table(columns | _money_columns(rows, shared))


def _known(mwh: Ints) -> pa.Array:
    return decimals(mwh, WH, mwh == ABSENT)


def _money_columns(rows: ManyRows, shared: _Shared) -> dict[str, pa.Array]:
    terms = shared.contracts
    payers = terms.words(lambda c: c.payer)
    if NOT_BILLED in rows.unpriced.unique:
        told = zip(rows.unpriced.told(), terms.told(), strict=True)
        payers = words(["" if reason == NOT_BILLED else terms.payer for reason, terms in told])
    return {
        "company_id": terms.texts(lambda c: c.company_id),
        "driver_id": terms.texts(lambda c: c.driver_id),
        "plan_id": terms.words(lambda c: c.plan_id),
        "payer": payers,
        "payer_id": terms.texts(lambda c: c.payer_id),
        "contract_because": _because(rows, shared),
        "unpriced_reason": rows.unpriced.words(str),
        "currency": shared.money.currency,
        "tariff_id": terms.texts(lambda c: c.tariff_id),
        **shared.money.columns(),
    }


def _because(rows: ManyRows, shared: _Shared) -> pa.Array:
    """Why these terms; reasons that stations share name the session's own."""
    terms = shared.contracts
    parts = [[reason.split(HERE) for reason in contract.because] for contract in terms.unique]
    if all(len(pieces) == 1 for each in parts for pieces in each):
        return terms.lists(lambda c: c.because)
    if any(len(each) != 1 or len(each[0]) > 2 for each in parts):
        each = zip(terms.told(), rows.said.stations.to_pylist(), strict=True)
        return pa.array([contract.told_at(station) for contract, station in each], STRINGS)
    named = terms.coded.spread(np.array([len(pieces) == 2 for (pieces,) in parts], np.int64))
    station = pc.if_else(pa.array(named == 1), shared.station, "")
    said = pc.binary_join_element_wise(
        terms.texts(lambda c: c.because[0].partition(HERE)[0]),
        station,
        terms.texts(lambda c: c.because[0].partition(HERE)[2]),
        "",
    )
    return pa.ListArray.from_arrays(pa.array(np.arange(len(said) + 1), pa.int32()), said)
