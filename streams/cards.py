"""Card numbers never get into a table: events without any.

Whoever publishes through `producers` has masked them before; others publish as they like.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from schemas import wire
from schemas.card_fields import TYPED, flag, mask_event, mask_id
from schemas.cards import may_hold_card
from streams.convert import CONVERT
from streams.core.events import CoreEvent

Convert = Callable[[Any, int], CoreEvent | None]

_DIGITS = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
_THIRTEEN = b"0" * 13


def _guarded(kind: type[wire.WireEvent], convert: Convert) -> Convert:
    texts_of = attrgetter(*TYPED[kind]) if len(TYPED[kind]) > 1 else None
    if texts_of is None:
        return convert

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
have hardly a text: their transaction ids are looked at together by `mask_transactions`, what
few of them carry beside when it is written."""


def mask_transactions(events: Sequence[wire.WireEvent]) -> None:
    """Star transaction ids that are card numbers, the same everywhere; one glance at all ids."""
    ids = {event.transaction_id for event in events}
    ids.discard(None)
    if _THIRTEEN not in " ".join(ids).encode("utf-8", "replace").translate(_DIGITS):  # type: ignore[arg-type]
        return
    stars = {i: masked for i in ids if i and (masked := mask_id(i)[0]) != i}
    for event in events if stars else ():
        if event.transaction_id in stars:
            event.transaction_id = stars[event.transaction_id]
            flag(event)
