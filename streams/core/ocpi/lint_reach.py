"""Prices that never come to be, and times of the week that have none.

OCPI 2.2.1 mod_tariffs: per dimension the first element that matches holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from streams.core.ocpi.findings import Finding
from streams.core.ocpi.version import OCPP21
from streams.core.pricing.model import (
    DIMENSIONS,
    ENERGY,
    FLAT,
    PARKING_TIME,
    RESERVATION,
    RESERVATION_EXPIRES,
    TIME,
    Restrictions,
    Tariff,
)
from streams.core.pricing.reach import (
    DAY_MINUTES,
    WEEK,
    Placed,
    box_of,
    is_empty,
    left_for,
    minutes_of_week,
    placed,
)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def reach_findings(tariff: Tariff) -> Iterator[Finding]:
    """Components and elements never reached, fallbacks placed first, gaps in the week."""
    yield from _unreached(tariff)
    yield from _gaps(tariff)


def _unreached(tariff: Tariff) -> Iterator[Finding]:
    lost: list[Placed] = []
    for dimension in DIMENSIONS:
        for reservation in ("", RESERVATION, RESERVATION_EXPIRES):
            items = placed(tariff, dimension, reservation)
            gone = [item for i, item in enumerate(items) if _shadowed(item, items[:i])]
            lost += gone
            yield from _fallback(items, gone)
    whole = {
        element.index
        for element in tariff.elements
        if all(any(c is item.component for item in lost) for c in element.components)
    }
    ocpp = tariff.version == OCPP21
    for index in sorted(whole) if not ocpp else ():
        text = f"Element {index + 1} is never reached: those before it match whenever it does."
        yield Finding("element_never_reached", f"/elements/{index}", text)
    for item in lost:
        component = item.component
        if (ocpp or item.element not in whole) and not _twice(tariff, item):
            text = (
                f"{component.dimension} of element {item.element + 1} is never reached: elements "
                "before it have that dimension whenever it could match."
            )
            yield Finding("component_never_reached", component.pointer, text)


def _shadowed(item: Placed, earlier: list[Placed]) -> bool:
    """Never reached for what stands before it; not for its own impossible bounds."""
    own = is_empty(box_of(item.restrictions, measured=False)) or item.restrictions.never
    return not own and bool(earlier) and not left_for(item, earlier, measured=False)


def _twice(tariff: Tariff, item: Placed) -> bool:
    """Whether its own element has the dimension before it: that is a finding of its own."""
    for element in tariff.elements:
        if element.index == item.element:
            same = [c for c in element.components if c.dimension == item.component.dimension]
            return same[0] is not item.component
    return False


def _fallback(items: list[Placed], gone: list[Placed]) -> Iterator[Finding]:
    """A component for all situations that stands before others with restrictions."""
    for i, item in enumerate(items):
        after = [other for other in items[i + 1 :] if _has_conditions(other.restrictions)]
        if not _has_conditions(item.restrictions) and item not in gone:
            if any(other in gone for other in after):
                text = (
                    f"{item.component.dimension} of element {item.element + 1} has no restrictions "
                    "and stands before elements that have: those are never reached. A fallback "
                    "belongs last."
                )
                yield Finding("fallback_first", item.component.pointer, text)
            return


def _has_conditions(r: Restrictions) -> bool:
    return r != Restrictions(reservation=r.reservation)


def _gaps(tariff: Tariff) -> Iterator[Finding]:
    used = [d for d in (ENERGY, TIME, PARKING_TIME) if placed(tariff, d)] or [FLAT]
    for dimension in used:
        items = placed(tariff, dimension)
        if not any(item.component.price for item in items):
            continue
        covered = 0
        for item in items:
            if not is_empty(box_of(item.restrictions, measured=False)):
                covered |= minutes_of_week(item.restrictions)
        if covered and covered != WEEK:
            text = f"{dimension} has no price {gap_words(WEEK & ~covered)}: it is free then."
            yield Finding("week_gap", items[0].component.pointer, text)


def gap_words(minutes: int) -> str:
    """Minutes of the week as "Mon 22:00-Tue 06:00, …"; "daily 22:00-06:00" where all days agree."""
    size = 7 * DAY_MINUTES
    bits = [minutes >> i & 1 for i in range(size)]
    starts = [i for i in range(size) if bits[i] and not bits[i - 1]]
    runs = []
    for start in starts:
        length = next(n for n in range(1, size + 1) if not bits[(start + n) % size])
        runs.append((start, start + length))
    daily = {(start % DAY_MINUTES, end - start) for start, end in runs}
    if len(runs) == 7 and len(daily) == 1:
        return f"daily {_clock(runs[0][0])}-{_moment(runs[0][1], ends=True)[4:]}"
    return ", ".join(f"{_moment(start)}-{_moment(end, ends=True)}" for start, end in runs)


def _moment(minute: int, *, ends: bool = False) -> str:
    """A local instant of the week; a gap that ends at midnight ends at 24:00 of its day."""
    day, rest = divmod(minute, DAY_MINUTES)
    if ends and rest == 0:
        return f"{_DAYS[(day - 1) % 7]} 24:00"
    return f"{_DAYS[day % 7]} {_clock(rest)}"


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"
