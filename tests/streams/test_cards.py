"""Card numbers that somebody publishes straight to Kafka: in no row, whatever field they are in."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from schemas import wire
from schemas.cards import mask_text
from streams.operation_rows import masked_letter
from tests.streams.rows_of_events import decoded, event_rows

PAN = "4111111111111111"
WRITTEN = (PAN, "4111 1111 1111 1111", "4111-1111-1111-1111", "3782-822463-10005", "٤" + PAN[1:])
NEEDED: dict[str, dict[str, Any]] = {
    "session_expired": {"session_id": "x", "silence_s": 1},
    "station_status": {"status": "Available"},
    "authorization": {"id_token": "x"},
}
FIELDS = [
    (kind, field.name)
    for kind in get_args(wire.AnyEvent)
    for field in msgspec.structs.fields(kind)
    if field.name not in {"tenant", "station_id"}
]


def event(tag: str, **fields: Any) -> bytes:
    return json.dumps({
        "type": tag, "tenant": "t", "station_id": "S", "protocol": "ocpp2.0.1",
        "timestamp": "2026-03-01T12:00:00.000Z", "transaction_id": "T", **NEEDED.get(tag, {}),
        **fields,
    }).encode()  # fmt: skip


def shapes(number: str) -> list[Any]:
    return [number, [number], {number: number}, int(PAN)]


@pytest.mark.parametrize("number", WRITTEN)
@pytest.mark.parametrize(
    ("kind", "field"), FIELDS, ids=[f"{kind.__name__}.{name}" for kind, name in FIELDS]
)
def test_no_field_of_an_event_brings_a_card_number_into_a_row(
    kind: type, field: str, number: str
) -> None:
    tag = str(kind.__struct_config__.tag)  # type: ignore[attr-defined]
    fields = [{field: value} for value in shapes(number)]
    found = decoded([event(tag), *(event(tag, **NEEDED.get(tag, {}) | each) for each in fields)])

    rows = event_rows(found)
    assert rows
    for text in (repr(rows), repr(found.cores), repr([masked_letter(each) for each in found.dead])):
        assert mask_text(text.encode().decode())[1] == 0


@pytest.mark.parametrize(
    "kept",
    [
        "550e8400-e29b-41d4-a716-446655440000", "41111111-1111-4111-8111-111111111111",
        "9007199254740993123", "17726163845551234", "1772616384555", "20260301120000",
    ],
)  # fmt: skip
def test_what_programs_draw_stays(kept: str) -> None:
    values = [
        event("meter_sampled", transaction_id=kept, message_id=kept, import_wh=i) for i in (1, 2)
    ]
    rows = event_rows(decoded(values))

    assert {(row["transaction_id"], row["message_id"], row["flags"]) for row in rows} == {
        (kept, kept, "")
    }


def test_one_number_among_many_is_starred_and_its_neighbours_stay() -> None:
    ids = ["4111-1111-1111-1111", "7", "x" * 36, "41111111-1111-4111-8111-111111111111"]
    values = [event("meter_sampled", import_wh=1, transaction_id=i, gateway="g") for i in ids]
    rows = event_rows(decoded(values))

    assert [row["transaction_id"] for row in rows] == ["****-****-****-1111", *ids[1:]]
    assert [row["flags"] for row in rows] == ["card_masked", "", "", ""]
