"""What `laddstream session` prints: the money of a session, readable at 80 columns."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

from rich.console import Console

from laddstream.cli.session_view import Whole, show

TERMS = ["tariff day: station S1's own", "company acme pays: weekdays 06:00-18:00"]
SETTLED = "Company acme pays 80 %; the driver pays the rest"


def owed(payer: str, payer_id: str, amount: str) -> dict[str, Any]:
    return {
        "payer": payer, "payer_id": payer_id, "owed_excl_vat": Decimal(amount),
        "owed_incl_vat": Decimal(amount), "currency": "SEK", "plan_id": "",
        "because": "; ".join([*TERMS, SETTLED]),
    }  # fmt: skip


def entry(kind: str, payer: str, payer_id: str, amount: str) -> dict[str, Any]:
    return {
        "at": "2026-03-04T11:00:00.000Z", "kind": kind, "payer": payer, "payer_id": payer_id,
        "amount_excl_vat": Decimal(amount), "amount_incl_vat": Decimal(amount), "currency": "SEK",
    }  # fmt: skip


def test_the_money_of_a_session_fits_80_columns_and_says_each_reason_once() -> None:
    line: dict[str, Any] = {
        "line": 0, "dimension": "ENERGY", "quantity_billed": Decimal(20), "unit": "kWh",
        "unit_price": Decimal(4), "vat_percent": Decimal(25), "amount_excl_vat": Decimal(80),
        "currency": "SEK", "because": "20 kWh, at 4.00 SEK per kWh plus 25 % VAT; " + "x " * 40,
    }  # fmt: skip
    whole = Whole(
        session={"session_id": "s", "quarantine_reason": "", "contract_because": TERMS},
        charges=[line],
        adjustments=[],
        owed=[owed("company", "acme", "64"), owed("driver", "driver-1", "16.125")],
        ledger=[entry("session", "company", "acme", "80"),
                entry("included_session", "driver", "driver-1", "-16.5")],
        payments=[], invoiced=[], slices=[], curve=[], events=[],
    )  # fmt: skip
    out = io.StringIO()
    show(whole, Console(file=out, width=80))

    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 80
    assert [text.count(sentence) for sentence in (*TERMS, SETTLED)] == [1, 1, 1]
    for shown in ("4.00", "80.00", "64.00", "16.125", "-16.50", "included_session", "company acme"):
        assert shown in text
    hanging = next(line for line in lines if line.lstrip().startswith("x x"))
    assert hanging.startswith("     x")
