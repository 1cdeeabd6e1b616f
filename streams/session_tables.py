"""All tables of derived sessions, in the order in which they are written."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from streams.adjustment_rows import adjustments_table
from streams.catalogue import Catalogue
from streams.charge_rows import charges_table
from streams.charge_words import ChargeWords
from streams.session_rows import Derived, sessions_table
from streams.slice_rows import slices_table


def session_tables(
    derived: Sequence[Derived], say: ChargeWords, catalogue: Catalogue
) -> list[tuple[str, pa.Table]]:
    """Table name and rows; the row of a session comes last, after all that belongs to it: where
    it is missing after a crash, everything is written again.
    """
    found = (
        ("session_slices", slices_table(derived)),
        ("session_charges", charges_table(derived, say)),
        ("adjustments", adjustments_table(derived, catalogue)),
        ("sessions", sessions_table(derived)),
    )
    return [(name, rows) for name, rows in found if rows is not None and rows.num_rows]
