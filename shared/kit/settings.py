"""Settings every service has, read from the environment (`WUGAN_…`) and checked at start."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

KEY_BYTES = 32


class KitSettings(BaseSettings):
    """Settings of the plumbing; a service's own class adds its own prefix beside this one."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_", extra="ignore", frozen=True)

    database_url: SecretStr = Field(
        description="postgresql://role:password@host:port/database[?sslmode=verify-full&sslrootcert=file]"
    )
    nats_url: SecretStr = Field(description="nats://user:password@host:port, several separated by commas")
    nats_ca_file: Path | None = Field(default=None, description="authority of NATS' certificates, for tls:// URLs")
    nats_monitor_urls: str = Field(
        default="",
        description="http://host:port of each server's monitoring, by commas: a service starts only on a synced store",
    )
    nats_unproved: bool = Field(default=False, description="true: start, with a warning, where no monitoring is named")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    data_dir: Path = Field(default=Path("var"), description="folder for files of this service (raw files, results)")
    clock_file: Path | None = Field(default=None, description="movable business date; unset in production")

    issuer_url: str = "http://127.0.0.1:8000/api/recognition"
    audience: str = "wugan"
    jwks_url: str | None = Field(
        default=None, description="keys of the issuer; default: issuer + /.well-known/jwks.json"
    )
    token_url: str | None = Field(
        default=None, description="where this service asks the issuer for tokens; default: issuer + /oauth/token"
    )
    gateways: str = Field(
        default="127.0.0.1/32,::1/128",
        description="networks, by commas, of gateways whose Client-Cert header is believed",
    )
    client_id: str | None = Field(default=None, description="this service's own client, for calls to its peers")
    client_key_file: Path | None = None

    ingest_url: str = "http://127.0.0.1:8001"
    scoring_url: str = "http://127.0.0.1:8002"
    grid_url: str = "http://127.0.0.1:8003"
    recognition_url: str = "http://127.0.0.1:8004"
    notify_url: str = "http://127.0.0.1:8005"

    db_pool_size: Annotated[int, Field(ge=4, le=100, description="connections of transactions, of one process")] = 20
    db_quick_size: Annotated[int, Field(ge=1, le=100, description="and of single statements, beside those")] = 8
    db_acquire_seconds: Annotated[float, Field(gt=0)] = 5.0
    db_statement_seconds: Annotated[float, Field(gt=0)] = 60.0
    outbox_days: Annotated[int, Field(ge=30, description="how far back streams can be rebuilt from the outbox")] = 92
    inbox_days: Annotated[int, Field(ge=92, description="longer than any stream keeps a message")] = 120
    consumers_enabled: bool = Field(default=True, description="false: this process only answers HTTP")
    max_body_bytes: Annotated[int, Field(ge=1024)] = Field(default=1_048_576, description="for bodies read whole")
    shutdown_seconds: Annotated[int, Field(ge=1)] = 25
    log_level: str = "INFO"
    traces: Literal["", "console", "otlp"] = Field(
        default="", description="spans: none, JSON lines among the logs, or by OTLP to OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    traces_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0, description="of the traces that begin here; a caller's are kept as he says"
    )

    @property
    def messages_at_once(self) -> int:
        """How many messages are handled at once: half of the connections stay for callers, relay and sweeps."""
        return min(8, self.db_pool_size // 2)

    @property
    def effective_jwks_url(self) -> str:
        """Where the keys of the token issuer are found."""
        return self.jwks_url or f"{self.issuer_url}/.well-known/jwks.json"

    def peer_url(self, service: str) -> str:
        """Base URL of another service."""
        urls = {
            "ingest": self.ingest_url,
            "scoring": self.scoring_url,
            "grid": self.grid_url,
            "recognition": self.recognition_url,
            "notify": self.notify_url,
        }
        return urls[service]


class SubjectKeySettings(KitSettings):
    """For a service that turns ids of citizens into subjects; no other one is given that key."""

    subject_key: SecretStr = Field(description="hex, 32 bytes: keyed hashing of citizen ids into subjects")

    @model_validator(mode="after")
    def _keys_are_keys(self) -> Self:
        if len(bytes.fromhex(self.subject_key.get_secret_value())) != KEY_BYTES:
            msg = "WUGAN_SUBJECT_KEY must be 64 hex digits (32 bytes)"
            raise ValueError(msg)
        return self


class VaultSettings(KitSettings):
    """For a service that keeps something of people sealed."""

    vault_keys: SecretStr = Field(description="kid:hex[,kid:hex]; the first seals, all open")
