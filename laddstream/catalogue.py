"""Master data from JSON files into the tables `stations` and `tariffs`.

    {"stations": [{"station_id": "A1", "area": "Harbour", "time_zone": "Europe/Oslo", …}],
     "tariffs": [an OCPI 2.2.1 Tariff object with its id, …]}

Every file is checked whole before anything is written; what is wrong is listed with its
JSON pointer. Numbers stay as exact as they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from reports.query import Address, StoreError, connect_client, explain
from schemas.errors import UserError
from streams.core.pricing.tariff import Unsupported, parse_tariff

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_PINNED = {"async_insert": 0, "insert_deduplicate": 1}
_NEWEST = (
    "SELECT greatest((SELECT max(revision) FROM stations), (SELECT max(revision) FROM tariffs))"
)


def _known_zone(name: str) -> str:
    if name:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("not an IANA time zone such as Europe/Stockholm") from error
    return name


Identifier = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Label = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


class StationEntry(BaseModel):
    """One station of a catalogue file; what is not known is left out."""

    model_config = ConfigDict(extra="forbid")

    station_id: Identifier
    tenant: Identifier | None = None
    name: Label = ""
    area: Label = ""
    city: Label = ""
    region: Label = ""
    country: Label = ""
    latitude: Annotated[Decimal, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[Decimal, Field(ge=-180, le=180)] | None = None
    time_zone: Annotated[str, AfterValidator(_known_zone)] = ""
    rated_power_w: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    tariff_id: Label = ""


class PriceComponent(BaseModel):
    """OCPI 2.2.1 PriceComponent."""

    type: Annotated[str, Field(pattern="^(ENERGY|FLAT|PARKING_TIME|TIME)$")]
    price: Annotated[Decimal, Field(ge=-(10**9), le=10**9, allow_inf_nan=False)]
    vat: Annotated[Decimal, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    step_size: Annotated[int, Field(ge=0, le=2**31 - 1)]


class TariffElement(BaseModel):
    """OCPI 2.2.1 TariffElement."""

    price_components: Annotated[list[PriceComponent], Field(min_length=1)]
    restrictions: dict[str, Any] | None = None


class TariffEntry(BaseModel):
    """OCPI 2.2.1 Tariff, as far as prices need it; everything else is kept as it is."""

    id: Annotated[str, Field(min_length=1, max_length=36)]
    tenant: Identifier | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    elements: Annotated[list[TariffElement], Field(min_length=1)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    stations: list[StationEntry] = []
    tariffs: list[TariffEntry] = []


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: the file, where in it (RFC 6901 pointer), and what."""

    file: str
    pointer: str
    what: str


@dataclass(frozen=True, slots=True)
class Contents:
    """Rows for the two tables without their revision, and every fault that was found."""

    stations: list[dict[str, Any]]
    tariffs: list[dict[str, Any]]
    faults: list[Fault]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did; `notes` are things to know, such as tariffs that cannot be priced yet."""

    revision: int
    stations: int
    tariffs: int
    notes: list[str]


def read(paths: Sequence[Path], tenant: str) -> Contents:
    """Read and check catalogue files; entries without a tenant belong to `tenant`.

    Raises UserError only where a file cannot be read at all.
    """
    contents = Contents([], [], [])
    seen: dict[tuple[str, str, str], str] = {}
    for path in paths:
        document = _document(path, contents.faults)
        if document is None:
            continue
        try:
            checked = _File.model_validate(document)
        except ValidationError as error:
            contents.faults.extend(_faults(path, error))
            continue
        contents.stations.extend(_station_row(entry, tenant) for entry in checked.stations)
        contents.tariffs.extend(
            _tariff_row(entry, raw, tenant)
            for entry, raw in zip(checked.tariffs, document.get("tariffs", ()), strict=True)
        )
        contents.faults.extend(_repeated(path, checked, tenant, seen))
    return contents


def load(contents: Contents, address: Address, database: str) -> Loaded:
    """Write checked contents at the next catalogue revision.

    Raises UserError where there are faults or nothing to load, UnavailableError where the
    store is away.
    """
    if contents.faults:
        raise UserError(f"{len(contents.faults)} errors in the catalogue: nothing was loaded")
    if not contents.stations and not contents.tariffs:
        raise UserError("There is neither a station nor a tariff in these files")
    with closing(connect_client(address, database)) as client:
        try:
            revision = int(client.query(_NEWEST).result_rows[0][0])
            # Each table a revision of its own, so that a worker that looks in between looks again.
            for table, rows in (("tariffs", contents.tariffs), ("stations", contents.stations)):
                if rows:
                    revision += 1
                    body = b"\n".join(_ENCODER.encode({**r, "revision": revision}) for r in rows)
                    client.raw_insert(table, insert_block=body, fmt="JSONEachRow", settings=_PINNED)
            known = {
                (str(row[0]), str(row[1]))
                for row in client.query("SELECT tenant, tariff_id FROM tariffs").result_rows
            }
        except StoreError as error:
            raise explain(error, address.url) from error
    notes = [*_unpriced(contents), *_dangling(contents, known)]
    return Loaded(revision, len(contents.stations), len(contents.tariffs), notes)


def _document(path: Path, faults: list[Fault]) -> dict[str, Any] | None:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        document = _DECODER.decode(raw.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        faults.append(Fault(path.name, "", f"not JSON: {error}"))
        return None
    if not isinstance(document, dict):
        faults.append(Fault(path.name, "", 'an object with "stations" and "tariffs" is expected'))
        return None
    return document


def _faults(path: Path, error: ValidationError) -> Iterator[Fault]:
    for one in error.errors(include_url=False, include_context=False):
        pointer = "".join(
            "/" + str(step).replace("~", "~0").replace("/", "~1") for step in one["loc"]
        )
        given = "" if one["type"] == "missing" else f", not {str(one['input'])[:60]!r}"
        yield Fault(path.name, pointer, one["msg"] + given)


def _repeated(
    path: Path, checked: _File, tenant: str, seen: dict[tuple[str, str, str], str]
) -> Iterator[Fault]:
    keys = [("stations", e.tenant or tenant, e.station_id) for e in checked.stations]
    keys += [("tariffs", e.tenant or tenant, e.id) for e in checked.tariffs]
    counts = {"stations": 0, "tariffs": 0}
    for key in keys:
        pointer = f"/{key[0]}/{counts[key[0]]}"
        counts[key[0]] += 1
        if key in seen:
            yield Fault(path.name, pointer, f"{key[2]!r} is there already: {seen[key]}")
        else:
            seen[key] = f"{path.name} {pointer}"


def _station_row(entry: StationEntry, tenant: str) -> dict[str, Any]:
    return entry.model_dump() | {"tenant": entry.tenant or tenant}


def _tariff_row(entry: TariffEntry, raw: dict[str, Any], tenant: str) -> dict[str, Any]:
    document = {key: value for key, value in raw.items() if key != "tenant"}
    return {
        "tenant": entry.tenant or tenant,
        "tariff_id": entry.id,
        "ocpi_json": _ENCODER.encode(document).decode(),
    }


def _unpriced(contents: Contents) -> Iterator[str]:
    for row in contents.tariffs:
        tariff = parse_tariff(msgspec.json.decode(row["ocpi_json"]))
        if isinstance(tariff, Unsupported):
            yield f"tariff {row['tariff_id']} is not priced yet ({tariff.reason})"


def _dangling(contents: Contents, known: set[tuple[str, str]]) -> Iterator[str]:
    named = {(r["tenant"], r["tariff_id"]) for r in contents.stations if r["tariff_id"]}
    for _, tariff_id in sorted(named - known):
        yield f"stations name tariff {tariff_id}, which is not in the catalogue"
