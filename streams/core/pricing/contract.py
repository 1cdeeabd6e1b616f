"""What a session is priced under: chosen from the catalogue by station, token and start.

A pure value; `streams.catalogue.Catalogue.contract` chooses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

from streams.core.pricing.model import Tariff

DRIVER, COMPANY, PARTNER, NOBODY = "driver", "company", "partner", "nobody"
"""Who is asked to pay: the driver, a company for its driver, a roaming partner, or nobody."""

UTC_ZONE = ZoneInfo("UTC")

HERE = "\x00"
"""Stands in a shared contract's reasons for the id of the station."""


@dataclass(frozen=True, slots=True)
class Contract:
    """Under which terms a session is priced, and why.

    `tariff` None with a `tariff_id`: that tariff is not in the catalogue; both empty: none is
    assigned. `unpriced_reason` is then `tariff_missing` or `no_tariff`. `discount` is a share of
    the price, 0.1 = 10 %. `payer_id`: driver id, company id or partner id. `free_reason`: free
    of charge (free-vend), the tariff is not asked. `because`: short sentences, one a decision.
    """

    tariff_id: str = ""
    tariff: Tariff | None = None
    unpriced_reason: str = "no_tariff"
    zone: ZoneInfo = UTC_ZONE
    driver_id: str = ""
    company_id: str = ""
    plan_id: str = ""
    discount: Fraction = Fraction(0)
    payer: str = DRIVER
    payer_id: str = ""
    free_reason: str = ""
    because: tuple[str, ...] = ()

    def told_at(self, station_id: str) -> tuple[str, ...]:
        """The reasons of a contract that stations share, at one of them."""
        return tuple(reason.replace(HERE, station_id) for reason in self.because)


NO_CONTRACT = Contract()
