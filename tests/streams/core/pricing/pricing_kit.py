"""Sessions by hand and tariffs from JSON, for tests of the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from streams.core.ocpi.tariffs import read_tariff
from streams.core.pricing.compiled import Compiled, compile_tariff
from streams.core.pricing.engine import price
from streams.core.pricing.priced import MICRO, Priced
from streams.core.pricing.usage import Flow, Usage, usage_of

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE_MS = 60_000


def load(path: Path) -> dict[str, Any]:
    """A JSON file, numbers exact."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    return found


def compiled(document: Mapping[str, Any]) -> Compiled:
    """A tariff ready to price; reading it must find no error."""
    reading = read_tariff(document)
    assert reading.tariff is not None, reading.findings
    return compile_tariff(reading.tariff)


def epoch_ms(text: str, zone: ZoneInfo = BERLIN) -> int:
    """A local time of the zone, or one with an offset, as epoch ms."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return round(moment.timestamp() * 1000)


class Stay:
    """A session put together stretch by stretch; kWh, minutes, kW and A as in the examples."""

    def __init__(self, start: str = "2026-03-04T10:00", zone: ZoneInfo = BERLIN) -> None:
        self.zone = zone
        self.at = epoch_ms(start, zone)
        self.flows: list[Flow] = []
        self.reserved: list[Flow] = []

    def charge(
        self, kwh: float | str = 0, minutes: float = 60, *, kw: float | None = None,
        amps: float | None = None,
    ) -> Stay:  # fmt: skip
        """Charges evenly, at a measured power and current where told."""
        energy = int(Fraction(str(kwh)) * 1_000_000)
        watts = None if kw is None else int(Fraction(str(kw)) * 1_000_000)
        current = None if amps is None else int(Fraction(str(amps)) * 1000)
        end = self.at + round(minutes * MINUTE_MS)
        self.flows.append(
            Flow(self.at, end, energy, end - self.at, 0, watts, watts, current, current)
        )
        self.at = end
        return self

    def park(self, minutes: float) -> Stay:
        """Stands without asking for power."""
        end = self.at + round(minutes * MINUTE_MS)
        self.flows.append(Flow(self.at, end, 0, 0, end - self.at, 0, 0, 0, 0))
        self.at = end
        return self

    def reserve(self, minutes: float) -> Stay:
        """Is reserved; comes before everything else."""
        end = self.at + round(minutes * MINUTE_MS)
        self.reserved.append(Flow(self.at, end, 0, end - self.at))
        self.at = end
        return self

    def usage(self, *, expired: bool = False) -> Usage:
        """What the engine prices."""
        return usage_of(
            self.flows, self.zone, reservation=self.reserved, reservation_expired=expired
        )


def exact(priced: Priced) -> tuple[Fraction, Fraction]:
    """The exact total before and with taxes, in the currency's major unit."""
    unit = priced.scale * MICRO
    return Fraction(priced.excl, unit), Fraction(priced.incl, unit)


def cost(document: Mapping[str, Any], stay: Stay, *, expired: bool = False) -> tuple[str, str]:
    """The exact total as decimal text without trailing zeros; thirds as a fraction."""
    total = exact(price(compiled(document), stay.usage(expired=expired)))
    return plain(total[0]), plain(total[1])


def plain(amount: Fraction) -> str:
    """An amount as text: 4.00 is "4", 4.997 is "4.997", a third "1/3"."""
    places = Decimal(amount.numerator) / Decimal(amount.denominator)
    if Fraction(places) != amount:
        return str(amount)
    return f"{places.normalize():f}"
