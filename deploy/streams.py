"""`wugan streams`: the streams of all services as this version declares them, made by the broker's operator.

No service may do it for itself: who can change a stream can make it forget, or have it copied to where another speaks.
Safe to repeat, and to run while everything works.
"""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.contracts.events import EVENTS
from shared.kit.bus import Bus


class BrokerSettings(BaseSettings):
    """Where the broker is, and as whom: the operator of deploy/nats/users.conf."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_", extra="ignore", frozen=True)

    nats_url: SecretStr
    nats_ca_file: Path | None = None
    stream_replicas: int = Field(default=1, ge=1, le=5)


async def make(url: str, *, replicas: int, ca_file: Path | None = None, anew: bool = False) -> None:
    """Make or change every stream.

    Args:
        url: of the broker's operator.
        replicas: of each stream.
        ca_file: authority of the broker's certificate.
        anew: first remove those that are there, with what they hold: where the database was brought back, they know
            more or less than it does.

    Raises:
        UnavailableError: the broker does not answer.
    """
    bus = Bus(url, name="wugan-streams", ca_file=ca_file)
    await bus.connect()
    try:
        if anew:
            await bus.remove_streams(EVENTS)
        await bus.reconcile_streams(EVENTS, replicas=replicas)
    finally:
        await bus.close()
