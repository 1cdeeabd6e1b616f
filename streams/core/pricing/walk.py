"""Walks a session once and says, for every stretch, which price of each dimension was in force.

Cuts stand where a used price can change: on the local clock, at a duration, at a kilowatt-hour,
and where a stretch of the usage ends (readings, charging states, power, current). A threshold of
energy is cut exactly at its milliwatt-hour, in the first millisecond that has reached it.
Source: OCPI 2.2.1 mod_tariffs, domain rules 2.6 (2 to 5, 8).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from streams.core.pricing.clock import DAY_MS, offsets, strikes
from streams.core.pricing.compiled import (
    CHARGED_MS,
    CHARGED_MWH,
    DAY,
    DURATION,
    HIGH_CURRENT,
    HIGH_POWER,
    IDLE_MS,
    LOW_CURRENT,
    LOW_POWER,
    MINUTE,
    STATE_SIZE,
    WEEKDAY,
    Compiled,
    Context,
    Rule,
)
from streams.core.pricing.priced import NO_COMPONENT, Segment
from streams.core.pricing.usage import Flow

_UNMEASURED = {
    LOW_POWER: "power_not_measured",
    HIGH_POWER: "power_not_measured",
    LOW_CURRENT: "current_not_measured",
    HIGH_CURRENT: "current_not_measured",
}
_MINUTE_MS = 60_000


class Walk:
    """One context of one session: `segments`, `flat` (rule and instant, or None), `warnings`."""

    def __init__(
        self, compiled: Compiled, context: Context, zone: ZoneInfo, *, reservation: bool = False
    ) -> None:
        self.segments: list[Segment] = []
        self.flat: tuple[Rule, int] | None = None
        self.warnings: set[str] = set()
        self._compiled = compiled
        self._context = context
        self._zone = zone
        self._reservation = reservation
        self._state: list[int | None] = [None] * STATE_SIZE
        self._energy = self._charged = self._idle = self._start = 0
        self._regimes: list[tuple[int, int]] = []
        self._regime_starts: list[int] = []

    def run(self, flows: Sequence[Flow], start_ms: int, end_ms: int) -> None:
        """Walk the stretches of a session or reservation that lasted from start to end."""
        compiled = self._compiled
        self._start = start_ms
        cuts = [start_ms + d for d in compiled.durations_ms if d < end_ms - start_ms]
        if compiled.minutes:
            self._regimes = offsets(self._zone, start_ms, end_ms)
            self._regime_starts = [at for at, _ in self._regimes]
            cuts = sorted({*cuts, *strikes(self._regimes, end_ms, compiled.minutes)})
        if not flows:
            self._visit(Flow(start_ms, start_ms), 0, start_ms, start_ms, (0, 0, 0))
        for number, flow in enumerate(flows):
            self._flow(flow, number, cuts)

    def _flow(self, flow: Flow, number: int, cuts: Sequence[int]) -> None:
        start, end = flow.start_ms, flow.end_ms
        points = self._points(flow, cuts)
        at, energy = start, 0
        charged = idle = 0
        width = end - start
        for instant, reached in (*points, (end, flow.energy_mwh)):
            if width > 0:
                to_charged = flow.charging_ms * (instant - start) // width
                to_idle = flow.parking_ms * (instant - start) // width
            else:
                to_charged, to_idle = flow.charging_ms, flow.parking_ms
            volumes = (reached - energy, to_charged - charged, to_idle - idle)
            if instant > at or any(volumes) or width <= 0:
                self._visit(flow, number, at, instant, volumes)
            at, energy, charged, idle = instant, reached, to_charged, to_idle

    def _points(self, flow: Flow, cuts: Sequence[int]) -> list[tuple[int, int]]:
        """Cuts inside a stretch: (instant, energy of the stretch until then), ascending."""
        start, end = flow.start_ms, flow.end_ms
        out = [
            (at, flow.energy_until(at))
            for at in cuts[bisect_right(cuts, start) : bisect_right(cuts, end - 1)]
        ]
        compiled = self._compiled
        for threshold in compiled.energies_mwh:
            missing = threshold - self._energy
            if 0 < missing < flow.energy_mwh:
                out.append((_instant_of(flow, missing), missing))
        for thresholds, done, time in (
            (compiled.charged_ms, self._charged, flow.charging_ms),
            (compiled.idle_ms, self._idle, flow.parking_ms),
        ):
            for threshold in thresholds:
                if 0 < threshold - done < time:
                    at = start - (-(threshold - done) * (end - start) // time)
                    if start < at < end:
                        out.append((at, flow.energy_until(at)))
        if len(out) > 1:
            out = sorted(set(out))
        return out

    def _visit(
        self, flow: Flow, number: int, start: int, end: int, volumes: tuple[int, int, int]
    ) -> None:
        energy, charging, parking = volumes
        context = self._context
        self._set_state(flow, start)
        if self.flat is None and context.flat and not self._too_late(start):
            rule = self._first(context.flat)
            if rule is not None:
                self.flat = (rule, start)
        self.segments.append(
            Segment(
                start,
                end,
                energy,
                charging,
                parking,
                self._index(context.energy) if energy else NO_COMPONENT,
                self._index(context.time) if charging else NO_COMPONENT,
                self._index(context.parking) if parking else NO_COMPONENT,
                number,
                self._reservation,
            )
        )
        self._energy += energy
        self._charged += charging
        self._idle += parking

    def _too_late(self, start: int) -> bool:
        return self._compiled.tariff.flat_at_start and start > self._start

    def _set_state(self, flow: Flow, start: int) -> None:
        state = self._state
        state[CHARGED_MWH] = self._energy
        state[DURATION] = start - self._start
        state[CHARGED_MS] = self._charged
        state[IDLE_MS] = self._idle
        state[LOW_POWER], state[HIGH_POWER] = flow.low_power_mw, flow.high_power_mw
        state[LOW_CURRENT], state[HIGH_CURRENT] = flow.low_current_ma, flow.high_current_ma
        if self._regimes:
            regime = bisect_right(self._regime_starts, start) - 1
            day, rest = divmod(start + self._regimes[max(regime, 0)][1], DAY_MS)
            state[MINUTE] = rest // _MINUTE_MS
            state[DAY] = day
            state[WEEKDAY] = (day + 3) % 7

    def _index(self, rules: tuple[Rule, ...]) -> int:
        rule = self._first(rules)
        return NO_COMPONENT if rule is None else rule.component

    def _first(self, rules: tuple[Rule, ...]) -> Rule | None:
        for rule in rules:
            if not rule.checks or self._matches(rule):
                return rule
        return None

    def _matches(self, rule: Rule) -> bool:
        state = self._state
        for where, low, high, outside, among in rule.checks:
            value = state[where]
            if value is None:
                self.warnings.add(_UNMEASURED[where])
                return False
            if among is not None:
                if value not in among:
                    return False
            elif outside:
                if high <= value < low:
                    return False
            elif not low <= value < high:
                return False
        return True


def _instant_of(flow: Flow, energy_mwh: int) -> int:
    """The first millisecond of a stretch by which it had delivered that much."""
    start, end = flow.start_ms, flow.end_ms
    if flow.share is None:
        if end <= start:
            return start
        return start - (-energy_mwh * (end - start) // flow.energy_mwh)
    whole, width, offset = flow.share
    wanted = whole * offset // width + energy_mwh
    return min(end, start - (-wanted * width // whole) - offset)
