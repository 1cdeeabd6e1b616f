"""Guesses which version of OCPI or OCPP a tariff, a CDR or a session was written for.

Tell-tales: fields that only one version has (OCPI 2.1.1, 2.2.1 and 2.3.0 mod_tariffs, mod_cdrs
and mod_sessions; OCPP 2.1 TariffType).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

V211, V221, V230, OCPP21 = "2.1.1", "2.2.1", "2.3.0", "ocpp2.1"
TARIFF, CDR, SESSION = "tariff", "cdr", "session"

_TELL_TALES: Final[Mapping[str, frozenset[str]]] = {
    V230: frozenset({"tax_included", "before_taxes", "after_taxes", "taxes"}),
    V221: frozenset({"excl_vat", "incl_vat"}),
    V211: frozenset({"stop_date_time", "auth_id", "start_datetime", "end_datetime"}),
    OCPP21: frozenset(
        {"tariffId", "chargingTime", "idleTime", "fixedFee", "priceKwh", "priceMinute"}
        | {"priceFixed", "taxRates", "reservationFixed", "reservationTime", "minCost", "maxCost"}
    ),
}
_SINCE_22: Final = frozenset(
    {"country_code", "party_id", "cdr_token", "cdr_location", "vat", "session_id", "location_id"}
    | {"min_price", "max_price", "start_date_time", "end_date_time", "min_current", "max_current"}
    | {"reservation", "authorization_reference", "invoice_reference_id"}
)
_SINCE_22_ONLY_IN: Final[Mapping[str, frozenset[str]]] = {
    TARIFF: _SINCE_22,
    CDR: _SINCE_22 - {"start_date_time"},
    SESSION: _SINCE_22 - {"start_date_time", "end_date_time"},
}
_MAX_DEPTH: Final = 12


class VersionGuess(NamedTuple):
    """`version` as in `Tariff.version`; `kind` tariff, cdr or session; both empty where it is none.

    `certain`: something decisive was seen and nothing against it. `because`: short sentences.
    """

    version: str
    kind: str
    certain: bool
    because: tuple[str, ...]


def guess_version(document: object) -> VersionGuess:
    """The version a document was most likely written for; any JSON is allowed."""
    if not isinstance(document, Mapping):
        return VersionGuess("", "", certain=False, because=("it is not a JSON object",))
    kind, why = _kind(document)
    # The tariffs inside a CDR may be of another version: they do not testify.
    seen = dict(_fields(document, "", 0, skip="tariffs" if kind != TARIFF else ""))
    votes = {
        version: sorted(seen[name] for name in names & seen.keys())
        for version, names in _TELL_TALES.items()
    }
    if kind in {CDR, SESSION}:
        votes[V211] += _of_2_1_1(document)
    reasons = tuple(
        f"{_listed(fields)}: only in {_called(version)}"
        for version, fields in votes.items()
        if fields
    )
    found = [version for version in (OCPP21, V230, V221, V211) if votes[version]]
    if found:
        return VersionGuess(found[0], kind, certain=len(found) == 1, because=(*why, *reasons))
    later = sorted(seen[name] for name in _SINCE_22_ONLY_IN.get(kind, frozenset()) & seen.keys())
    if later:
        note = f"{_listed(later)}: not before OCPI 2.2; nothing that is only in 2.3.0"
        return VersionGuess(V221, kind, certain=kind == TARIFF, because=(*why, note))
    if not kind:
        return VersionGuess("", kind, certain=False, because=why)
    note = "nothing in it is of one version only"
    version = V211 if kind == TARIFF and "elements" in document else V221
    return VersionGuess(version, kind, certain=False, because=(*why, note))


def _kind(document: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    for kind, names in (
        (CDR, ("cdr_token", "cdr_location", "stop_date_time", "tariffs", "total_energy")),
        (TARIFF, ("elements", "tariffId", "energy", "chargingTime", "fixedFee")),
        (SESSION, ("kwh", "charging_periods", "start_datetime", "auth_method")),
        (CDR, ("total_cost", "total_time")),
        (TARIFF, ("tariff_alt_text", "tariff_alt_url")),
    ):
        seen = [name for name in names if name in document]
        if kind == CDR and seen == ["cdr_token"] and "kwh" in document:
            continue
        if seen:
            return kind, (f"{_listed(seen)}: a {kind.upper() if kind == CDR else kind}",)
    return "", ("it looks like no tariff, CDR or session",)


def _of_2_1_1(document: Mapping[str, Any]) -> list[str]:
    """What is in CDRs and sessions of 2.1.1 only: plain amounts, an embedded location."""
    cost = document.get("total_cost")
    found = ["location as an object"] if isinstance(document.get("location"), Mapping) else []
    if cost is not None and not isinstance(cost, Mapping | bool | str | list):
        found.append("total_cost as a number")
    return found


def _fields(value: object, at: str, depth: int, skip: str) -> Iterator[tuple[str, str]]:
    """Every field's name with one path at which it stands."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name != skip and inner is not None:
                yield str(name), f"{at}{name}"
                yield from _fields(inner, f"{at}{name}.", depth + 1, skip)
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, at, depth + 1, skip)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")


def _called(version: str) -> str:
    return "OCPP 2.1" if version == OCPP21 else f"OCPI {version}"
