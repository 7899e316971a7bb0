"""Text messages through one or two HTTP gateways (protocol in `_gateway.py`), from one fixed sender.

`POST <url>/messages` brings `{"messages": [{"id", "to", "sender", "approval", "text", "priority"}]}`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import httpx
import structlog
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notify.channels import Channel, Send, Silence
from services.notify.channels import _gateway as gateways
from services.notify.channels._gateway import DefiniteRefusalError, Gateway
from services.notify.domain.delivery import Outgoing, Reach, Receipt, Result
from services.notify.domain.lint import sms_parts
from shared.contracts.vocabulary import Audience

log = structlog.get_logger(__name__)

_BATCH: Final = 500
_SAME_GATEWAY_TRIES: Final = 3
"""So many tries go to one gateway, which takes an id once, before the other one is asked: the waits between them, two
minutes at least, are for its receipts to come. After that a text may come twice, but it comes."""


class SmsSettings(BaseSettings):
    """Gateways and the fixed sender."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_SMS_", extra="ignore", frozen=True)

    url: str = Field(default="", description="first gateway; empty: the channel is off")
    token: SecretStr = SecretStr("")
    second_url: str = Field(default="", description="asked when the first does not take messages; may be empty")
    second_token: SecretStr = SecretStr("")
    receipt_secret: SecretStr = Field(default=SecretStr(""), description="whsec_… the gateways sign receipts with")
    sandbox: bool = Field(default=False, description="true: the gateways reach nobody; texts need no real approval")
    sender: str = Field(default="亳州人社", description="the fixed name in 【】 before every text")
    seconds: Annotated[float, Field(gt=0, le=60)] = Field(default=10.0, description="longest wait for an answer")
    per_second: Annotated[float, Field(ge=0)] = Field(
        default=0.0,
        description="most texts a second of each process: the provider's limit divided by their number; 0: no limit",
    )
    fen_per_part: Annotated[float, Field(ge=0)] = Field(default=4.5, description="cost of a part of 70 characters")


def off_because(settings: SmsSettings) -> str | None:
    return None if settings.url else "WUGAN_NOTIFY_SMS_URL is not set"


def open_sender(settings: SmsSettings, client: httpx.AsyncClient) -> Send:
    def item(message: Outgoing) -> Mapping[str, object]:
        return {
            "id": str(message.id),
            "to": message.to,
            "sender": settings.sender,
            "approval": message.approval,
            "text": full_text(settings, message.text),
            "priority": message.legal,
        }

    addresses = [(settings.url, settings.token), (settings.second_url, settings.second_token)]
    opened = [
        Gateway(
            name=f"gateway_{number}",
            address=f"{url}/messages",
            under="messages",
            token=token.get_secret_value(),
            seconds=settings.seconds,
            client=client,
            item=item,
            parts=lambda message: sms_parts(full_text(settings, message.text)),
        )
        for number, (url, token) in enumerate(addresses, start=1)
        if url
    ]

    async def send(batch: Sequence[Outgoing]) -> list[Result]:
        names, lots = [each.name for each in opened], dict[tuple[int, bool], list[Outgoing]]()
        for each in batch:
            lots.setdefault((turn_of(each, names), each.asked is None), []).append(each)
        handed = [await _hand_over(opened, first, lot, others=fresh) for (first, fresh), lot in lots.items()]
        return [result for results in handed for result in results]

    return send


def turn_of(message: Outgoing, names: Sequence[str]) -> int:
    """Which gateway is asked: one that may have the message is asked again, until its tries are used up."""
    turn, within = divmod(message.attempt - 1, _SAME_GATEWAY_TRIES)
    if message.asked is None:
        return turn % len(names)
    asked = names.index(message.asked) if message.asked in names else 0
    return (asked + (turn > 0 and within == 0)) % len(names)


async def _hand_over(opened: Sequence[Gateway], first: int, batch: Sequence[Outgoing], *, others: bool) -> list[Result]:
    """Hand a batch to one gateway; where that one certainly did not take it, and `others` may, to another at once."""
    reason = ""
    for gateway in (opened[first], *(each for each in opened if others and each is not opened[first])):
        try:
            return await gateway.hand(batch)
        except DefiniteRefusalError as error:
            reason = str(error)
            log.warning("sms_gateway_refuses", gateway=gateway.name, reason=reason, messages=len(batch))
    return [gateways.again(each, each.asked or "", reason) for each in batch]


def full_text(settings: SmsSettings, text: str) -> str:
    return f"【{settings.sender}】{text}"


def read_receipts(settings: SmsSettings, headers: Mapping[str, str], body: bytes, now: int) -> list[Receipt]:
    return gateways.read_receipts(settings.receipt_secret, headers, body, now)


CHANNEL = Channel(
    code="sms",
    label="短信",
    reference="经审核的短信模板,固定签名,不含链接,不索取任何信息",
    reaches=Reach.PHONE,
    settings=SmsSettings,
    off_because=off_because,
    open=open_sender,
    read_receipts=read_receipts,
    audiences=frozenset({Audience.CITIZEN, Audience.FAMILY}),
    batch=_BATCH,
    quiet_hours=True,
    silence=Silence(days=3),
)
