"""The store keeps the contract of sinks, and what only a store can do."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pyarrow as pa
import pytest

from laddstream.migrate import apply
from reports.query import Address
from schemas.errors import DefectError, UnavailableError
from streams.catalogue import Catalogue
from streams.sink.clickhouse import ClickHouseSink
from tests.sql.mart_store import DATABASE, insert, running_store
from tests.streams.core.fleet_kit import TARIFF
from tests.streams.sink.sink_contract import SinkContract

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A migrated store for the module."""
    with running_store(tmp_path_factory.mktemp("store")) as found:
        apply(found, DATABASE)
        yield found


@pytest.fixture(scope="module")
def module_sink(address: Address) -> ClickHouseSink:
    return ClickHouseSink(address.url, address.user, address.password, DATABASE)


class TestClickHouseSink(SinkContract):
    @pytest.fixture
    def sink(self, module_sink: ClickHouseSink) -> ClickHouseSink:
        return module_sink

    def test_the_catalogue_is_read_anew_when_its_revision_rose(
        self, sink: ClickHouseSink, address: Address
    ) -> None:
        tenant = f"t-{uuid4()}"
        before = sink.catalogue(Catalogue())
        revision = before.revision + 1
        station = {"tenant": tenant, "station_id": "it's", "revision": revision, "area": "Norr",
                   "rated_power_w": 22000, "tariff_id": "T1"}  # fmt: skip
        tariff = {"tenant": tenant, "tariff_id": "T1", "revision": revision,
                  "ocpi_json": json.dumps(TARIFF)}  # fmt: skip
        insert(address, "stations", station)
        insert(address, "tariffs", tariff)

        after = sink.catalogue(before)

        assert after.revision == revision
        assert after.station((tenant, "it's")).rated_power_w == 22_000
        assert after.tariff(tenant, "T1") is not None
        assert sink.catalogue(after) is after

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
