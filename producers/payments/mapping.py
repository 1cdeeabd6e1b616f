"""What a mapping file of payments may say. The reference for people is docs/payments.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, model_validator

from producers.rows.mapping import (
    FileMapping,
    NumberCell,
    TextField,
    TimeField,
    load,
    no_zone,
)

SHIPPED = Path(__file__).parent.parent / "mappings" / "payments"
"""Where the mappings of payments that come with laddstream lie."""


class AmountCell(NumberCell):
    """An amount of money. With `minus` (credit less debit) a missing one of the two is nothing."""

    unit: Literal["major", "minor"] = "major"
    """`minor`: whole cents (öre, fils …) of the row's currency."""


def _short(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


AmountField = Annotated[AmountCell, BeforeValidator(_short)]


class PaymentMapping(FileMapping):
    """A whole mapping file of payments. Units, signs and zones are stated, never guessed."""

    sign: Literal["keep", "drop", "refund"] = "keep"
    """What a minus means: nothing good (the row is rejected), nothing, or money given back."""

    payment: TextField
    at: TimeField
    amount: AmountField
    currency: TextField
    kind: TextField
    method: TextField | None = None
    session: TextField | None = None
    station: TextField | None = None
    transaction: TextField | None = None
    driver: TextField | None = None
    psp: TextField | None = None
    token: TextField | None = None
    brand: TextField | None = None
    last4: TextField | None = None
    reference: TextField | None = None
    note: TextField | None = None
    fee: AmountField | None = None
    settlement: TextField | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.zoneless(self.at):
            raise ValueError(no_zone("at"))
        return self


FIELDS = (
    "payment", "at", "amount", "currency", "kind", "method", "session", "station", "transaction",
    "driver", "psp", "token", "brand", "last4", "reference", "note", "fee", "settlement",
)  # fmt: skip
"""The keys that say where a field of a payment comes from."""


def load_payment_mapping(name: str) -> PaymentMapping:
    """The mapping of payments in the file `name`, or the shipped one. Raises MappingError."""
    return load(name, PaymentMapping, SHIPPED, "docs/payments.md")
