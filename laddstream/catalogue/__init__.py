"""Master data from files into the store: read, checked whole, then published under one revision.

    contents = read([Path("catalogue")], "default")
    done = load(contents, address, database)

`docs/catalogue.md` has the format. What is wrong is listed with file, line and field before
anything is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from laddstream.catalogue.changes import Change, settle
from laddstream.catalogue.checking import Contents, Defaults, check
from laddstream.catalogue.converting import Source
from laddstream.catalogue.documents import CSV, JSON, YAML, Document, Fault, open_document
from laddstream.catalogue.entries import MODELS
from laddstream.catalogue.publish import catalogue_store
from laddstream.catalogue.sources import FORMATS, Found, take
from reports.query import Address, StoreError, explain
from schemas.errors import UserError

__all__ = [
    "FORMATS",
    "Contents",
    "Defaults",
    "Fault",
    "Loaded",
    "Source",
    "load",
    "read",
    "refusal",
]

_ENDINGS = frozenset({".json", ".yaml", ".yml", ".csv", ".tsv"})
_PARSERS = {"yaml": YAML, "csv": CSV, "json": JSON, "ocpi": JSON, "ocm": JSON, "nobil": JSON}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did. `published` False: nothing changed, or it was only a trial (`dry_run`).

    `written`: rows by list, each new, changed and ended. `notes` are things to know.
    """

    revision: int
    published: bool
    dry_run: bool
    written: dict[str, dict[str, int]]
    unchanged: int
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Rows written by list, of all lists."""
        return {name: sum(self.written.get(name, {}).values()) for name in MODELS}


def read(
    paths: Sequence[Path],
    tenant: str,
    *,
    form: str = "",
    source: Source | None = None,
    defaults: Defaults | None = None,
) -> Contents:
    """Read and check files and folders; entries without a tenant belong to `tenant`.

    Raises UserError only where a file cannot be read at all.
    """
    found = Found()
    files = files_of(paths)
    names = Counter(path.name for path in files)
    for path in files:
        document = open_document(path, _PARSERS.get(form, ""))
        if names[path.name] > 1:  # the name alone does not tell which
            document = _renamed(document, str(path))
        take(document, source or Source(), found, form)
    contents = check(found.raws, defaults or Defaults(tenant))
    contents.faults = list(dict.fromkeys([*found.faults, *contents.faults]))
    contents.faults.sort(key=lambda one: (one.file, one.line))
    contents.notes[:0] = found.notes
    return contents


def _renamed(document: Document, name: str) -> Document:
    faults = [replace(fault, file=name) for fault in document.faults]
    return replace(document, file=name, faults=faults)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and of folders all that may be catalogues, in order."""
    out: list[Path] = []
    for path in paths:
        if not path.is_dir():
            out.append(path)
            continue
        inside = sorted(
            one
            for one in path.rglob("*")
            if one.suffix.lower() in _ENDINGS and one.is_file()
            if not any(part.startswith(".") for part in one.relative_to(path).parts)
        )
        if not inside:
            raise UserError(f"{path} has no file that ends in {', '.join(sorted(_ENDINGS))}")
        out.extend(inside)
    return list(dict.fromkeys(out))


def load(
    contents: Contents,
    address: Address,
    database: str,
    *,
    dry_run: bool = False,
    say: Callable[[str, int, int], None] = lambda _table, _done, _total: None,
) -> Loaded:
    """Compare with the store, and publish what differs at the next revision.

    Faults that only the store can show (something named that is nowhere) are added to
    `contents.faults`. Raises UserError where there are faults, nothing to load or another load
    goes on, UnavailableError where the store is away.
    """
    if not contents.rows and not contents.late and not contents.faults:
        raise UserError("There is nothing to load in these files: no entry of any list")
    try:
        return _load(contents, address, database, dry_run=dry_run, say=say)
    except StoreError as error:
        raise explain(error, address.url) from error


def refusal(contents: Contents) -> UserError:
    """What to say of contents with faults."""
    many = "errors" if len(contents.faults) > 1 else "error"
    return UserError(f"{len(contents.faults)} {many} in the catalogue: nothing was loaded")


def _load(
    contents: Contents,
    address: Address,
    database: str,
    *,
    dry_run: bool,
    say: Callable[[str, int, int], None],
) -> Loaded:
    with catalogue_store(address, database) as store:
        tenants = {row.key[1] for row in contents.rows}
        tenants |= {entry.tenant or contents.defaults.tenant for _, entry in contents.late}
        state = store.state(tenants)
        changes = settle(contents, state)
        if contents.faults:
            contents.faults.sort(key=lambda one: (one.file, one.line))
            raise refusal(contents)
        cut_off = state.written > state.published
        publish = bool(changes or cut_off) and not dry_run
        revision = store.publish(changes, state, say) if publish else state.published
    notes = [*contents.notes, *_repricing(changes)]
    if publish and cut_off:
        notes.append("a load before this one was cut off: what it had written is published too")
    return Loaded(
        revision, publish, dry_run, _counted(changes), _unchanged(contents, changes), notes
    )


def _counted(changes: Sequence[Change]) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for change in changes:
        kind = "ended" if change.values is None else "changed" if change.known else "new"
        counts = out.setdefault(change.key[0], {"new": 0, "changed": 0, "ended": 0})
        counts[kind] += 1
    return out


def _unchanged(contents: Contents, changes: Sequence[Change]) -> int:
    written = {(change.key, change.from_ms) for change in changes}
    rows = Counter((row.key, row.from_ms) not in written for row in contents.rows)
    return rows[True]


def _repricing(changes: Sequence[Change]) -> list[str]:
    """From when on the price of past sessions may be another."""
    starts = [change.from_ms for change in changes if change.known]
    if not starts:
        return []
    since = f"since {datetime.fromtimestamp(min(starts) / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    when = since if min(starts) else "of all time"
    return [f"something known changed: sessions {when} are re-priced by laddstream rebuild"]
