"""The inbox in the app: a message is delivered by being written, people read it when they look."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notify.channels import Channel
from services.notify.domain.delivery import Reach


class InboxSettings(BaseSettings):
    """Nothing to set."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_INBOX_", extra="ignore", frozen=True)


def always_on(_settings: InboxSettings) -> str | None:
    return None


CHANNEL = Channel(
    code="inbox",
    label="站内消息",
    reference="本人、工作人员和部门在应用内查看",
    reaches=Reach.ACCOUNT,
    settings=InboxSettings,
    off_because=always_on,
)
