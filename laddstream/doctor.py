"""What a healthy stack looks like, checked one thing after the other; nothing is changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass

from laddstream import services
from laddstream.kafka_offsets import lags
from laddstream.migrate import address_of
from laddstream.migrate import status as migration_status
from laddstream.settings import Settings
from laddstream.wait import ALIVE_S, read_workers
from reports.query import connect
from schemas.errors import LaddstreamError


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: `ok` is True, False for a fault, None for something to know."""

    name: str
    ok: bool | None
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, str | bool | None]:
        """For JSON."""
        return asdict(self)


def examine(settings: Settings, now: Callable[[], float] = time.time) -> list[Check]:
    """Every check that can be made; one that cannot be made is a fault with its reason."""
    checks = list(_guarded("Kafka", lambda: _kafka(settings)))
    store = list(_guarded("ClickHouse", lambda: _clickhouse(settings)))
    checks += store
    if store and store[0].ok:
        checks += _guarded("schema", lambda: _schema(settings))
        checks += _guarded("workers", lambda: _workers(settings, now()))
    return [*checks, *_limits(settings)]


def _guarded(name: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from look()
    except LaddstreamError as error:
        yield Check(name, ok=False, found=str(error))


def _kafka(settings: Settings) -> Iterator[Check]:
    bootstrap = services.kafka_bootstrap(settings)
    kafka = settings.kafka
    found = lags(bootstrap, kafka.events_topic, kafka.group)
    yield Check("Kafka", ok=True, found=f"{bootstrap} answers; {len(found)} partitions")
    lost = [one.partition for one in found if one.lost]
    if lost:
        yield Check(
            "offsets",
            ok=False,
            found=f"group {kafka.group} committed offsets the broker does not have: {lost}",
            advice="the broker lost or replaced the topic; publish again what is not in the store",
        )
    behind = sum(one.lag for one in found)
    yield Check("lag", ok=True if not behind else None, found=f"{behind:,} records behind")


def _clickhouse(settings: Settings) -> Iterator[Check]:
    address = address_of(settings)
    with closing(connect(address)) as store:
        version = store.fetch("SELECT version()").data[0][0]
    yield Check("ClickHouse", ok=True, found=f"{address.url} answers; version {version}")


def _schema(settings: Settings) -> Iterator[Check]:
    found = migration_status(address_of(settings), settings.clickhouse.database)
    if found.changed:
        yield Check(
            "schema",
            ok=False,
            found=f"applied migrations differ from their files: {', '.join(found.changed)}",
            advice="use the version of laddstream that made this database",
        )
    elif found.pending:
        yield Check(
            "schema",
            ok=False,
            found=f"{len(found.pending)} migrations are not applied",
            advice="laddstream migrate",
        )
    else:
        yield Check("schema", ok=True, found=f"{len(found.applied)} migrations applied")


def _workers(settings: Settings, now: float) -> Iterator[Check]:
    with closing(connect(address_of(settings))) as store:
        living = [worker for worker in read_workers(store) if now - worker.at <= ALIVE_S]
    if not living:
        advice = "laddstream up; a worker just started reports after a few seconds"
        yield Check(
            "workers", ok=False, found="no worker has reported in the last seconds", advice=advice
        )
        return
    dirty = sum(worker.dirty_sessions for worker in living)
    yield Check("workers", ok=True, found=f"{len(living)} running, {dirty:,} sessions to write")


def _limits(settings: Settings) -> Iterator[Check]:
    if not settings.kafka.bootstrap_servers:
        yield Check(
            "broker",
            ok=None,
            found="embedded: forgets everything when it stops, has no security, one machine",
            advice="LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS points to a Kafka that keeps data",
        )
    if not settings.clickhouse.url:
        yield Check(
            "store",
            ok=None,
            found="embedded: one machine, one owner process, one user with full rights",
            advice="LADDSTREAM_CLICKHOUSE__URL points to a ClickHouse server",
        )
