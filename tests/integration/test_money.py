"""Money on a running stack: priced when the tariff comes, corrected when anything changes."""

from __future__ import annotations

import json
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from laddstream.migrate import address_of
from reports.query import connect_client
from streams.worker import CATALOGUE_MS, STATUS_MS
from tests.integration.stack_help import Pipeline

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

TENANT = "money"
STATION = {
    "station_id": "M1", "tenant": TENANT, "area": "Harbour", "time_zone": "Europe/Stockholm",
    "tariff_id": "money-day",
}  # fmt: skip


def tariff(price: str, tariff_id: str = "money-day") -> dict[str, Any]:
    """Energy alone, 25 % VAT."""
    component = {"type": "ENERGY", "price": Decimal(price), "vat": 25, "step_size": 1}
    return {
        "id": tariff_id, "tenant": TENANT, "currency": "SEK",
        "elements": [{"price_components": [component]}],
    }  # fmt: skip


class Desk:
    """What an operator does, as commands."""

    def __init__(self, stack: Pipeline, folder: Path) -> None:
        self.stack = stack
        self._folder = folder
        self._count = 0

    def _file(self, text: str, suffix: str) -> Path:
        self._count += 1
        path = self._folder / f"{self._count}.{suffix}"
        path.write_text(text, "utf-8")
        return path

    def load(self, **contents: Any) -> None:
        """A catalogue file."""
        self.stack.run("catalog", "load", self._file(json.dumps(contents, default=float), "json"))

    def load_and_wait(self, **contents: Any) -> None:
        """The same, until the worker must have seen it: it looks at least every seven seconds."""
        self.load(**contents)
        time.sleep((CATALOGUE_MS + STATUS_MS) / 1000 + 1)

    def send(self, *events: dict[str, Any]) -> None:
        """Events of station M1, processed."""
        base = {"tenant": TENANT, "station_id": "M1", "protocol": "ocpp2.1", "evse_id": 1}
        lines = "\n".join(json.dumps(base | event) for event in events)
        self.stack.run("import", self._file(lines + "\n", "jsonl"), "--format", "events")
        self.stack.settle()

    def session(self, transaction: str) -> dict[str, Any]:
        """All of one session, as `laddstream session --json` tells it."""
        ((found,),) = self.stack.rows(
            "SELECT session_id FROM mart.sessions WHERE tenant = {t:String}"
            " AND transaction_id = {x:String}",
            t=TENANT, x=transaction,
        )  # fmt: skip
        told: dict[str, Any] = json.loads(
            self.stack.run("session", found, "--json"), parse_float=Decimal
        )
        return told

    def until_priced(self, transaction: str) -> dict[str, Any]:
        """The session, as soon as it has a price."""
        until = time.monotonic() + 30
        while (found := self.session(transaction))["session"]["amount_excl_vat"] is None:
            assert time.monotonic() < until, found["session"]
            time.sleep(0.5)
        return found


def charged(transaction: str, hour: int, wh: int) -> list[dict[str, Any]]:
    """A session of 40 minutes on 2 March 2026, with a reading at its end."""
    day = f"2026-03-02T{hour:02d}"
    base = {"transaction_id": transaction}
    return [
        base | {"type": "session_started", "timestamp": f"{day}:00:00Z", "id_token": "driver-1",
                "seq_no": 0},
        base | {"type": "meter_sampled", "timestamp": f"{day}:00:00Z", "import_wh": 0,
                "context": "Transaction.Begin", "seq_no": 0},
        base | {"type": "meter_sampled", "timestamp": f"{day}:40:00Z", "import_wh": wh,
                "context": "Transaction.End", "seq_no": 2},
        base | {"type": "session_ended", "timestamp": f"{day}:40:00Z", "seq_no": 2},
    ]  # fmt: skip


def amounts(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Columns of rows."""
    return [tuple(row[name] for name in names) for row in rows]


def test_a_session_is_priced_corrected_and_repriced_and_every_step_adds_up(
    workaday: Pipeline, tmp_path: Path
) -> None:
    desk = Desk(workaday, tmp_path)
    desk.load_and_wait(stations=[STATION])
    desk.send(*charged("a", 8, 12_000), *charged("b", 10, 8_000))

    waiting = desk.session("a")["session"]
    assert (waiting["unpriced_reason"], waiting["tariff_id"]) == ("tariff_missing", "money-day")

    desk.load(tariffs=[tariff("2.00")])
    first = desk.until_priced("a")
    assert first["session"]["rounded_incl_vat"] == 30
    assert first["session"]["contract_because"] == ["tariff money-day: station M1's own"]
    assert first["charges"][0]["because"].startswith("12 kWh, at 2.00 SEK per kWh plus 25 % VAT;")

    late = charged("a", 8, 0)[2] | {"timestamp": "2026-03-02T08:30:00Z", "import_wh": 13_500}
    desk.send(late | {"seq_no": 3, "context": "Sample.Periodic"})
    desk.send({"type": "session_ended", "transaction_id": "a", "seq_no": 4,
               "timestamp": "2026-03-02T08:50:00Z", "meter_stop_wh": 14_000})  # fmt: skip
    second = desk.session("a")
    assert second["session"]["version"] > first["session"]["version"]
    assert second["session"]["amount_excl_vat"] == 28
    assert sum(row["amount_excl_vat"] for row in second["slices"]) == 28

    desk.load(tariffs=[tariff("3.00")])
    asked = ("rebuild", "--tariff", "money-day")
    shown = workaday.ask_json(*asked, "--dry-run")
    assert desk.session("a") == second
    done = workaday.ask_json(*asked)
    assert shown["sessions"] == done["sessions"]
    assert (done["changed"], done["adjustments"]) == (2, 2)
    (total,) = done["totals"]
    assert (total["excl_before"], total["excl_after"]) == ("44.000000", "66.000000")
    assert workaday.ask_json(*asked)["looked_at"] == 0

    third = desk.session("a")
    assert third["session"]["amount_excl_vat"] == 42
    steps = third["adjustments"]
    assert amounts(steps, "reason")[-1] == ("catalogue",)
    assert "late_event" in {row["reason"] for row in steps}
    assert sum(r["after_excl_vat"] - r["before_excl_vat"] for r in steps) == 42
    assert sum(r["amount_excl_vat"] for r in third["charges"]) == 42
    assert sum(r["amount_excl_vat"] for r in third["slices"]) == 42
    assert {row["provisional"] for row in third["slices"]} == {0}


def test_what_was_invoiced_stays_when_a_tariff_changes_for_the_past(
    workaday: Pipeline, tmp_path: Path
) -> None:
    desk = Desk(workaday, tmp_path)
    desk.load(
        stations=[STATION | {"tariff_id": "money-night"}], tariffs=[tariff("1.00", "money-night")]
    )
    time.sleep(6)  # a worker looks for a new catalogue every five seconds
    desk.send(*charged("c", 20, 10_000))
    session = desk.until_priced("c")["session"]
    row = f"('{TENANT}', '{session['session_id']}', 'I-1', 'SEK', 10, 12.5)"
    settings = workaday.settings
    with closing(connect_client(address_of(settings), settings.clickhouse.database)) as client:
        client.command(
            "INSERT INTO invoiced_sessions (tenant, session_id, invoice_id, currency,"
            f" amount_excl_vat, amount_incl_vat) VALUES {row}"
        )

    desk.load(tariffs=[tariff("1.50", "money-night")])
    workaday.run("rebuild", "--tariff", "money-night", "--station", "M1")

    found = desk.session("c")
    assert found["session"]["amount_incl_vat"] == Decimal("18.75")
    columns = ("invoiced_incl_vat", "price_incl_vat", "open_incl_vat")
    assert amounts(found["invoiced"], *columns) == [
        (Decimal("12.5"), Decimal("18.75"), Decimal("6.25"))
    ]
    (change,) = found["adjustments"]
    assert change["difference_incl_vat"] == Decimal("6.25")
