"""The memory twin keeps the contract of sinks."""

from __future__ import annotations

import pytest

from streams.sink.memory import MemorySink
from tests.streams.core.fleet_kit import catalogue
from tests.streams.sink.sink_contract import SinkContract


class TestMemorySink(SinkContract):
    @pytest.fixture
    def sink(self) -> MemorySink:
        return MemorySink()

    def test_the_catalogue_is_itself_while_its_revision_is_the_same(self) -> None:
        sink = MemorySink()
        sink.current = catalogue()
        known = sink.catalogue(MemorySink().current)

        assert known is sink.current
        assert sink.catalogue(known) is known
