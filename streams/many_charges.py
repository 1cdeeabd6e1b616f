"""`streams.charge_rows.charges_table` of many sessions: lines as columns, one tariff at a time.

sessions  s0            s1          s2           `present` of each line and session tells
lines     ENERGY FLAT   ENERGY      ENERGY FLAT  which rows there are
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from streams.arrow import MONEY, scaled
from streams.charge_rows import PERCENT
from streams.charge_words import ChargeWords, Known
from streams.core.columns import Ints, PricedLine, PricedMany
from streams.core.pricing.compiled import Compiled
from streams.core.pricing.model import ENERGY, FLAT, PARKING_TIME, TIME, Tariff
from streams.core.pricing.priced import MICRO, Line
from streams.many_arrow import Coded, Objects, Spread, decimals, ids, instants, whole
from streams.many_sentences import Kinds, Lines, sentences

Prices = Sequence[tuple[Ints, Compiled, PricedMany]]
"""Sessions, the tariff that all of them have, and what it makes of them."""

_UNITS = {ENERGY: "kWh", TIME: "h", PARKING_TIME: "h", FLAT: "session"}


class _Kind(NamedTuple):
    """Lines of one component of one tariff; `line` is one of them but for its numbers."""

    tariff: Tariff
    line: Line
    known: Known

    @property
    def dimension(self) -> str:
        """As in the line."""
        return self.line.dimension


class _Rows(NamedTuple):
    """Lines, one entry each; `kind` indexes the list of kinds, `number` counts in the session."""

    session: Ints
    number: Ints
    kind: Ints
    quantity: Ints
    billed: Ints
    start_ms: Ints
    end_ms: Ints
    excl: Ints
    incl: Ints


def charges_table(
    prices: Prices,
    contracts: Objects,
    tenants: pa.DictionaryArray,
    session_ids: Ints,
    versions: Ints,
    say: ChargeWords,
) -> pa.Table | None:
    """Rows of `session_charges`; None where nothing was priced. `contracts`, `tenants`, `versions`
    and `session_ids` ((S, 2), the bytes) are those of all sessions.
    """
    kinds: list[_Kind] = []
    parts: list[_Rows] = []
    for members, compiled, priced in prices:
        if priced.lines and len(members):
            parts.append(_rows(members, priced, len(kinds)))
            zone = contracts.at(int(members[0])).zone
            kinds += [_kind(compiled, line, zone, say) for line in priced.lines]
    rows = _in_order(parts)
    if not len(rows.session):
        return None
    spread = Spread(np.bincount(rows.session, minlength=len(versions)))
    kind = Coded(rows.kind)
    seen = [kinds[k] for k in kind.keys.tolist()]
    units = [k.known.unit_micro for k in seen]
    return pa.table(
        {
            "tenant": spread.words(tenants),
            "session_id": ids(session_ids[rows.session]),
            "line": whole(rows.number, pa.uint16()),
            "version": whole(versions[rows.session], pa.uint64()),
            "dimension": kind.words([k.dimension for k in seen]),
            "quantity": decimals(_micro(rows.quantity, seen, kind), MONEY),
            "quantity_billed": decimals(_micro(rows.billed, seen, kind), MONEY),
            "unit": kind.words([_UNITS[k.dimension] for k in seen]),
            "unit_price": decimals(kind.spread(np.array(units, np.int64)), MONEY),
            "vat_percent": scaled([k.known.vat for k in seen], PERCENT).take(kind.codes),
            "amount_excl_vat": decimals(rows.excl, MONEY),
            "amount_vat": decimals(rows.incl - rows.excl, MONEY),
            "amount_incl_vat": decimals(rows.incl, MONEY),
            "currency": kind.words([k.tariff.currency for k in seen]),
            "because": _because(rows, seen, kind, contracts, say),
            "element": pa.array([k.line.element for k in seen], pa.int16()).take(kind.codes),
            "reservation": pa.array(np.zeros(len(rows.kind), np.uint8)),
            "starts_at": instants(rows.start_ms),
            "ends_at": instants(rows.end_ms),
        }
    )


def _kind(compiled: Compiled, line: PricedLine, zone: ZoneInfo, say: ChargeWords) -> _Kind:
    element, component = compiled.components[line.rule.component]
    share = line.rule.tax_share
    example = Line(line.dimension, False, element, component, 1, 1, 0, 0, 1, share, 0, 0)
    return _Kind(compiled.tariff, example, say.known(example, compiled.tariff, zone))


def _rows(members: Ints, priced: PricedMany, first_kind: int) -> _Rows:
    """The lines of one tariff, session by session."""
    lines = priced.lines
    present = np.stack([line.present for line in lines], axis=1)
    session, which = np.nonzero(present)
    columns = (
        np.stack([getattr(line, name) for line in lines], axis=1)[session, which]
        for name in ("quantity", "billed", "start_ms", "end_ms", "excl_micro", "incl_micro")
    )
    numbers = np.cumsum(present, axis=1)[session, which] - 1
    return _Rows(members[session], numbers, which + first_kind, *columns)


def _in_order(parts: Sequence[_Rows]) -> _Rows:
    """The lines of all tariffs in the order of the sessions."""
    if not parts:
        return _Rows(*(np.zeros(0, np.int64) for _ in _Rows._fields))
    rows = parts[0]
    if len(parts) > 1:
        rows = _Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    if (np.diff(rows.session) < 0).any():
        order = np.argsort(rows.session, kind="stable")
        rows = _Rows(*(column[order] for column in rows))
    return rows


def _micro(quantity: Ints, seen: Sequence[_Kind], kind: Coded) -> Ints:
    """Millionths of a kWh, an hour, a session, halves away from zero: one ms is 5/18 µh."""
    timed = np.array([k.dimension in (TIME, PARKING_TIME) for k in seen])
    factor = np.array([MICRO if k.dimension == FLAT else 1 for k in seen])
    hours = np.sign(quantity) * ((10 * np.abs(quantity) + 18) // 36)
    at = kind.codes.to_numpy()
    out: Ints = np.where(timed[at], hours, quantity * factor[at])
    return out


def _because(
    rows: _Rows,
    seen: Sequence[_Kind],
    kind: Coded,
    contracts: Objects,
    say: ChargeWords,
) -> pa.Array:
    zones = [c.zone for c in contracts.unique]
    zone = Coded.identity(zones)
    codes = kind.codes.to_numpy()

    def one(i: int) -> str:
        """A sentence that needs more than tables."""
        k = seen[codes[i]]
        numbers = rows.quantity[i], rows.billed[i], rows.start_ms[i], rows.end_ms[i]
        quantity, billed, start, end = map(int, numbers)
        line = k.line._replace(quantity=quantity, billed=billed, start_ms=start, end_ms=end)
        return say.sentence(line, k.known, k.tariff, contracts.at(int(rows.session[i])).zone)

    lines = Lines(
        kind=codes,
        zone=contracts.coded.spread(zone.codes.to_numpy())[rows.session],
        quantity=rows.quantity,
        billed=rows.billed,
        start_ms=rows.start_ms,
        end_ms=rows.end_ms,
    )
    kinds = Kinds([k.dimension for k in seen], [k.known for k in seen])
    return sentences(lines, kinds, zone.unique(zones), one)
