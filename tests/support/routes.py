"""Every route of a service as it is served, with what its guard wants; routers may be nested as they like."""

import csv
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from typing_extensions import override

from shared.kit.app import create_app
from tests.support.settings import settings_for

TABLE = Path(__file__).parents[1] / "security" / "routes.csv"
"""Who may come in where, as it was decided: recorded by `make schema`, read in review, held against every guard."""

Way = tuple[frozenset[str], frozenset[str]]
"""Scopes that are all needed, and roles of which one is; no role: any."""


@dataclass(frozen=True)
class Route:
    """One method of one path.

    `guard` is the dependency that asks who is calling, `ways` are those by which it lets somebody in; none where the
    caller proves himself by something else than a token.
    """

    service: str
    method: str
    path: str
    guard: Callable[..., Any] | None
    ways: tuple[Way, ...]

    def lets_in(self, scopes: Iterable[str], role: str) -> bool:
        """Whether a token with these scopes and this role may come in."""
        held = set(scopes)
        return any(needed <= held and (not roles or role in roles) for needed, roles in self.ways)

    @override
    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"


@cache
def app_of(service: str) -> FastAPI:
    """The application of a service, not started."""
    declared = import_module(f"services.{service}.app").SERVICE
    return create_app(declared, settings_for(declared.settings))


def routes_of(service: str) -> list[Route]:
    """All of them, those outside the schema too."""
    found = []
    for context in iter_route_contexts(app_of(service).routes):
        original = context.original_route
        if not isinstance(original, APIRoute):
            continue  # the documentation pages, which are the framework's own
        path, dependant = context.path, context.dependant
        assert path is not None
        assert dependant is not None
        guard = next((call for call in _calls(dependant) if getattr(call, "is_guard", False)), None)
        ways = tuple(_ways(guard)) if guard else ()
        found += [Route(service, method, path, guard, ways) for method in sorted(context.methods or ())]
    return found


def told(route: Route) -> tuple[str, str, str, str]:
    """A line of the table: service, method, path, and `scope+scope:role|role` for each way in."""
    ways = sorted("+".join(sorted(scopes)) + ":" + "|".join(sorted(roles)) for scopes, roles in route.ways)
    return route.service, route.method, route.path, " or ".join(ways)


def decided(service: str) -> list[Route]:
    """The routes of a service with the ways of the table; one the table does not know has none."""
    with TABLE.open(encoding="utf-8", newline="") as opened:
        table = {tuple(line[:3]): line[3] for line in csv.reader(opened)}
    found = []
    for route in routes_of(service):
        ways = []
        for way in filter(None, table.get(told(route)[:3], "").split(" or ")):
            scopes, _, roles = way.partition(":")
            ways.append((frozenset(scopes.split("+")), frozenset(filter(None, roles.split("|")))))
        found.append(replace(route, ways=tuple(ways)))
    return found


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for each in dependant.dependencies:
        if each.call:
            yield each.call
        yield from _calls(each)


def _ways(guard: Callable[..., Any]) -> Iterator[Way]:
    """What is asked for inside a guard of `shared.kit.auth.allow`, or inside the guards another one is made of."""
    inside = inspect.getclosurevars(getattr(guard, "check", guard)).nonlocals
    if "scopes" in inside:
        yield frozenset(inside["scopes"]), frozenset(inside["roles"])
        return
    for each in inside.values():
        if inspect.isfunction(each) and each is not guard:
            yield from _ways(each)
