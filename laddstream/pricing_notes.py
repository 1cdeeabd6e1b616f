"""What should be known of a session's price: warnings that no reader of one document can give."""

from __future__ import annotations

from laddstream.pricing_bill import Share
from schemas.units import iso_ms
from streams.core.ocpi.cdrs import SessionDocument
from streams.core.ocpi.findings import Finding
from streams.core.pricing.model import ENERGY, FLAT, TAX_INCLUDED
from streams.core.pricing.usage import Usage

_UNMEASURED = {
    "power_not_measured": (
        "The tariff asks for power, which the session does not carry: such prices do not match."
    ),
    "current_not_measured": (
        "The tariff asks for current, which the session does not carry: such prices do not match."
    ),
}


def about(share: Share, usage: Usage, session: SessionDocument, *, ours: bool) -> list[Finding]:
    """What should be known of one tariff's price."""
    tariff, at = share.tariff, session.usage.start_ms
    out = [Finding(code, "tariff#", _UNMEASURED.get(code, code)) for code in share.priced.warnings]
    since, until = tariff.valid_from_ms, tariff.valid_until_ms
    if (since is not None and at < since) or (until is not None and at >= until):
        text = f"The tariff is not valid at {iso_ms(at)}, when the session began."
        out.append(Finding("tariff_not_valid", "tariff#", text))
    if session.currency and session.currency != tariff.currency:
        text = f"The session is in {session.currency}, the tariff in {tariff.currency}."
        out.append(Finding("currency_differs", "tariff#/currency", text))
    used = [line.component for line in share.priced.lines if line.component is not None]
    if tariff.tax_included == TAX_INCLUDED and any(not component.taxes for component in used):
        text = "Prices include taxes of unknown size: before and with taxes are the same."
        out.append(Finding("tax_unknown", "tariff#/tax_included", text))
    if not ours:
        out += _split(share) + _timeless(share, usage)
    return out


def _split(share: Share) -> list[Finding]:
    prices: dict[tuple[bool, int], set[tuple[int, int, int]]] = {}
    starts: dict[tuple[bool, int], int] = {}
    for period in share.periods:
        key = (period.reservation, period.flow)
        prices.setdefault(key, set()).add((period.energy, period.time, period.parking))
        starts.setdefault(key, period.start_ms)
    return [
        Finding(
            "period_split",
            "session#/charging_periods",
            f"The price changes inside the period from {iso_ms(starts[key])}: its volumes are "
            "split by even flow.",
        )
        for key, found in prices.items()
        if len(found) > 1
    ]


def _timeless(share: Share, usage: Usage) -> list[Finding]:
    """A tariff that prices time, and a session that states none."""
    dimensions = {
        component.dimension
        for element in share.tariff.elements
        if not element.restrictions.reservation
        for component in element.components
        if component.price
    }
    stated = usage.charging_ms or usage.parking_ms or usage.reservation
    if stated or usage.end_ms <= usage.start_ms or dimensions <= {ENERGY, FLAT}:
        return []
    text = "The tariff prices time, but no charging period states any: none is charged."
    return [Finding("time_not_stated", "session#/charging_periods", text)]
