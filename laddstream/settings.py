"""All settings, from the environment (`LADDSTREAM_…`) with defaults for one machine.

Nested names are joined by two underscores: `LADDSTREAM_KAFKA__BOOTSTRAP_SERVERS`.
Where `kafka.bootstrap_servers` or `clickhouse.url` are empty, the embedded broker and
store of `home` are meant; their addresses stand in `home/run/*.json` while they run.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class KafkaSettings(BaseModel):
    """Where Kafka is and which topics we use."""

    bootstrap_servers: str = Field("", description="host:port,… ; empty: the embedded broker")
    events_topic: str = "charging.events"
    payments_topic: str = Field("charging.payments", description="Empty: payments are not read")
    dead_letter_topic: str = "charging.events.dlq"
    partitions: int = Field(8, ge=1, le=10_000)
    replication_factor: int = Field(1, ge=1)
    group: str = Field("laddstream", description="Consumer group of the workers")
    session_timeout_s: float = Field(6.0, gt=0)


class ClickHouseSettings(BaseModel):
    """Where ClickHouse is."""

    url: str = Field("", description="http://host:port ; empty: the embedded store")
    user: str = "default"
    password: SecretStr = SecretStr("")
    database: str = "laddstream"


class WorkerSettings(BaseModel):
    """How the stream processor batches, and when it gives a session up."""

    flush_events: int = Field(100_000, ge=1, description="Flush at the latest after so many events")
    flush_interval_s: float = Field(
        0.25,
        gt=0,
        description="… or after so long; four times as long where fewer than 2,000 wait,"
        " or flush_events more in the topic",
    )
    live_interval_s: float = Field(
        60.0, ge=0, description="How stale an open session's row may be, and a twelfth"
    )
    expire_after_s: int = Field(86_400, ge=1, description="Silence in event time after which …")
    expire_grace_s: int = Field(3_600, ge=0, description="… and in arrival a session is given up")
    closed_keep_s: float = Field(300.0, ge=0, description="How long ended sessions stay in memory")
    watchdog_s: float = Field(60.0, gt=0, description="No commit with work waiting: exit hard")


class Settings(BaseSettings):
    """Everything a process needs to know; built once, passed on."""

    model_config = SettingsConfigDict(
        env_prefix="LADDSTREAM_", env_nested_delimiter="__", extra="ignore"
    )

    home: Path = Field(Path("~/.laddstream"), description="Data, sockets and logs")
    tenant: str = Field("default", description="Operator that imported data belongs to")
    kafka: KafkaSettings = KafkaSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    worker: WorkerSettings = WorkerSettings()

    @property
    def home_dir(self) -> Path:
        """`home` with ~ expanded, absolute."""
        return self.home.expanduser().absolute()

    @property
    def run_dir(self) -> Path:
        """Where running services leave their address and process id, one JSON file each."""
        return self.home_dir / "run"
