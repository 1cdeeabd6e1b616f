"""Mends a tariff document, one finding at a time, and says what it did.

A repair that keeps the meaning is proved to: the tariff is read before and after, and both must
price every session alike (a component that is never reached may go: `lint_reach` proved it). All
else needs `changes=True`. A price is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final

from streams.core.ocpi.findings import ERROR, Finding
from streams.core.ocpi.fix_repairs import CHANGES, PROVED, REPAIRS, Repair
from streams.core.ocpi.lint import lint, readable
from streams.core.ocpi.tariffs import read_tariff
from streams.core.pricing.model import FLAT, Component, Restrictions, Tariff
from streams.core.pricing.reach import minutes_of_week

_MOST_ROUNDS: Final = 300
_CONDITIONS: Final = re.compile(r"/(restrictions|conditions)/")


@dataclass(frozen=True, slots=True)
class Mended:
    """The mended document, what was done, and the findings that remain."""

    document: dict[str, Any]
    did: tuple[str, ...]
    left: tuple[Finding, ...]


def mend(document: Mapping[str, Any], now_ms: int, *, changes: bool) -> Mended:
    """A copy of one tariff object with all repairs made that are allowed.

    Mending what was mended does nothing more. `now_ms` as in `lint`.
    """
    current: dict[str, Any] = deepcopy(dict(document))
    did: list[str] = []
    tried: set[tuple[str, str, str]] = set()
    for _ in range(_MOST_ROUNDS):
        findings = lint(current, now_ms)
        todo = [
            f for f in findings if f.code in REPAIRS and (f.code, f.pointer, f.message) not in tried
        ]
        if not todo:
            break
        # The last first: what is taken out of a list does not move what comes before it.
        finding = min(reversed(todo), key=lambda f: REPAIRS[f.code].order)
        tried.add((finding.code, finding.pointer, finding.message))
        done = _repaired(current, findings, finding, now_ms, changes=changes)
        if done is not None:
            current, sentence = done
            did.append(f"{finding.pointer or '/'}: {sentence}")
            tried = {key for key in tried if REPAIRS[key[0]].once}
    return Mended(current, tuple(did), lint(current, now_ms))


def _repaired(
    document: dict[str, Any],
    findings: tuple[Finding, ...],
    finding: Finding,
    now_ms: int,
    *,
    changes: bool,
) -> tuple[dict[str, Any], str] | None:
    """The document after one repair, with its sentence; None where it may not or cannot be."""
    repair = REPAIRS[finding.code]
    if not changes and not _allowed(repair, findings):
        return None
    copy = deepcopy(document)
    sentence = repair.make(copy, finding)
    if sentence is None or repr(copy) == repr(document):  # 0.25 and 0.2500 are equal numbers
        return None
    if not changes and repair.kind != PROVED and not _keeps_meaning(document, copy):
        return None
    if repair.once and any(f[:2] == finding[:2] for f in lint(copy, now_ms)):
        return None
    return copy, sentence


def _allowed(repair: Repair, findings: tuple[Finding, ...]) -> bool:
    """Whether a repair may be made without leave to change prices."""
    if repair.kind == PROVED:
        # What a fallback hides was probably meant to be reached, and so was what only a misspelt
        # restriction hides: moving the fallback or mending the name is the cure.
        return not any(
            f.code == "fallback_first"
            or (f.code == "unknown_field" and _CONDITIONS.search(f.pointer))
            for f in findings
        )
    return repair.kind != CHANGES


def _keeps_meaning(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether both documents price all sessions alike, as far as they can be read; what could
    not be read priced nothing, so that making it readable changes no price.
    """
    errors, left = _errors(before), _errors(after)
    if left != errors:
        return left < errors
    old, new = readable(before)[0], readable(after)[0]
    return old is not None and new is not None and _meaning(old) == _meaning(new)


def _errors(document: Mapping[str, Any]) -> int:
    return sum(finding.severity == ERROR for finding in read_tariff(document).findings)


def _meaning(tariff: Tariff) -> tuple[object, ...]:
    """What of a tariff decides prices."""
    elements = tuple(
        (tuple(_priced_as(c) for c in element.components), *_matched_as(element.restrictions))
        for element in tariff.elements
    )
    return elements, replace(tariff, elements=(), version="", tariff_type="", tariff_id="")


def _priced_as(component: Component) -> Component:
    no_step = component.dimension == FLAT or not component.price
    step = 0 if no_step else component.step_size
    return replace(component, price_text="", pointer="", step_size=step)


def _matched_as(r: Restrictions) -> tuple[int, Restrictions]:
    """Restrictions without what says nothing, the week as its minutes."""
    return minutes_of_week(r), replace(
        r,
        start_minute=None,
        end_minute=None,
        days=frozenset(),
        min_mwh=max(r.min_mwh or 0, 0) or None,
        min_duration_ms=max(r.min_duration_ms or 0, 0) or None,
    )
