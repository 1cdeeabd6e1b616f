"""What a plan or an agreement does to a price: a discount on all of it, or nothing to pay."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from streams.core.pricing.priced import DISCOUNT, FREE, NO_COMPONENT, Line, Priced


def discounted(priced: Priced, share: Fraction, end_ms: int) -> Priced:
    """Less `share` of every line (0.1 = 10 %): one DISCOUNT line for each tax rate.

    `quantity` / `billed` of such a line is the share. The scale grows so that all stays exact.
    """
    if not share:
        return priced
    off, of = share.numerator, share.denominator
    lines = [line._replace(excl=line.excl * of, incl=line.incl * of) for line in priced.lines]
    for tax_share, (excl, incl) in _by_rate(priced).items():
        lines.append(
            Line(
                DISCOUNT, False, NO_COMPONENT, None, off, of, end_ms, end_ms, 1, tax_share,
                -excl * off, -incl * off,
            )
        )  # fmt: skip
    return replace(priced, scale=priced.scale * of, lines=tuple(lines))


def freed(priced: Priced, end_ms: int) -> Priced:
    """Nothing to pay: FREE lines take back what the tariff would have asked, per tax rate."""
    lines = list(priced.lines)
    for tax_share, (excl, incl) in _by_rate(priced).items():
        lines.append(
            Line(FREE, False, NO_COMPONENT, None, 1, 1, end_ms, end_ms, 1, tax_share, -excl, -incl)
        )
    return replace(priced, lines=tuple(lines))


def _by_rate(priced: Priced) -> dict[Fraction | None, tuple[int, int]]:
    sums: dict[Fraction | None, tuple[int, int]] = {}
    for line in priced.lines:
        excl, incl = sums.get(line.tax_share, (0, 0))
        sums[line.tax_share] = (excl + line.excl, incl + line.incl)
    return sums
