"""Brings a ClickHouse to the newest schema: numbered migrations once, views of `mart` each time.

The migrations are kept by clickhouse-migrations (checksums in `schema_versions`); the views
with their comments are re-created from sql/views in file-name order. A second run changes
nothing and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client
from clickhouse_migrations.clickhouse_cluster import ClickhouseCluster
from clickhouse_migrations.exceptions import MigrationException

from laddstream import services
from laddstream.settings import Settings
from reports.query import Address, StoreError, connect_client, explain
from schemas.errors import DefectError, UserError

SQL = Path(__file__).resolve().parent.parent / "sql"

_VIEWS_NOW = (
    "SELECT name, create_table_query FROM system.tables WHERE database = 'mart' AND engine = 'View'"
)


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database stands: migration files by name that are applied, and that are not."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    changed: tuple[str, ...]
    """Applied once, but the file is another now, or is gone."""


class _Cluster(ClickhouseCluster):  # type: ignore[misc]  # the library ships no types
    """The library's cluster over our own client: addresses, errors and time-outs as everywhere."""

    def __init__(self, address: Address) -> None:
        super().__init__(
            driver="clickhouse-connect", db_host="", settings={"insert_deduplicate": 0}
        )
        self._address = address

    def _connect_client(self, db_name: str | None) -> Client:
        return connect_client(self._address, db_name)


def migrate(settings: Settings) -> list[str]:
    """Bring the store of `settings` up to date.

    Returns what changed, in order: migration files by name, then views as `mart.x`; an empty
    list says that nothing had to be done. Raises UnavailableError, UserError or DefectError.
    """
    return apply(address_of(settings), settings.clickhouse.database)


def address_of(settings: Settings) -> Address:
    """Where the store of `settings` is, with full rights."""
    user, password = services.clickhouse_credentials(settings)
    return Address(services.clickhouse_url(settings), user, password)


def apply(address: Address, database: str) -> list[str]:
    """`migrate` for an address and the name of the database that holds the tables."""
    if not (database.isascii() and database.isidentifier()):
        raise UserError(f"{database!r} is no name for a database: letters, digits, underscores")
    try:
        done = _Cluster(address).migrate(database, SQL / "migrations")
        return [_name(migration.version) for migration in done] + _views(address, database)
    except MigrationException as error:
        raise DefectError(
            f"The migrations of database {database} do not fit this version of laddstream: {error}"
        ) from error
    except StoreError as error:
        raise explain(error, address.url) from error


def status(address: Address, database: str) -> Status:
    """What is applied and what is not; changes nothing."""
    try:
        rows = _Cluster(address).status(database, SQL / "migrations")
    except StoreError as error:
        raise explain(error, address.url) from error
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.state, []).append(_name(row.version))
    applied, pending = names.pop("applied", []), names.pop("pending", [])
    return Status(tuple(applied), tuple(pending), tuple(n for rest in names.values() for n in rest))


def view_statements(database: str) -> dict[str, str]:
    """The CREATE statements of all views over the tables of `database`, in order."""
    return {
        f"mart.{path.stem.partition('_')[2]}": path.read_text(encoding="utf-8").replace(
            "${db}", f"`{database}`"
        )
        for path in sorted((SQL / "views").glob("*.sql"))
    }


def _views(address: Address, database: str) -> list[str]:
    client = connect_client(address)
    try:
        client.command("CREATE DATABASE IF NOT EXISTS mart")
        before = _definitions(client)
        statements = view_statements(database)
        for statement in statements.values():
            client.command(statement)
        after = _definitions(client)
    finally:
        client.close()
    changed = {f"mart.{name}" for name, text in after.items() if before.get(name) != text}
    return [name for name in statements if name in changed]


def _definitions(client: Client) -> dict[str, str]:
    return {str(name): str(text) for name, text in client.query(_VIEWS_NOW).result_rows}


def _name(version: int) -> str:
    """The file of a migration without its ending; its number where the file is gone."""
    found = next((SQL / "migrations").glob(f"{version:03d}_*.sql"), None)
    return found.stem if found else f"{version:03d}"
