"""A tariff as the engine prices it: OCPI 2.1.1, 2.2.1, 2.3.0 and OCPP 2.1 read into one model.

Prices are exact fractions, thresholds integers in the engine's units: mWh, ms, mW, mA, minutes
of the local day, days since 1970-01-01. Sources: OCPI 2.2.1 and 2.3.0 mod_tariffs; OCPP 2.1
TariffType. Readers live in `streams.core.ocpi`; nothing here looks at JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

ENERGY, TIME, PARKING_TIME, FLAT = "ENERGY", "TIME", "PARKING_TIME", "FLAT"
DIMENSIONS = (ENERGY, TIME, PARKING_TIME, FLAT)

RESERVATION, RESERVATION_EXPIRES = "RESERVATION", "RESERVATION_EXPIRES"

TAX_EXCLUDED, TAX_INCLUDED, TAX_NOT_APPLICABLE = "NO", "YES", "N/A"
"""OCPI 2.3.0 TaxIncluded; 2.1.1 and 2.2.1 prices are without VAT: NO."""

ALWAYS, WHEN_CHARGED = "ALWAYS", "WHEN_CHARGED"
"""When `min_price` applies: to every session (OCPI), or only where something was owed (ours)."""


@dataclass(frozen=True, slots=True)
class Tax:
    """One tax on a component; `share` of the price before taxes, 0.25 for 25 %."""

    name: str
    share: Fraction


@dataclass(frozen=True, slots=True)
class Component:
    """One price of one dimension: per kWh, per hour, or once.

    `taxes` empty: none is applicable, which is not 0 %. `step_size` in Wh or s: the volume is
    rounded up to a multiple of it, so 1 rounds up to whole Wh or s; 0 does not round.
    `price_text` is the price as written. `pointer` is where in the document it stands.
    """

    dimension: str
    price: Fraction
    price_text: str
    taxes: tuple[Tax, ...] = ()
    step_size: int = 1
    pointer: str = ""

    @property
    def tax_share(self) -> Fraction:
        """All taxes together, as a share of the price before taxes."""
        return sum((tax.share for tax in self.taxes), Fraction(0))


@dataclass(frozen=True, slots=True)
class Restrictions:
    """All must hold (AND). Lower bounds are included, upper bounds are not; None: no bound.

    `start_minute`/`end_minute`: local minutes since midnight, 0 to 1440. An end before the start
    wraps past midnight; equal means the whole day; a lone end of 0 means the end of the day.
    `days`: local weekdays, Monday 0; empty: all. `start_day`/`end_day`: local dates as days
    since 1970-01-01. Durations count from the start of the session (of the reservation there).
    `min_charging_ms` and the like: OCPP 2.1 only, time charged or idle so far in the session.
    `never`: a condition of a kind a session can never show (OCPP 2.1 payment brand, EVSE kind).
    """

    start_minute: int | None = None
    end_minute: int | None = None
    start_day: int | None = None
    end_day: int | None = None
    days: frozenset[int] = frozenset()
    min_mwh: int | None = None
    max_mwh: int | None = None
    min_duration_ms: int | None = None
    max_duration_ms: int | None = None
    min_power_mw: int | None = None
    max_power_mw: int | None = None
    min_current_ma: int | None = None
    max_current_ma: int | None = None
    min_charging_ms: int | None = None
    max_charging_ms: int | None = None
    min_idle_ms: int | None = None
    max_idle_ms: int | None = None
    reservation: str = ""
    never: str = ""


NO_RESTRICTIONS = Restrictions()


@dataclass(frozen=True, slots=True)
class Element:
    """Components that hold together while the restrictions match; `index` in the document."""

    index: int
    components: tuple[Component, ...]
    restrictions: Restrictions = NO_RESTRICTIONS


@dataclass(frozen=True, slots=True)
class PriceLimit:
    """min_price or max_price; each bound on its own, None: no such bound."""

    excl: Fraction | None
    incl: Fraction | None


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff that can be priced. `version` is the text of its format: "2.2.1", "ocpp2.1", …

    `valid_from_ms`/`valid_until_ms`: start_date_time and end_date_time, half-open, UTC.
    `flat_at_start`: OCPP 2.1 decides about fixed fees once, at the start (I12.FR.30).
    """

    tariff_id: str
    currency: str
    elements: tuple[Element, ...]
    tax_included: str = TAX_EXCLUDED
    min_price: PriceLimit | None = None
    max_price: PriceLimit | None = None
    min_price_applies: str = ALWAYS
    valid_from_ms: int | None = None
    valid_until_ms: int | None = None
    tariff_type: str = ""
    flat_at_start: bool = False
    version: str = "2.2.1"
