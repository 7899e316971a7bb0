"""Messages on the phone's screen through the mobile app's HTTP gateway (protocol in `_gateway.py`).

`POST <url>/notifications` brings `{"notifications": [{"id", "account", "title", "text", "priority"}]}`; an account
without the app is rejected, and the next channel is tried. Text and title are those of the inbox: they name nobody.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import httpx
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notify.channels import Channel, Send, Silence
from services.notify.channels import _gateway as gateways
from services.notify.channels._gateway import DefiniteRefusalError, Gateway
from services.notify.domain.delivery import Outgoing, Reach, Receipt, Result
from shared.contracts.vocabulary import Audience


class PushSettings(BaseSettings):
    """The mobile app's gateway."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_PUSH_", extra="ignore", frozen=True)

    url: str = Field(default="", description="empty: the channel is off")
    token: SecretStr = SecretStr("")
    receipt_secret: SecretStr = Field(default=SecretStr(""), description="whsec_… receipts are signed with")
    seconds: Annotated[float, Field(gt=0, le=60)] = Field(default=10.0, description="longest wait for an answer")
    per_second: Annotated[float, Field(ge=0)] = Field(default=0.0, description="most a second of each process; 0: none")


def off_because(settings: PushSettings) -> str | None:
    return None if settings.url else "WUGAN_NOTIFY_PUSH_URL is not set"


def _item(message: Outgoing) -> Mapping[str, object]:
    return {
        "id": str(message.id),
        "account": message.to,
        "title": message.title,
        "text": message.text,
        "priority": message.legal,
    }


def open_sender(settings: PushSettings, client: httpx.AsyncClient) -> Send:
    gateway = Gateway(
        name="app",
        address=f"{settings.url}/notifications",
        under="notifications",
        token=settings.token.get_secret_value(),
        seconds=settings.seconds,
        client=client,
        item=_item,
        parts=lambda _: 0,
    )

    async def send(batch: Sequence[Outgoing]) -> list[Result]:
        try:
            return await gateway.hand(batch)
        except DefiniteRefusalError as error:
            return [gateways.again(each, gateway.name, str(error)) for each in batch]

    return send


def read_receipts(settings: PushSettings, headers: Mapping[str, str], body: bytes, now: int) -> list[Receipt]:
    return gateways.read_receipts(settings.receipt_secret, headers, body, now)


CHANNEL = Channel(
    code="push",
    label="手机应用推送",
    reference="经移动应用后台推送，文字与站内消息相同，不含姓名",
    reaches=Reach.ACCOUNT,
    settings=PushSettings,
    off_because=off_because,
    open=open_sender,
    read_receipts=read_receipts,
    audiences=frozenset({Audience.CITIZEN, Audience.GRID_WORKER}),
    batch=200,
    waits=(5, 30, 120),
    quiet_hours=True,
    speaks_like="inbox",
    silence=Silence(days=1),
)
