"""`laddstream price`: price one session under one tariff, without Kafka or ClickHouse."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from laddstream.pricing import price_documents
from laddstream.pricing_words import bill_json, bill_text
from laddstream.sloppy_json import dump_json, load_json
from schemas.errors import UserError
from streams.core.ocpi.places import zone_named


class Language(StrEnum):
    """Languages of sentences."""

    EN = "en"
    SV = "sv"


def register(app: typer.Typer) -> None:
    """Add `laddstream price`."""
    app.command("price", no_args_is_help=True)(price)


def price(
    session: Annotated[
        Path,
        typer.Option(dir_okay=False, help="An OCPI CDR or Session, or `session ID --json`."),
    ],
    tariff: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="OCPI or OCPP 2.1; left out: the CDR's own."),
    ] = None,
    tz: Annotated[
        str | None, typer.Option(help="IANA time zone, where the session says none.")
    ] = None,
    lang: Annotated[Language, typer.Option(help="Language of the sentences.")] = Language.EN,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, amounts exact.")] = False,
) -> None:
    """Price one session under a tariff, line by line, with the reason of each.

    laddstream price --tariff tariff.json --session cdr.json --tz Europe/Stockholm
    """
    zone = zone_named(tz) if tz is not None else None
    if tz is not None and zone is None:
        raise UserError(f"{tz!r} is no IANA time zone: give one such as Europe/Stockholm.")
    document, session_notes = load_json(session)
    tariffs, tariff_notes = (None, ()) if tariff is None else load_json(tariff)
    if tariff is not None and tariffs is None:
        raise UserError(f"{tariff}: holds null, no tariff.")
    bill = price_documents(tariffs, document, zone, lang)
    notes = (*session_notes, *tariff_notes, *bill.warnings)
    bill = replace(bill, warnings=tuple(dict.fromkeys(notes)))
    text = dump_json(bill_json(bill, lang)) if as_json else bill_text(bill, lang)
    typer.echo(text, nl=False)
