"""A suspicion looked into by people: the states of a case, and who may take which step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.grid.domain.tasks import FINAL_RESULTS
from shared.contracts.vocabulary import CaseConclusion, CaseParty, SuspicionKind, VisitResult

DEADLINE_WORKING_DAYS = 10
_SHANGHAI = ZoneInfo("Asia/Shanghai")


class CaseState(StrEnum):
    """Where a case stands. `detected` has no village yet."""

    DETECTED = "detected"
    ASSIGNED = "assigned"
    IN_VERIFICATION = "in_verification"
    FOUND = "village_finding"
    REVIEWED = "township_review"
    CONCLUDED = "concluded"


class CaseAction(StrEnum):
    """A step of a case, as it is kept in its history."""

    DETECT = "detected"
    MERGE = "merged"
    ADD_EVIDENCE = "evidence_added"
    ASSIGN = "assigned"
    VISIT = "visited"
    FIND = "finding"
    RETURN = "returned"
    REVIEW = "reviewed"
    SECOND_VISIT = "second_visit"
    RECUSAL = "recused"
    CONCLUDE = "concluded"
    DECIDE = "decided"


class Finding(StrEnum):
    """What the village found."""

    ALIVE = "alive"
    DEAD = "dead"
    IN_CUSTODY = "in_custody"
    NOT_IN_CUSTODY = "not_in_custody"
    MISSING = "missing"
    PRESENT = "present"
    DUPLICATE = "duplicate"
    NO_DUPLICATE = "no_duplicate"
    UNCLEAR = "unclear"


_OPEN = tuple(state for state in CaseState if state is not CaseState.CONCLUDED)

_NEXT: dict[tuple[CaseState, CaseAction], CaseState] = {
    **{(state, action): state for state in _OPEN for action in (CaseAction.MERGE, CaseAction.ADD_EVIDENCE)},
    **{(state, CaseAction.RECUSAL): state for state in _OPEN},
    (CaseState.DETECTED, CaseAction.ASSIGN): CaseState.ASSIGNED,
    (CaseState.DETECTED, CaseAction.VISIT): CaseState.DETECTED,
    (CaseState.ASSIGNED, CaseAction.VISIT): CaseState.IN_VERIFICATION,
    (CaseState.IN_VERIFICATION, CaseAction.VISIT): CaseState.IN_VERIFICATION,
    (CaseState.FOUND, CaseAction.VISIT): CaseState.FOUND,
    (CaseState.REVIEWED, CaseAction.VISIT): CaseState.REVIEWED,
    (CaseState.ASSIGNED, CaseAction.FIND): CaseState.FOUND,
    (CaseState.IN_VERIFICATION, CaseAction.FIND): CaseState.FOUND,
    (CaseState.FOUND, CaseAction.RETURN): CaseState.IN_VERIFICATION,
    (CaseState.FOUND, CaseAction.REVIEW): CaseState.REVIEWED,
    (CaseState.REVIEWED, CaseAction.RETURN): CaseState.IN_VERIFICATION,
    (CaseState.REVIEWED, CaseAction.SECOND_VISIT): CaseState.IN_VERIFICATION,
    (CaseState.REVIEWED, CaseAction.CONCLUDE): CaseState.CONCLUDED,
}

TURNS: dict[CaseState, CaseParty] = {
    CaseState.DETECTED: CaseParty.AGENCY,
    CaseState.ASSIGNED: CaseParty.VILLAGE,
    CaseState.IN_VERIFICATION: CaseParty.VILLAGE,
    CaseState.FOUND: CaseParty.TOWN,
    CaseState.REVIEWED: CaseParty.AGENCY,
}
"""Whose turn it is; a detected case has no village yet, and its office has to find out where the person lives."""

_CONFIRMING: dict[SuspicionKind, frozenset[Finding]] = {
    SuspicionKind.DEATH: frozenset({Finding.DEAD}),
    SuspicionKind.CONFLICT: frozenset({Finding.DEAD}),
    SuspicionKind.INCARCERATION: frozenset({Finding.IN_CUSTODY}),
    SuspicionKind.MISSING: frozenset({Finding.MISSING}),
    SuspicionKind.DUPLICATE_RECEIPT: frozenset({Finding.DUPLICATE}),
}
_CLEARING: dict[SuspicionKind, frozenset[Finding]] = {
    SuspicionKind.DEATH: frozenset({Finding.ALIVE, Finding.PRESENT}),
    SuspicionKind.CONFLICT: frozenset({Finding.ALIVE, Finding.PRESENT}),
    SuspicionKind.INCARCERATION: frozenset({Finding.NOT_IN_CUSTODY, Finding.ALIVE, Finding.PRESENT}),
    SuspicionKind.MISSING: frozenset({Finding.ALIVE, Finding.PRESENT}),
    SuspicionKind.DUPLICATE_RECEIPT: frozenset({Finding.NO_DUPLICATE}),
}

_MATTERS: dict[Finding, SuspicionKind] = {
    Finding.DEAD: SuspicionKind.DEATH,
    Finding.IN_CUSTODY: SuspicionKind.INCARCERATION,
    Finding.MISSING: SuspicionKind.MISSING,
    Finding.DUPLICATE: SuspicionKind.DUPLICATE_RECEIPT,
}

_SEEN = frozenset({VisitResult.SEEN_ALIVE, VisitResult.SEEN_BY_VIDEO})
_SHOWN_BY: dict[Finding, frozenset[VisitResult]] = {
    Finding.ALIVE: _SEEN,
    Finding.PRESENT: _SEEN,
    Finding.NOT_IN_CUSTODY: _SEEN,
    Finding.DEAD: frozenset({VisitResult.DEAD}),
    Finding.IN_CUSTODY: frozenset({VisitResult.IN_CUSTODY}),
    Finding.MISSING: frozenset({VisitResult.MOVED, VisitResult.NO_SUCH_PERSON}),
    Finding.DUPLICATE: frozenset(),
    Finding.NO_DUPLICATE: frozenset(),
    Finding.UNCLEAR: frozenset(VisitResult),
}

_DEATHS = frozenset({SuspicionKind.DEATH, SuspicionKind.CONFLICT})
_CONFIRMED = frozenset({CaseConclusion.CONFIRMED, CaseConclusion.CONFIRMED_NO_OVERPAYMENT})
CLEARING = frozenset({CaseConclusion.UNFOUNDED, CaseConclusion.FALSE_DEATH})


VISIT = "visit"
"""Kind of a basis that is a visit of this platform."""
EARLIER_SIGHTING = "earlier_sighting"
"""Why somebody stays out of a case that doubts what he reported of the person before."""
DOUBTED_SIGHTING = "doubted_sighting"
"""So where what he reported for the case had counted and waits for a leader's word."""
FALSE_SIGHTING = "false_sighting"
"""So where a leader has sent it back, or officers have found that it was not so."""
_OWN_SIGHTING = frozenset({EARLIER_SIGHTING, DOUBTED_SIGHTING, FALSE_SIGHTING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a step rests on: a visit of this platform, or the kind of a paper and where it is kept.

    `day` is the one of which a paper tells, e.g. on which a hospital treated the person; not when it was written.
    """

    kind: str
    reference: str
    day: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: who, when, on what; `note` is sealed."""

    action: CaseAction
    actor: str
    role: str
    happened_at: datetime
    outcome: str | None
    event_on: date | None
    basis: tuple[Basis, ...] = ()
    note: bytes | None = None


def as_told_below(step: Step) -> Step:
    """A step as the village and the town see it: whether a register or a neighbour spoke first, they never learn."""
    if step.action is CaseAction.MERGE:
        return replace(step, action=CaseAction.ADD_EVIDENCE)
    if step.action is not CaseAction.DETECT or step.role != "service":
        return step
    return replace(step, actor="platform", outcome=None, event_on=None, basis=())


def follow(state: CaseState, action: CaseAction) -> CaseState | None:
    """The state after a step, or None where it may not be taken."""
    return _NEXT.get((state, action))


def actors(steps: Iterable[Step], *actions: CaseAction) -> set[str]:
    """Who took any of these steps."""
    return {step.actor for step in steps if step.action in actions}


def bars(steps: Sequence[Step], action: CaseAction, user: str) -> str | None:
    """Why this person may not take this step: recusal, his own visit, or two pairs of eyes; None when he may."""
    recusals = {step.outcome for step in steps if step.action is CaseAction.RECUSAL and step.actor == user}
    if recusals:
        return "own_visit" if recusals & _OWN_SIGHTING else "recused"
    if action is CaseAction.FIND and user in actors(steps, CaseAction.VISIT):
        return "own_visit"
    if action in {CaseAction.REVIEW, CaseAction.RETURN} and user in actors(steps, CaseAction.VISIT, CaseAction.FIND):
        return "own_finding"
    # Who knew of it before all others is a witness, too.
    if action in {CaseAction.CONCLUDE, CaseAction.SECOND_VISIT} and user in actors(
        steps, CaseAction.DETECT, CaseAction.ADD_EVIDENCE, CaseAction.VISIT, CaseAction.FIND, CaseAction.REVIEW
    ):
        return "four_eyes"
    return None


def last(steps: Sequence[Step], action: CaseAction) -> Step | None:
    """The latest step of a kind."""
    return next((step for step in reversed(steps) if step.action is action), None)


def visits_of_this_round(steps: Sequence[Step]) -> list[Step]:
    """Visits since the case was last sent to the door again, as they happened, whenever phones told of them."""
    barred = kept_out(steps)
    visits = (step for step in _this_round(steps) if step.action is CaseAction.VISIT)
    return sorted((step for step in visits if step.actor not in barred), key=lambda step: step.happened_at)


def kept_out(steps: Sequence[Step]) -> set[str]:
    """Whose visits count for nothing: who withdrew or has to, and who had been there before a second look.

    It is of other eyes than those that were known to have been there when it was asked for.
    """
    return actors(steps, CaseAction.RECUSAL) | actors(steps[: _second_look(steps)], CaseAction.VISIT)


def without_doubted(steps: Iterable[Step]) -> list[Step]:
    """As it stands while a leader has to speak of a report: who made it has not been sent away yet."""
    return [step for step in steps if step.outcome != DOUBTED_SIGHTING]


def lost_knock(kind: SuspicionKind, steps: Sequence[Step], event_on: date | None) -> bool:
    """Whether the case was knocked for in this round, and nothing is left to it of what ended the knock.

    Nothing is left of those whose visits do not count, nor of a sighting before the day in doubt. What somebody met at
    a door opened a case of no knock; nor is one lost while a leader has to speak.
    """
    known = without_doubted(steps)
    barred = kept_out(known)
    at_door = any(step.action is CaseAction.DETECT and step.role == "grid_worker" for step in known)
    met = [step for step in _this_round(known) if step.action is CaseAction.VISIT or step.outcome == FALSE_SIGHTING]
    # One that people were given up after ended by the visits that found nobody.
    ends = [step for step in met if step.outcome in FINAL_RESULTS or step.outcome == FALSE_SIGHTING] or met
    # Nor is one lost that was opened again since, and ended by visits that found nobody.
    since = max((step.happened_at for step in ends), default=None)
    tries = [*ends, *(step for step in met if since and step.happened_at > since)]
    left = [step for step in tries if step.actor not in barred and not _seen_before(kind, step, event_on)]
    return (not at_door or _second_look(known) > 0) and bool(ends) and not left


def _this_round(steps: Sequence[Step]) -> list[Step]:
    sent = _second_look(steps)
    return [step for step in steps if not sent or step.happened_at >= steps[sent].happened_at]


def _second_look(steps: Sequence[Step]) -> int:
    """Place of the step that sent the case to the door again; nothing had been known of it before the first one."""
    return max((place for place, step in enumerate(steps) if step.action is CaseAction.SECOND_VISIT), default=0)


def _seen_before(kind: SuspicionKind, visit: Step, event_on: date | None) -> bool:
    # That somebody draws twice no sighting refutes, whatever its day.
    return visit.outcome in _SEEN and kind is not SuspicionKind.DUPLICATE_RECEIPT and _is_before(visit, event_on)


def _is_before(visit: Step, event_on: date | None) -> bool:
    return event_on is not None and visit.happened_at.astimezone(_SHANGHAI).date() < event_on


def shows(kind: SuspicionKind, finding: Finding, visit: Step, event_on: date | None) -> bool:
    """Whether what was met at the door carries a finding by itself; otherwise a paper has to.

    Who was seen before the day in doubt is not cleared by it, be it that a phone told it late.
    """
    if visit.outcome not in _SHOWN_BY[finding]:
        return False
    return finding not in _CLEARING[kind] or not _is_before(visit, event_on)


def confirms(kind: SuspicionKind, finding: Finding) -> bool:
    """Whether a benefit may end on a finding: it has to name a day and rest on a paper."""
    return finding in _CONFIRMING[kind]


def another_matter(kind: SuspicionKind, finding: Finding) -> SuspicionKind | None:
    """What was found instead of what was suspected, e.g. the death of somebody missed; it is a case of its own."""
    return None if finding in _CONFIRMING[kind] else _MATTERS.get(finding)


def dates(kind: SuspicionKind, result: VisitResult) -> bool:
    """Whether the day that a visit tells is the day of what is suspected."""
    return any(result in _SHOWN_BY[finding] for finding in _CONFIRMING[kind])


def names_a_paper(basis: Iterable[Basis]) -> bool:
    """Whether anything but the word of somebody at the door carries a step."""
    return any(each.kind != VISIT for each in basis)


def doubts_papers(
    kind: SuspicionKind, finding: Finding, papers: Sequence[Basis], event_on: date | None, today: date
) -> str | None:
    """Why papers alone do not clear somebody; None where they do, or the finding clears nobody.

    They say that he lived on some day, and nothing of what happened after it.
    """
    if finding not in _CLEARING[kind] or kind is SuspicionKind.DUPLICATE_RECEIPT:
        return None
    last_day = paper_day(papers)
    if last_day is None:
        return "seen_on_missing"
    if last_day > today:
        return "seen_on_in_the_future"
    return "seen_before_it_happened" if event_on is not None and last_day < event_on else None


def still_rests(kind: SuspicionKind, found: Step, steps: Sequence[Step], event_on: date | None, today: date) -> bool:
    """Whether a finding has left what it needs: visits withdrawn since, or of who stays out of it, carry it no more.

    Nor do those that never showed it.
    """
    finding, barred = Finding(found.outcome or ""), actors(steps, CaseAction.RECUSAL)
    visits = [step for step in steps if step.action is CaseAction.VISIT and step.actor not in barred]
    counted = {each.reference for step in visits if shows(kind, finding, step, event_on) for each in step.basis}
    fallen = {each.reference for each in found.basis if each.kind == VISIT} - counted
    if not fallen:
        return True
    # What somebody was shown at the door goes with his visit.
    left = [each for each in found.basis if each.reference not in fallen]
    if confirms(kind, finding):
        return names_a_paper(left)
    if any(each.kind == VISIT for each in left):
        return True
    return bool(left) and doubts_papers(kind, finding, left, event_on, today) is None


def paper_day(papers: Iterable[Basis]) -> date | None:
    """The last day of which any of these papers tells."""
    return max((each.day for each in papers if each.day is not None), default=None)


def doubts(
    kind: SuspicionKind, finding: Finding, conclusion: CaseConclusion, event_on: date | None, today: date,
    *, registered: bool = False,
) -> str | None:  # fmt: skip
    """Why a conclusion does not follow from the finding; None when it does.

    A benefit can only end on a finding that confirms the suspicion, and with a date. A death that is cleared though
    `registered` is a false one: whoever keeps the register has to hear of it, or it comes back.
    """
    if conclusion in _CONFIRMED:
        if finding not in _CONFIRMING[kind]:
            return "finding_does_not_confirm"
        if event_on is None:
            return "event_on_missing"
    if event_on is not None and event_on > today:
        return "event_on_in_the_future"
    if conclusion in CLEARING and finding not in _CLEARING[kind]:
        return "finding_does_not_clear"
    return _misnamed(kind, conclusion, registered=registered)


def _misnamed(kind: SuspicionKind, conclusion: CaseConclusion, *, registered: bool) -> str | None:
    if conclusion is CaseConclusion.FALSE_DEATH and kind not in _DEATHS:
        return "not_about_a_death"
    if conclusion is CaseConclusion.UNFOUNDED and kind in _DEATHS and registered:
        return "register_to_correct"
    return None


def reopens(conclusion: CaseConclusion) -> bool:
    """Whether new evidence after this conclusion opens a new case; a confirmed one only keeps it."""
    return conclusion not in _CONFIRMED


def asks_for_knock(state: CaseState) -> bool:
    """Whether somebody still has to go to the door."""
    return state in {CaseState.ASSIGNED, CaseState.IN_VERIFICATION}


def is_found(state: CaseState) -> bool:
    """Whether the village has said what happened and when: later news is noted, and changes neither."""
    return state in {CaseState.FOUND, CaseState.REVIEWED, CaseState.CONCLUDED}


def is_second_look(conclusion: CaseConclusion, rounds: int, *, other: SuspicionKind | None = None) -> bool:
    """Whether an inconclusive case goes to the door again: once, then it may end as it is.

    At once where it was found to be an `other` matter, which has its own case.
    """
    return conclusion is CaseConclusion.INCONCLUSIVE and rounds < 2 and other is None  # noqa: PLR2004  (two looks)
