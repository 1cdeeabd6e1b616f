"""What sessions say beside numbers: names, terms and texts as columns, those awake first.

awake     told one by one              ──┐
at rest   bytes of keys, codes, tokens ──┴──> columns
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streams.core.columns import Bits, Small
from streams.core.packed import Packed
from streams.core.resting import PROTOCOLS, Resting
from streams.lasting import Found, LastingContracts
from streams.many_arrow import Objects, texts
from streams.names import column_of, names_in


@dataclass(slots=True)
class Told:
    """Of sessions awake, one by one."""

    tenants: list[str] = field(default_factory=list)
    stations: list[str] = field(default_factory=list)
    transactions: list[str] = field(default_factory=list)
    protocols: list[str] = field(default_factory=list)
    terms: list[Found] = field(default_factory=list)
    id_tokens: list[str] = field(default_factory=list)
    areas: list[str] = field(default_factory=list)
    stop_reasons: list[str] = field(default_factory=list)
    marked: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class Said:
    """Of n sessions; columns are parallel."""

    tenants: pa.Array
    """Of text; so are the next three."""
    stations: pa.Array
    transactions: pa.Array
    id_tokens: pa.Array
    protocols: Objects
    terms: Objects
    """Each a `Found`."""
    areas: Objects
    stop_reasons: Objects
    marked: Bits
    """There are changes of state, or the start tells a state."""

    def where(self, chosen: Bits) -> Said:
        """Some of the sessions."""
        mask = pa.array(chosen)
        return Said(
            tenants=self.tenants.filter(mask),
            stations=self.stations.filter(mask),
            transactions=self.transactions.filter(mask),
            id_tokens=self.id_tokens.filter(mask),
            protocols=self.protocols.where(chosen),
            terms=self.terms.where(chosen),
            areas=self.areas.where(chosen),
            stop_reasons=self.stop_reasons.where(chosen),
            marked=self.marked[chosen],
        )


def said_by(
    told: Told,
    resting: Resting,
    slots: Small,
    records: NDArray[np.void],
    marked: Bits,
    lasting: LastingContracts,
) -> Said:
    """Those awake, then those at rest; records and `marked` are of the latter."""
    tokens = resting.tokens(slots)
    names = names_in(resting.slots.keys(slots))
    none = np.zeros(len(slots), np.int64)
    return Said(
        tenants=_after(told.tenants, names.tenants),
        stations=_after(told.stations, names.stations),
        transactions=_after(told.transactions, names.transactions),
        id_tokens=_after(told.id_tokens, column_of(tokens)),
        protocols=Objects.first_then(told.protocols, records["protocol"], PROTOCOLS),
        terms=_terms(told.terms, resting, slots, records, tokens, lasting),
        areas=Objects.first_then(told.areas, records["area"], resting.areas),
        stop_reasons=Objects.first_then(told.stop_reasons, none, [""]),
        marked=np.concatenate([np.array(told.marked, np.bool_), marked]),
    )


def _after(awake: Sequence[str], at_rest: pa.Array) -> pa.Array:
    """A column of text of both."""
    if not awake:
        return at_rest
    return pa.concat_arrays([texts(awake), at_rest]) if len(at_rest) else texts(awake)


def _terms(
    awake: Sequence[Found],
    resting: Resting,
    slots: Small,
    records: NDArray[np.void],
    tokens: Packed,
    lasting: LastingContracts,
) -> Objects:
    """At rest by the code that was found before; asked for anew where there is none."""
    codes = records["terms"]
    unknown = np.flatnonzero(codes < 0)
    if not len(unknown):
        return Objects.first_then(awake, codes, lasting.shared)
    starts, areas = records["start_ts"].tolist(), records["area"].tolist()
    asked = [
        lasting.find(
            resting.station(int(slots[i])).key, tokens.text(i), starts[i], resting.areas[areas[i]]
        )
        for i in unknown.tolist()
    ]
    codes = codes + len(asked)
    codes[unknown] = np.arange(len(asked))
    return Objects.first_then(awake, codes, [*asked, *lasting.shared])
