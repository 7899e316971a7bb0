"""Synthetic people for developers of partners: their ids cannot be anybody's, and they stand in no table.

GB/T 2260 knows no division 000000, and no citizen id begins with a zero: everywhere else on this platform such an
id is no citizen id at all.
"""

import re
from dataclasses import dataclass
from datetime import date

from services.recognition.domain.citizen_id import check_digit
from services.recognition.domain.enrolments import Status
from shared.contracts.vocabulary import Channel

_SYNTHETIC = re.compile(r"000000(\d{4})(\d{2})(\d{2})\d{3}[\dX]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticPerson:
    """Somebody who is not.

    Attributes:
        says: what he shows a developer.
        seen_days_ago: day his certificate rests on, counted back from today; None without one.
        channel: of that certificate.
        amount_fen: a month.
    """

    citizen_id: str
    says: str
    status: Status
    under_review: bool
    seen_days_ago: int | None
    channel: Channel
    amount_fen: int


def synthetic_id(text: str) -> str | None:
    """A synthetic id as it is kept; None for what is none, a real person's included."""
    plain = "".join(text.split()).upper()
    found = _SYNTHETIC.fullmatch(plain)
    if found is None or plain[17] != check_digit(plain[:17]):
        return None
    try:
        date(*map(int, found.groups()))
    except ValueError:
        return None
    return plain
