"""From bytes and log text to exact JSON values: nothing in here raises on bad input."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation

from schemas.errors import Reason, Rejection

_MAX_NUMBER = 64
"""Longest number read as one; longer ones stay text, which no meter reading can be."""

_FRAME_START = re.compile(r'\[\s*"?[2-6]"?\s*,\s*["0-9]')


def _decimal(text: str) -> Decimal | str:
    if len(text) > _MAX_NUMBER:
        return text
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= _MAX_NUMBER else text


# Not strict about control characters inside strings: chargers send raw tabs and newlines.
_DECODER = json.JSONDecoder(
    parse_float=_decimal, parse_int=_integer, parse_constant=str, strict=False
)


def parse_json(text: str) -> object:
    """Decode JSON with exact decimals; NaN and Infinity become text, the last of equal keys wins.

    Returns a `Rejection` (`not_json`) instead of raising.
    """
    try:
        value: object = _DECODER.decode(text)
    except RecursionError:
        return Rejection(Reason.NOT_JSON, "nested deeper than any message")
    except ValueError as error:
        return Rejection(Reason.NOT_JSON, f"no JSON: {str(error)[:200]}")
    return value


def frame_in(text: str) -> tuple[object, bool]:
    """The OCPP-J array inside a piece of log, and whether other text stood around it.

    Log tools write time stamps before and timings after a frame. A text without a complete
    array gives a `Rejection` (`invalid_frame`).
    """
    found = _FRAME_START.search(text)
    if found is None:
        value = parse_json(text)
        if isinstance(value, Rejection):
            return Rejection(Reason.INVALID_FRAME, f"no OCPP-J array: {value.detail}", "raw"), False
        return value, False
    try:
        value, end = _DECODER.raw_decode(text, found.start())
    except (ValueError, RecursionError) as error:
        detail = "incomplete or broken OCPP-J array"
        if isinstance(error, json.JSONDecodeError):
            detail += f": {error.msg} at character {error.pos}"
        return Rejection(Reason.INVALID_FRAME, detail, "raw"), False
    return value, bool(text[: found.start()].strip() or text[end:].strip())
