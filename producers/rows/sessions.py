"""One record in, one past session out, or the reason why not. Nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from typing import TypeVar

from producers.rows.columns import Header, Paths
from producers.rows.fields import OWN, CellError, bind, holds
from producers.rows.mapping import Cell, Mapping, Repair, TimeCell, check_formats
from producers.rows.numbers import plain_text
from producers.rows.tables import Fault, Record
from producers.rows.times import parse_zone, swap_day_and_month, to_utc, within_calendar
from schemas.units import iso_ms

DATE_REPAIRED = "day_month_swapped"
"""Flag: day and month were exchanged, as the mapping says."""

NEXT_DAY = "end_on_next_day"
"""Flag: a day was added to the end, as the mapping says."""

NEGATIVE_CLIPPED = "negative_energy_to_zero"
"""Flag: energy below zero was made zero, as the mapping says."""

FROM_ROW = "charging_time_from_row"
"""Flag: the row states this point of time, no charger said it."""

FROM_DURATION = "charging_time_from_duration"
"""Flag: start plus the row's charging time, as if it charged without a pause."""

_T = TypeVar("_T")

_DAY_MS = 86_400_000
_MAX_PAID = 10**9
_FIELDS = (
    "station", "evse", "connector", "transaction", "user", "area", "start", "end", "duration",
    "charging_start", "charging_end", "charging_duration", "energy", "paid", "currency",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time, epoch milliseconds, and what was noticed or repaired about it."""

    ms: int
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """What one row states. Equal rows give equal sessions, in any file and any order."""

    station: str
    evse: int | None
    connector: int | None
    transaction_id: str
    user: str | None
    area: str | None
    start: Instant
    charging_start: Instant | None
    charging_end: Instant | None
    end: Instant | None
    energy_wh: int | None
    paid: str | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row the mapping leaves out, and why."""

    reason: str


class RowReader:
    """A mapping bound to one file's columns. Raises MappingError where they do not fit."""

    def __init__(self, mapping: Mapping, columns: Header | Paths, file: str) -> None:
        self._mapping = mapping
        self._columns = columns
        self._file = file
        self._repairs = frozenset(mapping.repairs)
        self._zone = parse_zone(mapping.zone) if mapping.zone else None
        cells: dict[str, Cell | None] = {key: getattr(mapping, key) for key in _FIELDS}
        cells["transaction"] = mapping.transaction or Cell(columns=tuple(_own_parts(mapping)))
        if mapping.zone_column:
            cells["zone_column"] = Cell(column=mapping.zone_column, default=mapping.zone)
        self._bound = {
            key: bound
            for key, cell in cells.items()
            if (bound := bind(key, cell, columns, mapping)) is not None
        }
        self._skips = [
            (skip, bound)
            for index, skip in enumerate(mapping.skip)
            if (bound := bind(f"skip[{index}]", Cell(column=skip.column), columns, mapping))
        ]
        check_formats(mapping.formats)
        for cell in cells.values():
            check_formats(cell.formats if isinstance(cell, TimeCell) else ())

    @property
    def used(self) -> tuple[str, ...]:
        """The columns the mapping reads, in the order of its fields."""
        bounds = [*self._bound.values(), *(bound for _, bound in self._skips)]
        return tuple(dict.fromkeys(name for bound in bounds for name, _ in bound.getters))

    def cells(self, record: Record) -> dict[str, str]:
        """The cells of a record that the mapping reads, as text."""
        shown: dict[str, str] = {}
        for bound in self._bound.values():
            for name, getter in bound.getters:
                try:
                    value = getter(record.cells)
                except KeyError:
                    continue
                shown[name] = "" if value is None else str(value)
        return shown

    def read(self, record: Record) -> Session | Skipped | Fault:
        """The session of a record, or why there is none."""
        try:
            for skip, bound in self._skips:
                if holds(skip, bound, record.cells, self._mapping) != skip.negate:
                    return Skipped(skip.reason)
            return self._session(record.cells)
        except CellError as fault:
            return Fault(self._file, record.line, fault.column, fault.reason)

    def _session(self, cells: object) -> Session:
        zone = self._row_zone(cells)
        start = self._required(self._instant("start", cells, zone), "start")
        end = self._end(cells, zone, start)
        energy = self._energy(cells)
        if energy is not None and energy < 0 and Repair.NEGATIVE_TO_ZERO in self._repairs:
            energy = 0
            end = end and replace(end, flags=(*end.flags, NEGATIVE_CLIPPED))
        paid, currency = self._paid(cells)
        session = Session(
            station=self._required(self._name("station", cells), "station"),
            evse=self._count("evse", cells),
            connector=self._count("connector", cells),
            transaction_id="",
            user=self._name("user", cells, 1000),
            area=self._name("area", cells, 1000),
            start=start,
            charging_start=self._stated("charging_start", cells, zone, start),
            charging_end=self._charging_end(cells, zone, start),
            end=end,
            energy_wh=energy,
            paid=paid,
            currency=currency,
        )
        return replace(session, transaction_id=self._transaction_id(cells, session))

    def _required(self, value: _T | None, key: str) -> _T:
        if value is None:
            raise CellError(self._bound[key].label, "is missing")
        return value

    def _row_zone(self, cells: object) -> tzinfo | None:
        bound = self._bound.get("zone_column")
        text = bound and bound.text(cells)
        if bound is None or text is None:
            return self._zone
        try:
            return parse_zone(text)
        except ValueError as error:
            raise CellError(bound.label, str(error)) from error

    def _instant(
        self, key: str, cells: object, zone: tzinfo | None, not_before: Instant | None = None
    ) -> Instant | None:
        bound = self._bound.get(key)
        if bound is None or not isinstance(bound.cell, TimeCell):
            return None
        moment = bound.moment(cells, bound.cell.formats or self._mapping.formats)
        if moment is None:
            return None
        own_zone = parse_zone(bound.cell.zone) if bound.cell.zone else zone
        flags: tuple[str, ...] = ()
        if Repair.SWAP_DAY_MONTH in self._repairs:
            moment, before = swap_day_and_month(moment), moment
            flags = (DATE_REPAIRED,) if moment != before else ()
        earliest = not_before.ms if not_before is not None else None
        try:
            ms, clock_flags = to_utc(moment, own_zone, earliest)
            late = earliest is not None and 0 < earliest - ms < _DAY_MS
            if key == "end" and late and Repair.END_NEXT_DAY in self._repairs:
                ms, clock_flags = to_utc(moment + timedelta(days=1), own_zone, earliest)
                flags += (NEXT_DAY,)
        except (ValueError, OverflowError) as error:
            raise CellError(bound.label, str(error)) from error
        return Instant(ms, flags + clock_flags)

    def _end(self, cells: object, zone: tzinfo | None, start: Instant) -> Instant | None:
        if (end := self._instant("end", cells, zone, start)) is not None:
            return end
        return self._after("duration", cells, start)

    def _stated(
        self, key: str, cells: object, zone: tzinfo | None, start: Instant
    ) -> Instant | None:
        instant = self._instant(key, cells, zone, start)
        return instant and replace(instant, flags=(*instant.flags, FROM_ROW))

    def _charging_end(self, cells: object, zone: tzinfo | None, start: Instant) -> Instant | None:
        if (stated := self._stated("charging_end", cells, zone, start)) is not None:
            return stated
        begin = self._instant("charging_start", cells, zone, start) or start
        done = self._after("charging_duration", cells, begin)
        return done and Instant(done.ms, (FROM_DURATION,))

    def _after(self, key: str, cells: object, start: Instant) -> Instant | None:
        bound = self._bound.get(key)
        span = None if bound is None else bound.duration_ms(cells, self._mapping)
        if bound is None or span is None:
            return None
        try:
            return Instant(within_calendar(start.ms + span))
        except ValueError as error:
            raise CellError(bound.label, str(error)) from error

    def _energy(self, cells: object) -> int | None:
        bound = self._bound.get("energy")
        return None if bound is None else bound.energy_wh(cells, self._mapping)

    def _name(self, key: str, cells: object, limit: int = 255) -> str | None:
        bound = self._bound.get(key)
        return None if bound is None else bound.name(cells, limit)

    def _count(self, key: str, cells: object) -> int | None:
        bound = self._bound.get(key)
        return None if bound is None else bound.count(cells, self._mapping)

    def _paid(self, cells: object) -> tuple[str | None, str | None]:
        bound = self._bound.get("paid")
        amount = None if bound is None else bound.number(cells, self._mapping)
        if bound is None or amount is None:
            return None, None
        if abs(amount) > _MAX_PAID:
            raise CellError(bound.label, f"{amount} is beyond any payment")
        currency = self._required(self._name("currency", cells), "currency").upper()
        if not re.fullmatch("[A-Z]{3}", currency):
            label = self._bound["currency"].label
            raise CellError(label, f"{currency!r} is no currency code such as EUR")
        return plain_text(amount), currency

    def _transaction_id(self, cells: object, session: Session) -> str:
        bound = self._bound["transaction"]
        columns = iter(bound.raw(cells))
        own = {
            "@evse": session.evse,
            "@connector": session.connector,
            "@start": _compact(session.start),
            "@end": _compact(session.end),
            "@energy": session.energy_wh,
            "@user": session.user,
            "@area": session.area,
        }
        parts = [own[name] if name in OWN else next(columns) for name in bound.cell.names]
        return self._required(bound.checked(bound.finish(parts)), "transaction")


def _own_parts(mapping: Mapping) -> Sequence[str]:
    """What names a session where the mapping says nothing: everything that tells rows apart."""
    given = {
        "@evse": mapping.evse,
        "@connector": mapping.connector,
        "@start": mapping.start,
        "@end": mapping.end or mapping.duration,
        "@energy": mapping.energy,
        "@user": mapping.user,
    }
    return [name for name, cell in given.items() if cell is not None]


def _compact(instant: Instant | None) -> str | None:
    """A time inside an identifier: `20170831T211200Z`."""
    if instant is None:
        return None
    return iso_ms(instant.ms).replace("-", "").replace(":", "").replace(".000", "")
