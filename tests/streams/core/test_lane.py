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
from streams.core.lane_rows import ROW

Row = tuple[int, int, int, int, int, int]
"""In the order of `Samples`."""

KINDS = (np.int64, np.int32, np.int64, np.int32, np.int32, np.int32)

LIMITS = ((0, ABSENT, 2**31 - 1), (1, -1, 2**15 - 1), (2, ABSENT, 2**31 - 1))
"""Column, what says unknown in it, and how far its numbers may be from the slot's first."""

# Few values each, so that ties and equal rows are common; some just as far apart as may be.
ROWS = st.tuples(
    st.sampled_from([0, 1, 2, 3, 60_000, 120_000, 2**31 - 1, 2**31, 1_700_000_000_000]),
    st.sampled_from([-1, 0, 1, 2, 2**15 - 1, 2**15]),
    st.sampled_from([ABSENT, 0, 5, 2**31, 2**31 + 5]),
    st.sampled_from([UNKNOWN, -1, 0, 7_000]),
    st.sampled_from([UNKNOWN, 0, 16_000]),
    st.sampled_from([0, 0, 1, 1, 2**16 - 1, 2**16]),
)


def columns(rows: Sequence[Row]) -> Samples:
    parts = zip(*rows, strict=True) if rows else ((),) * 6
    return Samples(*(np.array(part, kind) for part, kind in zip(parts, KINDS, strict=True)))


def in_order(rows: Iterable[Row]) -> list[Row]:
    """What `gather` promises: sorted, equal rows once. This is the twin."""
    return sorted(set(rows))


class Twin:
    """One slot as a plain list, and the first known number of each column."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.bases: dict[int, int] = {}

    def add(self, row: Row) -> bool:
        """False: a misfit."""
        fits = row[5] < 2**16
        for column, unknown, most in LIMITS:
            if row[column] != unknown:
                base = self.bases.setdefault(column, row[column])
                fits &= abs(row[column] - base) <= most
        if fits:
            self.rows.append(row)
        return fits


def gathered(lane: SampleLane, slots: Sequence[int]) -> list[list[Row]]:
    counts, samples = lane.gather(slots)
    flat: list[Row] = list(zip(*(column.tolist() for column in samples), strict=True))
    ends = np.cumsum(counts).tolist()
    assert len(flat) == sum(counts.tolist())
    return [flat[end - n : end] for n, end in zip(counts.tolist(), ends, strict=True)]


def add(lane: SampleLane, pairs: Sequence[tuple[int, Row]]) -> list[bool]:
    slots = np.array([slot for slot, _ in pairs], np.int32)
    taken: list[bool] = lane.append(slots, columns([row for _, row in pairs])).tolist()
    return taken


class LaneBesideLists(RuleBasedStateMachine):
    """Chunks, gathers and frees in any order; plain lists must always agree."""

    def __init__(self) -> None:
        super().__init__()
        self.lane = SampleLane()
        self.lane.shape("Sample.Periodic", 1, 1)
        self.lane.shape("Transaction.Begin", -1, -1)
        self.twin: dict[int, Twin] = {}
        self.dropped = 0

    @rule(count=st.integers(1, 4))
    def sessions_open(self, count: int) -> None:
        for _ in range(count):
            slot = self.lane.new_slot()
            assert slot not in self.twin
            self.twin[slot] = Twin()

    @precondition(lambda self: self.twin)
    @rule(data=st.data())
    def a_chunk_arrives(self, data: st.DataObject) -> None:
        slots = st.sampled_from(sorted(self.twin))
        pairs = data.draw(st.lists(st.tuples(slots, ROWS), max_size=20))
        assert add(self.lane, pairs) == [self.twin[slot].add(row) for slot, row in pairs]

    @precondition(lambda self: self.twin)
    @rule(data=st.data())
    def some_sessions_are_due(self, data: st.DataObject) -> None:
        due = data.draw(st.lists(st.sampled_from(sorted(self.twin)), unique=True))
        expected = [in_order(self.twin[slot].rows) for slot in due]
        assert gathered(self.lane, due) == expected
        for slot, rows in zip(due, expected, strict=True):
            self.dropped += len(self.twin[slot].rows) - len(rows)
            self.twin[slot].rows = rows

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
        assert {slot: int(self.lane.held([slot])[0]) for slot in self.twin} == {
            slot: len(twin.rows) for slot, twin in self.twin.items()
        }

    @invariant()
    def every_block_has_one_owner(self) -> None:
        lane = self.lane
        held = np.array([len(twin.rows) for twin in self.twin.values()], np.int64)
        used = lane._blocks(np.array(list(self.twin), np.int64), held).tolist()
        spare = lane._spare[: lane._spares].tolist()
        assert sorted(used + spare) == list(range(lane._begun))

    def teardown(self) -> None:
        slots = list(self.twin)
        assert gathered(self.lane, slots) == [in_order(self.twin[s].rows) for s in slots]


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


FAR = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(st.one_of(FAR, st.integers(-4, 2**32)), FAR), min_size=2, max_size=12))
def test_numbers_any_distance_apart_come_back_right_or_not_at_all(
    pairs: list[tuple[int, int]],
) -> None:
    lane, twin = SampleLane(), Twin()
    one, other = lane.new_slot(), lane.new_slot()
    rows: list[Row] = [(ts, 0, register, 0, 0, 0) for ts, register in pairs]
    taken = [twin.add(row) for row in rows]
    both = [fits for fits in taken for _ in (one, other)]
    assert add(lane, [(slot, row) for row in rows for slot in (one, other)]) == both
    assert gathered(lane, [other, one]) == [in_order(twin.rows)] * 2


BASE: Row = (1_700_000_000_000, 40_000, 60_000_000_000, 7_000, 16_000, 0)


@pytest.mark.parametrize(("column", "most"), [(c, most) for c, _, most in LIMITS])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_sample_at_the_limit_is_taken_and_one_beyond_it_never(
    column: int, most: int, sign: int
) -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    at, beyond = (apart(BASE, column, sign * far) for far in (most, most + 1))
    assert add(lane, [(slot, row) for row in (BASE, at, beyond)]) == [True, True, False]
    for _ in range(3):
        assert add(lane, [(slot, beyond)]) == [False]
        assert gathered(lane, [slot]) == [in_order([BASE, at])]
        add(lane, [(slot, at)])
    lane.free([slot])
    assert lane.new_slot() == slot
    assert add(lane, [(slot, beyond), (slot, BASE)]) == [True, False]


def apart(row: Row, column: int, far: int) -> Row:
    changed = list(row)
    changed[column] += far
    return tuple(changed)  # type: ignore[return-value]


def test_a_jump_of_months_is_a_misfit_and_what_follows_it_as_well() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    before = [apart(BASE, 0, 60_000 * k) for k in range(3)]
    after = [apart(row, 0, 90 * 86_400_000) for row in before]
    assert add(lane, [(slot, row) for row in before + after]) == [True] * 3 + [False] * 3
    assert add(lane, [(slot, row) for row in after + before]) == [False] * 3 + [True] * 3
    assert gathered(lane, [slot]) == [before]


def test_bases_wait_for_the_first_number_that_is_known() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    unknown = (BASE[0], -1, ABSENT, UNKNOWN, UNKNOWN, 0)
    counted = (BASE[0] + 1, 2**31 - 1, ABSENT, 0, 0, 0)
    metered = (BASE[0] + 2, -1, 2**62, 0, 0, 0)
    back = (BASE[0] + 3, 2**31 - 2**15, 2**62 - 2**31 + 1, 0, 0, 0)
    rows = [unknown, counted, metered, back]
    for row in rows:
        assert add(lane, [(slot, row)]) == [True]
    assert add(lane, [(slot, apart(back, 1, -1)), (slot, apart(back, 2, -1))]) == [False, False]
    assert gathered(lane, [slot]) == [rows]


def test_a_number_less_than_unknown_is_a_misfit() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    rows: list[Row] = [(5, seq, 0, 0, 0, 0) for seq in (-2, 3, -1, 3 - 2**15)]
    assert add(lane, [(slot, row) for row in rows]) == [False, True, True, False]
    assert gathered(lane, [slot]) == [[rows[2], rows[1]]]


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
    lies = []
    for slot in (late, punctual):
        blocks = lane._blocks(*lane._distinct([slot]))
        stored = lane._rows[(blocks[:, None] * 4 + np.arange(4)).ravel()[:6]]
        lies.append((stored.view(ROW)["ts"] - stored.view(ROW)["ts"][0]).tolist())
    assert lies == [[60_000 * k for k in range(6)]] * 2


def test_rows_that_differ_in_any_one_column_are_all_kept() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    base = (5, 1, 9, 7, 8, 0)
    rows: list[Row] = [base]
    rows += [tuple(n + (i == k) for k, n in enumerate(base)) for i in range(6)]  # type: ignore[misc]
    add(lane, [(slot, row) for row in rows] * 2)
    assert lane.held([slot]) == 14
    assert gathered(lane, [slot]) == [in_order(rows)]
    assert lane.held([slot]) == 7
    assert lane.duplicates == 7


def test_a_repeat_in_a_later_chunk_is_dropped_and_its_block_used_again() -> None:
    lane = SampleLane()
    slot = lane.new_slot()
    rows: list[Row] = [(60_000 * k, k, k, 0, 0, 0) for k in range(10)]
    add(lane, [(slot, row) for row in rows])
    gathered(lane, [slot])
    used = lane._begun - lane._spares
    for _ in range(50):
        add(lane, [(slot, row) for row in rows])
        assert gathered(lane, [slot]) == [rows]
    assert lane.duplicates == 500
    assert (lane._begun - lane._spares, lane._begun) == (used, used + 2)


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
        lane.held([wrong])
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
    with pytest.raises(ValueError, match="unequal"):
        lane.append(np.array([slot] * 3, np.int32), samples)
    assert lane.held([slot]) == 0


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
    assert lane._spares == lane._begun


def test_a_session_of_20_samples_takes_less_than_500_bytes() -> None:
    lane = SampleLane()
    sessions = 20_000
    slots = np.array([lane.new_slot() for _ in range(sessions)], np.int32)
    zeros = np.zeros(sessions, np.int32)
    for k in range(20):
        times = np.full(sessions, 60_000 * k)
        lane.append(slots, Samples(times, zeros, times, zeros, zeros, zeros))
    assert lane.nbytes / sessions < 500
