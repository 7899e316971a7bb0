"""A knock at a door as a state machine: what may follow what, and what a visit does to a task."""

from enum import StrEnum

from shared.contracts.vocabulary import VisitResult


class TaskState(StrEnum):
    """Where a task stands.

    `created` has nobody yet; `accepted` was tried once; `submitted` waits for the leader's review.
    """

    CREATED = "created"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    CLOSED = "closed"


class TaskAction(StrEnum):
    """What can happen to a task."""

    DISPATCH = "dispatch"
    ATTEMPT = "attempt"
    SUBMIT = "submit"
    CONCLUDE = "conclude"
    RETURN = "return"
    SETTLE = "settle"
    REOPEN = "reopen"


class TaskOutcome(StrEnum):
    """Why a task is closed, where no visit result says it."""

    CERTIFIED_MEANWHILE = "certified_meanwhile"
    NOT_ENROLLED = "not_enrolled"
    UNREACHABLE = "unreachable"
    CASE_CONCLUDED = "case_concluded"
    WITHDRAWN = "withdrawn"
    TAKEN_UP = "taken_up"


class Rung(StrEnum):
    """Whose turn it is when time runs out: each rung is told when the one below did not act."""

    MEMBER = "member"
    LEADER = "leader"
    ASSISTANT = "assistant"
    TOWN = "town"


RUNGS: tuple[Rung, ...] = (Rung.MEMBER, Rung.LEADER, Rung.ASSISTANT, Rung.TOWN)

FINAL_RESULTS = frozenset(
    {
        VisitResult.SEEN_ALIVE,
        VisitResult.SEEN_BY_VIDEO,
        VisitResult.DEAD,
        VisitResult.MOVED,
        VisitResult.IN_CUSTODY,
        VisitResult.NO_SUCH_PERSON,
    }
)
"""Results after which nobody need knock again for the same reason."""

SIGHTINGS = frozenset({VisitResult.SEEN_ALIVE, VisitResult.SEEN_BY_VIDEO})
"""Results that may certify."""

_HANDS = (TaskState.DISPATCHED, TaskState.ACCEPTED, TaskState.RETURNED)

_OPEN = tuple(state for state in TaskState if state is not TaskState.CLOSED)

_NEXT: dict[tuple[TaskState, TaskAction], TaskState] = {
    (TaskState.CREATED, TaskAction.DISPATCH): TaskState.DISPATCHED,
    (TaskState.CREATED, TaskAction.ATTEMPT): TaskState.CREATED,
    (TaskState.CREATED, TaskAction.SUBMIT): TaskState.SUBMITTED,
    (TaskState.SUBMITTED, TaskAction.ATTEMPT): TaskState.SUBMITTED,
    (TaskState.SUBMITTED, TaskAction.SUBMIT): TaskState.SUBMITTED,
    **{(state, TaskAction.ATTEMPT): TaskState.ACCEPTED for state in _HANDS},
    **{(state, TaskAction.SUBMIT): TaskState.SUBMITTED for state in _HANDS},
    **{(state, TaskAction.RETURN): TaskState.RETURNED for state in _OPEN},
    **{(state, TaskAction.CONCLUDE): TaskState.CLOSED for state in _OPEN},
    **{(state, TaskAction.SETTLE): TaskState.CLOSED for state in _OPEN},
    # Where nobody has the grid any more it is created anew.
    (TaskState.CLOSED, TaskAction.REOPEN): TaskState.DISPATCHED,
}


def follow(state: TaskState, action: TaskAction) -> TaskState | None:
    """The state after `action`, or None where it may not happen.

    Visits take this way one by one. What happens to many tasks at once is SQL; that it takes no other is proved by
    what a year does.
    """
    return _NEXT.get((state, action))


def act_of(result: VisitResult, *, to_review: bool) -> TaskAction:
    """What a visit does to its task: `absent_informed_by` and `refused` are attempts, never an end."""
    if result not in FINAL_RESULTS:
        return TaskAction.ATTEMPT
    return TaskAction.SUBMIT if to_review else TaskAction.CONCLUDE
