"""Reports from doors: taken once, weighed by when they happened, whatever order phones deliver them in."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from enum import StrEnum
from uuid import UUID

from services.grid.domain.doubts import ABOUT_PROMPT, Prompt, place_flags, prompt_flags, prompt_for
from services.grid.domain.tasks import SIGHTINGS, TaskOutcome, TaskState, act_of, follow
from services.grid.domain.views import View
from services.grid.domain.visits import SKEW, Visit, VisitStatus, closing_visit, shortcomings
from services.grid.store import hands, locks, reopening, tasks
from services.grid.store import visits as store
from services.grid.store.roll import places_of
from services.grid.store.tasks import Task, TaskChange
from services.grid.store.visits import StoredVisit
from services.grid.usecases.asking import SECOND_LOOK
from services.grid.usecases.casefeeding import FAMILY, feed_cases, look_after_all
from services.grid.usecases.deps import Deps
from services.grid.usecases.eyes import look_with_others
from services.grid.usecases.keeping import follow_addresses
from services.grid.usecases.opening import say_opened
from shared.contracts.events import VISIT_CONCLUDED, VISIT_WITHDRAWN, VisitConcluded, VisitWithdrawn
from shared.contracts.vocabulary import TaskReason
from shared.kit.clock import SHANGHAI
from shared.kit.db import WriteTx


class Reception(StrEnum):
    """What became of one report."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report as it came in.

    Attributes:
        visit: what it says.
        view: what its member may see.
        then: what he could see on the day he was there.
        fingerprint: of the report as it was sent.
        grid_place: longitude and latitude of the task's grid, where known.
        held: whether the task lay in his hands that day, though it went on since.
    """

    visit: Visit
    view: View
    fingerprint: bytes
    then: View
    grid_place: tuple[float, float] | None = None
    held: bool = False


@dataclass(slots=True, kw_only=True)
class Receipt:
    """What a phone is told about one report.

    Attributes:
        reasons: why it was refused.
        notes: what the member should know: task_was_closed, certified_meanwhile, in_review, send_photo,
            knock_again.
        task_state: where the task stands now.
    """

    visit_id: UUID
    reception: Reception
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    task_state: TaskState | None = None


def prompt_of(deps: Deps, task_id: UUID, sightings: int) -> Prompt:
    """The prompt of a task's next sighting: nobody knows it before he has the task, and a phone needs no network.

    Each sighting has another one, so that what somebody recorded for the first does not serve for the second. They are
    counted by when they happened: phones deliver in any order.
    """
    return prompt_for(*(deps.name_keys.one(f"prompt {task_id} {number}").int for number in range(sightings + 1)))


async def record_visits(tx: WriteTx, deps: Deps, reports: Sequence[Report], *, sent_by: str) -> list[Receipt]:
    """Take reports in: each once, the rest told why not. The answers keep the order of the reports."""
    task_ids = {report.visit.task_id for report in reports}
    about = await tasks.find_tasks(tx, task_ids)
    await locks.lock_people(tx, {task.subject for task in about.values()})
    # Read once more: until nobody else could touch them they may have been closed, barred or seen.
    known_tasks = await tasks.find_tasks(tx, task_ids)
    places = await places_of(tx, {task.grid_code for task in known_tasks.values() if task.grid_code})
    before = await hands.hands_of(tx, known_tasks)
    known = await store.find_visits(tx, {report.visit.visit_id for report in reports})
    receipts: list[Receipt] = []
    fresh: dict[UUID, StoredVisit] = {}
    for report in reports:
        task = known_tasks.get(report.visit.task_id)
        if task is not None:
            held = _held(report, before.get(task.task_id, ()))
            report = replace(report, grid_place=places.get(task.grid_code or ""), held=held)  # noqa: PLW2901  (completed)
        receipt, stored = _receive(deps, report, task, {**known, **fresh}, sent_by=sent_by)
        receipts.append(receipt)
        if stored is not None:
            fresh[stored.visit.visit_id] = stored
    if fresh:
        await _take_in(tx, deps, fresh, known_tasks)
    for receipt in receipts:
        if receipt.reception is Reception.RECORDED:
            stored = fresh[receipt.visit_id]
            receipt.notes = _notes(known_tasks[stored.visit.task_id], stored)
    await _tell_states(tx, reports, receipts)
    return receipts


async def _take_in(tx: WriteTx, deps: Deps, fresh: dict[UUID, StoredVisit], about: Mapping[UUID, Task]) -> None:
    """Judge new reports, and those of the same tasks that happened later than one of them, and let them count."""
    seen: dict[UUID, list[StoredVisit]] = defaultdict(list)
    for each in (*await store.sightings_at(tx, about), *fresh.values()):
        if each.visit.result in SIGHTINGS:
            seen[each.visit.task_id].append(each)
    ranks = {
        each.visit.visit_id: rank
        for sightings in seen.values()
        for rank, each in enumerate(sorted(sightings, key=lambda one: one.visit.order))
    }
    for visit_id, each in fresh.items():
        fresh[visit_id] = _judged(deps, each, ranks.get(visit_id, 0))
    await store.save_visits(tx, list(fresh.values()))
    counted = [replace(about[task_id], sightings=len(sightings)) for task_id, sightings in seen.items()]
    await tasks.save_sightings(tx, counted, deps.clock.now())
    await _judge_again(tx, deps, fresh, ranks, [each for sightings in seen.values() for each in sightings])


async def _judge_again(
    tx: WriteTx,
    deps: Deps,
    fresh: Mapping[UUID, StoredVisit],
    ranks: Mapping[UUID, int],
    sightings: Sequence[StoredVisit],
) -> None:
    """Let new reports count, and what they say of those that are known: one begins to count, another does not now."""
    cleared, doubted = [], []
    for each in sightings:
        judged = each if each.visit.visit_id in fresh else _judged_again(deps, each, ranks[each.visit.visit_id])
        if judged == each:
            continue
        await store.set_status(tx, each.visit.visit_id, judged.status, judged.flags)
        if judged.status is VisitStatus.CONCLUDED:
            cleared.append(judged)
        elif each.status is VisitStatus.CONCLUDED:
            doubted.append(each)
    reopened = await _withdraw(tx, deps, doubted)
    await take_effect(tx, deps, [*fresh.values(), *cleared], reopened=reopened)


def _judged(deps: Deps, each: StoredVisit, rank: int) -> StoredVisit:
    """A report with what speaks against the prompt of a sighting that is the task's `rank`-th by when it happened."""
    about_prompt = prompt_flags(each.visit, expected=prompt_of(deps, each.visit.task_id, rank))
    found = (*about_prompt, *(flag for flag in each.flags if flag not in ABOUT_PROMPT))
    if each.status is VisitStatus.AWAITING_PHOTO:
        return replace(each, flags=found)
    return replace(each, flags=found, status=VisitStatus.IN_REVIEW if found else VisitStatus.CONCLUDED)


def _judged_again(deps: Deps, each: StoredVisit, rank: int) -> StoredVisit:
    """A report as it is judged now that an earlier one has come; what a leader has said about it stays."""
    reviewed = each.status is VisitStatus.RETURNED or (each.status is VisitStatus.CONCLUDED and each.flags)
    return each if reviewed else _judged(deps, each, rank)


def _receive(
    deps: Deps, report: Report, task: Task | None, known: Mapping[UUID, StoredVisit], *, sent_by: str
) -> tuple[Receipt, StoredVisit | None]:
    visit = report.visit
    before = known.get(visit.visit_id)
    if before is not None:
        if before.fingerprint == report.fingerprint:
            return Receipt(visit_id=visit.visit_id, reception=Reception.REPEATED), None
        return _refused(visit, "visit_id_used"), None
    if task is None or not (_may_report(report.view, task) or report.held or _may_report(report.then, task)):
        return _refused(visit, "unknown_task"), None
    reasons = shortcomings(visit, deps.clock.now(), visit.visited_at.astimezone(SHANGHAI).date())
    if visit.worker_id in task.not_by:
        reasons.append("another_member_needed")
    if reasons:
        return _refused(visit, *reasons), None
    stored = _stored(deps, report, task, sent_by=sent_by)
    return Receipt(visit_id=visit.visit_id, reception=Reception.RECORDED), stored


def _stored(deps: Deps, report: Report, task: Task, *, sent_by: str) -> StoredVisit:
    metres = deps.policies.on(deps.clock.today()).place_metres
    found = place_flags(report.visit, grid_place=report.grid_place, place_metres=metres)
    if report.visit.family:
        found.append(FAMILY)
    if not _may_report(report.view, task):
        # It happened while he was in charge, or he says so: his leader knows.
        found.append("not_in_charge_now")
    if report.visit.visited_at < task.created_at - SKEW:
        # Its prompt is known with the task only.
        found.append("before_task")
    assert task.division is not None
    return StoredVisit(
        visit=report.visit,
        fingerprint=report.fingerprint,
        subject=task.subject,
        division=task.division,
        sent_by=sent_by,
        status=VisitStatus.AWAITING_PHOTO if report.visit.photo else VisitStatus.CONCLUDED,
        flags=tuple(found),
        received_at=deps.clock.now(),
    )


def _notes(task: Task, stored: StoredVisit) -> list[str]:
    notes = []
    if task.outcome == TaskOutcome.CERTIFIED_MEANWHILE:
        notes.append("certified_meanwhile")
    elif task.state is TaskState.CLOSED:
        notes.append("task_was_closed")
    if not stored.visit.final:
        notes.append("knock_again")
    if stored.status is VisitStatus.IN_REVIEW:
        notes.append("in_review")
    if stored.status is VisitStatus.AWAITING_PHOTO:
        notes.append("send_photo")
    return notes


def _may_report(view: View, task: Task) -> bool:
    return task.division is not None and view.sees(
        division=task.division, grid_code=task.grid_code, worker_id=task.worker_id
    )


def _held(report: Report, before: Iterable[tuple[str, datetime]]) -> bool:
    morning = datetime.combine(report.visit.visited_at.astimezone(SHANGHAI).date(), time.min, SHANGHAI)
    return any(worker in report.then.worker_ids and until > morning for worker, until in before)


def _refused(visit: Visit, *reasons: str) -> Receipt:
    return Receipt(visit_id=visit.visit_id, reception=Reception.REFUSED, reasons=list(reasons))


async def take_effect(
    tx: WriteTx, deps: Deps, fresh: Sequence[StoredVisit], *, reopened: Collection[UUID] = ()
) -> None:
    """What new reports mean for tasks, cases and those who listen; tasks opened again are weighed by all there are."""
    subjects = {each.subject for each in fresh}
    by_subject: dict[UUID, list[StoredVisit]] = defaultdict(list)
    for each in fresh:
        by_subject[each.subject].append(each)
    concerned = await tasks.tasks_of(tx, subjects)
    known: dict[UUID, list[StoredVisit]] = defaultdict(list)
    for each in await store.visits_of(tx, subjects) if reopened else ():
        if each.visit.final and each.status is VisitStatus.CONCLUDED:
            known[each.subject].append(each)
    closing_ids = {task.closing_visit_id for task in concerned if task.closing_visit_id is not None}
    closing = await store.find_visits(tx, closing_ids)
    changes = []
    for task in concerned:
        about = [*by_subject[task.subject], *(known[task.subject] if task.task_id in reopened else ())]
        if change := _weigh(task, about, closing.get(task.closing_visit_id or task.task_id)):
            changes.append(change)
    await tasks.save_changes(tx, changes, deps.clock.now())
    await feed_cases(tx, deps, fresh)
    await look_with_others(tx, deps, subjects)
    for each in fresh:
        if each.visit.final and each.status is VisitStatus.CONCLUDED:
            await _say(tx, deps, each)


async def _withdraw(tx: WriteTx, deps: Deps, doubted: Sequence[StoredVisit]) -> set[UUID]:
    """Reports that counted wait for a leader: until he has spoken they answer and certify nothing.

    Returns:
        The tasks that are open again.
    """
    now = deps.clock.now()
    for each in doubted:
        fact = VisitWithdrawn(
            visit_id=each.visit.visit_id,
            subject=each.subject,
            result=each.visit.result,
            visited_on=each.visit.visited_at.astimezone(SHANGHAI).date(),
            revision=each.withdrawn,
            withdrawn_at=now,
        )
        await deps.outbox.say(tx, VISIT_WITHDRAWN, fact)
    if not doubted:
        return set()
    withdrawn = [each.visit.visit_id for each in doubted]
    reopened = await reopening.reopen_answered(tx, withdrawn, deadline_on=deps.knock_by(), now=now)
    for subject in sorted({each.subject for each in doubted}):
        await look_after_all(tx, deps, subject, withdrawn)
    await follow_addresses(tx, deps, sorted({each.subject for each in doubted}))
    for each in reopened:
        if each["reason"] == TaskReason.UNMATCHED:
            await say_opened(tx, deps, [each], run=each["opened_by"])
    return {UUID(bytes=each["task_id"]) for each in reopened}


def _weigh(task: Task, fresh: Sequence[StoredVisit], closing: StoredVisit | None) -> TaskChange | None:
    """What reports make of one task: the first final visit that happened closes it, attempts only mark it taken up."""
    about = [each for each in fresh if _answers(each.visit, task)]
    before = [closing] if closing else []
    first = closing_visit(each.visit for each in (*about, *before) if each.status is VisitStatus.CONCLUDED)
    if first is not None:
        if task.closing_visit_id == first.visit_id:
            return None
        return TaskChange(
            task_id=task.task_id,
            state=TaskState.CLOSED,
            outcome=first.result.value,
            closed_at=first.visited_at,
            closing_visit_id=first.visit_id,
        )
    state = task.state
    for each in about:
        action = act_of(each.visit.result, to_review=each.status is not VisitStatus.CONCLUDED)
        state = follow(state, action) or state
    if state is task.state:
        return None
    return TaskChange(task_id=task.task_id, state=state, outcome=None, closed_at=None, closing_visit_id=None)


def _answers(visit: Visit, task: Task) -> bool:
    if task.reopened_at is not None and visit.visited_at < task.reopened_at:
        return False
    if visit.task_id == task.task_id:
        return True
    # One knock answers all that was asked before it, but a sample is the look of another pair of eyes, and about a
    # benefit nobody was asked whose member did not know of it.
    alone = SECOND_LOOK in task.about or task.reason is TaskReason.TAKE_UP or visit.worker_id in task.not_by
    return not alone and visit.visited_at >= task.created_at


async def _say(tx: WriteTx, deps: Deps, each: StoredVisit) -> None:
    visit = each.visit
    fact = VisitConcluded(
        visit_id=visit.visit_id,
        task_id=visit.task_id,
        subject=each.subject,
        result=visit.result,
        visited_on=visit.visited_at.astimezone(SHANGHAI).date(),
        visited_at=visit.visited_at,
        division=each.division,
        worker_id=visit.worker_id,
        id_card_read=visit.id_card_read,
        revision=each.withdrawn,
        event_on=visit.event_on,
    )
    await deps.outbox.say(tx, VISIT_CONCLUDED, fact)


async def _tell_states(tx: WriteTx, reports: Sequence[Report], receipts: Sequence[Receipt]) -> None:
    now = await tasks.find_tasks(tx, {report.visit.task_id for report in reports})
    for report, receipt in zip(reports, receipts, strict=True):
        task = now.get(report.visit.task_id)
        if task is not None and receipt.reasons != ["unknown_task"]:
            receipt.task_state = task.state
