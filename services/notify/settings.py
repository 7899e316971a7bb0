"""Settings of notify itself; each channel has its own beside its code."""

from datetime import time
from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.kit.settings import VaultSettings


class NotifySettings(VaultSettings):
    """When people may be disturbed, and how patient the senders are."""

    notify_opens_at: time = Field(default=time(8), description="Asia/Shanghai; legal notices do not wait for it")
    notify_closes_at: time = Field(default=time(21), description="Asia/Shanghai")
    notify_lease_seconds: Annotated[float, Field(ge=5)] = Field(
        default=60.0, description="after which a delivery of a sender that died is sent by another"
    )
    notify_wait_days: Annotated[int, Field(ge=1)] = Field(
        default=30, description="how long a message waits for a phone to become known"
    )

    notify_test_recipients: str = Field(
        default="", description="phones, addresses or accounts that samples may be sent to, separated by commas"
    )

    @model_validator(mode="after")
    def _a_day_has_hours(self) -> Self:
        if self.notify_opens_at >= self.notify_closes_at:
            msg = "WUGAN_NOTIFY_OPENS_AT must be before WUGAN_NOTIFY_CLOSES_AT"
            raise ValueError(msg)
        return self
