"""What goes wrong with rows between a counter and a file, and what an honest reader must say to each."""

from enum import IntEnum

import numpy as np

from deploy.demo.city.deliveries import Delivery
from deploy.demo.city.stories import Rows
from deploy.demo.city.year import TODAY

WINDOW_AFTER = 0
"""Rows of this day or before are out of the window of twelve months before today."""


class Fault(IntEnum):
    """The one thing wrong with a row."""

    NONE = 0
    NO_ID = 1
    NO_DATE = 2
    MALFORMED_ID = 3
    WRONG_CHECK_DIGIT = 4
    NO_SUCH_DATE = 5
    FUTURE = 6
    WRONG_CODE = 7
    OTHER_NAME = 8
    OLD = 9


_ODDS = {
    Fault.NO_ID: 9,
    Fault.NO_DATE: 6,
    Fault.MALFORMED_ID: 8,
    Fault.WRONG_CHECK_DIGIT: 24,
    Fault.NO_SUCH_DATE: 9,
    Fault.FUTURE: 8,
    Fault.WRONG_CODE: 10,
    Fault.OTHER_NAME: 14,
    Fault.OLD: 12,
}
VERDICTS = (
    ("accepted", ""),
    ("duplicate", ""),
    ("out_of_window", ""),
    ("quarantined", "missing_field"),
    ("quarantined", "no_citizen_id"),
    ("quarantined", "bad_citizen_id"),
    ("quarantined", "bad_check_digit"),
    ("quarantined", "impossible_date"),
    ("quarantined", "future_date"),
    ("quarantined", "wrong_code"),
    ("quarantined", "not_counted"),
    ("quarantined", "not_a_beneficiary"),
    ("quarantined", "name_mismatch"),
)
"""Verdict and reason by number."""
ACCEPTED, DUPLICATE, OUT_OF_WINDOW = range(3)
_NO_CITIZEN_ID, _NOT_COUNTED, _NOT_A_BENEFICIARY, _NAME_MISMATCH = 4, 10, 11, 12
_REASON_OF = np.zeros(len(Fault), dtype=np.int8)
for _fault, _verdict in (
    (Fault.NO_ID, 3),
    (Fault.NO_DATE, 3),
    (Fault.MALFORMED_ID, 5),
    (Fault.WRONG_CHECK_DIGIT, 6),
    (Fault.NO_SUCH_DATE, 7),
    (Fault.FUTURE, 8),
    (Fault.WRONG_CODE, 9),
):
    _REASON_OF[_fault] = _verdict


def go_wrong(rng: np.random.Generator, delivery: Delivery, rows: Rows) -> tuple[Rows, np.ndarray]:
    """Faults of the rows, and the rows with the days that future and old ones bear."""
    count = len(rows)
    possible = {fault: odds for fault, odds in _ODDS.items() if _can(delivery, fault)}
    faults = np.zeros(count, dtype=np.int8)
    spoiled = rng.choice(count, size=round(count * delivery.faults), replace=False, shuffle=False)
    chances = np.array(list(possible.values()), dtype=np.float64)
    faults[spoiled] = rng.choice(np.array(list(possible), dtype=np.int8), size=len(spoiled), p=chances / chances.sum())
    if delivery.blank_id:
        faults[rng.random(count) < delivery.blank_id] = Fault.NO_ID
    day = rows.day.copy()
    future, old = np.flatnonzero(faults == Fault.FUTURE), np.flatnonzero(faults == Fault.OLD)
    day[future] = TODAY + rng.integers(32, 120, len(future))
    day[old] = -rng.integers(32, 800, len(old))
    return Rows(person=rows.person, day=day, filed=rows.filed, variant=rows.variant), faults


def _can(delivery: Delivery, fault: Fault) -> bool:
    if fault is Fault.OTHER_NAME:
        return delivery.named
    if fault is Fault.WRONG_CODE:
        return bool(delivery.wrong)
    if fault is Fault.OLD:
        return not delivery.negative
    return True


def judge(delivery: Delivery, rows: Rows, faults: np.ndarray, renamed: np.ndarray) -> np.ndarray:
    """Number of the verdict of each row by itself, before duplicates are found; int8.

    `renamed` tells of each beneficiary whether rosters still hold a former name.
    """
    verdict: np.ndarray = _REASON_OF[faults].copy()
    if delivery.blank_id:
        verdict[faults == Fault.NO_ID] = _NO_CITIZEN_ID
    counts = np.array([variant.counts for variant in delivery.variants] or [True])
    _set(verdict, ~counts[rows.variant], _NOT_COUNTED)
    beneficiary = rows.person < len(renamed)
    _set(verdict, ~beneficiary, _NOT_A_BENEFICIARY)
    if delivery.named:
        former = renamed[np.minimum(rows.person, len(renamed) - 1)] & beneficiary
        _set(verdict, (faults == Fault.OTHER_NAME) | former, _NAME_MISMATCH)
    if not delivery.negative:
        ends = np.array([variant.tells_end for variant in delivery.variants] or [False])
        _set(verdict, (rows.day <= WINDOW_AFTER) & ~ends[rows.variant], OUT_OF_WINDOW)
    return verdict


def _set(verdict: np.ndarray, mask: np.ndarray, number: int) -> None:
    verdict[mask & (verdict == ACCEPTED)] = number
