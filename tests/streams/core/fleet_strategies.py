"""Hypothesis strategies: what a few small stations may say, true to their dialect."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas import wire
from schemas.units import iso_ms
from tests.streams.core.fleet_kit import DAY_MS

MINUTE_MS = 60_000
STATES: st.SearchStrategy[Any] = st.sampled_from(
    ["Charging", "EVConnected", "SuspendedEV", "SuspendedEVSE", "Idle"]
)
NOTHING: st.SearchStrategy[Any] = st.none()
STATED: st.SearchStrategy[Any] = st.sampled_from([0, 1234, "1234.5", 300_000, -1])


def at(minute: int) -> str:
    """Minutes after midnight as a wire time."""
    return iso_ms(DAY_MS + minute * MINUTE_MS)


@st.composite
def sessions16(draw: st.DrawFn, station: str) -> list[wire.WireEvent]:
    """One 1.6 session: reused and unknown ids, parts missing, stops with -1."""
    begin = draw(st.integers(0, 600))
    length = draw(st.integers(0, 90))
    connector = draw(st.integers(1, 2))
    meter = draw(st.integers(0, 3)) * 1000
    transaction = draw(st.sampled_from(["1", "1", "2", "3", "-1", None]))
    base: dict[str, Any] = {"tenant": "t", "station_id": station, "protocol": "ocpp1.6"}
    out: list[wire.WireEvent] = []
    if draw(st.integers(0, 5)):
        out.append(
            wire.SessionStarted(
                **base,
                timestamp=at(begin),
                connector_id=connector,
                transaction_id=transaction,
                id_token=draw(st.sampled_from(["A", "B"])),
                meter_start_wh=meter,
            )
        )
    offsets = draw(st.lists(st.integers(-2, length + 2), max_size=3))
    out.extend(
        wire.MeterSampled(
            **base,
            timestamp=at(begin + k),
            connector_id=connector,
            transaction_id=draw(st.sampled_from([transaction, None])),
            import_wh=meter + 50 * max(0, k),
        )
        for k in offsets
    )
    if draw(st.integers(0, 2)):
        out.append(
            wire.SessionEnded(
                **base,
                timestamp=at(begin + length),
                transaction_id=draw(st.sampled_from([transaction, transaction, "-1"])),
                id_token=draw(st.sampled_from(["A", None])),
                meter_stop_wh=meter + 50 * length,
                reason="Local",
            )
        )
    return out


@st.composite
def sessions2x(draw: st.DrawFn, station: str) -> list[wire.WireEvent]:
    """One 2.x session: gaps, a missing Started or Ended, states, sparse fields."""
    begin = draw(st.integers(0, 600))
    length = draw(st.integers(0, 90))
    evse = draw(st.integers(1, 2))
    base: dict[str, Any] = {
        "tenant": "t",
        "station_id": station,
        "protocol": "ocpp2.1",
        "transaction_id": f"x{draw(st.integers(1, 4))}-{begin}-{evse}",
    }
    out: list[wire.WireEvent] = []
    if draw(st.integers(0, 4)):
        out.append(
            wire.SessionStarted(
                **base, timestamp=at(begin), seq_no=0, evse_id=evse, connector_id=1, id_token="A",
                charging_state=draw(NOTHING | STATES),
            )
        )  # fmt: skip
    marks = draw(st.lists(st.tuples(st.integers(0, length), NOTHING | STATES), max_size=4))
    for seq, (k, state) in enumerate(sorted(marks, key=lambda m: m[0]), start=1):
        if state is None:
            out.append(
                wire.MeterSampled(
                    **base, timestamp=at(begin + k), seq_no=seq, evse_id=evse, import_wh=50 * k
                )
            )
        else:
            out.append(
                wire.ChargingStateChanged(
                    **base, timestamp=at(begin + k), seq_no=seq, charging_state=state
                )
            )
    if draw(st.integers(0, 2)):
        seq = len(marks) + 1 + draw(st.integers(0, 1))
        end = at(begin + length)
        out.append(wire.SessionEnded(**base, timestamp=end, seq_no=seq, reason="EVDisconnected"))
        if draw(st.booleans()):
            out.append(
                wire.MeterSampled(
                    **base, timestamp=end, seq_no=seq, context="Transaction.End",
                    import_wh=f"{50 * length}.125",
                )
            )  # fmt: skip
    return out


@st.composite
def rows_of_past(draw: st.DrawFn, station: str) -> list[wire.WireEvent]:
    """One imported row."""
    begin = draw(st.integers(0, 600))
    base: dict[str, Any] = {
        "tenant": "t",
        "station_id": station,
        "protocol": "import",
        "transaction_id": f"r{draw(st.integers(1, 4))}-{begin}",
        "connector_id": draw(st.sampled_from([1, 2, None])),
    }
    return [
        wire.SessionStarted(**base, timestamp=at(begin), id_token="card 7", area="Old town"),
        wire.SessionEnded(
            **base,
            timestamp=at(begin + draw(st.integers(-1, 90))),
            energy_wh=draw(STATED),
        ),
    ]


@st.composite
def fleets(draw: st.DrawFn) -> list[wire.WireEvent]:
    """The distinct events of one to three stations, each of one dialect."""
    kinds = draw(st.lists(st.sampled_from([sessions16, sessions16, sessions2x, rows_of_past]),
                          min_size=1, max_size=3))  # fmt: skip
    out: list[wire.WireEvent] = []
    for i, kind in enumerate(kinds):
        for session in draw(st.lists(kind(station=f"S{i + 1}"), min_size=1, max_size=4)):
            out.extend(session)
    return out


STEPS = st.one_of(
    st.tuples(st.just("take"), st.integers(1, 8)),
    st.tuples(st.just("flush"), st.just(0)),
    st.tuples(st.just("crash"), st.just(0)),
    st.tuples(st.just("crash_in_flush"), st.integers(0, 5)),
)
"""What happens next to a worker: `take` reads so many records, `crash_in_flush` writes so often."""
