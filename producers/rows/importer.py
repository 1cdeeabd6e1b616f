"""Files and a mapping in, sessions and everything worth saying about the rows out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from producers.rows.columns import Header, Paths
from producers.rows.mapping import FileMapping, Mapping
from producers.rows.sessions import RowReader, Session, Skipped
from producers.rows.tables import Fault, Record, Table, read_table
from producers.rows.timeline import event_of, events_in_order, in_order, start_registers, steps
from schemas import wire

Progress = Callable[[int], None]
"""Called now and then with the number of rows read since the last call."""

_STRIDE = 500


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Clash:
    """Different rows that would be one session: the transaction id does not tell them apart."""

    station: str
    transaction_id: str
    places: tuple[Place, ...]


@dataclass(slots=True)
class Import:
    """What a set of files holds.

    `sessions` has each distinct session once, with the place of its first row. Every row is
    in exactly one of `sessions`, `repeated`, `skipped` and `faults`.
    """

    sessions: dict[Session, Place] = field(default_factory=dict)
    repeated: int = 0
    """Rows that say exactly what another row says."""

    skipped: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows read, in all."""
        taken = len(self.sessions) + self.repeated
        return taken + self.skipped.total() + len(self.faults)

    @property
    def without_end(self) -> int:
        """Sessions whose row has no end: a start and nothing more."""
        return sum(session.end is None for session in self.sessions)

    @property
    def without_energy(self) -> int:
        """Sessions that ended with an energy nobody knows."""
        return sum(each.end is not None and each.energy_wh is None for each in self.sessions)

    @property
    def event_count(self) -> int:
        """How many events `events` gives."""
        return sum(len(steps(session)) for session in self.sessions)

    def clashes(self) -> list[Clash]:
        """Different rows under one station and transaction id, in the order of the files."""
        places = defaultdict(list)
        for session, place in self.sessions.items():
            places[session.station, session.transaction_id].append(place)
        return [
            Clash(station, transaction_id, tuple(found))
            for (station, transaction_id), found in places.items()
            if len(found) > 1
        ]

    def events(self, tenant: str) -> Iterator[wire.WireEvent]:
        """The events of all sessions, in order of time."""
        return (event for _, event in events_in_order(self.sessions, tenant))


@dataclass(frozen=True, slots=True)
class Explained:
    """One row, what the mapping reads of it, and what becomes of it."""

    place: Place
    cells: dict[str, str]
    outcome: Session | Skipped | Fault
    events: tuple[wire.WireEvent, ...]


def read_files(paths: Iterable[Path], mapping: Mapping, progress: Progress | None = None) -> Import:
    """Read every row of every file. Raises UserError and MappingError, see `read_table`."""
    result = Import()
    for path in paths:
        table = read_table(path, mapping.source)
        result.faults += table.faults
        reader = RowReader(mapping, columns_of(table, mapping), path.name)
        for index, record in enumerate(table.records, 1):
            _add(result, reader.read(record), Place(path.name, record.line))
            if progress is not None and index % _STRIDE == 0:
                progress(_STRIDE)
    result.faults.sort(key=lambda fault: (fault.file, fault.line))
    return result


def _add(result: Import, outcome: Session | Skipped | Fault, place: Place) -> None:
    match outcome:
        case Session():
            if result.sessions.setdefault(outcome, place) is not place:
                result.repeated += 1
        case Skipped():
            result.skipped[outcome.reason] += 1
        case Fault():
            result.faults.append(outcome)


def columns_of(table: Table, mapping: FileMapping) -> Header | Paths:
    """How columns are found in a table: by its header, or as paths in JSON."""
    if table.header is not None:
        return Header(table.header, mapping.aliases)
    return Paths([record.cells for record in table.records], mapping.aliases)


def explain(
    path: Path, mapping: Mapping, tenant: str, rows: int
) -> tuple[list[Explained], Sequence[str]]:
    """The first `rows` rows with their events, and the columns the mapping does not use.

    Registers are those of the whole file, as in an import.
    """
    table = read_table(path, mapping.source)
    columns = columns_of(table, mapping)
    reader = RowReader(mapping, columns, path.name)
    outcomes: list[tuple[Record, Session | Skipped | Fault]] = [
        (record, reader.read(record)) for record in table.records
    ]
    ordered = in_order({each for _, each in outcomes if isinstance(each, Session)})
    registers = dict(zip(ordered, start_registers(ordered), strict=True))
    shown = []
    for record, outcome in outcomes[:rows]:
        events: tuple[wire.WireEvent, ...] = ()
        if isinstance(outcome, Session):
            register = registers[outcome]
            events = tuple(event_of(outcome, step, register, tenant) for step, _ in steps(outcome))
        place = Place(path.name, record.line)
        shown.append(Explained(place, reader.cells(record), outcome, events))
    return shown, columns.unused(reader.used)
