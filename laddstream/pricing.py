"""Prices one session document under tariff documents, without any service: `laddstream price`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from typing import Any
from zoneinfo import ZoneInfo

from laddstream.pricing_session import is_ours, read_ours
from schemas.currencies import minor_exponent
from schemas.errors import UserError
from schemas.units import iso_ms
from streams.core.ocpi import values
from streams.core.ocpi.cdrs import SessionDocument, SessionReading, TariffPart, read_session
from streams.core.ocpi.findings import ERROR, Finding
from streams.core.ocpi.reading import unwrapped
from streams.core.ocpi.tariffs import TariffReading, read_tariff, tariffs_in
from streams.core.pricing.compiled import Compiled, compile_tariff
from streams.core.pricing.engine import price
from streams.core.pricing.model import ENERGY, FLAT, PARKING_TIME, TAX_INCLUDED, TIME, Tariff
from streams.core.pricing.priced import NO_COMPONENT, Money, Priced, Segment
from streams.core.pricing.usage import Flow, Usage


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


def price_documents(tariffs: object | None, session: object, tz: ZoneInfo | None = None) -> Bill:
    """Price decoded JSON. `tariffs` None: those that the session carries. UserError: what cannot
    be read safely, with the first thing that is wrong.
    """
    reading = _read(session, tz)
    found = reading.session
    if found is None:
        raise _refusal("The session cannot be read", reading.findings, "mend it")
    documents = list(found.tariffs) if tariffs is None else tariffs_in(tariffs)
    if not documents:
        raise UserError(
            "There is no tariff: give one with --tariff, or a CDR that carries its own."
        )
    notes = [_under("session", finding) for finding in reading.findings]
    chosen = _choose(documents, found, notes)
    split = len(chosen) > 1
    shares = []
    for i, (part, reader) in enumerate(chosen):
        tariff = _sound(reader)
        notes += [_under("tariff", finding) for finding in reader.findings]
        later = [p for p, _ in chosen[i + 1 :]]
        compiled = compile_tariff(_unstepped(tariff, later) if split else tariff)
        usage = part.usage
        if split and not compiled.plain:
            usage = replace(usage, start_ms=found.usage.start_ms)
        shares.append(_share(compiled, usage, found))
        notes += _about(shares[-1], usage, found, ours=is_ours(session))
    currency = shares[0].tariff.currency
    if any(share.tariff.currency != currency for share in shares):
        raise UserError("The tariffs of this session differ in currency: it has no one price.")
    exponent = minor_exponent(currency)
    return Bill(
        found.usage, currency, 2 if exponent is None else exponent, tuple(shares), _once(notes)
    )


def _read(document: object, tz: ZoneInfo | None) -> SessionReading:
    if isinstance(document, Mapping) and is_ours(document):
        return read_ours(document, tz)
    items = unwrapped(document)
    if len(items) != 1:
        raise UserError(f"One session is priced at a time; the file holds {len(items)} objects.")
    return read_session(items[0], tz)


def _refusal(what: str, findings: Iterable[Finding], advice: str) -> UserError:
    errors = [finding for finding in findings if finding.severity == ERROR]
    place = f" (at {errors[0].pointer})" if errors[0].pointer else ""
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return UserError(f"{what}: {errors[0].message.rstrip('.')}{place}{more}; {advice}.")


def _sound(reading: TariffReading) -> Tariff:
    if reading.tariff is None:
        advice = "laddstream tariff lint lists all that is wrong"
        raise _refusal("The tariff cannot be read", reading.findings, advice)
    return reading.tariff


def _choose(
    documents: Sequence[Mapping[str, Any]], session: SessionDocument, notes: list[Finding]
) -> list[tuple[TariffPart, TariffReading]]:
    """Which tariff prices which part; parts under one tariff are one."""
    at = session.usage.start_ms
    picked = [_pick(documents, part.tariff_id, at) for part in session.parts]
    wanted = {part.tariff_id for part in session.parts if part.tariff_id}
    unknown = sorted(wanted - {_id(document) for document in documents})
    if unknown:
        text = f"The session names tariff {', '.join(unknown)}, which was not given."
        notes.append(Finding("tariff_id_differs", "", text))
    if len(set(picked)) == 1:
        whole = TariffPart(session.parts[0].tariff_id, session.usage)
        return [(whole, read_tariff(documents[picked[0]]))]
    return [
        (part, read_tariff(documents[index]))
        for part, index in zip(session.parts, picked, strict=True)
    ]


def _pick(documents: Sequence[Mapping[str, Any]], tariff_id: str, at_ms: int) -> int:
    """The tariff of that id, or any where none has it; of several the newest valid one."""
    every = range(len(documents))
    named = [i for i in every if tariff_id and _id(documents[i]) == tariff_id]
    candidates = named or list(every)
    if len(candidates) == 1:
        return candidates[0]
    valid = [i for i in candidates if _valid(documents[i], at_ms)]
    return max(valid or candidates, key=lambda i: (_since(documents[i]), -i))


def _id(document: Mapping[str, Any]) -> str:
    found = document.get("id", document.get("tariffId"))
    return "" if found is None else str(found)


def _since(document: Mapping[str, Any]) -> int:
    read = values.instant(document.get("start_date_time", document.get("validFrom")))
    return read.value if read else -(1 << 62)


def _valid(document: Mapping[str, Any], at_ms: int) -> bool:
    until = values.instant(document.get("end_date_time"))
    return _since(document) <= at_ms and (until is None or at_ms < until.value)


def _unstepped(tariff: Tariff, later: Sequence[TariffPart]) -> Tariff:
    """Without the step sizes of what a later tariff goes on pricing: a step is never applied
    between two tariffs (2.2.1 mod_tariffs step_size).
    """
    done: set[str] = set()
    if any(part.usage.energy_mwh for part in later):
        done.add(ENERGY)
    if any(part.usage.charging_ms or part.usage.parking_ms for part in later):
        done |= {TIME, PARKING_TIME}
    elements = tuple(
        replace(
            element,
            components=tuple(
                replace(component, step_size=0) if component.dimension in done else component
                for component in element.components
            ),
        )
        for element in tariff.elements
    )
    return replace(tariff, elements=elements)


def _share(compiled: Compiled, usage: Usage, session: SessionDocument) -> Share:
    priced = _timed(price(compiled, usage), compiled, usage)
    if not session.billable:
        priced = replace(priced, lines=())
    elif session.credit:
        lines = tuple(line._replace(excl=-line.excl, incl=-line.incl) for line in priced.lines)
        priced = replace(priced, lines=lines)
    periods = list(priced.segments)
    if compiled.plain and not (usage.reservation and usage.reservation_expired):
        periods += [_plain_period(compiled, flow, i) for i, flow in enumerate(usage.flows())]
    return Share(compiled.tariff, priced, tuple(periods))


def _timed(priced: Priced, compiled: Compiled, usage: Usage) -> Priced:
    """Without restrictions the engine does not look when a volume came: here it is said."""
    if not compiled.plain:
        return priced
    spans: dict[str, tuple[int, int]] = {}
    for flow in usage.flows():
        for dimension, volume in (
            (ENERGY, flow.energy_mwh),
            (TIME, flow.charging_ms),
            (PARKING_TIME, flow.parking_ms),
        ):
            if volume:
                start = spans.get(dimension, (flow.start_ms, 0))[0]
                spans[dimension] = (start, flow.end_ms)
    lines = [
        line._replace(start_ms=spans[line.dimension][0], end_ms=spans[line.dimension][1])
        if line.dimension in spans and not line.reservation
        else line
        for line in priced.lines
    ]
    return replace(priced, lines=tuple(lines))


def _plain_period(compiled: Compiled, flow: Flow, number: int) -> Segment:
    context = compiled.charging
    volumes = (flow.energy_mwh, flow.charging_ms, flow.parking_ms)
    energy, time, parking = (
        rules[0].component if rules and volume else NO_COMPONENT
        for rules, volume in zip(
            (context.energy, context.time, context.parking), volumes, strict=True
        )
    )
    return Segment(flow.start_ms, flow.end_ms, *volumes, energy, time, parking, number)


_UNMEASURED = {
    "power_not_measured": (
        "The tariff asks for power, which the session does not carry: such prices do not match."
    ),
    "current_not_measured": (
        "The tariff asks for current, which the session does not carry: such prices do not match."
    ),
}


def _about(share: Share, usage: Usage, session: SessionDocument, *, ours: bool) -> list[Finding]:
    """What should be known of one tariff's price."""
    tariff, at = share.tariff, session.usage.start_ms
    out = [Finding(code, "", _UNMEASURED.get(code, code)) for code in share.priced.warnings]
    since, until = tariff.valid_from_ms, tariff.valid_until_ms
    if (since is not None and at < since) or (until is not None and at >= until):
        text = f"The tariff is not valid at {iso_ms(at)}, when the session began."
        out.append(Finding("tariff_not_valid", "", text))
    if session.currency and session.currency != tariff.currency:
        text = f"The session is in {session.currency}, the tariff in {tariff.currency}."
        out.append(Finding("currency_differs", "/currency", text))
    used = [line.component for line in share.priced.lines if line.component is not None]
    if tariff.tax_included == TAX_INCLUDED and any(not component.taxes for component in used):
        text = "Prices include taxes of unknown size: before and with taxes are the same."
        out.append(Finding("tax_unknown", "/tax_included", text))
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
            "/charging_periods",
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
    return [Finding("time_not_stated", "/charging_periods", text)]


def _under(where: str, finding: Finding) -> Finding:
    """The same finding with a pointer that says which document it is in."""
    return finding._replace(pointer=f"{where}#{finding.pointer}")


def _once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))
