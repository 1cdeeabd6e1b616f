"""Rows of `sessions`, `session_slices` and `session_charges`: one derived session each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from streams.arrow import MONEY, SECONDS, STRINGS, WH, scaled, times, uuids, words
from streams.catalogue import Catalogue, StationInfo
from streams.core import facts as status
from streams.core.book import Session
from streams.core.derive import derive
from streams.core.facts import Facts
from streams.core.pricing.price import Line, Priced, Usage, accrue, price
from streams.core.pricing.tariff import ENERGY, FLAT, Tariff, Unsupported
from streams.core.slices import Slice, slice_session

SLICE_S = 900
VERSION_BITS = 40
COUNT_BITS = 28
_PRICED = frozenset({"", "not_ended"})
_MS_PER_HOUR = 3_600_000


@dataclass(slots=True)
class Derived:
    """One session as it will be written."""

    session: Session
    version: int
    facts: Facts
    station: StationInfo
    tariff_id: str = ""
    priced: Priced | None = None
    slices: list[Slice] = field(default_factory=list)
    amounts: list[tuple[int, int]] = field(default_factory=list)
    event_count: int = 0

    @property
    def counted(self) -> bool:
        """In the standard totals."""
        return not self.facts.quarantine_reason


def derive_session(session: Session, catalogue: Catalogue) -> Derived | None:
    """The rows of one session; None where the store already holds this knowledge.

    version = catalogue revision << 40 | moves << 28 | 2 × distinct events + superseded, where
    moves count how often events left the session: their number alone would let it fall.
    """
    count = len(session.events)
    moves = (session.version % (1 << VERSION_BITS) >> COUNT_BITS) + session.forced
    knowledge = (moves << COUNT_BITS) + 2 * count + session.superseded
    version = (catalogue.revision << VERSION_BITS) | knowledge
    if version <= session.version:
        return None
    if count == 0:
        return None if session.version == 0 else _tombstone(session, version)
    info = catalogue.station(session.station.key)
    facts = derive(session.events, superseded=session.superseded, rated_power_w=info.rated_power_w)
    out = Derived(session, version, facts, info, info.tariff_id, event_count=count)
    out.slices = slice_session(facts)
    _price(out, catalogue.tariff(session.station.key[0], info.tariff_id))
    _cover_old_slices(out)
    return out


def _price(out: Derived, tariff: Tariff | Unsupported | None) -> None:
    facts = out.facts
    if not isinstance(tariff, Tariff) or facts.quarantine_reason not in _PRICED:
        return
    usage = Usage(facts.energy_mwh or 0, facts.charging_ms, facts.idle_ms)
    out.priced = price(tariff, usage)
    out.amounts = accrue(tariff, out.slices)


def _cover_old_slices(out: Derived) -> None:
    """Slices written before that no longer apply are written as zeros at the new version."""
    session = out.session
    starts = [s.start // 1000 for s in out.slices]
    old_first, old_last = session.slice_first, session.slice_last
    if old_first is not None and old_last is not None:
        now = set(starts)
        gone = [t for t in range(old_first, old_last + 1, SLICE_S) if t not in now]
        out.amounts = out.amounts or [(0, 0)] * len(out.slices)
        out.slices = [*out.slices, *(Slice(t * 1000, 0, 0, 0, 0) for t in gone)]
        out.amounts = [*out.amounts, *((0, 0) for _ in gone)]
        starts += [old_first, old_last]
    if starts:
        session.slice_first, session.slice_last = min(starts), max(starts)


def _tombstone(session: Session, version: int) -> Derived:
    nothing = Facts(
        status.RELEASED, "released", "set_aside", (), None, None, 0, 0, 0, -1, -1, "", "", "",
        None, 0, None, None, None, 0, 0, 0, None, "", (), (), by_state=False,
    )  # fmt: skip
    out = Derived(session, version, nothing, StationInfo())
    _cover_old_slices(out)
    return out


def sessions_table(rows: Sequence[Derived]) -> pa.Table:
    """Rows of `sessions`."""
    f = [r.facts for r in rows]
    s = [r.session for r in rows]
    infos = [r.station for r in rows]
    excl = [None if r.priced is None else r.priced.excl_micro for r in rows]
    vat = [None if r.priced is None else r.priced.vat_micro for r in rows]
    return pa.table(
        {
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
            "currency": words(["" if r.priced is None else r.priced.currency for r in rows]),
            "tariff_id": pa.array([r.tariff_id for r in rows], pa.string()),
            "amount_excl_vat": scaled(excl, MONEY),
            "amount_vat": scaled(vat, MONEY),
            "amount_incl_vat": scaled(
                [None if e is None or v is None else e + v for e, v in zip(excl, vat, strict=True)],
                MONEY,
            ),
            "paid_amount": scaled([x.paid_micro for x in f], MONEY),
            "paid_currency": words([x.paid_currency for x in f]),
            "grade": words([x.grade for x in f]),
            "flags": pa.array([list(x.flags) for x in f], STRINGS),
            "quarantine_reason": words([x.quarantine_reason for x in f]),
            "event_count": pa.array([r.event_count for r in rows], pa.uint32()),
            "slice_first": pa.array([x.slice_first for x in s], pa.uint32()),
            "slice_last": pa.array([x.slice_last for x in s], pa.uint32()),
        }
    )


def _index(values: Sequence[int]) -> pa.Array:
    return pa.array([None if v < 0 else v for v in values], pa.int32())


def _bits(values: Sequence[bool]) -> pa.Array:
    return pa.array(values, pa.bool_()).cast(pa.uint8())


def slices_table(rows: Sequence[Derived]) -> pa.Table:
    """Rows of `session_slices`."""
    counts = [len(r.slices) for r in rows]
    flat = [s for r in rows for s in r.slices]
    amounts = [a for r in rows for a in (r.amounts or [(0, 0)] * len(r.slices))]

    def spread(values: list[Any]) -> list[Any]:
        return [v for v, n in zip(values, counts, strict=True) for _ in range(n)]

    return pa.table(
        {
            "tenant": words(spread([r.session.station.key[0] for r in rows])),
            "slice_start": pa.array([s.start // 1000 for s in flat], pa.uint32()),
            "station_id": words(spread([r.session.station.key[1] for r in rows])),
            "session_id": uuids(spread([r.session.session_id for r in rows])),
            "version": pa.array(spread([r.version for r in rows]), pa.uint64()),
            "area": words(spread([r.station.area or r.facts.area for r in rows])),
            "driver_key": words(spread([r.facts.id_token for r in rows])),
            "tariff_id": words(spread([r.tariff_id for r in rows])),
            "currency": words(spread(["" if not r.priced else r.priced.currency for r in rows])),
            "energy_wh": scaled([s.energy_mwh for s in flat], WH),
            "export_wh": scaled([0] * len(flat), WH),
            "occupied_s": scaled([s.occupied_ms for s in flat], SECONDS),
            "charging_s": scaled([s.charging_ms for s in flat], SECONDS),
            "idle_s": scaled([s.idle_ms for s in flat], SECONDS),
            "amount_excl_vat": scaled([a[0] for a in amounts], MONEY),
            "amount_incl_vat": scaled([a[1] for a in amounts], MONEY),
            "provisional": _bits(spread([r.facts.ended_ms is None for r in rows])),
            "counted": _bits(spread([r.counted for r in rows])),
        }
    )


def charges_table(rows: Sequence[Derived]) -> pa.Table | None:
    """Rows of `session_charges`; None where nothing was priced."""
    lines: list[tuple[Derived, int, Line]] = [
        (r, i, line) for r in rows if r.priced is not None for i, line in enumerate(r.priced.lines)
    ]
    if not lines:
        return None
    column: Callable[[Callable[[Line], Any]], list[Any]] = lambda get: [get(x[2]) for x in lines]  # noqa: E731  # one-line column reader
    return pa.table(
        {
            "tenant": words([r.session.station.key[0] for r, _, _ in lines]),
            "session_id": uuids(r.session.session_id for r, _, _ in lines),
            "line": pa.array([i for _, i, _ in lines], pa.uint16()),
            "version": pa.array([r.version for r, _, _ in lines], pa.uint64()),
            "dimension": words(column(lambda x: x.component.dimension)),
            "quantity": scaled(column(_quantity_micro), MONEY),
            "unit": words(column(_unit)),
            "unit_price": scaled(column(lambda x: x.component.price.times(1_000_000)), MONEY),
            "vat_percent": pa.array(column(lambda x: x.component.vat_text or None), pa.string()),
            "amount_excl_vat": scaled(column(lambda x: x.excl_micro), MONEY),
            "amount_vat": scaled(column(lambda x: x.vat_micro), MONEY),
            "currency": words([r.priced.currency if r.priced else "" for r, _, _ in lines]),
            "because": pa.array(column(_because), pa.string()),
        }
    )


def _unit(line: Line) -> str:
    dimension = line.component.dimension
    return "kWh" if dimension == ENERGY else ("session" if dimension == FLAT else "h")


def _quantity_micro(line: Line) -> int:
    """Quantity in millionths of its unit: mWh are millionths of a kWh already."""
    dimension = line.component.dimension
    if dimension == ENERGY:
        return line.quantity
    if dimension == FLAT:
        return 1_000_000
    return (2 * line.quantity * 1_000_000 + _MS_PER_HOUR) // (2 * _MS_PER_HOUR)


def _because(line: Line) -> str:
    component = line.component
    vat = f", VAT {component.vat_text} %" if component.vat_text else ""
    return f"{component.dimension} at {component.price_text} per {_unit(line)}{vat}"
