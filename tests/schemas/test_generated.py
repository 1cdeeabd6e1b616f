"""The committed contract files say what the models say, and break nobody."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas import asyncapi, generate
from schemas.errors import Reason
from schemas.events import EVENT_TYPES
from schemas.topics import DLQ_HEADERS, TOPICS

SCHEMAS = Path(generate.__file__).parent
EXAMPLES = sorted((SCHEMAS / "examples").glob("*/*.json"))


def test_no_generated_file_has_drifted() -> None:
    assert generate.drifted() == [], "run: make schemas"


def test_no_file_lies_in_json_that_nothing_generates() -> None:
    committed = {path for path in (SCHEMAS / "json").rglob("*.json") if "v1" not in path.parts}

    assert committed == {path for path in generate.files() if path.suffix == ".json"}


def test_the_released_version_holds_every_event_and_record() -> None:
    released = SCHEMAS / "json" / generate.RELEASED
    names = {path.relative_to(released).as_posix() for path in released.rglob("*.json")}

    assert {f"events/{asyncapi.tag_of(model)}.json" for model in EVENT_TYPES} < names
    assert {"event.json", "records/sessions.json", "records/session_slices.json"} < names


def test_todays_models_break_no_user_of_the_released_version() -> None:
    assert generate.broken() == []


def test_check_says_what_differs_and_exits_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "HERE", tmp_path / "schemas")

    assert generate.main(["--check"]) == 1
    assert "schemas/json/event.json: run make schemas" in capsys.readouterr().out
    assert generate.main(["--release", "v1"]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "schemas/json/events/authorization.json").write_text("{}")
    assert generate.main(["--check"]) == 1


@pytest.mark.parametrize("name", sorted(generate.json_schemas()))
def test_every_schema_is_valid_and_names_itself(name: str) -> None:
    schema = generate.json_schemas()[name]

    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"].startswith("urn:laddstream:schema:")
    assert schema["title"]


@pytest.mark.parametrize("name", sorted(generate.json_schemas()))
def test_every_quantity_says_its_unit(name: str) -> None:
    properties = generate.json_schemas()[name].get("properties", {})
    units = {"_wh": "Wh", "_w": "W", "_a": "A", "_s": "s", "_percent": "%"}
    for field, body in properties.items():
        suffix = re.search(r"_[a-z]+$", field)
        if suffix and suffix[0] in units:
            assert units[suffix[0]] in body["description"], field


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_examples_satisfy_the_json_schema_of_their_type_and_of_the_union(path: Path) -> None:
    example = json.loads(path.read_text("utf-8"))
    for name in (f"events/{path.parent.name}.json", "event.json"):
        schema = json.loads((SCHEMAS / "json" / name).read_text("utf-8"))
        jsonschema.validate(example, schema, jsonschema.Draft202012Validator)


def test_the_json_schema_requires_the_tag() -> None:
    example = json.loads((SCHEMAS / "examples/session_started/ocpp16.json").read_text("utf-8"))
    del example["type"]
    schema = generate.json_schemas()["events/session_started.json"]

    with pytest.raises(jsonschema.ValidationError, match="'type' is a required property"):
        jsonschema.validate(example, schema, jsonschema.Draft202012Validator)


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for child in node.values() for found in _references(child)]
    return (
        [found for child in node for found in _references(child)] if isinstance(node, list) else []
    )


def _resolve(document: dict[str, Any], pointer: str) -> object:
    found: Any = document
    for step in pointer.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_the_asyncapi_description_has_every_topic_and_only_live_references() -> None:
    document = asyncapi.document()

    assert document["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in document["channels"].values()} == {
        topic.name for topic in TOPICS
    }
    references = _references(document)
    for reference in references:
        if reference.startswith("#/"):
            assert _resolve(document, reference)
        else:
            assert (SCHEMAS / reference).is_file(), reference
    assert len(references) > len(EVENT_TYPES) * 2


def test_operations_refer_to_messages_of_their_own_channel() -> None:
    for operation in asyncapi.document()["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = operation["channel"]["$ref"]
        assert all(m["$ref"].startswith(f"{channel}/messages/") for m in operation["messages"])


def test_the_dead_letter_message_describes_every_header() -> None:
    headers = asyncapi.document()["components"]["messages"]["dead_letter"]["headers"]

    assert set(headers["required"]) == set(headers["properties"]) == set(DLQ_HEADERS)
    assert {"not_json", "naive_timestamp", "too_large"} <= set(Reason)


def test_the_yaml_text_is_read_back_as_the_same_data() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    hard: dict[str, Any] = {
        "a: b": ["- x", "# no", "yes", "1.0", 1, None, True, "", "å\n\"'", {"k": [[], {}, [1]]}],
        "$ref": "#/x",
        "null": {"on": "off"},
    }

    assert yaml.safe_load(asyncapi.to_yaml(hard)) == hard
    text = (SCHEMAS / "asyncapi.yaml").read_text("utf-8")
    assert yaml.safe_load(text) == asyncapi.document()
