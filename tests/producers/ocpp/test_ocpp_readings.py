"""Sampled values: units, phases, places, contexts, and values that are none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.ocpp.readings import samples
from tests.producers.ocpp.ocpp_builders import (
    call,
    events,
    meter,
    one,
    read_frames,
    transaction,
    value_2x,
)

IMPORT = "Energy.Active.Import.Register"


def sampled(*values: Mapping[str, object]) -> dict[str, object]:
    (sample,) = samples({"sampledValue": list(values)})
    return {**sample.values, "other": sample.other, "flags": list(sample.flags)}


@pytest.mark.parametrize(
    ("text", "unit", "wh"),
    [
        ("6515723", None, 6515723),
        ("95.0", "Wh", 95),
        ("5.146", "kWh", 5146),
        ("1.6250000000000002", "kWh", 1625),
        ("0.0005", "Wh", "0.001"),
        ("0.00049", "Wh", 0),
        ("-0.5", "Wh", "-0.500"),
        ("1e3", "Wh", 1000),
        ("12", "wh", 12),
        ("12", "KWH", 12000),
        (" 12 ", "Wh", 12),
        ("99999999999999", "Wh", 99999999999999),
    ],
)
def test_a_register_is_exact_watt_hours_rounded_half_up_to_the_milliwatt_hour(
    text: str, unit: str | None, wh: int | str
) -> None:
    value = {"value": text} | ({} if unit is None else {"unit": unit})

    assert sampled(value) == {"import_wh": wh, "other": {}, "flags": []}


@pytest.mark.parametrize(
    ("measure", "wh"),
    [
        ({"unit": "Wh", "multiplier": 3}, 5146),
        ({"unit": "kWh"}, 5146),
        ({"unit": "kWh", "multiplier": -3}, "5.146"),
        ({"multiplier": 0}, "5.146"),
        ({}, "5.146"),
    ],
)
def test_a_multiplier_is_a_power_of_ten(measure: dict[str, object], wh: int | str) -> None:
    frame = transaction("Updated", 1, meterValue=[value_2x(5.146, unitOfMeasure=measure)])

    assert (one(frame).import_wh, one(frame).flags) == (wh, ())


@pytest.mark.parametrize(
    "value",
    [
        "",
        "NaN",
        "Infinity",
        "-inf",
        "null",
        "5,146",
        "0x10",
        "1_000",
        "1e999",
        "1" * 65,
        "٣",
        None,
        True,
        [],
        {},
        "1e15",
    ],
)
def test_a_value_that_is_no_number_is_put_aside_and_not_the_frame(value: object) -> None:
    event = one(meter({"value": value}, {"value": "230.1", "measurand": "Voltage", "unit": "V"}))

    assert event.import_wh is None
    assert "reading_unreadable" in event.flags
    assert event.other["Voltage@Outlet V"] == "230.1"
    assert IMPORT + "@Outlet" in event.other


@pytest.mark.parametrize("number", ["1e400", "-1e-400", "123456789" * 9, "1E99999999999999999999"])
def test_json_numbers_beyond_any_meter_neither_crash_nor_count(number: str) -> None:
    payload = {"evseId": 1, "meterValue": [value_2x("NUMBER")]}
    frame = json.dumps(call("MeterValues", payload)).replace('"NUMBER"', number)
    event = one(frame)

    assert event.import_wh in {None, 0}


def test_phases_have_registers_of_their_own() -> None:
    values = [{"value": str(n), "phase": f"L{n}{end}"} for n, end in ((1, ""), (2, "-N"), (3, ""))]

    assert sampled(*values) == {
        "import_l1_wh": 1,
        "import_l2_wh": 2,
        "import_l3_wh": 3,
        "other": {},
        "flags": [],
    }


def test_power_is_summed_over_phases_where_no_total_is_given() -> None:
    values = [
        {"value": v, "measurand": "Power.Active.Import", "phase": p, "unit": "kW"}
        for v, p in (("1.5", "L1"), ("1.25", "L2"), ("0.75", "L3"))
    ]
    found = sampled(*values)

    assert found["power_w"] == 3500
    assert found["other"] == {
        "Power.Active.Import.L1@Outlet kW": "1.5",
        "Power.Active.Import.L2@Outlet kW": "1.25",
        "Power.Active.Import.L3@Outlet kW": "0.75",
    }


def test_a_total_beside_its_phases_is_not_added_to_them() -> None:
    total = {"value": "3000", "measurand": "Power.Active.Import", "unit": "W"}
    lines = [total | {"value": "1000", "phase": f"L{n}"} for n in (1, 2, 3)]

    assert sampled(total, *lines)["power_w"] == sampled(*lines, total)["power_w"] == 3000


def test_the_neutral_line_is_no_part_of_the_current() -> None:
    values = [
        {"value": "10", "measurand": "Current.Import", "phase": phase, "unit": "A"}
        for phase in ("L1", "L2", "N", "L1-L2")
    ]

    assert sampled(*values)["current_a"] == 20


def test_phases_of_which_one_is_unreadable_have_no_sum() -> None:
    values = [
        {"value": value, "measurand": "Power.Active.Import", "phase": phase}
        for value, phase in (("10", "L1"), ("x", "L2"))
    ]

    assert "power_w" not in sampled(*values)


def test_the_inlet_is_its_own_register_and_other_places_are_put_aside() -> None:
    found = sampled(
        {"value": "1"},
        {"value": "2", "location": "Inlet"},
        {"value": "3", "location": "Cable"},
        {"value": "80", "measurand": "SoC", "location": "EV", "unit": "Percent"},
    )

    assert found == {
        "import_wh": 1,
        "inlet_import_wh": 2,
        "soc_percent": 80,
        "other": {IMPORT + "@Cable": "3"},
        "flags": [],
    }


def test_export_and_interval_are_fields_of_their_own() -> None:
    found = sampled(
        {"value": "4", "measurand": "Energy.Active.Export.Register"},
        {"value": "5", "measurand": "Energy.Active.Import.Interval"},
        {"value": "6", "measurand": "Energy.Reactive.Import.Register", "unit": "varh"},
    )

    assert (found["export_wh"], found["import_interval_wh"]) == (4, 5)
    assert found["other"] == {"Energy.Reactive.Import.Register@Outlet varh": "6"}


def test_an_energy_in_an_unknown_unit_is_put_aside() -> None:
    assert sampled({"value": "5", "unit": "MJ"}) == {
        "other": {IMPORT + "@Outlet MJ": "5"},
        "flags": ["unit_unknown"],
    }


def test_two_values_for_one_series_keep_the_first_and_say_so() -> None:
    found = sampled({"value": "5"}, {"value": "6"}, {"value": "5"})

    assert found["import_wh"] == 5
    assert found["other"] == {IMPORT + "@Outlet": "6"}
    assert found["flags"] == ["reading_conflict"]


def test_two_contexts_in_one_entry_are_two_samples_of_one_instant() -> None:
    found = events(
        meter(
            {"value": "163630", "context": "Sample.Periodic"},
            {"value": "157440", "context": "Transaction.Begin"},
            {"value": "7", "measurand": "Current.Import", "unit": "A"},
        )
    )

    assert [(each.context, each.import_wh, each.current_a) for each in found] == [
        ("Sample.Periodic", 163630, 7),
        ("Transaction.Begin", 157440, None),
    ]
    assert len({each.timestamp for each in found}) == 1


def test_signed_data_is_kept_letter_by_letter() -> None:
    ocmf = 'OCMF|{"RD":[{"RV":1234.50,"RU":"kWh"}]}|{"SD":"3045"}'
    event = one(meter({"value": ocmf, "format": "SignedData"}, {"value": "1234500"}))

    assert (event.signed_data, event.import_wh) == (ocmf, 1234500)
    assert event.flags == ()


def test_a_signed_meter_value_of_2x_is_kept_with_how_it_was_signed() -> None:
    signed = {
        "signedMeterData": "T0NNRnw=",
        "signingMethod": "ECDSA-secp256r1-SHA256",
        "encodingMethod": "OCMF",
        "publicKey": "",
    }
    event = one(transaction("Updated", 1, meterValue=[value_2x(5, signedMeterValue=signed)]))

    assert (event.signed_data, event.import_wh, event.flags) == ("T0NNRnw=", 5, ())
    assert event.other == {
        "signedMeterValue.signingMethod": "ECDSA-secp256r1-SHA256",
        "signedMeterValue.encodingMethod": "OCMF",
    }


def test_meter_values_without_readings_are_ignored_with_that_reason() -> None:
    assert read_frames(meter())[0].ignored == "MeterValues without readings"


def test_thousands_of_odd_readings_stay_within_an_event() -> None:
    odd = [{"value": "x" * 5000, "measurand": f"M{n}"} for n in range(2000)]
    event = one(meter(*odd))

    assert len(event.other) == 100
    assert "readings_cut" in event.flags


@given(
    value=st.decimals(-(10**7), 10**7, places=5),
    multiplier=st.integers(-3, 3),
    unit=st.sampled_from(["Wh", "kWh"]),
)
def test_any_register_is_the_written_decimal_to_half_a_milliwatt_hour(
    value: Decimal, multiplier: int, unit: str
) -> None:
    found = sampled(
        {"value": str(value), "unitOfMeasure": {"unit": unit, "multiplier": multiplier}}
    )
    exact = value * 10**multiplier if multiplier >= 0 else value / 10**-multiplier
    exact *= 1000 if unit == "kWh" else 1

    assert abs(Decimal(str(found["import_wh"])) - exact) <= Decimal("0.0005")


def test_one_entry_with_a_lone_object_instead_of_a_list_is_read() -> None:
    frame = meter(meterValue={"timestamp": "2026-03-01T12:00:00Z", "sampledValue": {"value": "5"}})

    assert (one(frame).import_wh, one(frame).flags) == (5, ("schema_deviation",))
