"""Event files: every line goes out as it stands, under its station's key where it names one."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.event_file import Line, key_of_value, read_event_file
from schemas.errors import UserError

EVENT = b'{"type":"session_started","tenant":"t","station_id":"S\xc3\xa9","protocol":"import"}'


def read(folder: Path, content: bytes) -> list[Line]:
    path = folder / "events.jsonl"
    path.write_bytes(content)
    return list(read_event_file(path))


def test_lines_keep_their_bytes_and_numbers(tmp_path: Path) -> None:
    lines = [EVENT, b"\xff\x00", b'{"a": NaN}', b"[" + EVENT + b"," + EVENT + b"]"]
    content = b"\xef\xbb\xbf" + lines[0] + b"\r\n\n" + b"\n".join(lines[1:])
    found = read(tmp_path, content)

    assert [line.value for line in found] == lines
    assert [line.number for line in found] == [1, 3, 4, 5]
    assert [line.key for line in found] == ["t/Sé".encode(), b"", b"", "t/Sé".encode()]


def test_a_compressed_file_gives_the_same_lines(tmp_path: Path) -> None:
    content = EVENT + b"\n" + b"x\n"

    assert read(tmp_path, gzip.compress(content)) == read(tmp_path, content)


def test_a_cut_compressed_file_is_said_to_be_cut(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="to its end"):
        read(tmp_path, gzip.compress(EVENT * 50)[:-9])


@pytest.mark.parametrize(
    "value", [b"[]", b"{}", b"7", b'{"tenant": 1, "station_id": "S"}', b"[[[" * 5000, b'"\\ud800"']
)
def test_a_value_that_names_no_station_has_an_empty_key(value: bytes) -> None:
    assert key_of_value(value) == b""


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd_for_a_key(value: bytes) -> None:
    assert isinstance(key_of_value(value), bytes)
