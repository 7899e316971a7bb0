"""The steps people take in a case: finding, review, conclusion; each by somebody else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from services.grid.domain.cases import (
    CLEARING,
    Basis,
    CaseAction,
    CaseState,
    Finding,
    Step,
    actors,
    another_matter,
    as_told_below,
    asks_for_knock,
    bars,
    confirms,
    doubts,
    doubts_papers,
    follow,
    is_second_look,
    last,
    names_a_paper,
    paper_day,
    shows,
    still_rests,
    visits_of_this_round,
)
from services.grid.domain.looks import Seen
from services.grid.domain.priority import SUSPICION
from services.grid.domain.tasks import SIGHTINGS, TaskOutcome
from services.grid.domain.views import COUNTY, TOWN, View
from services.grid.domain.visits import OPENS_CASE
from services.grid.store import cases, locks, suspicions, tasks
from services.grid.store.cases import Case
from services.grid.store.readings import Reading
from services.grid.store.reopening import Again
from services.grid.usecases import looking
from services.grid.usecases.casefeeding import feed_finding, open_known
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import (
    BarredError,
    BasisMissingError,
    DoesNotFollowError,
    NoSuchCaseError,
    StepNotPossibleError,
)
from services.grid.usecases.eyes import knock_again, see_to_knock, steps_known, under_one_name
from services.grid.usecases.opening import knock_after_all
from services.grid.usecases.tipping import hear_conclusion
from shared.contracts.events import CASE_CONCLUDED, CaseConcluded
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind, TaskReason
from shared.kit.auth import Caller
from shared.kit.clock import SHANGHAI
from shared.kit.db import ReadTx, WriteTx
from shared.kit.workdays import after_working_days

_UNSEEN = (*OPENS_CASE, TaskOutcome.CERTIFIED_MEANWHILE)
"""What may have closed a knock without anybody having seen the person, once the case is cleared."""
_READERS = frozenset({"village", "grid_leader", "officer"})
_LEVELS = {
    CaseAction.REVIEW: TOWN,
    CaseAction.RETURN: TOWN,
}
"""Whose step it is; once the town has agreed, it is the agency's, an office of the county or the city."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What somebody says in a step.

    Attributes:
        outcome: finding, review or conclusion.
        event_on: day of death, admission, ...
        basis: papers it rests on.
        note: free text; it is sealed before it is kept.
    """

    outcome: str
    event_on: date | None = None
    basis: tuple[Basis, ...] = ()
    note: str | None = None


async def get_case(tx: ReadTx, case_id: UUID, view: View) -> tuple[Case, Sequence[Step]]:
    """A case in the caller's view, with its history; below the county nothing tells how it came about.

    Raises:
        NoSuchCaseError: absent, or elsewhere.
    """
    case = await cases.find_case(tx, case_id)
    if case is None or not view.sees(division=case.division, grid_code=case.grid_code, worker_id=case.worker_id):
        raise NoSuchCaseError
    steps = await cases.steps_of(tx, case_id)
    return case, steps if knows_origin(case, view) else [as_told_below(each) for each in steps]


def knows_origin(case: Case, view: View) -> bool:
    """Whether the caller may know how a case came about: below the county people look for themselves."""
    return view.is_office_over(case.division or "", COUNTY)


async def read_notes(tx: WriteTx, deps: Deps, caller: Caller, case: Case, steps: Sequence[Step]) -> list[str | None]:
    """What offices wrote with the steps, for those who work on the case; the look is kept before the answer leaves."""
    if caller.role not in _READERS or not any(step.note for step in steps):
        return [None] * len(steps)
    seen = [Reading(what=Seen.CASE, subject=case.subject, case_id=case.case_id)]
    await looking.note(tx, deps, caller, seen)
    return [deps.vault.open(step.note, case.subject.bytes).decode() if step.note else None for step in steps]


async def tell(  # noqa: PLR0913  (who says what about whom)
    tx: WriteTx, deps: Deps, caller: Caller, subject: UUID, kind: SuspicionKind, opinion: Opinion, *, view: View
) -> Case:
    """An officer tells what he has learned of, e.g. by phone: people look into it as if a register had told.

    Raises:
        NoSuchPersonError: he does not live in the caller's divisions, as far as rosters tell.
        DoesNotFollowError: it has not happened yet.
    """
    _allow("event_on_in_the_future" if opinion.event_on and opinion.event_on > deps.clock.today() else None)
    told = _made(deps, subject, CaseAction.DETECT, caller, opinion)
    return await open_known(tx, deps, subject, kind, told, view=view)


async def find(tx: WriteTx, deps: Deps, caller: Caller, case_id: UUID, view: View, opinion: Opinion) -> Case:
    """The village says what it found, on a visit of this case or on papers; another matter has a case of its own.

    Raises:
        NoSuchCaseError: absent, or another village's.
        StepNotPossibleError: not yet assigned, or found already.
        BarredError: his own visit, or recused.
        BasisMissingError: neither a visit that shows it nor a paper, no paper where a benefit may end on it, or no
            second visit after an inconclusive look.
        DoesNotFollowError: a benefit may end on it and its day is missing or to come, or papers alone clear the person
            and tell of no day since it is said to have happened. A visit before that day clears nobody either.
    """
    case, steps = await _take(tx, case_id, view)
    steps, (who,) = await under_one_name(tx, deps, steps, caller.user)
    state = _next(case, steps, CaseAction.FIND, who, view)
    _allow("event_on_in_the_future" if opinion.event_on and opinion.event_on > deps.clock.today() else None)
    visits = visits_of_this_round(steps)
    if not visits and case.rounds > 1:
        detail = "The first look was inconclusive: somebody else has to go to the door before it is found anew."
        raise BasisMissingError(detail)
    finding, event_on = Finding(opinion.outcome), max(filter(None, (case.event_on, opinion.event_on)), default=None)
    proofs = [visit for visit in visits if shows(case.kind, finding, visit, event_on)]
    basis = (*opinion.basis, *(each for visit in proofs for each in visit.basis))
    _check(case, opinion, basis)
    if not proofs:
        _allow(doubts_papers(case.kind, finding, opinion.basis, event_on, deps.clock.today()))
    step = await _step(tx, deps, case, CaseAction.FIND, caller, replace(opinion, basis=basis))
    other = another_matter(case.kind, finding)
    if other is not None:
        await feed_finding(tx, deps, case, other, step)
    changed = replace(case, state=state, event_on=opinion.event_on or case.event_on, changed_at=deps.clock.now())
    await cases.save_case(tx, changed)
    return changed


async def review(  # noqa: PLR0913  (a step has these parts)
    tx: WriteTx, deps: Deps, caller: Caller, case_id: UUID, view: View, opinion: Opinion, *, agrees: bool
) -> Case:
    """The town agrees with the finding, or sends the case back to the village, as the agency may after it.

    Raises:
        NoSuchCaseError: absent, or another town's.
        StepNotPossibleError: nothing found yet, or reviewed already.
        BarredError: his own finding or visit, recused, or of no town; of no county where the town has agreed.
        DoesNotFollowError: he agrees with what rests on nothing any more.
    """
    action = CaseAction.REVIEW if agrees else CaseAction.RETURN
    case, steps = await _take(tx, case_id, view)
    steps, (who,) = await under_one_name(tx, deps, steps, caller.user)
    changed = replace(case, state=_next(case, steps, action, who, view), changed_at=deps.clock.now())
    fallen = _basis_withdrawn(case, steps, deps.clock.today())
    _allow(fallen if agrees else None)
    await _step(tx, deps, case, action, caller, opinion)
    await cases.save_case(tx, changed)
    if agrees:
        return changed
    # Meanwhile who had been at the door may have withdrawn, and the finding may have named another day.
    return await (knock_again if fallen else see_to_knock)(tx, deps, changed)


async def conclude(tx: WriteTx, deps: Deps, caller: Caller, case_id: UUID, view: View, opinion: Opinion) -> Case:
    """The agency concludes; inconclusive the first time means that somebody else knocks again.

    Raises:
        NoSuchCaseError: absent, or another county's.
        StepNotPossibleError: not reviewed yet, or concluded already.
        BarredError: he verified or reviewed himself, recused, or is of no county.
        DoesNotFollowError: the finding does not carry it or rests on nothing now, or its day is missing or another one.
    """
    case, steps = await _take(tx, case_id, view)
    compared, (who,) = await under_one_name(tx, deps, steps, caller.user)
    conclusion = CaseConclusion(opinion.outcome)
    finding = last(steps, CaseAction.FIND)
    found = Finding(finding.outcome or "") if finding else Finding.UNCLEAR
    if is_second_look(conclusion, case.rounds, other=another_matter(case.kind, found)):
        state = _next(case, compared, CaseAction.SECOND_VISIT, who, view)
        return await _look_again(tx, deps, caller, replace(case, state=state), compared, opinion)
    state = _next(case, compared, CaseAction.CONCLUDE, who, view)
    assert finding is not None
    evidence_ids = await suspicions.evidence_of(tx, case_id)
    today, registered = deps.clock.today(), bool(evidence_ids)
    reason = doubts(case.kind, found, conclusion, case.event_on, today, registered=registered)
    if opinion.event_on not in {None, case.event_on}:
        # Every overpayment is counted from this day: nobody names it alone.
        reason = "event_on_differs"
    fallen = _basis_withdrawn(case, compared, today) if conclusion is not CaseConclusion.INCONCLUSIVE else None
    _allow(reason or fallen)
    now = deps.clock.now()
    changed = replace(
        case,
        state=state,
        changed_at=now,
        conclusion=conclusion,
        concluded_at=now,
        verified_by=finding.actor,
        concluded_by=caller.user,
    )
    await _step(tx, deps, case, CaseAction.CONCLUDE, caller, opinion)
    await cases.save_case(tx, changed)
    await _end_knocks(tx, deps, case.subject, conclusion)
    fact = _fact(changed, conclusion, now, evidence_ids, _seen_on(case.kind, compared, conclusion))
    await deps.outbox.say(tx, CASE_CONCLUDED, fact)
    await hear_conclusion(tx, deps, case_id, conclusion)
    return changed


async def withdraw(tx: WriteTx, deps: Deps, caller: Caller, case_id: UUID, view: View, note: str | None) -> Case:
    """Somebody withdraws from a case, e.g. as family; he can take no step in it any more.

    Raises:
        NoSuchCaseError: absent, or elsewhere.
        StepNotPossibleError: concluded already.
    """
    case, _ = await _take(tx, case_id, view)
    if follow(case.state, CaseAction.RECUSAL) is None:
        detail = "The case is concluded."
        raise StepNotPossibleError(detail)
    await _step(tx, deps, case, CaseAction.RECUSAL, caller, Opinion(outcome="recused", note=note))
    return await see_to_knock(tx, deps, case)


def _check(case: Case, opinion: Opinion, basis: Sequence[Basis]) -> None:
    if not basis:
        detail = "No visit of this case shows it: send somebody to the door, or name the paper in `basis`."
        raise BasisMissingError(detail)
    if not confirms(case.kind, Finding(opinion.outcome)):
        return
    _allow(None if opinion.event_on else "event_on_missing")
    if not names_a_paper(basis):
        detail = "A benefit may end on this: name the paper in `basis`, or send somebody who is shown one at the door."
        raise BasisMissingError(detail)


def _basis_withdrawn(case: Case, steps: Sequence[Step], today: date) -> str | None:
    found = last(steps, CaseAction.FIND)
    rests = found is not None and still_rests(case.kind, found, steps, case.event_on, today)
    return None if rests else "basis_withdrawn"


def _allow(doubt: str | None) -> None:
    if doubt is not None:
        raise DoesNotFollowError(doubt)


async def _take(tx: WriteTx, case_id: UUID, view: View) -> tuple[Case, Sequence[Step]]:
    case, _ = await get_case(tx, case_id, view)
    await locks.lock_people(tx, [case.subject])
    locked = await cases.find_case(tx, case_id, lock=True)
    assert locked is not None
    return locked, await steps_known(tx, locked)


def _next(case: Case, steps: Sequence[Step], action: CaseAction, who: str, view: View) -> CaseState:
    state = follow(case.state, action)
    if state is None:
        detail = "Read the case again: its state tells which step is next."
        raise StepNotPossibleError(detail, extra={"state": case.state.value})
    barred = bars(steps, action, who)
    level = COUNTY if case.state is CaseState.REVIEWED else _LEVELS.get(action)
    if barred is None and level is not None and not view.is_office_over(case.division or "", level):
        barred = "level"
    if barred is not None:
        raise BarredError(barred)
    return state


async def _look_again(
    tx: WriteTx, deps: Deps, caller: Caller, case: Case, steps: Sequence[Step], opinion: Opinion
) -> Case:
    now, today = deps.clock.now(), deps.clock.today()
    policy = deps.policies.on(today)
    been = actors(steps, CaseAction.VISIT, CaseAction.RECUSAL)
    other = await cases.another_worker(tx, case.grid_code or "", been)
    deadline = after_working_days(today, policy.case_working_days)
    changed = replace(
        case,
        rounds=case.rounds + 1,
        worker_id=other or case.worker_id,
        deadline_on=deadline,
        changed_at=now,
    )
    await _step(tx, deps, case, CaseAction.SECOND_VISIT, caller, opinion)
    await cases.save_case(tx, changed)
    await tasks.settle_subject(tx, case.subject, [TaskReason.SUSPICION], TaskOutcome.WITHDRAWN, now)
    await tasks.open_for_cases(
        tx,
        [case.case_id],
        priority=SUSPICION,
        # Where nobody else is there the town hears of it soon.
        deadline_on=after_working_days(today, policy.working_days[0]) if other else today,
        now=now,
        not_by=sorted(been),
    )
    return changed


async def _end_knocks(tx: WriteTx, deps: Deps, subject: UUID, conclusion: CaseConclusion) -> None:
    """Nobody need knock for a case that is over, unless for another one; a cleared person is still to be certified."""
    now, others = deps.clock.now(), await cases.open_cases_of(tx, [subject])
    if not any(asks_for_knock(other.state) for other in others):
        await tasks.settle_subject(tx, subject, [TaskReason.SUSPICION], TaskOutcome.CASE_CONCLUDED, now)
    if conclusion in CLEARING:
        await knock_after_all(tx, deps, [subject], Again(outcomes=_UNSEEN, unseen_since=now))


async def _step(tx: WriteTx, deps: Deps, case: Case, action: CaseAction, caller: Caller, opinion: Opinion) -> Step:
    step = _made(deps, case.subject, action, caller, opinion)
    await cases.add_step(tx, case.case_id, step)
    return step


def _made(deps: Deps, subject: UUID, action: CaseAction, caller: Caller, opinion: Opinion) -> Step:
    note = deps.vault.seal(opinion.note.encode(), subject.bytes) if opinion.note else None
    return Step(
        action=action,
        actor=caller.user,
        role=caller.role,
        happened_at=deps.clock.now(),
        outcome=opinion.outcome,
        event_on=opinion.event_on,
        basis=opinion.basis,
        note=note,
    )


def _seen_on(kind: SuspicionKind, steps: Sequence[Step], conclusion: CaseConclusion) -> date | None:
    """On which day the person was seen last who is not what he was suspected to be: at the door, or as papers tell.

    Nobody counts who withdrew. Papers of two benefits tell of no day, so that their finding stands for it.
    """
    if conclusion not in CLEARING:
        return None
    barred, found = actors(steps, CaseAction.RECUSAL), last(steps, CaseAction.FIND)
    assert found is not None
    seen = [
        each.happened_at.astimezone(SHANGHAI).date()
        for each in steps
        if each.action is CaseAction.VISIT and each.outcome in SIGHTINGS and each.actor not in barred
    ]
    written, told = found.happened_at.astimezone(SHANGHAI).date(), paper_day(found.basis)
    otherwise = written if kind is SuspicionKind.DUPLICATE_RECEIPT else None
    return max([*seen, *([min(told, written)] if told else [])], default=otherwise)


def _fact(
    case: Case, conclusion: CaseConclusion, now: datetime, evidence_ids: tuple[int, ...], seen_on: date | None
) -> CaseConcluded:
    assert case.verified_by is not None
    assert case.concluded_by is not None
    return CaseConcluded(
        case_id=case.case_id,
        subject=case.subject,
        kind=case.kind,
        conclusion=conclusion,
        event_on=case.event_on,
        concluded_at=now,
        verified_by=case.verified_by,
        concluded_by=case.concluded_by,
        evidence_ids=evidence_ids,
        seen_on=seen_on,
    )
