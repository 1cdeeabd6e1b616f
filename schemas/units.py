"""Exact units: energy is integer milliwatt-hours inside, decimal watt-hours outside.

Rounding is half up, once, where a source is more precise than a milliwatt-hour.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

SLICE_MS = 15 * 60 * 1000
"""Width of a slice: every time-zone offset in use is a multiple of 15 minutes."""

MWH_PER_WH = 1000
"""`mwh` in a name always means milliwatt-hours (mWh), never megawatt-hours."""

MAX_WH = 10**14
"""Largest register accepted, in Wh (100 TWh): more is corruption, and would not fit a column."""

_ONE = Decimal(1)
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_UP)


def wh_to_mwh(value: Decimal | int | str | float) -> int:
    """Watt-hours to integer milliwatt-hours, rounded half up.

    A float is read by its shortest decimal form. Raises ValueError for text that is no
    finite number and for magnitudes above `MAX_WH`.
    """
    if type(value) is int:
        mwh = value * MWH_PER_WH
    else:
        try:
            number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
        except InvalidOperation as error:
            raise ValueError(f"{str(value)[:40]!r} is not a number") from error
        if not number.is_finite():
            raise ValueError(f"{str(value)[:40]!r} is not a finite number")
        if number.adjusted() > 14 or abs(number) > MAX_WH:
            raise ValueError(f"{str(value)[:40]!r} Wh is beyond any meter")
        mwh = int((number * MWH_PER_WH).quantize(_ONE, context=_CONTEXT))
    if not -MAX_WH * MWH_PER_WH <= mwh <= MAX_WH * MWH_PER_WH:
        raise ValueError(f"{str(value)[:40]!r} Wh is beyond any meter")
    return mwh


def mwh_to_wh(mwh: int) -> Decimal:
    """Integer milliwatt-hours as exact decimal watt-hours."""
    return Decimal(mwh).scaleb(-3)


def wh_text(mwh: int) -> int | str:
    """The wire form of a register: a JSON integer for whole Wh, else decimal text."""
    whole, rest = divmod(mwh, MWH_PER_WH)
    return whole if rest == 0 else format(mwh_to_wh(mwh), "f")


def micro_to_decimal(micro: int) -> Decimal:
    """Integer micro-units as an exact decimal amount."""
    return Decimal(micro).scaleb(-6)


def iso_ms(epoch_ms: int) -> str:
    """Epoch milliseconds as the wire's time stamp, `2026-03-01T12:00:00.000Z`."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=epoch_ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
