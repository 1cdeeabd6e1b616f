"""HTTP sessions (`session_id`): `SET`, `USE` and temporary tables that outlive a request."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from laddstream.embedded.engine import Connection, Engine, EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_SESSIONS = 256
_LOCKED = 373
_NOT_FOUND = 372


@dataclass(slots=True)
class Session:
    """A connection that is kept, and what its owner changed on it for good."""

    connection: Connection
    expires: float
    database: str = "default"
    settings: list[str] = field(default_factory=list)
    busy: threading.Lock = field(default_factory=threading.Lock)

    def remember(self, word: str, statement: str) -> None:
        """Note a successful SET or USE, so that a request's own settings can be undone."""
        if word == "SET":
            self.settings = [s for s in self.settings if s != statement] + [statement]
        elif word == "USE":
            self.database = statement.strip().rstrip(";").split(None, 1)[1].strip(' `"')

    def restore(self, changed: Iterable[str]) -> None:
        """Undo what one request set for itself."""
        defaults = ", ".join(f"{name} = DEFAULT" for name in changed)
        self.connection.execute(f"SET {defaults}", "Null", {})
        for statement in self.settings:
            self.connection.execute(statement, "Null", {})


class Sessions:
    """All sessions of the store; at most `MAX_SESSIONS`, the longest unused goes first."""

    def __init__(self, engine: Engine) -> None:
        """No session yet."""
        self._engine = engine
        self._all: dict[str, Session] = {}
        self._lock = threading.Lock()

    @contextmanager
    def use(self, name: str, timeout_s: float, *, must_exist: bool) -> Iterator[Session]:
        """The session for one request.

        Raises EngineError: 372 where it must exist and does not, 373 where another request has it.
        """
        session = self._claim(name, must_exist=must_exist)
        try:
            yield session
        finally:
            session.expires = time.monotonic() + timeout_s
            session.busy.release()

    def _claim(self, name: str, *, must_exist: bool) -> Session:
        with self._lock:
            self._drop_expired()
            session = self._all.pop(name, None)
            if session is None:
                if must_exist:
                    raise _refusal(_NOT_FOUND, "Session not found. (SESSION_NOT_FOUND)")
                session = Session(self._engine.connect(), 0.0)
            self._all[name] = session
            if not session.busy.acquire(blocking=False):
                text = "Session is locked by a concurrent client. (SESSION_IS_LOCKED)"
                raise _refusal(_LOCKED, text)
            return session

    def _drop_expired(self) -> None:
        now, spare = time.monotonic(), len(self._all) - MAX_SESSIONS + 1
        for name, session in list(self._all.items()):
            idle = session.busy.acquire(blocking=False)
            if idle and (session.expires < now or spare > 0):
                session.connection.close()
                del self._all[name]
                spare -= 1
            elif idle:
                session.busy.release()


def _refusal(code: int, text: str) -> EngineError:
    return EngineError(f"Code: {code}. DB::Exception: {text}", code)
