"""What is legal but wrong in a tariff: the reader's findings and those of a careful colleague.

`lint` never raises on decoded JSON. Where the reader refuses a tariff, the rest of it is looked
at all the same: what is broken is set aside, its places in the document stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from streams.core.ocpi.findings import ERROR, WARNING, Finding
from streams.core.ocpi.lint_amounts import amount_findings
from streams.core.ocpi.lint_fields import field_findings
from streams.core.ocpi.lint_reach import reach_findings
from streams.core.ocpi.tariffs import read_tariff
from streams.core.ocpi.version import OCPP21
from streams.core.pricing.model import Tariff

_ASIDE = {"max_kwh": 0}
"""Restrictions that never match: they stand in for what cannot be read."""

_APART = ("step_size", "vat", "taxes")
"""What of a component can be broken without hiding its price."""

_MOST_REPAIRS = 50


def lint(document: object, now_ms: int) -> tuple[Finding, ...]:
    """All findings about one tariff object, in the order of the document.

    `now_ms` (epoch milliseconds) decides what has expired.
    """
    if not isinstance(document, Mapping):
        return read_tariff(document).findings
    read = read_tariff(document).findings
    if any(finding.code == "not_a_tariff" for finding in read):
        return read
    tariff, aside = readable(document)
    found = [*read, *field_findings(document)]
    if tariff is not None:
        more = [
            *amount_findings(tariff, document),
            *reach_findings(tariff),
            *_expired(tariff, now_ms),
        ]
        found += [f for f in more if not f.pointer.startswith(aside)]
    return _each_once(found)


def readable(document: Mapping[str, Any]) -> tuple[Tariff | None, tuple[str, ...]]:
    """The tariff without what cannot be read, and the pointers of what was set aside; None where
    nothing of it can be.
    """
    copy: dict[str, Any] = deepcopy(dict(document))
    aside: list[str] = []
    for _ in range(_MOST_REPAIRS):
        reading = read_tariff(copy)
        if reading.tariff is not None or reading.findings[-1].code == "no_elements":
            return reading.tariff, tuple(aside)
        error = next(finding for finding in reading.findings if finding.severity == ERROR)
        try:
            place = _set_aside(copy, error.pointer.split("/")[1:])
        except (KeyError, IndexError, TypeError):  # one object where a list belongs
            break
        if not place or place in aside:
            break
        aside.append(place)
    return None, ()


def _set_aside(copy: dict[str, Any], parts: list[str]) -> str:
    """Take the cause of an error out; the pointer of what is gone, or empty where nothing is."""
    match parts:
        case ["currency"]:
            copy["currency"] = "EUR"
        case ["elements", index, "price_components", place, name, *_] if name in _APART:
            del copy["elements"][int(index)]["price_components"][int(place)][name]
            return "/" + "/".join(parts[:5])
        case ["elements", index, "price_components", place, *_]:
            copy["elements"][int(index)]["price_components"][int(place)] = {
                "type": "FLAT",
                "price": 0,
            }
            return "/" + "/".join(parts[:4])
        case ["elements", index, "restrictions", *_]:
            copy["elements"][int(index)]["restrictions"] = dict(_ASIDE)
            return "/" + "/".join(parts[:3])
        case ["elements", index, *_] if isinstance(copy.get("elements"), list):
            copy["elements"][int(index)] = {
                "price_components": [{"type": "FLAT", "price": 0}],
                "restrictions": dict(_ASIDE),
            }
            return "/" + "/".join(parts[:2])
        case [name, *_] if name in copy and name != "elements":
            del copy[name]
        case _:
            return ""
    return "/" + parts[0]


def _expired(tariff: Tariff, now_ms: int) -> list[Finding]:
    until = tariff.valid_until_ms
    if until is None or until > now_ms or tariff.version == OCPP21:
        return []
    text = "end_date_time has passed: no session that starts now has this tariff."
    return [Finding("expired", "/end_date_time", text, WARNING)]


def _each_once(findings: list[Finding]) -> tuple[Finding, ...]:
    """Without what says the same of the same place, in the order of the document."""
    seen: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        message = finding.message if finding.code == "week_gap" else ""
        seen.setdefault((finding.code, finding.pointer, message), finding)
    return tuple(sorted(seen.values(), key=_place))


def _place(finding: Finding) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isascii() and part.isdigit() and len(part) < 9 else (-1, part)
        for part in finding.pointer.split("/")
    ]
