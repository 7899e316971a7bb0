"""Routes about one person: the opinion, its explanation, and what would be if."""

from uuid import UUID

from fastapi import APIRouter

from services.scoring.api.deps import Deps, NotingRoute, Person, RouteDeps, Why, looker
from services.scoring.schemas.people import (
    AssessmentOut,
    ExplanationOut,
    SimulationIn,
    SupposedIn,
    assessment_out,
    explanation_out,
)
from services.scoring.usecases import look
from shared.contracts.vocabulary import Identity, Strength
from shared.kit.problems import PROBLEM_RESPONSES, NotFoundError
from shared.kit.purpose import PURPOSE_HEADERS

router = APIRouter(prefix="/v1", tags=["people"], responses=PROBLEM_RESPONSES, route_class=NotingRoute)


# Before the plain address: a colon would else be read as part of the subject.
@router.get("/assessments/{subject}:explain", openapi_extra=PURPOSE_HEADERS)
async def explain_assessment(subject: UUID, caller: Person, why: Why, deps: RouteDeps) -> ExplanationOut:
    """Why the opinion of a person is what it is, in the officer's and in the citizen's words.

    An opinion is of data only. Whether somebody is certified by a visit, at a counter or by his face, recognition
    answers: `insufficient` here says that data alone would not do.
    """
    return await _explanation(subject, looker(caller, "explanation", why), deps)


@router.get("/assessments/{subject}/explanation", openapi_extra=PURPOSE_HEADERS)
async def get_explanation(subject: UUID, caller: Person, why: Why, deps: RouteDeps) -> ExplanationOut:
    """The same as `:explain`, for clients that cannot send a colon."""
    return await _explanation(subject, looker(caller, "explanation", why), deps)


@router.get("/assessments/{subject}", openapi_extra=PURPOSE_HEADERS)
async def get_assessment(subject: UUID, caller: Person, why: Why, deps: RouteDeps) -> AssessmentOut:
    """The opinion of a person, and the suspicions there have been."""
    async with deps.database.write() as tx:
        found = await look.find_standing(tx, subject, looker(caller, "assessment", why))
    if found is None:
        raise NotFoundError("No source has seen this subject yet.")
    return assessment_out(found)


@router.post("/simulations", openapi_extra=PURPOSE_HEADERS)
async def simulate(asked: SimulationIn, caller: Person, why: Why, deps: RouteDeps) -> ExplanationOut:
    """What the opinion would be with signals more or less; nothing is kept but the look.

    What is removed has to be there: 422 says at which place of `remove` nothing is.
    """
    on = asked.on or deps.clock.today()
    rules = deps.rules(asked.rule_set, on)
    if asked.subject:
        async with deps.database.write() as tx:
            await look.note(tx, asked.subject, looker(caller, "simulation", why))
    async with deps.database.read() as tx:
        found = await look.simulate(
            tx,
            asked.subject,
            add=[_supposed(each) for each in asked.add],
            remove=[_supposed(each) for each in asked.remove],
            rules=rules,
            on=on,
        )
    return explanation_out(found, subject=asked.subject, rules=rules, on=on)


async def _explanation(subject: UUID, who: look.Looker, deps: Deps) -> ExplanationOut:
    on = deps.clock.today()
    rules = deps.rules(None, on)
    async with deps.database.write() as tx:
        found = await look.explain_person(tx, subject, rules, on, who)
    if found is None:
        raise NotFoundError("No source has seen this subject yet.")
    return explanation_out(found, subject=subject, rules=rules, on=on)


def _supposed(each: SupposedIn) -> look.Supposed:
    return look.Supposed(
        source=each.source,
        occurred_on=each.occurred_on,
        kind=each.kind,
        full=each.identity is Identity.FULL,
        department=each.department,
        strong=None if each.strength is None else each.strength is Strength.STRONG,
    )
