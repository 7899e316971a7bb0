"""Text messages through one or two HTTP gateways of a small protocol; receipts come back by a signed callback.

`POST <url>/messages` with a bearer token and `{"messages": [{"id", "to", "sender", "approval", "text"}]}` is answered
with `{"results": [{"id", "status": "accepted" | "rejected" | "busy", "reference", "reason"}]}`, an id taken once being
accepted again without a second text. Receipts are `{"receipts": [{"id", "status": "delivered" | "failed", "reason",
"at"}]}`, signed as a webhook.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

import httpx
import orjson
import structlog
from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notify.channels import Channel, NotAReceiptError, Send, Silence
from services.notify.domain.delivery import Outcome, Outgoing, Reach, Receipt, Result
from services.notify.domain.lint import sms_parts
from services.notify.domain.signing import SignatureError, verify

log = structlog.get_logger(__name__)

_BATCH: Final = 500
_SAME_GATEWAY_TRIES: Final = 2
"""After so many tries without a sure answer the second gateway is asked: a text may then come twice, but it comes."""


class SmsSettings(BaseSettings):
    """Gateways and the fixed sender."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_SMS_", extra="ignore", frozen=True)

    url: str = Field(default="", description="first gateway; empty: the channel is off")
    token: SecretStr = SecretStr("")
    second_url: str = Field(default="", description="asked when the first does not take messages; may be empty")
    second_token: SecretStr = SecretStr("")
    receipt_secret: SecretStr = Field(default=SecretStr(""), description="whsec_… the gateways sign receipts with")
    sender: str = Field(default="亳州人社", description="the fixed name in 【】 before every text")
    seconds: Annotated[float, Field(gt=0, le=60)] = Field(default=10.0, description="longest wait for an answer")


class _AnswerItem(BaseModel):
    id: str
    status: str
    reference: str = ""
    reason: str = ""


class _Answer(BaseModel):
    results: list[_AnswerItem]


class _ReceiptItem(BaseModel):
    id: UUID
    status: str
    reason: str = ""


class _Receipts(BaseModel):
    receipts: Annotated[list[_ReceiptItem], Field(max_length=1000)]


class _DefiniteRefusalError(Exception):
    """The gateway certainly did not take the batch; another one may be asked at once."""


def off_because(settings: SmsSettings) -> str | None:
    return None if settings.url else "WUGAN_NOTIFY_SMS_URL is not set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One provider of text messages."""

    name: str
    url: str
    token: str
    settings: SmsSettings
    client: httpx.AsyncClient

    async def hand(self, batch: Sequence[Outgoing]) -> list[Result]:
        """Hand a batch over.

        Raises:
            _DefiniteRefusalError: it certainly took none of them.
        """
        body = orjson.dumps({"messages": [_item(self.settings, each) for each in batch]})
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            answer = await self.client.post(
                f"{self.url}/messages", content=body, headers=headers, timeout=self.settings.seconds
            )
        except httpx.ConnectError as error:
            raise _DefiniteRefusalError(type(error).__name__) from error
        except httpx.TransportError as error:
            return [_again(each, self.name, type(error).__name__) for each in batch]
        if answer.status_code == httpx.codes.GATEWAY_TIMEOUT:
            return [_again(each, self.name, "http_504") for each in batch]
        if answer.status_code != httpx.codes.OK:
            raise _DefiniteRefusalError(f"http_{answer.status_code}")
        return _results(self.settings, self.name, batch, answer.content)


def open_sender(settings: SmsSettings, client: httpx.AsyncClient) -> Send:
    addresses = [(settings.url, settings.token), (settings.second_url, settings.second_token)]
    gateways = [
        Gateway(name=f"gateway_{number}", url=url, token=token.get_secret_value(), settings=settings, client=client)
        for number, (url, token) in enumerate(addresses, start=1)
        if url
    ]

    async def send(batch: Sequence[Outgoing]) -> list[Result]:
        lots: dict[int, list[Outgoing]] = {}
        for each in batch:
            lots.setdefault(min((each.attempt - 1) // _SAME_GATEWAY_TRIES, len(gateways) - 1), []).append(each)
        return [result for first, lot in lots.items() for result in await _hand_over(gateways, first, lot)]

    return send


async def _hand_over(gateways: Sequence[Gateway], first: int, batch: Sequence[Outgoing]) -> list[Result]:
    """Hand a batch to one gateway, or to the other where that one certainly did not take it."""
    reason = ""
    for gateway in (gateways[first], *(other for other in gateways if other is not gateways[first])):
        try:
            return await gateway.hand(batch)
        except _DefiniteRefusalError as error:
            reason = str(error)
            log.warning("sms_gateway_refuses", gateway=gateway.name, reason=reason, messages=len(batch))
    return [_again(each, "", reason) for each in batch]


def full_text(settings: SmsSettings, text: str) -> str:
    return f"【{settings.sender}】{text}"


def _item(settings: SmsSettings, message: Outgoing) -> dict[str, object]:
    return {
        "id": str(message.id),
        "to": message.to,
        "sender": settings.sender,
        "approval": message.approval,
        "text": full_text(settings, message.text),
        "priority": message.legal,
    }


def _again(message: Outgoing, provider: str, reason: str) -> Result:
    return Result(id=message.id, outcome=Outcome.AGAIN, provider=provider, reason=reason.lower())


def _results(settings: SmsSettings, name: str, batch: Sequence[Outgoing], body: bytes) -> list[Result]:
    try:
        said = {item.id: item for item in _Answer.model_validate_json(body).results}
    except ValidationError:
        return [_again(each, name, "unreadable_answer") for each in batch]
    return [_result(settings, name, each, said.get(str(each.id))) for each in batch]


def _result(settings: SmsSettings, name: str, message: Outgoing, item: _AnswerItem | None) -> Result:
    if item is None:
        return _again(message, name, "no_answer_for_it")
    if item.status == "accepted":
        return Result(
            id=message.id,
            outcome=Outcome.HANDED,
            provider=name,
            reference=item.reference[:64],
            parts=sms_parts(full_text(settings, message.text)),
        )
    if item.status == "rejected":
        return Result(id=message.id, outcome=Outcome.REJECTED, provider=name, reason=(item.reason or "rejected")[:64])
    return _again(message, name, item.reason[:64] or "busy")


def read_receipts(settings: SmsSettings, headers: Mapping[str, str], body: bytes, now: int) -> list[Receipt]:
    secret = settings.receipt_secret.get_secret_value()
    if not secret:
        msg = "WUGAN_NOTIFY_SMS_RECEIPT_SECRET is not set"
        raise NotAReceiptError(msg)
    try:
        verify([secret], headers=headers, body=body, now=now)
        items = _Receipts.model_validate_json(body).receipts
        return [_receipt(item) for item in items if item.status in {"delivered", "failed"}]
    except (SignatureError, ValidationError, ValueError) as error:
        raise NotAReceiptError(type(error).__name__) from error


def _receipt(item: _ReceiptItem) -> Receipt:
    return Receipt(id=item.id, delivered=item.status == "delivered", reason=item.reason[:64])


CHANNEL = Channel(
    code="sms",
    label="短信",
    reference="经审核的短信模板,固定签名,不含链接,不索取任何信息",
    reaches=Reach.PHONE,
    settings=SmsSettings,
    off_because=off_because,
    open=open_sender,
    read_receipts=read_receipts,
    batch=_BATCH,
    quiet_hours=True,
    silence=Silence(days=3),
)
