"""Card numbers are found however they are written, and little else is taken for one."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import wire
from schemas.card_fields import TEXTS, mask_event, mask_value
from schemas.cards import is_card_number, mask_bytes, mask_text

TEST_NUMBERS = (
    # published test numbers of the schemes and of payment providers
    "4111111111111111", "4242424242424242", "4012888888881881", "4222222222222",
    "5555555555554444", "5105105105105100", "2223003122003222", "2720992593319364",
    "378282246310005", "371449635398431", "6011111111111117", "6011000990139424",
    "30569309025904", "38520000023237", "36227206271667", "3530111333300000", "3566002020360505",
    "6200000000000005", "6205500000000000004", "6759649826438453", "5018000000000009",
)  # fmt: skip


@pytest.mark.parametrize("number", TEST_NUMBERS)
def test_test_numbers_of_every_scheme_are_starred_but_for_four_digits(number: str) -> None:
    assert mask_text(f"card {number}, thanks") == (
        f"card {'*' * (len(number) - 4)}{number[-4:]}, thanks", 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111", "4111/1111/1111/1111",
        "4111  1111  1111  1111", "4111 - 1111 - 1111 - 1111", "41111111 11111111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "4111\u00a01111\u20091111\u20111111",
        "4111\u200b1111\u00ad1111\u20601111", "4111\n1111\n1111\n1111", "3782 822463 10005",
        "4111\uff11\uff11\uff11\uff11 1111 1111", "\uff14\uff11\uff11\uff11-1111-1111-1111",
        "\u0664\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661",
        r"\u00341\u00311 1111\u00201111\n1111", r"\u00e54111111111111111", r"\t4111111111111111",
        r"\uff14111111111111111", "pan4111111111111111", "PAN:4111111111111111;CVV:123",
        ";4111111111111111=25121010000012300000?", "4111111111111111exp1225",
        "order 12 4111 1111 1111 1111 12/25", '{"a":4111111111111111}', "_4111111111111111_",
    ],
)  # fmt: skip
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    masked, count = mask_text(text)

    assert count == 1
    assert mask_text(masked) == (masked, 0)
    assert masked.count("*") in {11, 12}


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112", "1234567890123456", "41111111111111111", "0000000000000000",
        "1748779200000", "2026-03-01T12:00:00.000Z", "20260301120000123", "+46 70 123 45 67",
        "SE45 5000 0000 0583 9825 7466", "59.4111111111111111", '"soc":0.4111111111111111',
        "04A1B2C3D4E5F6", "3045022100af4111111111111111bc12",
        "12345678-4111-1111-1111-111111111111",
        "EVDisconnected", "", "4111", "41111111", "30-12-2025 31-12-2025",
    ],
)  # fmt: skip
def test_other_numbers_stay(text: str) -> None:
    assert mask_text(text) == (text, 0)


def test_two_numbers_are_two_and_neighbours_stay() -> None:
    text = "from 4111111111111111 to 5555-5555-5555-4444 ref 77"

    assert mask_text(text) == ("from ************1111 to ****-****-****-4444 ref 77", 2)


@given(st.uuids())
def test_no_uuid_is_a_card_number(one: uuid.UUID) -> None:
    assert mask_text(str(one)) == (str(one), 0)
    assert mask_text(f"session {one} of 2") == (f"session {one} of 2", 0)


@given(st.binary(max_size=60), st.sampled_from(TEST_NUMBERS), st.binary(max_size=60))
@example(b"\xff\xfe", "4111111111111111", b"\xc3(")
def test_a_number_in_any_bytes_is_starred_and_no_other_byte_changes(
    before: bytes, number: str, after: bytes
) -> None:
    raw = before + b"\x00 |" + number.encode() + b"| \x00" + after
    masked, count = mask_bytes(raw)

    assert count
    assert number.encode() not in masked
    assert len(masked) == len(raw)
    changed = [(old, new) for old, new in zip(raw, masked, strict=True) if old != new]
    assert all(chr(old).isdigit() and new == ord("*") for old, new in changed)


@given(st.text(alphabet=" -./0123456789*ab\\u", max_size=80))
def test_what_is_left_holds_no_number_any_more(text: str) -> None:
    masked, _ = mask_text(text)

    assert mask_text(masked)[1] == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_wide_encodings_hide_nothing(encoding: str) -> None:
    masked, count = mask_bytes("4111111111111111".encode(encoding))

    assert count == 1
    assert masked.decode(encoding) == "************1111"


@given(st.text("0123456789", min_size=13, max_size=19))
def test_the_check_digit_is_that_of_luhn(digits: str) -> None:
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    valid = sum(d // 10 + d % 10 for d in doubled) % 10 == 0

    assert valid or not is_card_number(digits)
    if digits.startswith("4") and len(digits) in {13, 16, 19}:
        assert is_card_number(digits) == valid


def test_every_text_of_every_event_is_looked_at() -> None:
    for kind, names in TEXTS.items():
        fields = dict.fromkeys(names, "4111111111111111")
        more = {"session_id": "x", "silence_s": 1} if kind is wire.SessionExpired else {}
        if kind is wire.MeterSampled:
            more = {"other": {"Note 4111111111111111": "4111 1111 1111 1111"}}
        event = kind(
            tenant="t", station_id="6011111111111117", protocol="import", timestamp="x",
            **fields | more,
        )  # fmt: skip
        assert mask_event(event)
        assert event.flags == ("card_masked",)
        text = wire.encode(event).decode().replace("6011111111111117", "")
        assert mask_text(text)[1] == 0, kind
        assert not mask_event(event)


def test_a_value_keeps_the_names_of_operator_and_station() -> None:
    event = {
        "tenant": "4111111111111111", "station_id": "6011111111111117", "info": "4111111111111111",
    }  # fmt: skip
    raw = json.dumps(event).encode()

    masked, count = mask_value(raw)

    assert count == 1
    assert json.loads(masked) == event | {"info": "************1111"}
    assert mask_value(b'{"a":1}') == (b'{"a":1}', 0)


def test_a_long_number_that_a_program_drew_stays_a_transaction_id() -> None:
    # 19 digits beginning with 62 and a valid check digit: UnionPay's form, and a drawn number's
    drawn = "6200000000000000000"
    assert is_card_number(drawn)
    event = wire.SessionEnded(
        tenant="t", station_id="s", protocol="ocpp2.0.1", timestamp="x", transaction_id=drawn,
        reason=drawn,
    )  # fmt: skip

    assert mask_event(event)
    assert (event.transaction_id, event.reason) == (drawn, "***************0000")


@pytest.mark.parametrize("number", ["4111111111111111", "378282246310005", "30569309025904"])
def test_a_card_number_is_no_transaction_id_nor_reservation(number: str) -> None:
    event = wire.SessionStarted(
        tenant="t", station_id="s", protocol="ocpp1.6", timestamp="x", transaction_id=number,
        reservation_id=int(number), flags=("seen", number),
    )  # fmt: skip

    assert mask_event(event)
    assert number not in wire.encode(event).decode()
    assert event.reservation_id is None
    assert event.flags[0] == "seen"
