"""The two state machines, walked mechanically."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from services.grid.domain import cases, tasks
from services.grid.domain.cases import CaseAction, CaseState
from services.grid.domain.tasks import TaskAction, TaskState, act_of
from shared.contracts.vocabulary import VisitResult


def reached(follow: Callable[[Any, Any], Any], start: Any, actions: Iterable[Any]) -> set[Any]:
    found, queue = {start}, deque([start])
    while queue:
        state = queue.popleft()
        for action in actions:
            after = follow(state, action)
            if after is not None and after not in found:
                found.add(after)
                queue.append(after)
    return found


class TestTask:
    def test_every_state_can_be_reached(self):
        assert reached(tasks.follow, TaskState.CREATED, TaskAction) == set(TaskState)

    def test_a_closed_task_can_only_be_opened_again(self):
        assert [action for action in TaskAction if tasks.follow(TaskState.CLOSED, action)] == [TaskAction.REOPEN]

    def test_an_attempt_never_closes(self):
        assert all(tasks.follow(state, TaskAction.ATTEMPT) is not TaskState.CLOSED for state in TaskState)

    def test_without_conclusion_or_settling_a_task_stays_open_for_ever(self):
        harmless = [each for each in TaskAction if each not in {TaskAction.CONCLUDE, TaskAction.SETTLE}]
        assert TaskState.CLOSED not in reached(tasks.follow, TaskState.CREATED, harmless)

    def test_every_open_task_can_be_worked_and_settled(self):
        for state in TaskState:
            if state is not TaskState.CLOSED:
                assert tasks.follow(state, TaskAction.SETTLE) is TaskState.CLOSED
                assert tasks.follow(state, TaskAction.CONCLUDE) is TaskState.CLOSED

    @pytest.mark.parametrize("result", [VisitResult.ABSENT_INFORMED_BY, VisitResult.REFUSED])
    @pytest.mark.parametrize("to_review", [True, False])
    def test_absent_and_refused_are_only_attempts(self, result, to_review):
        assert act_of(result, to_review=to_review) is TaskAction.ATTEMPT


class TestCase:
    def test_every_state_can_be_reached(self):
        assert reached(cases.follow, CaseState.DETECTED, CaseAction) == set(CaseState)

    def test_nothing_follows_a_concluded_case(self):
        assert [action for action in CaseAction if cases.follow(CaseState.CONCLUDED, action)] == []

    @pytest.mark.parametrize("needed", [CaseAction.FIND, CaseAction.REVIEW, CaseAction.CONCLUDE, CaseAction.ASSIGN])
    def test_no_way_to_a_conclusion_leaves_out_a_step(self, needed):
        others = [action for action in CaseAction if action is not needed]
        assert CaseState.CONCLUDED not in reached(cases.follow, CaseState.DETECTED, others)

    def test_machines_alone_never_get_beyond_assignment(self):
        machine = [CaseAction.MERGE, CaseAction.ADD_EVIDENCE, CaseAction.ASSIGN]
        assert reached(cases.follow, CaseState.DETECTED, machine) == {CaseState.DETECTED, CaseState.ASSIGNED}

    def test_every_open_state_leads_to_a_conclusion(self):
        for state in CaseState:
            if state is not CaseState.CONCLUDED:
                assert CaseState.CONCLUDED in reached(cases.follow, state, CaseAction)
