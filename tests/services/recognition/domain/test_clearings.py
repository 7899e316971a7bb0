"""Clearings: what is over for whoever was set free, and until when."""

from datetime import date

import pytest

from services.recognition.domain.clearings import over_days, over_for
from services.recognition.domain.programs import EndingEvent, SuspensionReason

HELD = {EndingEvent.IMPRISONMENT, EndingEvent.DETENTION}
ALL = HELD | {EndingEvent.CRIMINAL_PUNISHMENT}
AUGUST = {day: date(2023, 8, day) for day in range(1, 32)}


@pytest.mark.parametrize(
    ("stopped_for", "passed", "over"),
    [
        (EndingEvent.IMPRISONMENT, SuspensionReason.IMPRISONMENT, HELD),
        (EndingEvent.CRIMINAL_PUNISHMENT, SuspensionReason.IMPRISONMENT, HELD),
        (EndingEvent.DETENTION, SuspensionReason.DETAINED_ACQUITTED, ALL),
        (EndingEvent.DETENTION, SuspensionReason.DETAINED_CONVICTED, {EndingEvent.DETENTION}),
        (EndingEvent.DEATH, SuspensionReason.FALSE_DEATH, set()),
    ],
)
def test_nobodys_conviction_is_over_because_he_is_free(stopped_for, passed, over):
    assert over_for(stopped_for, passed, ALL) == over


@pytest.mark.parametrize(
    ("passed", "began", "free", "days"),
    [
        (SuspensionReason.IMPRISONMENT, 20, 25, (20, 24)),
        (SuspensionReason.IMPRISONMENT, 20, 20, (20, 20)),  # the same day
        (SuspensionReason.IMPRISONMENT, None, 25, (22, 24)),  # told of on the 22nd
        (SuspensionReason.DETAINED_CONVICTED, 20, 25, (20, 24)),
        (SuspensionReason.DETAINED_ACQUITTED, 20, 25, (20, 20)),
        (SuspensionReason.DETAINED_ACQUITTED, None, 25, (None, None)),
        (SuspensionReason.MISSING_RETURNED, 20, 25, (None, 24)),
    ],
)
def test_what_began_while_he_was_held_is_over_and_by_an_acquittal_nothing_but_its_own(passed, began, free, days):
    said = over_days(passed, began and AUGUST[began], AUGUST[22], AUGUST[free])
    assert said == tuple(day and AUGUST[day] for day in days)
