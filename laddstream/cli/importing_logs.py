"""`laddstream import --format ocpp-log`: frames to events, and every line accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from laddstream.cli import importing_view as view
from producers.event_file import raw_lines
from producers.kafka import Delivery, EventProducer
from producers.ocpp_log import LineOutcome, Summary, read_ocpp_log
from schemas.errors import Rejection
from schemas.topics import event_key
from streams.chunk import TopicPartition
from streams.decode import DeadValue
from streams.operation_rows import dlq_headers, masked_letter

_STRIDE = 1000


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What the command line says about a log's stations."""

    tenant: str
    zones: Mapping[str, str]
    dialect: str | None
    station: str | None


def import_logs(
    files: Sequence[Path],
    producer: EventProducer | None,
    dead_letter_topic: str,
    options: LogOptions,
    *,
    record: Callable[[list[tuple[TopicPartition, DeadValue]]], None],
    as_json: bool,
) -> bool:
    """Publish the events of frame logs, dead letters where a line cannot be read, and print
    the counts. Nothing is published without a producer. `record` gets the dead letters that
    Kafka has. Returns whether anything was read.
    """
    summary = Summary()
    dead: list[tuple[TopicPartition, DeadValue]] = []
    rejected: list[tuple[str, LineOutcome, Rejection]] = []
    with view.progress_bar("translating frames") as advance:
        for path in files:
            for outcome in read_ocpp_log(
                raw_lines(path),
                tenant=options.tenant,
                station_zones=options.zones,
                dialect=options.dialect,
                default_station=options.station,
            ):
                summary.add(outcome)
                if outcome.rejected is not None and len(rejected) < view.SHOWN:
                    rejected.append((path.name, outcome, outcome.rejected))
                if producer is not None:
                    letters = list(_dead(outcome, path.name, options.tenant))
                    _publish(producer, outcome, letters, dead_letter_topic)
                    dead.extend(letters)
                if summary.frames % _STRIDE == 0:
                    advance(_STRIDE)
    delivery = Delivery() if producer is None else producer.flush()
    if dead and not delivery.failed:
        record(dead)
    if as_json:
        view.print_json(_json(summary, delivery, rejected))
    else:
        _print(summary, delivery, rejected, published=producer is not None)
    unread = summary.rejected.total()
    return unread < summary.frames and not delivery.failed


def _dead(
    outcome: LineOutcome, file: str, tenant: str
) -> Iterator[tuple[TopicPartition, DeadValue]]:
    if outcome.rejected is not None:
        key = event_key(tenant, outcome.station) if outcome.station else b""
        dead = DeadValue(outcome.line, -1, outcome.raw, key, outcome.rejected)
        yield TopicPartition(f"file:{file}", -1), masked_letter(dead)


def _publish(
    producer: EventProducer,
    outcome: LineOutcome,
    letters: Sequence[tuple[TopicPartition, DeadValue]],
    dead_letter_topic: str,
) -> None:
    for event in outcome.events:
        producer.send(event)
    for tp, dead in letters:
        headers = {name: value.decode() for name, value in dlq_headers(tp, dead)}
        producer.send_raw(dead.key or b"", dead.raw, headers, topic=dead_letter_topic)


def _print(
    summary: Summary,
    delivery: Delivery,
    rejected: Sequence[tuple[str, LineOutcome, Rejection]],
    *,
    published: bool,
) -> None:
    counts = [("frames read", summary.frames)]
    counts += [("frames with events", summary.frames_with_events)]
    counts += [("frames ignored", summary.ignored.total()), *view.reasons(summary.ignored)]
    counts += [("frames dead-lettered", summary.rejected.total()), *view.reasons(summary.rejected)]
    counts += [("events", summary.events)]
    if published:
        counts += [("records acknowledged by Kafka", delivery.acknowledged)]
        counts += view.reasons(delivery.failed)
    view.print_counts("OCPP frames", counts)
    view.print_list(
        "Dead letters",
        [
            f"{file} line {outcome.line}: {rejection.reason.value}"
            f"{f' {rejection.field!r}' if rejection.field else ''}: {rejection.detail}"
            for file, outcome, rejection in rejected
        ],
        summary.rejected.total(),
        "all of them: laddstream dlq list",
    )
    if any(rejection.field == "station" for _, _, rejection in rejected):
        view.print_note("Where a log is of one station and does not name it, say --station NAME.")


def _json(
    summary: Summary,
    delivery: Delivery,
    rejected: Sequence[tuple[str, LineOutcome, Rejection]],
) -> dict[str, object]:
    return {
        "frames": summary.frames,
        "frames_with_events": summary.frames_with_events,
        "ignored": dict(summary.ignored),
        "dead_lettered": dict(summary.rejected),
        "events": summary.events,
        "acknowledged": delivery.acknowledged,
        "refused": dict(delivery.failed),
        "dead_letters": [
            {
                "file": file,
                "line": outcome.line,
                "reason": rejection.reason.value,
                "field": rejection.field,
                "detail": rejection.detail,
            }
            for file, outcome, rejection in rejected
        ],
    }
