"""Rows of `session_charges`: the lines of a session's price, in order, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from streams.arrow import MONEY, scaled, times, uuids, words
from streams.charge_words import ChargeWords
from streams.core.pricing.model import ENERGY, PARKING_TIME, TIME
from streams.core.pricing.priced import DISCOUNT, MICRO, Line, half_up
from streams.session_rows import Derived

PERCENT = pa.decimal128(9, 4)
_MS_PER_HOUR = 3_600_000
_UNITS = {ENERGY: "kWh", TIME: "h", PARKING_TIME: "h", DISCOUNT: "share"}
_UNIT_OF_ONCE = "session"


def charges_table(rows: Sequence[Derived], say: ChargeWords) -> pa.Table | None:
    """Rows of `session_charges`; None where nothing was priced."""
    owners: list[Derived] = []
    numbers: list[int] = []
    lines: list[Line] = []
    excl: list[int] = []
    incl: list[int] = []
    for row in rows:
        if row.priced is None:
            continue
        for number, (line, money) in enumerate(
            zip(row.priced.lines, row.priced.line_micro(), strict=True)
        ):
            owners.append(row)
            numbers.append(number)
            lines.append(line)
            excl.append(money.excl)
            incl.append(money.incl)
    if not lines:
        return None
    contracts = [r.contract for r in owners]
    known = [say.known(x, c.tariff, c.zone) for x, c in zip(lines, contracts, strict=True)]
    prices = [
        k.unit_micro if x.component is not None else (0 if x.dimension == DISCOUNT else amount)
        for k, x, amount in zip(known, lines, excl, strict=True)
    ]
    return pa.table(
        {
            "tenant": words([r.session.station.key[0] for r in owners]),
            "session_id": uuids(r.session.session_id for r in owners),
            "line": pa.array(numbers, pa.uint16()),
            "version": pa.array([r.version for r in owners], pa.uint64()),
            "dimension": words([x.dimension for x in lines]),
            "quantity": scaled([_micro(x, x.quantity) for x in lines], MONEY),
            "quantity_billed": scaled([_micro(x, x.billed) for x in lines], MONEY),
            "unit": words([_UNITS.get(x.dimension, _UNIT_OF_ONCE) for x in lines]),
            "unit_price": scaled(prices, MONEY),
            "vat_percent": scaled([k.vat for k in known], PERCENT),
            "amount_excl_vat": scaled(excl, MONEY),
            "amount_vat": scaled([i - e for i, e in zip(incl, excl, strict=True)], MONEY),
            "amount_incl_vat": scaled(incl, MONEY),
            "currency": words([r.currency for r in owners]),
            "because": pa.array(
                [
                    say.sentence(x, k, c.tariff, c.zone)
                    for x, k, c in zip(lines, known, contracts, strict=True)
                ],
                pa.string(),
            ),
            "element": pa.array([x.element for x in lines], pa.int16()),
            "reservation": pa.array([x.reservation for x in lines], pa.bool_()).cast(pa.uint8()),
            "starts_at": times([x.start_ms for x in lines]),
            "ends_at": times([x.end_ms for x in lines]),
        }
    )


def _micro(line: Line, quantity: int) -> int:
    """A quantity in millionths of its unit: mWh are millionths of a kWh already."""
    if line.dimension == ENERGY:
        return quantity
    if line.dimension in (TIME, PARKING_TIME):
        return half_up(quantity * MICRO, _MS_PER_HOUR)
    if line.dimension == DISCOUNT:
        return half_up(line.quantity * MICRO, line.billed)
    return quantity * MICRO
