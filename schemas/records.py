"""Records: what is stored. One pydantic model per table of `sql/migrations`, columns in order.

Names end in their unit: `_wh` watt-hours, `_s` seconds, `_w` watts, `_at` an instant in UTC with
milliseconds. Money is exact decimals of `currency`. `RECORDS` maps table to model; a test
compares names, order and types with the migrations. Materialized columns are the store's own.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Int16 = Annotated[int, Field(ge=-(2**15), le=2**15 - 1)]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
UInt8 = Annotated[int, Field(ge=0, le=2**8 - 1)]
UInt16 = Annotated[int, Field(ge=0, le=2**16 - 1)]
UInt32 = Annotated[int, Field(ge=0, le=2**32 - 1)]
UInt64 = Annotated[int, Field(ge=0, le=2**64 - 1)]
Flag = Annotated[int, Field(ge=0, le=1)]
Milli = Annotated[Decimal, Field(max_digits=18, decimal_places=3)]
ShortMilli = Annotated[Decimal, Field(max_digits=9, decimal_places=3)]
Micro = Annotated[Decimal, Field(max_digits=18, decimal_places=6)]
Degrees = Annotated[Decimal, Field(max_digits=9, decimal_places=6)]
Percent = Annotated[Decimal, Field(max_digits=9, decimal_places=4)]

_VERSION = Field(description="Catalogue revision << 40 | knowledge: the higher one wins")


class SessionStatus(StrEnum):
    """How far a session got; only ended ones with times and a known energy are counted."""

    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"
    ENDED_GAPS = "ended_gaps"
    ENDED_ESTIMATED = "ended_estimated"
    ORPHAN_STOP = "orphan_stop"
    INVALID = "invalid"


class Record(BaseModel):
    """A row; unknown columns are ignored by old readers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EventRecord(Record):
    """One accepted event: the truth everything else is derived from."""

    tenant: str
    station_id: str
    timestamp: AwareDatetime = Field(description="Event time")
    type: str
    session_id: UUID = Field(UUID(int=0), description="Nil while no session claims the event")
    assignment: UInt32 = Field(0, description="Raised when the event moves to another session")
    protocol: str
    evse_id: Int32 | None = None
    connector_id: Int32 | None = None
    transaction_id: str = ""
    seq_no: Int32 | None = None
    context: str = ""
    charging_state: str = ""
    id_token: str = ""
    meter_wh: Milli | None = Field(None, description="meter_start_wh or meter_stop_wh")
    import_wh: Milli | None = None
    export_wh: Milli | None = None
    power_w: Milli | None = None
    soc_percent: ShortMilli | None = None
    attributes: str = Field("", description="Further fields of the event, canonical JSON")
    flags: str = Field("", description="What the translation noticed")
    received_at: AwareDatetime | None = None
    message_id: str = ""
    offline: Flag = 0
    gateway: str = ""
    kafka_topic: str = ""
    kafka_partition: Int32 = -1
    kafka_offset: Int64 = -1
    kafka_index: Int32 = Field(-1, description="Position inside a JSON array, -1: not in one")
    ingested_at: AwareDatetime | None = Field(None, description="Set by the store")


class SessionRecord(Record):
    """One version of one session."""

    tenant: str
    station_id: str
    session_id: UUID
    version: UInt64 = _VERSION
    protocol: str
    evse_id: Int32 | None = None
    connector_id: Int32 | None = None
    transaction_id: str
    transaction_ids: tuple[str, ...] = Field(description="Every transaction id it was known by")
    driver_key: str = Field(description="Who charged, empty where unknown")
    company_id: str = ""
    area: str
    city: str
    country: str
    time_zone: str = Field(description="IANA name of the site's zone")
    status: SessionStatus
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    last_event_at: AwareDatetime
    first_event_at: AwareDatetime
    meter_start_wh: Milli | None = None
    meter_stop_wh: Milli | None = None
    energy_wh: Milli | None = Field(None, description="Imported energy, absent where unknown")
    export_wh: Milli
    duration_s: Milli
    charging_s: Milli
    idle_s: Milli
    suspended_evse_s: Milli
    max_power_w: Milli | None = None
    stop_reason: str
    currency: str = Field(description="ISO 4217")
    tariff_id: str
    amount_excl_vat: Micro | None = None
    amount_vat: Micro | None = None
    amount_incl_vat: Micro | None = None
    payment_method: str = ""
    paid_amount: Micro | None = None
    paid_currency: str = ""
    grade: str = Field(description="How well the energy is known")
    flags: tuple[str, ...]
    quarantine_reason: str = Field(description="Empty when the session is in the standard totals")
    event_count: UInt32
    slice_first: AwareDatetime | None = Field(None, description="Start of the first slice written")
    slice_last: AwareDatetime | None = Field(None, description="Start of the last slice written")
    updated_at: AwareDatetime | None = Field(None, description="Set by the store")
    region: str = ""
    driver_id: str = Field("", description="The person behind the token, where the catalogue knows")
    plan_id: str = ""
    payer: str = Field("", description="driver, company, partner or nobody")
    payer_id: str = ""
    unpriced_reason: str = Field("", description="Why there is no price; empty when there is one")
    rounded_excl_vat: Micro | None = Field(None, description="Rounded once per tax rate")
    rounded_incl_vat: Micro | None = None
    contract_because: tuple[str, ...] = Field((), description="Why these terms, a sentence each")


class SliceRecord(Record):
    """What one session did in one 15-minute slice of UTC."""

    tenant: str
    slice_start: AwareDatetime
    station_id: str
    session_id: UUID
    version: UInt64 = _VERSION
    area: str
    driver_key: str
    tariff_id: str
    currency: str = Field(description="ISO 4217")
    energy_wh: Milli
    export_wh: Milli
    occupied_s: ShortMilli
    charging_s: ShortMilli
    idle_s: ShortMilli
    amount_excl_vat: Micro
    amount_incl_vat: Micro
    provisional: Flag = Field(description="1 while the session goes on")
    counted: Flag = Field(description="1 when the session is in the standard totals")
    updated_at: AwareDatetime | None = Field(None, description="Set by the store")


class ChargeRecord(Record):
    """One priced line of one session."""

    tenant: str
    session_id: UUID
    line: UInt16
    version: UInt64 = _VERSION
    dimension: str = Field(description="OCPI: ENERGY, TIME, PARKING_TIME, FLAT")
    quantity: Micro
    unit: str
    unit_price: Micro = Field(description="Excluding VAT")
    vat_percent: Percent | None = None
    amount_excl_vat: Micro
    amount_vat: Micro
    currency: str = Field(description="ISO 4217")
    because: str = Field(description="Why this line, in words")
    updated_at: AwareDatetime | None = Field(None, description="Set by the store")
    quantity_billed: Micro = Field(Decimal(0), description="Quantity after step_size")
    element: Int16 = Field(-1, description="Tariff element, from 0; -1: an adjustment")
    reservation: Flag = 0
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    amount_incl_vat: Micro = Decimal(0)


class AdjustmentRecord(Record):
    """The price of a closed session changed: from what to what, and why."""

    tenant: str
    session_id: UUID
    replaces: UInt64 = Field(description="The version whose price is no longer owed")
    version: UInt64 = _VERSION
    station_id: str
    driver_key: str
    ended_at: AwareDatetime | None = None
    reason: str = Field(description="late_event, catalogue or both, joined by +")
    detail: str
    currency: str = Field(description="ISO 4217")
    before_excl_vat: Micro
    before_incl_vat: Micro
    after_excl_vat: Micro
    after_incl_vat: Micro
    before_energy_wh: Milli | None = None
    after_energy_wh: Milli | None = None
    at: AwareDatetime | None = Field(None, description="Set by the store")


class DeadLetterRecord(Record):
    """What could not be read, and why; the untouched bytes are in the dead-letter topic."""

    kafka_topic: str
    kafka_partition: Int32
    kafka_offset: Int64
    kafka_index: Int32 = Field(description="Position inside a JSON array, -1: the whole record")
    reason: str = Field(description="One of schemas.errors.Reason")
    field: str = Field(description="Path of the field at fault, may be empty")
    detail: str
    size_bytes: UInt32
    kafka_key: str
    head: str = Field(description="The first bytes, for a person's eye")
    at: AwareDatetime | None = Field(None, description="Set by the store")


class WorkerStatusRecord(Record):
    """What a worker says of itself at each flush."""

    worker_id: str
    at: AwareDatetime
    started_at: AwareDatetime
    events_total: UInt64
    duplicates_total: UInt64
    dead_letters_total: UInt64
    open_sessions: UInt32
    dirty_sessions: UInt32 = Field(description="Sessions with changes not yet written")
    cpu_s: Milli
    positions: dict[str, Int64] = Field(description="'topic/partition' to the next offset")


class StationRecord(Record):
    """Master data of a station, from an instant on."""

    tenant: str
    station_id: str
    valid_from: AwareDatetime | None = Field(None, description="Absent: since ever")
    revision: UInt32
    name: str = ""
    area: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    latitude: Degrees | None = None
    longitude: Degrees | None = None
    time_zone: str = ""
    rated_power_w: UInt32 | None = None
    tariff_id: str = ""
    location_id: str = ""
    connectors: str = Field("", description="Connectors with their power, JSON")
    deleted: Flag = 0
    replaces: Flag = 1


class TariffRecord(Record):
    """A tariff as OCPI JSON, from an instant on."""

    tenant: str
    tariff_id: str
    valid_from: AwareDatetime | None = Field(None, description="Absent: since ever")
    revision: UInt32
    ocpi_json: str = Field(description="OCPI 2.2.1 or 2.3.0 Tariff object, verbatim")
    deleted: Flag = 0
    replaces: Flag = 1


class DriverRecord(Record):
    """Who a token belongs to, from an instant on."""

    tenant: str
    driver_key: str = Field(description="The token as chargers send it")
    valid_from: AwareDatetime
    revision: UInt32
    driver_id: str = Field(description="The person: several tokens may share it")
    name: str = ""
    company_id: str = ""
    groups: tuple[str, ...]
    partner_id: str = Field("", description="Roaming partner that pays, empty: own customer")
    deleted: Flag = 0
    replaces: Flag = 1


class CompanyRecord(Record):
    """A company that pays for its drivers, and its rules."""

    tenant: str
    company_id: str
    valid_from: AwareDatetime
    revision: UInt32
    name: str = ""
    company_json: str = Field(description="The entry as loaded, canonical JSON")
    deleted: Flag = 0
    replaces: Flag = 1


class PlanRecord(Record):
    """A subscription plan."""

    tenant: str
    plan_id: str
    valid_from: AwareDatetime
    revision: UInt32
    name: str = ""
    plan_json: str = Field(description="The entry as loaded, canonical JSON")
    deleted: Flag = 0
    replaces: Flag = 1


class SubscriptionRecord(Record):
    """A driver has a plan from one instant to another."""

    tenant: str
    driver_id: str
    plan_id: str
    starts_at: AwareDatetime
    revision: UInt32
    ends_at: AwareDatetime | None = None
    deleted: Flag = 0
    replaces: Flag = 1


class AssignmentRecord(Record):
    """Which tariff holds for which stations, drivers, companies and partners, and when."""

    tenant: str
    assignment_id: str
    valid_from: AwareDatetime
    revision: UInt32
    valid_until: AwareDatetime | None = None
    priority: Int32 = Field(0, description="The highest that matches wins")
    tariff_id: str = ""
    free: Flag = Field(0, description="1: free of charge, no tariff is asked")
    stations: tuple[str, ...]
    areas: tuple[str, ...]
    driver_group: str = ""
    company_id: str = ""
    partner_id: str = ""
    deleted: Flag = 0
    replaces: Flag = 1


class CatalogueRevisionRecord(Record):
    """One published change of the catalogue."""

    revision: UInt32
    published_at: AwareDatetime | None = None
    summary: str = ""


class PaymentRecord(Record):
    """One payment event: the same bytes again are the same row, others under its name another."""

    tenant: str
    psp: str = Field(description="Payment provider")
    payment_id: str = Field(description="The payment's reference at the provider")
    kind: str = Field(description="authorised, captured, refunded or failed")
    timestamp: AwareDatetime = Field(description="When it happened")
    amount: Micro = Field(description="In units of currency, above zero")
    currency: str = Field(description="ISO 4217")
    method: str
    session_id: UUID = Field(UUID(int=0), description="As the event says; nil: it does not")
    station_id: str = ""
    transaction_id: str = ""
    driver_key: str = ""
    psp_token: str = ""
    card_brand: str = ""
    card_last4: str = ""
    reference: str = ""
    description: str = ""
    fee_amount: Micro | None = None
    settlement_id: str = ""
    flags: tuple[str, ...] = ()
    kafka_topic: str = ""
    kafka_partition: Int32 = -1
    kafka_offset: Int64 = -1
    kafka_index: Int32 = -1
    ingested_at: AwareDatetime | None = Field(None, description="Set by the store")


class InvoicedSessionRecord(Record):
    """What one invoice asked for one session; a later price is an adjustment."""

    tenant: str
    session_id: UUID
    invoice_id: str
    currency: str = Field(description="ISO 4217")
    amount_excl_vat: Micro
    amount_incl_vat: Micro
    at: AwareDatetime | None = Field(None, description="When it was invoiced")


RECORDS: dict[str, type[Record]] = {
    "events": EventRecord,
    "sessions": SessionRecord,
    "session_slices": SliceRecord,
    "session_charges": ChargeRecord,
    "dead_letters": DeadLetterRecord,
    "worker_status": WorkerStatusRecord,
    "stations": StationRecord,
    "tariffs": TariffRecord,
    "adjustments": AdjustmentRecord,
    "drivers": DriverRecord,
    "companies": CompanyRecord,
    "plans": PlanRecord,
    "subscriptions": SubscriptionRecord,
    "assignments": AssignmentRecord,
    "catalogue_revisions": CatalogueRevisionRecord,
    "payments": PaymentRecord,
    "invoiced_sessions": InvoicedSessionRecord,
}
"""Table name to the model of its rows."""
