"""Values that match a pattern: which of them are plain, and their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streams.arrow import TIME
from streams.cards import suspicious
from streams.core.columns import ABSENT, Ints, Small
from streams.core.keys import SEPARATOR, keys_of
from streams.core.packed import WIDEST, WORD, Packed, words
from streams.hot_checks import UUID_LENGTH, has_card, is_card_id, is_uuid, strike
from streams.hot_columns import MOST_MILLI, MOST_MWH, MOST_SOC, TEXT_COLUMNS, HotColumns
from streams.many_arrow import instants
from streams.spans import Matched, Numbers, Texts

_LIMITS: Final = {
    "import_wh": MOST_MWH,
    "power_w": MOST_MILLI,
    "current_a": MOST_MILLI,
    "soc_percent": MOST_SOC,
    "meter_start_wh": MOST_MWH,
    "meter_stop_wh": MOST_MWH,
}
_LOOKED_AT: Final = ("transaction_id", "message_id", "gateway", "id_token")


def plain(m: Matched) -> Matched | None:
    """Those whose numbers fit the columns, and that hold no card number; None: none of them."""
    good = np.ones(len(m.rows), np.bool_)
    for name, one in m.numbers.items():
        beyond = np.abs(one.milli) > _LIMITS[name]
        if beyond.any():
            good &= ~beyond
    names = [name for name in _LOOKED_AT if name in m.texts]
    doubtful = {name: _no_uuids(m.texts[name]) for name in names}
    if suspicious([text for texts in doubtful.values() for text in set(texts)]):
        for name in names:
            odd = is_card_id if name == "transaction_id" else has_card
            strike(good, m.texts[name].to_pylist(), doubtful[name], odd)
    if good.all():
        return m
    return m.where(good) if good.any() else None


def _no_uuids(texts: Texts) -> list[str]:
    if texts.even and texts.grid.shape[1] == UUID_LENGTH:
        fits = is_uuid(texts.grid)
        return [] if fits.all() else texts.where(~fits).to_pylist()
    return texts.to_pylist()


def sample_columns(constants: Mapping[str, Any], m: Matched) -> HotColumns:
    """Plain samples that matched, as columns."""
    n = len(m.rows)
    shared = shared_columns(constants, m)
    context = constants["context"]
    texts = {name: shared[name] for name in TEXT_COLUMNS if name in shared}
    texts["context"] = pa.repeat(context, n)
    texts["attributes"] = _attributes(m.numbers.get("current_a"), n)
    return HotColumns(
        m.rows,
        keys_in(constants, m),
        [constants["protocol"]] * n,
        [context] * n,
        texts,
        shared["received_at"],
        shared["offline"],
        m.times["timestamp"],
        index_of(m, "evse_id"),
        index_of(m, "connector_id"),
        index_of(m, "seq_no"),
        milli_of(m, "import_wh"),
        milli_of(m, "power_w"),
        milli_of(m, "current_a"),
        milli_of(m, "soc_percent"),
    )


def shared_columns(constants: Mapping[str, Any], m: Matched) -> dict[str, pa.Array]:
    """Columns of `events` that are the same of every kind."""
    n = len(m.rows)
    columns = {
        name: m.texts[name].arrow() if name in m.texts else pa.repeat(constants[name] or "", n)
        for name in (
            "tenant", "station_id", "protocol", "transaction_id", "message_id", "gateway"
        )
    }  # fmt: skip
    received_at = m.times.get("received_at")
    columns["timestamp"] = instants(m.times["timestamp"])
    columns["received_at"] = pa.nulls(n, TIME) if received_at is None else instants(received_at)
    columns["offline"] = pa.repeat(pa.scalar(int(constants["offline"]), pa.uint8()), n)
    return columns


def keys_in(constants: Mapping[str, Any], m: Matched) -> Packed:
    """Their keys; what is matched is printable ASCII."""
    stations, transactions = m.texts["station_id"], m.texts["transaction_id"]
    tenant = constants.get("tenant")
    if tenant is not None and stations.even and transactions.even:
        begin = f"{tenant}{SEPARATOR}".encode()
        a = len(begin)
        b = a + stations.grid.shape[1]
        width = b + 1 + transactions.grid.shape[1]
        if width <= WIDEST:
            grid = np.zeros((len(m.rows), words(width) * WORD), np.uint8)
            grid[:, :a], grid[:, a:b] = np.frombuffer(begin, np.uint8), stations.grid
            grid[:, b], grid[:, b + 1 : width] = ord(SEPARATOR), transactions.grid
            return Packed(grid.view(f"S{grid.shape[1]}")[:, 0])
    tenants = m.texts["tenant"].to_pylist() if tenant is None else [tenant] * len(m.rows)
    return Packed.of(keys_of(tenants, stations.to_pylist(), transactions.to_pylist()))


def index_of(m: Matched, name: str) -> Small:
    """Connector, EVSE or sequence number; -1: not given."""
    found = m.wholes.get(name)
    return np.full(len(m.rows), -1, np.int32) if found is None else found.astype(np.int32)


def milli_of(m: Matched, name: str) -> Ints:
    """A number in thousandths; ABSENT: not given."""
    found = m.numbers.get(name)
    return np.full(len(m.rows), ABSENT, np.int64) if found is None else found.milli


def _attributes(current: Numbers | None, n: int) -> pa.Array:
    """As `streams.hot_rows.attributes` makes them."""
    if current is None:
        return pa.repeat("", n)
    written = current.written.arrow()
    if not current.quoted and (current.written.grid == ord(".")).any():
        texts = current.written.to_pylist()
        written = pa.array([repr(float(t)) if "." in t else t for t in texts], pa.string())
    return pc.binary_join_element_wise('{"current_a":"', written, '"}', "")
