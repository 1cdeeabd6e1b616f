"""Tolerant readers of single JSON values: the value as the contract wants it, or None."""

from __future__ import annotations

import re
from decimal import Decimal

MAX_ID = 255
MAX_TEXT = 1000
MAX_INT = 2**31 - 1

_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_DIGITS = re.compile(r"[+-]?[0-9]{1,40}")


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """At most `limit` characters; control characters and halves of pairs become U+FFFD."""
    text = text[:limit]
    return text if text.isprintable() else _UNFIT.sub("�", text)


def text_of(value: object, limit: int = MAX_TEXT) -> str | None:
    """Text, also of a number; None for anything else and for blanks."""
    if isinstance(value, str):
        return clean(value.strip(), limit) or None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return str(value)


def int_of(value: object) -> int | None:
    """An integer, also from `1.0` or digits in a string; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        value = value.strip()
        return int(value) if _DIGITS.fullmatch(value) else None
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= 40:
        return int(value) if value == int(value) else None
    return None


def small_int(value: object) -> int | None:
    """An integer from 0 to 2^31-1, the range of connectors, EVSEs and seqNo; else None."""
    number = int_of(value)
    return number if number is not None and 0 <= number <= MAX_INT else None


def number_of(value: object) -> Decimal | None:
    """An exact finite number from JSON number or decimal text; None for anything else."""
    if isinstance(value, str):
        value = value.strip()
        if len(value) > 64 or not _NUMBER.fullmatch(value):
            return None
        value = Decimal(value)
    elif isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number if number.is_finite() and number.adjusted() <= 40 else None


def object_of(value: object) -> dict[str, object]:
    """A JSON object, empty where there is none."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[object]:
    """A JSON array; a lone object counts as an array of one, some chargers send it so."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def transaction_text(value: object) -> str | None:
    """A transaction id as text: 1.6 integers in decimal, -1, 0 and 2^63-1 as they are."""
    number = int_of(value) if not isinstance(value, str) else None
    text = str(number) if number is not None else text_of(value, MAX_ID + 1)
    return text if text is not None and len(text) <= MAX_ID else None
