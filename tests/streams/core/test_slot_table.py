"""A table of slots gives what a dict of texts would, whatever the keys and however it grew."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.core.keys import key_of, keys_of, names_of
from streams.core.packed import WIDEST, Packed
from streams.core.slot_table import SlotTable

NAMES = st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), max_size=9)
LONG = st.integers(WIDEST - 12, WIDEST + 4).map(lambda size: "x" * size)
KEYS = st.builds(key_of, NAMES, NAMES | st.just("S1"), NAMES | LONG | st.just("a\0"))
FEW = st.sampled_from(
    [key_of("t", "S", number) for number in ("", "1", "1\0", "12", "é", "x" * 99)]
)


def uuids(count: int, first: int = 0) -> list[str]:
    return [
        key_of("default", f"ST-{n // 2:07d}", f"{n:08x}-7e57-4000-8000-{n:012x}")
        for n in range(first, first + count)
    ]


def found(table: SlotTable, keys: Sequence[str]) -> list[int]:
    slots: list[int] = table.find(Packed.of(keys)).tolist()
    return slots


class Twin(RuleBasedStateMachine):
    """The table beside a dict that keeps the first slot of a key."""

    def __init__(self) -> None:
        super().__init__()
        self.table = SlotTable(seed=1)
        self.table.grow(4)
        self.room = 4
        self.key_of: dict[int, str] = {}
        self.slot_of: dict[str, int] = {}

    @rule(keys=st.lists(KEYS | FEW, min_size=1, max_size=6))
    def put(self, keys: list[str]) -> None:
        for key in keys:
            slot = next(n for n in range(self.room + 1) if n not in self.key_of)
            if slot == self.room:
                self.room += 3
                self.table.grow(self.room)
            self.table.put(slot, key)
            self.key_of[slot] = key
            self.slot_of.setdefault(key, slot)

    @precondition(lambda self: self.key_of)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        gone = data.draw(st.lists(st.sampled_from(sorted(self.key_of)), unique=True))
        self.table.drop(gone)
        for slot in gone:
            key = self.key_of.pop(slot)
            if self.slot_of.get(key) == slot:
                del self.slot_of[key]

    @rule(keys=st.lists(KEYS | FEW, max_size=6))
    def find(self, keys: list[str]) -> None:
        asked = [*keys, *self.key_of.values()]
        assert found(self.table, asked) == [self.slot_of.get(key, -1) for key in asked]

    @invariant()
    def tells_keys(self) -> None:
        slots = np.array(sorted(self.key_of), np.int32)
        told = [self.key_of[slot] for slot in slots.tolist()]
        assert self.table.keys(slots).texts() == told
        assert [self.table.key(slot) for slot in slots.tolist()] == told
        assert sorted(self.table.slots().tolist()) == sorted(self.slot_of.values())


TestTwin = Twin.TestCase
TestTwin.settings = settings(max_examples=60, stateful_step_count=25)


def test_a_hundred_thousand_keys_come_and_go() -> None:
    table, random = SlotTable(), Random(5)
    table.grow(100_000)
    keys = uuids(100_000)
    for slot, key in enumerate(keys):
        table.put(slot, key)
    assert found(table, keys) == list(range(100_000))

    gone = random.sample(range(100_000), 60_000)
    table.drop(gone)
    for slot, key in zip(gone, uuids(60_000, 200_000), strict=True):
        table.put(slot, key)

    kept = sorted(set(range(100_000)) - set(gone))
    assert found(table, [keys[slot] for slot in kept]) == kept
    assert found(table, [keys[slot] for slot in gone]) == [-1] * 60_000
    assert found(table, uuids(60_000, 200_000)) == gone


def test_what_comes_and_goes_for_long_takes_no_more_room() -> None:
    table = SlotTable()
    table.grow(500)
    sizes = set()
    for turn in range(200):
        for slot, key in enumerate(uuids(500, turn * 500)):
            table.put(slot, key)
        assert found(table, uuids(500, turn * 500)) == list(range(500))
        table.drop(range(500))
        sizes.add(table.nbytes)
    assert max(sizes) <= 2 * min(sizes)
    assert not len(table.slots())


def test_keys_of_one_hash_are_told_apart_by_themselves() -> None:
    table = SlotTable()
    table._factors[:] = 0  # all keys have one hash now
    table.grow(300)
    keys = uuids(300)
    for slot, key in enumerate(keys):
        table.put(slot, key)
    table.drop(range(0, 300, 3))

    expected = [-1 if slot % 3 == 0 else slot for slot in range(300)]
    assert found(table, keys) == expected
    assert found(table, uuids(5, 300)) == [-1] * 5


def test_a_longer_key_widens_the_rows_and_all_are_found_as_before() -> None:
    table = SlotTable()
    table.grow(3)
    keys = [key_of("t", "S", "1"), key_of("t", "S", "y" * 80), key_of("t", "S", "y" * 200)]
    for slot, key in enumerate(keys):
        table.put(slot, key)
        assert found(table, keys[: slot + 1]) == list(range(slot + 1))
    assert found(table, [key_of("t", "S", "y" * 81)]) == [-1]


@given(st.lists(KEYS | FEW, max_size=8), st.lists(KEYS | FEW, max_size=8), st.randoms())
def test_keys_are_joined_chosen_and_told_as_texts_would_be(
    a: list[str], b: list[str], random: Random
) -> None:
    order = list(range(len(a) + len(b)))
    random.shuffle(order)
    both = Packed.joined([Packed.of(a), Packed.of(b)], np.array(order, np.int64))
    expected = [[*a, *b][i] for i in order]
    chosen = [random.random() < 0.5 for _ in order]

    assert both.texts() == expected == [both.text(i) for i in range(len(both))]
    some = both.where(np.array(chosen, np.bool_))
    assert some.texts() == [key for key, wanted in zip(expected, chosen, strict=True) if wanted]


@given(st.lists(st.tuples(NAMES, NAMES, NAMES | st.just("a\x1fb")), max_size=6))
def test_keys_name_what_they_are_made_of(names: list[tuple[str, str, str]]) -> None:
    keys = keys_of(*map(list, zip(*names, strict=True))) if names else []
    assert keys == [key_of(*each) for each in names]
    assert [names_of(key) for key in keys] == names
