"""Rows of the table `events`: written column by column, read back into core events.

What few events carry goes as JSON into `attributes`, in normalised form, because it is part
of the identity of a row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, cast

import msgspec
import pyarrow as pa

from schemas import wire
from schemas.card_fields import is_card, mask_event
from schemas.errors import Rejection
from schemas.units import wh_text, wh_to_mwh
from schemas.wire import WireEvent
from streams.arrow import WH, scaled, times
from streams.cards import mask_notes, suspicious
from streams.convert import CORE_FLAGS, milli
from streams.core.events import (
    CURRENT,
    ENDED,
    EXPIRED,
    SAMPLE,
    STARTED,
    STATE,
    CoreEvent,
    Ended,
    Expired,
    Sample,
    Started,
    StateChanged,
)
from streams.decode import Decoded, parse_times

SOC = pa.decimal128(9, 3)
_SOC_LIMIT = 100_000_000
_ENCODE = msgspec.json.Encoder(order="sorted").encode


@dataclass(slots=True)
class PendingRows:
    """Accepted events waiting for the flush.

    The columns are built chunk by chunk, while the events are in the processor's cache;
    only the session is missing. `homes[i]` is whatever the book returned for row i of all
    tables together, `cores[i]` its core event: the session id is known at the flush.
    """

    topic: str
    tables: list[pa.Table] = field(default_factory=list)
    cores: list[CoreEvent | None] = field(default_factory=list)
    homes: list[Any] = field(default_factory=list)
    hot: list[pa.Table] = field(default_factory=list)
    """Rows of the fast lane, whose sessions are known already."""

    def __bool__(self) -> bool:
        """There are rows."""
        return bool(self.tables or self.hot)

    def take(
        self,
        d: Decoded,
        partitions: Sequence[int],
        homes: list[Any],
        known: Sequence[int] = (),
    ) -> None:
        """Add what was decoded, but for the places `known`; `partitions` are the events'."""
        if not d.events:
            return
        table, cores = _columns(d, self.topic, partitions), d.cores
        if known:
            new = [True] * len(homes)
            for i in known:
                new[i] = False
            table = table.filter(pa.array(new))
            cores, homes = list(compress(cores, new)), list(compress(homes, new))
        self.tables.append(table)
        self.cores.extend(cores)
        self.homes.extend(homes)

    def forget(self, partitions: Collection[int]) -> None:
        """Drop what came from these partitions."""
        self.hot = [_without(table, partitions) for table in self.hot]
        if self.tables:
            table = pa.concat_tables(self.tables)
            keep = [p not in partitions for p in table["kafka_partition"].to_pylist()]
            self.tables = [table.filter(pa.array(keep))]
            self.cores = list(compress(self.cores, keep))
            self.homes = list(compress(self.homes, keep))
        self.hot = [table for table in self.hot if len(table)]
        self.tables = [table for table in self.tables if len(table)]

    def table(self, session_ids: list[bytes]) -> pa.Table:
        """All rows with their sessions (16 bytes each)."""
        if not self.tables:
            return pa.concat_tables(self.hot)
        ids = pa.array(session_ids, pa.binary(16))
        general = pa.concat_tables(self.tables).append_column("session_id", ids)
        hot = [table.select(general.column_names) for table in self.hot]
        return pa.concat_tables([general, *hot])


def _without(table: pa.Table, partitions: Collection[int]) -> pa.Table:
    keep = [p not in partitions for p in table["kafka_partition"].to_pylist()]
    return table.filter(pa.array(keep, pa.bool_()))


def _columns(d: Decoded, topic: str, partitions: Sequence[int]) -> pa.Table:
    """The columns of `events` but for the session."""
    events, cores = d.events, d.cores
    count = len(events)
    classes = [type(e) for e in events]
    samples = [
        cast("Sample", c) if k is wire.MeterSampled else None
        for k, c in zip(classes, cores, strict=True)
    ]
    # Before the notes are taken, since this may flag a card.
    attributes = [attributes_of(e, c) for e, c in zip(events, cores, strict=True)]
    message_ids, gateways, flags = _notes(events)
    if suspicious([*message_ids, *set(gateways), *set(flags)]):
        mask_notes(events)
        message_ids, gateways, flags = _notes(events)
    columns = {
        "tenant": _text([e.tenant for e in events]),
        "station_id": _text([e.station_id for e in events]),
        "timestamp": times(d.times),
        "type": _text([_TAGS[k] for k in classes]),
        "protocol": _text([e.protocol for e in events]),
        "evse_id": pa.array([e.evse_id for e in events], pa.int32()),
        "connector_id": pa.array([e.connector_id for e in events], pa.int32()),
        "transaction_id": _text([e.transaction_id or "" for e in events]),
        "seq_no": pa.array([e.seq_no for e in events], pa.int32()),
        "context": _text(["" if s is None else s.context for s in samples]),
        "charging_state": _text(_field(events, classes, _WITH_STATE, "charging_state")),
        "id_token": _text(_field(events, classes, _WITH_TOKEN, "id_token")),
        "meter_wh": _decimals(
            [
                _meter_mwh(e) if k in _WITH_METER else None
                for e, k in zip(events, classes, strict=True)
            ],
            WH,
        ),
        "import_wh": _decimals([None if s is None else s.import_mwh for s in samples], WH),
        "export_wh": _decimals([None if s is None else s.export_mwh for s in samples], WH),
        "power_w": _decimals([None if s is None else s.power_mw for s in samples], WH),
        "soc_percent": _decimals(
            [
                _soc(e) if k is wire.MeterSampled else None
                for e, k in zip(events, classes, strict=True)
            ],
            SOC,
        ),
        "attributes": _text(attributes),
        "flags": _text(flags),
        "received_at": times(_received(events)),
        "message_id": _text(message_ids),
        "offline": pa.array([int(e.offline) for e in events], pa.uint8()),
        "gateway": _text(gateways),
        "kafka_topic": pa.repeat(topic, count),
        "kafka_partition": pa.array(partitions, pa.int32()),
        "kafka_offset": pa.array(d.offsets, pa.int64()),
        "kafka_index": pa.array(d.indexes, pa.int32()),
    }
    return pa.Table.from_arrays(list(columns.values()), list(columns))


_TAGS: dict[type, str] = {
    wire.MeterSampled: "meter_sampled",
    wire.SessionStarted: "session_started",
    wire.SessionEnded: "session_ended",
    wire.ChargingStateChanged: "charging_state_changed",
    wire.SessionExpired: "session_expired",
    wire.StationStatus: "station_status",
    wire.Authorization: "authorization",
}
_WITH_METER = frozenset({wire.SessionStarted, wire.SessionEnded})
_WITH_STATE = _WITH_METER | {wire.ChargingStateChanged}
_WITH_TOKEN = _WITH_STATE | {wire.Authorization}


def _notes(events: Sequence[WireEvent]) -> tuple[list[str], list[str], list[str]]:
    """Message ids, gateways and flags: how the events came."""
    return (
        [e.message_id or "" for e in events],
        [e.gateway or "" for e in events],
        [",".join(e.flags) if e.flags else "" for e in events],
    )


def _text(values: list[str]) -> pa.Array:
    return pa.array(values, pa.string())


def _decimals(values: list[int | None], kind: pa.Decimal128Type) -> pa.Array:
    none = values.count(None) == len(values)
    return pa.nulls(len(values), kind) if none else scaled(values, kind)


def _field(
    events: Sequence[WireEvent], classes: Sequence[type], having: frozenset[type], name: str
) -> list[str]:
    return [
        (getattr(e, name) or "") if k in having else ""
        for e, k in zip(events, classes, strict=True)
    ]


def _meter_mwh(e: WireEvent) -> int | None:
    if isinstance(e, wire.SessionStarted):
        value = e.meter_start_wh
    elif isinstance(e, wire.SessionEnded):
        value = e.meter_stop_wh
    else:
        return None
    return None if value is None else wh_to_mwh(value)


def _soc(e: WireEvent) -> int | None:
    text = cast("wire.MeterSampled", e).soc_percent
    if text is None:
        return None
    value = milli("soc_percent", text)
    return value if value is not None and abs(value) <= _SOC_LIMIT else None


def _received(events: Sequence[WireEvent]) -> list[int | None]:
    """Arrival times; one that cannot be read is a transport fact lost, not a bad event."""
    texts = [e.received_at for e in events]
    if None in texts:
        given = parse_times([t for t in texts if t is not None])
        found = iter(given)
        return [None if t is None else _known(next(found)) for t in texts]
    return [_known(t) for t in parse_times(cast("list[str]", texts))]


def _known(time: int | Rejection) -> int | None:
    return time if type(time) is int else None


def attributes_of(e: WireEvent, core: CoreEvent | None) -> str:
    """What few events carry, as JSON."""
    if isinstance(e, wire.MeterSampled):
        extra = cast("Sample", core).extra
        if not (extra or e.other or e.signed_data) and e.current_a is None:
            return ""
        found = _sample_attributes(e, extra)
    elif isinstance(e, wire.SessionEnded):
        found = _ended_attributes(e, cast("Ended", core))
    else:
        given = ((name, getattr(e, name)) for name in _PLAIN.get(type(e), ()))
        found = {name: v for name, v in given if v is not None and not is_card(v)}
    return _ENCODE(found).decode() if found else ""


def _sample_attributes(e: wire.MeterSampled, extra: tuple[tuple[str, int], ...]) -> dict[str, Any]:
    out: dict[str, Any] = {name: wh_text(value) for name, value in extra if name != CURRENT}
    if e.current_a is not None:
        out["current_a"] = str(e.current_a)
    if e.signed_data or e.other:
        mask_event(e)
    if e.signed_data:
        out["signed_data"] = e.signed_data
    if e.other:
        out["other"] = e.other
    return out


def _ended_attributes(e: wire.SessionEnded, core: Ended) -> dict[str, Any]:
    fields = {
        "reason": e.reason,
        "trigger_reason": e.trigger_reason,
        "energy_wh": None if core.energy_mwh is None else wh_text(core.energy_mwh),
        "paid_micro": core.paid_micro,
        "paid_currency": e.paid_currency,
    }
    return {name: value for name, value in fields.items() if value is not None}


_PLAIN: dict[type, tuple[str, ...]] = {
    wire.SessionStarted: ("area", "reservation_id", "trigger_reason"),
    wire.ChargingStateChanged: ("trigger_reason",),
    wire.SessionExpired: ("session_id", "silence_s"),
    wire.StationStatus: ("status", "error_code", "vendor_error_code", "info"),
    wire.Authorization: ("status",),
}

READ_COLUMNS = (
    "id",
    "transaction_id",
    "type",
    "timestamp_ms",
    "seq_no",
    "context",
    "charging_state",
    "id_token",
    "meter_mwh",
    "import_mwh",
    "export_mwh",
    "power_mw",
    "connector_id",
    "evse_id",
    "attributes",
    "flags",
    "protocol",
)
"""What a sink must give back of a stored event, as text, integers or None, to `core_event`;
`id` is the session's."""


def core_event(row: Mapping[str, Any]) -> CoreEvent:
    """The core event a stored row was made from: equal to the one that was accepted."""
    kind, ts = row["type"], row["timestamp_ms"]
    seq = -1 if row["seq_no"] is None else row["seq_no"]
    connector = -1 if row["connector_id"] is None else row["connector_id"]
    evse = -1 if row["evse_id"] is None else row["evse_id"]
    extra: dict[str, Any] = msgspec.json.decode(row["attributes"]) if row["attributes"] else {}
    flags = tuple(f for f in CORE_FLAGS if f in row["flags"].split(",")) if row["flags"] else ()
    meter = None if row["protocol"] == "import" else row["meter_mwh"]
    if kind == "meter_sampled":
        series: tuple[tuple[str, int], ...] = tuple(
            (name, wh_to_mwh(extra[name]))
            for name in ("l1", "l2", "l3", "interval", "inlet")
            if name in extra
        )
        current = milli("current_a", extra.get("current_a"))
        if current is not None:
            series = (*series, (CURRENT, current))
        values = (row["import_mwh"], row["export_mwh"], row["power_mw"])
        return Sample(SAMPLE, ts, seq, row["context"], *values, connector, evse, series, flags)
    token, state = row["id_token"], row["charging_state"]
    if kind == "session_started":
        area = extra.get("area", "")
        return Started(STARTED, ts, seq, meter, token, connector, evse, state, area, flags)
    if kind == "session_ended":
        energy = extra.get("energy_wh")
        return Ended(
            ENDED,
            ts,
            seq,
            meter,
            token,
            extra.get("reason", ""),
            connector,
            evse,
            state,
            None if energy is None else wh_to_mwh(energy),
            extra.get("paid_micro"),
            extra.get("paid_currency", ""),
            flags,
        )
    if kind == "charging_state_changed":
        return StateChanged(STATE, ts, seq, state, token, connector, evse, flags)
    return Expired(EXPIRED, ts, connector=connector)
