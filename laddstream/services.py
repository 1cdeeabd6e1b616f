"""Where the broker and the store are: as configured, else those of this machine's stack."""

from __future__ import annotations

from laddstream.embedded.process import running
from laddstream.settings import Settings
from schemas.errors import UnavailableError


def kafka_bootstrap(settings: Settings) -> str:
    """`host:port,…` of Kafka.

    Raises UnavailableError where none is configured and the embedded broker does not run.
    """
    return settings.kafka.bootstrap_servers or _address(settings, "broker")


def clickhouse_url(settings: Settings) -> str:
    """`http://host:port` of ClickHouse.

    Raises UnavailableError where none is configured and the embedded store does not run.
    """
    return settings.clickhouse.url.rstrip("/") or f"http://{_address(settings, 'store')}"


def clickhouse_credentials(settings: Settings) -> tuple[str, str]:
    """User and password for full rights; the embedded store's password is the home's secret.

    Raises UnavailableError where the embedded store has never been started.
    """
    if settings.clickhouse.url:
        return settings.clickhouse.user, settings.clickhouse.password.get_secret_value()
    path = settings.run_dir / "secret"
    try:
        return "default", path.read_text().strip()
    except FileNotFoundError:
        raise _not_running("store", settings) from None
    except OSError as error:
        raise UnavailableError(f"{path} cannot be read: {error.strerror}.") from None


def _address(settings: Settings, name: str) -> str:
    found = running(settings.run_dir, name)
    if found is None:
        raise _not_running(name, settings)
    return found.address


def _not_running(name: str, settings: Settings) -> UnavailableError:
    return UnavailableError(
        f"the {name} of {settings.home_dir} is not running: start it with `laddstream up`."
    )
