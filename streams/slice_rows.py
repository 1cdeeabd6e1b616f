"""Rows of `session_slices`: what one session did and cost in one 15-minute slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from streams.arrow import MONEY, SECONDS, WH, scaled, uuids, words
from streams.session_rows import Derived


def slices_table(rows: Sequence[Derived]) -> pa.Table:
    """Rows of `session_slices`."""
    counts = [len(r.slices) for r in rows]
    flat = [s for r in rows for s in r.slices]
    amounts = [a for r in rows for a in r.amounts]

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
            "tariff_id": words(spread([r.contract.tariff_id for r in rows])),
            "currency": words(spread([r.currency for r in rows])),
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


def _bits(values: Sequence[bool]) -> pa.Array:
    return pa.array(values, pa.bool_()).cast(pa.uint8())
