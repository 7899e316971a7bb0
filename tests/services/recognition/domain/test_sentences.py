"""What a person has to know first, of all benefits together."""

from datetime import date

import pytest

from services.recognition.domain.enrolments import Status
from services.recognition.domain.programs import Effect, EndingEvent
from services.recognition.domain.sentences import Announced, Benefit, certified, summary

TODAY, UNTIL = date(2023, 11, 1), date(2024, 12, 31)
HOLDS = Benefit(label="高龄津贴", status=Status.ACTIVE, under_review=False, until=UNTIL)


@pytest.mark.parametrize(("reason", "done"), [("death", False), ("missing", False), ("own_request", True)])
def test_whoever_is_certified_elsewhere_has_something_to_do_where_she_is_held_for_dead(reason, done):
    stop = Announced(
        reason=EndingEvent(reason), effect=Effect.TERMINATE, stops_from=TODAY, answer_by=TODAY, intended=False
    )
    ended = Benefit(label="养老金", status=Status.TERMINATED, under_review=False, until=UNTIL, announced=stop)
    assert [certified(each, TODAY) for each in ([HOLDS, ended], [ended], [])] == [True, False, False]
    assert summary([HOLDS, ended], TODAY).startswith("您无需办理任何手续" if done else "您有一项待遇目前没有发放")
