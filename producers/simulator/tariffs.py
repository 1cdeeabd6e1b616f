"""The fleet's OCPI 2.2.1 tariffs, and what a session costs by them, in integers.

An own calculation on purpose: it is what the product's engine is compared with. Amounts are
integer micro-units: the exact total is rounded half up once, before VAT and with it.
"""

from __future__ import annotations

from dataclasses import dataclass

VAT_PERCENT = 25
_PRICE_UNIT = 10_000
"""Prices are integers in 1/10,000 of the currency."""

_MS_PER_HOUR = 3_600_000
_STEP_MWH = 1_000
"""step_size 1: energy is billed in whole Wh, begun ones too; times are whole seconds already."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff without restrictions; prices before VAT, in 1/10,000 of the currency."""

    tariff_id: str
    currency: str
    energy: int
    """per kWh"""
    flat: int = 0
    time: int = 0
    """per hour of charging"""
    parking: int = 0
    """per hour of standing without asking for power"""

    def ocpi(self) -> dict[str, object]:
        """The OCPI 2.2.1 Tariff object, as a catalogue file carries it."""
        prices = (
            ("ENERGY", self.energy),
            ("FLAT", self.flat),
            ("TIME", self.time),
            ("PARKING_TIME", self.parking),
        )
        components = [
            {"type": kind, "price": price / _PRICE_UNIT, "vat": VAT_PERCENT, "step_size": 1}
            for kind, price in prices
            if price
        ]
        return {
            "country_code": "SE",
            "party_id": "LAD",
            "id": self.tariff_id,
            "currency": self.currency,
            "type": "REGULAR",
            "elements": [{"price_components": components}],
            "last_updated": "2026-01-01T00:00:00Z",
        }

    def price(
        self, energy_mwh: int, charging_ms: int, idle_ms: int, discount_percent: int = 0
    ) -> tuple[int, int]:
        """Amount before VAT and VAT of one session, in micro-units."""
        energy_mwh = -(-energy_mwh // _STEP_MWH) * _STEP_MWH
        # mWh x 1/10,000 per kWh: 10^-6 kWh x 10^6 micro cancel, only the price unit is left.
        exact = (energy_mwh * self.energy + self.flat * 1_000_000) * _MS_PER_HOUR + (
            charging_ms * self.time + idle_ms * self.parking
        ) * 1_000_000
        exact *= 100 - discount_percent
        unit = _PRICE_UNIT * _MS_PER_HOUR * 100
        excl = half_up(exact, unit)
        return excl, half_up(exact * (100 + VAT_PERCENT), unit * 100) - excl


def half_up(numerator: int, denominator: int) -> int:
    """The quotient of two non-negative integers, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)


AC_BASIC = Tariff("ac-basic", "SEK", energy=31_600, flat=20_000)
AC_TIME = Tariff("ac-time", "SEK", energy=22_400, time=60_000, parking=12_000)
DC_FAST = Tariff("dc-fast", "SEK", energy=47_925, flat=50_000)
DC_PARKING = Tariff("dc-parking", "SEK", energy=43_200, parking=480_000)
EURO = Tariff("euro", "EUR", energy=3_955, flat=3_500)

TARIFFS: tuple[Tariff, ...] = (AC_BASIC, AC_TIME, DC_FAST, DC_PARKING, EURO)
BY_ID: dict[str, Tariff] = {tariff.tariff_id: tariff for tariff in TARIFFS}
