"""Hypothesis strategies: any event the contract allows, as wire structs."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas import wire
from schemas.units import iso_ms

PRINTABLE = st.characters(exclude_categories=["Cs", "Cc"])
"""No control characters; quotes, backslashes, spaces of all kinds and other scripts are in."""

NAMES = st.text(PRINTABLE, min_size=1, max_size=12) | st.sampled_from(["a'b", 'a"b', "a\\b", "Å/å"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INDEXES = st.none() | st.integers(0, 2**31 - 1)
INSTANTS = st.integers(0, 4_102_444_800_000).map(iso_ms)
"""1970 to 2100."""

REGISTERS = st.none() | st.one_of(
    st.integers(-(10**14), 10**14),
    st.decimals(-(10**14), 10**14, places=3).map(str),
    st.floats(-(10**9), 10**9),
)
SMALL = st.none() | st.integers(-(10**9), 10**9) | st.decimals(-(10**5), 10**5, places=3).map(str)
STATES = st.none() | st.sampled_from(
    ["Charging", "EVConnected", "SuspendedEV", "SuspendedEVSE", "Idle"]
)
MAYBE = st.none() | TEXTS
FLAGS = st.lists(
    st.sampled_from(["clock_bad", "clock_corrected", "timestamp_naive", "unit_guessed"]),
    max_size=3, unique=True,
).map(tuple)  # fmt: skip

COMMON: dict[str, st.SearchStrategy[Any]] = {
    "tenant": NAMES,
    "station_id": NAMES,
    "protocol": st.sampled_from(["ocpp1.6", "ocpp2.0.1", "ocpp2.1", "import"]),
    "timestamp": INSTANTS,
    "evse_id": INDEXES,
    "connector_id": INDEXES,
    "transaction_id": MAYBE,
    "received_at": st.none() | INSTANTS,
    "seq_no": INDEXES,
    "message_id": MAYBE,
    "offline": st.booleans(),
    "gateway": MAYBE,
    "flags": FLAGS,
}
OWN: dict[type[wire.WireEvent], dict[str, st.SearchStrategy[Any]]] = {
    wire.SessionStarted: {
        "id_token": MAYBE,
        "meter_start_wh": REGISTERS,
        "reservation_id": st.none() | st.integers(-(2**31), 2**31),
        "charging_state": STATES,
        "trigger_reason": MAYBE,
        "area": MAYBE,
    },
    wire.MeterSampled: {
        "context": TEXTS,
        "import_wh": REGISTERS,
        "export_wh": REGISTERS,
        "import_l1_wh": REGISTERS,
        "import_l3_wh": REGISTERS,
        "import_interval_wh": REGISTERS,
        "inlet_import_wh": REGISTERS,
        "power_w": SMALL,
        "current_a": SMALL,
        "soc_percent": SMALL,
        "signed_data": MAYBE,
        "other": st.dictionaries(TEXTS, TEXTS, max_size=2),
    },
    wire.ChargingStateChanged: {
        "charging_state": STATES,
        "trigger_reason": MAYBE,
        "id_token": MAYBE,
    },
    wire.SessionEnded: {
        "id_token": MAYBE,
        "meter_stop_wh": REGISTERS,
        "reason": MAYBE,
        "trigger_reason": MAYBE,
        "charging_state": STATES,
        "energy_wh": REGISTERS,
        "paid_amount": st.none() | st.decimals(-(10**8), 10**8, places=6).map(str),
        "paid_currency": st.none() | st.sampled_from(["GBP", "SEK"]),
    },
    wire.SessionExpired: {
        "session_id": st.uuids().map(str),
        "silence_s": st.integers(0, 10**9),
    },
    wire.StationStatus: {
        "status": NAMES,
        "error_code": MAYBE,
        "vendor_error_code": MAYBE,
        "info": MAYBE,
    },
    wire.Authorization: {"id_token": TEXTS, "status": MAYBE},
}
EVENTS: st.SearchStrategy[wire.WireEvent] = st.one_of(
    *(st.builds(kind, **COMMON, **own) for kind, own in OWN.items())
)
