"""Which of several tariff documents prices which part of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from streams.core.ocpi import values
from streams.core.ocpi.cdrs import SessionDocument, TariffPart
from streams.core.ocpi.findings import Finding
from streams.core.ocpi.tariffs import TariffReading, read_tariff
from streams.core.pricing.model import ENERGY, PARKING_TIME, TIME, Tariff


def choose(
    documents: Sequence[Mapping[str, Any]], session: SessionDocument, notes: list[Finding]
) -> list[tuple[TariffPart, TariffReading]]:
    """Which tariff prices which part; parts under one tariff are one. What is worth saying of it
    goes to `notes`.
    """
    at = session.usage.start_ms
    picked = [_pick(documents, part.tariff_id, at) for part in session.parts]
    given = {_id(document).casefold() for document in documents}
    wanted = {part.tariff_id for part in session.parts if part.tariff_id}
    unknown = sorted(name for name in wanted if name.casefold() not in given)
    if unknown:
        text = f"The session names tariff {', '.join(unknown)}, which was not given."
        notes.append(Finding("tariff_id_differs", "session#", text))
    if len(given) > 1 and not wanted:
        taken = _id(documents[picked[0]])
        text = f"The session names none of the {len(documents)} tariffs: {taken} is taken."
        notes.append(Finding("several_tariffs", "session#", text, likely=taken))
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
    wanted = tariff_id.casefold()  # OCPI ids are CiStrings
    named = [i for i in every if wanted and _id(documents[i]).casefold() == wanted]
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


def unstepped(tariff: Tariff, later: Sequence[TariffPart]) -> Tariff:
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
