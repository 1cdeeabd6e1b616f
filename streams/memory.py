"""When Python looks for cyclic garbage: rarely, and never at what a worker keeps.

A worker holds millions of small tuples in sets and makes no cycles while it works; looking
at them again and again costs a tenth of its CPU (docs/performance.md). What survives a
batch is therefore taken out of collection; what reference counts cannot free is found when
partitions are lost, and once in a while.
"""

from __future__ import annotations

import gc

_BATCHES_BETWEEN = 3_600


class Memory:
    """Counts batches; one a process."""

    def __init__(self) -> None:
        self._batches = 0

    def start(self) -> None:
        """Leave what start-up made out of every collection, and collect between batches only."""
        gc.collect()
        gc.freeze()
        gc.disable()

    def landed(self) -> None:
        """A batch is through: what is alive now stays alive for long."""
        self._batches += 1
        if self._batches % _BATCHES_BETWEEN == 0:
            self.forgot()
        gc.collect(0)  # what one batch made: cycles of connections and errors, if any
        gc.freeze()

    def forgot(self) -> None:
        """State was dropped: stations, sessions and connectors point at each other."""
        gc.unfreeze()
        gc.collect()
