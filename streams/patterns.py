"""Values of one producer differ in few places: these are read, all the rest is compared.

    {"type":"meter_sampled","tenant":"op","station_id":"ST-1","seq_no":17,"import_wh":1200.5}
    |---------------- literal ----------------------|span|literal||  ||--literal--||span--||literal

A `Pattern` is made of one value that msgspec read. Another value whose literals are the same bytes,
and whose spans are plain texts, numbers or times of the same form, is JSON that says the same but
for its spans: nothing else needs to be read of it. Thousands of values are compared and read
together, a span at a time, as columns of bytes. What does not match says nothing: msgspec reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from streams.core.columns import Ints
from streams.spans import DIGITS, PLACES, Joined, Matched, Reading, Span

LONGEST: Final = 2_048
"""Bytes of a value that a pattern is made of."""

_TEXTS: Final = {
    "tenant": 255, "station_id": 255, "transaction_id": 255, "message_id": 1000, "gateway": 1000,
    "id_token": 1000,
}  # fmt: skip
"""By the characters that `schemas.wire` allows them."""

_MAY_BE_EMPTY: Final = frozenset({"message_id", "gateway", "id_token"})
_TIMES: Final = frozenset({"timestamp", "received_at"})
_WHOLES: Final = frozenset({"evse_id", "connector_id", "seq_no"})
_NUMBERS: Final = frozenset(
    {"import_wh", "power_w", "current_a", "soc_percent", "meter_start_wh", "meter_stop_wh"}
)
_FIELD: Final = re.compile(
    rb'\s*"([a-z_]+)"\s*:\s*("[^"\\]*"|-?[0-9]+(?:\.[0-9]+)?|true|false|null)\s*([,}])'
)


class Pattern:
    """Literals and the spans between them; `constants` are the fields that no span holds."""

    def __init__(
        self, literals: Sequence[bytes], spans: Sequence[Span], constants: Mapping[str, Any]
    ) -> None:
        self._literals = [np.frombuffer(literal, np.uint8) for literal in literals]
        self._spans = spans
        self.constants = constants

    def begun(self, joined: Joined, rows: Ints) -> Ints:
        """Those of the values at these places (rising) that begin like it."""
        first = self._literals[0]
        same = joined.take(joined.begins[rows], len(first)) == first
        return rows if same.all() else rows[same.all(axis=1)]

    def match(self, joined: Joined, rows: Ints) -> Matched | None:
        """Those of `begun` values that match; None: none does."""
        reading = Reading(joined, rows)
        reading.at = reading.at + len(self._literals[0])
        for span, literal in zip(self._spans, self._literals[1:], strict=True):
            if not reading.good.any():
                return None
            if span.name in _TEXTS:
                reading.text(span)
            elif span.name in _TIMES:
                reading.time(span)
            elif span.name in _WHOLES:
                reading.whole(span)
            else:
                reading.number(span)
            reading.literal(literal)
        return reading.result()


def pattern_of(value: bytes, fields: Mapping[str, Any], *, tenants: bool) -> Pattern | None:
    """What other values may match that differ from this one, which says `fields`; None where it is
    not written plainly. Those of other tenants match only if there are more `tenants`.
    """
    if len(value) > LONGEST or not value.lstrip().startswith(b"{"):
        return None
    literals: list[bytes] = []
    spans: list[Span] = []
    names: set[str] = set()
    at, begin, closed = value.index(b"{") + 1, 0, False
    while not closed:
        found = _FIELD.match(value, at)
        if found is None:
            return None
        name, token = found[1].decode(), found[2]
        if name in names:
            return None
        names.add(name)
        span = _span(name, token) if tenants or name != "tenant" else None
        if span is not None:
            inside = int(span.quoted)
            literals.append(value[begin : found.start(2) + inside])
            begin = found.end(2) - inside
            spans.append(span)
        at, closed = found.end(), found[3] == b"}"
    if value[at:].strip() or not spans:
        return None
    literals.append(value[begin:])
    read = {span.name for span in spans}
    constants = {name: field for name, field in fields.items() if name not in read}
    pattern = Pattern(literals, spans, constants)
    itself = Joined([value])
    return pattern if pattern.match(itself, pattern.begun(itself, np.zeros(1, int))) else None


def _span(name: str, token: bytes) -> Span | None:
    """Of a field that differs from value to value."""
    quoted = token.startswith(b'"')
    text = token[1:-1] if quoted else token
    if name in _TEXTS and quoted:
        longest = min(_TEXTS[name], 2 * len(text) + 8)
        return Span(name, longest + 1, quoted, may_be_empty=name in _MAY_BE_EMPTY)
    if name in _TIMES and text and quoted:
        return Span(name, len(text), quoted, re.sub(rb"[0-9]", b"0", text))
    if (name in _WHOLES and not quoted and token != b"null") or (
        name in _NUMBERS and token != b"null"
    ):
        return Span(name, DIGITS + PLACES + 3, quoted)
    return None
