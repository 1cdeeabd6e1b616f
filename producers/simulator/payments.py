"""What drivers pay for the sessions of a ledger: payment events, and what they add up to.

Only drivers who owe a session alone and at once pay here: those without a company and without a
plan that includes energy. Chance is a session's own: its id decides, so a ledger pays the same
again. One in 33 is never paid, one in 50 is declined first, one in 100 is refunded, one in 25 is
told twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

from producers.simulator.people import company_of, plan_of
from producers.simulator.tariffs import half_up
from producers.simulator.truth import SessionTruth
from schemas.payments import Payment, key_of, payment_bytes
from schemas.units import iso_ms

_MICRO_PER_CENT = 10_000
_AFTER = timedelta(seconds=75)
_METHODS = ("card", "card", "card", "app", "app", "wallet")
_BRANDS = ("visa", "mastercard")


class PaymentRecord(NamedTuple):
    """One Kafka record for `charging.payments`."""

    key: bytes
    value: bytes


def payments(sessions: Iterable[SessionTruth], tenant: str) -> Iterator[PaymentRecord]:
    """The payment records of a ledger's sessions, told twice where a provider does."""
    for session in sessions:
        chance = crc32(session.session_id.encode())
        for payment in _payments(session, tenant, chance):
            record = PaymentRecord(key_of(payment), payment_bytes(payment))
            yield record
            if chance % 25 == 7:
                yield record


def money_in(sessions: Iterable[SessionTruth]) -> dict[str, dict[str, Decimal]]:
    """What must be found: by currency, the sums captured and refunded."""
    out: dict[str, dict[str, Decimal]] = {}
    for session in sessions:
        for payment in _payments(session, "", crc32(session.session_id.encode())):
            if payment.kind in {"captured", "refunded"}:
                sums = out.setdefault(
                    payment.currency, {"captured": Decimal(0), "refunded": Decimal(0)}
                )
                sums[payment.kind] += payment.amount
    return out


def _payments(session: SessionTruth, tenant: str, chance: int) -> Iterator[Payment]:
    cents = half_up(session.excl_micro + session.vat_micro, _MICRO_PER_CENT)
    if not session.counted or not cents or not _pays_alone(session.driver) or chance % 33 == 5:
        return
    end = datetime.fromisoformat(session.ended_at)
    kinds = [("authorised", 0), ("captured", 60)]
    if chance % 50 == 3:
        kinds.insert(0, ("failed", -20))
    if chance % 100 == 11:
        kinds.append(("refunded", 86_400))
    method = _METHODS[chance % len(_METHODS)]
    for kind, later_s in kinds:
        moment = end + _AFTER + timedelta(seconds=later_s)
        yield Payment(
            tenant=tenant,
            payment_id=f"sim-{session.session_id[:13]}",
            kind=kind,  # type: ignore[arg-type]  # one of the four above
            timestamp=iso_ms(int(moment.timestamp() * 1000)),
            amount=Decimal(cents).scaleb(-2),
            currency=session.currency,
            method=method,  # type: ignore[arg-type]  # one of _METHODS
            session_id=UUID(session.session_id),
            driver_key=session.driver,
            psp="simulated",
            card_brand=_BRANDS[chance % 2] if method == "card" else None,
            card_last4=f"{chance % 10_000:04d}" if method == "card" else None,
        )


def _pays_alone(driver: str) -> bool:
    return not company_of(driver) and plan_of(driver) != "commuter"
