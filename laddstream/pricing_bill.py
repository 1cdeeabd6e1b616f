"""A priced session document: what each of its tariffs asks, and what should be known of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from streams.core.ocpi.findings import Finding
from streams.core.pricing.model import Tariff
from streams.core.pricing.priced import Money, Priced, Segment
from streams.core.pricing.usage import Usage


@dataclass(frozen=True, slots=True)
class Share:
    """What one tariff asks for its part of a session. `periods`: what held when, all of it."""

    tariff: Tariff
    priced: Priced
    periods: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Bill:
    """A priced session: one share for each tariff, and everything that should be known of it."""

    usage: Usage
    currency: str
    exponent: int
    shares: tuple[Share, ...]
    warnings: tuple[Finding, ...]

    @property
    def exact(self) -> tuple[Fraction, Fraction]:
        """Total before and with taxes."""
        units = [share.priced.scale * 1_000_000 for share in self.shares]
        pairs = list(zip(self.shares, units, strict=True))
        return (
            sum((Fraction(share.priced.excl, unit) for share, unit in pairs), Fraction(0)),
            sum((Fraction(share.priced.incl, unit) for share, unit in pairs), Fraction(0)),
        )

    @property
    def rounded(self) -> Money:
        """The same in minor units, rounded once per tax rate over the whole session."""
        scale = lcm(*(share.priced.scale for share in self.shares))
        lines = [
            line._replace(
                excl=line.excl * (scale // share.priced.scale),
                incl=line.incl * (scale // share.priced.scale),
            )
            for share in self.shares
            for line in share.priced.lines
        ]
        return Priced(self.currency, scale, tuple(lines), (), ()).rounded(self.exponent)
