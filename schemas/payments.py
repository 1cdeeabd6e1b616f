"""Payments: what travels on `charging.payments`, as a pydantic contract and in its wire form.

A payment is known by who took it (tenant, psp), its reference there, what happened to it and
when. Amounts are above zero: what a refund is, `kind` says. No field may hold a card number:
in `reference` and `description` it is starred, in any other field the payment is refused.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from schemas.card_fields import mask_id
from schemas.cards import CARD_MASKED, mask_text
from schemas.currencies import minor_exponent
from schemas.errors import Reason, Rejection
from schemas.events import Name
from schemas.topics import payment_key

MAX_AMOUNT = Decimal(10) ** 11
"""Amounts stay below it: more does not fit a column, and is no payment for charging."""

PLACES = 6
"""Decimals an amount may have."""


class PaymentKind(StrEnum):
    """What happened to the money."""

    AUTHORISED = "authorised"
    """Reserved with the payer: not money yet, and in no sum of money that came in."""

    CAPTURED = "captured"
    REFUNDED = "refunded"
    FAILED = "failed"


class PaymentMethod(StrEnum):
    """How it was paid."""

    CARD = "card"
    APP = "app"
    WALLET = "wallet"
    INVOICE = "invoice"
    RFID = "rfid"
    BANK_TRANSFER = "bank_transfer"
    CASH = "cash"
    ROAMING = "roaming"
    OTHER = "other"


def _currency(code: str) -> str:
    if minor_exponent(code) is None:
        raise ValueError(f"{code!r} is no currency of ISO 4217")
    return code


Reference = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
Amount = Annotated[Decimal, Field(gt=0, lt=MAX_AMOUNT, decimal_places=PLACES, allow_inf_nan=False)]
Fee = Annotated[
    Decimal,
    Field(gt=-MAX_AMOUNT, lt=MAX_AMOUNT, decimal_places=PLACES, allow_inf_nan=False),
]
Free = Annotated[str, Field(max_length=1000)]


class PaymentRecorded(BaseModel):
    """Money for charging was authorised, captured, refunded, or it failed.

    Which session it is for, `session_id` says, or `station_id` and `transaction_id` together.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="utf8")

    type: Literal["payment_recorded"] = "payment_recorded"
    tenant: Name = Field(description="Operator whose data this is")
    payment_id: Name = Field(description="The payment's reference at the payment provider")
    kind: PaymentKind = Field(description="What happened to the money")
    timestamp: AwareDatetime = Field(description="When it happened, with zone")
    amount: Amount = Field(description="In units of currency, above zero; number or decimal text")
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$"), AfterValidator(_currency)] = Field(
        description="ISO 4217"
    )
    method: PaymentMethod = Field(PaymentMethod.OTHER, description="How it was paid")
    session_id: UUID | None = Field(None, description="The session it is for")
    station_id: Reference | None = Field(None, description="With transaction_id: the session")
    transaction_id: Reference | None = Field(None, description="With station_id: the session")
    driver_key: Reference | None = Field(None, description="Who paid: the token as chargers say it")
    psp: Reference = Field("", description="Payment provider; one name for each, everywhere")
    psp_token: Reference | None = Field(None, description="The provider's token for the card")
    card_brand: Reference | None = None
    card_last4: Annotated[str, Field(pattern="^[0-9]{4}$")] | None = Field(
        None, description="Last four digits of the card: no more of it is ever sent"
    )
    reference: Free | None = Field(None, description="Free text, such as the merchant's reference")
    description: Free | None = Field(None, description="Free text")
    fee_amount: Fee | None = Field(None, description="What the provider keeps, in currency")
    settlement_id: Reference | None = Field(None, description="The settlement or payout it is in")
    flags: tuple[str, ...] = Field((), description="What was noticed or repaired on the way")


WireText = Annotated[str, msgspec.Meta(max_length=255)]
WireFree = Annotated[str, msgspec.Meta(max_length=1000)]


class Payment(
    msgspec.Struct, gc=False, kw_only=True, omit_defaults=True,
    tag_field="type", tag="payment_recorded",
):  # fmt: skip
    """The wire form of `PaymentRecorded`; `problem` says what types alone cannot."""

    tenant: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    payment_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    kind: Literal["authorised", "captured", "refunded", "failed"]
    timestamp: str
    amount: Decimal
    currency: str
    method: Literal[
        "card", "app", "wallet", "invoice", "rfid", "bank_transfer", "cash", "roaming", "other"
    ] = "other"
    session_id: UUID | None = None
    station_id: WireText | None = None
    transaction_id: WireText | None = None
    driver_key: WireText | None = None
    psp: WireText = ""
    psp_token: WireText | None = None
    card_brand: WireText | None = None
    card_last4: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}$")] | None = None
    reference: WireFree | None = None
    description: WireFree | None = None
    fee_amount: Decimal | None = None
    settlement_id: WireText | None = None
    flags: tuple[str, ...] = ()


FREE_TEXT: Final = ("reference", "description")
STRUCTURAL: Final = (
    "tenant", "payment_id", "station_id", "transaction_id", "driver_key", "psp", "psp_token",
    "card_brand", "settlement_id",
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENCODER = msgspec.json.Encoder()


def problem(payment: Payment) -> Rejection | None:
    """Why a payment of the right types is refused; None where it is not. Its time is not read."""
    for name in STRUCTURAL:
        text = getattr(payment, name)
        if text and (masked := (mask_id if name == "transaction_id" else mask_text)(text))[1]:
            detail = f"looks like a card number ({masked[0][:80]}): none may be sent"
            return Rejection(Reason.CARD_NUMBER, detail, name)
        if text and _CONTROL.search(text):
            return Rejection(Reason.INVALID_FIELD, "control characters in a name", name)
    fee = Decimal(0) if payment.fee_amount is None else payment.fee_amount
    wrong = {
        "currency": _currency_problem(payment.currency),
        "amount": _amount_problem(payment.amount) or _sign_problem(payment.amount),
        "fee_amount": _amount_problem(fee),
    }
    found = next(((name, text) for name, text in wrong.items() if text), None)
    return Rejection(Reason.INVALID_FIELD, found[1], found[0]) if found else None


def _currency_problem(code: str) -> str:
    known = minor_exponent(code) is not None
    return "" if known else f"{mask_text(code[:40])[0]!r} is no currency of ISO 4217"


def _sign_problem(amount: Decimal) -> str:
    above = amount > 0
    return "" if above else f"{amount} is not above zero: refunds are a kind, not a sign"


def _amount_problem(amount: Decimal) -> str:
    if not amount.is_finite():
        return f"{amount} is no amount"
    if amount and (amount.adjusted() > 10 or amount.adjusted() < -PLACES):
        return "an amount is below 100,000,000,000 and has six decimals at most"
    if amount != round(amount, PLACES):
        return f"{amount} has more than six decimals"
    return ""


def without_cards(payment: Payment) -> Payment:
    """The payment with card numbers in its free texts (and flags) starred, and a flag where
    there were any.
    """
    changes: dict[str, Any] = {}
    flags = tuple(mask_text(flag)[0] for flag in payment.flags)
    if flags != payment.flags:
        changes["flags"] = flags
    for name in FREE_TEXT:
        text = getattr(payment, name)
        if text and (masked := mask_text(text))[1]:
            changes[name] = masked[0]
    if not changes:
        return payment
    changes["flags"] = tuple(dict.fromkeys((*flags, CARD_MASKED)))
    return msgspec.structs.replace(payment, **changes)


def payment_bytes(payment: Payment) -> bytes:
    """The JSON bytes of one payment, as they go to Kafka; amounts are decimal text."""
    return _ENCODER.encode(payment)


def key_of(payment: Payment) -> bytes:
    """The Kafka key of one payment: its session, else its own id."""
    return payment_key(str(payment.session_id or "") or None, payment.payment_id)
