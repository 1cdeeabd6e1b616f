"""Pricing in columns must say what `price` and `accrue` say, session by session."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.units import SLICE_MS
from streams.core.columns import Ints, PricedMany
from streams.core.pricing.accrual import accrue
from streams.core.pricing.compiled import Compiled
from streams.core.pricing.engine import price
from streams.core.pricing.many import Volumes, can_price_many, price_many
from streams.core.pricing.model import ENERGY, FLAT, PARKING_TIME, TIME
from streams.core.pricing.priced import Line, Money, Priced
from streams.core.pricing.usage import Flow, Usage
from streams.core.slices import Slice
from tests.streams.core.pricing.pricing_kit import BERLIN, compiled

Json = dict[str, Any]

DAY_0 = 1_772_582_400_000
"""An instant on a slice border, epoch ms."""

USUAL = 4_000_000
"""4 kWh, or a bit more than an hour."""


class Stay(NamedTuple):
    """The totals of one session and its slices: (energy mWh, charging ms, idle ms) each."""

    start_ms: int
    end_ms: int
    energy_mwh: int
    charging_ms: int
    parking_ms: int
    first_slice_ms: int
    slices: tuple[tuple[int, int, int], ...]


def component(kind: str, price: object, step: int = 0, **more: object) -> Json:
    return {"type": kind, "price": price, "step_size": step, **more}


def tariff(*components: Json, **more: object) -> Json:
    elements = [{"price_components": list(components)}] if components else []
    return {"id": "T", "currency": "EUR", "elements": elements, **more}


TARIFFS: dict[str, Json] = {
    "energy": tariff(component(ENERGY, "0.25")),
    "energy and flat": tariff(component(ENERGY, "0.499"), component(FLAT, "0.5")),
    "flat before energy, with VAT": tariff(
        component(FLAT, "0.35", vat=25), component(ENERGY, "0.3999", 1, vat=25)
    ),
    "energy, time and parking": tariff(
        component(ENERGY, "0.31", 1000, vat=25),
        component(TIME, "1.2", 60, vat=25),
        component(PARKING_TIME, "7", 300, vat=25),
    ),
    "parking first, time stepped": tariff(
        component(PARKING_TIME, "0.333"), component(TIME, "2.5", 900), component(ENERGY, "0", 7)
    ),
    "time only, VAT of thirds": tariff(component(TIME, "1", 1, vat="33.33")),
    "two VAT rates": tariff(
        component(ENERGY, "0.3", vat=25), component(FLAT, "0.333", vat=12), component(TIME, "0.1")
    ),
    "no tax beside 0 %": tariff(component(FLAT, "0.005"), component(ENERGY, "0.1", vat=0)),
    "tax included": tariff(
        component(ENERGY, "0.59", 1, taxes=[{"name": "VAT", "percentage": "8.1"}]),
        component(FLAT, "0.5", taxes=[{"name": "VAT", "percentage": "8.1"}]),
        tax_included="YES",
    ),
    "tax included, two rates": tariff(
        component(ENERGY, "0.59", 1, taxes=[{"name": "VAT", "percentage": "19"}]),
        component(PARKING_TIME, "0.5", taxes=[{"name": "VAT", "percentage": "7"}]),
        tax_included="YES",
    ),
    "tax not applicable": tariff(
        component(ENERGY, "0.59", vat=25), component(TIME, "0.5", vat=12), tax_included="N/A"
    ),
    "prices of zero": tariff(component(ENERGY, 0, 1000, vat=25), component(PARKING_TIME, "0", 60)),
    "negative energy, positive flat": tariff(
        component(ENERGY, "-0.07", 500, vat=25), component(FLAT, "0.2", vat=25)
    ),
    "negative flat": tariff(component(FLAT, "-0.0000005"), component(ENERGY, "0.05", 1)),
    "halves": tariff(component(ENERGY, "0.5"), component(TIME, "1.8", vat=100)),
    "negative halves": tariff(component(ENERGY, "-0.5", vat=100)),
    "many digits": tariff(component(ENERGY, "0.12345", 1, vat="7.77")),
    "large prices": tariff(component(ENERGY, "1234567.89", vat=25), component(FLAT, 10**6)),
    "second element of the same kind": {
        **tariff(component(ENERGY, "0.2")),
        "elements": [
            {"price_components": [component(ENERGY, "0.2"), component(ENERGY, "0.9")]},
            {"price_components": [component(FLAT, "1"), component(ENERGY, "0.7")]},
        ],
    },
    "reservation beside it": {
        **tariff(),
        "elements": [
            {
                "price_components": [component(FLAT, 3), component(TIME, "4")],
                "restrictions": {"reservation": "RESERVATION"},
            },
            {"price_components": [component(ENERGY, "0.2", 1), component(FLAT, "0.1")]},
        ],
    },
    "nothing priced": {
        **tariff(),
        "elements": [
            {
                "price_components": [component(FLAT, 3)],
                "restrictions": {"reservation": "RESERVATION"},
            }
        ],
    },
}
READY = {name: compiled(document) for name, document in TARIFFS.items()}


def volumes_of(stays: Sequence[Stay]) -> Volumes:
    def column(name: str) -> Ints:
        return np.array([getattr(stay, name) for stay in stays], np.int64)

    parts = [part for stay in stays for part in stay.slices]
    starts = [s.first_slice_ms + k * SLICE_MS for s in stays for k in range(len(s.slices))]
    return Volumes(
        column("start_ms"),
        column("end_ms"),
        column("energy_mwh"),
        column("charging_ms"),
        column("parking_ms"),
        np.array([len(stay.slices) for stay in stays], np.int64),
        np.array(starts, np.int64),
        *(np.array([part[i] for part in parts], np.int64) for i in range(3)),
    )


def no_flows() -> tuple[Flow, ...]:
    pytest.fail("a plain tariff needs no flows")


def one_by_one(tariff: Compiled, stay: Stay) -> tuple[Priced, list[Money]]:
    usage = Usage(*stay[:5], flows=no_flows, zone=BERLIN)
    priced = price(tariff, usage)
    slices = [
        Slice(stay.first_slice_ms + k * SLICE_MS, part[0], 0, part[1], part[2])
        for k, part in enumerate(stay.slices)
    ]
    return priced, accrue(priced, usage, slices)


def told(many: PricedMany, tariff: Compiled, p: int) -> list[tuple[Any, ...]]:
    """The lines of session p, with the names of the lines that `price` makes."""
    return [
        (
            line.dimension,
            *tariff.components[line.rule.component],
            line.rule.tax_share,
            int(line.quantity[p]),
            int(line.billed[p]),
            int(line.start_ms[p]),
            int(line.end_ms[p]),
            Money(int(line.excl_micro[p]), int(line.incl_micro[p])),
        )
        for line in many.lines
        if line.present[p]
    ]


def expected(priced: Priced) -> list[tuple[Any, ...]]:
    def of(line: Line, micro: Money) -> tuple[Any, ...]:
        named = (line.dimension, line.element, line.component, line.tax_share)
        return (*named, line.quantity, line.billed, line.start_ms, line.end_ms, micro)

    return [of(*both) for both in zip(priced.lines, priced.line_micro(), strict=True)]


def assert_alike(tariff: Compiled, stays: Sequence[Stay], exponent: int = 2) -> PricedMany:
    """Compares every session that was priced; returns what was."""
    many = price_many(tariff, exponent, volumes_of(stays))
    unit = 10 ** (6 - exponent)
    at = 0
    for p, stay in enumerate(stays):
        begin, at = at, at + len(stay.slices)
        if not many.ok[p]:
            continue
        priced, amounts = one_by_one(tariff, stay)
        assert told(many, tariff, p) == expected(priced)
        assert (many.excl_micro[p], many.incl_micro[p]) == priced.micro
        rounded = priced.rounded(exponent)
        assert many.rounded_excl_micro[p] == rounded.excl * unit
        assert many.rounded_incl_micro[p] == rounded.incl * unit
        spread = zip(many.slice_excl_micro[begin:at], many.slice_incl_micro[begin:at], strict=True)
        assert list(spread) == amounts
    return many


def random_stay(random: Random) -> Stay:
    """Mostly sums that agree with their slices; now and then none, or some that do not."""

    def volume(top: int) -> int:
        return random.randrange(top + 1) * (random.random() < 0.8)

    count = random.choice((0, 1, 1, 2, 3, 3, 8, 40))
    start = DAY_0 + random.randrange(10**9)
    start -= start % SLICE_MS if random.random() < 0.2 else 0
    first = start // SLICE_MS * SLICE_MS
    first += random.choice((0,) * 8 + (SLICE_MS, -2 * SLICE_MS))  # a fee due outside is clamped
    tops = [random.choice((0, 1, 10, SLICE_MS, 20_000_000)) for _ in range(3)]
    parts = [(volume(tops[0]), volume(tops[1]), volume(tops[2])) for _ in range(count)]
    if parts:
        sums = [sum(part[i] for part in parts) for i in range(3)]
    else:
        sums = [random.randrange(top + 1) for top in tops]
    if random.random() < 0.15:
        sums[random.randrange(3)] = random.choice((0, 1, 900_000, 10**9))
    end = start + random.choice((0, 1, SLICE_MS * max(1, count)))
    return Stay(start, end, sums[0], sums[1], sums[2], first, tuple(parts))


@pytest.mark.parametrize("name", READY)
def test_many_sessions_cost_what_each_costs_alone(name: str) -> None:
    random = Random(name)
    stays = [random_stay(random) for _ in range(250)]

    many = assert_alike(READY[name], stays)

    assert many.ok.all()


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [0, 2, 3, 4])
@pytest.mark.parametrize("name", READY)
def test_a_great_many_sessions_cost_what_each_costs_alone(name: str, exponent: int) -> None:
    random = Random(f"{name} {exponent}")

    many = assert_alike(READY[name], [random_stay(random) for _ in range(4_000)], exponent)

    assert many.ok.all()


def small_or_large() -> st.SearchStrategy[int]:
    large = st.sampled_from([10**12, 10**15, 10**17, 2**61, 2**62, 2**63 - 1])
    return st.one_of(st.integers(0, 5), st.integers(0, USUAL), large)


@st.composite
def stays(draw: st.DrawFn) -> Stay:
    parts = draw(st.lists(st.tuples(*[small_or_large()] * 3), max_size=5))
    sums = [min(sum(part[i] for part in parts), 2**63 - 1) for i in range(3)]
    if not parts or draw(st.booleans()):
        sums = [draw(small_or_large()) for _ in range(3)]
    start = DAY_0 + draw(st.sampled_from([0, 1, SLICE_MS - 1, SLICE_MS, 5 * SLICE_MS + 7]))
    length = draw(st.sampled_from([0, 1, SLICE_MS, 3_600_000]))
    return Stay(start, start + length, sums[0], sums[1], sums[2], DAY_0, tuple(parts))


amounts = st.decimals(-2, 100, places=3).map(str)
vats = st.sampled_from([None, 0, "7", "8.1", 12, "19", "25"])


@st.composite
def plain_tariffs(draw: st.DrawFn) -> Json:
    found = []
    for kind in draw(st.permutations([ENERGY, TIME, PARKING_TIME, FLAT])):
        if draw(st.integers(0, 3)):
            vat = draw(vats)
            step = draw(st.sampled_from([0, 1, 60, 1000]))
            more = {} if vat is None else {"vat": vat}
            found.append(component(kind, draw(amounts), step, **more))
    if not found:
        found.append(component(ENERGY, draw(amounts)))
    return tariff(*found, tax_included=draw(st.sampled_from(["YES", "NO", "N/A"])))


@given(plain_tariffs(), st.lists(stays(), max_size=6), st.sampled_from([0, 2, 3]))
def test_any_plain_tariff_prices_any_sessions_alike(
    document: Json, found: list[Stay], exponent: int
) -> None:
    ready = compiled(document)
    vast = document["tax_included"] == "YES"  # three odd rates make a scale of 10^13
    assert vast or can_price_many(ready)
    assume(can_price_many(ready))

    many = assert_alike(ready, found, exponent)

    for p, stay in enumerate(found):
        largest = max(*stay[2:5], *(n for part in stay.slices for n in part))
        assert many.ok[p] or largest > USUAL or vast


@given(st.data())
def test_rounding_turns_exactly_at_the_half(data: st.DataObject) -> None:
    """0.5 and 1.0 micro-units a mWh, so every odd mWh is a tie, also a negative one."""
    name = data.draw(st.sampled_from(["halves", "negative halves"]))
    energies = data.draw(st.lists(st.integers(-5, 5), min_size=1, max_size=4))
    stay = Stay(DAY_0, DAY_0, sum(energies), 0, 0, DAY_0, tuple((e, 0, 0) for e in energies))
    odd = Stay(DAY_0, DAY_0, 5_000 * data.draw(st.integers(-9, 9)), 0, 0, DAY_0, ())

    assert assert_alike(READY[name], [stay, odd, stay], data.draw(st.sampled_from([2, 4]))).ok.all()


@pytest.mark.parametrize("exponent", [0, 2, 3])
def test_minor_units_are_told_in_micro_units(exponent: int) -> None:
    many = price_many(READY["energy"], exponent, volumes_of([plain_stay(6_000_000)]))

    assert many.incl_micro.tolist() == [1_500_000]
    assert many.rounded_incl_micro.tolist() == [
        {0: 2_000_000, 2: 1_500_000, 3: 1_500_000}[exponent]
    ]


def plain_stay(energy: int, **more: Any) -> Stay:
    return Stay(DAY_0, DAY_0 + 1, energy, 0, 0, DAY_0, ((energy, 0, 0),))._replace(**more)


@pytest.mark.parametrize(
    "odd",
    [
        plain_stay(2**62),
        plain_stay(10**18),
        plain_stay(-(2**63)),
        plain_stay(5, slices=((2**62, 0, 0), (5 - 2**62, 0, 0))),
        plain_stay(5, slices=((2**62, 0, 0),) * 4),  # whose sum is 0 in 64 bits
        plain_stay(5, charging_ms=2**63 - 1),
        plain_stay(5, parking_ms=2**63 - 1),
    ],
)
def test_numbers_too_large_are_left_to_the_slow_path_alone(odd: Stay) -> None:
    usual = plain_stay(30_000_000, slices=((10_000_000, 0, 0), (20_000_000, 0, 0)))

    many = assert_alike(READY["energy, time and parking"], [usual, odd, usual])

    assert many.ok.tolist() == [True, False, True]


def test_a_step_that_makes_little_energy_a_fortune_is_left_to_the_slow_path() -> None:
    ready = compiled(tariff(component(ENERGY, "1000", 10**15)))

    assert assert_alike(ready, [plain_stay(0), plain_stay(1)]).ok.tolist() == [False, False]


def test_the_step_of_a_fee_means_nothing() -> None:
    ready = compiled(tariff(component(ENERGY, "0.001", vat="8.1"), component(FLAT, "9", 10**9)))

    assert assert_alike(ready, [plain_stay(0), plain_stay(7)]).ok.all()


@pytest.mark.parametrize("name", [name for name in READY if name != "large prices"])
def test_a_lorry_that_charges_and_stands_for_a_month_is_priced_in_columns(name: str) -> None:
    parts = ((350_000, SLICE_MS, 0), (0, 0, SLICE_MS)) * 1488
    sums = [sum(part[i] for part in parts) for i in range(3)]
    stay = Stay(DAY_0, DAY_0 + 2976 * SLICE_MS, sums[0], sums[1], sums[2], DAY_0, parts)

    assert assert_alike(READY[name], [stay]).ok.all()


def test_amounts_just_below_the_bound_are_exact() -> None:
    edge = [plain_stay(2**k + more, slices=()) for k in range(30, 63) for more in (-1, 0, 1)]

    for ready in READY.values():
        many = assert_alike(ready, edge)
        assert many.ok[0]
        assert not many.ok.all() or ENERGY not in {line.dimension for line in many.lines}


def test_a_negative_quantity_that_its_step_brings_to_nothing_costs_nothing() -> None:
    stay = plain_stay(-5, slices=((-3, 0, 0), (-2, 0, 0)))
    ready = compiled(tariff(component(ENERGY, "0.3", 1), component(FLAT, "0.1")))

    assert assert_alike(ready, [stay, plain_stay(-1005), stay]).ok.all()


@pytest.mark.parametrize("name", READY)
def test_no_sessions_cost_nothing(name: str) -> None:
    many = price_many(READY[name], 2, volumes_of([]))

    assert len(many.ok) == len(many.excl_micro) == len(many.slice_incl_micro) == 0


def test_sessions_without_any_slice_are_priced() -> None:
    for ready in READY.values():
        assert assert_alike(ready, [plain_stay(7_777, slices=())] * 3).ok.all()


@pytest.mark.parametrize(
    "document",
    [
        tariff(component(ENERGY, "0.3"), min_price={"excl_vat": 1}),
        tariff(component(ENERGY, "0.3"), max_price={"excl_vat": 1}),
        tariff(component(ENERGY, "0.3" + "1" * 25)),
        tariff(component(ENERGY, "0.123456789", vat="7.77")),  # 50.00 would be 5 × 10^20
        tariff(component(ENERGY, "0.3", 10**17)),
        {
            **tariff(),
            "elements": [
                {
                    "price_components": [component(ENERGY, "0.3")],
                    "restrictions": {"start_time": "08:00", "end_time": "20:00"},
                },
                {"price_components": [component(ENERGY, "0.2")]},
            ],
        },
    ],
)
def test_tariffs_beyond_columns_are_refused(document: Json) -> None:
    ready = compiled(document)

    assert not can_price_many(ready)
    with pytest.raises(ValueError, match="'T' is not for pricing in columns"):
        price_many(ready, 2, volumes_of([]))


def test_every_tariff_of_these_tests_is_priced_in_columns() -> None:
    assert all(can_price_many(ready) for ready in READY.values())
