"""The stack from outside its supervisor: start it detached, stop it, refuse a second one."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from laddstream.embedded.process import Running, alive, all_running, running
from laddstream.settings import Settings
from schemas.errors import UnavailableError, UserError

SUPERVISOR = "up"
"""The name a running supervisor goes by in `home/run`."""
READY_S = 180.0
"""How long a stack may take until it is ready."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start; a port of None is the usual one, or a free one where that is taken."""

    workers: int = 1
    store_port: int | None = None
    broker_port: int | None = None


def launch(settings: Settings, plan: Plan, *, follow: bool = False) -> list[Running]:
    """Run the stack in a process of its own and return when it is ready.

    With `follow` it ends when this process does, however that ends. Raises UserError or
    UnavailableError with the supervisor's own words where it does not come up.
    """
    refuse_second(settings)
    argv = [sys.executable, "-m", "laddstream.embedded.stack", "--workers", str(plan.workers)]
    for flag, port in (("--port-store", plan.store_port), ("--port-broker", plan.broker_port)):
        argv += [flag, str(port)] if port else []
    path = settings.home_dir / "logs" / "up.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    argv += ["--follow", str(os.getpid())] if follow else []
    pid = _spawn_detached(argv, environment(settings.home_dir), path)
    until = time.monotonic() + READY_S
    while running(settings.run_dir, SUPERVISOR) is None:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            lines = path.read_text(errors="replace").strip().splitlines()
            said = lines[-1].removeprefix("error: ") if lines else f"see {path}"
            is_use = os.waitstatus_to_exitcode(status) == UserError.exit_code
            kind = UserError if is_use else UnavailableError
            raise kind(f"the stack did not start: {said}")
        if time.monotonic() > until:
            os.kill(pid, signal.SIGTERM)
            raise UnavailableError(f"the stack did not become ready, see {path}.")
        time.sleep(0.1)
    return all_running(settings.run_dir)


def shut(settings: Settings, seconds: float = 60.0) -> bool:
    """Stop a running stack and wait for its end; False where none runs.

    Raises UnavailableError where it has not ended after so many seconds.
    """
    found = running(settings.run_dir, SUPERVISOR)
    if found is None:
        return False
    os.kill(found.pid, signal.SIGTERM)
    until = time.monotonic() + seconds
    while alive(found):
        if time.monotonic() > until:
            raise UnavailableError(f"process {found.pid} does not end; kill it with `kill -9`.")
        time.sleep(0.1)
    return True


def refuse_second(settings: Settings) -> None:
    """Raises UserError with the addresses where the home's stack already runs."""
    found = running(settings.run_dir, SUPERVISOR)
    if found:
        others = [f"{r.name} {r.address}" for r in all_running(settings.run_dir) if r.address]
        raise UserError(
            f"the stack of {settings.home_dir} already runs (process {found.pid}): "
            f"{', '.join(others)}; stop it with `laddstream down`."
        )


def environment(home: Path) -> dict[str, str]:
    """The environment of every process of a home's stack."""
    return {**os.environ, "LADDSTREAM_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def _spawn_detached(argv: list[str], env: dict[str, str], log: Path) -> int:
    """A process in a session of its own, which nobody has to wait for; gives its number."""
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(argv[0], argv, env, file_actions=actions, setsid=True)
