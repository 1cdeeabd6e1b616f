"""Named faults: what each does, on what its rate is counted, and which a session gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from random import Random

from schemas.errors import UserError


class Fault(StrEnum):
    """What can go wrong between a charger and the topic."""

    DUPLICATE = "duplicate"
    LATE = "late"
    REORDER = "reorder"
    GAP = "gap"
    MISSING_START = "missing_start"
    MISSING_STOP = "missing_stop"
    CLOCK_SKEW = "clock_skew"
    REGISTER_RESET = "register_reset"
    SESSION_RELATIVE_REGISTER = "session_relative_register"
    MINUS_ONE_TRANSACTION = "minus_one_transaction"
    UNIT_MIX = "unit_mix"
    CORRUPT_BYTES = "corrupt_bytes"
    START_RESENT = "start_resent"


FAULTS: dict[Fault, str] = {
    Fault.DUPLICATE: "per record: the same bytes again, up to ten minutes later",
    Fault.LATE: "per session: from some moment on, everything arrives hours later",
    Fault.REORDER: "per record: it overtakes the one before it",
    Fault.GAP: "per session: some meter samples between start and end are never sent",
    Fault.MISSING_START: "per session: its start never arrives",
    Fault.MISSING_STOP: "per session: its end never arrives",
    Fault.CLOCK_SKEW: "per station: its clock is up to 90 seconds off, always",
    Fault.REGISTER_RESET: "per session: the energy register falls to 0 once",
    Fault.SESSION_RELATIVE_REGISTER: "per OCPP 1.6 session: samples count from the plug-in",
    Fault.MINUS_ONE_TRANSACTION: "per OCPP 1.6 session: the stop says transaction -1",
    Fault.UNIT_MIX: "per session: registers sent as kWh text, so with fractions of a Wh",
    Fault.CORRUPT_BYTES: "per record: a damaged record besides",
    Fault.START_RESENT: "per session: the start again under a new message id",
}
"""Every fault in words."""

SESSION_FAULTS: tuple[Fault, ...] = (
    Fault.GAP,
    Fault.MISSING_START,
    Fault.MISSING_STOP,
    Fault.REGISTER_RESET,
    Fault.SESSION_RELATIVE_REGISTER,
    Fault.MINUS_ONE_TRANSACTION,
    Fault.UNIT_MIX,
)
"""Faults that change what a session is: it gets one of them at most, so the truth stays known."""

Rates = Mapping[Fault, float]

NO_FAULTS: Rates = {}

DEFAULT_RATES: Rates = {
    Fault.DUPLICATE: 0.01,
    Fault.LATE: 0.01,
    Fault.REORDER: 0.01,
    Fault.GAP: 0.02,
    Fault.MISSING_START: 0.005,
    Fault.MISSING_STOP: 0.01,
    Fault.CLOCK_SKEW: 0.1,
    Fault.REGISTER_RESET: 0.01,
    Fault.SESSION_RELATIVE_REGISTER: 0.02,
    Fault.MINUS_ONE_TRANSACTION: 0.02,
    Fault.UNIT_MIX: 0.05,
    Fault.CORRUPT_BYTES: 0.0005,
    Fault.START_RESENT: 0.02,
}
"""All faults on, at rates a field engineer would recognise."""


def parse_rates(options: Iterable[str]) -> dict[Fault, float]:
    """`name=rate` options; `all` is every fault at its default rate, `all=2` at twice that.

    Later options win. Raises UserError for an unknown name or a rate outside 0..1.
    """
    rates: dict[Fault, float] = {}
    for option in options:
        name, sign, text = option.partition("=")
        try:
            rate = float(text) if sign else 1.0
        except ValueError:
            rate = -1.0
        if name == "all" and rate >= 0:
            rates |= {fault: min(1.0, usual * rate) for fault, usual in DEFAULT_RATES.items()}
        elif name in FAULTS and sign and 0 <= rate <= 1:
            rates[Fault(name)] = rate
        else:
            known = ", ".join(FAULTS)
            raise UserError(
                f"--fault {option!r} is not NAME=RATE with a rate from 0 to 1; names: all, {known}."
            )
    return rates


def draw(rng: Random, rates: Rates) -> Fault | None:
    """The one session fault of a session, or none; whether it applies is seen later."""
    chance = rng.random()
    for fault in SESSION_FAULTS:
        chance -= rates.get(fault, 0.0)
        if chance < 0:
            return fault
    return None
