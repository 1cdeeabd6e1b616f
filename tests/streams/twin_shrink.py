"""Scripts on which the sides differ, made small by leaving out what they differ without.

python -m tests.streams.twin_shrink SEED...
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.streams.twin_kit import DifferenceError, play
from tests.streams.twin_side import Script
from tests.streams.twin_streams import script_of

_PLAIN: dict[str, Any] = {"stride": 4000, "packed": 100_000, "keep_s": 300, "live_s": 0}


def differs(script: Script) -> str:
    """What differs, or nothing."""
    try:
        play(script)
    except DifferenceError as found:
        return str(found)
    except Exception as error:  # noqa: BLE001  # whatever a worker may raise is a difference too
        return f"{type(error).__name__}: {error}"
    return ""


def shrunk(script: Script) -> Script:
    """A script with as few steps and values as can be had by leaving some out."""
    size = 0
    while size != (size := len(script.steps) + len(script.logs[0]) + len(script.logs[1])):
        script = _fewer(script, script.steps, lambda s, kept: replace(s, steps=kept))
        script = _fewer(script, script.logs[0], lambda s, kept: replace(s, logs=(kept, s.logs[1])))
        script = _fewer(script, script.logs[1], lambda s, kept: replace(s, logs=(s.logs[0], kept)))
    for name, value in _PLAIN.items():
        if differs(plainer := replace(script, **{name: value})):
            script = plainer
    return script


def _fewer(
    script: Script, items: tuple[Any, ...], with_items: Callable[[Script, tuple[Any, ...]], Script]
) -> Script:
    width = max(1, len(items) // 2)
    while True:
        at = 0
        while at < len(items):
            kept = (*items[:at], *items[at + width :])
            smaller = with_items(script, kept)
            if differs(smaller):
                script, items = smaller, kept
            else:
                at += width
        if width == 1:
            return script
        width //= 2


def told(script: Script) -> str:
    """A script for reading."""
    names = ("keep_s", "live_s", "stride", "packed", "clock_ms")
    settings = ", ".join(f"{name}={getattr(script, name)}" for name in names)
    values = [f"{p} {value!r}" for p in (0, 1) for value in script.logs[p]]
    return "\n".join([settings, str(script.steps), *values])


if __name__ == "__main__":
    for seed in map(int, sys.argv[1:]):
        if not differs(script_of(seed)):
            sys.stdout.write(f"seed {seed}: no difference\n")
            continue
        small = shrunk(script_of(seed))
        sys.stdout.write(f"seed {seed}: {differs(small)}\n{told(small)}\n")
