"""What due sessions cost: their terms, which of them are priced in columns, and their prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from schemas.currencies import minor_exponent
from streams.catalogue import Catalogue
from streams.core.columns import ABSENT, Bits, Ints, Many, PricedMany
from streams.core.facts import CLOSED, ORPHAN_STOP
from streams.core.pricing.compiled import Compiled
from streams.core.pricing.many import Volumes, can_price_many, price_many
from streams.core.session import Bill
from streams.many_arrow import Objects
from streams.many_rows import ManyRows
from streams.session_rows import NOT_BILLED, TARIFF_REFUSED


class Terms(NamedTuple):
    """Contracts of sessions, few of them different, and which tariff prices each session: an index
    of `tariffs`, -1: none.
    """

    contracts: Objects
    which: Ints
    tariffs: list[Compiled]


Prices = list[tuple[Ints, Compiled, PricedMany]]


def terms_of(catalogue: Catalogue, found: Objects) -> Terms:
    """The contracts of sessions, each a `Found`, and the tariffs they come to."""
    codes: dict[int, int] = {}
    tariffs: list[Compiled] = []
    contracts = found.each(lambda one: one.contract)
    which = []
    for contract in contracts.unique:
        key, code = id(contract.tariff), -1
        if contract.tariff is not None:
            known = codes.get(key)
            if known is None:
                compiled = catalogue.compiled(contract)
                known = codes[key] = -1 if compiled is None else len(tariffs)
                tariffs += [] if compiled is None else [compiled]
            code = known
        which.append(code)
    return Terms(contracts, contracts.coded.spread(np.array(which, np.int64)), tariffs)


def prices_of(many: Many, terms: Terms, start_ms: Ints, wanted: Bits) -> tuple[Prices, Bits]:
    """Prices of the sessions that are wanted, and which of them have numbers beyond 64 bits."""
    refused = np.zeros(len(wanted), np.bool_)
    out: Prices = []
    for code, compiled in enumerate(terms.tariffs):
        at = np.flatnonzero(wanted & (terms.which == code))
        if not len(at):
            continue
        exponent = minor_exponent(compiled.tariff.currency)
        priced = price_many(
            compiled, 2 if exponent is None else exponent, _volumes(many, start_ms, at)
        )
        refused[at[~priced.ok]] = True
        out.append((at, compiled, priced))
    return out, refused


def payable(terms: Terms) -> Bits:
    """Nothing to price, or a plain tariff of the session's own."""
    plain = np.array([can_price_many(one) for one in terms.tariffs] + [True], np.bool_)
    contracts = terms.contracts
    special = contracts.numbers(lambda c: bool(c.free_reason or (c.discount and c.tariff)))
    out: Bits = plain[terms.which] & (special == 0)
    return out


def unpriced(terms: Terms, billed: Bits) -> Objects:
    """Why sessions have no price; "" where they have one."""
    contracts = terms.contracts
    reasons = ["", NOT_BILLED, *(c.unpriced_reason or TARIFF_REFUSED for c in contracts.unique)]
    codes = np.where(terms.which >= 0, 0, 2 + contracts.coded.codes.to_numpy())
    return Objects.first_then([], np.where(billed, codes, 1), reasons)


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


def bills(rows: ManyRows, count: int) -> list[Bill | None]:
    """What `Derived.bill` says of each of the first sessions."""
    many = rows.many
    out: list[Bill | None] = [None] * count
    closed = np.flatnonzero(many.closed[:count])
    if not len(closed):
        return out
    unknown = (None, None, "")
    costs: dict[int, tuple[int | None, int | None, str]] = {}
    for at, compiled, priced in rows.prices:
        which = many.closed[at] & (at < count)
        told = (at, priced.excl_micro, priced.incl_micro)
        for i, excl, incl in zip(*(column[which].tolist() for column in told), strict=True):
            costs[i] = (excl, incl, compiled.tariff.currency)
    energies = many.energy_mwh[closed].tolist()
    terms, reasons = rows.said.terms.told(count), rows.unpriced.told(count)
    for i, energy in zip(closed.tolist(), energies, strict=True):
        status = many.status[i]
        if status in CLOSED and status != ORPHAN_STOP:
            out[i] = Bill(
                status, None if energy == ABSENT else energy, *costs.get(i, unknown),
                terms[i].contract.tariff_id, reasons[i],
            )  # fmt: skip
    return out
