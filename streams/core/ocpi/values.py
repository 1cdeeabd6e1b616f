"""Values of JSON documents as they are met: numbers as text, unpadded times, missing zones.

Each reader gives the value and a note, the code of a finding, where it was not written as it
should be; None where it cannot be read safely.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import NamedTuple

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
_MAX_DIGITS = 40
_CLOSE = 0.8

_DATE = re.compile(r"\s*(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})\s*")
_TIME = re.compile(r"\s*(\d{1,2})(?:[:.h](\d{1,2})(?::(\d{1,2})(?:\.0*)?)?|(\d{2}))\s*", re.ASCII)
_STAMP = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[Tt ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d+))?)?)?"
    r"\s*([Zz]|UTC|[+-]\d{2}(?::?\d{2})?)?\s*",
    re.ASCII,
)
_PADDED_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_COMMA = re.compile(r"-?\d+,\d{1,2}", re.ASCII)


class Read[T](NamedTuple):  # pragma: no cover - replaced below on 3.11
    value: T
    note: str = ""
