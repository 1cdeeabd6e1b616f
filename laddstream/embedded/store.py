"""The store process: owns a chDB directory and speaks ClickHouse's HTTP interface on loopback.

    python -m laddstream.embedded.store --home DIR [--port P]

Layers: `statements` and `guard` (text), `jobs` (request to job), `engine` (chDB), `sessions`,
`wire` (HTTP facts), `front` (sockets). The secret in `run/secret` gives full rights, see `guard`.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from laddstream.embedded.process import LOOPBACK, announce, choose_port, lock, note, withdraw
from schemas.errors import LaddstreamError, UserError

if TYPE_CHECKING:
    from laddstream.embedded.server import Server

DEFAULT_PORT = 8123
DRAIN_S = 10.0
_LOG = logging.getLogger("laddstream.store")


def secret_of(home: Path) -> str:
    """The home's secret, made on first use and readable by its owner only."""
    path = home / "run" / "secret"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    return path.read_text().strip()


def serve(home: Path, port: int | None) -> None:
    """Run until SIGTERM or SIGINT; raises UserError where directory or port are taken."""
    with lock(home / "store.lock", f"the store {home / 'store'}") as owner:
        chosen = choose_port(port, DEFAULT_PORT, "store", "--port-store")
        server = _open(home, chosen)
        address = f"{LOOPBACK}:{server.server_address[1]}"
        note(owner, f"process {os.getpid()} at http://{address}")
        announce(home / "run", "store", os.getpid(), address)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _stop_soon(server))
        _LOG.info("the store listens on http://%s", address)
        try:
            server.serve_forever(poll_interval=0.1)
        finally:
            _close(server)
            withdraw(home / "run", "store")


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="laddstream.embedded.store", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument(
        "--port", type=int, help=f"default: {DEFAULT_PORT} if free, else a free one"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # The engine takes the process's zone for every DateTime without one.
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        serve(arguments.home.expanduser().absolute(), arguments.port)
    except LaddstreamError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


def _open(home: Path, port: int) -> Server:
    # The engine takes half a second to import, which a refusal need not wait for.
    from laddstream.embedded.engine import Engine  # noqa: PLC0415
    from laddstream.embedded.front import Handler  # noqa: PLC0415
    from laddstream.embedded.server import Server  # noqa: PLC0415

    data = home / "store"
    data.mkdir(parents=True, exist_ok=True)
    try:
        engine = Engine(data)
    except RuntimeError as error:
        message = f"the store {data} cannot be opened: {error}"
        raise UserError(message) from None
    return Server(port, Handler, engine, secret_of(home))


def _stop_soon(server: Server) -> None:
    """`shutdown` waits for the serving loop, which is the thread a signal interrupts."""
    threading.Thread(target=server.shutdown, daemon=True).start()


def _close(server: Server) -> None:
    server.server_close()
    if not server.drain(DRAIN_S):
        _LOG.warning("statements still run after %.0f s and are cut off", DRAIN_S)
    server.engine.close()
    _LOG.info("the store has stopped")


if __name__ == "__main__":
    main()
