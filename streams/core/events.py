"""Events of a session as plain tuples: equal content is equal, so a set removes duplicates.

Transport facts (message id, gateway, arrival) are not here: they never change a session.
`kind` comes first so that tuples of different classes are never equal. Unknown `seq`,
`connector` and `evse` are -1.
"""

from __future__ import annotations

from typing import NamedTuple

SAMPLE, STARTED, ENDED, STATE, EXPIRED = range(5)

CURRENT = "current"
"""Name of a sample's current among its rare series."""

_NO_FLAGS: tuple[str, ...] = ()


class Sample(NamedTuple):
    """One instant of the session's meter; `extra` holds rare series by name."""

    kind: int
    ts: int
    seq: int
    context: str
    import_mwh: int | None
    export_mwh: int | None = None
    power_mw: int | None = None
    connector: int = -1
    evse: int = -1
    extra: tuple[tuple[str, int], ...] = ()
    """Any of l1, l2, l3, interval, inlet: registers in mWh; current: mA, sum of phases."""
    flags: tuple[str, ...] = _NO_FLAGS


class Started(NamedTuple):
    """The session began."""

    kind: int
    ts: int
    seq: int
    meter_mwh: int | None = None
    id_token: str = ""
    connector: int = -1
    evse: int = -1
    state: str = ""
    area: str = ""
    flags: tuple[str, ...] = _NO_FLAGS


class Ended(NamedTuple):
    """The session ended. `energy_mwh` is what an imported row states."""

    kind: int
    ts: int
    seq: int
    meter_mwh: int | None = None
    id_token: str = ""
    reason: str = ""
    connector: int = -1
    evse: int = -1
    state: str = ""
    energy_mwh: int | None = None
    paid_micro: int | None = None
    paid_currency: str = ""
    flags: tuple[str, ...] = _NO_FLAGS


class StateChanged(NamedTuple):
    """The charging state changed, or an update that only proves its `seq`."""

    kind: int
    ts: int
    seq: int
    state: str = ""
    id_token: str = ""
    connector: int = -1
    evse: int = -1
    flags: tuple[str, ...] = _NO_FLAGS


class Expired(NamedTuple):
    """The session was given up after silence; `ts` is last event plus the allowed silence."""

    kind: int
    ts: int
    seq: int = -1
    connector: int = -1
    evse: int = -1
    id_token: str = ""
    flags: tuple[str, ...] = _NO_FLAGS


CoreEvent = Sample | Started | Ended | StateChanged | Expired

KINDS = (Sample, Started, Ended, StateChanged, Expired)
"""The classes by `kind`."""
