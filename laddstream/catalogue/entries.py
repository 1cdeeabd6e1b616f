"""The entries of a catalogue: what each may say, and what each must. `docs/catalogue.md` tells.

A time without zone, or a day alone, is on the clock of the plan (subscriptions) or of `--tz`.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.currencies import minor_exponent

FIRST, LAST = datetime(1900, 1, 1), datetime(2299, 1, 1)  # noqa: DTZ001 - compared without zone
"""What the store's times can hold."""


def zone_exists(name: str) -> bool:
    """Whether it is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _zone(name: str) -> str:
    if name and not zone_exists(name):
        raise PydanticCustomError("zone", "not an IANA time zone such as Europe/Stockholm")
    return name


def _currency(code: str) -> str:
    if minor_exponent(code) is None:
        raise PydanticCustomError("currency", "not an ISO 4217 currency such as SEK")
    return code


def moment(value: object) -> object:
    """A day or a time, with or without zone, as a datetime."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            what = "not a time such as 2026-03-01T00:00:00Z, nor a day such as 2026-03-01"
            raise PydanticCustomError("time", what) from error
    if not isinstance(value, datetime):
        raise PydanticCustomError("time", "a time in quotes is expected, such as 2026-03-01")
    if not FIRST < value.replace(tzinfo=None) < LAST:
        raise PydanticCustomError("time", "a year from 1900 to 2298 is expected")
    return value


def _clock(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text):
        raise PydanticCustomError("clock", "not a time of day such as 06:00")
    return text


def _one_as_list(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


Identifier = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Label = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
Zone = Annotated[str, AfterValidator(_zone)]
Currency = Annotated[str, AfterValidator(_currency)]
Moment = Annotated[datetime, BeforeValidator(moment)]
Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6, allow_inf_nan=False)]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=9, decimal_places=4)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6, allow_inf_nan=False)]
Identifiers = Annotated[list[Identifier], BeforeValidator(_one_as_list)]
Watts = Annotated[int, Field(ge=1, le=10_000_000)]
Clock = Annotated[str, AfterValidator(_clock)]
Weekday = Literal[
    "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"
]  # fmt: skip


class Entry(BaseModel):
    """What all entries share. `deleted` ends it from `valid_from` on, without: altogether."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, frozen=True)

    tenant: Identifier | None = None
    valid_from: Moment | None = None
    deleted: bool = False


class ConnectorEntry(BaseModel):
    """A connector of a station."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, frozen=True)

    connector_id: Identifier
    evse_id: Label = ""
    power_w: Watts | None = None
    standard: Label = ""


class StationEntry(Entry):
    """A station; what is not known is left out."""

    station_id: Identifier
    name: Label = ""
    area: Label = ""
    city: Label = ""
    region: Label = ""
    country: Label = ""
    latitude: Annotated[Decimal, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[Decimal, Field(ge=-180, le=180)] | None = None
    time_zone: Zone = ""
    rated_power_w: Watts | None = None
    tariff_id: Label = ""
    location_id: Label = ""
    connectors: list[ConnectorEntry] = []


class DriverEntry(Entry):
    """A driver and the tokens that chargers see."""

    driver_id: Identifier
    tokens: Annotated[Identifiers, Field(min_length=1)]
    name: Label = ""
    company_id: Label = ""
    groups: Identifiers = []
    partner_id: Label = ""


class PaysEntry(BaseModel):
    """What a company pays; whatever is left out is no condition. Limits incl. VAT."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, frozen=True)

    days: list[Weekday] = []
    start_time: Clock | None = None
    end_time: Clock | None = None
    areas: Identifiers = []
    stations: Identifiers = []
    driver_groups: Identifiers = []
    share_percent: Percent = Decimal(100)
    monthly_limit_per_driver: Money | None = None
    monthly_limit: Money | None = None


class CompanyEntry(Entry):
    """A company; without `pays` it pays nothing, `{}` pays everything."""

    company_id: Identifier
    name: Label = ""
    currency: Currency
    pays: PaysEntry | None = None
    time_zone: Zone = ""


class FeeEntry(BaseModel):
    """A plan's fee for a month."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    excl_vat: Money
    vat: Percent | None = None


class PlanEntry(Entry):
    """A subscription plan."""

    plan_id: Identifier
    name: Label = ""
    currency: Currency
    monthly_fee: FeeEntry
    included_kwh: Amount | None = None
    included_sessions: Annotated[int, Field(ge=0, le=10**6)] | None = None
    discount_percent: Percent | None = None
    tariff_id: Label = ""
    monthly_cap: Money | None = None
    proration: Literal["daily", "none"] = "daily"
    trial_days: Annotated[int, Field(ge=0, le=3660)] = 0
    time_zone: Zone = "UTC"


class SubscriptionEntry(Entry):
    """A driver has a plan from a time on, perhaps until another."""

    driver_id: Identifier
    plan_id: Identifier
    from_: Annotated[Moment, Field(alias="from")]
    until: Moment | None = None

    @property
    def backwards(self) -> bool:
        """It ends before it begins, whatever the zone."""
        if self.until is None or (self.until.tzinfo is None) != (self.from_.tzinfo is None):
            return False
        return self.until <= self.from_


class AssignmentEntry(Entry):
    """A tariff, or free of charge, where all given conditions match."""

    assignment_id: Identifier
    tariff_id: Label = ""
    free: bool = False
    stations: Identifiers = []
    areas: Identifiers = []
    driver_group: Label = ""
    company_id: Label = ""
    partner_id: Label = ""
    priority: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)] = 0
    from_: Annotated[Moment | None, Field(alias="from")] = None
    until: Moment | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> AssignmentEntry:
        if self.free == bool(self.tariff_id):
            raise PydanticCustomError("one", "either a tariff_id or free: true is needed")
        return self


class TariffEntry(Entry):
    """What of a tariff is ours; the rest is OCPI or OCPP."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, frozen=True)

    id: Annotated[Identifier, Field(max_length=255)]


class _Deleted(Entry):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, frozen=True)


class DeletedStation(_Deleted):
    """Which station ends."""

    station_id: Identifier


class DeletedDriver(_Deleted):
    """Which driver ends, with all tokens."""

    driver_id: Identifier


class DeletedCompany(_Deleted):
    """Which company ends."""

    company_id: Identifier


class DeletedPlan(_Deleted):
    """Which plan ends."""

    plan_id: Identifier


class DeletedSubscription(_Deleted):
    """Which subscription never was; one that ends has an `until`."""

    driver_id: Identifier
    plan_id: Identifier
    from_: Annotated[Moment, Field(alias="from")]


class DeletedAssignment(_Deleted):
    """Which assignment ends."""

    assignment_id: Identifier
    from_: Annotated[Moment | None, Field(alias="from")] = None


MODELS: dict[str, tuple[type[Entry], type[Entry]]] = {
    "stations": (StationEntry, DeletedStation),
    "tariffs": (TariffEntry, TariffEntry),
    "companies": (CompanyEntry, DeletedCompany),
    "plans": (PlanEntry, DeletedPlan),
    "drivers": (DriverEntry, DeletedDriver),
    "subscriptions": (SubscriptionEntry, DeletedSubscription),
    "assignments": (AssignmentEntry, DeletedAssignment),
}
"""The lists of a catalogue, in the order in which they are written: the entry, and its end."""


def plain(entry: BaseModel) -> dict[str, Any]:
    """The entry as it is kept as JSON: numbers with decimals as text, nothing that is absent."""
    return entry.model_dump(
        mode="json", exclude={"tenant", "valid_from", "deleted"}, exclude_none=True
    )
