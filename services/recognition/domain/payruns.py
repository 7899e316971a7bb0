"""What a program is told before it pays: pay, hold, or stop; a machine never stops anybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Advice(StrEnum):
    """What to do with a line of a pay list.

    `stop` rests on a decision two named people stand behind. `hold` means that the owner department has something to
    mend or to wait for. Being uncertified, overdue or suspected never holds a payment: people decide first
    (《社会保险经办条例》 art. 26: payment stops only after an investigation confirms).
    """

    PAY = "pay"
    HOLD = "hold"
    STOP = "stop"


class HoldReason(StrEnum):
    """Why a line should wait.

    `finding_confirmed` rests on a case people concluded and officers have yet to decide; `part_due` on a stop within
    the period paid for, or the arrears of one: the line asks for more than the other months; `reduced` on a lower
    amount officers have decided: line and roster still say the one before.
    """

    BAD_ID = "bad_citizen_id"
    BAD_AMOUNT = "bad_amount"
    BAD_REF = "bad_ref"
    DUPLICATE = "duplicate_line"
    NOT_ENROLLED = "not_enrolled"
    ALREADY_PAID = "already_paid"
    FINDING_CONFIRMED = "finding_confirmed"
    PART_DUE = "part_due"
    REDUCED = "reduced"


class Note(StrEnum):
    """What the owner may want to look at although the line is to be paid."""

    NOT_CERTIFIED = "not_certified"
    UNDER_REVIEW = "under_review"
    NOTICE_GIVEN = "notice_given"
    LAST_PAYMENT = "last_payment"
    EXCLUDING_PROGRAM = "excluding_program"
    AMOUNT_DIFFERS = "amount_differs"


@dataclass(frozen=True, slots=True)
class Advised:
    """Advice for each line, by columns.

    Attributes:
        advice: index into `ADVICE_CODES`.
        reason: index into `REASON_CODES`, -1 where nothing holds.
        notes: bits by place in `NOTE_CODES`; only where a line is to be paid.
    """

    advice: np.ndarray
    reason: np.ndarray
    notes: np.ndarray


ADVICE_CODES = tuple(Advice)
REASON_CODES = tuple(HoldReason)
NOTE_CODES = tuple(Note)
_PAY, _HOLD, _STOP = range(3)


def advise(seen: Mapping[str, np.ndarray]) -> Advised:
    """Advice for lines without a problem of their own.

    Args:
        seen: boolean columns `listed`, `stopped` (a decision in effect forbids this month), `paid`, `confirmed`,
            `part_due` (it asks for more than the months neither stopped nor paid back), `reduced` (for as much as
            before officers decided less), and one for each note by its name.
    """
    holds = [
        (HoldReason.NOT_ENROLLED, ~seen["listed"]),
        (HoldReason.ALREADY_PAID, seen["paid"]),
        (HoldReason.FINDING_CONFIRMED, seen["confirmed"]),
        (HoldReason.PART_DUE, seen["part_due"]),
        (HoldReason.REDUCED, seen["reduced"]),
    ]
    reason = np.select([where for _, where in holds], [REASON_CODES.index(each) for each, _ in holds], -1)
    reason = np.where(seen["stopped"], -1, reason).astype(np.int8)
    advice = np.where(seen["stopped"], _STOP, np.where(reason >= 0, _HOLD, _PAY)).astype(np.int8)
    notes = np.zeros(len(advice), dtype=np.uint8)
    for place, note in enumerate(NOTE_CODES):
        notes |= seen[note].astype(np.uint8) << np.uint8(place)
    return Advised(advice, reason, np.where(advice == _PAY, notes, 0).astype(np.uint8))
