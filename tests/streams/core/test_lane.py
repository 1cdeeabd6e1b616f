"""The sample lane against plain lists of tuples, and what it may cost in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.core.columns import ABSENT, UNKNOWN, Samples
from streams.core.events import CURRENT, SAMPLE, Sample
from streams.core.lane import SampleLane

Row = tuple[int, int, int, int, int, int]
"""In the order of `Samples`."""

KINDS = (np.int64, np.int32, np.int64, np.int32, np.int32, np.int32)

# Few values each, so that ties and equal rows are common.
TIMES = st.sampled_from([0, 1, 2, 3, 60_000, 120_000, 1_700_000_000_000])
ROWS = st.tuples(
    TIMES,
    st.sampled_from([-1, 0, 1, 2]),
    st.sampled_from([ABSENT, 0, 5]),
    st.sampled_from([UNKNOWN, -1, 0, 7_000]),
    st.sampled_from([UNKNOWN, 0, 16_000]),
    st.sampled_from([0, 1]),
)


def columns(rows: Sequence[Row]) -> Samples:
    parts = zip(*rows, strict=True) if rows else ((),) * 6
    return Samples(*(np.array(part, kind) for part, kind in zip(parts, KINDS, strict=True)))


def in_order(rows: Iterable[Row]) -> list[Row]:
    """What `gather` promises: sorted, equal rows once. This is the twin."""
    return sorted(set(rows))


def gathered(lane: SampleLane, slots: Sequence[int]) -> list[list[Row]]:
    counts, samples = lane.gather(slots)
    flat: list[Row] = list(zip(*(column.tolist() for column in samples), strict=True))
    ends = np.cumsum(counts).tolist()
    assert len(flat) == sum(counts.tolist())
    return [flat[end - n : end] for n, end in zip(counts.tolist(), ends, strict=True)]


def add(lane: SampleLane, pairs: Sequence[tuple[int, Row]]) -> None:
    slots = np.array([slot for slot, _ in pairs], np.int32)
    lane.append(slots, columns([row for _, row in pairs]))


class LaneBesideLists(RuleBasedStateMachine):
    """Chunks, gathers and frees in any order; a dict of lists must always agree."""

    def __init__(self) -> None:
        super().__init__()
        self.lane = SampleLane()
        self.lane.shape("Sample.Periodic", 1, 1)
        self.lane.shape("Transaction.Begin", -1, -1)
        self.twin: dict[int, list[Row]] = {}
        self.dropped = 0

    @rule(count=st.integers(1, 4))
    def sessions_open(self, count: int) -> None:
        for _ in range(count):
            slot = self.lane.new_slot()
            assert slot not in self.twin
            self.twin[slot] = []

    @precondition(lambda self: self.twin)
    @rule(data=st.data())
    def a_chunk_arrives(self, data: st.DataObject) -> None:
        slots = st.sampled_from(sorted(self.twin))
        pairs = data.draw(st.lists(st.tuples(slots, ROWS), max_size=20))
        add(self.lane, pairs)
        for slot, row in pairs:
            self.twin[slot].append(row)

    @precondition(lambda self: self.twin)
    @rule(data=st.data())
    def some_sessions_are_due(self, data: st.DataObject) -> None:
        due = data.draw(st.lists(st.sampled_from(sorted(self.twin)), unique=True))
        expected = [in_order(self.twin[slot]) for slot in due]
        assert gathered(self.lane, due) == expected
        for slot, rows in zip(due, expected, strict=True):
            self.dropped += len(self.twin[slot]) - len(rows)
            self.twin[slot] = rows

    @precondition(lambda self: self.twin)
    @rule(data=st.data())
    def some_sessions_are_forgotten(self, data: st.DataObject) -> None:
        gone = data.draw(st.lists(st.sampled_from(sorted(self.twin)), unique=True))
        self.lane.free(gone)
        for slot in gone:
            del self.twin[slot]

    @invariant()
    def it_counts_the_same_rows_and_duplicates(self) -> None:
        assert self.lane.duplicates == self.dropped
        assert {slot: self.lane.rows(slot) for slot in self.twin} == {
            slot: len(rows) for slot, rows in self.twin.items()
        }

    @invariant()
    def every_block_has_one_owner(self) -> None:
        lane = self.lane
        held = np.array([len(rows) for rows in self.twin.values()], np.int64)
        used = lane._blocks(np.array(list(self.twin), np.int64), held).tolist()
        spare = lane._spare[: lane._spares].tolist()
        assert sorted(used + spare) == list(range(len(lane._prev)))

    def teardown(self) -> None:
        slots = list(self.twin)
        assert gathered(self.lane, slots) == [in_order(self.twin[s]) for s in slots]


TestLaneBesideLists = LaneBesideLists.TestCase
TestLaneBesideLists.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)


def test_long_mixed_streams_with_late_and_repeated_rows_agree_with_lists() -> None:
    random = Random(7)
    lane = SampleLane()
    twin: dict[int, list[Row]] = {lane.new_slot(): [] for _ in range(300)}
    weights = [random.random() ** 4 for _ in twin]  # some long sessions, many short ones
    late = 0
    for k in range(30):
        slots = random.choices(list(twin), weights, k=400)
        pairs: list[tuple[int, Row]] = []
        for i, slot in enumerate(slots):
            ts = 1_000 * k + i - (5_000 if random.random() < 0.02 else 0)
            row = (ts, k, 10 * k, random.choice([UNKNOWN, 7]), UNKNOWN, 0)
            if twin[slot] and random.random() < 0.02:
                row = random.choice(twin[slot])
            late += any(ts < other[0] for other in twin[slot])
            twin[slot].append(row)
            pairs.append((slot, row))
        add(lane, pairs)
        due = random.sample(list(twin), 100)
        assert gathered(lane, due) == [in_order(twin[s]) for s in due]
    everything = sorted(twin, key=lambda slot: -slot)
    assert gathered(lane, everything) == [in_order(twin[s]) for s in everything]
    assert lane.duplicates == sum(len(r) - len(set(r)) for r in twin.values()) > 100
    assert late > 100
    assert max(map(len, twin.values())) > 200


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=12))
def test_instants_any_distance_apart_are_sorted_right(instants: list[int]) -> None:
    lane = SampleLane()
    one, other = lane.new_slot(), lane.new_slot()
    rows: list[Row] = [(ts, 0, 0, 0, 0, 0) for ts in instants]
    add(lane, [(slot, row) for row in rows for slot in (one, other)])
    assert gathered(lane, [other, one]) == [in_order(rows)] * 2


def test_rows_of_one_instant_follow_seq_then_register_with_absent_first() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    rows: list[Row] = [
        (5, 1, 9, UNKNOWN, UNKNOWN, 0),
        (5, 2, ABSENT, UNKNOWN, UNKNOWN, 0),
        (5, 2, 3, UNKNOWN, UNKNOWN, 0),
        (5, 2, 3, 0, UNKNOWN, 0),
    ]
    add(lane, [(slot, row) for row in reversed(rows)])
    assert gathered(lane, [slot]) == [rows]


def test_late_rows_are_put_in_their_place_once() -> None:
    lane = SampleLane()
    late, punctual = lane.new_slot(), lane.new_slot()
    rows: list[Row] = [(60_000 * k, k, k, 0, 0, 0) for k in range(6)]
    add(lane, [(late, row) for row in reversed(rows)] + [(punctual, row) for row in rows])
    gathered(lane, [late, punctual])
    lies = [lane._rows.take(lane._places(*lane._distinct([s]))) for s in (late, punctual)]
    assert lies[0].tobytes() == lies[1].tobytes()


def test_rows_that_differ_in_any_one_column_are_all_kept() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    base = (5, 1, 9, 7, 8, 0)
    rows: list[Row] = [base]
    rows += [tuple(n + (i == k) for k, n in enumerate(base)) for i in range(6)]  # type: ignore[misc]
    add(lane, [(slot, row) for row in rows] * 2)
    assert lane.rows(slot) == 14
    assert gathered(lane, [slot]) == [in_order(rows)]
    assert lane.rows(slot) == 7
    assert lane.duplicates == 7


def test_a_repeat_in_a_later_chunk_is_dropped_and_its_block_used_again() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    rows: list[Row] = [(60_000 * k, k, k, 0, 0, 0) for k in range(10)]
    add(lane, [(slot, row) for row in rows])
    gathered(lane, [slot])
    spares = lane._spares
    for _ in range(50):
        add(lane, [(slot, row) for row in rows])
        assert gathered(lane, [slot]) == [rows]
    assert lane.duplicates == 500
    assert lane._spares == spares


def test_slots_without_rows_count_nothing() -> None:
    lane = SampleLane()
    slots = [lane.new_slot() for _ in range(4)]
    row = (1, 1, 1, 1, 1, 0)
    add(lane, [(slots[1], row), (slots[2], row)])
    assert gathered(lane, slots) == [[], [row], [row], []]
    assert gathered(lane, [slots[0]]) == [[]]
    assert gathered(lane, []) == []
    assert lane.events(slots[0]) == set()
    lane.append(np.zeros(0, np.int32), columns([]))
    lane.free([])
    assert lane.duplicates == 0


def test_samples_become_the_tuples_of_the_general_path() -> None:
    lane = SampleLane()
    plain = lane.shape("Sample.Periodic", 1, 2)
    begin = lane.shape("Transaction.Begin", -1, -1)
    assert (lane.shape("Sample.Periodic", 1, 2), lane.shapes[plain][1:]) == (plain, (1, 2))
    slot, other = lane.new_slot(), lane.new_slot()
    full = (20, 4, 1_500, 11_000, 16_000, plain)
    bare = (10, -1, ABSENT, UNKNOWN, UNKNOWN, begin)
    add(lane, [(slot, full), (other, bare), (slot, bare), (slot, full)])
    assert lane.events(slot) == {
        Sample(SAMPLE, 20, 4, "Sample.Periodic", 1_500, None, 11_000, 1, 2, ((CURRENT, 16_000),)),
        Sample(SAMPLE, 10, -1, "Transaction.Begin", None),
    }
    assert lane.events(other) == {Sample(SAMPLE, 10, -1, "Transaction.Begin", None)}


def test_what_was_gathered_stays_as_it_was() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    row = (1, 1, 1, 1, 1, 0)
    add(lane, [(slot, row)])
    _, samples = lane.gather([slot])
    lane.free([slot])
    assert lane.new_slot() == slot  # used again, and empty
    assert gathered(lane, [slot]) == [[]]
    add(lane, [(slot, (2, 2, 2, 2, 2, 0))] * 9_000)
    assert [column.tolist() for column in samples] == [[1], [1], [1], [1], [1], [0]]


@pytest.mark.parametrize("wrong", [-1, 7, 10**6])
def test_slots_not_in_use_are_refused_and_nothing_changes(wrong: int) -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    row = (1, 1, 1, 1, 1, 0)
    add(lane, [(slot, row)])
    with pytest.raises(ValueError, match="slot"):
        add(lane, [(slot, row), (wrong, row)])
    with pytest.raises(ValueError, match="slot"):
        lane.gather([slot, wrong])
    with pytest.raises(ValueError, match="slot"):
        lane.free([slot, wrong])
    with pytest.raises(ValueError, match="slot"):
        lane.rows(wrong)
    assert gathered(lane, [slot]) == [[row]]


def test_a_slot_named_twice_or_freed_twice_is_refused() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    with pytest.raises(ValueError, match="twice"):
        lane.gather([slot, slot])
    with pytest.raises(ValueError, match="twice"):
        lane.free([slot, slot])
    lane.free([slot])
    with pytest.raises(ValueError, match="not in use"):
        lane.free([slot])


def test_columns_of_unequal_length_change_nothing() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    samples = columns([(1, 1, 1, 1, 1, 0)] * 2)
    with pytest.raises(ValueError, match="broadcast"):
        lane.append(np.array([slot] * 3, np.int32), samples)
    assert lane.rows(slot) == 0


def test_memory_is_flat_over_sessions_that_come_and_go() -> None:
    lane = SampleLane()
    random = Random(3)
    open_slots: list[int] = []
    sizes: list[int] = []
    for k in range(600):
        open_slots += [lane.new_slot() for _ in range(20)]
        slots = np.array(random.choices(open_slots, k=500), np.int32)
        n = len(slots)
        ones = np.ones(n, np.int32)
        times = np.full(n, 60_000 * (k // 3))  # repeats and ties among them
        lane.append(slots, Samples(times, ones, times, ones, ones, ones))
        lane.gather(random.sample(open_slots, min(len(open_slots), 50)))
        if len(open_slots) > 300:
            gone, open_slots = open_slots[:20], open_slots[20:]
            lane.free(gone)
        sizes.append(lane.nbytes)
    assert lane.duplicates > 1_000
    assert sizes[60] == sizes[-1]
    lane.free(open_slots)
    assert lane._spares == len(lane._prev)


def test_a_session_of_20_samples_takes_less_than_800_bytes() -> None:
    lane = SampleLane()
    sessions = 20_000
    slots = np.array([lane.new_slot() for _ in range(sessions)], np.int32)
    zeros = np.zeros(sessions, np.int32)
    for k in range(20):
        times = np.full(sessions, 60_000 * k)
        lane.append(slots, Samples(times, zeros, times, zeros, zeros, zeros))
    assert lane.nbytes / sessions < 800
