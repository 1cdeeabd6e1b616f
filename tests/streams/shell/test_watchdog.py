"""The watchdog sees a loop that hangs and work that is never committed, and nothing else."""

from __future__ import annotations

import threading

from streams.watchdog import Watchdog


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_silence_of_the_event_loop_is_a_stall() -> None:
    clock = Clock()
    dog = Watchdog(60, clock=clock)

    clock.now += 60
    assert dog.stall() is None
    clock.now += 1

    assert dog.stall() == "the event loop has not run for 61 s"


def test_waiting_without_a_commit_is_a_stall_and_idleness_is_not() -> None:
    clock = Clock()
    dog = Watchdog(60, clock=clock)

    for _ in range(10):
        clock.now += 30
        dog.beat(waiting=False)
    assert dog.stall() is None
    for _ in range(3):
        clock.now += 30
        dog.beat(waiting=True)

    assert dog.stall() == "records wait, and nothing was committed for 90 s"


def test_a_commit_or_a_known_reason_resets_the_patience() -> None:
    clock = Clock()
    dog = Watchdog(60, clock=clock)

    for _ in range(10):
        clock.now += 50
        dog.beat(waiting=True)
        assert dog.stall() is None
        dog.progress()


def test_the_thread_reports_a_stall_once() -> None:
    seen: list[str] = []
    barked = threading.Event()

    def bark(reason: str) -> None:
        seen.append(reason)
        barked.set()

    dog = Watchdog(0.02, bark)
    dog.start()

    assert barked.wait(5)
    assert len(seen) == 1
