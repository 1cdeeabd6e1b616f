"""Tariffs of the catalogue are stricter than tariffs read elsewhere: what cannot be meant is
refused, and so is a price of an unknown dimension unless that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from laddstream.catalogue.converting import Raw
from laddstream.catalogue.documents import Fault, Steps
from streams.core.ocpi.findings import ERROR, Finding
from streams.core.ocpi.tariffs import read_tariff
from streams.core.pricing.model import Tariff

UNKNOWN_DIMENSION, UNKNOWN_FIELD = "unknown_dimension", "unknown_field"
_IGNORED = ", its price is ignored"
_BOUNDS = (
    ("min_mwh", "max_mwh", "min_kwh", "max_kwh"),
    ("min_duration_ms", "max_duration_ms", "min_duration", "max_duration"),
    ("min_power_mw", "max_power_mw", "min_power", "max_power"),
    ("min_current_ma", "max_current_ma", "min_current", "max_current"),
    ("start_day", "end_day", "start_date", "end_date"),
    ("min_charging_ms", "max_charging_ms", "minChargingTime", "maxChargingTime"),
    ("min_idle_ms", "max_idle_ms", "minIdleTime", "maxIdleTime"),
)
"""Bounds of the model that contradict each other where the lower is not below the upper."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in a tariff, and its start_date_time in epoch milliseconds."""

    faults: list[Fault]
    notes: list[str]
    begins_ms: int | None


def read_entry(raw: Raw, document: Mapping[str, Any], *, ignore_unknown: bool) -> Reading:
    """Read a tariff as the catalogue demands it."""
    reading = read_tariff(document)
    faults, notes, others = [], [], 0
    name = document.get("id") or document.get("tariffId")
    for finding in reading.findings:
        if finding.severity == ERROR:
            faults.append(raw.fault(steps_of(finding.pointer), finding.message))
        elif finding.code == UNKNOWN_DIMENSION and not ignore_unknown:
            what = finding.message.replace(_IGNORED, "").removesuffix(".")
            what += " (--ignore-unknown leaves its price out)"
            faults.append(raw.fault(steps_of(finding.pointer), what))
        elif finding.code == UNKNOWN_DIMENSION or _may_matter(finding):
            place = raw.fault(steps_of(finding.pointer), f"tariff {name}: {finding.message}")
            notes.append(place.text)
        else:
            others += 1
    if reading.tariff is not None:
        faults += [raw.fault(steps_of(one.pointer), one.message) for one in contradictions(
            reading.tariff)]  # fmt: skip
    if others and not faults:
        things = "1 warning" if others == 1 else f"{others} warnings"
        notes.append(f"tariff {name}: {things}, see laddstream tariff lint")
    begins = reading.tariff.valid_from_ms if reading.tariff is not None else None
    return Reading(faults, notes, begins)


def _may_matter(finding: Finding) -> bool:
    """A field nobody reads that was meant to say something: a misspelt one, a condition."""
    asked = finding.likely or "/restrictions/" in finding.pointer
    return finding.code == UNKNOWN_FIELD and bool(asked)


def contradictions(tariff: Tariff) -> Iterator[Finding]:
    """Restrictions that no session can ever meet."""
    for element in tariff.elements:
        limits = element.restrictions
        for low_key, high_key, low_name, high_name in _BOUNDS:
            low, high = getattr(limits, low_key), getattr(limits, high_key)
            if low is not None and high is not None and low >= high:
                where = f"/elements/{element.index}/restrictions/{high_name}"
                text = f"{high_name} is not above {low_name}: no session can meet both"
                yield Finding("contradicting_restrictions", where, text, ERROR)


def steps_of(text: str) -> Steps:
    """The steps of an RFC 6901 pointer."""
    parts = (part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])
    return tuple(int(part) if part.isdigit() else part for part in parts)
