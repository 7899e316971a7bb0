"""What a village reads out over its loudspeakers for people without a phone: who should come by, never why."""

from collections.abc import Sequence

import httpx
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notify.channels import Channel, Send, Silence
from services.notify.domain.delivery import Outcome, Outgoing, Reach, Result
from shared.contracts.vocabulary import Audience


class LoudspeakerSettings(BaseSettings):
    """Whether villages read out."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_LOUDSPEAKER_", extra="ignore", frozen=True)

    on: bool = Field(default=True, description="false: nothing is read out here")


def off_because(settings: LoudspeakerSettings) -> str | None:
    return None if settings.on else "WUGAN_NOTIFY_LOUDSPEAKER_ON is false"


def open_sender(_settings: LoudspeakerSettings, _client: httpx.AsyncClient) -> Send:
    async def send(batch: Sequence[Outgoing]) -> list[Result]:
        return [Result(id=each.id, outcome=Outcome.HANDED, provider="village") for each in batch]

    return send


CHANNEL = Channel(
    code="loudspeaker",
    label="村广播名单",
    reference="没有手机的老人由村广播转告，只念姓名，不念待遇、金额和原因",
    reaches=Reach.VILLAGE,
    settings=LoudspeakerSettings,
    off_because=off_because,
    open=open_sender,
    audiences=frozenset({Audience.CITIZEN, Audience.FAMILY}),
    batch=500,
    concurrency=1,
    silence=Silence(days=7, tried=False),
)
