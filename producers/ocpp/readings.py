"""Sampled values to normalised samples: units, phases, locations, contexts, signed data.

Rules: OCPP 1.6 7.43, 2.0.1 SampledValueType, domain-rules 2.1-2.3 step 1. Which series counts
as a session's energy is the core's choice: everything a charger says is carried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import reduce

from producers.ocpp.fields import MAX_ID, clean, int_of, list_of, number_of, object_of, text_of
from producers.ocpp.model import Flag
from schemas.units import wh_text, wh_to_mwh

MAX_OTHER = 100
MAX_OTHER_TEXT = 500
MAX_SIGNED = 200_000
MAX_SMALL = 10**9

IMPORT = "Energy.Active.Import.Register"
_EXACT = Context(prec=100)
_ENERGY = {"wh": 0, "kwh": 3}
_LINES = {"L1": 1, "L1-N": 1, "L2": 2, "L2-N": 2, "L3": 3, "L3-N": 3}


@dataclass(frozen=True, slots=True)
class Series:
    """Where a measurand goes: its total's field, its units as powers of ten, its lines' fields.

    Without fields of their own the lines are summed where no total is given.
    """

    total: str
    unit: str
    units: Mapping[str, int]
    register: bool = True
    line: str = ""


_SERIES: Mapping[tuple[str, str], Series] = {
    (IMPORT, "Outlet"): Series("import_wh", "Wh", _ENERGY, line="import_l{}_wh"),
    (IMPORT, "Inlet"): Series("inlet_import_wh", "Wh", _ENERGY),
    ("Energy.Active.Export.Register", "Outlet"): Series("export_wh", "Wh", _ENERGY),
    ("Energy.Active.Import.Interval", "Outlet"): Series("import_interval_wh", "Wh", _ENERGY),
    ("Power.Active.Import", "Outlet"): Series("power_w", "W", {"w": 0, "kw": 3}, register=False),
    ("Current.Import", "Outlet"): Series("current_a", "A", {"a": 0}, register=False),
}
_SOC = Series("soc_percent", "Percent", {"percent": 0, "%": 0}, register=False)


@dataclass(slots=True)
class Sample:
    """One instant of one meter in one context, as fields of `MeterSampled`."""

    context: str
    values: dict[str, int | str] = field(default_factory=dict)
    signed_data: str | None = None
    other: dict[str, str] = field(default_factory=dict)
    flags: dict[str, None] = field(default_factory=dict)
    lines: dict[str, dict[int, Decimal | None]] = field(default_factory=dict)

    def flag(self, flag: Flag) -> None:
        """Note `flag` once."""
        self.flags.setdefault(flag.value)

    def put_aside(self, name: str, text: str) -> None:
        """Keep a value nobody counts with, under its name or the next free one."""
        name = clean(name, MAX_ID)
        if self.other.get(name) == text:
            return
        if len(self.other) >= MAX_OTHER:
            self.flag(Flag.READINGS_CUT)
            return
        if name in self.other:
            self.flag(Flag.READING_CONFLICT)
            name = f"{name} #{len(self.other)}"
        if len(text) > MAX_OTHER_TEXT:
            self.flag(Flag.READINGS_CUT)
        self.other[name] = clean(text, MAX_OTHER_TEXT)

    def put(self, name: str, value: int | str) -> bool:
        """Set a field; False where it already holds another value."""
        return self.values.setdefault(name, value) == value


@dataclass(frozen=True, slots=True)
class _Reading:
    """One sampledValue with its defaults filled in; `scale` is a power of ten."""

    measurand: str
    phase: str
    location: str
    unit: str
    scale: int | None
    value: object

    @property
    def name(self) -> str:
        """The key under which `other` keeps it."""
        phase = f".{self.phase}" if self.phase else ""
        scale = f"*10^{self.scale}" if self.scale else ""
        unit = f" {self.unit}{scale}" if self.unit or scale else ""
        return f"{self.measurand}{phase}@{self.location}{unit}"

    @property
    def text(self) -> str:
        """The value as it was written."""
        if isinstance(self.value, bool | list | dict | None):
            return f"({type(self.value).__name__})"
        return str(self.value)


def samples(entry: Mapping[str, object]) -> list[Sample]:
    """The samples of one meterValue entry, one per context in order of appearance."""
    found: dict[str, Sample] = {}
    for item in list_of(entry.get("sampledValue")):
        sampled = object_of(item)
        context = text_of(sampled.get("context")) or "Sample.Periodic"
        sample = found.setdefault(context, Sample(context))
        if sampled:
            _take(sample, sampled)
        else:
            sample.flag(Flag.READING_UNREADABLE)
    for sample in found.values():
        _sum_lines(sample)
    return list(found.values())


def _take(sample: Sample, sampled: Mapping[str, object]) -> None:
    reading = _reading(sampled)
    signed = object_of(sampled.get("signedMeterValue"))
    if signed:
        _sign(sample, reading, signed.get("signedMeterData"))
        for key in ("signingMethod", "encodingMethod", "publicKey"):
            text = text_of(signed.get(key), 2 * MAX_SIGNED)
            if text is not None:
                sample.put_aside(f"signedMeterValue.{key}", text)
    if sampled.get("format") == "SignedData":
        _sign(sample, reading, reading.value)
    else:
        _measure(sample, reading)


def _reading(sampled: Mapping[str, object]) -> _Reading:
    measure = object_of(sampled.get("unitOfMeasure"))
    multiplier = measure.get("multiplier")
    scale = 0 if multiplier is None else int_of(multiplier)
    return _Reading(
        measurand=text_of(sampled.get("measurand")) or IMPORT,
        phase=text_of(sampled.get("phase")) or "",
        location=text_of(sampled.get("location")) or "Outlet",
        unit=text_of(measure.get("unit")) or text_of(sampled.get("unit")) or "",
        scale=scale if scale is not None and abs(scale) <= 20 else None,
        value=sampled.get("value"),
    )


def _sign(sample: Sample, reading: _Reading, data: object) -> None:
    """Keep a signed value verbatim: its digits must not pass through a number."""
    if not isinstance(data, str) or not data or len(data) > MAX_SIGNED:
        sample.flag(Flag.READING_UNREADABLE)
    elif sample.signed_data is None or sample.signed_data == data:
        sample.signed_data = data.encode("utf-8", "replace").decode()
    else:
        sample.put_aside(f"{reading.name} SignedData", data)


def _measure(sample: Sample, reading: _Reading) -> None:
    series = _SERIES.get((reading.measurand, reading.location))
    if reading.measurand == "SoC":
        series = _SOC
    number = number_of(reading.value)
    if number is None or reading.scale is None:
        sample.flag(Flag.READING_UNREADABLE)
    if series is None:
        sample.put_aside(reading.name, reading.text)
        return
    line = _LINES.get(reading.phase)
    if (reading.phase and line is None) or (line and series is _SOC):
        sample.put_aside(reading.name, reading.text)
        return
    power = series.units.get((reading.unit or series.unit).lower())
    exact: Decimal | None = None
    if power is None:
        sample.flag(Flag.UNIT_UNKNOWN)
    elif number is not None and reading.scale is not None:
        exact = _EXACT.scaleb(number, power + reading.scale)
    _assign(sample, series, line, exact, reading)


def _assign(
    sample: Sample, series: Series, line: int | None, exact: Decimal | None, reading: _Reading
) -> None:
    name = series.line.format(line) if line and series.line else series.total
    value = None if exact is None else _wire(series, exact)
    if value is None:
        sample.put_aside(reading.name, reading.text)
        if exact is not None:
            sample.flag(Flag.READING_UNREADABLE)
    if line and not series.line:
        lines = sample.lines.setdefault(series.total, {})
        if line not in lines:
            lines[line] = exact if value is not None else None
        sample.put_aside(reading.name, reading.text)
    elif value is not None and not sample.put(name, value):
        sample.flag(Flag.READING_CONFLICT)
        sample.put_aside(reading.name, reading.text)


def _wire(series: Series, exact: Decimal) -> int | str | None:
    """The wire form: a register rounded half up to the milliwatt-hour, the rest as it is."""
    if series.register:
        try:
            return wh_text(wh_to_mwh(exact))
        except ValueError:
            return None
    if abs(exact) > MAX_SMALL or exact.adjusted() < -20:
        return 0 if exact.adjusted() < -20 else None
    return int(exact) if exact == int(exact) else format(exact, "f").rstrip("0")


def _sum_lines(sample: Sample) -> None:
    """Totals that are not given are the sum of their lines; never of some unreadable ones."""
    for total, lines in sample.lines.items():
        values = [value for value in lines.values() if value is not None]
        if total in sample.values or len(values) < len(lines):
            continue
        series = next(series for series in _SERIES.values() if series.total == total)
        value = _wire(series, reduce(_EXACT.add, values))
        if value is not None:
            sample.values[total] = value


def register_wh(value: object) -> int | str | None:
    """A meterStart or meterStop as a register in Wh; None where it is no number."""
    number = number_of(value)
    return None if number is None else _wire(_SERIES[IMPORT, "Outlet"], number)
