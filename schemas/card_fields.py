"""Card numbers in events: which fields are looked at, and an event without any.

Looked at is every text that somebody may have typed, tapped or composed. Not looked at are
`tenant` and `station_id`: they are names the operator gave, and keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec

from schemas import wire
from schemas.cards import CARD_MASKED, is_card_number, mask_bytes, mask_text

SHORTEST: Final = 13
"""Digits of the shortest card number: a shorter text needs no look."""

_USUAL: Final = (15, 16)
_DINERS: Final = 14
_KEPT = frozenset({
    "type", "tenant", "station_id", "protocol", "timestamp", "received_at", "charging_state",
    "flags", "other",
})  # fmt: skip
_NAMES = re.compile(rb'("(?:tenant|station_id)"\s*:\s*"(?:[^"\\]|\\.)*")')


def _texts(event_type: type[wire.WireEvent]) -> tuple[str, ...]:
    def is_text(kind: Any) -> bool:  # noqa: ANN401
        if int in get_args(kind):  # a number that may come as text
            return False
        return kind is str or any(map(is_text, get_args(kind)))

    return tuple(
        field.name
        for field in msgspec.structs.fields(event_type)
        if field.name not in _KEPT and is_text(field.type)
    )


TEXTS: Final = {kind: _texts(kind) for kind in get_args(wire.AnyEvent)}
"""Event class to its fields that are looked at."""

_IDS = ("transaction_id", "message_id", "gateway")
TYPED: Final = {
    kind: tuple(name for name in names if name not in _IDS) for kind, names in TEXTS.items()
}
"""The same without what programs make up: what people type, tap or compose."""


def mask_id(text: str) -> tuple[str, int]:
    """`mask_text` for a transaction id. One of digits alone is mostly a number that a program
    drew: it is starred only at the lengths that nearly all cards have, or starring would make
    two sessions of a charger one.
    """
    drawn = text.isdecimal() and len(text) not in _USUAL
    if drawn and not (len(text) == _DINERS and text[0] == "3"):
        return text, 0
    return mask_text(text)


def mask_event(event: wire.WireEvent, texts: Mapping[type, tuple[str, ...]] = TEXTS) -> bool:
    """Star the card numbers in an event's texts, in place; True where there was one."""
    found = False
    for name in texts[type(event)]:
        text = getattr(event, name)
        if text.__class__ is str and len(text) >= SHORTEST:
            masked, count = mask_id(text) if name == "transaction_id" else mask_text(text)
            if count:
                setattr(event, name, masked)
                found = True
    if event.flags and (flags := tuple(mask_text(each)[0] for each in event.flags)) != event.flags:
        event.flags = flags
        found = True
    if type(event) is wire.SessionStarted and is_card(event.reservation_id):
        event.reservation_id = None
        found = True
    if type(event) is wire.MeterSampled and event.other:
        other = mask_texts(event.other)
        found = found or other is not event.other
        event.other = other
    if found:
        flag(event)
    return found


def is_card(value: object) -> bool:
    """Whether a number of an event, an index of something, is a card number."""
    return type(value) is int and value >= 10 ** (SHORTEST - 1) and is_card_number(str(value))


def mask_texts(texts: dict[str, str]) -> dict[str, str]:
    """The same dict where no key or value holds a card number."""
    masked = {mask_text(name)[0]: mask_text(text)[0] for name, text in texts.items()}
    return texts if masked == texts else masked


def flag(event: wire.WireEvent) -> None:
    """Say in the event that a card number was masked."""
    if CARD_MASKED not in event.flags:
        event.flags = (*event.flags, CARD_MASKED)


def mask_value(raw: bytes) -> tuple[bytes, int]:
    """A value on its way to Kafka, without card numbers, and how many there were.

    Whatever it holds is masked wherever it looks like one, but for the names of operator and
    station. Bytes without any are returned untouched.
    """
    if not mask_bytes(raw)[1]:
        return raw, 0
    parts = _NAMES.split(raw)
    masked = [mask_bytes(part) if i % 2 == 0 else (part, 0) for i, part in enumerate(parts)]
    return b"".join(part for part, _ in masked), sum(count for _, count in masked)
