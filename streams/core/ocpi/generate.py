"""A believable priced CDR for a tariff: charging at a power, then parked, cut where prices change.

The CDR is written first and then read and priced like any other, so that pricing it again gives
its total_cost. Sources: OCPI 2.1.1, 2.2.1 and 2.3.0 mod_cdrs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.units import iso_ms
from streams.core.ocpi.cdrs import read_session
from streams.core.ocpi.generate_totals import frame, totals
from streams.core.ocpi.tariffs import read_tariff
from streams.core.pricing.compiled import compile_tariff
from streams.core.pricing.engine import price
from streams.core.pricing.usage import Flow, usage_of

_HOUR_MS: Final = 3_600_000
_PIECE_MS: Final = 900_000
_VOLTS_AC, _VOLTS_DC, _MOST_AC_MW = 230, 400, 43_000_000


@dataclass(frozen=True, slots=True)
class Drive:
    """What the driver does: charges `energy_mwh` in `charging_ms` from `start_ms` on, then stays
    parked for `parking_ms`. `seed` other than None lets the power waver, always the same way.
    """

    start_ms: int
    charging_ms: int
    parking_ms: int
    energy_mwh: int
    zone: ZoneInfo
    seed: int | None = None


def generate(document: Mapping[str, Any], drive: Drive, version: str) -> dict[str, Any] | None:
    """A CDR of an OCPI version with the tariff in it; None: the tariff cannot be read."""
    tariff = read_tariff(document).tariff
    if tariff is None:
        return None
    compiled = compile_tariff(tariff)
    flows = tuple(_flows(drive))
    segments = price(compiled, usage_of(flows, drive.zone)).segments
    pieces = [
        Flow(s.start_ms, s.end_ms, s.energy_mwh, s.charging_ms, s.parking_ms, *flows[s.flow][5:9])
        for s in segments
        if s.end_ms > s.start_ms
    ]
    end_ms = drive.start_ms + drive.charging_ms + drive.parking_ms
    cdr = frame(document, version, drive.zone.key, drive.start_ms, end_ms, drive.seed or 0)
    cdr["currency"] = tariff.currency
    cdr["tariffs"] = [dict(document)]
    cdr["charging_periods"] = [
        _period(piece, tariff.tariff_id, version) for piece in pieces or flows
    ]
    cdr["total_energy"] = _number(Decimal(drive.energy_mwh) / 1_000_000)
    session = read_session(cdr, drive.zone).session
    if session is None:
        return None
    return totals(cdr, price(compiled, session.usage), session.usage, version)


def _flows(drive: Drive) -> Iterator[Flow]:
    """Charging in pieces of a quarter of an hour where the power wavers, then parking."""
    start, length = drive.start_ms, drive.charging_ms
    size = length if drive.seed is None else _PIECE_MS
    cuts = [*range(0, length, max(size, 1)), length] if length else []
    weights = [
        (after - before) * (1000 + waver)
        for (before, after), waver in zip(pairwise(cuts), _wavers(drive.seed), strict=False)
    ]
    done = weighed = 0
    for i, weight in enumerate(weights):
        begin, end = cuts[i], cuts[i + 1]
        weighed += weight
        until = drive.energy_mwh * weighed // sum(weights)
        power = (until - done) * _HOUR_MS // (end - begin) // 1000 * 1000
        volts = 1000 * (_VOLTS_AC if power <= _MOST_AC_MW else _VOLTS_DC)
        current = power * 10 // volts * 100
        yield Flow(
            start + begin, start + end, until - done, end - begin, 0, power, power, current, current
        )
        done = until
    if drive.parking_ms or not length:
        begin = start + length
        yield Flow(begin, begin + drive.parking_ms, 0, 0, drive.parking_ms, 0, 0, 0, 0)


def _wavers(seed: int | None) -> Iterator[int]:
    """Thousandths by which the power differs from its mean, the same for the same seed."""
    state = 0 if seed is None else seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        yield 0 if seed is None else (state >> 33) % 61 - 30


def _period(flow: Flow, tariff_id: str, version: str) -> dict[str, Any]:
    hours = Decimal(1) / _HOUR_MS
    amounts = (
        ("ENERGY", Decimal(flow.energy_mwh) / 1_000_000, 6, bool(flow.energy_mwh)),
        ("TIME", flow.charging_ms * hours, 4, bool(flow.charging_ms)),
        ("PARKING_TIME", flow.parking_ms * hours, 4, bool(flow.parking_ms)),
        *_measured(flow, "POWER", flow.low_power_mw, flow.high_power_mw, 1_000_000),
        *_measured(flow, "CURRENT", flow.low_current_ma, flow.high_current_ma, 1_000),
    )
    period: dict[str, Any] = {
        "start_date_time": stamp(flow.start_ms),
        "dimensions": [
            {"type": name, "volume": _number(round(volume, places))}
            for name, volume, places, used in amounts
            if used
        ],
    }
    return period if version == "2.1.1" or not tariff_id else period | {"tariff_id": tariff_id}


def _measured(
    flow: Flow, what: str, low: int | None, high: int | None, unit: int
) -> Iterator[tuple[str, Decimal, int, bool]]:
    for edge, value in (("MIN", low), ("MAX", high)):
        yield f"{edge}_{what}", Decimal(value or 0) / unit, 6, bool(flow.charging_ms)


def stamp(epoch_ms: int) -> str:
    """An instant as OCPI writes it, with milliseconds only where there are any."""
    return iso_ms(epoch_ms).replace(".000Z", "Z")


def _number(value: Decimal) -> Decimal | int:
    """Without needless zeros or exponent."""
    return int(value) if value == int(value) else value.normalize()
