"""OCPI TariffRestrictions and OCPP 2.1 TariffConditions in the units of the engine.

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0 mod_tariffs TariffRestrictions; OCPP 2.1
TariffConditionsType (Wh, W, A, seconds) and TariffConditionsFixedType.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from streams.core.ocpi import values
from streams.core.ocpi.reading import Notes, Path
from streams.core.ocpi.values import shown
from streams.core.pricing.model import (
    NO_RESTRICTIONS,
    RESERVATION,
    RESERVATION_EXPIRES,
    Restrictions,
)

_DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_DAY_MINUTES = 1440


class Bound(NamedTuple):
    """Lower and upper field in the document and in the model, and model units per unit."""

    low: str
    high: str
    low_key: str
    high_key: str
    unit: int


class Dialect(NamedTuple):
    """How one specification spells restrictions."""

    bounds: tuple[Bound, ...]
    start_time: str
    end_time: str
    start_date: str
    end_date: str
    days: str
    others: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field there is."""
        bounds = [name for bound in self.bounds for name in (bound.low, bound.high)]
        times = (self.start_time, self.end_time, self.start_date, self.end_date, self.days)
        return (*times, *bounds, *self.others)


OCPI: Final = Dialect(
    (
        Bound("min_kwh", "max_kwh", "min_mwh", "max_mwh", 1_000_000),
        Bound("min_duration", "max_duration", "min_duration_ms", "max_duration_ms", 1000),
        Bound("min_power", "max_power", "min_power_mw", "max_power_mw", 1_000_000),
        Bound("min_current", "max_current", "min_current_ma", "max_current_ma", 1000),
    ),
    "start_time",
    "end_time",
    "start_date",
    "end_date",
    "day_of_week",
    ("reservation",),
)
OCPP: Final = Dialect(
    (
        Bound("minEnergy", "maxEnergy", "min_mwh", "max_mwh", 1000),
        Bound("minTime", "maxTime", "min_duration_ms", "max_duration_ms", 1000),
        Bound("minPower", "maxPower", "min_power_mw", "max_power_mw", 1000),
        Bound("minCurrent", "maxCurrent", "min_current_ma", "max_current_ma", 1000),
        Bound("minChargingTime", "maxChargingTime", "min_charging_ms", "max_charging_ms", 1000),
        Bound("minIdleTime", "maxIdleTime", "min_idle_ms", "max_idle_ms", 1000),
    ),
    "startTimeOfDay",
    "endTimeOfDay",
    "validFromDate",
    "validToDate",
    "dayOfWeek",
    ("evseKind", "paymentBrand", "paymentRecognition", "customData"),
)


def read_restrictions(
    raw: object, path: Path, dialect: Dialect, notes: Notes, reservation: str = ""
) -> Restrictions:
    """Restrictions of an element; absent, null and {} are none. What is wrong is noted.

    `reservation` is given where the document says it elsewhere (OCPP 2.1).
    """
    if raw is None:
        return Restrictions(reservation=reservation) if reservation else NO_RESTRICTIONS
    if raw == []:  # an empty object, as PHP writes it
        notes.warn("empty_list", path, f"{path[-1]} is an empty list: there are none.")
        raw = {}
    if not isinstance(raw, Mapping):
        notes.error("bad_value", path, f"{path[-1]} {shown(raw)} is no object.")
        return NO_RESTRICTIONS
    notes.unknown_fields(raw, dialect.fields, path)
    found: dict[str, Any] = {"reservation": reservation or _reservation(raw, path, notes)}
    for bound in dialect.bounds:
        _bounds(raw, bound, path, notes, found)
    _clock(raw, dialect, path, notes, found)
    _dates(raw, dialect, path, notes, found)
    found["days"] = _days(raw.get(dialect.days), (*path, dialect.days), notes)
    never = [name for name in dialect.others if raw.get(name) and name not in _HARMLESS]
    if never:
        found["never"] = ", ".join(f"{name} {raw[name]}"[:60] for name in never)
        notes.warn(
            "condition_not_measured",
            (*path, never[0]),
            f"No session says its {never[0]}: this price never applies.",
        )
    return Restrictions(**found)


_HARMLESS: Final = frozenset({"reservation", "customData"})


def _bounds(
    raw: Mapping[str, Any], bound: Bound, path: Path, notes: Notes, found: dict[str, Any]
) -> None:
    low, high = (
        None if (value := notes.number(raw.get(name), (*path, name))) is None
        else values.scaled(value, bound.unit)
        for name in (bound.low, bound.high)
    )  # fmt: skip
    found[bound.low_key], found[bound.high_key] = low, high
    if high is None or (low or 0) < high:
        return
    if high == 0 and not low:
        notes.warn(
            "zero_bound", (*path, bound.high), f"{bound.high} 0 is never undercut: no price."
        )
        return
    lower = f"{bound.low} {raw.get(bound.low)}" if low is not None else "0"
    notes.error(
        "contradicting_restrictions",
        (*path, bound.high),
        f"{bound.high} {raw.get(bound.high)} is not above {lower}: it can never match.",
    )


def _clock(
    raw: Mapping[str, Any], dialect: Dialect, path: Path, notes: Notes, found: dict[str, Any]
) -> None:
    for name, key in ((dialect.start_time, "start_minute"), (dialect.end_time, "end_minute")):
        text = raw.get(name)
        if text is None:
            continue
        read = values.time_of_day(text)
        if read is None:
            notes.error("bad_time", (*path, name), f"{name} {shown(text)} is no time of day.")
            continue
        notes.noted(read, text, (*path, name))
        found[key] = read.value % _DAY_MINUTES if key == "start_minute" else read.value


def _dates(
    raw: Mapping[str, Any], dialect: Dialect, path: Path, notes: Notes, found: dict[str, Any]
) -> None:
    for name, key in ((dialect.start_date, "start_day"), (dialect.end_date, "end_day")):
        text = raw.get(name)
        if text is None:
            continue
        read = values.day(text)
        if read is None:
            notes.error("bad_date", (*path, name), f"{name} {shown(text)} is no date.")
            continue
        notes.noted(read, text, (*path, name))
        found[key] = read.value
    start, end = found.get("start_day"), found.get("end_day")
    if start is not None and end is not None and end <= start:
        notes.error(
            "contradicting_restrictions",
            (*path, dialect.end_date),
            f"{dialect.end_date} {raw[dialect.end_date]} is not after {dialect.start_date} "
            f"{raw[dialect.start_date]}: it can never match.",
        )


def _days(raw: object, path: Path, notes: Notes) -> frozenset[int]:
    if raw is None:
        return frozenset()
    if isinstance(raw, str):
        notes.warn("not_a_list", path, f"{path[-1]} is one day where a list belongs; it is read.")
        raw = [raw]
    if not isinstance(raw, list | tuple):
        notes.error("bad_value", path, f"{path[-1]} {shown(raw)} is no list of days.")
        return frozenset()
    if not raw:
        notes.warn("empty_list", path, f"{path[-1]} is empty: every day is meant.")
    found: set[int] = set()
    for i, name in enumerate(raw):
        read = values.word(name, _DAYS)
        if read is None:
            meant = values.likely(name, _DAYS)
            hint = f"; was {meant} meant?" if meant else "."
            notes.error(
                "bad_value", (*path, i), f"{shown(name)} is no day of the week{hint}", meant
            )
            continue
        if name != read.value.capitalize():  # OCPP 2.1 writes Monday
            notes.noted(read, name, (*path, i))
        found.add(_DAYS.index(read.value))
    return frozenset(found)


def _reservation(raw: Mapping[str, Any], path: Path, notes: Notes) -> str:
    value = raw.get("reservation")
    if value is None:
        return ""
    known = (RESERVATION, RESERVATION_EXPIRES)
    read = values.word(value, known)
    if read is None:
        meant = values.likely(value, known)
        hint = f"; was {meant} meant?" if meant else "."
        notes.error(
            "bad_value",
            (*path, "reservation"),
            f"reservation {shown(value)} is unknown{hint}",
            meant,
        )
        return ""
    notes.noted(read, value, (*path, "reservation"))
    return read.value
