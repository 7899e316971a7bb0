"""When a case has lost its knock: somebody has to go to the door again, or nothing leads on."""

from datetime import date, timedelta

import pytest

from services.grid.domain.cases import DOUBTED_SIGHTING, FALSE_SIGHTING, CaseAction, Step, lost_knock
from shared.contracts.vocabulary import SuspicionKind
from tests.services.grid.town import NOW, TODAY

DEATH, TWICE = SuspicionKind.DEATH, SuspicionKind.DUPLICATE_RECEIPT
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


def history(told: str) -> list[Step]:
    """Steps an hour apart, as `who word`: `scoring` or somebody at the door tells, `again` is a second look."""
    steps = []
    for hour, (who, word) in enumerate(each.split() for each in told.split(", ")):
        action = {
            "tells": CaseAction.DETECT,
            "again": CaseAction.SECOND_VISIT,
            "recused": CaseAction.RECUSAL,
            FALSE_SIGHTING: CaseAction.RECUSAL,
            DOUBTED_SIGHTING: CaseAction.RECUSAL,
        }.get(word, CaseAction.VISIT)
        role = "service" if who == "scoring" else "grid_worker"
        at = NOW + timedelta(minutes=hour)
        steps.append(Step(action=action, actor=who, role=role, happened_at=at, outcome=word, event_on=None))
    return steps


FALSE, DOUBTED = f"m1 {FALSE_SIGHTING}", f"m1 {DOUBTED_SIGHTING}"
SECOND = "scoring tells, m1 refused, agency again"


@pytest.mark.parametrize(
    ("kind", "told", "event_on", "lost"),
    [
        (DEATH, "scoring tells", None, False),
        (DEATH, "scoring tells, m1 refused", None, False),
        (DEATH, "scoring tells, m1 seen_alive", YESTERDAY, False),
        # By who stays out of it.
        (DEATH, "scoring tells, m1 seen_alive, m1 recused", None, True),
        (DEATH, "scoring tells, m1 refused, m1 recused", None, True),
        (DEATH, "scoring tells, m1 seen_alive, m2 dead, m1 recused", None, False),
        (DEATH, f"scoring tells, {FALSE}", None, True),
        (DEATH, f"scoring tells, m2 refused, {FALSE}", None, True),
        (DEATH, f"scoring tells, {DOUBTED}", None, False),
        (DEATH, f"scoring tells, {DOUBTED}, m2 dead, m2 recused", None, True),
        # Before the day in doubt.
        (DEATH, "scoring tells, m1 seen_alive", TOMORROW, True),
        (DEATH, "scoring tells, m1 seen_alive, m2 dead", TOMORROW, False),
        (DEATH, "scoring tells, m1 dead", TOMORROW, False),
        (DEATH, "scoring tells, m1 seen_alive, m2 refused", TOMORROW, False),
        (TWICE, "scoring tells, m1 seen_alive", TOMORROW, False),
        # In a second look.
        (DEATH, f"{SECOND}, m1 seen_alive", None, True),
        (DEATH, f"{SECOND}, m2 seen_alive", None, False),
        (DEATH, f"{SECOND}, m2 seen_alive, m2 recused", None, True),
        (DEATH, f"scoring tells, {FALSE}, agency again, m2 refused", None, False),
        # Met at the door, where nobody had been asked to knock.
        (DEATH, f"m1 tells, {FALSE}", None, False),
        (DEATH, "m1 tells, m1 dead, m1 recused", None, False),
        (DEATH, "m1 tells, m1 dead, agency again, m2 seen_alive, m2 recused", None, True),
    ],
)
def test_a_knock_is_lost_where_nothing_is_left_of_its_end(
    kind: SuspicionKind, told: str, event_on: date | None, lost: bool
) -> None:
    assert lost_knock(kind, history(told), event_on) is lost
