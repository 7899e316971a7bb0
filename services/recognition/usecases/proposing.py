"""Proposals: what may have to be stopped, found by people or in the rosters, for a named officer to decide."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.recognition.domain.clearings import asked_as
from services.recognition.domain.enrolments import Status
from services.recognition.domain.exclusions import Held, which_ends
from services.recognition.domain.origins import ProposalOrigin
from services.recognition.domain.programs import ENDS_LIFE, Effect, EndingEvent
from services.recognition.domain.standing import Finding
from services.recognition.store import certificates, clearings, proposals, requests
from services.recognition.store.proposals import Opening, Overdue
from services.recognition.store.runs import Run, shard_bounds
from services.recognition.usecases.deps import Deps
from shared.contracts.events.grid import ConfirmedPerson, ReportLocked, StopRequestConcluded
from shared.contracts.vocabulary import SuspicionKind
from shared.kit.db import ReadTx, WriteTx

_REASON_OF = {
    SuspicionKind.DEATH: EndingEvent.DEATH,
    SuspicionKind.CONFLICT: EndingEvent.DEATH,
    SuspicionKind.INCARCERATION: EndingEvent.IMPRISONMENT,
    SuspicionKind.MISSING: EndingEvent.MISSING,
    SuspicionKind.DUPLICATE_RECEIPT: EndingEvent.DUPLICATE_RECEIPT,
}
_WIDER = {
    EndingEvent.DEATH: (EndingEvent.DECLARED_DEAD, EndingEvent.HOUSEHOLD_EXTINCT),
    EndingEvent.IMPRISONMENT: (EndingEvent.DETENTION, EndingEvent.CRIMINAL_PUNISHMENT),
}
"""What else is not so where a case finds that a reason is not."""
_BY_ANOTHER_NAME = {EndingEvent.IMPRISONMENT: EndingEvent.CRIMINAL_PUNISHMENT}
"""What an event is to a rule that does not name it: whoever serves a term has been punished."""
_REASONS = frozenset(EndingEvent)
_WEIGHED = ENDS_LIFE | {EndingEvent.IMPRISONMENT, EndingEvent.DETENTION, EndingEvent.MISSING}
"""What scoring takes from a verified request as an answer, so that it says again what else stays open.

As it says nothing of what was answered, that holds in every program, whatever the request knew of.
"""


def reasons_of(kind: SuspicionKind) -> list[EndingEvent]:
    """Reasons a case of this kind can confirm or deny."""
    reason = _REASON_OF[kind]
    return [reason, *_WIDER.get(reason, ())]


def together(reason: EndingEvent) -> set[EndingEvent]:
    """Reasons that one finding may have been proposed for, by the rules of programs; this one with them."""
    return {reason}.union(*[reasons for reasons in map(reasons_of, _REASON_OF) if reason in reasons])


async def propose_waiting(deps: Deps, tx: WriteTx, subject: UUID) -> list[tuple[EndingEvent, Status]]:
    """Propose what people found of a person wherever it has not been, since something stood before it.

    Returns:
        What waits still, and where: in a benefit that is suspended, that has ended, or that another stop is for.
    """
    return [
        *await propose_findings(deps, tx, [subject]),
        *await _propose_verified(deps, tx, await proposals.list_verified_of(tx, subject, sorted(_WEIGHED))),
    ]


async def propose_findings(deps: Deps, tx: WriteTx, subjects: list[UUID]) -> list[tuple[EndingEvent, Status]]:
    """Propose what confirmed cases on these people mean for each of their programs; what of it has to wait."""
    waiting = []
    for row in await proposals.list_unproposed(tx, subjects, _REASON_OF):
        opening = _opening(
            deps,
            row["subject"],
            row["program"],
            reason=EndingEvent(row["reason"]),
            event_on=row["event_on"],
            found_on=row["concluded_at"].date(),
            origin=ProposalOrigin.CASE,
            case_id=row["case_id"],
        )
        if not opening or await _was_cleared(tx, opening, row["concluded_at"]):
            continue
        if not await _open(tx, opening, row["status"], row["concluded_at"]):
            waiting.append((opening.reason, Status(row["status"])))
    return waiting


async def propose_verified(deps: Deps, tx: WriteTx, program: str) -> None:
    """Propose what verified requests mean for a program whose roster, just taken in, lists the person only now.

    Whether he is free, or has come back, by then nobody here knows: an officer finds nothing to stop where he is.
    """
    await _propose_verified(deps, tx, await proposals.list_verified_of_heard(tx, program, sorted(_WEIGHED)))


async def _propose_verified(
    deps: Deps, tx: WriteTx, rows: Iterable[asyncpg.Record]
) -> list[tuple[EndingEvent, Status]]:
    waiting = []
    for row in rows:
        opening = _opening(
            deps,
            row["subject"],
            row["program"],
            reason=EndingEvent(row["reason"]),
            event_on=row["event_on"],
            found_on=row["opened_at"].date(),
            origin=ProposalOrigin.STOP_REQUEST,
            origin_id=row["origin_id"],
        )
        if not opening or await _was_cleared(tx, opening, row["opened_at"]):
            continue
        if not await _open(tx, opening, row["status"], row["opened_at"]):
            waiting.append((opening.reason, Status(row["status"])))
    return waiting


async def propose_double_receipt(deps: Deps, tx: WriteTx, program: str) -> None:
    """Propose to end one of two benefits that the people of the roster just taken in may not hold together."""
    declared = deps.programs.get(program)
    if declared is None or not declared.excludes:
        return
    kept_first = deps.policies.on(deps.clock.today()).kept_first
    for row in await proposals.list_double(tx, program, declared.excludes):
        ends = which_ends(
            deps.programs,
            kept_first,
            Held(program=program, started_on=row["started_on"]),
            Held(program=row["other"], started_on=row["other_started_on"]),
        )
        if ends is None:
            continue
        version = deps.programs[ends.program].in_force(deps.clock.today())
        opening = Opening(
            subject=row["subject"],
            program=ends.program,
            reason=ends.reason,
            effect=ends.effect,
            event_on=ends.since,
            stops_from=version.stops_from(ends.reason, ends.since or deps.clock.today()),
            origin=ProposalOrigin.DOUBLE_RECEIPT,
        )
        await proposals.open_once(tx, opening, deps.clock.now())


async def propose_overdue(deps: Deps, tx: WriteTx, run: Run, shard: int) -> int:
    """Propose to suspend whom nobody could certify in time, after days of looking; the platform's delay is no one's.

    Nothing is proposed for a person under review or while somebody still has time to knock, nor again for the same end
    of certification.
    """
    versions = [(code, program.in_force(run.run_on)) for code, program in deps.programs.items()]
    fitting = [(code, version) for code, version in versions if EndingEvent.OVERDUE in version.events]
    first, last = shard_bounds(shard)
    search = Overdue(
        codes=[code for code, _ in fitting],
        cycles=[version.cycle_months for _, version in fitting],
        effects=[str(version.events[EndingEvent.OVERDUE]) for _, version in fitting],
        first=first,
        last=last,
        grace_days=deps.policies.on(run.run_on).overdue_grace_days,
    )
    return await proposals.open_overdue(tx, search, today=run.run_on, at=deps.clock.now())


async def hear_report(deps: Deps, tx: WriteTx, fact: ReportLocked) -> None:
    """Take in a village's signed list: what a case has not proposed yet is proposed now; nothing stops by it.

    Nor does it end a review: scoring hears of no list, and would not say again what else stays open. A list finds
    nothing itself: what people have found not to be so since the finding it names stays so, however late it is signed.
    """
    people = sorted(fact.confirmed, key=lambda each: each.subject)
    for shard in sorted({each.subject.hex[0] for each in people}):
        await certificates.lock_shard(tx, shard)
    for person in people:
        reason = _REASON_OF[person.kind]
        about = (person.subject, sorted(together(reason)), person.event_on)
        found_at = await proposals.found_at(tx, person.case_id, *about) or fact.locked_at
        await _propose_reported(deps, tx, person, found_at)


async def _propose_reported(deps: Deps, tx: WriteTx, person: ConfirmedPerson, at: datetime) -> None:
    for program in await proposals.list_enrolled(tx, person.subject):
        opening = _opening(
            deps,
            person.subject,
            program,
            reason=_REASON_OF[person.kind],
            event_on=person.event_on,
            found_on=at.date(),
            origin=ProposalOrigin.REPORT,
            case_id=person.case_id,
        )
        if opening and not await _was_cleared(tx, opening, at):
            # An officer may have decided a request by another event that its program names.
            opening = replace(opening, known_as=frozenset(together(opening.reason)))
            await proposals.open_once(tx, opening, at)


async def hear_stop_request(deps: Deps, tx: WriteTx, fact: StopRequestConcluded) -> None:
    """A request people verified becomes proposals; one that is not as it says ends there."""
    await certificates.lock_shard(tx, fact.subject.hex[0])
    reason = _requested(fact)
    await requests.conclude(
        tx,
        fact.request_id,
        confirmed=fact.confirmed,
        reason=reason,
        event_on=fact.event_on,
        at=fact.concluded_at,
    )
    if not fact.confirmed:
        return
    if reason is EndingEvent.OWN_REQUEST and await requests.withdrawn_at(tx, fact.request_id):
        return
    enrolled = await proposals.list_enrolled(tx, fact.subject)
    opened = 0
    for program in enrolled:
        if reason not in _WEIGHED and fact.programs and program not in fact.programs:
            continue
        opening = _opening(
            deps,
            fact.subject,
            program,
            reason=reason,
            event_on=fact.event_on,
            found_on=fact.concluded_at.date(),
            origin=ProposalOrigin.STOP_REQUEST,
            origin_id=fact.request_id,
        )
        if opening and not await _was_cleared(tx, opening, fact.concluded_at):
            opened += await proposals.open_once(tx, opening, fact.concluded_at)
    if opened and reason in _WEIGHED:
        await certificates.note_finding(tx, fact.subject, Finding.CONFIRMS, fact.concluded_at)


async def _was_cleared(tx: ReadTx, opening: Opening, found_at: datetime) -> bool:
    """Whether people have found since that what a program would stop for is not so, or is over."""
    reason = asked_as(opening.reason, opening.effect)
    return await clearings.was_cleared(tx, opening.subject, reason, opening.event_on, found_at)


async def _open(tx: WriteTx, opening: Opening, status: Status, at: datetime) -> bool:
    """Open what was found of somebody enrolled, once; whoever is suspended already can only lose the benefit.

    A second suspension waits until the first is lifted; what has ended can lose nothing.
    """
    if status == Status.TERMINATED or (status == Status.SUSPENDED and opening.effect is not Effect.TERMINATE):
        return False
    return await proposals.open_once(tx, opening, at)


def _requested(fact: StopRequestConcluded) -> EndingEvent:
    """What a request tells of: by its code, or by the one that people read in its words.

    Words that tell of none are a wish, with or without a day: a relative's day may be that of a removal.
    """
    return EndingEvent(fact.reason) if fact.reason in _REASONS else EndingEvent.OWN_REQUEST


def _opening(  # noqa: PLR0913  (a proposal has this many parts)
    deps: Deps,
    subject: UUID,
    code: str,
    *,
    reason: EndingEvent,
    event_on: date | None,
    found_on: date,
    origin: ProposalOrigin,
    case_id: UUID | None = None,
    origin_id: UUID | None = None,
) -> Opening | None:
    """A proposal for one program; None where its rule does not name the event, or nobody here knows the program."""
    program = deps.programs.get(code)
    if program is None:
        return None
    version = program.in_force(event_on or found_on)
    if reason not in version.events:
        reason = _BY_ANOTHER_NAME.get(reason, reason)
    # Whoever asks for it may always stop his own benefit, whether or not the program's rule speaks of it.
    own = reason is EndingEvent.OWN_REQUEST and reason not in version.events
    if not own and reason not in version.events:
        return None
    return Opening(
        subject=subject,
        program=code,
        reason=reason,
        effect=Effect.SUSPEND if own else version.effect_of(reason),
        event_on=event_on,
        stops_from=version.stops_from(reason, event_on or found_on),
        origin=origin,
        case_id=case_id,
        origin_id=origin_id,
    )
