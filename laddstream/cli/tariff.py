"""`laddstream tariff`: explain, lint, version (generate: `laddstream.cli.tariff_generate`)."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from laddstream.cli.tariff_generate import generate
from laddstream.sloppy_json import dump_json, load_json
from schemas.errors import UserError
from streams.core.ocpi.findings import ERROR, Finding
from streams.core.ocpi.fix import mend
from streams.core.ocpi.lint import lint
from streams.core.ocpi.reading import unwrapped
from streams.core.ocpi.swedish import note_words
from streams.core.ocpi.tariffs import read_tariff, tariffs_in
from streams.core.ocpi.values import pointer
from streams.core.ocpi.version import OCPP21, guess_version
from streams.core.pricing.words_tariff import explain

_WIDTH = 79
_MAX_DEPTH = 5

TariffFile = Annotated[
    Path, typer.Argument(metavar="T.json", help="An OCPI or OCPP 2.1 tariff, or several.")
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


class Language(StrEnum):
    """Languages that sentences come in."""

    EN = "en"
    SV = "sv"


_NOTE = {Language.EN: "note", Language.SV: "obs"}


def register(app: typer.Typer) -> None:
    """Add `laddstream tariff`."""
    tariff = typer.Typer(help="Explain, check, mend and try out tariffs.")
    tariff.command("explain", no_args_is_help=True)(explain_file)
    tariff.command("lint", no_args_is_help=True)(lint_file)
    tariff.command("generate", no_args_is_help=True)(generate)
    tariff.command("version", no_args_is_help=True)(version_of_file)
    app.add_typer(tariff, name="tariff", no_args_is_help=True)


def explain_file(
    file: TariffFile,
    lang: Annotated[Language, typer.Option(help="Language of the text.")] = Language.EN,
    as_json: AsJson = False,
) -> None:
    """Say in one paragraph what a driver will pay.

    What was read in spite of mistakes is noted below it; `laddstream tariff lint` says more.
    """
    document, forgiven = load_json(file)
    said = []
    for _, tariff in _tariffs(document, file):
        reading = read_tariff(tariff)
        if reading.tariff is None:
            errors = [finding for finding in reading.findings if finding.severity == ERROR]
            for finding in errors:
                typer.echo(f"{finding.pointer or '/'}: {note_words(finding, lang.value)}", err=True)
            raise UserError(f"{file}: a tariff that cannot be priced; mend what is listed above.")
        notes = [note_words(f, lang.value) for f in (*forgiven, *reading.findings)]
        said.append(
            {
                "tariff_id": reading.tariff.tariff_id,
                "lang": lang.value,
                "text": explain(reading.tariff, lang.value),
                "warnings": notes,
            }
        )
    if as_json:
        typer.echo(json.dumps(said[0] if len(said) == 1 else said, ensure_ascii=False))
        return
    for one in said:
        if len(said) > 1:
            typer.echo(f"{one['tariff_id']}:")
        typer.echo(textwrap.fill(str(one["text"]), _WIDTH, break_long_words=False))
        for note in one["warnings"]:
            typer.echo(textwrap.fill(f"{_NOTE[lang]}: {note}", _WIDTH), err=True)


def lint_file(
    file: TariffFile,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what keeps every price as it is.")
    ] = False,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="With --fix: mend what changes prices, too.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="With --fix: where the mended document goes, not stdout.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what is wrong in a tariff, legal or not; exit code 1 where anything is.

    With --fix the mended document is written out and each repair is said on a line; then the
    exit code speaks of what is left.
    """
    if (allow_changes or out) and not fix:
        raise UserError("--allow-changes and --out go with --fix; add it.")
    document, forgiven = load_json(file)
    tariffs = _tariffs(document, file)
    now_ms = time.time_ns() // 1_000_000
    did: list[str] = []
    if fix:
        did += [f"/: {finding.message} Gone." for finding in forgiven]
        forgiven, left = (), []
        for prefix, tariff in tariffs:
            mended = mend(tariff, now_ms, changes=allow_changes)
            document = _with(document, prefix, mended.document)
            did += [f"{prefix}{sentence}" for sentence in mended.did]
            left += [f._replace(pointer=prefix + f.pointer) for f in mended.left]
        if out is not None:
            _write(out, dump_json(document))
    else:
        left = [
            finding._replace(pointer=prefix + finding.pointer)
            for prefix, tariff in tariffs
            for finding in lint(tariff, now_ms)
        ]
    found = [*forgiven, *left]
    if as_json:
        answer: dict[str, Any] = {"findings": [f._asdict() for f in found]}
        typer.echo(
            dump_json(answer | ({"fixed": did, "document": document} if fix else {})), nl=False
        )
    else:
        _say(file, found, did, fix=fix)
        if fix and out is None:
            typer.echo(dump_json(document), nl=False)
    if found:
        raise typer.Exit(1)


def version_of_file(file: TariffFile, as_json: AsJson = False) -> None:
    """Guess which version of OCPI or OCPP a tariff, a CDR or a session is of."""
    document, _ = load_json(file)
    guess = guess_version(_first(document))
    if as_json:
        typer.echo(json.dumps(guess._asdict(), ensure_ascii=False))
    elif guess.kind:
        name = "OCPP 2.1" if guess.version == OCPP21 else f"OCPI {guess.version}"
        kind = "CDR" if guess.kind == "cdr" else guess.kind
        typer.echo(f"{name} {kind}, {'certain' if guess.certain else 'most likely'}")
        for reason in guess.because:
            typer.echo(textwrap.fill(reason, _WIDTH, initial_indent="  ", subsequent_indent="  "))
    else:
        typer.echo(f"{file}: {'; '.join(guess.because)}", err=True)
    if not guess.kind:
        raise typer.Exit(1)


def _first(document: object) -> object:
    """The first object of a list or an OCPI response; the first tariff of a file of tariffs."""
    item: object = next(iter(unwrapped(document)), document)
    if isinstance(item, Mapping) and isinstance(item.get("tariffs"), list) and item["tariffs"]:
        rest = {name: value for name, value in item.items() if name != "tariffs"}
        return item if guess_version(rest).kind else item["tariffs"][0]
    return item


def _tariffs(document: object, file: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """The tariffs of a document with the pointer to each."""
    found = [(_pointer(document, tariff), tariff) for tariff in tariffs_in(document)]
    if not found:
        raise UserError(f"{file}: no tariff in it; give a tariff object or a list of them.")
    return found


def _pointer(document: object, wanted: object) -> str:
    """Where an object stands in a document, by identity."""
    return next((pointer(*path) for path, value in _walk(document, ()) if value is wanted), "")


def _walk(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:  # noqa: ANN401
    yield path, value
    if len(path) < _MAX_DEPTH and isinstance(value, Mapping | list):
        members = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, inner in members:
            yield from _walk(inner, (*path, name))


def _with(document: Any, at: str, value: object) -> Any:  # noqa: ANN401 - any JSON there is
    """The document with another value at a pointer that exists."""
    if not at:
        return value
    name, _, rest = at[1:].partition("/")
    key = name.replace("~1", "/").replace("~0", "~")
    inner = f"/{rest}" if rest else ""
    if isinstance(document, list):
        i = int(key)
        return [*document[:i], _with(document[i], inner, value), *document[i + 1 :]]
    return {**document, key: _with(document[key], inner, value)}


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; choose another --out.") from error


def _say(file: Path, found: list[Finding], did: list[str], *, fix: bool) -> None:
    """For people; on stderr where stdout carries the document."""
    for sentence in did:
        typer.echo(f"fixed {sentence}", err=True)
    for finding in found:
        where = finding.pointer or "/"
        typer.echo(f"{finding.severity} {finding.code}  {where}", err=fix)
        typer.echo(textwrap.indent(textwrap.fill(finding.message, _WIDTH - 4), "    "), err=fix)
    count = f"{len(found)} finding{'' if len(found) == 1 else 's'}" if found else "no findings"
    typer.echo(f"{file}: {count}{' left' if fix and found else ''}", err=fix)
