"""Charging periods of CDRs and Sessions as even stretches of usage."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from streams.core.ocpi.reading import Notes, Path, mappings
from streams.core.ocpi.values import scaled
from streams.core.ocpi.volumes import (
    ENERGY,
    PARKING_TIME,
    RESERVATION_TIME,
    TIME,
    Volumes,
    durations,
    hours_ms,
    read_volumes,
    same_hours,
)
from streams.core.pricing.usage import Flow

_MWH_PER_KWH = 1_000_000
_SAME_ENERGY = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class Period:
    """One charging period as it stands; it ends where the next one begins."""

    start_ms: int
    volumes: Volumes
    tariff_id: str
    path: Path


@dataclass(frozen=True, slots=True)
class Parts:
    """Stretches of charging, each with its tariff id, and what was reserved before."""

    flows: tuple[Flow, ...] = ()
    tariff_ids: tuple[str, ...] = ()
    reservation: tuple[Flow, ...] = ()
    reservation_expired: bool = False


def read_periods(raw: object, start_ms: int, notes: Notes, *, credit: bool) -> list[Period]:
    """The periods in order of time; one without a start begins with the session."""
    out: list[Period] = []
    for i, item in mappings(raw):
        path: Path = ("charging_periods", i)
        at = notes.instant(item.get("start_date_time"), (*path, "start_date_time"))
        if at is None:
            if item.get("start_date_time") is None:
                text = "A charging period has no start_date_time: it begins where the last did."
                notes.warn("missing_field", (*path, "start_date_time"), text)
            at = out[-1].start_ms if out else start_ms
        volumes = read_volumes(item.get("dimensions"), (*path, "dimensions"), notes, credit=credit)
        tariff_id = item.get("tariff_id")
        out.append(Period(at, volumes, "" if tariff_id is None else str(tariff_id), path))
    ordered = sorted(out, key=lambda period: period.start_ms)
    if ordered != out:
        text = "The charging periods are not in order of time: they are sorted."
        notes.warn("unordered_periods", ("charging_periods",), text)
    return ordered


def energy_unit(periods: list[Period], total_kwh: Decimal | None, notes: Notes) -> int:
    """How many mWh an ENERGY volume of 1 is: they are kWh, or Wh where they can only be that,
    because their sum is a thousand times the session's total, within 2 %.
    """
    stated = sum((p.volumes.hours(ENERGY) for p in periods), Decimal(0))
    if total_kwh is None or stated == total_kwh:
        return _MWH_PER_KWH
    if not stated:
        text = f"No charging period states ENERGY, the total says {total_kwh} kWh: none counts."
        notes.warn("energy_not_stated", ("charging_periods",), text)
        return _MWH_PER_KWH
    if abs(stated / 1000 - total_kwh) <= total_kwh * _SAME_ENERGY:
        text = f"ENERGY volumes of {stated} kWh are read as Wh: the session has {total_kwh} kWh."
        notes.warn("energy_in_wh", ("charging_periods",), text)
        return 1000
    if abs(stated - total_kwh) > Decimal("0.01"):
        text = f"ENERGY volumes sum to {stated} kWh, the total says {total_kwh}: volumes count."
        notes.warn("energy_differs", ("charging_periods",), text)
    return _MWH_PER_KWH


def flows_of(
    periods: list[Period], start_ms: int, end_ms: int, mwh_per_unit: int, notes: Notes
) -> Parts:
    """Stretches from periods. Time reserved stands apart; reserved time without any charging
    is a reservation that expired.
    """
    if periods[0].start_ms < start_ms or periods[-1].start_ms > end_ms:
        text = "A charging period begins outside of the session: its own time stamp counts."
        notes.warn("period_outside", ("charging_periods",), text)
    flows: list[Flow] = []
    ids: list[str] = []
    reserved: list[Flow] = []
    bounds = [*(p.start_ms for p in periods), max(end_ms, periods[-1].start_ms)]
    for period, (begin, end) in zip(periods, pairwise(bounds), strict=True):
        stated = period.volumes.stated
        if RESERVATION_TIME in stated:
            reserved.append(_reserved(period, begin, end))
            if not {ENERGY, TIME, PARKING_TIME} & stated.keys():
                continue
        flows.append(_flow(period, begin, end, mwh_per_unit, notes))
        ids.append(period.tariff_id)
    used = any(f.energy_mwh or f.charging_ms or f.parking_ms for f in flows)
    if reserved and not used:
        flows, ids = [], []
    elif not reserved and start_ms < bounds[0]:
        flows.insert(0, Flow(start_ms, bounds[0]))
        ids.insert(0, "")
    return Parts(tuple(flows), tuple(ids), tuple(reserved), bool(reserved) and not used)


def _reserved(period: Period, begin: int, end: int) -> Flow:
    hours = period.volumes.hours(RESERVATION_TIME)
    length = end - begin
    ms = length if same_hours(hours, length) else hours_ms(hours)
    return Flow(begin, end, charging_ms=ms)


def _flow(period: Period, begin: int, end: int, mwh_per_unit: int, notes: Notes) -> Flow:
    volumes = period.volumes
    charging, parking = durations(volumes, end - begin, (*period.path, "dimensions"), notes)
    energy = scaled(volumes.hours(ENERGY), mwh_per_unit)
    return Flow(begin, end, energy, charging, parking, *volumes.power_mw, *volumes.current_ma)
