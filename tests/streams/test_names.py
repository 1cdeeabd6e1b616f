"""Columns of names cut from rows of keys are those that the keys were made of."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from streams.core.keys import key_of
from streams.core.packed import Packed
from streams.names import names_in

NAMES = st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), max_size=9)
IDS = NAMES | st.sampled_from(["", "a\x1fb", "a\0", "é" * 60]) | st.uuids().map(str)


@given(st.lists(st.tuples(NAMES, NAMES, IDS), max_size=6))
@example([("t", "S1", "x"), ("t", "S2", "y")])
@example([("t", "S1", "x"), ("t", "S10", "y"), ("é", "", "")])
@example([("t", "S", "z" * 200)])
def test_names_are_cut_from_keys_as_they_were_put_together(
    names: list[tuple[str, str, str]],
) -> None:
    found = names_in(Packed.of([key_of(*each) for each in names]))

    for column in found:
        column.validate(full=True)
    assert list(zip(*(column.to_pylist() for column in found), strict=True)) == names
