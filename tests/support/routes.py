"""Every route of a service as it is served, with what its guard wants; routers may be nested as they like."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from typing_extensions import override

from shared.kit.app import create_app
from tests.support.settings import settings_for


@dataclass(frozen=True)
class Route:
    """One method of one path.

    `guard` is the dependency that asks who is calling; `scopes` and `roles` are what it wants, `scopes` None where the
    caller proves himself by something else than a token.
    """

    service: str
    method: str
    path: str
    guard: Callable[..., Any] | None
    scopes: frozenset[str] | None
    roles: frozenset[str]

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
        wanted = _wanted(guard) if guard else None
        scopes, roles = wanted or (None, frozenset())
        found += [Route(service, method, path, guard, scopes, roles) for method in sorted(context.methods or ())]
    return found


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for each in dependant.dependencies:
        if each.call:
            yield each.call
        yield from _calls(each)


def _wanted(guard: Callable[..., Any]) -> tuple[frozenset[str], frozenset[str]] | None:
    """Scopes and roles inside a guard of `shared.kit.auth.allow`, or inside the guard it wraps."""
    inside = inspect.getclosurevars(guard).nonlocals
    if "scopes" in inside:
        return frozenset(inside["scopes"]), frozenset(inside["roles"])
    return _wanted(inside["inner"]) if "inner" in inside else None
