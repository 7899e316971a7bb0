"""What the routes of scoring work with, and the callers they let in."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Depends, Request, Response, Security
from fastapi.routing import APIRoute

from services.scoring import policies
from services.scoring.domain.rules import RuleSet
from services.scoring.usecases.division import Divisions
from services.scoring.usecases.look import Looker, note
from shared.kit.auth import Caller, allow
from shared.kit.clock import Clock
from shared.kit.db import Database
from shared.kit.problems import ForbiddenError, NotFoundError

Reader = Annotated[Caller, Security(allow("scoring.read"))]
Manager = Annotated[Caller, Security(allow("scoring.manage"))]
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


def looker(caller: Caller, what: str) -> Looker:
    """Who looks, for the log of looks."""
    return Looker(client_id=caller.client_id, user=caller.user, what=what)


class NotingRoute(APIRoute):
    """A route about one person, who can read in the log of looks who was refused a look at him, too."""

    def get_route_handler(  # type: ignore[explicit-override]  # typing knows @override from 3.12 on
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with a note before a refusal leaves."""
        handle = super().get_route_handler()

        async def noting(request: Request) -> Response:
            try:
                return await handle(request)
            except ForbiddenError:
                subject = await _asked_about(request)
                if subject is not None:
                    async with _deps(request).database.write() as tx:
                        await note(tx, subject, looker(request.state.caller, "denied"))
                raise

        return noting


async def _asked_about(request: Request) -> UUID | None:
    try:
        said = request.path_params.get("subject") or (await request.json())["subject"]
        return UUID(str(said))
    except (ValueError, TypeError, KeyError):
        return None  # whoever names nobody asks about nobody
