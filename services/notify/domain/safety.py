"""What nothing we send may carry, in a text or in a value in it: a way to a web page, or a wish for a secret."""

import re
import unicodedata
from typing import Final

# Chinese characters count as letters to \b, so the edges of an address are spelled out; and to a browser a Chinese full
# stop is a dot.
_LINK: Final = re.compile(
    r"://|www\s*[.。]"
    r"|(?<![a-z0-9])(?:[a-z0-9-]+\.|[a-z0-9-]*[a-z-]。)(?:[a-z]{2,24}|xn--[a-z0-9-]+)(?![a-z0-9])"
    r"|\.(?:中国|公司|网络|网址|集团)(?![\u4e00-\u9fff])"
    r"|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"
    r"|点击|点开|链接|网址|扫码|扫一扫|二维码|小程序码|\b(?:click|link|scan)\b",
    re.IGNORECASE,
)
_SECRET: Final = re.compile(
    r"验证码|动态码|动态密码|校验码|短信码|授权码|付款码|密码|口令|回复\d|银行卡号|身份证号"
    r"|\b(?:verification code|one[- ]time code|otp|password|pin|card number|id number)\b",
    re.IGNORECASE,
)
_UNSEEN: Final = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")


def has_link(text: str) -> bool:
    """Whether a text leads to a page, in whatever characters it is written."""
    return _LINK.search(_plain(text)) is not None


def asks_secret(text: str) -> bool:
    """Whether a text speaks of codes, passwords, card or id numbers."""
    return _SECRET.search(_plain(text)) is not None


def is_safe(text: str) -> bool:
    """Whether a value may be filled into a text."""
    return not has_link(text) and not asks_secret(text)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", _UNSEEN.sub("", text))
