"""Volumes of charging periods as exact integers: kWh to mWh, decimal hours to milliseconds.

A volume in decimal hours is rounded by nature (40 min is 0.6667 h). Where it agrees with the
time stamps, the time stamps are meant (domain rules 2.6 rule 12; ours, OCPI says nothing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from streams.core.ocpi import values
from streams.core.ocpi.reading import Notes, Path, mappings
from streams.core.ocpi.values import decimals, scaled, shown

ENERGY, TIME, PARKING_TIME, RESERVATION_TIME = "ENERGY", "TIME", "PARKING_TIME", "RESERVATION_TIME"
HOUR_MS: Final = 3_600_000

_POWERS: Final = ("POWER", "MIN_POWER", "MAX_POWER")
_CURRENTS: Final = ("CURRENT", "MIN_CURRENT", "MAX_CURRENT")
_SILENT: Final = ("ENERGY_EXPORT", "ENERGY_IMPORT", "STATE_OF_CHARGE", "FLAT")
DIMENSIONS: Final = (
    ENERGY, TIME, PARKING_TIME, RESERVATION_TIME, *_POWERS, *_CURRENTS, *_SILENT,
)  # fmt: skip

_AGREES: Final = Fraction(1, 10_000)
_COARSEST = 2


@dataclass(slots=True)
class Volumes:
    """What one period states, by dimension; absent ones are not in `stated`."""

    stated: dict[str, Decimal] = field(default_factory=dict)

    def hours(self, dimension: str) -> Decimal:
        """A duration in hours, 0 where it is not stated."""
        return self.stated.get(dimension, Decimal(0))

    def bounds(self, names: tuple[str, str, str], unit: int) -> tuple[int | None, int | None]:
        """Trough and peak of power or current: MIN_ and MAX_ before the plain value."""
        plain, low, high = (self.stated.get(name) for name in names)
        trough = plain if low is None else low
        peak = plain if high is None else high
        return (
            None if trough is None else scaled(trough, unit),
            None if peak is None else scaled(peak, unit),
        )

    @property
    def power_mw(self) -> tuple[int | None, int | None]:
        """Trough and peak of power in mW."""
        return self.bounds(_POWERS, 1_000_000)

    @property
    def current_ma(self) -> tuple[int | None, int | None]:
        """Trough and peak of current in mA."""
        return self.bounds(_CURRENTS, 1_000)


def read_volumes(raw: object, path: Path, notes: Notes, *, credit: bool) -> Volumes:
    """The dimensions of one charging period. In a credit CDR a negative volume is its size."""
    out = Volumes()
    raw = notes.listed(raw, path)
    if raw is not None and not isinstance(raw, list | tuple):
        notes.error("bad_value", path, f"dimensions {shown(raw)} is no list.")
    for i, item in mappings(raw):
        where = (*path, i)
        read = values.word(item.get("type"), DIMENSIONS)
        if read is None:
            meant = values.likely(item.get("type"), DIMENSIONS)
            hint = f"; was {meant} meant?" if meant else "."
            kind = shown(item.get("type"))
            text = f"{kind} is no dimension of a charging period, it is ignored{hint}"
            notes.warn("unknown_dimension", (*where, "type"), text, meant)
            continue
        notes.noted(read, item["type"], (*where, "type"))
        if read.value in _SILENT:
            continue
        value = _volume(item, read.value, where, notes, credit=credit)
        if value is not None:
            before = out.stated.get(read.value)
            amount = read.value in {ENERGY, TIME, PARKING_TIME, RESERVATION_TIME}
            out.stated[read.value] = value if before is None or not amount else before + value
    return out


def _volume(
    item: Mapping[str, Any], dimension: str, path: Path, notes: Notes, *, credit: bool
) -> Decimal | None:
    if item.get("volume") is None:
        notes.warn("missing_field", (*path, "volume"), f"{dimension} has no volume.")
    value = notes.number(item.get("volume"), (*path, "volume"))
    if value is None or value >= 0 or dimension in {*_POWERS, *_CURRENTS}:
        return value
    if credit:
        return -value
    text = f"{dimension} {value} is negative: it is counted as 0."
    notes.warn("negative_volume", (*path, "volume"), text)
    return Decimal(0)


def same_hours(volume: Decimal, length_ms: int) -> bool:
    """Whether a volume in hours means a length: to four decimals, or rounded or cut to as many
    as it is written with, where these are at least two (1.973 h is 7103 s).
    """
    gap = Fraction(volume) - Fraction(length_ms, HOUR_MS)
    if abs(gap) < _AGREES:
        return True
    places = decimals(volume)
    if places < _COARSEST:
        return False
    last = Fraction(1, 10**places)
    return abs(gap) <= last / 2 or (places > _COARSEST and -last < gap <= 0)


def durations(volumes: Volumes, length_ms: int, path: Path, notes: Notes) -> tuple[int, int]:
    """Charging and parking time of one period in ms, by its volumes and its length."""
    time, parking = volumes.hours(TIME), volumes.hours(PARKING_TIME)
    if time and parking:
        if same_hours(time + parking, length_ms) or _same_sum(time, parking, length_ms):
            charging = min(_to_second(time), length_ms)
            return charging, length_ms - charging
        stated = _to_second(time), _to_second(parking)
    else:
        stated = (
            length_ms if time and same_hours(time, length_ms) else _to_second(time),
            length_ms if parking and same_hours(parking, length_ms) else _to_second(parking),
        )
    if sum(stated) > length_ms:
        text = (
            f"Time volumes of {sum(stated) / HOUR_MS:.4f} h are more than the "
            f"{length_ms / HOUR_MS:.4f} h between the time stamps: the volumes count."
        )
        notes.warn("volume_exceeds_time", path, text)
    return stated


def hours_ms(hours: Decimal) -> int:
    """Decimal hours in milliseconds, rounded half up."""
    return scaled(hours, HOUR_MS)


def _same_sum(time: Decimal, parking: Decimal, length_ms: int) -> bool:
    """Both are rounded, so their sum may be off by both halves."""
    gap = abs(Fraction(time + parking) - Fraction(length_ms, HOUR_MS))
    places = min(decimals(time), decimals(parking))
    return places > _COARSEST and gap <= Fraction(1, 10**places)


def _to_second(hours: Decimal) -> int:
    """The whole second that rounded hours mean, where one lies within their last decimal
    (0.0834 h is 300 s, rounded up).
    """
    exact = hours_ms(hours)
    second = (exact + 500) // 1000 * 1000
    return second if abs(second - exact) * 10 ** decimals(hours) <= HOUR_MS else exact
