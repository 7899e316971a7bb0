"""The built-in issuer: who gets a token, what it says, and every way of not getting one."""

import secrets
from uuid import UUID

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from services.recognition.domain.limits import Policy
from services.recognition.store import clients
from services.recognition.store.clients import Client
from services.recognition.usecases.limits import Limiter
from services.recognition.usecases.refusals import Refusals
from services.recognition.usecases.tokens import Issuer
from shared.kit.auth import Guard, Keys
from shared.kit.clock import wall
from shared.kit.http import ASSERTION_TYPE, TokenSource, client_assertion
from tests.services.recognition.world import World, make_deps

pytestmark = pytest.mark.db

URL = "http://issuer.test"
KEY = ECKey.generate_key("P-256", auto_kid=True)
SIGNING = ECKey.generate_key("P-256", auto_kid=True)
ID = "11010519491231002X"


def card(client_id: str, role: str = "partner", **changes) -> Client:
    parts = {
        "client_id": client_id,
        "role": role,
        "department": "hrss",
        "scopes": ("recognition.check", "recognition.batch"),
        "programs": ("resident_pension",),
        "divisions": ("*",),
        "jwks": {"keys": [KEY.as_dict(private=False)]},
    }
    return Client(**{**parts, **changes})


@pytest.fixture
async def world(database_for):
    database = await database_for("recognition")
    deps = make_deps(database)
    issuer = Issuer(key=SIGNING, url=URL, audience="wugan", seconds=600, subjects=deps.subjects)
    async with database.write() as tx:
        await clients.save_clients(tx, [card("p-1"), card("o-1", "officer"), card("m-1", "citizen")])
    return World(make_deps(database, issuer=issuer))


@pytest.fixture
def guard(app):
    keys = Keys(f"{URL}/.well-known/jwks.json", httpx.AsyncClient(transport=httpx.ASGITransport(app)))
    return Guard(keys, issuer=URL, audience="wugan")


def claims(**changes):
    now = int(wall())
    named = {"iss": "p-1", "sub": "p-1", "aud": f"{URL}/oauth/token", "iat": now, "exp": now + 60}
    return {**named, "jti": secrets.token_urlsafe(16), **changes}


async def ask(http, said, key=KEY, **form):
    assertion = said if isinstance(said, str) else jwt.encode({"alg": "ES256"}, said, key)
    fields = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        **form,
    }
    return await http.post("/oauth/token", data={name: value for name, value in fields.items() if value is not None})


async def test_a_client_of_the_kit_gets_a_token_the_guard_accepts(app, http, guard):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        source = TokenSource(client, issuer_url=URL, client_id="p-1", key=KEY)
        caller = await guard.caller(await source.get())
    assert (caller.client_id, caller.role, caller.department, caller.user) == ("p-1", "partner", "hrss", "p-1")
    assert caller.scopes == {"recognition.check", "recognition.batch"}
    assert caller.programs == {"resident_pension"}
    assert caller.divisions == ()


async def test_a_client_may_ask_elsewhere_than_under_the_issuers_name(app, http, guard):
    asked = []

    async def note(request):
        asked.append(str(request.url))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), event_hooks={"request": [note]}) as client:
        inside = "http://recognition:8004/oauth/token"
        source = TokenSource(client, issuer_url=URL, client_id="p-1", key=KEY, token_url=inside)
        assert (await guard.caller(await source.get())).client_id == "p-1"
    assert asked == [inside]


async def test_a_token_says_what_the_standard_asks(http):
    answer = await ask(http, claims())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 600)
    token = jwt.decode(answer.json()["access_token"], SIGNING)
    assert (token.header["typ"], token.header["alg"], token.header["kid"]) == ("at+jwt", "ES256", SIGNING.kid)
    assert token.claims["exp"] - token.claims["iat"] == 600
    assert {"iss", "aud", "sub", "client_id", "jti", "scope"} <= set(token.claims)


async def test_fewer_scopes_can_be_asked_for(http):
    assert (await ask(http, claims(), scope="recognition.check")).json()["scope"] == "recognition.check"


async def test_a_replayed_assertion_is_refused_and_logged(http, world):
    assertion = client_assertion("p-1", KEY, f"{URL}/oauth/token")
    assert (await ask(http, assertion)).status_code == 200
    again = await ask(http, assertion)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    assert "used before" in again.json()["error_description"]
    logged = await world.rows("SELECT client_id, user_ref, action, answer FROM usage")
    assert [tuple(row.values()) for row in logged] == [("unverified", "p-1", "token", "denied:invalid_client")]


async def test_a_named_officer_stands_in_the_token(http, guard):
    said = await ask(http, claims(iss="o-1", sub="o-1", user="officer-7"))
    assert (await guard.caller(said.json()["access_token"])).user == "officer-7"


async def test_a_citizen_stands_in_the_token_as_a_subject_never_as_a_number(http, guard, world):
    said = await ask(http, claims(iss="m-1", sub="m-1", user=ID))
    caller = await guard.caller(said.json()["access_token"])
    assert UUID(caller.user) == world.deps.subjects.one(ID)
    assert ID not in str(jwt.decode(said.json()["access_token"], SIGNING).claims)


STRANGER = ECKey.generate_key("P-256")


@pytest.mark.parametrize(
    ("changes", "form", "key", "error"),
    [
        ({}, {"grant_type": "password"}, KEY, "unsupported_grant_type"),
        ({}, {"grant_type": None}, KEY, "invalid_request"),
        ({}, {"client_assertion_type": "other"}, KEY, "invalid_client"),
        ({}, {"client_assertion": "no.jwt"}, KEY, "invalid_client"),
        ({}, {"client_assertion": "x.y.z"}, KEY, "invalid_client"),
        ({}, {"client_id": "p-2"}, KEY, "invalid_client"),
        ({}, {"scope": "operate"}, KEY, "invalid_scope"),
        ({}, {}, STRANGER, "invalid_client"),
        ({"iss": "p-9", "sub": "p-9"}, {}, KEY, "invalid_client"),
        ({"sub": "o-1"}, {}, KEY, "invalid_client"),
        ({"aud": URL}, {}, KEY, "invalid_client"),
        ({"aud": f"{URL}/oauth/token/"}, {}, KEY, "invalid_client"),
        ({"aud": [f"{URL}/oauth/token", "http://elsewhere.test"]}, {}, KEY, "invalid_client"),
        ({"exp": int(wall()) - 60}, {}, KEY, "invalid_client"),
        ({"exp": int(wall()) + 3600}, {}, KEY, "invalid_client"),
        ({"exp": "soon"}, {}, KEY, "invalid_client"),
        ({"exp": None}, {}, KEY, "invalid_client"),
        ({"iat": int(wall()) + 86_400, "exp": int(wall()) + 86_410}, {}, KEY, "invalid_client"),
        ({"jti": None}, {}, KEY, "invalid_client"),
        ({"jti": "x" * 200}, {}, KEY, "invalid_client"),
        ({"user": "officer-7"}, {}, KEY, "invalid_request"),
        ({"iss": "m-1", "sub": "m-1", "user": "nobody"}, {}, KEY, "invalid_request"),
        ({"iss": "o-1", "sub": "o-1", "user": ["a"]}, {}, KEY, "invalid_request"),
    ],
)
async def test_every_way_of_not_getting_a_token(http, changes, form, key, error):
    answer = await ask(http, claims(**changes), key, **form)
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] == error
    assert set(answer.json()) == {"error", "error_description"}


async def test_an_unsigned_assertion_is_refused(http):
    head, body, _ = jwt.encode({"alg": "ES256"}, claims(), KEY).split(".")
    assert (await ask(http, f"eyJhbGciOiJub25lIn0.{body}.")).json()["error"] == "invalid_client"
    assert (await ask(http, f"{head}.{body}.AAAA")).json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"grant_type=a&grant_type=b"),
        ("application/x-www-form-urlencoded", b"\xff\xfe"),
        ("application/x-www-form-urlencoded", b""),
    ],
)
async def test_what_is_no_form_is_an_oauth_error_too(http, content_type, body):
    answer = await http.post("/oauth/token", content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_client_that_left_the_file_gets_no_token(world, http):
    async with world.deps.database.write() as tx:
        await clients.save_clients(tx, [card("o-1", "officer")])
    assert (await ask(http, claims())).status_code == 401


async def test_the_keys_hold_no_private_part_and_the_issuer_describes_itself(http):
    [key] = (await http.get("/.well-known/jwks.json")).json()["keys"]
    assert "d" not in key
    described = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert described["token_endpoint"] == f"{URL}/oauth/token"


async def test_without_a_key_of_its_own_there_is_no_issuer(app, world, http):
    app.state.deps = make_deps(world.deps.database)
    assert (await http.get("/.well-known/jwks.json")).status_code == 404


async def test_a_token_is_bound_to_the_certificate_the_gateway_saw(http, guard):
    assertion = client_assertion("p-1", KEY, f"{URL}/oauth/token")
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    said = await http.post("/oauth/token", data=form, headers={"Client-Cert": ":QUJD:"})
    bound = await guard.caller(said.json()["access_token"])
    assert bound.certificate == "tdQEXD9Gb6kf4sxqvnkjKhpXzfEE96JucW4KHieJ33g"
    plain = await ask(http, claims())
    assert (await guard.caller(plain.json()["access_token"])).certificate is None


@pytest.mark.parametrize(("shown", "status"), [(":QUJD:", 200), (":QUJE:", 401), (None, 401)])
async def test_a_client_held_to_its_certificate_gets_no_token_without_it(world, http, shown, status):
    async with world.deps.database.write() as tx:
        held = card("p-1", certificates=("tdQEXD9Gb6kf4sxqvnkjKhpXzfEE96JucW4KHieJ33g",))
        await clients.save_clients(tx, [held])
    if shown:
        http.headers["Client-Cert"] = shown
    assert (await ask(http, claims())).status_code == status


async def test_a_flood_for_tokens_is_held_back_before_it_is_read_and_logged_as_a_number(world, http):
    object.__setattr__(world.deps, "addresses", Limiter(Policy(rate=0.001, burst=2, day=1), world.deps.database))
    answers = [await ask(http, "x.y.z") for _ in range(3)]
    assert [each.status_code for each in answers] == [401, 401, 429]
    assert int(answers[2].headers["Retry-After"]) > 0
    logged = await world.rows("SELECT answer FROM usage ORDER BY usage_id")
    assert [row["answer"] for row in logged][-1] == "denied:too_many_requests"


async def test_a_bad_form_takes_no_connection_of_the_database(world, http, monkeypatch):
    nothing = Policy(rate=1, burst=0, day=0)
    object.__setattr__(world.deps, "refusals", Refusals(world.deps.database, of_one=nothing))
    monkeypatch.setattr(type(world.deps.database), "write", None)
    assert (await ask(http, "x.y.z")).status_code == 401
