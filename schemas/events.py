"""Events: what travels on `charging.events`. These pydantic models are the contract.

Every event carries `EventBase`; `type` is the tag. Registers are exact decimals in Wh
(JSON integer, or decimal text where there are fractions), times are aware and UTC on the
wire, unknown fields are ignored. Sources: OCPP 1.6 ed2, OCPP 2.0.1 ed3, OCPP 2.1 ed1.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from schemas.units import MAX_WH

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""An identifier: one to 255 characters, no control characters."""

Text = Annotated[str, Field(max_length=1000)]
RegisterWh = Annotated[Decimal, Field(ge=-MAX_WH, le=MAX_WH, allow_inf_nan=False)]
Small = Annotated[Decimal, Field(ge=-(10**9), le=10**9, allow_inf_nan=False)]


class Protocol(StrEnum):
    """What the source spoke; decides how events of a session find each other."""

    OCPP16 = "ocpp1.6"
    OCPP201 = "ocpp2.0.1"
    OCPP21 = "ocpp2.1"
    IMPORT = "import"
    """Rows of past sessions: `transaction_id` names the session, as in OCPP 2.x."""


class ChargingState(StrEnum):
    """OCPP 2.x ChargingStateEnumType; 1.6 connector states are translated to it."""

    CHARGING = "Charging"
    EV_CONNECTED = "EVConnected"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    IDLE = "Idle"


class EventBase(BaseModel):
    """Fields common to all events."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="utf8")

    tenant: Name = Field(description="Operator whose data this is")
    station_id: Name = Field(description="Charge point or charging station identity")
    protocol: Protocol = Field(description="What the source spoke")
    timestamp: AwareDatetime = Field(description="Event time, as the charger says, with zone")
    evse_id: int | None = Field(None, ge=0, le=2**31 - 1, description="EVSE; 0 = whole station")
    connector_id: int | None = Field(None, ge=0, le=2**31 - 1, description="1.6: 0 = main meter")
    transaction_id: Annotated[str, Field(max_length=255)] | None = Field(
        None, description="Text; OCPP 1.6 integers in decimal, -1, 0 and 2^63-1 mean unknown"
    )
    received_at: AwareDatetime | None = Field(None, description="When the gateway got it")
    seq_no: int | None = Field(None, ge=0, le=2**31 - 1, description="OCPP 2.x seqNo")
    message_id: Text | None = Field(None, description="OCPP-J message id; never an identity")
    offline: bool = Field(False, description="Sent from the charger's queue")
    gateway: Text | None = Field(None, description="Which gateway published it")
    flags: tuple[str, ...] = Field((), description="What the translation noticed or repaired")


class SessionStarted(EventBase):
    """A transaction began: 1.6 StartTransaction, 2.x TransactionEvent Started, a row's start."""

    type: Literal["session_started"] = "session_started"
    id_token: Text | None = Field(None, description="Who charges: idTag, idToken, user of a row")
    meter_start_wh: RegisterWh | None = Field(None, description="Import register at start, Wh")
    reservation_id: int | None = None
    charging_state: ChargingState | None = None
    trigger_reason: Text | None = None
    area: Text | None = Field(None, description="Imports: area or site, where no catalogue knows")


class MeterSampled(EventBase):
    """One instant of one meter. Values are normalised; which series counts is the core's choice.

    `context` is OCPP's ReadingContext. Phase registers are per phase to neutral.
    """

    type: Literal["meter_sampled"] = "meter_sampled"
    context: Text = Field("Sample.Periodic", description="OCPP ReadingContextEnumType")
    import_wh: RegisterWh | None = Field(None, description="Energy.Active.Import.Register, total")
    export_wh: RegisterWh | None = Field(None, description="Energy.Active.Export.Register, total")
    import_l1_wh: RegisterWh | None = None
    import_l2_wh: RegisterWh | None = None
    import_l3_wh: RegisterWh | None = None
    import_interval_wh: RegisterWh | None = Field(None, description="Energy.Active.Import.Interval")
    inlet_import_wh: RegisterWh | None = Field(None, description="Register measured at the inlet")
    power_w: Small | None = Field(None, description="Power.Active.Import, sum of phases")
    current_a: Small | None = Field(None, description="Current.Import, sum of phases")
    soc_percent: Small | None = None
    signed_data: Annotated[str, Field(max_length=200_000)] | None = Field(
        None, description="Signed meter value, verbatim (OCMF and kin)"
    )
    other: dict[str, str] = Field(
        default_factory=dict,
        description="Every further value: 'Measurand.Phase@Location unit' to its text",
    )


class ChargingStateChanged(EventBase):
    """The transaction went on: a new charging state, or an update that carries neither
    state nor meter value (then `charging_state` is absent and `seq_no` is what it tells).
    """

    type: Literal["charging_state_changed"] = "charging_state_changed"
    charging_state: ChargingState | None = None
    trigger_reason: Text | None = None
    id_token: Text | None = None


class SessionEnded(EventBase):
    """A transaction ended: 1.6 StopTransaction, 2.x TransactionEvent Ended, a row's end."""

    type: Literal["session_ended"] = "session_ended"
    id_token: Text | None = None
    meter_stop_wh: RegisterWh | None = Field(None, description="Import register at stop, Wh")
    reason: Text | None = Field(None, description="OCPP stop reason; absent means Local")
    trigger_reason: Text | None = None
    charging_state: ChargingState | None = None
    energy_wh: RegisterWh | None = Field(
        None, description="Imports: the energy the row states; it counts, registers are carried"
    )
    paid_amount: Annotated[Decimal, Field(ge=-(10**9), le=10**9, allow_inf_nan=False)] | None = (
        Field(None, description="Imports: what the row says was paid, incl. VAT")
    )
    paid_currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None


class SessionExpired(EventBase):
    """A session was given up after silence; published by the worker, identity deterministic.

    `timestamp` is the last event's time plus the configured silence.
    """

    type: Literal["session_expired"] = "session_expired"
    session_id: Annotated[str, Field(pattern="^[0-9a-f-]{36}$")] = Field(
        description="The session given up"
    )
    silence_s: int = Field(ge=0)


class StationStatus(EventBase):
    """A connector or station says what state it is in (StatusNotification)."""

    type: Literal["station_status"] = "station_status"
    status: Name
    error_code: Text | None = None
    vendor_error_code: Text | None = None
    info: Text | None = None


class Authorization(EventBase):
    """A token was presented (Authorize)."""

    type: Literal["authorization"] = "authorization"
    id_token: Text
    status: Text | None = Field(None, description="AuthorizationStatus of the answer, if known")


Event = Annotated[
    SessionStarted
    | MeterSampled
    | ChargingStateChanged
    | SessionEnded
    | SessionExpired
    | StationStatus
    | Authorization,
    Field(discriminator="type"),
]
"""The tagged union."""

EVENT_TYPES: tuple[type[EventBase], ...] = (
    SessionStarted,
    MeterSampled,
    ChargingStateChanged,
    SessionEnded,
    SessionExpired,
    StationStatus,
    Authorization,
)

EVENT_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)
