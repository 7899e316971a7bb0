"""The printable proof of a certification."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from services.recognition.usecases.mine import proof_lines

_FOOT = "本页由平台根据出具当日的认证结果生成，供本人留存。办理待遇不需要出示本页。咨询电话12333。"


def make_page(status: Mapping[str, Any], shown_id: str, made_at: datetime, today: date) -> bytes:
    """A PDF of one person's status; no name, since this service holds none."""
    from shared.kit.pdf import Document  # noqa: PLC0415  (half a second: loaded when a page is asked for)

    page = Document("待遇领取资格认证情况", made_at=made_at)
    page.heading("待遇领取资格认证情况")
    page.ln(6)
    for line in proof_lines(status, shown_id, today):
        if line:
            page.text_block(line)
        page.ln(2)
    page.ln(6)
    page.text_block(_FOOT, size=9)
    return page.done()
