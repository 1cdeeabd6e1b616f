"""Processes of the stack: where they say they run, who owns a directory, how they end."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from schemas.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Running:
    """One service of the stack, as written to `home/run/NAME.json`.

    `address` is host:port, or empty where a service has none; `started` tells a process from a
    later one under the same number (clock ticks since boot; 0 where the system does not say).
    """

    name: str
    pid: int
    address: str = ""
    started: int = 0


def announce(run_dir: Path, name: str, pid: int, address: str = "") -> Running:
    """Write that a service runs; readers see the whole file or none."""
    running = Running(name, pid, address, _started(pid))
    run_dir.mkdir(parents=True, exist_ok=True)
    partial = run_dir / f".{name}.{os.getpid()}"
    partial.write_text(json.dumps(asdict(running)) + "\n")
    partial.replace(run_dir / f"{name}.json")
    return running


def withdraw(run_dir: Path, name: str) -> None:
    """Take back what `announce` wrote."""
    (run_dir / f"{name}.json").unlink(missing_ok=True)


def running(run_dir: Path, name: str) -> Running | None:
    """The service if it is alive; a file left by a process that is gone counts for nothing."""
    try:
        found = Running(**json.loads((run_dir / f"{name}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if alive(found) else None


def all_running(run_dir: Path) -> list[Running]:
    """Every living service of a home, by name."""
    names = sorted(path.stem for path in run_dir.glob("*.json"))
    return [found for name in names if (found := running(run_dir, name))]


def alive(found: Running) -> bool:
    """Whether that very process still runs."""
    try:
        os.kill(found.pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    # A child that ended counts as gone although nobody has asked for its exit code yet.
    return found.started in {0, _started(found.pid)} and not _is_zombie(found.pid)


def lock(path: Path, what: str) -> IO[str]:
    """Own a directory as long as the returned file is open and this process lives.

    Raises UserError naming the owner where another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        owner = handle.read().strip() or "another process"
        handle.close()
        message = f"{what} is already in use by {owner}; stop it first with `laddstream down`."
        raise UserError(message) from None
    note(handle, f"process {os.getpid()}")
    return handle


def note(handle: IO[str], owner: str) -> None:
    """Say in a lock file who owns it, for the person who meets it."""
    handle.seek(0)
    handle.truncate()
    handle.write(f"{owner}\n")
    handle.flush()


def choose_port(wanted: int | None, preferred: int, what: str, flag: str) -> int:
    """The port to listen on: the wanted one, else the preferred one, else a free one.

    Raises UserError where the wanted one is taken.
    """
    if wanted and not _is_free(wanted):
        message = f"port {wanted} for the {what} is taken; choose another with {flag}."
        raise UserError(message)
    if wanted or _is_free(preferred):
        return wanted or preferred
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def dies_with_parent(parent: int) -> Callable[[], None]:
    """A `preexec_fn`: the kernel ends the child when its parent goes, even by SIGKILL.

    The library is loaded before the fork, the child only makes two system calls. Elsewhere than
    on Linux the child is left to `laddstream down`.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def in_child() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

    return in_child


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return not answers(port)


def _started(pid: int) -> int:
    """Start of a process in clock ticks since boot: field 22 of proc(5) stat."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def _is_zombie(pid: int) -> bool:
    return _stat(pid)[:1] == ["Z"]


def _stat(pid: int) -> list[str]:
    """The fields of proc(5) stat from the third on; none where the system has no /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []
