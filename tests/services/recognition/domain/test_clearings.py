"""Clearings: what is over for whoever was set free, and until when."""

from datetime import date

import pytest

from services.recognition.domain.clearings import over_for, over_until
from services.recognition.domain.programs import EndingEvent, SuspensionReason

HELD = {EndingEvent.IMPRISONMENT, EndingEvent.DETENTION}
ALL = HELD | {EndingEvent.CRIMINAL_PUNISHMENT}


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


@pytest.mark.parametrize(("free_on", "until"), [(date(2023, 8, 20), 20), (date(2023, 8, 25), 24)])
def test_what_a_stop_was_for_is_over_though_he_was_free_the_same_day(free_on, until):
    assert over_until(free_on, date(2023, 8, 20)) == date(2023, 8, until)
    assert over_until(free_on, None) == date(2023, 8, free_on.day - 1)
