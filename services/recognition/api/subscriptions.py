"""Webhook subscriptions: a partner's own endpoints, signed posts, proved before the first one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response, Security

from services.recognition.api.deps import Question, asking, logged
from services.recognition.api.once import ONCE, Answered, once
from services.recognition.api.route import PartnerRoute
from services.recognition.schemas.feed import (
    ChangeIn,
    SubscribeIn,
    SubscriptionMadeOut,
    SubscriptionOut,
    SubscriptionsOut,
)
from services.recognition.store import subscriptions as store
from services.recognition.store.subscriptions import Subscription
from services.recognition.usecases import subscriptions
from services.recognition.usecases.subscriptions import Wish
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(
    prefix="/v1",
    route_class=PartnerRoute,
    tags=["partner"],
    responses={**PROBLEM_RESPONSES, 412: {**PROBLEM_RESPONSES[409], "description": "Precondition Failed"}},
)

Subscriber = Annotated[Question, Security(asking("recognition.check", "subscription", lawful=False))]
IfMatch = Annotated[str | None, Header(pattern=r'^"\d{1,9}"$', description="version it was read at")]


@router.post("/subscriptions", status_code=201, response_model=SubscriptionMadeOut, openapi_extra=ONCE)
async def subscribe(request: Request, body: SubscribeIn, question: Subscriber) -> Response:
    """Ask for webhooks. `secret` is shown this once; the endpoint must answer a challenge before it is told anything.

    Sent again under its Idempotency-Key, everything comes back but the secret: rotate it if it was lost.
    """
    found, caller = question.deps, question.caller
    shown: list[str] = []

    async def effect(tx: WriteTx) -> Answered:
        wish = Wish(url=body.url, kinds=[str(each) for each in body.kinds], programs=body.programs)
        made, secret = await subscriptions.subscribe(found, tx, caller, wish)
        shown.append(secret)
        place = str(request.url_for("get_subscription", subscription_id=made.subscription_id).path)
        return Answered(_made(made, None), 201, {"Location": place, "ETag": _tag(made)})

    async with logged(question, None):
        response = await once(request, found.database, caller.client_id, body.model_dump_json().encode(), effect)
    if not shown:
        return response
    # The answer that is kept has no secret in it: that is nowhere but sealed, and here.
    said = SubscriptionMadeOut.model_validate_json(bytes(response.body)).model_copy(update={"secret": shown[0]})
    headers = {name: response.headers[name] for name in ("Location", "ETag")}
    return Response(said.model_dump_json(), 201, headers, media_type="application/json")


@router.get("/subscriptions")
async def list_subscriptions(question: Subscriber) -> SubscriptionsOut:
    """Subscriptions of the client."""
    async with question.deps.database.read() as tx:
        found = await store.list_of(tx, question.caller.client_id)
    return SubscriptionsOut(items=[SubscriptionOut.model_validate(each) for each in found])


@router.get("/subscriptions/{subscription_id}", name="get_subscription")
async def get_subscription(subscription_id: UUID, question: Subscriber, response: Response) -> SubscriptionOut:
    """One subscription and where its endpoint stands."""
    async with logged(question, None), question.deps.database.read() as tx:
        found = await subscriptions.get(tx, subscription_id, question.caller)
    response.headers["ETag"] = _tag(found)
    return SubscriptionOut.model_validate(found)


@router.patch("/subscriptions/{subscription_id}")
async def change_subscription(
    subscription_id: UUID, body: ChangeIn, question: Subscriber, response: Response, if_match: IfMatch = None
) -> SubscriptionMadeOut:
    """Move, narrow, pause or wake an endpoint; a rotated secret is shown this once."""
    wish = Wish(
        url=body.url,
        kinds=None if body.kinds is None else [str(each) for each in body.kinds],
        programs=body.programs,
        status=body.status,
        rotate_secret=body.rotate_secret,
    )
    version = int(if_match.strip('"')) if if_match else None
    async with logged(question, None), question.deps.database.write() as tx:
        changed, secret = await subscriptions.change(question.deps, tx, subscription_id, question.caller, wish, version)
    response.headers["ETag"] = _tag(changed)
    return _made(changed, secret)


@router.delete("/subscriptions/{subscription_id}", status_code=204)
async def end_subscription(subscription_id: UUID, question: Subscriber) -> Response:
    """End a subscription."""
    async with logged(question, None), question.deps.database.write() as tx:
        await subscriptions.end(question.deps, tx, subscription_id, question.caller)
    return Response(status_code=204)


def _made(one: Subscription, secret: str | None) -> SubscriptionMadeOut:
    return SubscriptionMadeOut(**SubscriptionOut.model_validate(one).model_dump(), secret=secret)


def _tag(one: Subscription) -> str:
    return f'"{one.version}"'
