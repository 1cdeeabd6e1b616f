"""The function: a set of events becomes the facts of one session.

Pure and deterministic: neither the order of `events`, nor how often each arrived, nor how
they were cut into batches can change the result. Rules: domain rules 2.3 to 2.5, by number
where a comment says "row".
"""

from __future__ import annotations

from collections.abc import Collection

from streams.core import facts as status
from streams.core.curve import Point, build_curve
from streams.core.events import EXPIRED, CoreEvent, Sample
from streams.core.facts import Facts
from streams.core.order import Ordered, Parts, order
from streams.core.timeline import (
    CHARGING,
    IDLE,
    SUSPENDED_EVSE,
    Span,
    spans_from_energy,
    spans_from_states,
    total_ms,
)
from streams.core.verdict import Evidence, judge


def derive(
    events: Collection[CoreEvent], *, superseded: bool = False, rated_power_w: int | None = None
) -> Facts:
    """The facts of the session whose distinct events these are (at least one).

    `superseded`: a later start is known on the same connector. `rated_power_w`: of the
    connector, where the catalogue knows it.
    """
    parts = Parts(events)
    ordered = order(parts)
    start, end = ordered.start, ordered.end
    curve = build_curve(start, ordered.samples, end, rated_power_w)
    first_ms, last_ms = ordered.first_ms, ordered.last_ms
    started_ms = start.ts if start is not None else None
    expired = any(e.ts > last_ms for e in parts.expiries)
    closed = end is not None or superseded or expired
    until_ms = end.ts if end is not None else last_ms
    stated = end.energy_mwh if end is not None else None
    energy = stated if stated is not None else curve.energy_mwh
    points = curve.points
    if stated is not None and start is not None and end is not None:
        points = [(start.ts, 0), (max(start.ts, end.ts), max(0, stated))]
    begun_ms = first_ms if started_ms is None else started_ms
    spans, by_state = _spans(ordered, points, begun_ms, until_ms)
    evidence = Evidence(
        ordered=ordered,
        curve=curve,
        energy_mwh=energy,
        started_ms=started_ms,
        until_ms=until_ms,
        closed=closed,
        superseded=superseded,
        rated_power_w=rated_power_w,
    )
    verdict = judge(evidence)
    return Facts(
        status=verdict.status,
        quarantine_reason=verdict.quarantine_reason,
        grade=verdict.grade,
        flags=verdict.flags,
        started_ms=started_ms,
        ended_ms=until_ms if closed and verdict.status != status.PENDING else None,
        until_ms=until_ms,
        first_event_ms=min(e.ts for e in events),
        last_event_ms=max((e.ts for e in events if e.kind != EXPIRED), default=last_ms),
        connector=ordered.connector,
        evse=ordered.evse,
        id_token=ordered.id_token,
        area=start.area if start is not None else "",
        stop_reason=end.reason if end is not None else "",
        energy_mwh=energy,
        export_mwh=_export(ordered.samples),
        meter_start_mwh=curve.first_mwh,
        meter_stop_mwh=curve.last_mwh,
        max_power_mw=max(
            (s.power_mw for s in ordered.samples if s.power_mw is not None), default=None
        ),
        charging_ms=total_ms(spans, CHARGING),
        idle_ms=total_ms(spans, IDLE),
        suspended_evse_ms=total_ms(spans, SUSPENDED_EVSE),
        paid_micro=end.paid_micro if end is not None else None,
        paid_currency=end.paid_currency if end is not None else "",
        curve=tuple(points),
        spans=spans,
        by_state=by_state,
        samples=ordered.samples,
    )


def _spans(
    ordered: Ordered, points: list[Point], started_ms: int, until_ms: int
) -> tuple[tuple[Span, ...], bool]:
    if ordered.states:
        return spans_from_states(ordered.states, started_ms, until_ms), True
    return spans_from_energy(points, started_ms, until_ms), False


def _export(samples: list[Sample]) -> int:
    """Exported energy, kept apart: the rises of the export register."""
    total = 0
    last: int | None = None
    for sample in samples:
        value = sample.export_mwh
        if value is not None:
            if last is not None and value > last:
                total += value - last
            last = value
    return total
