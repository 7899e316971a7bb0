"""Route about visits: whom to see first."""

from fastapi import APIRouter

from services.scoring.api.deps import Reader, RouteDeps
from services.scoring.domain.priority import Candidate
from services.scoring.schemas.trials import VisitOrderIn, VisitOrderOut, VisitRiskOut
from services.scoring.usecases.order import order_visits
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["visits"], responses=PROBLEM_RESPONSES)


@router.post("/visit-orders")
async def order(asked: VisitOrderIn, _caller: Reader, deps: RouteDeps) -> VisitOrderOut:
    """Order the visits of people whom data cannot certify, by the risk that eligibility is lost."""
    today = deps.clock.today()
    rules = deps.rules(None, today)
    people = {
        each.subject: Candidate(born_on=each.born_on, male=None if each.sex is None else each.sex == "male")
        for each in asked.people
    }
    async with deps.database.read() as tx:
        found = await order_visits(tx, people, rules=rules, today=today)
    return VisitOrderOut(
        rule_set=rules.name,
        assessed_on=today,
        items=[
            VisitRiskOut(subject=subject, risk=each.risk, silent_days=each.silent_days, reasons=list(each.reasons))
            for subject, each in found
        ],
    )
