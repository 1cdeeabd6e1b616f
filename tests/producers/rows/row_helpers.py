"""Small files and mappings for the tests of the row importer."""

from __future__ import annotations

import tomllib
from pathlib import Path

from producers.rows.importer import Import, read_files
from producers.rows.mapping import Mapping
from producers.rows.sessions import Session
from schemas import wire

PERTH = Path(__file__).parents[4] / "shared" / "data" / "perth_kinross"
PERTH_2016_17 = PERTH / "EV_ChargeStation_Use_Sept_2016_to_Aug_2017.csv.gz"
PERTH_2017_18 = PERTH / "EVChargeStationUseSept2017toAug2018.csv.gz"

BASIC = """
name = "basic"
zone = "UTC"
station = "station"
start = "start"
end = { column = "end", optional = true }
energy = { column = "kwh", optional = true }
"""


def mapping_of(text: str = BASIC, extra: str = "") -> Mapping:
    return Mapping.model_validate(tomllib.loads(text + extra))


def read_text(folder: Path, content: str | bytes, mapping: Mapping, name: str = "f.csv") -> Import:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_files([path], mapping)


def only(found: Import) -> Session:
    assert found.faults == []
    (session,) = found.sessions
    return session


def business(event: wire.WireEvent) -> tuple[tuple[str, object], ...]:
    """Everything an event says but registers, message ids, gateway and arrival."""
    left_out = {"meter_start_wh", "meter_stop_wh", "message_id", "gateway", "received_at"}
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    fields["type"] = type(event).__name__
    return tuple(sorted((name, each) for name, each in fields.items() if name not in left_out))
