"""The store keeps the contract of sinks, and what only a store can do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pyarrow as pa
import pytest

from laddstream.migrate import apply
from reports.query import Address, connect_client
from schemas.errors import DefectError, UnavailableError
from streams.catalogue import Catalogue
from streams.sink.catalogue_sql import CATALOGUE
from streams.sink.clickhouse import ClickHouseSink
from tests.sql.mart_store import DATABASE, running_store
from tests.streams.sink.sink_contract import SinkContract

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A migrated store for the module."""
    with running_store(tmp_path_factory.mktemp("store")) as found:
        apply(found, DATABASE)
        with closing(connect_client(found)) as client:  # else it is chance which rows are there
            client.command(f"SYSTEM STOP MERGES {DATABASE}.stations")
        yield found


@pytest.fixture(scope="module")
def module_sink(address: Address) -> ClickHouseSink:
    return ClickHouseSink(address.url, address.user, address.password, DATABASE)


class TestClickHouseSink(SinkContract):
    @pytest.fixture
    def sink(self, module_sink: ClickHouseSink) -> ClickHouseSink:
        return module_sink

    def test_a_store_from_before_revisions_has_all_it_holds_published(
        self, address: Address
    ) -> None:
        with closing(connect_client(address)) as client:
            client.command("CREATE DATABASE older")
            for table in [*CATALOGUE, "catalogue_revisions"]:
                client.command(f"CREATE TABLE older.{table} AS {DATABASE}.{table}")
            client.command(
                "INSERT INTO older.stations (tenant, station_id, revision, area)"
                " VALUES ('t', 'S1', 4, 'Norr'), ('t', 'S2', 6, 'a load that goes on')"
            )
            client.command(
                "INSERT INTO older.catalogue_revisions (revision, published_at)"
                " VALUES (5, '1970-01-01 00:00:00')"
            )
        sink = ClickHouseSink(address.url, address.user, address.password, "older")

        found = sink.catalogue(Catalogue())

        assert found.revision == 4
        assert found.station(("t", "S1")).area == "Norr"

    def test_a_store_that_is_gone_is_unavailable_and_worth_a_retry(self) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        sink = ClickHouseSink(f"http://127.0.0.1:{port}", "default", "", DATABASE)

        with pytest.raises(UnavailableError):
            sink.stations([("t", "S")])

    def test_a_table_that_is_not_there_is_a_defect_and_no_retry_helps(
        self, sink: ClickHouseSink
    ) -> None:
        with pytest.raises(DefectError):
            sink.insert("no_such_table", pa.table({"a": [1]}))
