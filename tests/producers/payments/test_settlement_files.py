"""Settlement files by mapping: amounts, signs, kinds, zones; every row is accounted for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from producers.payments.importer import PaymentImport, read_payment_files
from producers.payments.mapping import SHIPPED, load_payment_mapping
from schemas.errors import MappingError

MAPPING = """
name = "Till"
zone = "Europe/Stockholm"
formats = ["%Y-%m-%d %H:%M"]
payment = "id"
at = "time"
amount = { column = "amount", unit = "minor" }
currency = "cur"
kind = { column = "state", values = { OK = "captured", NO = "failed" } }
"""
HEAD = "id,time,amount,cur,state\n"
ADYEN = (
    "Company Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,"
    "Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Commission (NC),"
    "Batch Number\n"
)


def read(
    folder: Path, text: str, more: str = "", name: str = "", mapping: str = MAPPING
) -> PaymentImport:
    file, described = folder / "rows.csv", folder / "map.toml"
    file.write_text(text, encoding="utf-8")
    described.write_text(mapping + more, encoding="utf-8")
    return read_payment_files([file], load_payment_mapping(name or str(described)), "t")


def told(found: PaymentImport) -> list[tuple[str, str, str, Decimal, str]]:
    return [
        (p.payment_id, p.kind, p.timestamp, p.amount, p.currency)
        for p, _ in found.payments.values()
    ]


def test_minor_units_follow_the_currency_and_times_the_zone(tmp_path: Path) -> None:
    # ISO 4217: two decimals for SEK, none for JPY, three for KWD. Stockholm: +2 and +1 h
    found = read(tmp_path, HEAD + (
        "a,2026-06-01 12:00,14875,sek,OK\nb,2026-03-01 12:00,150,JPY,OK\n"
        "c,2026-06-01 12:00,1234,KWD,NO\n"
    ))  # fmt: skip

    assert found.faults == []
    assert told(found) == [
        ("a", "captured", "2026-06-01T10:00:00.000Z", Decimal("148.75"), "SEK"),
        ("b", "captured", "2026-03-01T11:00:00.000Z", Decimal(150), "JPY"),
        ("c", "failed", "2026-06-01T10:00:00.000Z", Decimal("1.234"), "KWD"),
    ]


def test_a_clock_change_is_flagged(tmp_path: Path) -> None:
    # Stockholm: 02:30 does not exist on 29 March 2026 and comes twice on 25 October
    found = read(tmp_path, HEAD + (
        "a,2026-03-29 02:30,100,SEK,OK\nb,2026-10-25 02:30,100,SEK,OK\n"
        "c,2026-10-25 03:30,100,SEK,OK\n"
    ))  # fmt: skip

    assert [(p.timestamp[11:16], p.flags) for p, _ in found.payments.values()] == [
        ("01:30", ("spring_gap",)), ("00:30", ("repeated_hour",)), ("02:30", ()),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sign", "kinds"),
    [("keep", []), ("drop", ["captured"]), ("refund", ["refunded"])],
)
def test_a_minus_means_what_the_mapping_says(tmp_path: Path, sign: str, kinds: list[str]) -> None:
    mapping = f'sign = "{sign}"\n' + MAPPING
    found = read(tmp_path, HEAD + "a,2026-06-01 12:00,-500,SEK,OK\n", mapping=mapping)

    assert [(row[1], row[3]) for row in told(found)] == [(kind, Decimal(5)) for kind in kinds]
    assert len(found.faults) == 1 - len(kinds)


def test_every_bad_row_is_listed_with_column_and_reason(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + (
        "a,yesterday,5,SEK,OK\n,2026-06-01 12:00,5,SEK,OK\nb,2026-06-01 12:00,0,SEK,OK\n"
        "c,2026-06-01 12:00,1.5,SEK,OK\nd,2026-06-01 12:00,5,XYZ,OK\n"
        "e,2026-06-01 12:00,5,SEK,Maybe\nf,2026-06-01 12:00,,SEK,OK\n"
        "4111 1111 1111 1111,2026-06-01 12:00,5,SEK,OK\ng,2026-06-01 12:00,5,SEK,OK\n"
        "g,2026-06-01 12:00,5,SEK,OK\n"
    ))  # fmt: skip

    assert [(fault.line, fault.column) for fault in found.faults] == [
        (2, "time"), (3, "id"), (4, "amount"), (5, "amount"), (6, "cur"), (7, "state"),
        (8, "amount"), (9, "id"),
    ]  # fmt: skip
    assert "card number" in found.faults[-1].reason
    assert "4111" not in found.faults[-1].reason
    assert (len(found.payments), found.repeated, found.rows) == (1, 1, 10)


def test_texts_are_starred_and_what_is_left_of_a_card_is_read(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "id,time,amount,cur,state,card,note\n"
        "a,2026-06-01 12:00,5,SEK,OK,411111******1111,card 4111111111111111\n"
        "b,2026-06-01 12:00,5,SEK,OK,4111111111111111,\n"
        "c,2026-06-01 12:00,5,SEK,OK,12,\n",
        'last4 = "card"\nnote = "note"\n',
    )  # fmt: skip

    ((payment, _),) = found.payments.values()
    assert (payment.card_last4, payment.description) == ("1111", "card ************1111")
    assert (payment.flags, found.masked) == (("card_masked",), 1)
    assert [fault.line for fault in found.faults] == [3, 4]


def test_a_booking_with_debit_and_credit_apart(tmp_path: Path) -> None:
    session = "5b2f6a0e-7a51-5c1e-9d5e-0d8f5e6c7a10"
    found = read(tmp_path, ADYEN + (
        f"A,881,{session},mc,2026-06-01 12:00:00,CEST,Settled,,EUR,,25.50,0.40,7\n"
        f"A,881,{session},mc,2026-06-05 12:00:00,CEST,Refunded,882,EUR,5.50,,,7\n"
        "A,,,,2026-06-05 12:00:00,CEST,MerchantPayout,,EUR,20.00,,,7\n"
    ), name="psp_settlement")  # fmt: skip

    assert told(found) == [
        ("881", "captured", "2026-06-01T10:00:00.000Z", Decimal("25.50"), "EUR"),
        ("881", "refunded", "2026-06-05T10:00:00.000Z", Decimal("5.50"), "EUR"),
    ]
    payment = next(iter(found.payments.values()))[0]
    assert (payment.method, payment.reference, payment.settlement_id, payment.psp) == (
        "card", session, "7", "adyen",
    )  # fmt: skip
    assert found.skipped.total() == 1


def test_a_zone_nobody_says_and_misspelt_keys_are_answered(tmp_path: Path) -> None:
    without = MAPPING.replace('zone = "Europe/Stockholm"\n', "")
    with pytest.raises(MappingError, match="at has no time zone"):
        read(tmp_path, HEAD, mapping=without)
    with pytest.raises(MappingError, match="curency is no key of a mapping: did you mean"):
        read(tmp_path, HEAD, 'curency = "cur"\n')
    with pytest.raises(MappingError, match=r"amount.units is no key of a mapping"):
        read(tmp_path, HEAD, mapping=MAPPING.replace("unit =", "units ="))
    with pytest.raises(MappingError, match="the file has no column 'amount'"):
        read(tmp_path, "id,time,sum,cur,state\n")


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_shipped_mappings_load_and_name_their_provider(name: str) -> None:
    mapping = load_payment_mapping(name)

    assert mapping.psp is not None
    assert mapping.psp.value
