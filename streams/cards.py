"""Card numbers never get into a table: events without any.

Whoever publishes through `producers` has masked them before; others publish as they like.
Most events hold none: many are glanced at together, and only what rouses suspicion is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from schemas import wire
from schemas.card_fields import TYPED, flag, mask_event, mask_id
from schemas.cards import mask_text, may_hold_card
from streams.convert import CONVERT
from streams.core.events import CoreEvent

Convert = Callable[[Any, int], CoreEvent | None]

_GAPS: Final = b" \t\n\r./_"
_SHAPE: Final = bytes(
    48 if 48 <= byte <= 57 or byte > 127 else byte if byte == 45 else 120 for byte in range(256)
)
"""Digits, and what may be one in another script, as 0; hyphens as they are; the rest as x."""

_RUN: Final = b"0" * 13
_PRINTED: Final = (
    # hyphens part digits only as cards print them; no UUID has thirteen digits side by side
    (b"0000-0000-0000-0", re.compile(rb"0000-0000-0000-0{1,4}(?!0)")),
    (b"0000-000000-0000", re.compile(rb"0000-000000-0{4,5}(?!0)")),
)


def _guarded(kind: type[wire.WireEvent], convert: Convert) -> Convert:
    names = TYPED[kind]
    texts_of = attrgetter(*names, *names[: len(names) == 1])  # of one name it gives no tuple

    def read(event: wire.WireEvent, ts: int) -> CoreEvent | None:
        for text in texts_of(event):
            if text is not None and len(text) > 12 and may_hold_card(text):
                mask_event(event, TYPED)
                break
        return convert(event, ts)

    return read


GUARDED: dict[type, Convert] = {
    kind: convert if kind is wire.MeterSampled else _guarded(kind, convert)
    for kind, convert in CONVERT.items()
}
"""`streams.convert.CONVERT`, behind a look for card numbers. Samples are most of all events and
have hardly a text: `mask_ids` looks at their transactions and contexts together, what few of
them carry beside is looked at when it is written."""


def suspicious(texts: Iterable[str]) -> bool:
    """A glance at many texts: False where none of them holds a card number."""
    joined = "|".join(texts).encode("utf-8", "replace").translate(_SHAPE, _GAPS)
    return _RUN in joined or any(_printed(joined, *each) for each in _PRINTED)


def _printed(joined: bytes, begin: bytes, whole: re.Pattern[bytes]) -> bool:
    at = joined.find(begin)
    while at >= 0 and not whole.match(joined, at):
        at = joined.find(begin, at + 1)
    return at >= 0


def mask_ids(events: Sequence[wire.WireEvent]) -> None:
    """Star transaction ids and contexts of samples that are card numbers, everywhere the same."""
    ids = {event.transaction_id for event in events}
    contexts = {event.context for event in events if event.__class__ is wire.MeterSampled}
    ids.discard(None)
    if not suspicious([*ids, *contexts]):  # type: ignore[list-item]
        return
    stars = {i: masked for i in ids if i and (masked := mask_id(i)[0]) != i}
    hidden = {c: masked for c in contexts if (masked := mask_text(c)[0]) != c}
    for event in events if stars or hidden else ():
        if event.transaction_id in stars:
            event.transaction_id = stars[event.transaction_id]
            flag(event)
        if isinstance(event, wire.MeterSampled) and event.context in hidden:
            event.context = hidden[event.context]
            flag(event)


def mask_notes(events: Sequence[wire.WireEvent]) -> None:
    """Star card numbers in what says how an event came: message ids, gateways, flags."""
    for event in events:
        mask_event(event, _NOTES)


_NOTES: Final = dict.fromkeys(TYPED, ("message_id", "gateway"))
