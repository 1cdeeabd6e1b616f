"""Tables made of columns are those of the general path, to the last byte of the schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.arrow import MONEY, scaled, times
from streams.charge_words import ChargeWords
from streams.core.columns import ABSENT
from streams.core.events import (
    ENDED,
    SAMPLE,
    STARTED,
    STATE,
    CoreEvent,
    Ended,
    Sample,
    Started,
    StateChanged,
)
from streams.core.pricing.model import Component, Element, Restrictions, Tariff, Tax
from streams.core.pricing.priced import Line
from streams.core.pricing.words import because
from streams.core.session import Connector, Session, Station
from streams.many_arrow import Coded, instants
from streams.many_rows import decimals, tables
from streams.many_sentences import Kinds, Lines, sentences
from streams.session_rows import Derived, derive_session
from streams.session_tables import session_tables
from tests.streams.many_kit import STATIONS, columns_of, known

MARCH, SPRING, AUTUMN, HOWE = 1_772_445_600_000, 1_774_742_400_000, 1_792_886_400_000, (
    1_775_311_200_000
)  # fmt: skip
"""2026-03-02T10Z; the hours before clocks change: 03-29T00Z, 10-25T00Z, 04-04T14Z (Lord Howe)."""

MINUTE, QUARTER = 60_000, 900_000
CATALOGUE = known()


def drawn(random: Random, number: int) -> Session:
    """Any session of the kinds that columns are made of."""
    of = random.choice
    owner = ("u", "S1") if random.random() < 0.05 else ("t", of(list(STATIONS)))
    session = Session(Station(owner, 0), UUID(int=random.getrandbits(128)), of(
        ["ocpp2.1", "ocpp2.0.1"]))  # fmt: skip
    session.answers_to(f"tx{number}")
    base = of([MARCH, MARCH, MARCH, SPRING, AUTUMN, HOWE, 0])
    start = base + of([0, 0, 1, 500, 1000, 61_000, random.randrange(7_200_000)])
    length = of([0, 1, 999, 1000, MINUTE, QUARTER, QUARTER + 1000, 5_400_000, 5_400_000,
                 random.randrange(20_000) * 1000, 300_000_000, 61 * 86_400_000])  # fmt: skip
    events: set[CoreEvent] = {
        Started(STARTED, start, 0, of([None, 0, 5_000_000]), of(["", "A", "C1", f"n{number}"]),
                of([-1, 1]), of([-1, 2]), of(["", "Charging"]), of(["", "Harbour"]))
    }  # fmt: skip
    register = of([0, 5_000_000])
    count = of([0, 1, 2, 5])
    for i in range(count):
        register += of([0, 1, 999_999, 2_345_678, 4_000_000, -1_000])
        power = of([None, None, 11_000_000])
        at = start + length * (i + 1) // (count + 1)
        events.add(Sample(SAMPLE, at, i + 1, "Sample.Periodic", register, None, power, -1, 2))
    if random.random() < 0.4:
        at = start + random.randrange(length + 1)
        events.add(StateChanged(STATE, at, count + 1, of(["Idle", "Charging", "SuspendedEVSE"])))
    if random.random() < 0.75:
        meter = of([None, register, register + 1_500_000])
        events.add(
            Ended(
                ENDED, start + length, of([-1, count + 2]), meter, "", of(["", "Local", "Remote"])
            )
        )
    session.events = events
    session.start_ts = start
    session.connector = Connector()
    session.connector.last_start = start + of([0, 0, 0, 1])
    return session


def derived_of(random: Random, count: int) -> list[Derived]:
    rows = [derive_session(drawn(random, i), CATALOGUE) for i in range(count)]
    return [row for row in rows if row is not None]


def equal(derived: Sequence[Derived]) -> None:
    expected = session_tables(derived, ChargeWords(), CATALOGUE)
    found = tables(columns_of(derived, CATALOGUE), ChargeWords())
    assert [name for name, _ in found] == [name for name, _ in expected]
    for (name, mine), (_, theirs) in zip(found, expected, strict=True):
        assert mine.schema.equals(theirs.schema, check_metadata=True), name
        mine.validate(full=True)
        for column in theirs.column_names:
            assert mine[column].equals(theirs[column]), (name, column)
        assert mine.equals(theirs)


@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_columns_become_the_tables_of_the_general_path(random: Random, count: int) -> None:
    equal(derived_of(random, count))


def test_many_sessions_of_all_kinds_become_the_same_tables() -> None:
    derived = derived_of(Random(7), 1500)

    statuses = Counter(d.facts.status for d in derived)
    reasons = Counter(d.facts.quarantine_reason for d in derived)
    unpriced = Counter(d.unpriced_reason for d in derived)
    lines = [line for d in derived if d.priced is not None for line in d.priced.lines]
    assert min(statuses[s] for s in ("active", "ended", "ended_gaps", "ended_estimated")) > 20
    assert {"", "not_ended", "clock_bad", "implausible_duration"} <= set(reasons)
    assert set(unpriced) == {"", "no_tariff", "tariff_missing", "tariff_refused", "not_billed"}
    assert any(not d.slices for d in derived)
    assert sum(line.quantity != line.billed for line in lines) > 100
    assert sum(line.start_ms == line.end_ms and line.dimension == "TIME" for line in lines) == 0
    assert {line.dimension for line in lines} == {"ENERGY", "TIME", "PARKING_TIME", "FLAT"}
    equal(derived)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_very_many_sessions_become_the_same_tables(seed: int) -> None:
    equal(derived_of(Random(1000 + seed), 3000))


def test_sessions_without_slices_or_prices_leave_their_tables_out() -> None:
    random = Random(1)
    lone = [d for d in derived_of(random, 300) if not d.slices and d.priced is None]
    unpriced = [d for d in derived_of(random, 60) if d.priced is None]

    assert [name for name, _ in tables(columns_of(lone, CATALOGUE), ChargeWords())] == ["sessions"]
    equal(lone)
    equal(unpriced)
    assert tables(columns_of([], CATALOGUE), ChargeWords()) == []


def test_nearly_all_sentences_come_from_the_text_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    derived = derived_of(Random(3), 600)
    columns = columns_of(derived, CATALOGUE)
    asked: list[Line] = []
    sentence = ChargeWords.sentence

    def counted(self: ChargeWords, line: Line, *rest: object) -> str:
        asked.append(line)
        return sentence(self, line, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ChargeWords, "sentence", counted)
    found = dict(tables(columns, ChargeWords()))

    usual = [line for line in asked if MARCH <= line.start_ms < line.end_ms < MARCH + 10**8]
    assert found["session_charges"].num_rows > 250
    assert usual == []


ZONES = [ZoneInfo(z) for z in ("Europe/Stockholm", "UTC", "Australia/Lord_Howe", "Asia/Gaza")]
PRICES = {"ENERGY": (3, 250), "TIME": (0, 60), "PARKING_TIME": (7, 300), "FLAT": (5, 1)}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(PRICES)),
            st.one_of(
                st.integers(-(10**7), 10**10), st.integers(0, 90_000).map(lambda s: s * 1000)
            ),
            st.sampled_from([None, None, 0, 1, 7]),
            st.integers(0, 2 * 10**12) | st.integers(SPRING - 10**7, SPRING + 10**7),
            st.sampled_from([0, 1, 999, 1000, MINUTE, QUARTER, 86_400_000]),
            st.booleans(),
            st.integers(0, len(ZONES) - 1),
        ),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(["NO", "YES", "N/A"]),
)
def test_joined_sentences_say_what_because_says(
    drawn_lines: list[tuple[str, int, int | None, int, int, bool, int]], included: str
) -> None:
    """Rounded up to steps (None: as counted), by a remainder that is no whole step too."""
    vat = (Tax("VAT", Fraction(1, 4)),)
    parts = {d: Component(d, Fraction(p, 2), "", vat, step) for d, (p, step) in PRICES.items()}
    restrictions = Restrictions(max_power_mw=11_000_000)
    tariff = Tariff("x", "EUR", (Element(4, tuple(parts.values()), restrictions),), included)
    say, names = ChargeWords(), list(PRICES)
    lines = []
    for dimension, quantity, extra, begin, length, whole, zone in drawn_lines:
        step = parts[dimension].step_size * 1000
        start = begin // 1000 * 1000 if whole else begin
        billed = quantity if extra is None else -(-quantity // step) * step + extra * (extra % 2)
        if dimension == "FLAT":
            quantity, billed, length = 1, 1, 0  # noqa: PLW2901
        lines.append((
            Line(dimension, False, 4, parts[dimension], quantity, billed, start, start + length, 1,
                 Fraction(1, 4), 0, 0), zone,
        ))  # fmt: skip
    first = {line.dimension: line for line, _ in lines}
    known_of = {d: say.known(line, tariff, ZONES[0]) for d, line in first.items()}
    kinds = Kinds(names, [known_of.get(d, next(iter(known_of.values()))) for d in names])
    columns = Lines(
        np.array([names.index(line.dimension) for line, _ in lines]),
        np.array([zone for _, zone in lines]),
        *(np.array([getattr(line, name) for line, _ in lines])
          for name in ("quantity", "billed", "start_ms", "end_ms")),
    )  # fmt: skip

    def one(i: int) -> str:
        line, zone = lines[i]
        return say.sentence(line, known_of[line.dimension], tariff, ZONES[zone])

    expected = [because(line, restrictions, "EUR", ZONES[z], tax_included=included)
                for line, z in lines]  # fmt: skip
    assert [one(i) for i in range(len(lines))] == expected
    assert sentences(columns, kinds, ZONES, one).to_pylist() == expected


BIG = st.integers(-(2**63) + 1, 2**63 - 1)


@given(st.lists(st.none() | st.integers(-(10**17), 10**17)))
def test_decimals_and_instants_are_those_of_lists(values: list[int | None]) -> None:
    column = np.array([ABSENT if v is None else v for v in values], np.int64)

    assert decimals(column, MONEY, column == ABSENT).equals(scaled(values, MONEY))
    assert instants(column, column == ABSENT).equals(times(values))


@given(st.lists(st.integers(-5, 5) | BIG))
def test_codes_count_keys_in_the_order_of_first_appearance(keys: list[int]) -> None:
    coded = Coded(np.array(keys, np.int64))

    assert coded.keys.tolist() == list(dict.fromkeys(keys))
    assert coded.spread(coded.keys).tolist() == keys
    assert coded.codes.type == pa.int32()
