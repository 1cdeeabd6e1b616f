"""The ledger: what was sent, which faults happened, and what a correct product must report."""

from __future__ import annotations

from collections import Counter

import msgspec

from producers.simulator.faults import FAULTS, Fault, Rates
from producers.simulator.truth import SessionTruth


class FaultCount(msgspec.Struct, frozen=True):
    """How often a fault was asked for, and how often it happened (in its own unit)."""

    rate: float
    count: int


class Records(msgspec.Struct, frozen=True):
    """Kafka records: `sent` = `distinct` + `duplicates` + `corrupt`."""

    sent: int
    distinct: int
    duplicates: int
    corrupt: int


class Revenue(msgspec.Struct, frozen=True):
    """What the counted sessions under one tariff cost, micro-units."""

    currency: str
    sessions: int
    excl_micro: int
    vat_micro: int


class Totals(msgspec.Struct, frozen=True):
    """The standard totals, and what stands beside them by reason."""

    sessions: int
    energy_mwh: int
    set_aside: dict[str, int]
    revenue: dict[str, Revenue]


class LedgerReport(msgspec.Struct, frozen=True):
    """The whole ledger as it is written to a file."""

    seed: int
    tenant: str
    stations: int
    records: Records
    faults: dict[str, FaultCount]
    dead_letters: dict[str, int]
    totals: Totals
    sessions: list[SessionTruth]


class Ledger:
    """Fills while records are drawn; it is complete when they have all been."""

    def __init__(self, *, seed: int, tenant: str, stations: int, rates: Rates) -> None:
        self._header = {"seed": seed, "tenant": tenant, "stations": stations}
        self._rates = rates
        self.faults: Counter[Fault] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.sessions: list[SessionTruth] = []
        self.distinct = 0
        self.duplicates = 0

    def report(self) -> LedgerReport:
        """The ledger of everything drawn so far."""
        corrupt = self.dead_letters.total()
        sent = self.distinct + self.duplicates + corrupt
        return LedgerReport(
            **self._header,  # type: ignore[arg-type]  # names are the fields
            records=Records(sent, self.distinct, self.duplicates, corrupt),
            faults={
                fault: FaultCount(self._rates.get(fault, 0.0), self.faults[fault])
                for fault in FAULTS
            },
            dead_letters=dict(sorted(self.dead_letters.items())),
            totals=totals(self.sessions),
            sessions=self.sessions,
        )


def totals(sessions: list[SessionTruth]) -> Totals:
    """Sums over the sessions of a ledger."""
    counted = [session for session in sessions if session.counted]
    revenue: dict[str, Revenue] = {}
    for session in counted:
        before = revenue.get(session.tariff_id, Revenue(session.currency, 0, 0, 0))
        revenue[session.tariff_id] = Revenue(
            session.currency,
            before.sessions + 1,
            before.excl_micro + session.excl_micro,
            before.vat_micro + session.vat_micro,
        )
    return Totals(
        sessions=len(counted),
        energy_mwh=sum(session.energy_mwh for session in counted),
        set_aside=dict(Counter(session.reason for session in sessions if not session.counted)),
        revenue=dict(sorted(revenue.items())),
    )
