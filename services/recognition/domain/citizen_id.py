"""Citizen ids as people write them, brought to the one form that is hashed into a subject."""

import re
from datetime import date
from operator import mul

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ZEROS = ord("0") * sum(_WEIGHTS)
_CHECK = "10X98765432"
_LONG = re.compile(r"[1-9]\d{16}[\dX]")
_SHORT = re.compile(r"[1-9]\d{14}")
_HALF_WIDTH = {ord("０") + digit: str(digit) for digit in range(10)} | {
    ord(wide): "X" for wide in ("x", "ｘ", "Ｘ", "×")
}


_PROVINCE = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
_MONTH_DAY = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_APART = "[._:/-]?"
HELD = (
    f"(?:^|[^0-9]){_PROVINCE}[0-9]{{4}}{_APART}(?:(?:1[89]|20)[0-9]{{2}}{_MONTH_DAY}{_APART}[0-9]{{3}}[0-9Xx]"
    f"|[0-9]{{2}}{_MONTH_DAY}{_APART}[0-9]{{3}})(?:[^0-9]|$)"
)
"""What in a reference could be somebody's id, mistyped or not: 18 or 15 digits with a province and a day of birth."""
_HELD = re.compile(HELD)


def holds_id(text: str) -> bool:
    """Whether a text that should be a number of somebody's files holds what could be a citizen id."""
    return _HELD.search(text) is not None


def check_digit(first_seventeen: str) -> str:
    """Check character of ISO 7064 MOD 11-2, as GB 11643 uses it."""
    return _CHECK[(sum(map(mul, first_seventeen.encode(), _WEIGHTS)) - _ZEROS) % 11]


def normalise(text: str) -> str | None:
    """The 18-character form with a right check digit and a possible birth date; None for what is no citizen id."""
    plain = "".join(text.translate(_HALF_WIDTH).split())
    if _SHORT.fullmatch(plain):
        seventeen = f"{plain[:6]}19{plain[6:]}"
        plain = seventeen + check_digit(seventeen)
    if not _LONG.fullmatch(plain) or plain[17] != check_digit(plain[:17]):
        return None
    try:
        date(int(plain[6:10]), int(plain[10:12]), int(plain[12:14]))
    except ValueError:
        return None
    return plain
