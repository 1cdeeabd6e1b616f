"""Mending: what it does, that it is done once, and that it keeps prices where it must."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from streams.core.ocpi.fix import mend
from streams.core.ocpi.tariffs import read_tariff, tariffs_in
from streams.core.pricing.compiled import compile_tariff
from streams.core.pricing.engine import price
from streams.core.pricing.usage import Flow, usage_of
from tests.streams.core.ocpi.tariff_texts import (
    NOW_MS,
    component,
    element,
    json_values,
    tariff,
    tariffs,
)

HOUR = 3_600_000


def kept(document: dict[str, Any]) -> dict[str, Any]:
    return mend(document, NOW_MS, changes=False).document


def changed(document: dict[str, Any]) -> dict[str, Any]:
    return mend(document, NOW_MS, changes=True).document


def test_spelling_is_mended_and_said() -> None:
    sloppy = tariff(
        element(component("energy", "0,25"), start_time="8:00", end_time="17.00"),
        element(component(price=Decimal("0.300000"))),
        tariff_alt_url=None,
        curency="SEK",
    )
    mended = mend(sloppy, NOW_MS, changes=False)

    assert mended.document == tariff(
        element(component("ENERGY", Decimal("0.25")), start_time="08:00", end_time="17:00"),
        element(component(price=Decimal("0.3"))),
        curency="SEK",
    )
    assert "/elements/0/restrictions/start_time: '8:00' is now '08:00'." in mended.did
    assert len(mended.did) == 6


def test_a_field_whose_price_would_change_needs_leave() -> None:
    sloppy = tariff(element(component(), mx_kwh=5), element(component(price=1)))

    assert kept(sloppy) == sloppy
    assert changed(sloppy)["elements"][0]["restrictions"] == {"max_kwh": 5}


def test_a_misspelt_required_field_priced_nothing_and_is_mended() -> None:
    sloppy = tariff(element({"type": "ENERGY", "prise": 1, "step_size": 1}))
    assert kept(sloppy) == tariff(element(component(price=1)))


def test_what_is_never_reached_goes() -> None:
    doubled = tariff(
        element(component(), component(price=1), day_of_week=["SUNDAY"]),
        element(component(price=2), day_of_week=["SUNDAY"], min_kwh=5),
        element(component(price=3)),
    )
    assert kept(doubled)["elements"] == [
        element(component(), day_of_week=["SUNDAY"]),
        element(component(price=3)),
    ]


def test_a_fallback_moves_last_with_leave_only() -> None:
    first = tariff(element(component()), element(component(price=1), day_of_week=["SUNDAY"]))

    assert kept(first) == first
    assert changed(first)["elements"] == [first["elements"][1], first["elements"][0]]


def test_with_leave_reversed_bounds_limits_and_taxes_are_put_right() -> None:
    wrong = tariff(
        element(component(vat=2100), min_kwh=20, max_kwh=10),
        element(component(price=1, vat=Decimal("0.25")), max_duration=0),
        min_price={"excl_vat": 9},
        max_price={"excl_vat": 1},
    )

    assert kept(wrong) == wrong
    assert changed(wrong) == tariff(
        element(component(vat=21), min_kwh=10, max_kwh=20),
        {**element(component(price=1, vat=25)), "restrictions": {}},
        min_price={"excl_vat": 1},
        max_price={"excl_vat": 9},
    )


def test_a_price_is_never_guessed() -> None:
    dear = tariff(element(component(price=30)))
    mended = mend(dear, NOW_MS, changes=True)
    assert (mended.document, mended.did) == (dear, ())
    assert [finding.code for finding in mended.left] == ["implausible_price"]


@given(tariffs, st.booleans())
def test_mending_twice_does_nothing_more(document: dict[str, Any], changes: bool) -> None:
    once = mend(document, NOW_MS, changes=changes)
    twice = mend(once.document, NOW_MS, changes=changes)
    assert twice.did == ()
    assert twice.document == once.document


_flows = st.lists(
    st.tuples(
        st.integers(1, 12 * HOUR),
        st.integers(0, 40_000_000),
        st.booleans(),
        st.one_of(st.none(), st.integers(0, 50_000_000)),
    ),
    min_size=1,
    max_size=4,
)


@given(tariffs, st.integers(0, 7 * 24), _flows)
def test_mending_without_leave_keeps_every_price(
    document: dict[str, Any], hour: int, parts: list[tuple[int, int, bool, int | None]]
) -> None:
    before = read_tariff(document).tariff
    assume(before is not None)
    after = read_tariff(kept(document)).tariff
    assert before is not None
    assert after is not None
    at, flows = NOW_MS + hour * HOUR, []
    for length, energy, charging, power in parts:
        volumes = (energy, length, 0) if charging else (0, 0, length)
        flows.append(Flow(at, at + length, *volumes, power, power))
        at += length
    usage = usage_of(flows, ZoneInfo("Europe/Stockholm"))

    old, new = price(compile_tariff(before), usage), price(compile_tariff(after), usage)

    assert (old.micro, old.rounded(2)) == (new.micro, new.rounded(2))


@given(json_values, st.booleans())
def test_mending_never_raises_on_json(document: Any, changes: bool) -> None:
    for found in tariffs_in(document):
        once = mend(found, NOW_MS, changes=changes)
        assert mend(once.document, NOW_MS, changes=changes).did == ()
