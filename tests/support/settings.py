"""Settings for code under test: every required one filled, others by default."""

from typing import TypeVar

from shared.kit.settings import KitSettings

SettingsT = TypeVar("SettingsT", bound=KitSettings)

SUBJECT_KEY = "11" * 32
VAULT_KEYS = "test:" + "22" * 32
SETTINGS_ENV = {
    "database_url": "postgresql://nobody@127.0.0.1:1/none",
    "nats_url": "nats://127.0.0.1:1",
    "subject_key": SUBJECT_KEY,
    "vault_keys": VAULT_KEYS,
    "grid_key": SUBJECT_KEY,
    "issuer_url": "http://issuer.test",
}


def settings_for(kind: type[SettingsT], **values: object) -> SettingsT:
    """Settings of `kind` without a look at the environment's own required ones."""
    return kind(**{**SETTINGS_ENV, **values})  # type: ignore[arg-type]
