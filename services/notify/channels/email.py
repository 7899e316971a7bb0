"""E-mail to departments and partners through an SMTP server; bounces come back by a signed callback."""

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import formatdate
from typing import Annotated, Final, Literal

import aiosmtplib
import httpx
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notify.channels import Channel, Send, Silence
from services.notify.channels import _gateway as gateways
from services.notify.domain.delivery import Outcome, Outgoing, Reach, Receipt, Result
from shared.contracts.vocabulary import Audience
from shared.kit.clock import wall

_PERMANENT: Final = 500


class EmailSettings(BaseSettings):
    """The mail server, and who is where."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_EMAIL_", extra="ignore", frozen=True)

    host: str = Field(default="", description="empty: the channel is off")
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: str = Field(default="wugan@example.invalid", description="From and the domain of message ids")
    addresses: dict[str, str] = Field(default={}, description="JSON: department or client → address")
    receipt_secret: SecretStr = Field(default=SecretStr(""), description="whsec_… bounces are signed with")
    seconds: Annotated[float, Field(gt=0, le=120)] = Field(default=30.0, description="longest wait for an answer")


def off_because(settings: EmailSettings) -> str | None:
    return None if settings.host else "WUGAN_NOTIFY_EMAIL_HOST is not set"


def open_sender(settings: EmailSettings, _client: httpx.AsyncClient) -> Send:
    async def send(batch: Sequence[Outgoing]) -> list[Result]:
        known = [each for each in batch if _to(settings, each)]
        unknown = [each for each in batch if not _to(settings, each)]
        results = [Result(id=each.id, outcome=Outcome.IMPOSSIBLE, reason="nobody_to_send_to") for each in unknown]
        return results + (await _send(settings, known) if known else [])

    return send


async def _send(settings: EmailSettings, batch: Sequence[Outgoing]) -> list[Result]:
    server = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        use_tls=settings.security == "tls",
        start_tls=settings.security == "starttls",
        username=settings.username or None,
        password=settings.password.get_secret_value() or None,
        timeout=settings.seconds,
    )
    results: list[Result] = []
    try:
        async with server:
            for each in batch:
                results.append(await _send_one(settings, server, each))  # noqa: PERF401  (kept when one breaks off)
    except (aiosmtplib.SMTPException, OSError) as error:
        # What was answered before the connection broke stays answered.
        done = {result.id for result in results}
        left = [each for each in batch if each.id not in done]
        results += [gateways.again(each, settings.host, type(error).__name__) for each in left]
    return results


async def _send_one(settings: EmailSettings, server: aiosmtplib.SMTP, message: Outgoing) -> Result:
    try:
        await server.send_message(_mail(settings, message))
    except aiosmtplib.SMTPRecipientsRefused as error:
        return _refused(settings, message, error.recipients[0].code)
    except aiosmtplib.SMTPResponseException as error:
        return _refused(settings, message, error.code)
    return Result(id=message.id, outcome=Outcome.HANDED, provider=settings.host, parts=1)


def _refused(settings: EmailSettings, message: Outgoing, code: int) -> Result:
    if code < _PERMANENT:
        return gateways.again(message, settings.host, f"smtp_{code}")
    return Result(id=message.id, outcome=Outcome.REJECTED, provider=settings.host, reason=f"smtp_{code}")


def _mail(settings: EmailSettings, message: Outgoing) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = settings.sender, _to(settings, message), message.title
    # The same message has the same id at each try: mail systems fold doubles.
    mail["Message-ID"] = f"<{message.id}@{settings.sender.rsplit('@', 1)[-1]}>"
    mail["Date"] = formatdate(wall(), localtime=False)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail


def _to(settings: EmailSettings, message: Outgoing) -> str:
    return settings.addresses.get(message.to, "")


def read_receipts(settings: EmailSettings, headers: Mapping[str, str], body: bytes, now: int) -> list[Receipt]:
    return gateways.read_receipts(settings.receipt_secret, headers, body, now)


CHANNEL = Channel(
    code="email",
    label="电子邮件",
    reference="发给部门和对接单位的登记邮箱，文字与站内消息相同",
    reaches=Reach.ADDRESS,
    settings=EmailSettings,
    off_because=off_because,
    open=open_sender,
    read_receipts=read_receipts,
    audiences=frozenset({Audience.DEPARTMENT, Audience.PARTNER}),
    batch=50,
    concurrency=2,
    speaks_like="inbox",
    # A mailbox says nothing when all is well; what bounced has said so by then.
    silence=Silence(days=5, delivered=True),
)
