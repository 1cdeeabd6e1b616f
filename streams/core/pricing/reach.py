"""Which situations a component can still price, after those before it took theirs.

A restriction is a box: a set of minutes of the local week (one bit each) and half-open spans of
energy, durations and dates. Boxes are subtracted exactly, so "never reached" is a proof, not a
sample. Power and current may be unmeasured, and then match no bound: they count as spans only
where the caller takes them as measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from streams.core.pricing.model import Component, Restrictions, Tariff

DAY_MINUTES: Final = 1440
WEEK: Final = (1 << 7 * DAY_MINUTES) - 1
_ALL_DAY: Final = (1 << DAY_MINUTES) - 1
_FAR: Final = 1 << 80
_MOST_PIECES: Final = 500


class Box(NamedTuple):
    """Bit `day * 1440 + minute` of `minutes`, and [low, high) of each measured quantity."""

    minutes: int
    spans: tuple[tuple[int, int], ...]


class Placed(NamedTuple):
    """A component with the restrictions of its element."""

    element: int
    component: Component
    restrictions: Restrictions


def placed(tariff: Tariff, dimension: str, reservation: str = "") -> list[Placed]:
    """The components of one dimension in one context (none, or a kind of reservation), in order."""
    return [
        Placed(element.index, component, element.restrictions)
        for element in tariff.elements
        for component in element.components
        if component.dimension == dimension and element.restrictions.reservation == reservation
    ]


def minutes_of_week(r: Restrictions) -> int:
    """The minutes of the local week in which time and days allow a match."""
    start = (r.start_minute or 0) % DAY_MINUTES
    end = r.end_minute or DAY_MINUTES
    if start == end % DAY_MINUTES:
        day = _ALL_DAY
    elif end > start:
        day = (1 << end) - (1 << start)
    else:
        day = _ALL_DAY ^ ((1 << start) - (1 << end))
    return sum(day << DAY_MINUTES * i for i in (r.days or range(7)) if 0 <= i < 7)


def box_of(r: Restrictions, *, measured: bool) -> Box:
    """The situations in which a restriction matches, apart from `reservation` and `never`."""
    bounds: list[tuple[int | None, int | None]] = [
        (r.min_mwh, r.max_mwh),
        (r.min_duration_ms, r.max_duration_ms),
        (r.min_charging_ms, r.max_charging_ms),
        (r.min_idle_ms, r.max_idle_ms),
        (r.min_power_mw, r.max_power_mw) if measured else (None, None),
        (r.min_current_ma, r.max_current_ma) if measured else (None, None),
    ]
    spans = [(max(low or 0, 0), _FAR if high is None else high) for low, high in bounds]
    dates = (
        -_FAR if r.start_day is None else r.start_day,
        _FAR if r.end_day is None else r.end_day,
    )
    return Box(minutes_of_week(r), (*spans, dates))


def is_empty(box: Box) -> bool:
    """Whether nothing can lie in it."""
    return not box.minutes or any(low >= high for low, high in box.spans)


def rest_of(boxes: Iterable[Box], taken: Box) -> list[Box]:
    """What of `boxes` lies outside `taken`, as boxes that do not overlap if the first did not."""
    return [piece for box in boxes for piece in _outside(box, taken)]


def _outside(box: Box, taken: Box) -> list[Box]:
    pieces = [Box(box.minutes & ~taken.minutes, box.spans)]
    inside = Box(box.minutes & taken.minutes, box.spans)
    for i, (low, high) in enumerate(taken.spans):
        have_low, have_high = inside.spans[i]
        parts = ((have_low, min(have_high, low)), (max(have_low, high), have_high))
        pieces += [Box(inside.minutes, _with(inside.spans, i, part)) for part in parts]
        middle = (max(have_low, low), min(have_high, high))
        inside = Box(inside.minutes, _with(inside.spans, i, middle))
    return [box] if is_empty(inside) else [piece for piece in pieces if not is_empty(piece)]


def _with(
    spans: tuple[tuple[int, int], ...], i: int, span: tuple[int, int]
) -> tuple[tuple[int, int], ...]:
    return (*spans[:i], span, *spans[i + 1 :])


def left_for(item: Placed, earlier: Sequence[Placed], *, measured: bool) -> list[Box]:
    """The situations that earlier components of the same dimension and context leave to `item`;
    empty means it is never reached.
    """
    own = box_of(item.restrictions, measured=measured)
    rest = [] if is_empty(own) or item.restrictions.never else [own]
    for other in earlier:
        if not other.restrictions.never and (
            measured or _powers_hold(other.restrictions, item.restrictions)
        ):
            rest = rest_of(rest, box_of(other.restrictions, measured=measured))
        if not rest or len(rest) > _MOST_PIECES:
            break
    return rest


def _powers_hold(wide: Restrictions, narrow: Restrictions) -> bool:
    """Whether the power and current bounds of `wide` hold wherever those of `narrow` do."""
    lows = ((wide.min_power_mw, narrow.min_power_mw), (wide.min_current_ma, narrow.min_current_ma))
    highs = ((wide.max_power_mw, narrow.max_power_mw), (wide.max_current_ma, narrow.max_current_ma))
    return all(w is None or (n is not None and n >= w) for w, n in lows) and all(
        w is None or (n is not None and n <= w) for w, n in highs
    )
