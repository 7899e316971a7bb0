"""Letters of A4 that the village prints and hands out, for people without a phone and for what must be on paper.

Handing over puts the letter on its village's list; the PDF is made when the village asks for it, and the name is opened
only then. The village confirms what it has handed out.
"""

from collections.abc import Sequence
from typing import Annotated

import httpx
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notify.channels import Channel, Send, Silence
from services.notify.domain.delivery import Outcome, Outgoing, Reach, Result


class LetterSettings(BaseSettings):
    """Who signs, and what a page costs."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_LETTER_", extra="ignore", frozen=True)

    on: bool = Field(default=True, description="false: no letters are written here")
    sender: str = Field(default="亳州市人力资源和社会保障局", description="at the foot of every letter")
    fen_per_part: Annotated[float, Field(ge=0)] = Field(default=20.0, description="cost of a page")


def off_because(settings: LetterSettings) -> str | None:
    return None if settings.on else "WUGAN_NOTIFY_LETTER_ON is false"


def open_sender(_settings: LetterSettings, _client: httpx.AsyncClient) -> Send:
    async def send(batch: Sequence[Outgoing]) -> list[Result]:
        return [Result(id=each.id, outcome=Outcome.HANDED, provider="village", parts=1) for each in batch]

    return send


CHANNEL = Channel(
    code="letter",
    label="书面通知",
    reference="由村（社区）打印并送到本人或家属手中，签收后回报；大字版按本人意愿",
    reaches=Reach.VILLAGE,
    settings=LetterSettings,
    off_because=off_because,
    open=open_sender,
    batch=500,
    concurrency=2,
    silence=Silence(days=15),
)
