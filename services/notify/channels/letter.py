"""Letters of A4 that the village prints and hands out, for people without a phone and for what must be on paper.

Handing over puts the letter on its village's list; the PDF is made when the village asks for it, and the name is opened
only then. The village confirms what it has handed out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import httpx
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notify.channels import Channel, Send, Silence
from services.notify.domain.delivery import Outcome, Outgoing, Reach, Result
from services.notify.domain.words import KINDS
from shared.contracts.vocabulary import Audience
from shared.kit.clock import SHANGHAI

if TYPE_CHECKING:
    from shared.kit.pdf import Document

_SIZE: Final = 15
_LARGE: Final = 20
_SMALL: Final = 10


class LetterSettings(BaseSettings):
    """Who signs, and what a page costs."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_LETTER_", extra="ignore", frozen=True)

    on: bool = Field(default=True, description="false: no letters are written here")
    sender: str = Field(default="亳州市人力资源和社会保障局", description="at the foot of every letter")
    fen_per_part: Annotated[float, Field(ge=0)] = Field(default=20.0, description="cost of a page")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter with its words filled in.

    Attributes:
        to: name, or the family of a name.
        reference: numbers by which the village confirms it.
        large: in large print.
    """

    to: str
    title: str
    text: str
    reference: str
    written_at: datetime
    large: bool


def render(settings: LetterSettings, letters: Sequence[Letter], made_at: datetime) -> bytes:
    """One PDF of all letters, a page each; empty letters make a page that says so."""
    from shared.kit.pdf import Document  # noqa: PLC0415  (half a second: loaded when a page is asked for)

    page = Document("书面通知", made_at=made_at, numbered=False)
    if not letters:
        page.heading("没有待送达的书面通知")
    for place, letter in enumerate(letters):
        if place:
            page.add_page()
        _write(page, settings, letter)
    return page.done()


def _write(page: "Document", settings: LetterSettings, letter: Letter) -> None:
    size = _LARGE if letter.large else _SIZE
    page.heading(letter.title, size=size + 7)
    page.ln(size * 0.5)
    page.text_block(f"{letter.to}：", size=size)
    page.ln(size * 0.2)
    for sentence in letter.text.split("\n"):
        page.text_block(f"　　{sentence}", size=size)
    page.ln(size * 0.5)
    day = KINDS["date"].read(letter.written_at.astimezone(SHANGHAI).date().isoformat())
    page.text_block(settings.sender, size=size, align="R")
    page.text_block(day, size=size, align="R")
    page.ln(size * 0.5)
    page.text_block(
        "咨询电话12333。工作人员不会向您索要密码、验证码，也不会要求您转账。本通知不收任何费用。", size=size - 2
    )
    page.ln(size * 0.3)
    page.text_block(f"签收人：________________　　日期：________________\n送达编号：{letter.reference}", size=_SMALL)


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
    audiences=frozenset({Audience.CITIZEN, Audience.FAMILY}),
    batch=500,
    concurrency=2,
    silence=Silence(days=15, tried=False),
)
