"""Ends a worker that has stopped without saying so; the supervisor starts another.

A thread of its own, so that an event loop that hangs is seen too. Nothing is committed on the
way out: what was not done is read again.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable

STALLED = 71
"""Exit status of a process the watchdog ended."""


def end_process(reason: str) -> None:
    """Say why, show where every thread stands, end at once."""
    sys.stderr.write(f"worker stalled: {reason}\n")
    sys.stderr.flush()
    faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)
    os._exit(STALLED)


class Watchdog:
    """Wants a `beat` from the event loop, and `progress` while something waits for a commit."""

    def __init__(
        self,
        limit_s: float,
        on_stall: Callable[[str], None] = end_process,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`limit_s`: seconds without a sign of life; `clock` in seconds, monotonic."""
        self._limit_s = limit_s
        self._on_stall = on_stall
        self._clock = clock
        self._beat = self._progress = clock()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Watch from a daemon thread until `stop`."""
        self._beat = self._progress = self._clock()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def beat(self, *, waiting: bool) -> None:
        """The event loop runs; `waiting`: something read is not committed yet."""
        self._beat = self._clock()
        if not waiting:
            self._progress = self._beat

    def progress(self) -> None:
        """Something was committed, or the reason why nothing can be is known and said."""
        self._progress = self._clock()

    def stall(self) -> str | None:
        """What is wrong now, in words."""
        now = self._clock()
        if now - self._beat > self._limit_s:
            return f"the event loop has not run for {now - self._beat:.0f} s"
        if now - self._progress > self._limit_s:
            return f"records wait, and nothing was committed for {now - self._progress:.0f} s"
        return None

    def _watch(self) -> None:
        while not self._stopped.wait(min(1.0, self._limit_s / 4)):
            if reason := self.stall():
                self._on_stall(reason)
                return
