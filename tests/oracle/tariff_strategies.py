"""Hypothesis strategies: any OCPI tariff, and any session in zones whose clocks jump."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.oracle.ocpi_rules import DAYS
from tests.oracle.price_oracle import Session, Stretch

Json = dict[str, Any]

CHANGES: dict[str, tuple[str, ...]] = {
    "Europe/Stockholm": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "Africa/Casablanca": ("2026-02-15", "2026-03-22"),
    "America/Santiago": ("2026-04-04", "2026-09-06"),
    "Asia/Tehran": ("2021-03-22", "2021-09-21"),
    "Asia/Kolkata": ("2026-01-01",),
}
"""Time zones and days on which their clocks change: Lord Howe's by half an hour, Santiago's and
Tehran's at midnight, Kolkata's never.
"""

HOUR_MS = 3_600_000

prices = st.decimals(min_value=0, max_value=9, places=4) | st.sampled_from(
    [Decimal(0), Decimal("0.25"), Decimal(2)]
)
vats = st.sampled_from([None, Decimal(0), Decimal(10), Decimal("5.2"), Decimal(25)])
steps = st.sampled_from([0, 1, 1, 7, 60, 300, 500, 900])
times = st.builds(
    "{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from([0, 0, 15, 30, 59])
) | st.just("00:00")


@st.composite
def components(draw: st.DrawFn, *, reserved: bool) -> list[Json]:
    kinds = ["FLAT", "TIME"] if reserved else ["ENERGY", "TIME", "PARKING_TIME", "FLAT"]
    out = []
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3, unique=True)):
        one: Json = {"type": kind, "price": draw(prices), "step_size": draw(steps)}
        if (vat := draw(vats)) is not None:
            one["vat"] = vat
        out.append(one)
    return out


@st.composite
def restrictions(draw: st.DrawFn, day: datetime, *, reserved: bool) -> Json:
    """Some restrictions, near what a session of that day can show."""
    out: Json = {}
    asked = draw(st.sets(st.sampled_from(sorted(_MAKERS)), max_size=2 + reserved))
    for name in asked - ({"kwh", "power", "current"} if reserved else set()):
        out |= draw(_MAKERS[name](day))
    return out


def _clock(_: datetime) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional={"start_time": times, "end_time": times})


def _days(_: datetime) -> st.SearchStrategy[Json]:
    return st.lists(st.sampled_from(DAYS), min_size=1, max_size=5, unique=True).map(
        lambda days: {"day_of_week": days}
    )


def _dates(day: datetime) -> st.SearchStrategy[Json]:
    near = st.integers(-2, 3).map(lambda n: (day + timedelta(days=n)).date().isoformat())
    return _between("start_date", "end_date", near)


def _between(low: str, high: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """A lower bound, an upper one above it, or both."""

    def named(pair: set[Any]) -> Json:
        return dict(zip((low, high), sorted(pair), strict=True))

    both = st.sets(values, min_size=2, max_size=2).map(named)
    return values.map(lambda v: {low: v}) | values.map(lambda v: {high: v} if v else {}) | both


def _bounds(name: str, values: st.SearchStrategy[Any]) -> Any:
    return lambda _: _between(f"min_{name}", f"max_{name}", values)


_MAKERS: dict[str, Any] = {
    "clock": _clock,
    "days": _days,
    "dates": _dates,
    "kwh": _bounds("kwh", st.decimals(min_value=0, max_value=40, places=3)),
    "duration": _bounds("duration", st.integers(0, 120).map(lambda m: m * 300)),
    "power": _bounds("power", st.integers(0, 60)),
    "current": _bounds("current", st.integers(0, 40)),
}


@st.composite
def tariffs(draw: st.DrawFn, day: datetime) -> Json:
    """An OCPI 2.2.1 or 2.3.0 tariff for sessions around a day."""
    elements = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from([None, None, None, "RESERVATION", "RESERVATION_EXPIRES"]))
        element: Json = {"price_components": draw(components(reserved=kind is not None))}
        when = draw(restrictions(day, reserved=kind is not None))
        if kind:
            when["reservation"] = kind
        if when:
            element["restrictions"] = when
        elements.append(element)
    out: Json = {"id": "T", "currency": "EUR", "elements": elements}
    included = draw(st.sampled_from([None, "NO", "YES", "N/A"]))
    names = ("excl_vat", "incl_vat")
    if included is not None:
        out["tax_included"] = included
        names = ("before_taxes", "after_taxes")
    if draw(st.booleans()):
        out |= draw(_limits(names))
    return out


def _limits(names: tuple[str, str]) -> st.SearchStrategy[Json]:
    small = st.decimals(min_value=0, max_value=5, places=2)
    large = st.decimals(min_value=5, max_value=60, places=2)

    def limit(values: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Json]:
        return st.tuples(values, values).map(
            lambda pair: dict(zip(names, sorted(pair), strict=True))
        )

    return st.fixed_dictionaries(
        {}, optional={
            "min_price": limit(small),
            "max_price": limit(large),
            "min_price_applies": st.just("WHEN_CHARGED"),
        }
    )  # fmt: skip


@st.composite
def days(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone, and the midnight in UTC of a day near a change of its clocks."""
    name = draw(st.sampled_from(sorted(CHANGES)))
    day = datetime.fromisoformat(draw(st.sampled_from(CHANGES[name]))).replace(tzinfo=UTC)
    return ZoneInfo(name), day


widths = st.integers(1, 40).map(lambda n: n * 300_000) | st.integers(1, 9_000_000)
measures = st.none() | st.tuples(st.integers(0, 60_000_000), st.integers(0, 5_000_000))


@st.composite
def stretches(draw: st.DrawFn, start: int) -> list[Stretch]:
    """One to six stretches without overlap: charging, parking, waiting or any mix of them."""
    out: list[Stretch] = []
    at = start
    for _ in range(draw(st.integers(1, 6))):
        width = draw(widths)
        energy = draw(st.integers(0, 30_000_000) | st.integers(0, 30).map(lambda k: k * 1_000_000))
        kind = draw(st.sampled_from(["charging", "charging", "parking", "waiting", "mixed"]))
        charging = width if kind == "charging" else 0
        parking = width if kind == "parking" else 0
        if kind == "mixed":
            charging = draw(st.integers(0, width))
            parking = draw(st.integers(0, width - charging))
        power, current = draw(measures), draw(measures)
        out.append(
            Stretch(
                at,
                at + width,
                energy if kind in ("charging", "mixed") else 0,
                charging,
                parking,
                *((None, None) if power is None else (power[0], sum(power))),
                *((None, None) if current is None else (current[0] // 1000, sum(current) // 1000)),
            )
        )
        at += width + draw(st.sampled_from([0, 0, 0, 60_000]))
    if draw(st.integers(0, 7)) == 0:
        out.append(Stretch(at, at, draw(st.integers(1, 20_000_000))))
    return out


@st.composite
def sessions(draw: st.DrawFn, zone: ZoneInfo, day: datetime) -> Session:
    """A session within a day or two of `day`, perhaps reserved before."""
    start = round(day.timestamp() * 1000) + draw(
        st.integers(-96, 96).map(lambda n: n * HOUR_MS // 4)
        | st.integers(-24 * HOUR_MS, 24 * HOUR_MS)
    )
    session = Session(draw(stretches(start)), zone)
    if draw(st.integers(0, 3)) == 0:
        width = draw(widths)
        reserved = [Stretch(start - width, start, 0, width)]
        expired = draw(st.booleans())
        session = replace(
            session,
            stretches=[] if expired else session.stretches,
            reserved=reserved,
            expired=expired,
        )
    return session


@st.composite
def cases(draw: st.DrawFn) -> tuple[Json, Session]:
    """A tariff and a session that may meet its restrictions."""
    zone, day = draw(days())
    return draw(tariffs(day)), draw(sessions(zone, day))


def split(one: Stretch, at: int) -> list[Stretch]:
    """The same flow as two stretches; the energy stays floored on the whole of it."""
    if not one.start < at < one.end:
        return [one]
    energy, width, offset = one.share or (one.energy, one.end - one.start, 0)
    gone = at - one.start
    first = energy * (offset + gone) // width - energy * offset // width
    charging = one.charging * gone // (one.end - one.start)
    parking = one.parking * gone // (one.end - one.start)
    return [
        one._replace(
            end=at, energy=first, charging=charging, parking=parking, share=(energy, width, offset)
        ),
        one._replace(
            start=at,
            energy=one.energy - first,
            charging=one.charging - charging,
            parking=one.parking - parking,
            share=(energy, width, offset + gone),
        ),
    ]
