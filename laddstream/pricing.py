"""Prices one session document under tariff documents, without any service: `laddstream price`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from laddstream.pricing_bill import Bill, Share
from laddstream.pricing_choice import choose, unstepped
from laddstream.pricing_notes import about
from laddstream.pricing_session import is_ours, read_ours
from schemas.currencies import minor_exponent
from schemas.errors import UserError
from streams.core.ocpi.cdrs import SessionDocument, SessionReading, read_session
from streams.core.ocpi.findings import ERROR, Finding
from streams.core.ocpi.reading import unwrapped
from streams.core.ocpi.swedish import note_words
from streams.core.ocpi.tariffs import TariffReading, tariffs_in
from streams.core.pricing.compiled import Compiled, compile_tariff
from streams.core.pricing.engine import price
from streams.core.pricing.model import ENERGY, PARKING_TIME, TIME, Tariff
from streams.core.pricing.priced import NO_COMPONENT, Priced, Segment
from streams.core.pricing.usage import Flow, Usage

_ENGLISH: Final = {
    "session": "The session cannot be read: {0}; mend it.",
    "tariff": "The tariff cannot be read: {0}; laddstream tariff lint lists all that is wrong.",
    "not_a_session": "The file for --session holds no CDR or Session: {0}; give one.",
    "not_a_tariff": "The file for --tariff holds no tariff: {0}; give one.",
    "place": "{0} (at {1})",
    "more": "{0}, and {1} more",
    "no_tariff": "There is no tariff: give one with --tariff, or a CDR that carries its own.",
    "no_session": "There is no session in the file: give a CDR, a Session or `session ID --json`.",
    "several": "One session is priced at a time; the file holds {0} objects.",
    "currencies": "The tariffs of this session differ in currency: it has no one price.",
}
_SWEDISH: Final = {
    "session": "Sessionen går inte att läsa: {0}; rätta den.",
    "tariff": "Tariffen går inte att läsa: {0}; laddstream tariff lint visar allt som är fel.",
    "not_a_session": "Filen för --session har ingen CDR eller session: {0}; ange en.",
    "not_a_tariff": "Filen för --tariff har ingen tariff: {0}; ange en.",
    "place": "{0} (vid {1})",
    "more": "{0}, och {1} till",
    "no_tariff": "Det finns ingen tariff: ange en med --tariff, eller en CDR som bär sin egen.",
    "no_session": "Det finns ingen session i filen: ange en CDR, en Session eller"
    " `session ID --json`.",
    "several": "En session prissätts åt gången; filen har {0} objekt.",
    "currencies": "Sessionens tariffer har olika valuta: den har inget enda pris.",
}


def price_documents(
    tariffs: object | None, session: object, tz: ZoneInfo | None = None, lang: str = "en"
) -> Bill:
    """Price decoded JSON. `tariffs` None: those that the session carries. UserError: what cannot
    be read safely, with the first thing that is wrong, in the language `lang`.
    """
    reading = _read(session, tz, lang)
    found = reading.session
    if found is None:
        raise _refusal("session", reading.findings, lang)
    documents = list(found.tariffs) if tariffs is None else tariffs_in(tariffs)
    if not documents:
        raise UserError(_words(lang)["no_tariff"])
    notes = [_under("session", finding) for finding in reading.findings]
    chosen = choose(documents, found, notes)
    split = len(chosen) > 1
    shares = []
    for i, (part, reader) in enumerate(chosen):
        tariff = _sound(reader, lang)
        notes += [_under("tariff", finding) for finding in reader.findings]
        later = [p for p, _ in chosen[i + 1 :]]
        compiled = compile_tariff(unstepped(tariff, later) if split else tariff)
        usage = part.usage
        if split and not compiled.plain:
            usage = replace(usage, start_ms=found.usage.start_ms)
        shares.append(_share(compiled, usage, found))
        notes += about(shares[-1], usage, found, ours=is_ours(session))
    currency = shares[0].tariff.currency
    if any(share.tariff.currency != currency for share in shares):
        raise UserError(_words(lang)["currencies"])
    exponent = minor_exponent(currency)
    return Bill(
        found.usage, currency, 2 if exponent is None else exponent, tuple(shares), _once(notes)
    )


def _words(lang: str) -> dict[str, str]:
    return _SWEDISH if lang.lower().startswith("sv") else _ENGLISH


def _read(document: object, tz: ZoneInfo | None, lang: str) -> SessionReading:
    if isinstance(document, Mapping) and is_ours(document):
        return read_ours(document, tz)
    items = unwrapped(document)
    if len(items) != 1:
        raise UserError(_words(lang)["several" if items else "no_session"].format(len(items)))
    return read_session(items[0], tz)


def _refusal(what: str, findings: Iterable[Finding], lang: str) -> UserError:
    words = _words(lang)
    errors = [finding for finding in findings if finding.severity == ERROR]
    text = note_words(errors[0], lang).rstrip(".")
    if errors[0].code in words:
        what, text = errors[0].code, text[0].lower() + text[1:]
    if errors[0].pointer:
        text = words["place"].format(text, errors[0].pointer)
    if len(errors) > 1:
        text = words["more"].format(text, len(errors) - 1)
    return UserError(words[what].format(text))


def _sound(reading: TariffReading, lang: str) -> Tariff:
    if reading.tariff is None:
        raise _refusal("tariff", reading.findings, lang)
    return reading.tariff


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


def _under(where: str, finding: Finding) -> Finding:
    """The same finding with a pointer that says which document it is in."""
    return finding._replace(pointer=f"{where}#{finding.pointer}")


def _once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))
