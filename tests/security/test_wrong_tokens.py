"""Every route of every service with every wrong token: nobody gets further than the guard."""

import base64
import csv
import hmac
import json
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey
from structlog.testing import capture_logs

from deploy.local.clients import ALL_SCOPES, SERVICE_SCOPES
from deploy.local.programs import ROOT
from services.recognition.domain.limits import Policy
from services.recognition.usecases.limits import Limiter
from services.recognition.usecases.refusals import Refusals
from shared.kit.auth import TOKEN_TYPE
from shared.kit.clock import FixedClock, wall
from shared.kit.db import Database
from shared.kit.problems import PROBLEM_JSON
from tests.support.record import SERVICES
from tests.support.routes import TABLE, Route, app_of, decided, routes_of, told
from tests.support.tokens import AUDIENCE, ISSUER, Issuer
from tests.support.wellformed import wellformed

OPEN = {
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("POST", "/oauth/token"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/oauth-authorization-server"),
}
SIGNED = {("POST", "/v1/receipts/{channel}")}  # the provider's callback proves itself by its own signature
ROLES = ("partner", "department", "citizen", "grid_worker", "grid_leader", "village", "officer", "auditor", "operator")


ASKED = {
    "ingest": [("recognition", "GET", "/v1/programs/{code}")],
    "scoring": [("grid", "GET", "/v1/divisions/{division}/subjects")],
    "grid": [("ingest", "POST", "/v1/people:reveal"), ("scoring", "POST", "/v1/visit-orders")],
    "recognition": [],
    "notify": [
        ("recognition", "GET", "/v1/figures"),
        ("grid", "GET", "/v1/figures"),
        ("recognition", "GET", "/v1/programs"),
    ],
}
"""What each service asks the others."""

OF_THE_CITY = {
    "ingest": (
        "POST /v1/sources/{source}/batches", "POST /v1/sources/{source}/events", "POST /v1/programs/{program}/roster",
        "GET /v1/batches/{batch_id}", "GET /v1/batches/{batch_id}/quarantine",
        "GET /v1/batches/{batch_id}/quarantine/file", "POST /v1/batches/{batch_id}:release",
        "POST /v1/batches/{batch_id}:withdraw", "GET /v1/corrections", "GET /v1/corrections/{correction_id}",
        "POST /v1/corrections", "POST /v1/corrections/{correction_id}:accept",
        "POST /v1/corrections/{correction_id}:refuse", "GET /v1/evidence/{evidence_id}", "GET /v1/looks",
    ),
    "scoring": (
        "GET /v1/assessments/{subject}", "GET /v1/assessments/{subject}/explanation",
        "GET /v1/assessments/{subject}:explain", "POST /v1/simulations", "POST /v1/visit-orders", "POST /v1/backtests",
        "GET /v1/reassessments", "GET /v1/reassessments/{reassessment_id}", "POST /v1/reassessments",
        "DELETE /v1/reassessments/{reassessment_id}", "GET /v1/looks",
    ),
    "grid": (
        "GET /v1/tips", "POST /v1/tips/{tip_id}/approval", "POST /v1/tips/{tip_id}/payment",
        "POST /v1/tips/{tip_id}/screening", "POST /v1/tips/{tip_id}/telling", "POST /v1/tips/{tip_id}/reporter:reveal", "POST /v1/grids:import",
        "GET /v1/looks",
    ),
    "recognition": ("GET /v1/usage", "POST /v1/audit:verify"),
    "notify": ("GET /v1/looks",),
}  # fmt: skip
"""Routes for tokens without divisions. What others show is of the token's divisions, its programs, its sources or its own
person, each held where the service is tested, or about nobody."""


NAMING = "/v1/visit-orders"
"""What names people in its body, so that a refusal stands in their log as well."""


class ReachedError(Exception):
    """A request came past the guard."""


class Beyond:
    """What lies behind the guard: touching it is the failure, except for the log of refusals."""

    def __init__(self) -> None:
        self.clock = FixedClock(datetime(2023, 11, 1, tzinfo=UTC))
        self.logged: list[object] = []
        # What recognition's guards have behind them before anybody is let in.
        endless, database = Policy(rate=1e9, burst=10**9, day=1), cast(Database, self)
        self.limiter = self.persons = Limiter(endless, database)
        self.refusals = Refusals(database, of_one=endless, of_all=endless)

    @property
    def database(self) -> "Beyond":
        return self

    @asynccontextmanager
    async def write(self):
        yield SimpleNamespace(run=self._log, execute=self._log, fetch=self._log, copy=self._log)

    async def at_once(self, *words: object) -> None:
        await self._log(*words)

    async def _log(self, *_words: object) -> None:
        self.logged.append(_words)

    def __getattr__(self, name: str) -> Any:
        raise ReachedError(name)


def routes(service: str) -> list[Route]:
    """With the ways in that were decided, not those the guard happens to have."""
    return [each for each in decided(service) if (each.method, each.path) not in OPEN | SIGNED]


def claims(**changes: object) -> dict[str, Any]:
    named = {"iss": ISSUER, "aud": AUDIENCE, "sub": "s", "client_id": "c", "role": "operator", "programs": ["*"]}
    return {**named, "exp": int(wall()) + 600, "scope": " ".join(ALL_SCOPES), **changes}


def signed(issuer: Issuer, header: dict[str, Any] | None = None, **changes: object) -> str:
    head = {"alg": "ES256", "kid": issuer.key.kid, "typ": TOKEN_TYPE, **(header or {})}
    return jwt.encode(head, claims(**changes), issuer.key)


def unsigned(**header: object) -> str:
    parts = ({"typ": TOKEN_TYPE, **header}, claims())
    return ".".join(encoded(json.dumps(each).encode()) for each in parts) + "."


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def worthless(issuer: Issuer) -> Iterator[tuple[str, str]]:
    """Credentials that name nobody, each wrong in one thing."""
    stranger = Issuer()
    public = ECKey.import_key(issuer.key.as_dict(private=False))
    pem = public.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    whole = signed(issuer)
    head, body, mark = whole.split(".")
    with_kid = ECKey.import_key({**stranger.key.as_dict(private=True), "kid": issuer.key.kid or ""})
    borrowed = jwt.encode({"alg": "ES256", "kid": issuer.key.kid, "typ": TOKEN_TYPE}, claims(), with_kid)
    # By hand: a library that is right refuses to make it.
    mixed = unsigned(alg="HS256", kid=issuer.key.kid).rstrip(".")
    mixed = f"{mixed}.{encoded(hmac.digest(pem, mixed.encode(), 'sha256'))}"
    own_key = stranger.key.as_dict(private=False)
    yield "garbage", "Bearer garbage"
    yield "nothing after the scheme", "Bearer"
    yield "another scheme", f"Basic {base64.b64encode(b'operator:operator').decode()}"
    yield "a whole token under another scheme", f"Token {whole}"
    yield "expired", f"Bearer {signed(issuer, exp=int(wall()) - 60)}"
    yield "without an end", f"Bearer {signed(issuer, exp=None)}"
    yield "for somebody else", f"Bearer {signed(issuer, aud='another')}"
    yield "of another issuer", f"Bearer {signed(issuer, iss='http://somebody.else')}"
    yield "of no client", f"Bearer {signed(issuer, client_id=None)}"
    yield "an id token", f"Bearer {signed(issuer, {'typ': 'JWT'})}"
    yield "alg none", f"Bearer {unsigned(alg='none', kid=issuer.key.kid)}"
    yield "alg none in capitals", f"Bearer {unsigned(alg='NONE', kid=issuer.key.kid)}"
    yield "signed by a stranger", f"Bearer {signed(stranger)}"
    yield "signed by a stranger under our key id", f"Bearer {borrowed}"
    yield "signed by the key it brings", f"Bearer {signed(stranger, {'jwk': own_key, 'kid': stranger.key.kid})}"
    yield "public key as a shared secret", f"Bearer {mixed}"
    yield "signature cut off", f"Bearer {head}.{body}."
    yield "another body", f"Bearer {head}.{signed(issuer, scope='operate').split('.')[1]}.{mark}"


def first_of_its_ways(service: str) -> Iterator[tuple[Route, bool]]:
    """Every route, and whether it is the first of the service with its ways in: that one is tried with everything.

    Guards with the same ways are made the same way, and a test below holds each route's guard against the table.
    """
    seen = set()
    for each in routes(service):
        yield each, each.ways not in seen
        seen.add(each.ways)


def unfit(
    route: Route, issuer: Issuer, made: dict[tuple[str, str], str], *, thorough: bool
) -> Iterator[tuple[str, str]]:
    """Tokens of known callers that do not allow this route; unless `thorough`, those that hold the most."""
    wanted = frozenset(scope for scopes, _ in route.ways for scope in scopes)
    roles = sorted({"operator"} | {role for _, some in route.ways for role in some})
    tried: list[tuple[tuple[str, ...], str]] = [((), "operator")]
    tried += [(tuple(sorted(set(ALL_SCOPES) - wanted)), role) for role in roles]
    if thorough:
        tried += [((scope,), role) for scope in ALL_SCOPES for role in roles]
        # A scope is one word: neither its beginning nor its end in another word counts.
        tried += [((f"{scope}.x", f"x{scope}"), role) for scope in sorted(wanted) for role in roles]
    tried += [(tuple(sorted(scopes)), role) for scopes, _ in route.ways for role in ROLES]
    for scopes, role in tried:
        if route.lets_in(scopes, role):
            continue
        key = (" ".join(scopes), role)
        if key not in made:
            made[key] = signed(issuer, scope=key[0], role=role)
        yield f"{role} with “{key[0]}”", made[key]


@asynccontextmanager
async def calling(service: str, issuer: Issuer):
    app, beyond = app_of(service), Beyond()
    app.state.deps, app.state.platform = beyond, SimpleNamespace(guard=issuer.guard())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    # Thousands of lines nobody reads, tracebacks among them.
    with capture_logs():
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{service}.test") as http:
            yield http, beyond


async def ask(http: httpx.AsyncClient, route: Route, credentials: str | None) -> httpx.Response:
    path = re.sub(r"\{[^}]+\}", lambda _found: str(uuid4()), route.path)
    headers = {"Authorization": credentials} if credentials else {}
    return await http.request(route.method, path, headers=headers)


async def ask_whole(http: httpx.AsyncClient, route: Route, token: str) -> httpx.Response:
    request = wellformed(http, route.service, route.method, route.path)
    request.headers["Authorization"] = f"Bearer {token}"
    return await http.send(request)


def everybody(service: str) -> Iterator[tuple[Route, frozenset[str], str]]:
    """Every route with each of its ways in and each role that may take it."""
    for route in routes(service):
        for scopes, roles in route.ways:
            for role in sorted(roles) or ("auditor",):
                yield route, scopes, role


def is_logged(route: Route) -> bool:
    """Whether a route is about people and its refusals stand in the usage log: all of recognition's but its operator's."""
    return (route.service == "recognition" and all("operate" not in scopes for scopes, _ in route.ways)) or (
        route.path == "/v1/graces"
    )


def is_noted(route: Route) -> bool:
    """Whether a route names a person who can read who was refused a look at him: scoring notes whoever is known."""
    return route.service == "scoring" and "{subject}" in route.path


def refusal(answer: httpx.Response, status: int) -> str | None:
    """What is wrong with a refusal; None when it says no and nothing else."""
    if answer.status_code != status:
        return f"{answer.status_code} instead of {status}"
    if answer.headers["content-type"] != PROBLEM_JSON:
        return answer.headers["content-type"]
    problem = answer.json()
    expected = {401: "unauthorized", 403: "forbidden"}[status]
    if (problem["code"], problem["status"]) != (expected, status) or set(problem) != {
        "type", "title", "status", "code", "detail", "trace_id",
    }:  # fmt: skip
        return answer.text
    return None if status != 401 or answer.headers["www-authenticate"] == "Bearer" else "no WWW-Authenticate"


@pytest.mark.parametrize("service", SERVICES)
async def test_who_is_nobody_gets_nowhere(service, issuer):
    wrong, tried, shown = [], list(worthless(issuer)), 0
    async with calling(service, issuer) as (http, beyond):
        for route, thorough in first_of_its_ways(service):
            for name, credentials in [("no token", None), *(tried if thorough else tried[:1] + tried[-2:])]:
                if said := refusal(await ask(http, route, credentials), 401):
                    wrong.append(f"{route} {name}: {said}")
                shown += bool(credentials and re.match("Bearer .", credentials)) and is_logged(route)
    assert not wrong
    # Where people are asked about, every token that was shown and held nothing is in the log, once.
    assert len(beyond.logged) == shown


@pytest.mark.parametrize("service", SERVICES)
async def test_who_is_somebody_else_gets_no_further(service, issuer):
    wrong: list[str] = []
    made: dict[tuple[str, str], str] = {}
    denied = 0
    async with calling(service, issuer) as (http, beyond):
        for route, thorough in first_of_its_ways(service):
            assert route.ways, f"{route}: nobody has decided who may come in; record it with `make schema`"
            assert all(scopes for scopes, _ in route.ways), f"{route}: a way without a scope"
            for name, token in unfit(route, issuer, made, thorough=thorough):
                if said := refusal(await ask(http, route, f"Bearer {token}"), 403):
                    wrong.append(f"{route} {name}: {said}")
                denied += is_logged(route) or is_noted(route)
    assert not wrong
    # Denials about people are logged before they leave, each of them.
    assert len(beyond.logged) == denied
    assert bool(denied) == (service in {"recognition", "scoring"})


@pytest.mark.parametrize("service", SERVICES)
async def test_who_sees_some_divisions_is_refused_where_no_places_are_kept(service, issuer):
    """Every way in and every role, with a request that is in shape: what a verb refuses comes after the look at its body."""
    refused, unread = set(), set()
    async with calling(service, issuer) as (http, beyond):
        for route, scopes, role in everybody(service):
            token: dict[str, Any] = {"scope": " ".join(scopes), "role": role, "sub": str(uuid4())}
            before = len(beyond.logged)
            answer = await ask_whole(http, route, signed(issuer, **token, divisions=["341602"]))
            if '"code":"malformed"' in answer.text:
                unread.add(f"{route} {answer.text}")
            if '"code":"forbidden"' in answer.text:
                assert refusal(answer, 403) is None
                logged = len(beyond.logged) - before
                # Who is refused for his role or his name is so wherever he sees.
                if '"code":"forbidden"' not in (await ask_whole(http, route, signed(issuer, **token))).text:
                    refused.add(f"{route.method} {route.path}")
                    assert logged == (is_logged(route) or is_noted(route) or route.path == NAMING)
    assert not unread, unread
    assert refused == set(OF_THE_CITY[service])


@pytest.mark.parametrize("service", SERVICES)
async def test_the_right_token_gets_past_the_guard(service, issuer):
    """The control: the refusals above come from the tokens, not from a door that is always closed."""
    async with calling(service, issuer) as (http, _):
        for route in routes(service):
            scopes, roles = route.ways[0]
            role = next(iter(sorted(roles)), "operator")
            token = signed(issuer, scope=" ".join(sorted(scopes)), role=role, sub=str(uuid4()))
            answer = await ask(http, route, f"Bearer {token}")
            # A verb behind the guard may have a refusal of its own, by its own name.
            assert '"code":"forbidden"' not in answer.text, f"{route}: {answer.text}"
            assert answer.status_code != 401, f"{route}: {answer.text}"


def test_who_may_come_in_where_is_as_it_was_decided():
    """The table is read in review; a guard that was widened differs from it."""
    with TABLE.open(encoding="utf-8", newline="") as opened:
        _, *lines = csv.reader(opened)
    assert [tuple(line) for line in lines] == sorted(told(each) for name in SERVICES for each in routes_of(name))


def test_the_open_doors_are_those_we_know():
    found = {(each.method, each.path) for name in SERVICES for each in routes_of(name) if each.guard is None}
    assert found == OPEN
    proved = {(each.method, each.path) for name in SERVICES for each in routes_of(name) if each.guard}
    assert proved >= SIGNED


def test_every_scope_of_a_route_can_be_given():
    wanted = {scope for name in SERVICES for each in routes(name) for way in each.ways for scope in way[0]}
    assert wanted <= set(ALL_SCOPES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_ask_what_it_asks_and_nothing_else(service):
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "services" / service).rglob("*.py"))
    lines = len(re.findall(r"peers\.(?:ask|get_json)\(", code))
    assert lines == len({path for _, _, path in ASKED[service]}), "a new question belongs into the table"
    ways = [
        way
        for peer, method, path in ASKED[service]
        for each in routes(peer)
        for way in each.ways
        if (each.method, each.path) == (method, path)
    ]
    assert len(ways) == len(ASKED[service])
    assert {scope for scopes, _ in ways for scope in scopes} == set(SERVICE_SCOPES[service])
    assert all(not roles or "service" in roles for _, roles in ways)
