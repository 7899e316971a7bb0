"""Objections: taken from the person, answered within working days by somebody who had no hand in it."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.arrears import ENDED_AS
from services.recognition.domain.objections import ObjectionAbout, ObjectionStage, ObjectionState, may_answer
from services.recognition.domain.programs import ENDS_LIFE, EndingEvent
from services.recognition.domain.states import DecisionState, ProposalState
from services.recognition.store import decisions, mine, objections
from services.recognition.store.certificates import lock_shard
from services.recognition.store.decisions import Decided, Proposal
from services.recognition.store.objections import Objection
from services.recognition.usecases.decide import reject
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.divisions import may_see
from services.recognition.usecases.foureyes import FourEyesError
from services.recognition.usecases.hearing import shard_of
from services.recognition.usecases.living import SAYS_NOTHING, Word, require_word
from services.recognition.usecases.noticing import Telling, give_notice
from services.recognition.usecases.proposing import together
from services.recognition.usecases.stopping import withdraw
from shared.contracts.vocabulary import NoticeKind
from shared.kit.auth import Caller
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError, MalformedError, NotFoundError
from shared.kit.telemetry import mask_text
from shared.kit.workdays import after_working_days

_UPHELD = "异议成立"
_SAYS_NOTHING_OF_A_STOP = frozenset({ObjectionAbout.LOOK, ObjectionAbout.ARREARS, ObjectionAbout.OVERPAYMENT})
_UNANSWERED = frozenset({ProposalState.OPEN, ProposalState.DECIDED})
_AGAINST_A_STOP = frozenset({ObjectionAbout.INTENDED_STOP, ObjectionAbout.STOP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an officer answers.

    Attributes:
        of_death: whether there was one, where it is upheld against a stop for a death; and of a term, or a job.
    """

    upheld: bool
    words: str
    of_death: Word = SAYS_NOTHING


class ObjectionWaitsError(ConflictError):
    """One about the same is waiting for its answer."""

    code = "objection_waits"


class NoReviewError(ConflictError):
    """There is nothing to review, or not any more."""

    code = "no_review"


async def object_to(
    deps: Deps, tx: WriteTx, subject: UUID, *, program: str, about: ObjectionAbout, said: str
) -> Objection:
    """Take an objection; while it waits, no announced stop of this benefit is carried out.

    Raises:
        NotFoundError: not one of the person's benefits.
        ObjectionWaitsError: one about the same waits for its answer.
    """
    await lock_shard(tx, shard_of(subject))
    if program not in deps.programs or not await mine.is_enrolled(tx, subject, program):
        detail = "没有查到您的这项待遇。"
        raise NotFoundError(detail)
    for known in await objections.list_of(tx, deps.vault, subject, [program]):
        if known.state is ObjectionState.RECEIVED and known.about is about:
            detail = f"您已就此提出异议，我们会在{known.due_on.isoformat()}前答复。"
            raise ObjectionWaitsError(detail)
    made = _made(deps, subject, program, about, said)
    decision_id = await mine.standing_decision(tx, subject, program, _first(about))
    made = replace(made, decision_id=decision_id)
    await objections.add_objection(tx, deps.vault, made)
    return made


async def ask_review(deps: Deps, tx: WriteTx, subject: UUID, objection_id: UUID, *, said: str) -> Objection:
    """Have a dismissed objection looked at again, once, by somebody else.

    Raises:
        NotFoundError: not one of the person's objections.
        NoReviewError: not dismissed, reviewed already, or too long ago.
    """
    await lock_shard(tx, shard_of(subject))
    first = await objections.find_objection(tx, deps.vault, objection_id)
    if first is None or first.subject != subject:
        detail = "没有查到您的这条异议。"
        raise NotFoundError(detail)
    days = deps.policies.on(deps.clock.today()).objection.review_days
    dismissed = first.state is ObjectionState.DISMISSED and first.answered_at is not None
    if (
        first.stage is ObjectionStage.REVIEW
        or not dismissed
        or (first.answered_at is not None and deps.clock.now() > first.answered_at + timedelta(days=days))
        or await objections.find_review(tx, objection_id)
    ):
        detail = f"复核只能在异议被驳回后{days}日内申请一次；之后可以申请行政复议或者提起诉讼。"
        raise NoReviewError(detail)
    made = _made(deps, subject, first.program, first.about, said)
    made = replace(made, stage=ObjectionStage.REVIEW, reviews=objection_id, decision_id=first.decision_id)
    await objections.add_objection(tx, deps.vault, made)
    return made


def _first(about: ObjectionAbout) -> DecisionState:
    """Which of a stop in effect and one announced over it an objection is against."""
    return DecisionState.EFFECTIVE if about is ObjectionAbout.STOP else DecisionState.NOTICE


def _made(deps: Deps, subject: UUID, program: str, about: ObjectionAbout, said: str) -> Objection:
    today = deps.clock.today()
    days = deps.policies.on(today).objection.days_for(program)
    return Objection(
        objection_id=uuids.uuid7(),
        subject=subject,
        program=program,
        decision_id=None,
        about=about,
        said=mask_text(said),
        stage=ObjectionStage.OBJECTION,
        reviews=None,
        state=ObjectionState.RECEIVED,
        received_at=deps.clock.now(),
        due_on=after_working_days(today, days),
        answered_by=None,
        answered_at=None,
        answer=None,
    )


async def answer_objection(deps: Deps, tx: WriteTx, objection_id: UUID, caller: Caller, given: Answer) -> Objection:
    """Answer an objection and say so; one that is upheld takes an announced stop back at once, or what is proposed.

    What people found falls only by one against the stop itself, or by a word on the death.

    Raises:
        NotFoundError: none, or about another department's program.
        ConflictError: it has its answer.
        FourEyesError: by one of those whose decision it is about, or who dismissed it before.
        MalformedError: a word on a death, a term or a job, where nothing is given up that is for one; or neither a day
            nor a word that it is about something else, where a death is; or one word on several terms or jobs.
    """
    # The shard before the rows: whoever has it may have to close the same stop.
    if subject := await objections.whose(tx, objection_id):
        await lock_shard(tx, shard_of(subject))
    found = await objections.find_objection(tx, deps.vault, objection_id)
    if found is None or not await may_see(tx, caller, found.subject, found.program):
        detail = "No objection about your programs has this id."
        raise NotFoundError(detail)
    if found.state is not ObjectionState.RECEIVED:
        detail = f"It is {found.state} already."
        raise ConflictError(detail)
    if not may_answer(caller.user, await _involved(deps, tx, found)):
        detail = "Somebody who had no hand in the decision has to answer."
        raise FourEyesError(detail)
    state = ObjectionState.UPHELD if given.upheld else ObjectionState.DISMISSED
    decided = await _decision_of(tx, found)
    # Who lives after all hears the answer himself: that he does is said first.
    taken_back = given.upheld and await _take_back(deps, tx, found, decided, caller, given)
    if (given.of_death.alive_on is not None or given.of_death.ends) and not taken_back:
        detail = "alive_on is for an objection that is upheld against a stop announced or proposed for a death; "
        detail += "passed_on and never_so are for one against a stop announced or proposed for a term or a job."
        raise MalformedError(detail)
    answered = replace(
        found,
        decision_id=decided.decision_id if decided and not _stands(decided, given, taken_back=taken_back) else None,
        state=state,
        answered_by=caller.user,
        answered_at=deps.clock.now(),
        answer=mask_text(given.words),
    )
    await objections.answer_objection(tx, deps.vault, answered)
    await _tell(deps, tx, found, upheld=given.upheld)
    return answered


def _stands(decided: Decided, given: Answer, *, taken_back: bool) -> bool:
    """Whether what is upheld says nothing of a decision: what fell was proposed over it, or it is left announced."""
    return given.upheld and decided.state is (DecisionState.EFFECTIVE if taken_back else DecisionState.NOTICE)


async def _decision_of(tx: WriteTx, objected: Objection) -> Decided | None:
    """The decision an objection is against: one that stands, though it was made only after the person had spoken.

    What was in effect when he spoke is not what he means where an end is announced over it since.
    """
    decided = await decisions.find_decision(tx, objected.decision_id) if objected.decision_id else None
    first = _first(objected.about)
    if objected.about in _SAYS_NOTHING_OF_A_STOP or (decided and decided.state in {DecisionState.NOTICE, first}):
        return decided
    standing = await mine.standing_decision(tx, objected.subject, objected.program, first)
    newer = await decisions.find_decision(tx, standing) if standing else None
    if newer is None or (_in_effect(decided) and newer.state is not first):
        return decided
    return newer


def _in_effect(decided: Decided | None) -> bool:
    return decided is not None and decided.state is DecisionState.EFFECTIVE


def _reaches_proposals(objected: Objection, decided: Decided | None) -> bool:
    """Whether it is against what is only proposed: nothing is announced, and it is against no stop in effect."""
    if decided is not None and decided.state is DecisionState.NOTICE:
        return False
    return not (_in_effect(decided) and objected.about is ObjectionAbout.STOP)


async def _take_back(
    deps: Deps, tx: WriteTx, objected: Objection, decided: Decided | None, caller: Caller, given: Answer
) -> bool:
    """Give up what is announced, or reject what was proposed before.

    False where the objection is against neither, or the word is on a term or a job and nothing of it is for one.

    Raises:
        MalformedError: no word on a death that is announced, or proposed.
    """
    if given.of_death.alive_on is None and objected.about in _SAYS_NOTHING_OF_A_STOP:
        return False
    if decided is not None and decided.state is DecisionState.NOTICE:
        if await _says_nothing_of(tx, objected, decided, given):
            return False
        await withdraw(deps, tx, decided.decision_id, caller, given.of_death)
        return True
    if not _reaches_proposals(objected, decided):
        return False
    falls = await _proposals_against(tx, objected, given)
    if given.of_death.ends and all(each.reason not in ENDED_AS for each in falls):
        return False
    for each in falls:
        known = await decisions.find_proposal(tx, each.proposal_id)
        if known and known.state in _UNANSWERED:  # what was found of one term twice falls with the first
            await reject(deps, tx, each.proposal_id, caller, given.of_death.of(each.reason), _UPHELD)
    return bool(falls)


async def _says_nothing_of(tx: WriteTx, objected: Objection, decided: Decided, given: Answer) -> bool:
    """Whether an announced stop stands: that a number was wrong says nothing of what people found.

    Of a death whoever answers says whether there was one, and takes the stop back by it.
    """
    if objected.about in _AGAINST_A_STOP or given.of_death.alive_on is not None:
        return False
    proposal = await decisions.find_proposal(tx, decided.proposal_id)
    return proposal is not None and proposal.under_review and proposal.reason not in ENDS_LIFE


async def _proposals_against(tx: WriteTx, objected: Objection, given: Answer) -> list[Proposal]:
    """What is proposed and falls with an objection that is upheld."""
    waiting = await decisions.list_waiting(tx, objected.subject, objected.program)
    alive_on = given.of_death.alive_on
    if alive_on is None:
        # What he asked for himself he takes back himself.
        proposed = [each for each in waiting if each.opened_at <= objected.received_at]
        proposed = [each for each in proposed if each.reason is not EndingEvent.OWN_REQUEST]
        # That a number was wrong says nothing of what people found besides.
        falls = proposed if objected.about in _AGAINST_A_STOP else []
        for each in proposed:
            if each in falls or each.reason not in ENDED_AS:
                await require_word(tx, each, given.of_death)
        _check_one(falls, given.of_death)
        return falls
    # With the first every other falls that says he had died before that day.
    dead = [each for each in waiting if each.reason in ENDS_LIFE]
    return [each for each in dead if each.event_on is None or each.event_on < alive_on][:1] or dead[:1]


def _check_one(falls: list[Proposal], word: Word) -> None:
    """Refuse one word on a term and on a job, or one day on two terms: where one ended the other did not.

    Raises:
        MalformedError: several would fall by it.
    """
    ended = [each for each in falls if each.reason in ENDED_AS]
    alike = {each.reason for each in ended} <= together(ended[0].reason) if ended else True
    if word.passed_on is not None:
        alike = alike and len({each.event_on for each in ended}) <= 1
    if word.ends and not alike:
        detail = "It says one thing of several terms, or jobs: reject them one by one, each with a word of its own."
        raise MalformedError(detail)


async def _tell(deps: Deps, tx: WriteTx, found: Objection, *, upheld: bool) -> None:
    """Say that it is answered, and until when a dismissal can be reviewed; what was written is read by its person."""
    today = deps.clock.today()
    reviewed = upheld or found.stage is ObjectionStage.REVIEW
    telling = Telling(
        subject=found.subject,
        kind=NoticeKind.ANSWERED,
        programs=(found.program,),
        reason="objection_upheld" if upheld else "objection_dismissed",
        deadline_on=None if reviewed else today + timedelta(days=deps.policies.on(today).objection.review_days),
    )
    await give_notice(deps, tx, telling)


async def _involved(deps: Deps, tx: WriteTx, found: Objection) -> set[str]:
    """Who has proposed or decided what the objection is against, or dismissed it before."""
    involved: set[str | None] = set()
    against: list[Proposal | None] = []
    decided = await _decision_of(tx, found)
    if decided is not None:
        against.append(await decisions.find_proposal(tx, decided.proposal_id))
        involved.add(decided.confirmed_by)
    if _reaches_proposals(found, decided):
        against += await decisions.list_waiting(tx, found.subject, found.program)
    for each in filter(None, against):
        involved |= {each.opened_by, each.decided_by}
    if found.reviews is not None:
        first = await objections.find_objection(tx, deps.vault, found.reviews)
        involved.add(first.answered_by if first else None)
    return {each for each in involved if each}
