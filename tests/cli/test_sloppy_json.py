"""JSON as people write it, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laddstream.sloppy_json import dump_json, load_json, parse_json
from schemas.errors import UserError


def test_comments_and_commas_too_many_are_forgiven_and_named() -> None:
    text = (
        b'\xef\xbb\xbf{"a": 1.50, // one\n # two\n "b": "http://x#y", /* three\n */ "c": [1, 2,],}'
    )

    document, findings = parse_json(text, "T.json")

    assert document == {"a": Decimal("1.50"), "b": "http://x#y", "c": [1, 2]}
    assert [finding.code for finding in findings] == [
        "byte_order_mark",
        *["json_comment"] * 3,
        *["json_trailing_comma"] * 2,
    ]
    assert findings[2].message.startswith("Line 2 ")


def test_strict_json_is_left_alone() -> None:
    assert parse_json(b'{"a": "// no comment", "b": ",]"}', "T") == (
        {"a": "// no comment", "b": ",]"},
        (),
    )


def test_a_comma_before_a_comment_is_a_comma_too_many() -> None:
    assert parse_json(b"[1, /* end */ ]", "T")[0] == [1]


def test_a_field_twice_is_named_and_the_last_counts() -> None:
    document, findings = parse_json(b'{"a": 1, "a": 2}', "T")
    assert document == {"a": 2}
    assert [finding.code for finding in findings] == ["duplicate_key"]


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"",
        b'{"a": NaN}',
        b'{"a": 1} x',
        b'"\xff"',
        b"[" * 200_000,
        b"1" * 5_000,
        b'"\\ud800"',
        b"[1,,2]",
    ],
)
def test_what_is_no_json_is_refused_with_a_sentence(text: bytes) -> None:
    with pytest.raises(UserError, match=r"^T\.json: "):
        parse_json(text, "T.json")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        load_json(tmp_path / "none.json")


def test_numbers_come_out_as_they_went_in() -> None:
    text = '{\n  "a": 2.00,\n  "b": 12345678901234567890123,\n  "å": 0.1\n}\n'
    assert dump_json(parse_json(text.encode(), "T")[0]) == text


@given(st.binary(max_size=60))
def test_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(UserError):
        document, _ = parse_json(content, "T")
        assert parse_json(dump_json(document).encode(), "T") == (document, ())
