"""What the routes of scoring work with, and the callers they let in."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Depends, Request, Response, Security
from fastapi.routing import APIRoute

from services.scoring import policies
from services.scoring.domain.rules import RuleSet
from services.scoring.schemas.trials import MOST_VISITS
from services.scoring.usecases.division import Divisions
from services.scoring.usecases.look import Looker, note_all
from shared.kit.auth import Caller, allow
from shared.kit.clock import Clock
from shared.kit.db import Database
from shared.kit.problems import ForbiddenError, MalformedError, NotFoundError
from shared.kit.purpose import Purpose, read_purpose


def _of_the_city(_request: Request, caller: Caller) -> None:
    if caller.divisions:
        detail = "The token is for some divisions, and scoring does not know who lives where; ask the city's office."
        raise ForbiddenError(detail)


Reader = Annotated[Caller, Security(allow("scoring.read"))]
CityReader = Annotated[Caller, Security(allow("scoring.read", met=_of_the_city))]
"""Who may look at anybody. Where people live only grid knows (ADR 0019): an officer of a county asks recognition."""
Person = Annotated[Caller, Security(allow("scoring.read", named=True, met=_of_the_city))]
"""Who may look at one person: somebody with a name, who says why (`Why`, after him among the arguments)."""
Manager = Annotated[Caller, Security(allow("scoring.manage", met=_of_the_city))]
Operator = Annotated[Caller, Security(allow("operate"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Dependencies of the routes.

    Attributes:
        rule_set: code of the rule set in force, in its dated version.
        divisions: who lives where, for a division's reassessment.
        wake: tells the sweeper that something was asked for.
    """

    database: Database
    clock: Clock
    rule_sets: tuple[RuleSet, ...]
    rule_set: str
    divisions: Divisions
    wake: asyncio.Event

    def rules(self, name: str | None, on: date) -> RuleSet:
        """The named rule set, or the one in force on a day.

        Raises:
            NotFoundError: there is no such rule set, or none was in force.
        """
        if name is None:
            try:
                return policies.in_force(self.rule_sets, self.rule_set, on)
            except policies.PolicyError as error:
                raise NotFoundError("No rule set was in force on that day; name one.") from error
        found = next((each for each in self.rule_sets if each.name == name), None)
        if found is None:
            raise NotFoundError("There is no rule set of that name; GET /v1/rule-sets lists them.")
        return found


def _deps(request: Request) -> Deps:
    return cast(Deps, request.app.state.deps)


RouteDeps = Annotated[Deps, Depends(_deps)]


async def _why(request: Request) -> Purpose:
    return read_purpose(request.headers)


Why = Annotated[Purpose, Depends(_why)]


def looker(caller: Caller, what: str, why: Purpose | None = None) -> Looker:
    """Who looks, and why, for the log of looks."""
    return Looker(client_id=caller.client_id, user=caller.user, what=what, why=why)


class NotingRoute(APIRoute):
    """A route about people, who can read in the log of looks who was refused a look at them, too."""

    def get_route_handler(  # type: ignore[explicit-override]  # typing knows @override from 3.12 on
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with a note before a refusal leaves."""
        handle = super().get_route_handler()

        async def noting(request: Request) -> Response:
            try:
                return await handle(request)
            except (ForbiddenError, MalformedError):
                if subjects := await _asked_about(request):
                    async with _deps(request).database.write() as tx:
                        await note_all(tx, subjects, looker(request.state.caller, "denied"))
                raise

        return noting


async def _asked_about(request: Request) -> list[UUID]:
    """Whom a request is about, each once; whoever names nobody asks about nobody."""
    subject = request.path_params.get("subject")
    try:
        named = [subject] if subject else _named(await request.json())
    except ValueError:
        named = []
    found = (_uuid(each) for each in islice(named, MOST_VISITS))
    return list(dict.fromkeys(each for each in found if each is not None))


def _named(body: object) -> Iterable[object]:
    """The subjects in a body that nobody has checked."""
    if not isinstance(body, dict):
        return []
    if "subject" in body:
        return [body["subject"]]
    people = body.get("people") or body.get("outcomes")
    rows = people if isinstance(people, list) else []
    return (each.get("subject") for each in rows if isinstance(each, dict))


def _uuid(said: object) -> UUID | None:
    try:
        return UUID(str(said))
    except ValueError:
        return None
