"""Station S9 (see core_events) under tariffs by hand, and what the tables then say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from schemas import wire
from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue
from streams.sink.memory import MemorySink
from tests.streams.core.core_events import meter16, start16, stop16
from tests.streams.core.fleet_kit import Drive, settings_of, sink_of

STATION = {
    "tenant": "t", "station_id": "S9", "area": "Harbour", "city": "Malmö", "region": "Skåne",
    "country": "SE", "time_zone": "Europe/Stockholm", "rated_power_w": None, "tariff_id": "day",
}  # fmt: skip


def plain(price: str, tariff_id: str = "day", **more: Any) -> dict[str, Any]:
    """A tariff of one price a kWh, SEK, 25 % VAT."""
    component = {"type": "ENERGY", "price": Decimal(price), "vat": 25, "step_size": 1}
    return {
        "id": tariff_id, "currency": "SEK",
        "elements": [{"price_components": [component]}], **more,
    }  # fmt: skip


def catalogue_of(
    revision: int, *tariffs: dict[str, Any], station: dict[str, Any] = STATION, **tables: Any
) -> Catalogue:
    """Station S9 and these tariffs."""
    encode = msgspec.json.Encoder(decimal_format="number").encode
    rows = [
        {"tenant": "t", "tariff_id": t["id"], "revision": revision, "ocpi_json": encode(t)}
        for t in tariffs
    ]
    return build_catalogue(revision, [station], rows, **tables)


def driven(known: Catalogue, *values: bytes) -> Drive:
    """A worker that has read and written these."""
    drive = Drive(list(values), sink_of(known), settings_of(keep_s=300))
    drive.take(len(values))
    drive.flush()
    return drive


def more(drive: Drive, *values: bytes) -> None:
    """Further events, and their flush."""
    drive.values = [*drive.values, *values]
    drive.take(len(values))
    drive.flush()


def wait(drive: Drive, seconds: int) -> None:
    """Time passes without events; the worker flushes as it would."""
    for _ in range(seconds):
        drive.flush()


def ended_session() -> list[bytes]:
    """10:00 to 10:40 UTC, 12 kWh, one reading on the way."""
    return [start16(0, 0), meter16(20, 9_000), stop16(40, 12_000)]


def only(sink: MemorySink, table: str) -> dict[str, Any]:
    """The one row of a table."""
    (row,) = sink.tables[table].values()
    return row


def in_minutes(sink: MemorySink) -> dict[int, dict[str, Any]]:
    """Rows of slices by their start in seconds."""
    return {row["slice_start"]: row for row in sink.tables["session_slices"].values()}


def charges(sink: MemorySink) -> list[dict[str, Any]]:
    """Charge lines of the version that holds, in order."""
    version = only(sink, "sessions")["version"]
    rows = [r for r in sink.tables["session_charges"].values() if r["version"] == version]
    return sorted(rows, key=lambda row: row["line"])


def station_of(tariff_id: str) -> dict[str, Any]:
    """S9 with another tariff."""
    return STATION | {"tariff_id": tariff_id}


def encoded(event: wire.WireEvent) -> bytes:
    """As a producer would send it."""
    return wire.encode(event)
