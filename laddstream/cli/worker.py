"""`laddstream worker`: one stream processor in the foreground."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from laddstream.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="worker")(worker)


def worker() -> None:
    """Read events from Kafka, stitch sessions and write them, until Ctrl-C or SIGTERM.

    Start one a processor core; they share the partitions.

    Exit status: 0 after a clean stop, 3 where Kafka cannot be reached at first,
    70 after an unforeseen error, 71 after a stall. After 70 and 71 start it
    again: nothing is lost, nothing is counted twice.
    """
    from laddstream import services  # noqa: PLC0415 - loading these takes a second
    from streams.sink.clickhouse import ClickHouseSink  # noqa: PLC0415

    with _without_arguments():
        from streams.app import serve  # noqa: PLC0415

    settings = Settings()
    settings.kafka.bootstrap_servers = services.kafka_bootstrap(settings)
    user, password = services.clickhouse_credentials(settings)
    url = services.clickhouse_url(settings)
    sink = ClickHouseSink(url, user, password, settings.clickhouse.database)
    kafka = settings.kafka

    def ready() -> None:
        typer.echo(
            f"worker ready: reads {kafka.events_topic} at {kafka.bootstrap_servers} "
            f"as {kafka.group}, writes to {url}"
        )

    raise typer.Exit(asyncio.run(serve(settings, sink, ready=ready)))


@contextmanager
def _without_arguments() -> Iterator[None]:
    """`import faust` looks for options of its own in the command line; show it none."""
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = arguments
