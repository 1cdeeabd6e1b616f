"""Damaged records: copies of a good one that must become one dead letter each."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from schemas.errors import Reason

_TENANT = re.compile(rb'"tenant":"[^"]*"')
_TYPE = re.compile(rb'"type":"[^"]*"')
_ZONE = re.compile(rb'("timestamp":"[^"]*)Z"')


def corrupt(rng: Random, value: bytes) -> tuple[bytes, Reason]:
    """Damage one event's bytes, and say which reason its dead letter must carry."""
    damage, reason = rng.choice(_KINDS)
    return damage(rng, value), reason


_KINDS: tuple[tuple[Callable[[Random, bytes], bytes], Reason], ...] = (
    (lambda rng, _: b"\xff\x00" + rng.randbytes(30).replace(b"\n", b"\r"), Reason.NOT_JSON),
    (lambda rng, value: value[: rng.randrange(1, len(value) - 1)], Reason.NOT_JSON),
    (
        lambda _, value: value.replace(b'"tenant"', b'"power_w":NaN,"tenant"', 1),
        Reason.NOT_JSON,
    ),
    (lambda _, value: _TENANT.sub(b'"tenant":17', value, count=1), Reason.INVALID_FIELD),
    (lambda _, value: _TYPE.sub(b'"type":"teleported"', value, count=1), Reason.UNKNOWN_TYPE),
    (lambda _, value: _ZONE.sub(rb'\1"', value, count=1), Reason.NAIVE_TIMESTAMP),
    (lambda _, __: b'"hello?"', Reason.NOT_AN_EVENT),
)
