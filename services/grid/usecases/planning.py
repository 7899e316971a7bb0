"""What a day brings: late tasks go up and somebody is told, each morning has its plan, visits have their order."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import httpx
import polars as pl
import structlog

from services.grid.domain.cases import TURNS
from services.grid.domain.claims import STOP_TURNS
from services.grid.domain.priority import risk_priority
from services.grid.domain.tasks import RUNGS
from services.grid.store import cases, locks, planning, stops, tips, upkeep
from services.grid.store.upkeep import Late
from services.grid.usecases.deps import Deps
from shared.contracts.events.grid import (
    CASE_OVERDUE,
    TASK_OVERDUE,
    WORKDAY_PLANNED,
    CaseOverdue,
    TaskOverdue,
    WorkdayPlanned,
    WorkerDay,
)
from shared.contracts.vocabulary import CaseParty, LateMatter, TaskStage
from shared.kit.db import WriteTx
from shared.kit.problems import ProblemError
from shared.kit.workdays import after_working_days

log = structlog.get_logger(__name__)

AT_ONCE = 5_000
"""As many people as scoring orders in one question."""
_SECONDS = 10.0


async def escalate(tx: WriteTx, deps: Deps, shard: str) -> int:
    """Late tasks of a shard go one rung up, and whoever has to know is told; returns how many."""
    now, today = deps.clock.now(), deps.clock.today()
    days = deps.policies.on(today).working_days
    deadlines = {rung: after_working_days(today, days[place]) for place, rung in enumerate(RUNGS)}
    await locks.lock_shard(tx, shard)
    late = await upkeep.escalate(tx, shard, deadlines, today=today, now=now)
    for each in late:
        if each.division is None:
            await deps.outbox.say(tx, CASE_OVERDUE, _unplaced(each, now))
            continue
        fact = TaskOverdue(
            task_id=each.task_id,
            subject=each.subject,
            reason=each.reason,
            stage=TaskStage(each.rung.value),
            division=each.division,
            worker_id=each.worker_id,
            deadline_on=each.deadline_on,
            overdue_at=now,
        )
        await deps.outbox.say(tx, TASK_OVERDUE, fact)
    return len(late)


def _unplaced(late: Late, now: datetime) -> CaseOverdue:
    """No village can be told of somebody whose address nobody has said: the city's office has to find it out."""
    return CaseOverdue(
        case_id=late.task_id,
        subject=late.subject,
        kind=LateMatter.UNPLACED_TASK,
        waits_for=CaseParty.AGENCY,
        division=None,
        deadline_on=late.deadline_on,
        overdue_at=now,
    )


async def tell_overdue(tx: WriteTx, deps: Deps) -> int:
    """Cases, requests to stop and tips past their deadline are told of, once for each deadline; returns how many."""
    now, today = deps.clock.now(), deps.clock.today()
    late = [
        CaseOverdue(
            case_id=each.case_id,
            subject=each.subject,
            kind=each.kind,
            waits_for=TURNS[each.state],
            division=each.division,
            deadline_on=each.deadline_on,
            overdue_at=now,
        )
        for each in await cases.take_overdue(tx, today)
    ]
    late += [
        CaseOverdue(
            case_id=each.request_id,
            subject=each.subject,
            kind=LateMatter.STOP_REQUEST,
            waits_for=STOP_TURNS[each.state] if each.division else CaseParty.AGENCY,
            division=each.division,
            deadline_on=each.deadline_on,
            overdue_at=now,
        )
        for each in await stops.take_overdue(tx, today)
    ]
    late += [
        CaseOverdue(
            case_id=each.tip_id,
            subject=each.subject,
            kind=LateMatter.TIP,
            waits_for=CaseParty.AGENCY,
            division=None,  # tips are the city's: nobody near the person learns that there is one
            deadline_on=deadline_on,
            overdue_at=now,
        )
        for each, deadline_on in await tips.take_overdue(tx, today)
    ]
    for fact in late:
        await deps.outbox.say(tx, CASE_OVERDUE, fact)
    return len(late)


async def plan_workday(tx: WriteTx, deps: Deps) -> int:
    """Tell each town what its members have to do today, once a morning; returns how many towns were told."""
    now, today = deps.clock.now(), deps.clock.today()
    if not await planning.claim_morning(tx, today, now):
        return 0
    policy = deps.policies.on(today)
    soon = after_working_days(today, policy.remind_working_days)
    towns: dict[str, list[WorkerDay]] = defaultdict(list)
    for load in await planning.loads(tx, today, soon):
        day = WorkerDay(
            worker_id=load.worker_id,
            tasks=min(load.people, policy.visits_per_day),
            overdue=load.overdue,
            due_soon=load.due_soon,
        )
        towns[load.town].append(day)
    for town, workers in towns.items():
        await deps.outbox.say(tx, WORKDAY_PLANNED, WorkdayPlanned(division=town, day=today, workers=workers))
    return len(towns)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What scoring thinks of a visit: the risk that eligibility is lost, and its reason codes, a comma between two."""

    risk: float
    why: str


_UNKNOWN = Opinion(0.0, "")


async def ask_order(deps: Deps, people: pl.DataFrame) -> Mapping[UUID, Opinion] | None:
    """What scoring thinks of a visit, by person; None when it does not answer in time: the own order then stays."""
    asked = [
        {"subject": str(UUID(bytes=subject)), "born_on": born_on.isoformat() if born_on else None, "sex": sex}
        for subject, born_on, sex, _ in people.iter_rows()
    ]
    try:
        answer = await deps.peers.ask(
            "POST", f"{deps.scoring_url}/v1/visit-orders", body={"people": asked}, deadline=_SECONDS, tries=1
        )
        if answer.status_code != httpx.codes.OK:
            log.warning("visit_order_refused", status=answer.status_code)
            return None
        return {
            UUID(each["subject"]): Opinion(float(each["risk"]), ",".join(each["reasons"]))
            for each in answer.json()["items"]
        }
    except (ProblemError, httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        log.warning("visit_order_unavailable", reason=type(error).__name__)
        return None


async def save_order(tx: WriteTx, deps: Deps, people: pl.DataFrame, said: Mapping[UUID, Opinion]) -> None:
    """Order these people's visits by what scoring said; whom it does not know counts as the least urgent."""
    today = deps.clock.today()
    found = [said.get(UUID(bytes=each), _UNKNOWN) for each in people["subject"]]
    risk = pl.Series([each.risk for each in found], dtype=pl.Float64)
    why = pl.Series([each.why for each in found], dtype=pl.String)
    ordered = people.with_columns(risk=risk, why=why).select(
        "subject", priority=risk_priority(today, risk=pl.col("risk"), due_on=pl.col("due_on")), why="why"
    )
    await locks.lock_people(tx, [UUID(bytes=each) for each in people["subject"]])
    await planning.save_order(tx, ordered, today=today, now=deps.clock.now())


def stale_order(deps: Deps) -> date:
    """Orders from before this day are asked for again."""
    today = deps.clock.today()
    return today - timedelta(days=deps.policies.on(today).reorder_days)
