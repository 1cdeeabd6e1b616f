"""The two forms of a payment say the same, and neither lets nonsense or card numbers pass."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from pydantic import ValidationError

from schemas import generate
from schemas.errors import Reason
from schemas.payments import (
    Payment,
    PaymentRecorded,
    key_of,
    payment_bytes,
    problem,
    without_cards,
)

EXAMPLES = sorted((Path(generate.__file__).parent / "payment_examples").glob("*.json"))
GOOD: dict[str, Any] = {
    "type": "payment_recorded", "tenant": "t", "payment_id": "p", "kind": "captured",
    "timestamp": "2026-03-01T12:00:00Z", "amount": "10.25", "currency": "SEK",
}  # fmt: skip
DECODE = msgspec.json.Decoder(Payment).decode


def wired(**changes: Any) -> Payment:
    return DECODE(json.dumps(GOOD | changes).encode())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_payments_in_every_form(path: Path) -> None:
    raw = path.read_bytes()
    jsonschema.validate(json.loads(raw), generate.json_schemas()["payment.json"])
    contract, fast = PaymentRecorded.model_validate_json(raw), DECODE(raw)

    assert problem(fast) is None
    assert (contract.amount, contract.session_id) == (fast.amount, fast.session_id)
    assert DECODE(payment_bytes(fast)) == fast
    names = set(PaymentRecorded.model_fields) - {"type"}
    assert names == set(Payment.__struct_fields__)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 0}, {"amount": "-1"}, {"amount": "NaN"}, {"amount": "Infinity"},
        {"amount": "1e12"}, {"amount": "0.0000001"}, {"amount": "ten"}, {"amount": None},
        {"currency": "XTS"}, {"currency": "sek"}, {"currency": ""}, {"kind": "paid"},
        {"method": "barter"}, {"session_id": "7"}, {"card_last4": "11111"}, {"card_last4": "111"},
        {"tenant": ""}, {"payment_id": "a\nb"}, {"payment_id": "x" * 256}, {"psp": 7},
        {"fee_amount": "1e20"}, {"description": "x" * 1001},
    ],
    ids=str,
)  # fmt: skip
def test_what_the_contract_refuses_the_wire_form_refuses_too(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PaymentRecorded.model_validate_json(json.dumps(GOOD | changes))
    try:
        found = problem(wired(**changes))
    except msgspec.ValidationError:
        return
    assert found is not None
    assert found.field in changes


def test_amounts_are_exact() -> None:
    raw = json.dumps(GOOD).replace('"10.25"', "12345678901.234567")

    assert DECODE(raw.encode()).amount == Decimal("12345678901.234567")
    assert problem(DECODE(raw.encode())) is None
    assert json.loads(payment_bytes(DECODE(raw.encode())))["amount"] == "12345678901.234567"


@pytest.mark.parametrize(
    "field", ["tenant", "payment_id", "station_id", "transaction_id", "driver_key", "psp",
              "psp_token", "card_brand", "settlement_id"],
)  # fmt: skip
def test_a_card_number_where_none_may_be_is_refused_and_not_repeated(field: str) -> None:
    found = problem(wired(**{field: "4111 1111 1111 1111"}))

    assert found is not None
    assert (found.reason, found.field) == (Reason.CARD_NUMBER, field)
    assert "**** 1111" in found.detail
    assert "4111" not in found.detail


def test_a_card_number_in_a_free_text_is_starred_and_flagged() -> None:
    payment = wired(reference="4111111111111111", description="of 5555555555554444")
    clean = without_cards(payment)

    assert (clean.reference, clean.description) == ("************1111", "of ************4444")
    assert clean.flags == ("card_masked",)
    assert without_cards(clean) is clean


def test_flags_hide_no_card_number() -> None:
    clean = without_cards(wired(flags=["seen", "4111111111111111"]))

    assert clean.flags == ("seen", "************1111", "card_masked")


@pytest.mark.parametrize("drawn", ["6200000000000000000", "62000000000000000", "4222222222222"])
def test_a_transaction_is_named_as_events_name_it(drawn: str) -> None:
    assert problem(wired(station_id="S", transaction_id=drawn)) is None


def test_the_key_is_the_session_else_the_payment() -> None:
    session = "5b2f6a0e-7a51-5c1e-9d5e-0d8f5e6c7a10"

    assert key_of(wired(session_id=session.upper())) == session.encode()
    assert key_of(wired()) == b"p"
