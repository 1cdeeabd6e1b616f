"""`laddstream import --format payments`: settlement files by mapping, or payment events a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from laddstream import services
from laddstream.cli import importing_view as view
from laddstream.settings import Settings
from producers.event_file import raw_lines
from producers.kafka import EventProducer
from producers.payments.importer import PaymentImport, read_payment_files
from producers.payments.mapping import PaymentMapping, load_payment_mapping
from producers.rows.importer import Place
from producers.rows.tables import Fault
from schemas.cards import mask_text
from schemas.errors import Rejection, UserError
from schemas.payments import key_of
from streams.payments.decode import read_payment

ANSWER_S = 20.0
"""How long Kafka may be silent before it counts as not there."""

_STRIDE = 1000


def import_payments(
    files: Sequence[Path],
    mapping: str | None,
    settings: Settings,
    tenant: str,
    rejects: Path | None,
    *,
    explain: int = 0,
    dry_run: bool = False,
    as_json: bool = False,
) -> bool:
    """Publish the payments of the files; returns whether every row was read and taken.

    `explain` shows so many payments of the files' beginning instead and publishes nothing.
    """
    chosen = None if mapping is None else load_payment_mapping(mapping)
    with view.progress_bar("reading rows") as advance:
        if chosen is None:
            found = _read_lines(files)
        else:
            found = read_payment_files(files, chosen, tenant, advance)
    if explain:
        _explain(found, explain)
        return True
    if rejects is not None:
        view.write_rejects(rejects, found.faults)
    acknowledged, failed = (0, dict[str, int]()) if dry_run else _publish(found, settings)
    if as_json:
        view.print_json(_json(found) | {"acknowledged": acknowledged, "refused": failed})
    else:
        counts = _counts(found, None if dry_run else acknowledged) + view.reasons(failed)
        view.print_counts(_title(chosen), counts)
        view.print_faults(found.faults, ())
    return not found.faults and not failed


def _title(mapping: PaymentMapping | None) -> str:
    return "Payments" if mapping is None else mapping.name


def _read_lines(files: Sequence[Path]) -> PaymentImport:
    """Payment events as they travel, one JSON object a line."""
    result = PaymentImport()
    for path in files:
        for number, line in enumerate(raw_lines(path), 1):
            raw = line.strip().removeprefix(b"\xef\xbb\xbf")
            if not raw:
                continue
            found = read_payment(raw)
            if isinstance(found, Rejection):
                reason = f"{found.reason.value}: {mask_text(found.detail)[0]}"
                result.add(Fault(path.name, number, found.field, reason), Place(path.name, number))
            else:
                result.add(found[0], Place(path.name, number))
    return result


def _publish(found: PaymentImport, settings: Settings) -> tuple[int, dict[str, int]]:
    bootstrap, topic = services.kafka_bootstrap(settings), settings.kafka.payments_topic
    if not topic:
        raise UserError(
            "LADDSTREAM_KAFKA__PAYMENTS_TOPIC is empty: name the topic that payments go to."
        )
    with EventProducer(bootstrap, topic, timeout_s=ANSWER_S) as producer:
        producer.check()
        with view.progress_bar("publishing payments", len(found.payments)) as advance:
            for number, (value, (payment, _)) in enumerate(found.payments.items(), 1):
                producer.send_raw(key_of(payment), value)
                if number % _STRIDE == 0:
                    advance(_STRIDE)
        delivery = producer.flush()
    return delivery.acknowledged, dict(delivery.failed)


def _counts(found: PaymentImport, acknowledged: int | None) -> list[tuple[str, int]]:
    counts = [("rows read", found.rows), ("payments", len(found.payments))]
    counts += [("  with a card number starred in a text", found.masked)]
    counts += [("rows that repeat another row", found.repeated)]
    counts += [("rows left out by the mapping", found.skipped.total())]
    counts += view.reasons(found.skipped)
    counts += [("rows rejected", len(found.faults))]
    if acknowledged is not None:
        counts += [("payments acknowledged by Kafka", acknowledged)]
    return counts


def _json(found: PaymentImport) -> dict[str, object]:
    return {
        "rows": found.rows,
        "payments": len(found.payments),
        "masked": found.masked,
        "repeated": found.repeated,
        "skipped": dict(found.skipped),
        "rejected": [view.rejected_json(fault) for fault in found.faults],
    }


def _explain(found: PaymentImport, rows: int) -> None:
    view.print_json(
        {
            "payments": [
                {"file": place.file, "line": place.line, "payment": msgspec.json.decode(value)}
                for value, (_, place) in list(found.payments.items())[:rows]
            ],
            "rejected": [view.rejected_json(fault) for fault in found.faults[:rows]],
        }
    )
