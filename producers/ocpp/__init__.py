"""OCPP-J 1.6, 2.0.1 and 2.1 to events: pure, see `producers.ocpp.fold` and docs/ocpp.md."""

from __future__ import annotations

from producers.ocpp.fold import fold, release
from producers.ocpp.model import (
    Context,
    Direction,
    Flag,
    Frame,
    Held,
    Ignored,
    Outcome,
    Published,
    Settled,
    StationState,
)
from producers.ocpp.text import frame_in, parse_json

__all__ = [
    "Context",
    "Direction",
    "Flag",
    "Frame",
    "Held",
    "Ignored",
    "Outcome",
    "Published",
    "Settled",
    "StationState",
    "fold",
    "frame_in",
    "parse_json",
    "release",
]
