"""The patterns that are worth a try: what values looked like lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from streams.chunk import Chunk
from streams.core.columns import Ints
from streams.hot_columns import HotColumns
from streams.hot_heads import Head, HotHeads, heads_from
from streams.hot_matched import plain, sample_columns
from streams.patterns import Pattern, pattern_of
from streams.spans import Joined

_MOST: Final = 16
_WORTH: Final = 64
"""So many values without a pattern are worth one that takes another's place."""

_TRIAL: Final = 1 << 12
"""Uses that a new pattern is credited with, halved with every chunk: until they are used up it may
stay without any."""

_FUTILE: Final = 4
"""To compare a value in vain costs a third of what a match saves; of several forms the later ones
are compared less often."""

_REST: Final = 100
"""Chunks of which nothing is learnt after a pattern was futile: the next ones would be too."""


@dataclass(slots=True)
class _Known:
    pattern: Pattern
    head: Head | None
    """None: of samples."""
    uses: int = _TRIAL
    tries: int = _TRIAL
    """How many values were compared lately, and how many of them matched."""

    @property
    def is_worth_it(self) -> bool:
        return self.uses > 0 and self.tries <= _FUTILE * self.uses


@dataclass(slots=True)
class Found:
    """What a chunk's values matched, and the places of those that matched nothing."""

    left: Sequence[int]
    samples: list[HotColumns] = field(default_factory=list)
    heads: list[HotHeads] = field(default_factory=list)


class Patterns:
    """A few patterns, the busiest first."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._known: list[_Known] = []
        self._rest = 0
        self._tenants = False
        """There is more than one."""

    def match(self, chunk: Chunk) -> Found:
        """Everything that looks like values before, plain and proven."""
        self._rest = max(0, self._rest - 1)
        values = chunk.values
        if not self._known or len(values) < self._least:
            return Found(range(len(values)))
        joined = Joined(values)
        rows = np.arange(len(values))
        out = Found(())
        for known in self._known:
            known.uses, known.tries = known.uses // 2, known.tries // 2
            begun = known.pattern.begun(joined, rows)
            if len(begun) < self._least:
                continue
            known.tries += len(begun)
            matched = known.pattern.match(joined, begun)
            found = None if matched is None else plain(matched)
            if found is None:
                continue
            known.uses += len(found.rows)
            if known.head is None:
                out.samples.append(sample_columns(known.pattern.constants, found))
            else:
                out.heads.append(heads_from(known.head, known.pattern, found, chunk.tp.topic))
            rows = _without(rows, found.rows, len(values))
            if not len(rows):
                break
        self._sort_out()
        out.left = rows.tolist()
        return out

    def _sort_out(self) -> None:
        """The busiest first; those that are not worth their comparisons go."""
        if any(known.uses and not known.is_worth_it for known in self._known):
            self._rest = _REST
        worth = filter(lambda known: known.is_worth_it, self._known)
        self._known = sorted(worth, key=lambda known: -known.uses)

    def wants(self, count: int) -> bool:
        """Whether to learn of so many values that matched nothing."""
        if self._rest:
            return False
        return count >= self._least and (len(self._known) < _MOST or count >= _WORTH)

    def learn(self, value: bytes, fields: Mapping[str, Any], head: Head | None = None) -> None:
        """Others may look like this value, a plain one that matched nothing."""
        tenants = {known.pattern.constants.get("tenant") for known in self._known}
        if tenants - {fields["tenant"], None}:
            self._tenants = True
            self._known = [k for k in self._known if "tenant" not in k.pattern.constants]
        pattern = pattern_of(value, fields, tenants=self._tenants)
        if pattern is not None:
            self._known = [*self._known[: _MOST - 1], _Known(pattern, head)]


def _without(rows: Ints, gone: Ints, count: int) -> Ints:
    left = np.zeros(count, np.bool_)
    left[rows] = True
    left[gone] = False
    return np.flatnonzero(left)
