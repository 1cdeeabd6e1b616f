"""Simulated payments against the ledger they pay."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import msgspec

from producers.simulator import Simulation, SimulationSpec
from producers.simulator.payments import money_in, payments
from producers.simulator.people import company_of, plan_of
from schemas.payments import PaymentRecorded


def test_a_ledger_is_paid_by_those_who_owe_it_alone_and_the_sums_say_so() -> None:
    simulation = Simulation(SimulationSpec(stations=60, days=2, seed=5))
    list(simulation.records())
    sessions = {s.session_id: s for s in simulation.ledger.sessions}

    values = [record.value for record in payments(sessions.values(), "default")]
    found = [PaymentRecorded.model_validate_json(value) for value in dict.fromkeys(values)]

    assert len(values) > len(set(values))
    assert Counter(p.kind for p in found).keys() == {"authorised", "captured", "failed", "refunded"}
    captured: dict[str, Decimal] = {}
    for payment in found:
        session = sessions[str(payment.session_id)]
        owed = Decimal(session.excl_micro + session.vat_micro) / 1_000_000
        assert abs(payment.amount - owed) <= Decimal("0.005")
        assert not company_of(session.driver)
        assert plan_of(session.driver) != "commuter"
        if payment.kind == "captured":
            captured[payment.currency] = captured.get(payment.currency, Decimal(0)) + payment.amount
    assert {c: sums["captured"] for c, sums in money_in(sessions.values()).items()} == captured
    assert msgspec.json.decode(values[0])["tenant"] == "default"
