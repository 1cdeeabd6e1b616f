"""`laddstream tariff generate`: a priced CDR for a tariff."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from laddstream.sloppy_json import dump_json, load_json
from schemas.errors import UserError
from streams.core.ocpi.findings import ERROR
from streams.core.ocpi.generate import Drive
from streams.core.ocpi.generate import generate as make
from streams.core.ocpi.places import zone_named
from streams.core.ocpi.tariffs import read_tariff, tariffs_in
from streams.core.ocpi.version import OCPP21, V211, V221, V230

_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
_USUAL_KW = Decimal(11)
_MOST_MS = 31 * 24 * _HOUR_MS


class Version(StrEnum):
    """Versions that a CDR can be written in."""

    V211 = V211
    V221 = V221
    V230 = V230


def generate(
    file: Annotated[Path, typer.Argument(metavar="T.json", help="One tariff.")],
    tz: Annotated[str, typer.Option(help="Time zone of the site, such as Europe/Stockholm.")],
    start: Annotated[str, typer.Option(help="Local start, such as 2026-03-01T10:00.")],
    end: Annotated[str | None, typer.Option(help="Local end; or --minutes.")] = None,
    minutes: Annotated[
        int | None, typer.Option(min=1, max=44640, help="Length; else as long as charging takes.")
    ] = None,
    kwh: Annotated[str, typer.Option(help="Energy.")] = "20",
    power: Annotated[str | None, typer.Option(help="Charging power in kW; else 11.")] = None,
    parking_minutes: Annotated[
        int | None, typer.Option(min=0, max=44640, help="Parked after charging.")
    ] = None,
    version: Annotated[
        Version | None, typer.Option(help="OCPI version of the CDR; else the tariff's.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Lets the power waver, always the same way.")
    ] = None,
) -> None:
    """Print a believable priced CDR for a tariff; `laddstream price` gives the same total."""
    zone = zone_named(tz)
    if zone is None:
        raise UserError(f"--tz {tz}: no time zone; give an IANA name such as Europe/Stockholm.")
    document, _ = load_json(file)
    tariffs = tariffs_in(document)
    if len(tariffs) != 1:
        raise UserError(f"{file}: {len(tariffs)} tariffs in it; give a file with one.")
    reading = read_tariff(tariffs[0])
    if reading.tariff is None:
        for finding in reading.findings:
            if finding.severity == ERROR:
                typer.echo(f"{finding.pointer or '/'}: {finding.message}", err=True)
        raise UserError(f"{file}: a tariff that cannot be priced; mend what is listed above.")
    start_ms = _instant(start, zone, "--start")
    total_ms = None if minutes is None else minutes * _MINUTE_MS
    if end is not None:
        if total_ms is not None:
            raise UserError("--end and --minutes say the same; give one of them.")
        total_ms = _instant(end, zone, "--end") - start_ms
    parking_ms = None if parking_minutes is None else parking_minutes * _MINUTE_MS
    energy = _positive(kwh, "--kwh")
    limit = None if power is None else _positive(power, "--power")
    charging_ms, parking_ms = _lengths(energy, limit, total_ms, parking_ms)
    drive = Drive(start_ms, charging_ms, parking_ms, _mwh(energy), zone, seed)
    found = version or (V221 if reading.tariff.version == OCPP21 else reading.tariff.version)
    cdr = make(tariffs[0], drive, str(found))
    if cdr is None:
        raise UserError(f"{file}: no CDR comes of it; check it with `laddstream tariff lint`.")
    typer.echo(dump_json(cdr), nl=False)


def _lengths(
    kwh: Decimal, power: Decimal | None, total_ms: int | None, parking_ms: int | None
) -> tuple[int, int]:
    """How long it charges and how long it is parked, from what was asked for."""
    if power == 0 and kwh:
        raise UserError("--power 0 charges nothing; give a power above 0 or --kwh 0.")
    needed = _whole_seconds(kwh / (power or _USUAL_KW)) if kwh else 0
    if total_ms is None:
        length = needed + (parking_ms or 0)
        if not 0 < length <= _MOST_MS:
            raise UserError("A session must last between a second and 31 days; ask for that.")
        return needed, parking_ms or 0
    if not 0 < total_ms <= _MOST_MS:
        raise UserError("The end must come after the start, at most 31 days later.")
    room = total_ms - (parking_ms or 0)
    if kwh and (room <= 0 or (power is not None and needed > room)):
        raise UserError(
            "The energy does not fit between start and end; ask for less or for longer."
        )
    if parking_ms is None:
        charging = min(needed, room)
        return charging, total_ms - charging
    return room, parking_ms


def _whole_seconds(hours: Decimal) -> int:
    return int((hours * 3600).quantize(Decimal(1), ROUND_HALF_UP)) * 1000 or 1000


def _mwh(kwh: Decimal) -> int:
    return int((kwh * 1_000_000).quantize(Decimal(1), ROUND_HALF_UP))


def _positive(text: str, name: str) -> Decimal:
    try:
        value = Decimal(text.replace(",", "."))
    except InvalidOperation as error:
        raise UserError(f"{name} {text}: no number; write it like 20 or 7.5.") from error
    if not value.is_finite() or not 0 <= value <= 100_000:
        raise UserError(f"{name} {text}: give a number from 0 to 100000.")
    return value


def _instant(text: str, zone: ZoneInfo, name: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        local = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        if not 1970 < local.year < 9000:
            raise UserError(f"{name} {text}: give a year from 1971 on.")
        return int(local.timestamp() // 1) * 1000
    except ValueError as error:
        raise UserError(f"{name} {text}: no time; write it like 2026-03-01T10:00.") from error
