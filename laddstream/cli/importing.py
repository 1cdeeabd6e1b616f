"""`laddstream import`: rows of past sessions, OCPP frame logs and event files into Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from laddstream.cli import importing_view as view
from laddstream.cli.importing_logs import LogOptions, import_logs
from laddstream.cli.importing_payments import import_payments
from laddstream.services import clickhouse_credentials, clickhouse_url, kafka_bootstrap
from laddstream.settings import Settings
from producers.event_file import read_event_file
from producers.kafka import EventProducer
from producers.rows.importer import explain as explain_rows
from producers.rows.importer import read_files
from producers.rows.mapping import Mapping, load_mapping
from schemas.errors import UnavailableError, UserError
from streams.chunk import TopicPartition
from streams.decode import DeadValue
from streams.operation_rows import dead_letters_table
from streams.sink.clickhouse import ClickHouseSink

ANSWER_S = 20.0
"""How long Kafka may be silent before it counts as not there."""

_STRIDE = 1000


class Format(StrEnum):
    """What the files hold."""

    ROWS = "rows"
    OCPP_LOG = "ocpp-log"
    EVENTS = "events"
    PAYMENTS = "payments"


def register(app: typer.Typer) -> None:
    """Add `laddstream import`."""
    app.command("import", no_args_is_help=True)(import_files)


def import_files(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Files; .gz as they are.")
    ],
    *,
    mapping: Annotated[
        str | None,
        typer.Option("--mapping", "-m", help="Mapping file (TOML), or the name of a shipped one."),
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", "-f", help="What the files hold.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Operator whose data this is (LADDSTREAM_TENANT).")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the events of the first rows, publish nothing.")
    ] = False,
    rows: Annotated[int, typer.Option(min=1, help="With --explain: how many rows.")] = 5,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count everything, publish nothing.")
    ] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Write every row that could not be read to this CSV.")
    ] = None,
    zone: Annotated[
        list[str] | None,
        typer.Option(help="ocpp-log: zone of times without one, as STATION=Europe/Zurich."),
    ] = None,
    dialect: Annotated[
        str | None, typer.Option(help="ocpp-log: what all stations speak, such as ocpp1.6.")
    ] = None,
    station: Annotated[
        str | None, typer.Option(help="ocpp-log: the station of lines that name none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Publish files of past sessions, OCPP frames or events, and account for every line.

    Rows of sessions (CSV, JSON, XLSX) need a mapping that names their columns:

      laddstream import sessions.csv --mapping perth_kinross

      laddstream import sessions.csv --mapping mine.toml --explain

    OCPP frames and events (one JSON value a line) need none:

      laddstream import frames.jsonl --format ocpp-log

    Settlement files of a payment provider need a mapping, payment events (JSON lines) none:

      laddstream import june.csv --format payments --mapping psp_balance

    Exit code 0: all was read. 1: some rows could not be read, the others are published.
    """
    settings = Settings()
    owner = tenant or settings.tenant
    kind = _kind(format_, mapping)
    if kind is Format.PAYMENTS:
        good = import_payments(
            files, mapping, settings, owner, rejects,
            explain=rows if explain else 0, dry_run=dry_run, as_json=as_json,
        )  # fmt: skip
    elif kind is Format.ROWS:
        chosen = load_mapping(mapping or "")
        if explain:
            _explain(files, chosen, owner, rows, as_json=as_json)
            return
        good = _import_rows(
            files, chosen, settings, owner, rejects, dry_run=dry_run, as_json=as_json
        )
    elif explain or rejects:
        raise UserError("--explain and --rejects are for rows: give them with --mapping.")
    elif kind is Format.EVENTS:
        good = _import_events(files, settings, dry_run=dry_run, as_json=as_json)
    else:
        options = LogOptions(owner, _zones(zone or []), dialect, station)
        with outlet(settings, dry_run=dry_run) as producer:
            good = import_logs(
                files,
                producer,
                settings.kafka.dead_letter_topic,
                options,
                record=lambda dead: _record(settings, dead),
                as_json=as_json,
            )
    if not good:
        raise typer.Exit(1)


def _record(settings: Settings, dead: list[tuple[TopicPartition, DeadValue]]) -> None:
    """List a log's dead letters in mart too; without a store the topic alone has them."""
    try:
        user, password = clickhouse_credentials(settings)
        sink = ClickHouseSink(
            clickhouse_url(settings), user, password, settings.clickhouse.database
        )
        sink.insert("dead_letters", dead_letters_table(dead))
    except UnavailableError as error:
        view.print_note(f"The dead letters are in the topic only: {error}", aside=True)


def _kind(format_: Format | None, mapping: str | None) -> Format:
    if format_ in {None, Format.ROWS}:
        if mapping is None:
            raise UserError(
                "Say what the files hold: --mapping FILE for rows of sessions, "
                "or --format ocpp-log or --format events."
            )
        return Format.ROWS
    if mapping is not None and format_ is not Format.PAYMENTS:
        raise UserError(f"--mapping is for rows of sessions, not for --format {format_}.")
    return format_ or Format.ROWS


def _zones(texts: Sequence[str]) -> dict[str, str]:
    zones = {}
    for text in texts:
        station, mark, name = text.rpartition("=")
        if not mark:
            raise UserError(f"--zone {text!r} is not of the form STATION=Europe/Zurich.")
        zones[station] = name
    return zones


@contextmanager
def outlet(settings: Settings, *, dry_run: bool) -> Iterator[EventProducer | None]:
    """Kafka, asked first whether it is there; None in a dry run. Raises UnavailableError."""
    if dry_run:
        yield None
        return
    bootstrap, topic = kafka_bootstrap(settings), settings.kafka.events_topic
    with EventProducer(bootstrap, topic, timeout_s=ANSWER_S) as producer:
        producer.check()
        yield producer


def _explain(
    files: Sequence[Path], mapping: Mapping, tenant: str, rows: int, *, as_json: bool
) -> None:
    shown, unused = [], []
    for path in files:
        explained, left = explain_rows(path, mapping, tenant, rows)
        shown += explained
        unused += [name for name in left if name not in unused]
    if as_json:
        view.print_json({"rows": [view.explained_json(row) for row in shown], "unused": unused})
        return
    for row in shown:
        view.print_explained(row)
    if unused:
        view.print_note(f"Columns the mapping does not use: {', '.join(unused)}")


def _import_rows(
    files: Sequence[Path],
    mapping: Mapping,
    settings: Settings,
    tenant: str,
    rejects: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> bool:
    with view.progress_bar("reading rows") as advance:
        found = read_files(files, mapping, advance)
    if rejects is not None:
        view.write_rejects(rejects, found.faults)
    acknowledged, failed = 0, {}
    with outlet(settings, dry_run=dry_run) as producer:
        if producer is not None:
            with view.progress_bar("publishing events", found.event_count) as advance:
                for number, event in enumerate(found.events(tenant), 1):
                    producer.send(event)
                    if number % _STRIDE == 0:
                        advance(_STRIDE)
                delivery = producer.flush()
            acknowledged, failed = delivery.acknowledged, dict(delivery.failed)
    if as_json:
        counts = {"events": found.event_count, "acknowledged": acknowledged, "refused": failed}
        view.print_json(view.row_summary(found) | counts)
    else:
        published = None if dry_run else acknowledged
        view.print_counts(mapping.name, view.row_counts(found, published) + view.reasons(failed))
        view.print_faults(found.faults, found.clashes())
    return not found.faults and not failed


def _import_events(
    files: Sequence[Path], settings: Settings, *, dry_run: bool, as_json: bool
) -> bool:
    lines = unkeyed = acknowledged = 0
    refused: dict[str, int] = {}
    with outlet(settings, dry_run=dry_run) as producer:
        with view.progress_bar("publishing lines") as advance:
            for path in files:
                for line in read_event_file(path):
                    lines += 1
                    unkeyed += not line.key
                    if producer is not None:
                        producer.send_raw(line.key, line.value)
                    if lines % _STRIDE == 0:
                        advance(_STRIDE)
        if producer is not None:
            delivery = producer.flush()
            acknowledged, refused = delivery.acknowledged, dict(delivery.failed)
    counts = {"lines": lines, "without_station": unkeyed, "acknowledged": acknowledged}
    if as_json:
        view.print_json(counts | {"refused": refused})
    else:
        shown = [
            ("lines read", lines),
            ("  that name no station: for the worker to judge", unkeyed),
        ]
        shown += [] if dry_run else [("acknowledged by Kafka", acknowledged)]
        view.print_counts("Events", shown + view.reasons(refused))
    return not refused
