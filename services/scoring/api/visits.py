"""Route about visits: whom to see first."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Response

from services.scoring.api.deps import CityReader, NotingRoute, RouteDeps, looker
from services.scoring.schemas.trials import VisitOrderIn, VisitOrderOut, asked_of, order_body
from services.scoring.usecases.order import order_visits
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["visits"], responses=PROBLEM_RESPONSES, route_class=NotingRoute)


@router.post("/visit-orders", response_model=VisitOrderOut)
async def order(asked: Annotated[VisitOrderIn, Body()], caller: CityReader, deps: RouteDeps) -> Response:
    """Order the visits of up to 20,000 people whom data cannot certify, by the risk that eligibility is lost."""
    today = deps.clock.today()
    rules = deps.rules(None, today)
    # Twenty thousand people take tenths of a second on either side; nobody else has to wait for them.
    people = await asyncio.to_thread(asked_of, asked.people, today)
    async with deps.database.write() as tx:
        ordered = await order_visits(tx, people, rules=rules, today=today, looker=looker(caller, "visit_order"))
    body = await asyncio.to_thread(order_body, ordered, rule_set=rules.name, today=today)
    return Response(body, media_type="application/json")
