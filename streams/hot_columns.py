"""Fields of many plain samples as columns, wherever they were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.units import MAX_WH
from streams.core.columns import Ints, Small
from streams.core.packed import Packed

MOST_MWH = MAX_WH * 1000
MOST_MILLI = 2**31 - 1
"""Of power and current; more is no plain sample."""

MOST_SOC = 100_000_000
_FEW = 63
"""Connectors and EVSEs up to here are counted in a small table."""

Shape = tuple[str, int, int]


@dataclass(slots=True)
class HotColumns:
    """n samples; all fields parallel. Columns of text have "" where nothing is given."""

    places: Ints
    """In the chunk, rising."""
    keys: Packed
    protocols: Sequence[str]
    contexts: Sequence[str]
    texts: Mapping[str, pa.Array]
    """By name of column, all of `TEXT_COLUMNS`."""
    received_at: pa.Array
    offline: pa.Array
    ts: Ints
    evse: Small
    """-1: unknown; so are the next two."""
    connector: Small
    seq: Small
    import_mwh: Ints
    """ABSENT: none; so are the next three."""
    power_mw: Ints
    current_ma: Ints
    soc_milli: Ints


TEXT_COLUMNS = (
    "tenant",
    "station_id",
    "protocol",
    "transaction_id",
    "context",
    "message_id",
    "gateway",
    "attributes",
)


_LISTS = ("protocols", "contexts")
_ARROWS = ("received_at", "offline")
_NUMBERS = (
    "places", "ts", "evse", "connector", "seq",
    "import_mwh", "power_mw", "current_ma", "soc_milli",
)  # fmt: skip


def joined(parts: Sequence[HotColumns]) -> HotColumns:
    """Columns of the same chunk as one, in the order of their places; at least one."""
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.concatenate([part.places for part in parts]), kind="stable")
    which = order.tolist()

    def numbers(name: str) -> Any:  # noqa: ANN401 - Ints or Small, as the field is
        return np.concatenate([getattr(part, name) for part in parts])[order]

    def listed(name: str) -> list[str]:
        flat = [each for part in parts for each in getattr(part, name)]
        return [flat[i] for i in which]

    def arrow(columns: list[pa.Array]) -> pa.Array:
        return pa.concat_arrays(columns).take(pa.array(order))

    texts = {name: arrow([part.texts[name] for part in parts]) for name in TEXT_COLUMNS}
    columns: dict[str, Any] = {
        **{name: numbers(name) for name in _NUMBERS},
        **{name: listed(name) for name in _LISTS},
        **{name: arrow([getattr(part, name) for part in parts]) for name in _ARROWS},
    }
    return HotColumns(
        **columns, keys=Packed.joined([part.keys for part in parts], order), texts=texts
    )


def same(values: Sequence[object]) -> bool:
    """Whether all of at least one value are equal."""
    first = values[0]
    return values[-1] == first and values.count(first) == len(values)


class _Codes(dict[Shape, int]):
    """Numbers things in the order they are first asked for."""

    def __missing__(self, key: Shape) -> int:
        self[key] = code = len(self)
        return code


def shapes_of(c: HotColumns) -> tuple[Small, list[Shape]]:
    """Codes of (context, connector, evse), and what they mean."""
    context = c.contexts[0]
    if same(c.contexts) and max(c.connector.max(), c.evse.max()) < _FEW:
        mixed = (c.connector + 1) * (_FEW + 1) + c.evse + 1
        used = np.flatnonzero(np.bincount(mixed))
        code_of = np.zeros(int(used[-1]) + 1, np.int32)
        code_of[used] = np.arange(len(used))
        connectors, evses = np.divmod(used, _FEW + 1)
        pairs = zip(connectors.tolist(), evses.tolist(), strict=True)
        return code_of[mixed], [(context, a - 1, b - 1) for a, b in pairs]
    codes = _Codes()
    each = map(
        codes.__getitem__, zip(c.contexts, c.connector.tolist(), c.evse.tolist(), strict=True)
    )
    return np.fromiter(each, np.int32, len(c.ts)), list(codes)
