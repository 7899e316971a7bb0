"""Tips: who reported is sealed and never reaches the village; the first reporter of a proved one is owed."""

import base64
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from uuid import UUID

import orjson
import uuid_utils.compat as uuids

from services.grid.domain.cases import CaseAction, CaseState, Step
from services.grid.domain.claims import Loss, TipAction, TipState, follow_tip, what_the_case_says
from services.grid.domain.looks import Seen
from services.grid.store import cases, locks, suspicions, tips
from services.grid.store.cases import Case
from services.grid.store.readings import Reading
from services.grid.store.tips import Tip
from services.grid.usecases import looking
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import BarredError, NoSuchTipError, ReportIdUsedError, StepNotPossibleError
from services.grid.usecases.importing import give_out_cases
from shared.contracts.events.recognition import OverpaymentChanged
from shared.contracts.vocabulary import CaseConclusion, Confidence, SuspicionKind
from shared.kit.auth import Caller
from shared.kit.db import WriteTx
from shared.kit.workdays import after_working_days

_CODE_BYTES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Who reported and what; everything is sealed."""

    text: str
    name: str | None = None
    phone: str | None = None
    account: str | None = None


async def receive(
    tx: WriteTx, deps: Deps, subject: UUID, kind: SuspicionKind, reporter: Reporter, *, report_id: UUID
) -> tuple[Tip, str]:
    """Keep a tip, named or anonymous; returns it with the code its reporter keeps.

    A report sent again under its id is the same tip with the same code: an answer may be lost on its way.

    Raises:
        ReportIdUsedError: another report was sent under this id.
    """
    now, today = deps.clock.now(), deps.clock.today()
    rule, code, tip_id = deps.rewards.on(today), _code(deps, report_id), uuids.uuid7()
    await tips.lock_code(tx, _key(code))
    known = await tips.find_claimed(tx, _key(code))
    if known is not None:
        if (known.subject, known.kind, replace(_open(deps, known), account=None)) != (subject, kind, reporter):
            raise ReportIdUsedError
        return known, code
    made = Tip(
        tip_id=tip_id,
        claim_key=_key(code),
        subject=subject,
        kind=kind,
        state=TipState.RECEIVED,
        named=reporter.name is not None,
        sealed=_seal(deps, tip_id, reporter),
        received_at=now,
        screen_by=after_working_days(today, rule.screen_working_days),
        tell_by=after_working_days(today, rule.tell_working_days),
    )
    await tips.save(tx, made, now=now)
    await tips.add_step(tx, tip_id, "received", "reporter", now)
    return made, code


async def ask(tx: WriteTx, deps: Deps, code: str) -> Tip:
    """Where the reporter's tip stands; the first look after the screening is when he was told.

    Raises:
        NoSuchTipError: nobody was given this code.
    """
    found = await tips.find_claimed(tx, _key(code))
    if found is None:
        raise NoSuchTipError
    if found.state is not TipState.RECEIVED and found.told_at is None:
        found = replace(found, told_at=deps.clock.now())
        await tips.save(tx, found, now=deps.clock.now())
    return found


async def tell(tx: WriteTx, deps: Deps, caller: Caller, tip_id: UUID) -> Tip:
    """Note that somebody has told the reporter what became of the tip, e.g. by phone: not everybody asks.

    Raises:
        NoSuchTipError: absent.
        StepNotPossibleError: not screened yet.
    """
    found = await _take(tx, tip_id)
    if found.state is TipState.RECEIVED:
        raise StepNotPossibleError(extra={"state": found.state.value})
    if found.told_at is not None:
        return found
    now = deps.clock.now()
    told = replace(found, told_at=now)
    await tips.save(tx, told, now=now)
    await tips.add_step(tx, tip_id, "told", caller.user, now)
    return told


async def screen(tx: WriteTx, deps: Deps, caller: Caller, tip_id: UUID, *, accepted: bool) -> Tip:
    """Examine a tip: an accepted one opens a case, in which nothing tells that somebody reported; a known one does not.

    Raises:
        NoSuchTipError: absent.
        StepNotPossibleError: screened already, or somebody reported the same before and waits.
    """
    found = await _take(tx, tip_id)
    if not accepted:
        return await _go(tx, deps, replace(found, screened_by=caller.user), TipAction.DISMISS, caller.user)
    if await tips.waits_before(tx, found):
        detail = "Somebody reported the same before: examine that tip first, since only the first reporter is owed."
        raise StepNotPossibleError(detail, extra={"state": found.state.value})
    await locks.lock_people(tx, [found.subject])
    case = _case(deps, found)
    if await cases.has_case(tx, found.subject, found.kind) or not await cases.open_case(tx, case):
        return await _go(tx, deps, replace(found, screened_by=caller.user), TipAction.KNOW, caller.user)
    step = Step(
        action=CaseAction.DETECT,
        actor="grid",
        role="service",
        happened_at=deps.clock.now(),
        outcome=case.confidence.value,
        event_on=None,
    )
    await cases.add_step(tx, case.case_id, step)
    await give_out_cases(tx, deps, among=await suspicions.stage_person(tx, found.subject))
    accepted_tip = replace(found, screened_by=caller.user, case_id=case.case_id)
    return await _go(tx, deps, accepted_tip, TipAction.ACCEPT, caller.user)


async def approve(tx: WriteTx, deps: Deps, caller: Caller, tip_id: UUID) -> Tip:
    """Somebody else than the one who screened approves the sum, once it will not change any more.

    Raises:
        NoSuchTipError: absent.
        StepNotPossibleError: not proved, money may still come back, or approved already.
        BarredError: he screened it himself.
    """
    found = await _take(tx, tip_id)
    if caller.user == found.screened_by:
        reason = "four_eyes"
        raise BarredError(reason)
    if found.case_id is not None and follow_tip(found.state, TipAction.CALCULATE) is not None:
        found = await _calculate(tx, deps, found, await _loss(tx, deps, found.case_id))
    today = deps.clock.today()
    until = today + timedelta(days=deps.rewards.on(today).claim_days)
    return await _go(
        tx, deps, replace(found, approved_by=caller.user, claim_until=until), TipAction.APPROVE, caller.user
    )


async def claim(tx: WriteTx, deps: Deps, code: str, account: str) -> Tip:
    """The reporter says where the reward goes; never cash.

    Raises:
        NoSuchTipError: nobody was given this code.
        StepNotPossibleError: nothing approved, or too late.
    """
    found = await ask(tx, deps, code)
    if found.claim_until is not None and found.claim_until < deps.clock.today():
        raise StepNotPossibleError(extra={"state": TipState.EXPIRED.value})
    known = _open(deps, found)
    sealed = _seal(deps, found.tip_id, replace(known, account=account))
    return await _go(tx, deps, replace(found, sealed=sealed), TipAction.CLAIM, "reporter")


async def pay(tx: WriteTx, deps: Deps, caller: Caller, tip_id: UUID) -> Tip:
    """Note that the reward was paid.

    Raises:
        NoSuchTipError: absent.
        StepNotPossibleError: not claimed.
    """
    found = await _take(tx, tip_id)
    return await _go(tx, deps, replace(found, paid_by=caller.user), TipAction.PAY, caller.user)


async def reveal(tx: WriteTx, deps: Deps, caller: Caller, tip_id: UUID) -> Reporter:
    """Who reported what, for whoever has to examine or pay it; the look is a step of the tip, and one at the person.

    Raises:
        NoSuchTipError: absent.
    """
    found = await _take(tx, tip_id)
    await tips.add_step(tx, tip_id, "revealed", caller.user, deps.clock.now())
    await looking.note(tx, deps, caller, [Reading(what=Seen.TIP, subject=found.subject, request_id=tip_id)])
    return _open(deps, found)


async def hear_conclusion(tx: WriteTx, deps: Deps, case_id: UUID, conclusion: CaseConclusion) -> None:
    """The end of a case proves the tip that opened it, or does not; without any loss its reward is known."""
    found = await tips.of_case(tx, case_id)
    if found is None or follow_tip(found.state, what_the_case_says(conclusion)) is None:
        return
    changed = await _go(tx, deps, found, what_the_case_says(conclusion), "grid")
    await _calculate_if_known(tx, deps, changed)


async def hear_recovery(tx: WriteTx, deps: Deps, fact: OverpaymentChanged) -> None:
    """Money came back, or is not expected any more: then the reward is known."""
    if fact.case_id is None:
        return
    # The case may be concluded at this moment: whoever comes second sees what the first has written.
    await locks.lock_people(tx, [fact.subject])
    await tips.note_recovered(
        tx,
        fact.overpayment_id,
        fact.case_id,
        fact.recovered_fen,
        closed=fact.closed,
        changed_at=fact.changed_at,
    )
    found = await tips.of_case(tx, fact.case_id)
    if found is not None:
        await _calculate_if_known(tx, deps, found)


async def expire(tx: WriteTx, deps: Deps) -> int:
    """Rewards nobody claimed in time lapse; returns how many."""
    late = await tips.expired(tx, deps.clock.today())
    for each in late:
        await _go(tx, deps, each, TipAction.EXPIRE, "grid")
    return len(late)


async def _calculate_if_known(tx: WriteTx, deps: Deps, found: Tip) -> None:
    assert found.case_id is not None
    loss = await _loss(tx, deps, found.case_id)
    if loss.settled and follow_tip(found.state, TipAction.CALCULATE) is not None:
        await _calculate(tx, deps, found, loss)


async def _loss(tx: WriteTx, deps: Deps, case_id: UUID) -> Loss:
    days = deps.rewards.on(deps.clock.today()).decision_days
    return await tips.loss_of(tx, case_id, deps.clock.now() - timedelta(days=days))


async def _calculate(tx: WriteTx, deps: Deps, found: Tip, loss: Loss) -> Tip:
    if not loss.settled:
        detail = "A benefit is not decided on yet, or what was overpaid has not all come back or been written off."
        raise StepNotPossibleError(detail, extra={"state": found.state.value})
    fen = loss.recovered_fen
    reward = deps.rewards.on(deps.clock.today()).reward.of(fen, lost=loss.found > 0)
    return await _go(tx, deps, replace(found, recovered_fen=fen, reward_fen=reward), TipAction.CALCULATE, "grid")


async def _take(tx: WriteTx, tip_id: UUID) -> Tip:
    found = await tips.find(tx, tip_id, lock=True)
    if found is None:
        raise NoSuchTipError
    return found


async def _go(tx: WriteTx, deps: Deps, tip: Tip, action: TipAction, actor: str) -> Tip:
    state = follow_tip(tip.state, action)
    if state is None:
        raise StepNotPossibleError(extra={"state": tip.state.value})
    now = deps.clock.now()
    changed = replace(tip, state=state)
    await tips.save(tx, changed, now=now)
    await tips.add_step(tx, tip.tip_id, action.value, actor, now)
    return changed


def _case(deps: Deps, tip: Tip) -> Case:
    now, today = deps.clock.now(), deps.clock.today()
    return Case(
        case_id=uuids.uuid7(),
        subject=tip.subject,
        kind=tip.kind,
        state=CaseState.DETECTED,
        confidence=Confidence.HINT,
        event_on=None,
        rounds=1,
        division=None,
        grid_code=None,
        worker_id=None,
        deadline_on=after_working_days(today, deps.policies.on(today).case_working_days),
        opened_at=now,
        changed_at=now,
        previous_case_id=None,
        conclusion=None,
        concluded_at=None,
        verified_by=None,
        concluded_by=None,
    )


def _code(deps: Deps, report_id: UUID) -> str:
    # The id alone opens nothing: only who has the key can tell which code belongs to it.
    return base64.urlsafe_b64encode(deps.name_keys.one(f"tip {report_id}").bytes[:_CODE_BYTES]).decode()


def _key(code: str) -> bytes:
    return blake2b(code.encode(), digest_size=32, person=b"grid tip").digest()


def _seal(deps: Deps, tip_id: UUID, reporter: Reporter) -> bytes:
    told = {"text": reporter.text, "name": reporter.name, "phone": reporter.phone, "account": reporter.account}
    return deps.vault.seal(orjson.dumps(told), tip_id.bytes)


def _open(deps: Deps, tip: Tip) -> Reporter:
    return Reporter(**orjson.loads(deps.vault.open(tip.sealed, tip.tip_id.bytes)))
