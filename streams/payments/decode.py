"""Bytes of `charging.payments` to payments: every value becomes payments or dead letters."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from schemas.cards import CARD_MASKED, mask_bytes
from schemas.errors import Reason, Rejection
from schemas.payments import Payment, problem, without_cards
from schemas.topics import MAX_EVENT_BYTES
from streams.chunk import Chunk
from streams.decode import DeadValue, parse_time


class _Other(msgspec.Struct, tag_field="type", tag=""):
    """Nothing: beside it msgspec asks for a payment's `type`, which alone it may lack."""


_DECODE = msgspec.json.Decoder(Payment | _Other).decode
_DECODE_ARRAY = msgspec.json.Decoder(list[msgspec.Raw]).decode
_DETAIL_CHARS = 300


@dataclass(frozen=True, slots=True)
class Accepted:
    """One payment with its instant (epoch ms) and where it stood; `index` is -1 outside arrays."""

    payment: Payment
    at_ms: int
    offset: int
    index: int


@dataclass(slots=True)
class DecodedPayments:
    """What a chunk holds."""

    accepted: list[Accepted] = field(default_factory=list)
    dead: list[DeadValue] = field(default_factory=list)


def decode_payments(chunk: Chunk) -> DecodedPayments:
    """Read every value of a chunk; card numbers in free texts are starred on the way."""
    out = DecodedPayments()
    for offset, key, value in zip(chunk.offsets, chunk.keys, chunk.values, strict=True):
        for index, raw in _parts(value or b""):
            found = read_payment(raw)
            if isinstance(found, Rejection):
                out.dead.append(DeadValue(offset, index, raw, key, found))
            else:
                out.accepted.append(Accepted(*found, offset, index))
    return out


def _parts(value: bytes) -> list[tuple[int, bytes]]:
    """The value, or the elements of its array with their positions."""
    if len(value) <= MAX_EVENT_BYTES and value.lstrip()[:1] == b"[":
        try:
            parts = _DECODE_ARRAY(value)
        except (msgspec.DecodeError, ValueError, RecursionError):
            parts = []  # read as a whole, it says what is wrong
        if parts:
            return [(index, bytes(part)) for index, part in enumerate(parts)]
    return [(-1, value)]


def read_payment(raw: bytes) -> tuple[Payment, int] | Rejection:
    """One payment and its instant (epoch ms), or why it is none."""
    if not raw:
        return Rejection(Reason.EMPTY, "no value")
    if len(raw) > MAX_EVENT_BYTES:
        detail = f"{len(raw)} bytes, at most {MAX_EVENT_BYTES} are read"
        return Rejection(Reason.TOO_LARGE, detail)
    try:
        raw.decode()
        payment = _DECODE(raw)
    except msgspec.ValidationError as error:
        return _invalid(raw, str(error)[:_DETAIL_CHARS])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Rejection(Reason.NOT_JSON, (str(error) or type(error).__name__)[:_DETAIL_CHARS])
    return _checked(payment, raw)


def _checked(payment: Payment | _Other, raw: bytes) -> tuple[Payment, int] | Rejection:
    if isinstance(payment, _Other):
        return Rejection(Reason.UNKNOWN_TYPE, "the type is empty", "type")
    at_ms = problem(payment) or parse_time(payment.timestamp)
    if isinstance(at_ms, Rejection):
        return at_ms
    payment = without_cards(payment)
    if CARD_MASKED not in payment.flags and mask_bytes(raw)[1]:  # in a field nobody reads
        payment.flags = (*payment.flags, CARD_MASKED)
    return payment, at_ms


def _invalid(raw: bytes, text: str) -> Rejection:
    """What msgspec found, with the path of the field as it tells it."""
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Rejection(Reason.NOT_JSON, str(error)[:_DETAIL_CHARS])
    path = text.rpartition("`$.")[2].rstrip("`") if "`$." in text else ""
    if path == "type" or "required field `type`" in text:
        return Rejection(Reason.UNKNOWN_TYPE, text, "type")
    if text.startswith(("Expected `object`", "Expected `PaymentRecorded`")):
        return Rejection(Reason.NOT_AN_EVENT, text)
    if not path and "required field `" in text:
        path = text.partition("required field `")[2].partition("`")[0]
    return Rejection(Reason.INVALID_FIELD, text, path)
