"""The hot path's form of `schemas.events`: msgspec structs, and the one encoder.

Same fields, same JSON. Tests decode every example and generated input with both and
compare. Times stay text here (a chunk's are parsed at once by the reader), registers are
`int | str | float` until `schemas.units.wh_to_mwh` makes them exact.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from schemas.topics import event_key

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Text = Annotated[str, msgspec.Meta(max_length=1000)]
Number = int | str | float
Index = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
ProtocolName = Literal["ocpp1.6", "ocpp2.0.1", "ocpp2.1", "import"]
State = Literal["Charging", "EVConnected", "SuspendedEV", "SuspendedEVSE", "Idle"]


class WireEvent(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True, tag_field="type"):
    """Common fields, see `schemas.events.EventBase`."""

    tenant: Name
    station_id: Name
    protocol: ProtocolName
    timestamp: str
    evse_id: Index | None = None
    connector_id: Index | None = None
    transaction_id: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    received_at: str | None = None
    seq_no: Index | None = None
    message_id: Text | None = None
    offline: bool = False
    gateway: Text | None = None
    flags: tuple[str, ...] = ()


class SessionStarted(WireEvent, tag="session_started"):
    """See `schemas.events.SessionStarted`."""

    id_token: Text | None = None
    meter_start_wh: Number | None = None
    reservation_id: int | None = None
    charging_state: State | None = None
    trigger_reason: Text | None = None
    area: Text | None = None


class MeterSampled(WireEvent, tag="meter_sampled"):
    """See `schemas.events.MeterSampled`."""

    context: Text = "Sample.Periodic"
    import_wh: Number | None = None
    export_wh: Number | None = None
    import_l1_wh: Number | None = None
    import_l2_wh: Number | None = None
    import_l3_wh: Number | None = None
    import_interval_wh: Number | None = None
    inlet_import_wh: Number | None = None
    power_w: Number | None = None
    current_a: Number | None = None
    soc_percent: Number | None = None
    signed_data: Annotated[str, msgspec.Meta(max_length=200_000)] | None = None
    other: dict[str, str] = {}


class ChargingStateChanged(WireEvent, tag="charging_state_changed"):
    """See `schemas.events.ChargingStateChanged`."""

    charging_state: State | None = None
    trigger_reason: Text | None = None
    id_token: Text | None = None


class SessionEnded(WireEvent, tag="session_ended"):
    """See `schemas.events.SessionEnded`."""

    id_token: Text | None = None
    meter_stop_wh: Number | None = None
    reason: Text | None = None
    trigger_reason: Text | None = None
    charging_state: State | None = None
    energy_wh: Number | None = None
    paid_amount: Number | None = None
    paid_currency: str | None = None


class SessionExpired(WireEvent, tag="session_expired"):
    """See `schemas.events.SessionExpired`."""

    session_id: str
    silence_s: Annotated[int, msgspec.Meta(ge=0)]


class StationStatus(WireEvent, tag="station_status"):
    """See `schemas.events.StationStatus`."""

    status: Name
    error_code: Text | None = None
    vendor_error_code: Text | None = None
    info: Text | None = None


class Authorization(WireEvent, tag="authorization"):
    """See `schemas.events.Authorization`."""

    id_token: Text
    status: Text | None = None


AnyEvent = (
    SessionStarted
    | MeterSampled
    | ChargingStateChanged
    | SessionEnded
    | SessionExpired
    | StationStatus
    | Authorization
)
"""Everything `charging.events` may carry."""

_ENCODER = msgspec.json.Encoder()


def encode(event: WireEvent) -> bytes:
    """The JSON bytes of one event, as they go to Kafka."""
    return _ENCODER.encode(event)


def key_of(event: WireEvent) -> bytes:
    """The Kafka key of one event."""
    return event_key(event.tenant, event.station_id)
