"""Only a whole, fresh token of our issuer, for us, of the right kind, lets anybody in."""

import asyncio

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from shared.kit.auth import TOKEN_TYPE, Keys
from shared.kit.problems import UnauthorizedError, UnavailableError
from tests.support.tokens import ISSUER, Issuer


async def test_a_token_of_the_issuer_names_its_caller(issuer):
    token = issuer.token("a.read", "b.write", role="officer", programs=["x"], divisions=["3416"], user="officer-7")
    caller = await issuer.guard().caller(token)
    assert (caller.role, caller.user, caller.scopes) == ("officer", "officer-7", {"a.read", "b.write"})
    assert caller.may_program("x")
    assert not caller.may_program("y")
    assert caller.may_division("341602001001")
    assert not caller.may_division("340100000000")


@pytest.mark.parametrize(
    "wrong",
    [
        {"lifetime": -60},
        {"issuer": "http://somebody.else"},
        {"audience": "another-platform"},
        {"token_type": "JWT"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_a_token_that_is_wrong_in_one_thing_is_refused(issuer, wrong):
    with pytest.raises(UnauthorizedError):
        await issuer.guard().caller(issuer.token("a.read", **wrong))


async def test_a_stranger_who_uses_our_key_id_is_refused(issuer):
    stranger = Issuer()
    stranger.key = ECKey.import_key({**stranger.key.as_dict(private=True), "kid": issuer.key.kid})
    with pytest.raises(UnauthorizedError):
        await issuer.guard().caller(stranger.token("a.read"))


async def test_a_changed_token_is_refused(issuer):
    guard, token = issuer.guard(), issuer.token("a.read")
    await guard.caller(token)
    head, body, mark = token.split(".")
    other = issuer.token("a.read", "operate").split(".")[1]
    for changed in (
        f"{head}.{other}.{mark}",
        f"{head}.{body}.{'B' if mark[0] == 'A' else 'A'}{mark[1:]}",
        f"{head}.{body}.",
        "",
        "a.b.c",
        token[:-9],
    ):
        with pytest.raises(UnauthorizedError):
            await guard.caller(changed)


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
async def test_another_algorithm_is_refused(issuer, algorithm):
    header = {"alg": "HS256", "kid": issuer.key.kid, "typ": TOKEN_TYPE}
    claims = {"iss": ISSUER, "aud": "wugan", "client_id": "x", "exp": 4_000_000_000}
    token = jwt.encode(header, claims, OctKey.import_key("0" * 32))
    if algorithm == "none":
        token = f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{token.split('.')[1]}."
    with pytest.raises(UnauthorizedError):
        await issuer.guard().caller(token)


async def test_who_waits_behind_a_question_to_a_silent_issuer_is_told_without_asking_again():
    asked = []

    async def silent(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        await asyncio.sleep(0)
        raise httpx.ReadTimeout("silent", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(silent)) as client:
        keys = Keys("http://issuer.test/keys", client)
        told = await asyncio.gather(*(keys.get("unknown") for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in told] == [UnavailableError] * 5
    assert len(asked) == 1
