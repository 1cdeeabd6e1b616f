"""Tariffs for tests of lint and fix: one of everything, and random ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

NOW_MS = 1_772_355_600_000  # 2026-03-01T09:00:00Z


def component(kind: str = "ENERGY", price: Any = Decimal("0.25"), **more: Any) -> dict[str, Any]:
    return {"type": kind, "price": price, "step_size": 1, **more}


def element(*components: dict[str, Any], **restrictions: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"price_components": list(components)}
    return found | ({"restrictions": restrictions} if restrictions else {})


def tariff(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    head = {
        "country_code": "SE",
        "party_id": "LAD",
        "id": "T1",
        "currency": "EUR",
        "last_updated": "2026-01-01T00:00:00Z",
    }
    return {**head, "elements": list(elements), **more}


_prices = st.sampled_from([0, Decimal("0.25"), Decimal("0.300000"), Decimal("1.123456"), 30])
_components = st.builds(
    component,
    st.sampled_from(["ENERGY", "TIME", "PARKING_TIME", "FLAT", "energy", "PARKING_TME"]),
    _prices,
    vat=st.sampled_from([None, 0, 25, 2100, Decimal("0.25"), "25"]),
    step_size=st.sampled_from([0, 1, 60, 500]),
)
_bounds = st.sampled_from([0, 1, 5, 10, 3600])
_restrictions = st.fixed_dictionaries(
    {},
    optional={
        "start_time": st.sampled_from(["08:00", "8:00", "22:00", "00:00"]),
        "end_time": st.sampled_from(["08:00", "17:00", "00:00", "6:00"]),
        "day_of_week": st.lists(st.sampled_from(["MONDAY", "Sunday", "FRIDAY"]), max_size=2),
        "min_kwh": _bounds,
        "max_kwh": _bounds,
        "mn_kwh": _bounds,
        "min_duration": _bounds,
        "max_duration": _bounds,
        "max_power": _bounds,
    },
)
_elements = st.builds(
    lambda parts, r: {"price_components": parts, "restrictions": r},
    st.lists(_components, min_size=1, max_size=3),
    st.one_of(st.none(), _restrictions),
)
_limits = st.one_of(
    st.none(), st.fixed_dictionaries({"excl_vat": _prices}, optional={"incl_vat": _prices})
)
tariffs = st.builds(
    lambda parts, low, high: tariff(*parts, min_price=low, max_price=high),
    st.lists(_elements, min_size=1, max_size=4),
    _limits,
    _limits,
)
_NAMES = (
    "elements",
    "price_components",
    "restrictions",
    "type",
    "price",
    "vat",
    "currency",
    "min_price",
    "id",
    "start_time",
    "day_of_week",
    "max_kwh",
    "tariffId",
    "energy",
    "prices",
    "priceKwh",
    "conditions",
    "taxRates",
    "step_size",
    "charging_periods",
    "a/~b",
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)
