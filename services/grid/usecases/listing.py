"""What a member is to do, with names where ingest can be asked."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from uuid import UUID

import httpx
import structlog

from services.grid.domain.looks import Seen
from services.grid.domain.tasks import TaskState
from services.grid.domain.views import View
from services.grid.store import roll
from services.grid.store.readings import Reading
from services.grid.store.tasks import Task
from services.grid.usecases import looking
from services.grid.usecases.deps import Deps
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ProblemError
from shared.kit.workdays import after_working_days, is_working_day

log = structlog.get_logger(__name__)

OVERLAP = timedelta(minutes=5)
"""A delta goes back a little further, for changes that were being written at the last look."""
PURPOSE = "grid.visit"
PAGE_TASKS = 50
"""As many tasks with names fit 50 kilobytes; a grid has about ten people."""
_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """How somebody is found; None where it is not known."""

    name: str | None
    phone: str | None
    family_phone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One person to visit."""

    subject: UUID
    tasks: Sequence[Task]
    plan_on: date | None

    @property
    def priority(self) -> int:
        """Of the most urgent reason."""
        return max(task.priority for task in self.tasks)

    @property
    def grid_code(self) -> str | None:
        """Where the person lives."""
        return self.tasks[0].grid_code


def lines_of(tasks: Sequence[Task], *, today: date, visits_per_day: int, hands: Collection[str] = ()) -> list[Line]:
    """Open tasks as lines, one a person, the most urgent first, spread over working days by what a member can do.

    Given `hands`, only what lies in them is planned; what a neighbour or the leader has taken over comes last.
    """
    by_subject: dict[UUID, list[Task]] = defaultdict(list)
    for task in tasks:
        if task.state is not TaskState.CLOSED:
            by_subject[task.subject].append(task)
    ordered = sorted(
        by_subject.items(), key=lambda each: (-max(task.priority for task in each[1]), _due(each[1]), each[0])
    )

    def is_his(person: tuple[UUID, list[Task]]) -> bool:
        return not hands or any(task.worker_id in hands for task in person[1])

    day = today if is_working_day(today) else after_working_days(today, 1)
    lines: list[Line] = []
    for place, (subject, reasons) in enumerate(filter(is_his, ordered)):
        if place and place % visits_per_day == 0:
            day = after_working_days(day, 1)
        lines.append(Line(subject=subject, tasks=reasons, plan_on=day))
    others = [person for person in ordered if not is_his(person)]
    return lines + [Line(subject=subject, tasks=reasons, plan_on=None) for subject, reasons in others]


def _due(tasks: Sequence[Task]) -> date:
    return min(task.due_on or task.deadline_on for task in tasks)


async def reveal(deps: Deps, subjects: Sequence[UUID]) -> Mapping[UUID, Person] | None:
    """Names and phones from ingest, which keeps a log of who asked; None when it does not answer in time."""
    if not subjects:
        return {}
    found: dict[UUID, Person] = {}
    try:
        for start in range(0, len(subjects), _AT_ONCE):
            asked = [str(subject) for subject in subjects[start : start + _AT_ONCE]]
            answer = await deps.peers.ask(
                "POST",
                f"{deps.ingest_url}/v1/people:reveal",
                body={"subjects": asked, "purpose": PURPOSE},
                deadline=deps.reveal_seconds,
            )
            if answer.status_code != httpx.codes.OK:
                log.warning("reveal_refused", status=answer.status_code)
                return None
            found |= {UUID(each["subject"]): _person(each) for each in answer.json()["items"]}
    except (ProblemError, httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        log.warning("reveal_unavailable", reason=type(error).__name__)
        return None
    return found


async def note_revealed(tx: WriteTx, deps: Deps, caller: Caller, worker_id: str | None, people: Iterable[UUID]) -> None:
    """Keep whose names a caller is about to be told, and for which member: ingest knows only that grid asked."""
    seen = [Reading(what=Seen.PERSON, subject=subject) for subject in sorted(people)]
    await looking.note(tx, deps, caller, seen, worker_id=worker_id)


def _person(each: Mapping[str, str | None]) -> Person:
    return Person(name=each.get("name"), phone=each.get("phone"), family_phone=each.get("family_phone"))


def look_back(since: datetime) -> datetime:
    """From when a delta looks."""
    return since - OVERLAP


def page_of(lines: Sequence[Line], after: UUID | None) -> tuple[Sequence[Line], UUID | None]:
    """As many lines as fit a small answer, in their order, and the person after whom the next page goes on.

    Pages go by person, since what is urgent changes while they are fetched.
    """
    waiting = sorted((line for line in lines if after is None or line.subject > after), key=lambda line: line.subject)
    totals = accumulate(len(line.tasks) for line in waiting)
    fitting = max(sum(total <= PAGE_TASKS for total in totals), 1)
    chosen = {line.subject for line in waiting[:fitting]}
    more = waiting[fitting - 1].subject if len(waiting) > fitting else None
    return [line for line in lines if line.subject in chosen], more


def told_again(lines: Sequence[Line], now: datetime) -> datetime:
    """From when a delta brings all these lines once more, perhaps with the names that could not be had."""
    return min((max(task.changed_at for task in line.tasks) for line in lines), default=now)


async def has_more_to_do(tx: ReadTx, view: View, since: datetime, today: date) -> bool:
    """Whether a person's view has grown since: what did not change was not on his phone either."""
    return bool(view.worker_ids) and await roll.grew_since(tx, view.worker_ids, view.grids, since, today)
