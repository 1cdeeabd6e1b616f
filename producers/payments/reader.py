"""One row of a settlement file in, one payment out, or the reason why not."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from producers.payments.mapping import FIELDS, AmountCell, PaymentMapping
from producers.rows.columns import Header, Paths
from producers.rows.fields import CellError, bind, holds
from producers.rows.mapping import Cell, check_formats
from producers.rows.sessions import Skipped
from producers.rows.tables import Fault, Record
from producers.rows.times import parse_zone, to_utc
from schemas.cards import mask_text
from schemas.currencies import minor_exponent
from schemas.payments import Payment, PaymentKind, PaymentMethod, problem, without_cards
from schemas.units import iso_ms

_KEYS = {
    "payment_id": "payment", "station_id": "station", "transaction_id": "transaction",
    "driver_key": "driver", "psp_token": "token", "card_brand": "brand",
    "settlement_id": "settlement", "fee_amount": "fee",
}  # fmt: skip
"""Field of a payment to the key of the mapping, where they differ."""

_KINDS = ", ".join(PaymentKind)
_METHODS = frozenset(PaymentMethod)
_LAST4 = re.compile(r"(\d{4})\D*\Z", re.ASCII)


class PaymentRowReader:
    """A mapping bound to one file's columns. Raises MappingError where they do not fit."""

    def __init__(self, mapping: PaymentMapping, columns: Header | Paths, file: str) -> None:
        self._mapping = mapping
        self._file = file
        self._zone = parse_zone(mapping.zone) if mapping.zone else None
        cells: dict[str, Cell | None] = {key: getattr(mapping, key) for key in FIELDS}
        if mapping.zone_column:
            cells["zone_column"] = Cell(column=mapping.zone_column, default=mapping.zone)
        self._bound = {
            key: bound
            for key, cell in cells.items()
            if (bound := bind(key, cell, columns, mapping)) is not None
        }
        self._skips = [
            (skip, bound)
            for index, skip in enumerate(mapping.skip)
            if (bound := bind(f"skip[{index}]", Cell(column=skip.column), columns, mapping))
        ]
        check_formats((*mapping.formats, *mapping.at.formats))

    def read(self, record: Record, tenant: str) -> Payment | Skipped | Fault:
        """The payment of a record, or why there is none; without card numbers in either."""
        try:
            for skip, bound in self._skips:
                if holds(skip, bound, record.cells, self._mapping) != skip.negate:
                    return Skipped(skip.reason)
            payment = self._payment(record.cells, tenant)
        except CellError as fault:
            reason = mask_text(fault.reason)[0]
            return Fault(self._file, record.line, fault.column, reason)
        wrong = problem(payment)
        if wrong is not None:
            column = self._label(_KEYS.get(wrong.field, wrong.field))
            return Fault(self._file, record.line, column, wrong.detail)
        return without_cards(payment)

    def _payment(self, cells: object, tenant: str) -> Payment:
        currency = self._required("currency", cells).upper()
        amount = self._amount("amount", cells, currency)
        if amount is None:
            raise CellError(self._label("amount"), "is missing")
        kind = self._kind(cells)
        if amount < 0 and self._mapping.sign != "keep":
            turned = self._mapping.sign == "refund" and kind == PaymentKind.CAPTURED
            kind, amount = PaymentKind.REFUNDED if turned else kind, -amount
        method = (self._text("method", cells) or "").casefold()
        at, clock = self._moment(cells)
        fields: dict[str, Any] = {
            "method": method if method in _METHODS else PaymentMethod.OTHER.value,
            "session_id": self._session(cells),
            "station_id": self._text("station", cells),
            "transaction_id": self._text("transaction", cells),
            "driver_key": self._text("driver", cells),
            "psp": self._text("psp", cells) or "",
            "psp_token": self._text("token", cells),
            "card_brand": self._text("brand", cells),
            "card_last4": self._last4(cells),
            "reference": self._text("reference", cells, 1000),
            "description": self._text("note", cells, 1000),
            "fee_amount": self._amount("fee", cells, currency),
            "settlement_id": self._text("settlement", cells),
        }
        return Payment(
            tenant=tenant,
            payment_id=self._required("payment", cells),
            kind=cast("Any", kind.value),
            timestamp=at,
            amount=amount,
            currency=currency,
            flags=clock,
            **{name: value for name, value in fields.items() if value is not None},
        )

    def _label(self, key: str) -> str:
        return self._bound[key].label if key in self._bound else key

    def _text(self, key: str, cells: object, limit: int = 255) -> str | None:
        bound = self._bound.get(key)
        return None if bound is None else bound.name(cells, limit)

    def _required(self, key: str, cells: object) -> str:
        text = self._text(key, cells)
        if text is None:
            raise CellError(self._label(key), "is missing")
        return text

    def _kind(self, cells: object) -> PaymentKind:
        text = self._required("kind", cells)
        try:
            return PaymentKind(text.casefold())
        except ValueError:
            reason = f"{text[:40]!r} is none of {_KINDS}: say what it means with values, or skip it"
            raise CellError(self._label("kind"), reason) from None

    def _session(self, cells: object) -> UUID | None:
        text = self._text("session", cells)
        try:
            return None if text is None else UUID(text)
        except ValueError:
            reason = f"{text!r} is no session id; other references belong into reference"
            raise CellError(self._label("session"), reason) from None

    def _last4(self, cells: object) -> str | None:
        """The last four digits of what is left of a card number, such as 411111******1111."""
        text = self._text("last4", cells)
        if text is None:
            return None
        if mask_text(text)[1]:
            raise CellError(self._label("last4"), "holds a whole card number: none may be sent")
        found = _LAST4.search(text)
        if found is None:
            raise CellError(self._label("last4"), "does not end in four digits of a card")
        return found[1]

    def _amount(self, key: str, cells: object, currency: str) -> Decimal | None:
        """Exact, in units of the currency."""
        bound = self._bound.get(key)
        if bound is None or not isinstance(bound.cell, AmountCell):
            return None
        parts = [replace(bound, minus=None), *([bound.minus] if bound.minus else [])]
        numbers = [part.number(cells, self._mapping) for part in parts]
        if all(number is None for number in numbers):
            return None
        number = (numbers[0] or Decimal(0)) - sum(n or Decimal(0) for n in numbers[1:])
        number *= bound.cell.factor
        if bound.cell.unit == "minor":
            exponent = minor_exponent(currency)
            if exponent is None:
                raise CellError(self._label("currency"), f"{currency[:40]!r} is no currency")
            if number % 1:
                raise CellError(bound.label, f"{number} is no whole number of minor units")
            number = number.scaleb(-exponent)
        return number

    def _moment(self, cells: object) -> tuple[str, tuple[str, ...]]:
        """When it happened, as text in UTC, and the flags of a clock change."""
        bound, cell = self._bound["at"], self._mapping.at
        moment = bound.moment(cells, cell.formats or self._mapping.formats)
        if moment is None:
            raise CellError(bound.label, "is missing")
        zone = parse_zone(cell.zone) if cell.zone else self._zone
        try:
            if not cell.zone and (text := self._text("zone_column", cells)):
                zone = parse_zone(text)
            epoch_ms, flags = to_utc(moment, zone)
            return iso_ms(epoch_ms), flags
        except (ValueError, OverflowError) as error:
            raise CellError(bound.label, str(error)) from error
