"""What is priced: a session as stretches in which everything flows evenly.

A stretch ends where a reading, a charging state, a power or a current changes. Volumes are
integers: milliwatt-hours and milliseconds; instants are epoch milliseconds, UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Flow(NamedTuple):
    """One stretch [start_ms, end_ms). `charging_ms` is billed as TIME, `parking_ms` as
    PARKING_TIME; both flow evenly, like the energy. In a reservation `charging_ms` is the time
    reserved. A stretch of no length holds its volumes at one instant.

    `low`/`high`: trough and peak of power (mW) and current (mA) in the stretch, None: not
    measured. A lower bound is tested on the trough, an upper bound on the peak.

    `share` = (energy, width, offset): this stretch is part of a longer even flow of `energy`
    mWh over `width` ms, beginning `offset` ms into it; then the energy up to an instant is
    floored on the long flow, so that it agrees with the slices. None: a flow of its own.
    """

    start_ms: int
    end_ms: int
    energy_mwh: int = 0
    charging_ms: int = 0
    parking_ms: int = 0
    low_power_mw: int | None = None
    high_power_mw: int | None = None
    low_current_ma: int | None = None
    high_current_ma: int | None = None
    share: tuple[int, int, int] | None = None

    def energy_until(self, instant_ms: int) -> int:
        """Energy of this stretch that came before an instant inside it, floored to mWh."""
        if self.share is None:
            width = self.end_ms - self.start_ms
            if width <= 0:
                return self.energy_mwh if instant_ms > self.start_ms else 0
            return self.energy_mwh * (instant_ms - self.start_ms) // width
        energy, width, offset = self.share
        return energy * (offset + instant_ms - self.start_ms) // width - energy * offset // width


@dataclass(frozen=True, slots=True)
class Usage:
    """One session. `flows` in order of time, without overlap, built only when it is called:
    a tariff without restrictions needs the totals alone, which must equal the sums of `flows`.

    `zone` is the site's. `reservation`: stretches reserved before the session began;
    `reservation_expired`: nobody came. Energy exported is never priced.
    """

    start_ms: int
    end_ms: int
    energy_mwh: int
    charging_ms: int
    parking_ms: int
    flows: Callable[[], tuple[Flow, ...]]
    zone: ZoneInfo
    reservation: tuple[Flow, ...] = ()
    reservation_expired: bool = False


def usage_of(
    flows: Iterable[Flow],
    zone: ZoneInfo,
    *,
    reservation: Iterable[Flow] = (),
    reservation_expired: bool = False,
) -> Usage:
    """A usage from its stretches alone; without any, the reservation tells when it was."""
    parts = tuple(sorted(flows, key=lambda flow: (flow.start_ms, flow.end_ms)))
    reserved = tuple(sorted(reservation, key=lambda flow: (flow.start_ms, flow.end_ms)))
    all_parts = parts or reserved
    return Usage(
        start_ms=all_parts[0].start_ms if all_parts else 0,
        end_ms=max((flow.end_ms for flow in all_parts), default=0),
        energy_mwh=sum(flow.energy_mwh for flow in parts),
        charging_ms=sum(flow.charging_ms for flow in parts),
        parking_ms=sum(flow.parking_ms for flow in parts),
        flows=lambda: parts,
        zone=zone,
        reservation=reserved,
        reservation_expired=reservation_expired,
    )
