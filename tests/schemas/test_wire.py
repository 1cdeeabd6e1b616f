"""The hot path's structs and the pydantic models read the same events.

Rule: what the model takes (as strict JSON), the struct takes, with equal contents. The struct
leaves some checks to the reader; `LEFT_TO_THE_READER` is the whole list of them.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas import wire
from schemas.asyncapi import tag_of
from schemas.events import EVENT_ADAPTER, EVENT_TYPES, Protocol

ROOT = Path(wire.__file__).parent / "examples"
EXAMPLES = {f"{p.parent.name}/{p.stem}": p.read_bytes() for p in sorted(ROOT.glob("*/*.json"))}
DECODER = msgspec.json.Decoder(wire.AnyEvent)
STRUCTS = {type_.__struct_config__.tag: type_ for type_ in wire.AnyEvent.__args__}
NUMBERS = {
    name
    for struct in STRUCTS.values()
    for name in struct.__struct_fields__
    if name.endswith(("_wh", "_w", "_a", "_percent")) or name == "paid_amount"
}
TIME = TypeAdapter(datetime)
TIMES = {"timestamp", "received_at"}
LEFT_TO_THE_READER: dict[str, dict[str, Any]] = {
    # times stay text until a chunk's are parsed at once
    "datetime_parsing": {"timestamp": "yesterday"},
    "timezone_aware": {"timestamp": "2026-03-02T07:42:05"},
    # registers stay numbers or text until they become milliwatt-hours
    "decimal_parsing": {"meter_start_wh": "12,5"},
    "finite_number": {"meter_start_wh": "NaN"},
    "greater_than_equal": {"meter_start_wh": -(10**15)},
    "less_than_equal": {"meter_start_wh": 10**15},
    # names are checked once for each new one
    "string_pattern_mismatch": {"tenant": "a\x07b"},
}
"""Each kind of complaint of the model that the struct does not share, with a case of it."""


def _plain(event: Any) -> dict[str, Any]:
    """An event of either library as one comparable form."""
    if isinstance(event, msgspec.Struct):
        fields: dict[str, Any] = {
            name: getattr(event, name) for name in type(event).__struct_fields__
        }
        for name in NUMBERS & fields.keys():
            if fields[name] is not None:
                fields[name] = Decimal(str(fields[name]))
        for name in TIMES & fields.keys():
            if fields[name] is not None:
                fields[name] = TIME.validate_python(fields[name])
        return {"type": type(event).__struct_config__.tag} | fields
    return dict(event.model_dump())


def _model(data: bytes) -> tuple[Any, set[str]]:
    """What the model reads, or None with the kinds of its complaints."""
    try:
        return EVENT_ADAPTER.validate_json(data, strict=True), set()
    except ValidationError as error:
        return None, {fault["type"] for fault in error.errors(include_url=False)}


def _struct(data: bytes) -> Any:
    try:
        return DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def test_every_event_type_has_an_example_and_every_protocol_a_whole_session() -> None:
    parsed = [json.loads(text) for text in EXAMPLES.values()]
    seen = {(event["protocol"], event["type"]) for event in parsed}

    assert {kind for _, kind in seen} == {tag_of(model) for model in EVENT_TYPES}
    for protocol in Protocol:
        assert {(protocol, "session_started"), (protocol, "session_ended")} <= seen
    for name, text in EXAMPLES.items():
        assert json.loads(text)["type"] == name.split("/")[0]


def test_structs_and_models_have_the_same_fields_with_the_same_defaults() -> None:
    assert list(STRUCTS) == [tag_of(model) for model in EVENT_TYPES]
    for model in EVENT_TYPES:
        fields = msgspec.structs.fields(STRUCTS[tag_of(model)])
        described = {name: f for name, f in model.model_fields.items() if name != "type"}
        assert {field.name for field in fields} == described.keys()
        for field in fields:
            default = (
                None
                if field.required
                else described[field.name].get_default(call_default_factory=True)
            )
            mine = (
                None
                if field.required
                else (
                    field.default
                    if field.default_factory is msgspec.NODEFAULT
                    else field.default_factory()
                )
            )
            assert field.required == described[field.name].is_required(), field.name
            assert mine == default, field.name


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_mean_the_same_to_both(name: str) -> None:
    assert _plain(DECODER.decode(EXAMPLES[name])) == _plain(
        EVENT_ADAPTER.validate_json(EXAMPLES[name])
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_survive_a_round_trip_through_either(name: str) -> None:
    model, struct = EVENT_ADAPTER.validate_json(EXAMPLES[name]), DECODER.decode(EXAMPLES[name])

    assert DECODER.decode(wire.encode(struct)) == struct
    assert EVENT_ADAPTER.validate_json(wire.encode(struct)) == model
    assert _plain(DECODER.decode(EVENT_ADAPTER.dump_json(model))) == _plain(struct)
    assert json.loads(wire.encode(struct)) == json.loads(EXAMPLES[name])


@pytest.mark.parametrize("name", EXAMPLES)
def test_unknown_fields_are_ignored_by_both(name: str) -> None:
    more = json.dumps(json.loads(EXAMPLES[name]) | {"from_the_future": {"x": [1]}}).encode()

    assert DECODER.decode(more) == DECODER.decode(EXAMPLES[name])
    assert EVENT_ADAPTER.validate_json(more) == EVENT_ADAPTER.validate_json(EXAMPLES[name])


def test_the_key_is_tenant_and_station() -> None:
    assert wire.key_of(DECODER.decode(EXAMPLES["session_started/ocpp16"])) == b"nordvik/NV-0042"


_texts = st.text(max_size=12) | st.sampled_from(
    ["x" * 255, "x" * 256, "x" * 1000, "x" * 1001, "\x07"]
)
_numbers = (
    st.integers(-(10**15), 10**15)
    | st.decimals(-(10**6), 10**6, places=3).map(str)
    | st.floats(-1e6, 1e6).map(lambda value: round(value, 4))
    | st.sampled_from(
        ["", "abc", "NaN", "Infinity", "1e3", "1E400", "1_0", " 7", "٣", "0x1", 1e308]
    )
)
_times = st.sampled_from([
    "2026-03-02T07:42:05Z", "2026-03-02T07:42:05.123456+05:30", "2026-03-02T07:42:05.5-00:00",
    "2026-03-02T07:42:05", "2026-03-02", "", "not a time", "2026-13-02T07:42:05Z", "1767225600",
])  # fmt: skip
_any = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _texts | _numbers
_junk = _any | st.lists(_any, max_size=2) | st.dictionaries(_texts, _any, max_size=2)


@st.composite
def _events(draw: st.DrawFn) -> dict[str, Any]:
    """An example with some fields of its type drawn anew, mostly plausibly."""
    event: dict[str, Any] = json.loads(EXAMPLES[draw(st.sampled_from(sorted(EXAMPLES)))])
    names = sorted({*STRUCTS[event["type"]].__struct_fields__, "type"})
    for name in draw(st.lists(st.sampled_from(names), max_size=4, unique=True)):
        event[name] = draw(_values(name))
    for name in draw(st.lists(st.sampled_from(names), max_size=1)):
        event.pop(name, None)
    return event


def _values(name: str) -> st.SearchStrategy[Any]:
    if name in NUMBERS:
        return _numbers | _junk
    if name in TIMES:
        return _times | _junk
    if name.endswith(("_id", "_no", "_s")):
        return (
            st.integers(-2, 2**31) | st.sampled_from([5.0, 5.5, 2**31, 2**70, "5"]) | _texts | _junk
        )
    if name == "other":
        return st.dictionaries(_texts, _texts, max_size=3) | _junk
    if name == "flags":
        return st.lists(_texts, max_size=3) | _junk
    return _texts | st.booleans() | _junk


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(_events())
def test_generated_events_mean_the_same_to_both_or_differ_only_where_said(
    event: dict[str, Any],
) -> None:
    data = json.dumps(event).encode()
    model, complaints = _model(data)
    struct = _struct(data)
    if model is not None:
        assert struct is not None, "the struct refuses what the model takes"
        assert _plain(struct) == _plain(model)
    elif struct is not None:
        assert complaints <= LEFT_TO_THE_READER.keys()


@pytest.mark.parametrize("complaint", LEFT_TO_THE_READER)
def test_each_check_left_to_the_reader_is_one_that_the_struct_does_not_make(complaint: str) -> None:
    event = json.loads(EXAMPLES["session_started/ocpp16"]) | LEFT_TO_THE_READER[complaint]
    data = json.dumps(event).encode()

    assert _struct(data) is not None
    assert _model(data) == (None, {complaint})


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"null", b"42", b'"text"', b"{}", b"\xff\xfe", b'{"type":"session_started"}',
        b'{"type":"unheard_of","tenant":"a","station_id":"b"}',
        EXAMPLES["session_started/ocpp16"][:-9],
        EXAMPLES["session_started/ocpp16"].replace(b"8412350", b"NaN"),
        EXAMPLES["session_started/ocpp16"].replace(b"8412350", b"Infinity"),
        EXAMPLES["session_started/ocpp16"].replace(b"8412350", b"[1]"),
        EXAMPLES["session_started/ocpp16"].replace(b'"nordvik"', b"7"),
        EXAMPLES["session_started/ocpp16"].replace(b'"nordvik"', b'""'),
        EXAMPLES["session_started/ocpp16"].replace(b'"nordvik"', b'"\xc3"'),
        EXAMPLES["session_started/ocpp16"].replace(b'"nordvik"', b"null"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused_by_both(data: bytes) -> None:
    assert (_struct(data), _model(data)[0]) == (None, None)
