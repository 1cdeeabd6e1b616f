"""The list of reports: every file of sql/queries describes itself in its first lines.

    -- title: …                  one line for `laddstream report`
    -- about: …                  one sentence
    -- period: day hour …        what --by takes; the first is the default, `none` for no periods
    -- dimension: none area …    further values of --by; as many at once as there are columns
                                 dimension, dimension2, … (bound as the array `dimensions`)
    -- basis: accrual start      what --basis takes; the first is the default
    -- narrow: a b               columns a table leaves out first where the terminal is narrow
    -- column NAME: …            one line a column; `…_kwh`, `…_s`, `amount_…` tell how to print it

The statement below them reads only from `mart` and runs as it is in any ClickHouse client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from reports.query import Parameter, Result, Store
from schemas.errors import UserError

QUERIES = Path(__file__).resolve().parent.parent / "sql" / "queries"

FILTERS = (
    "tenant", "station", "connector", "area", "region", "city", "country", "driver", "company",
    "tariff", "plan", "payer", "method", "currency", "reason", "kind", "psp",
)  # fmt: skip
"""What --where knows; each is bound as an array of texts, never written into a statement.
A report takes those that its statement has a parameter for."""

_ALIASES = {"user": "driver", "payment_method": "method", "payment-method": "method"}
"""Other words for a filter or dimension."""

_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2299, 12, 31, tzinfo=UTC)
_NO_LIMIT = 2**63


@dataclass(frozen=True, slots=True)
class Report:
    """One report as its query file describes it."""

    name: str
    title: str
    about: str
    periods: tuple[str, ...]
    dimensions: tuple[str, ...]
    bases: tuple[str, ...]
    columns: Mapping[str, str]
    narrow: tuple[str, ...]
    statement: str

    @property
    def filters(self) -> tuple[str, ...]:
        """What --where of this report takes."""
        return tuple(name for name in FILTERS if f"{{{name}:Array(String)}}" in self.statement)

    @property
    def slots(self) -> int:
        """How many dimensions it takes at once."""
        return sum(name.startswith("dimension") for name in self.columns)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a report. `since` and `until` are half-open; None: no bound."""

    since: datetime | None = None
    until: datetime | None = None
    zone: str = "UTC"
    by: tuple[str, ...] = ()
    basis: str = ""
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A report's result with the choices that were made for it."""

    report: Report
    result: Result
    period: str
    dimensions: tuple[str, ...]
    """What the columns `dimension`, `dimension2`, … hold, in order; empty where none was asked."""
    basis: str
    zone: str


@cache
def reports() -> Mapping[str, Report]:
    """All reports by name."""
    return {path.stem: _parse(path) for path in sorted(QUERIES.glob("*.sql"))}


def find(name: str) -> Report:
    """The report called `name`; raises UserError that lists the names."""
    found = reports().get(name)
    if found is None:
        raise UserError(f"There is no report {name!r}; there are: {', '.join(reports())}")
    return found


def _parse(path: Path) -> Report:
    head: dict[str, str] = {}
    columns: dict[str, str] = {}
    text = path.read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("-- "):
            break
        key, _, value = line[3:].partition(": ")
        if key.startswith("column "):
            columns[key.removeprefix("column ")] = value
        else:
            head[key] = value
    return Report(
        name=path.stem,
        title=head["title"],
        about=head["about"],
        periods=tuple(head.get("period", "").split()),
        dimensions=tuple(head.get("dimension", "").split()),
        bases=tuple(head.get("basis", "").split()),
        columns=columns,
        narrow=tuple(head.get("narrow", "").split()),
        statement=text,
    )


def run(store: Store, report: Report, request: Request) -> Answer:
    """Ask one report; raises UserError for a choice the report does not have."""
    period, chosen = _by(report, request.by)
    dimensions = tuple(name for name in chosen if name != "none")
    basis = _choice(report, "--basis", request.basis, report.bases)
    if report.name == "driver" and not request.where.get("driver"):
        raise UserError("This report needs --driver KEY: the id token whose history is wanted")
    parameters: dict[str, Parameter] = {
        "from": _bound(request.since or _EARLIEST),
        "to": _bound(request.until or _LATEST),
        "tz": _zone(request.zone).key,
        "period": "" if period == "none" else period,
        "dimension": dimensions[0] if dimensions else "",
        "dimensions": list(dimensions),
        "basis": basis,
        "limit": _NO_LIMIT if request.limit is None else request.limit,
    }
    wanted = dict(request.where)
    if unknown := wanted.keys() - set(report.filters):
        raise UserError(
            f"--where {min(unknown)}=… does not fit report {report.name}: "
            f"it takes {', '.join(report.filters)}"
        )
    parameters |= {name: list(wanted.get(name, ())) for name in report.filters}
    result = store.fetch(report.statement, parameters)
    return Answer(report, result, str(parameters["period"]), dimensions, basis, request.zone)


def parse_where(filters: Sequence[str]) -> dict[str, list[str]]:
    """`station=A`, `area=B`, … as values by name; raises UserError with the known names."""
    wanted: dict[str, list[str]] = {}
    for text in filters:
        name, sign, value = text.partition("=")
        name = _ALIASES.get(name.strip(), name.strip())
        if not sign or name not in FILTERS:
            raise UserError(
                f"--where {text!r}: write name=value, where name is one of {', '.join(FILTERS)}"
            )
        wanted.setdefault(name, []).append(value)
    return wanted


def parse_moment(text: str, zone: str) -> datetime:
    """A date or date and time, in `zone` unless it names an offset, as UTC.

    A date is its local midnight, or the first instant of that day where there is none.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UserError(
            f"{text!r} is neither a date (2026-03-01) nor a date and time (2026-03-01T06:00)"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone(zone))
    return moment.astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UserError(
            f"{name!r} is no IANA time zone; write one such as Europe/Stockholm or UTC"
        ) from error


def _by(report: Report, chosen: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    period = ""
    dimensions: list[str] = []
    for text in chosen:
        value = _ALIASES.get(text, text)
        if value in report.periods and not period:
            period = value
        elif value in report.dimensions and value not in dimensions:
            dimensions.append(value)
        else:
            raise UserError(f"--by {text} does not fit report {report.name}: {_known_by(report)}")
    if len(dimensions) > max(report.slots, 1):
        raise UserError(
            f"--by {dimensions[-1]} is too much for report {report.name}: {_known_by(report)}"
        )
    if not period and report.periods:
        # A dimension alone means the whole range, not a period more than was asked for.
        period = "none" if dimensions else report.periods[0]
    return period, tuple(dimensions) or report.dimensions[:1]


def _known_by(report: Report) -> str:
    known = dict.fromkeys((*report.periods, *report.dimensions))
    if not known:
        return "it has no --by"
    if report.slots > 1:
        return f"a period and up to {report.slots} more of {', '.join(known)}"
    return f"one each of {', '.join(known)}"


def _choice(report: Report, option: str, value: str, known: Sequence[str]) -> str:
    if not value:
        return known[0] if known else ""
    if value not in known:
        raise UserError(
            f"{option} {value} does not fit report {report.name}: "
            + (f"it takes {', '.join(known)}" if known else f"it has no {option}")
        )
    return value


def _bound(moment: datetime) -> str:
    clamped = min(max(moment.astimezone(UTC), _EARLIEST), _LATEST)
    return clamped.strftime("%Y-%m-%d %H:%M:%S.") + f"{clamped.microsecond // 1000:03d}"
