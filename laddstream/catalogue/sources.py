"""Whatever a file holds, as entries of our lists: our own format, OCPI, CSV, station registers.

What a document is, its content says: our lists by their names, an OCPI Tariff by its elements, a
Location by its evses, a Token by its uid, Open Charge Map by AddressInfo, NOBIL by its
chargerstations. An OCPI response's `data` is unwrapped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from laddstream.catalogue import nobil, ocm, ocpi
from laddstream.catalogue.converting import Raw, Source
from laddstream.catalogue.documents import CSV, Document, Fault, Steps
from laddstream.catalogue.entries import MODELS
from laddstream.catalogue.lists import rows_of
from streams.core.ocpi.version import OCPP21, guess_version

FORMATS = ("yaml", "json", "csv", "ocpi", "ocm", "nobil")
_OCPI_LISTS = ("locations", "tokens")
_EXPECTED = (
    "nothing the catalogue knows: a file has lists named " + ", ".join(MODELS)
    + ", or OCPI Locations, Tariffs and Tokens, or is a CSV list (docs/catalogue.md)"
)  # fmt: skip


@dataclass(slots=True)
class Found:
    """What the files hold; `notes` are things to know that hinder nothing."""

    raws: list[Raw] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def take(document: Document, source: Source, found: Found, form: str = "") -> None:
    """Add the entries of one document; `form` names a format that its content does not show."""
    found.faults.extend(document.faults)
    if document.value is None:
        if not document.faults:
            found.faults.append(document.fault((), "the file is empty"))
        return
    if document.form == CSV:
        rows_of(document, found.raws, found.faults)
        return
    value, steps = _unwrapped(document.value)
    if form == "nobil" or (isinstance(value, Mapping) and "chargerstations" in value):
        nobil.take(document, value, source, found.raws, found.faults)
    elif isinstance(value, Mapping) and "ConnectionTypes" in value and "Countries" in value:
        pass  # Open Charge Map's reference data: read beside the stations that need it
    elif isinstance(value, Mapping) and not _single(value):
        _lists(document, value, steps, source, found)
    else:
        items = value if isinstance(value, list) else [value]
        for i, item in enumerate(items):
            where = (*steps, i) if isinstance(value, list) else steps
            _item(document, item, where, source, found, form)


def _unwrapped(value: object) -> tuple[Any, Steps]:
    if isinstance(value, Mapping) and "data" in value and "status_code" in value:
        return value["data"], ("data",)
    return value, ()


def _single(value: Mapping[str, Any]) -> str:
    """What kind of one object this is; empty where it is none we know."""
    if "AddressInfo" in value:
        return "ocm"
    if "elements" in value:
        return "tariffs"
    if "evses" in value or {"coordinates", "country"} <= value.keys():
        return "locations"
    if "uid" in value and {"whitelist", "auth_id", "contract_id", "issuer"} & value.keys():
        return "tokens"
    ours = any(isinstance(value.get(name), list) for name in MODELS)
    guess = guess_version(value)
    return "tariffs" if not ours and guess.version == OCPP21 and guess.kind == "tariff" else ""


def _lists(
    document: Document, value: Mapping[str, Any], steps: Steps, source: Source, found: Found
) -> None:
    names = [name for name in value if name in MODELS or name in _OCPI_LISTS]
    if not names or "start_date_time" in value:  # an OCPI CDR has tariffs, too
        found.faults.append(document.fault(steps, _EXPECTED))
        return
    for name, items in value.items():
        where = (*steps, name)
        if name not in names:
            known = ", ".join(MODELS)
            found.faults.append(document.fault(where, f"no list of the catalogue ({known})"))
        elif not isinstance(items, list):
            if items is not None:
                found.faults.append(document.fault(where, "a list is expected"))
        else:
            for i, item in enumerate(items):
                _typed(document, name, item, (*where, i), source, found)


def _item(
    document: Document, item: object, steps: Steps, source: Source, found: Found, form: str
) -> None:
    kind = _single(item) if isinstance(item, Mapping) else ""
    if form == "ocm":
        kind = kind or "ocm"
    if kind:
        _typed(document, kind, item, steps, source, found)
    else:
        found.faults.append(document.fault(steps, _EXPECTED))


def _typed(
    document: Document, kind: str, item: object, steps: Steps, source: Source, found: Found
) -> None:
    if not isinstance(item, Mapping):
        found.faults.append(document.fault(steps, "an object is expected"))
        return
    made: Iterator[Raw]
    if kind == "locations":
        made = ocpi.stations(document, item, steps, source, found.notes)
    elif kind == "tokens":
        made = ocpi.driver(document, item, steps, source)
    elif kind == "ocm":
        made = ocm.station(document, item, steps, source)
    else:
        made = iter([Raw(kind, dict(item), document, steps)])
    for raw in made:
        found.faults.extend(raw.faults)
        found.raws.append(raw)
