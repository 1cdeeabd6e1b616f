"""The checker of schema changes: what it must let through and what it must stop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from schemas.compatibility import breaking_changes

OLD: dict[str, Any] = {
    "type": "object",
    "$defs": {"State": {"type": "string", "enum": ["Charging", "Idle"]}},
    "properties": {
        "type": {"type": "string", "const": "sample"},
        "station": {"type": "string", "minLength": 1, "maxLength": 20, "pattern": "^[A-Z]+$"},
        "state": {"anyOf": [{"$ref": "#/$defs/State"}, {"type": "null"}]},
        "wh": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, {"type": "string"}]},
        "at": {"type": "string", "format": "date-time"},
        "flags": {"type": "array", "items": {"type": "string"}},
        "other": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["type", "station", "at"],
}


def _changed(change: Callable[[dict[str, Any]], object]) -> list[str]:
    new = copy.deepcopy(OLD)
    change(new)
    return breaking_changes(OLD, new)


def _field(new: dict[str, Any], name: str) -> dict[str, Any]:
    field: dict[str, Any] = new["properties"][name]
    return field


@pytest.mark.parametrize(
    "change",
    [
        dict,
        lambda new: new["properties"].update(extra={"type": "integer", "default": 3}),
        lambda new: _field(new, "at").update(description="Event time", title="At"),
        lambda new: _field(new, "wh").update(default=None),
        lambda new: new.update(required=["at", "station", "type"]),
        lambda new: new["$defs"]["State"].update(enum=["Idle", "Charging"]),
        lambda new: _field(new, "state").update(
            anyOf=[{"type": "null"}, {"type": "string", "enum": ["Charging", "Idle"]}]
        ),
    ],
    ids=["nothing", "optional field", "words", "default", "order", "enum order", "inlined"],
)
def test_harmless_changes_pass(change: Callable[[dict[str, Any]], object]) -> None:
    assert _changed(change) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda new: new["properties"].pop("flags"), "$.flags: removed"),
        (lambda new: new["required"].append("flags"), "$.flags: became required"),
        (lambda new: new["required"].remove("at"), "$.at: no longer required"),
        (lambda new: new["$defs"]["State"]["enum"].pop(), "value 'Idle' was removed"),
        (lambda new: new["$defs"]["State"]["enum"].append("New"), "value 'New' is unexpected"),
        (lambda new: new["$defs"]["State"].pop("enum"), "the closed list of values went"),
        (lambda new: _field(new, "at").update(enum=["x"]), "the closed list of values came"),
        (lambda new: _field(new, "at").pop("format"), "$.at: no longer takes string date-time"),
        (lambda new: _field(new, "wh")["anyOf"].pop(), "$.wh: no longer takes string"),
        (lambda new: _field(new, "wh")["anyOf"].append({"type": "null"}), "do not expect null"),
        (lambda new: _field(new, "station").update(maxLength=19), "maxLength was 20 and is 19"),
        (lambda new: _field(new, "station").pop("minLength"), "minLength was 1 and is None"),
        (lambda new: _field(new, "station").update(pattern="^[A-C]+$"), "pattern was"),
        (lambda new: _field(new, "wh")["anyOf"][0].update(minimum=1), "minimum was 0 and is 1"),
        (lambda new: _field(new, "flags").update(items={"type": "integer"}), "$.flags[]"),
        (lambda new: _field(new, "other").update(additionalProperties=False), "additionalProp"),
        (lambda new: new.update(additionalProperties=False), "additionalProperties changed"),
        (lambda new: _field(new, "type").update(const="other"), "no longer takes object sample"),
        (lambda new: new.update(type="array"), "$: no longer takes object"),
    ],
)
def test_breaking_changes_are_named(
    change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    found = _changed(change)

    assert any(sentence in line for line in found), found


def test_members_of_a_union_are_told_apart_by_their_tag() -> None:
    def event(tag: str, **fields: Any) -> dict[str, Any]:
        return {"type": "object", "properties": {"type": {"const": tag}} | fields}

    old = {"oneOf": [event("a", x={"type": "integer"}), event("b")]}
    new = {"oneOf": [event("b"), event("a", x={"type": "string"}), event("c")]}

    assert breaking_changes(old, old) == []
    assert breaking_changes(old, new) == [
        "$: old readers do not expect object c",
        "$<object a>.x: no longer takes integer",
        "$<object a>.x: old readers do not expect string",
    ]


def test_an_unknown_keyword_is_an_error_not_silence() -> None:
    with pytest.raises(ValueError, match="dependentRequired"):
        breaking_changes(OLD, OLD | {"dependentRequired": {}})
