"""What the routes of scoring work with, and the callers they let in."""

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Annotated, cast

from fastapi import Depends, Request, Security

from services.scoring import policies
from services.scoring.domain.rules import RuleSet
from services.scoring.usecases.division import Divisions
from services.scoring.usecases.look import Looker
from shared.kit.auth import Caller, allow
from shared.kit.clock import Clock
from shared.kit.db import Database
from shared.kit.problems import NotFoundError

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
