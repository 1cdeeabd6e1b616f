"""Settlement files and a mapping in, payments and everything worth saying about the rows out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from producers.payments.mapping import PaymentMapping
from producers.payments.reader import PaymentRowReader
from producers.rows.importer import Place, Progress, columns_of
from producers.rows.sessions import Skipped
from producers.rows.tables import Fault, read_table
from schemas.cards import CARD_MASKED
from schemas.payments import Payment, payment_bytes

_STRIDE = 500


@dataclass(slots=True)
class PaymentImport:
    """What a set of files holds: every row is in one of `payments`, `repeated`, `skipped` and
    `faults`. A payment is kept by the bytes it is sent as.
    """

    payments: dict[bytes, tuple[Payment, Place]] = field(default_factory=dict)
    repeated: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows read, in all."""
        return len(self.payments) + self.repeated + self.skipped.total() + len(self.faults)

    @property
    def masked(self) -> int:
        """Payments in whose free texts a card number was starred."""
        return sum(CARD_MASKED in payment.flags for payment, _ in self.payments.values())

    def add(self, outcome: Payment | Skipped | Fault, place: Place) -> None:
        """Take in what became of one row."""
        match outcome:
            case Skipped():
                self.skipped[outcome.reason] += 1
            case Fault():
                self.faults.append(outcome)
            case _:
                value = payment_bytes(outcome)
                self.repeated += value in self.payments
                self.payments.setdefault(value, (outcome, place))


def read_payment_files(
    paths: Iterable[Path], mapping: PaymentMapping, tenant: str, progress: Progress | None = None
) -> PaymentImport:
    """Read every row of every file. Raises UserError and MappingError, see `read_table`."""
    result = PaymentImport()
    for path in paths:
        table = read_table(path, mapping.source)
        result.faults += table.faults
        reader = PaymentRowReader(mapping, columns_of(table, mapping), path.name)
        for index, record in enumerate(table.records, 1):
            result.add(reader.read(record, tenant), Place(path.name, record.line))
            if progress is not None and index % _STRIDE == 0:
                progress(_STRIDE)
    result.faults.sort(key=lambda fault: (fault.file, fault.line))
    return result
