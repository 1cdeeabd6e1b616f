"""Core events as columns, and what the columnar path must find: the answer of the slow one."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from streams.core.columns import (
    ABSENT,
    BEGIN,
    CHARGING,
    END,
    IDLE,
    PLAIN,
    SUSPENDED_EVSE,
    UNKNOWN,
    Many,
    Samples,
    Sessions,
)
from streams.core.derive import derive
from streams.core.events import CURRENT, CoreEvent, Ended, Sample, Started, StateChanged
from streams.core.slices import slice_session

CONTEXTS = {"Transaction.Begin": BEGIN, "Transaction.End": END}
STATES = {"Charging": CHARGING, "SuspendedEVSE": SUSPENDED_EVSE}
SMALL = 2**31


class Case(NamedTuple):
    """One session to derive."""

    start: Started
    end: Ended | None
    changes: Sequence[StateChanged] = ()
    samples: Sequence[Sample] = ()
    superseded: bool = False
    rated: int | None = None

    @property
    def events(self) -> set[CoreEvent]:
        """Everything, duplicates removed."""
        ended = () if self.end is None else (self.end,)
        return {self.start, *ended, *self.changes, *self.samples}


class Columned(NamedTuple):
    """`places[i]`: where in `sessions` the i-th given one is; None: columns cannot express it."""

    sessions: Sessions
    places: list[int | None]


def columns_of(
    sessions: Sequence[Collection[CoreEvent]],
    *,
    superseded: Sequence[bool] | None = None,
    rated: Sequence[int | None] | None = None,
) -> Columned:
    """Sets of events as columns, those left out that columns cannot express."""
    supers = superseded or [False] * len(sessions)
    rates = rated or [None] * len(sessions)
    cases: list[Case] = []
    places: list[int | None] = []
    for events, gone, watts in zip(sessions, supers, rates, strict=True):
        case = case_of(events, superseded=gone, rated=watts)
        places.append(None if case is None else len(cases))
        if case is not None:
            cases.append(case)
    return Columned(sessions_of(cases), places)


def case_of(
    events: Collection[CoreEvent], *, superseded: bool = False, rated: int | None = None
) -> Case | None:
    """The session of these events, None where columns cannot express it."""
    kinds: dict[type, list[Any]] = {Sample: [], Started: [], Ended: [], StateChanged: []}
    for event in set(events):
        if event.flags or not -1 <= event.seq < SMALL or type(event) not in kinds:
            return None
        kinds[type(event)].append(event)
    starts, ends = kinds[Started], kinds[Ended]
    if len(starts) != 1 or len(ends) > 1 or not all(map(_plain, kinds[Sample])):
        return None
    if ends and (ends[0].energy_mwh is not None or ends[0].paid_micro is not None):
        return None
    end = ends[0] if ends else None
    return Case(starts[0], end, kinds[StateChanged], kinds[Sample], superseded, rated)


def _plain(s: Sample) -> bool:
    small = [s.power_mw or 0, *(value for _, value in s.extra)]
    named = all(name == CURRENT for name, _ in s.extra) and len(s.extra) < 2
    return s.export_mwh is None and named and all(-SMALL < value < SMALL for value in small)


def sessions_of(cases: Iterable[Case]) -> Sessions:
    """These sessions as columns; `shape` is 0 throughout."""
    cases = list(cases)
    samples = [sorted(set(c.samples), key=lambda s: (s.ts, s.seq)) for c in cases]
    states = [_states(c) for c in cases]
    seqs = [[e.seq for e in c.events if not isinstance(e, Sample) and e.seq >= 0] for c in cases]
    flat = list(itertools.chain.from_iterable(samples))
    reports = list(itertools.chain.from_iterable(states))
    ends = [c.end for c in cases]
    return Sessions(
        start_ts=_ints(c.start.ts for c in cases),
        start_seq=_ints(c.start.seq for c in cases),
        start_mwh=_ints(_register(c.start.meter_mwh) for c in cases),
        ended=np.array([e is not None for e in ends], np.bool_),
        end_ts=_ints(e.ts if e else 0 for e in ends),
        end_seq=_ints(e.seq if e else -1 for e in ends),
        end_mwh=_ints(_register(e.meter_mwh if e else None) for e in ends),
        change_first=_ints(min((x.ts for x in c.changes), default=c.start.ts) for c in cases),
        change_last=_ints(max((x.ts for x in c.changes), default=c.start.ts) for c in cases),
        superseded=np.array([c.superseded for c in cases], np.bool_),
        rated_power_w=_ints(-1 if c.rated is None else c.rated for c in cases),
        counts=_ints(map(len, samples)),
        samples=Samples(
            ts=_ints(s.ts for s in flat),
            seq=_ints(s.seq for s in flat).astype(np.int32),
            import_mwh=_ints(_register(s.import_mwh) for s in flat),
            power_mw=_ints(UNKNOWN if s.power_mw is None else s.power_mw for s in flat).astype(
                np.int32
            ),
            current_ma=_ints(s.extra[0][1] if s.extra else UNKNOWN for s in flat).astype(np.int32),
            shape=np.zeros(len(flat), np.int32),
        ),
        contexts=np.array([CONTEXTS.get(s.context, PLAIN) for s in flat], np.int8),
        state_counts=_ints(map(len, states)),
        state_ts=_ints(t for t, _, _ in reports),
        state=np.array([STATES.get(name, IDLE) for _, _, name in reports], np.int8),
        seq_counts=_ints(map(len, seqs)),
        seqs=_ints(itertools.chain.from_iterable(seqs)),
    )


def _ints(values: Iterable[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(list(values), np.int64)


def _register(mwh: int | None) -> int:
    return ABSENT if mwh is None else mwh


def _states(case: Case) -> list[tuple[int, int, str]]:
    bounds = (case.start,) if case.end is None else (case.start, case.end)
    return sorted((e.ts, e.seq, e.state) for e in (*bounds, *set(case.changes)) if e.state)


def derived(case: Case) -> dict[str, Any]:
    """What the slow path finds, under the names of `Many`."""
    facts = derive(case.events, superseded=case.superseded, rated_power_w=case.rated)
    return {
        "status": facts.status,
        "quarantine": facts.quarantine_reason,
        "grade": facts.grade,
        "flags": facts.flags,
        "until_ms": facts.until_ms,
        "closed": facts.ended_ms is not None,
        "first_event_ms": facts.first_event_ms,
        "last_event_ms": facts.last_event_ms,
        "energy_mwh": facts.energy_mwh,
        "meter_start_mwh": facts.meter_start_mwh,
        "meter_stop_mwh": facts.meter_stop_mwh,
        "max_power_mw": facts.max_power_mw,
        "charging_ms": facts.charging_ms,
        "idle_ms": facts.idle_ms,
        "suspended_evse_ms": facts.suspended_evse_ms,
        "duration_ms": facts.duration_ms,
        "slices": [tuple(s) for s in slice_session(facts)],
    }


def found(many: Many) -> list[dict[str, Any] | None]:
    """What `many` says of each session, None where it says nothing."""
    slices = list(
        zip(
            many.slice_start_ms.tolist(),
            many.slice_energy_mwh.tolist(),
            many.slice_occupied_ms.tolist(),
            many.slice_charging_ms.tolist(),
            many.slice_idle_ms.tolist(),
            strict=True,
        )
    )
    out: list[dict[str, Any] | None] = []
    at = 0
    for i, count in enumerate(many.slice_counts.tolist()):
        mine = slices[at : at + count]
        at += count
        if many.ok[i]:
            scalars = _scalars(many, i)
            # No facts: how far facts stay when samples are added, and whether that is sure.
            del scalars["settled_ms"], scalars["readings"]
            out.append({**scalars, "slices": mine})
        else:
            assert count == 0
            out.append(None)
    assert at == len(slices)
    return out


def _scalars(many: Many, i: int) -> dict[str, Any]:
    names = [n for n in Many.__slots__ if n != "ok" and not n.startswith("slice_")]
    values = {name: getattr(many, name)[i] for name in names}
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}
    return {k: None if v == ABSENT else v for k, v in plain.items()}
