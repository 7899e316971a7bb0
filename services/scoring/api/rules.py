"""Routes about rule sets, reassessments and figures."""

from typing import Annotated
from uuid import UUID

import uuid_utils.compat as uuids
from fastapi import APIRouter, Query, Response, status

from services.scoring.api.deps import Manager, Operator, Reader, RouteDeps
from services.scoring.domain.difference import rule_difference
from services.scoring.schemas.common import RuleSetName
from services.scoring.schemas.rules import (
    FiguresOut,
    ReassessmentIn,
    ReassessmentOut,
    ReassessmentsOut,
    RuleChangeOut,
    RuleDifferenceOut,
    RuleSetOut,
    RuleSetsOut,
    reassessment_out,
    rule_set_out,
)
from services.scoring.store import reassessments
from services.scoring.usecases.division import UnknownDivisionError
from services.scoring.usecases.report import figures
from services.scoring.usecases.request import cancel_reassessment, request_reassessment
from shared.kit.problems import PROBLEM_RESPONSES, NotFoundError

router = APIRouter(prefix="/v1", tags=["rules"], responses=PROBLEM_RESPONSES)


@router.get("/rule-sets")
async def list_rule_sets(_caller: Reader, deps: RouteDeps) -> RuleSetsOut:
    """All rule sets, with the one in force marked."""
    current = deps.rules(None, deps.clock.today())
    return RuleSetsOut(items=[rule_set_out(each, in_force=each is current) for each in deps.rule_sets])


@router.get("/rule-sets:difference")
async def compare_rule_sets(
    _caller: Reader, deps: RouteDeps, before: Annotated[RuleSetName, Query()], after: Annotated[RuleSetName, Query()]
) -> RuleDifferenceOut:
    """Where two rule sets differ, place by place."""
    today = deps.clock.today()
    changes = rule_difference(deps.rules(before, today), deps.rules(after, today))
    return RuleDifferenceOut(
        before=before,
        after=after,
        changes=[RuleChangeOut(place=each.place, before=each.before, after=each.after) for each in changes],
    )


@router.get("/rule-sets/{rule_set}")
async def get_rule_set(rule_set: str, _caller: Reader, deps: RouteDeps) -> RuleSetOut:
    """One rule set by `code@version`."""
    today = deps.clock.today()
    found = deps.rules(rule_set, today)
    return rule_set_out(found, in_force=found is deps.rules(None, today))


@router.post("/reassessments", status_code=status.HTTP_202_ACCEPTED)
async def start_reassessment(
    asked: ReassessmentIn, caller: Manager, deps: RouteDeps, response: Response
) -> ReassessmentOut:
    """Form all opinions anew, or a division's, or those of some shards; or only compare with other rules (`shadow`)."""
    today = deps.clock.today()
    rules = deps.rules(asked.rule_set, today)
    shards = sorted(int(shard, 16) for shard in asked.shards or "0123456789abcdef")
    if asked.division and await deps.divisions.people(asked.division, shards[0]) is None:
        raise UnknownDivisionError("Name a county, town or village of the list of grids by its code.")
    async with deps.database.write() as tx:
        found = await request_reassessment(
            tx,
            uuids.uuid7(),
            rules=rules,
            shards=shards,
            division=asked.division,
            shadow=asked.shadow,
            today=today,
            by=caller.user,
            now=deps.clock.now(),
        )
    deps.wake.set()
    response.headers["Location"] = f"/v1/reassessments/{found.reassessment_id}"
    response.headers["Retry-After"] = "1"
    return reassessment_out(found)


@router.get("/reassessments")
async def list_reassessments(
    _caller: Manager,
    deps: RouteDeps,
    cursor: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ReassessmentsOut:
    """All that was ever asked for, the newest first, with how far it is."""
    async with deps.database.read() as tx:
        found = await reassessments.list_newest(tx, before=cursor, limit=limit + 1)
    items = [reassessment_out(each) for each in found[:limit]]
    return ReassessmentsOut(items=items, next_cursor=items[-1].reassessment_id if len(found) > limit else None)


@router.get("/reassessments/{reassessment_id}")
async def get_reassessment(reassessment_id: UUID, _caller: Manager, deps: RouteDeps) -> ReassessmentOut:
    """How far a reassessment is."""
    async with deps.database.read() as tx:
        found = await reassessments.find(tx, reassessment_id)
    if found is None:
        raise NotFoundError("There is no reassessment of this id.")
    return reassessment_out(found)


@router.delete("/reassessments/{reassessment_id}")
async def stop_reassessment(reassessment_id: UUID, _caller: Manager, deps: RouteDeps) -> ReassessmentOut:
    """Cancel a reassessment: shards that wait are not begun, what is done stays."""
    async with deps.database.write() as tx:
        found = await cancel_reassessment(tx, reassessment_id, deps.clock.now())
    if found is None:
        raise NotFoundError("There is no reassessment of this id.")
    return reassessment_out(found)


@router.get("/figures")
async def get_figures(_caller: Operator, deps: RouteDeps) -> FiguresOut:
    """Signals, opinions by decision, open suspicions by kind."""
    async with deps.database.read() as tx:
        found = await figures(tx)
    return FiguresOut.model_validate(found, from_attributes=True)
