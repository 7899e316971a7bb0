"""What waits for an officer, objections to answer, and the whole history of a person."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.recognition.api.deps import (
    PURPOSE_HEADERS,
    DepsOf,
    Officer,
    Question,
    admit_person,
    asker,
    deps,
    officer_only,
    purpose,
)
from services.recognition.api.once import ONCE, Answered, once_by, with_words
from services.recognition.api.route import LoggedRoute
from services.recognition.domain.arrears import lifted_by
from services.recognition.domain.effects import CHANGES
from services.recognition.domain.owed import owed_words
from services.recognition.domain.programs import EndingEvent
from services.recognition.schemas.work import (
    AnswerIn,
    HistoryOut,
    ObjectionOut,
    ObjectionsOut,
    PersonIn,
    WaitingOut,
    WorkOut,
)
from services.recognition.store import divisions, lookups, objections, worklist
from services.recognition.usecases import histories, objecting, waiting
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.histories import UnknownPersonError
from services.recognition.usecases.living import Word
from services.recognition.usecases.owing import rule_of
from shared.contracts.vocabulary import IN_OWN_WORDS
from shared.kit.auth import allow
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES, ForbiddenError

router = APIRouter(prefix="/v1", tags=["officer"], route_class=LoggedRoute, responses=PROBLEM_RESPONSES)

Limit = Annotated[int, Query(ge=1, le=500)]

_AUDITOR = "auditor"
_NEXT = {
    "decide": "决定是否停发，或认定无须停发",
    "confirm": "由另一名经办人复核确认",
    "carry_out": "告知期已满，可以执行",
    "seen_proposed": "所报情况之后又有人亲见本人：认错人的，请撤销该次认证；确为本人的，请认定无须停发，写明该日",
    "seen_announced": "所报情况之后又有人亲见本人：认错人的，请撤销该次认证；确为本人的，请撤回拟停发决定，写明该日",
    "seen_stopped": "停发之后又有人亲见本人：认错人的，请撤销该次认证；确为本人的，请恢复发放",
    "not_told": "告知期已满但送达渠道不足，请补充送达",
    "withdraw": "停发理由已不成立，请撤回拟停发决定",
    "reinstate": "停发理由不成立或已消除，请恢复发放",
    "resume": "停发原因已消除，请恢复发放",
    "answer_objection": "在期限前答复异议",
    "answer_review": "在期限前答复复核申请",
    "listed_twice": "名册中同一人在两处领取，请核实两处情况后登记处理结果",
    "ask_refund": "发出退还通知",
    "refund_overdue": "退还期限已过，请联系家属、约定分期或移送",
    "approve_offset": "审批抵扣",
    "approve_written_off": "审批核销",
}

_bearer = HTTPBearer(auto_error=False, bearerFormat="RFC 9068 JWT", description="private_key_jwt client credentials")


@router.get("/work")
async def list_work(request: Request, caller: Officer, found: DepsOf, limit: Limit = 100) -> WorkOut:
    """What waits in the officer's programs: deadlines first, then the oldest; not what somebody else has to do.

    Each look is logged.
    """
    codes = [code for code in found.programs if caller.may_program(code)]
    seen = waiting.sight(found, codes, caller.divisions)
    who = asker(request, found, caller, "work", why=None, program=None)
    async with found.database.write() as tx:
        rows = await worklist.list_waiting(tx, seen, user=caller.user, limit=limit)
        counts = await worklist.count_waiting(tx, seen)
        await lookups.log_looks(tx, who, [(row["program"], row["subject"]) for row in rows])
    items = [WaitingOut(**{name: row[name] for name in _SHOWN}, next_step=_next_step(found, row)) for row in rows]
    return WorkOut(items=items, counts=counts)


def _next_step(found: Deps, row: asyncpg.Record) -> str:
    """What to do; of a stop to be lifted also what is owed from when, by the reason it is lifted for."""
    said, program = _NEXT[row["kind"]], row["program"]
    if row["kind"] not in {"reinstate", "resume", "seen_stopped"}:
        return said
    today, reason = found.clock.today(), EndingEvent(row["reason"])
    if found.programs[program].in_force(today).effect_of(reason) in CHANGES:
        return said  # nothing was stopped, so nothing is owed
    fitting = sorted(lifted_by(reason, ended=False))
    return f"{said}：{owed_words({each: rule_of(found, program, each, today) for each in fitting})}"


_SHOWN = ("kind", "id", "subject", "program", "reason", "since", "due_on")


@router.get("/objections")
async def list_objections(caller: Officer, found: DepsOf, request: Request, limit: Limit = 100) -> ObjectionsOut:
    """Objections about the officer's programs that wait for an answer, the most urgent first; looks are logged."""
    programs = [code for code in found.programs if caller.may_program(code)]
    async with found.database.write() as tx:
        listed = await objections.list_open(tx, found.vault, programs, divisions=caller.divisions, limit=limit)
        for each in listed:
            who = asker(request, found, caller, "objection", why=None, program=each.program)
            await lookups.log_usage(tx, who, subject=each.subject, answer="seen")
    return ObjectionsOut(items=[ObjectionOut.model_validate(each) for each in listed])


@router.post("/objections/{objection_id}:answer", response_model=ObjectionOut, openapi_extra=ONCE)
async def answer_objection(
    request: Request, objection_id: UUID, body: AnswerIn, caller: Officer, found: DepsOf
) -> Response:
    """Answer an objection; one that is upheld takes back a stop that is announced, or proposed when it was made.

    What people found stands where the objection is neither against the stop nor answered by a word on a death.
    """
    words = body.answer
    of_death = Word(**body.model_dump(include=set(Word.__dataclass_fields__)))
    given = objecting.Answer(upheld=body.upheld, words=words, of_death=of_death)

    async def effect(tx: WriteTx) -> Answered:
        said = await objecting.answer_objection(found, tx, objection_id, caller, given)
        coded = {"said": IN_OWN_WORDS, "answer": IN_OWN_WORDS}
        bare = ObjectionOut.model_validate(said).model_copy(update=coded)
        return Answered(bare, about=(said.program, said.subject))

    response = await once_by(request, found, caller, body, effect, "objection")
    async with found.database.read() as tx:
        said = await objections.find_objection(tx, found.vault, objection_id)
    assert said is not None, "it was answered"
    return with_words(response, said=said.said, answer=said.answer)


def _historian() -> Callable[..., Awaitable[Question]]:
    """Officers of the person's programs, and auditors; a refusal is logged, and a purpose has to be said."""
    officer = officer_only
    auditor = allow("audit.read", roles=(_AUDITOR,), met=admit_person)

    async def check(request: Request, credentials: HTTPAuthorizationCredentials | None = Security(_bearer)) -> Question:
        request.state.action = "history"
        try:
            caller = await auditor(request, credentials)
        except ForbiddenError:
            caller = await officer(request, credentials)
        return Question(deps(request), caller, purpose(request), request, "history")

    check.is_guard = True  # type: ignore[attr-defined]  # a mark for the guard test
    return check


@router.post("/people:history", openapi_extra=PURPOSE_HEADERS)
async def read_history(
    request: Request, body: PersonIn, question: Annotated[Question, Security(_historian())]
) -> HistoryOut:
    """Certificates, decisions, notices, payments of one person: an officer sees his programs, an auditor everything."""
    found, caller, who = question.deps, question.caller, question.asker(None)
    audits = caller.role == _AUDITOR
    subject = histories.person(found, body.subject, body.citizen_id)
    programs = None if audits else [code for code in found.programs if caller.may_program(code)]
    async with found.database.write() as tx:
        within = await divisions.leads_to(tx, subject, programs, caller.divisions)
        history = await histories.read_history(
            found, tx, subject, who, programs=programs if within else [], with_looks=audits
        )
    if history is None:
        request.state.refusal_logged = True  # with whose history it was
        detail = "No person of your programs stands behind this."
        raise UnknownPersonError(detail)
    return HistoryOut.model_validate(history)
