"""Plain starts, changes of state and ends that match a pattern: core events and rows, together.

What a start says beside its numbers and names (its area, its state, why it was told) is the same in
all values of a pattern: it is read once, from the value that the pattern was made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final, cast

import pyarrow as pa

from schemas import wire
from streams.arrow import WH
from streams.chunk import Chunk, TopicPartition
from streams.core.columns import ABSENT, Ints
from streams.core.events import KINDS, CoreEvent
from streams.core.packed import Packed
from streams.decode import decode_chunk
from streams.event_rows import attributes_of
from streams.hot_matched import index_of, keys_in, milli_of, shared_columns
from streams.hot_rows import decimals, event_table, index
from streams.patterns import Pattern
from streams.spans import Matched

HEADS: Final[dict[type[wire.WireEvent], tuple[str, str]]] = {
    wire.SessionStarted: ("session_started", "meter_start_wh"),
    wire.ChargingStateChanged: ("charging_state_changed", ""),
    wire.SessionEnded: ("session_ended", "meter_stop_wh"),
}
"""Their type and the register they tell."""


@dataclass(slots=True)
class HotHeads:
    """n events of one kind and one chunk; all fields parallel."""

    places: Ints
    """In the chunk, rising."""
    keys: Packed
    protocol: str
    cores: list[CoreEvent]
    table: pa.Table
    """Columns of `events` but for the session, the partition and the offset."""


@dataclass(slots=True)
class Head:
    """What all values of a pattern say."""

    kind: type[wire.WireEvent]
    core: CoreEvent
    attributes: str


def head_of(value: bytes, event: wire.WireEvent) -> Head | None:
    """What `event`, read from `value`, says; None where it is not plain."""
    if not (event.protocol.startswith("ocpp2") and event.transaction_id) or event.flags:
        return None
    if isinstance(event, wire.SessionStarted) and event.reservation_id is not None:
        return None
    if isinstance(event, wire.SessionEnded) and (
        event.energy_wh is not None or event.paid_amount is not None or event.paid_currency
    ):
        return None
    chunk = Chunk(TopicPartition("", 0), range(1), [value], [None], 1)
    found = decode_chunk(chunk)
    if len(found.events) != 1 or found.events[0].flags or found.cores[0] is None:
        return None
    return Head(type(event), found.cores[0], attributes_of(found.events[0], found.cores[0]))


def heads_from(head: Head, pattern: Pattern, m: Matched, topic: str) -> HotHeads:
    """All that matched, as events and rows."""
    n = len(m.rows)
    name, register = HEADS[head.kind]
    evse, connector = index_of(m, "evse_id"), index_of(m, "connector_id")
    seq, meter = index_of(m, "seq_no"), milli_of(m, register)
    columns = shared_columns(pattern.constants, m) | {
        "type": pa.repeat(name, n),
        "evse_id": index(evse),
        "connector_id": index(connector),
        "seq_no": index(seq),
        "charging_state": pa.repeat(pattern.constants.get("charging_state") or "", n),
        "meter_wh": decimals(meter, WH),
        "attributes": pa.repeat(head.attributes, n),
    }
    tokens = m.texts.get("id_token")
    if tokens is not None:
        columns["id_token"] = tokens.arrow()
    told: Any = {
        "ts": m.times["timestamp"].tolist(),
        "seq": seq.tolist(),
        "meter_mwh": [None if mwh == ABSENT else mwh for mwh in meter.tolist()],
        "id_token": [""] * n if tokens is None else tokens.to_pylist(),
        "connector": connector.tolist(),
        "evse": evse.tolist(),
    }
    return HotHeads(
        m.rows,
        keys_in(pattern.constants, m),
        pattern.constants["protocol"],
        _cores(head.core, told),
        event_table(columns, n, topic),
    )


def _cores(example: CoreEvent, told: dict[str, Sequence[Any]]) -> list[CoreEvent]:
    """Like the example but for what is told of each."""
    kind = KINDS[example.kind]
    fields = [
        told[name] if name in told else repeat(value)
        for name, value in zip(kind._fields, example, strict=True)
    ]
    return cast("list[CoreEvent]", list(map(kind._make, zip(*fields, strict=False))))
