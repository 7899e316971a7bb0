"""The outside world of demo and tests behaves as it is told."""

import asyncio
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from deploy.sandbox.app import SandboxOptions, create_app


@pytest.fixture
async def sandbox(tmp_path):
    app = create_app(SandboxOptions(data=tmp_path, token="secret"))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sandbox", headers={"Authorization": "Bearer secret"}
    ) as client:
        yield client
    await app.state.callbacks.close()
    app.state.keep.close()


def batch(*ids: str) -> dict[str, Any]:
    return {
        "messages": [
            {"id": each, "to": "13900000001", "sender": "亳州人社", "approval": "A", "text": "好"} for each in ids
        ]
    }


async def test_it_keeps_what_it_was_sent_once(sandbox):
    for _ in range(2):
        answer = await sandbox.post("/sms/1/messages", json=batch("a", "b"))
        assert [each["status"] for each in answer.json()["results"]] == ["accepted", "accepted"]
    seen = (await sandbox.get("/sms/messages", params={"to": "13900000001"})).json()
    assert seen["counts"] == {"messages": 2, "phones": 1, "again": 2, "twice": 0}
    assert {each["id"] for each in seen["items"]} == {"a", "b"}
    await sandbox.post("/sms/2/messages", json=batch("a"))
    assert (await sandbox.get("/sms/messages")).json()["counts"]["twice"] == 1
    await sandbox.delete("/sms/messages")
    assert (await sandbox.get("/sms/messages")).json()["items"] == []


@pytest.mark.parametrize(
    ("answer", "status", "kept"),
    [
        ("reject", "rejected", 0),
        ("busy", "busy", 0),
        ("accept_and_hang", "accepted", 1),
        ("error", 500, 0),
        ("accept_and_error", 500, 1),
        ("refuse", 429, 0),
    ],
)
async def test_it_misbehaves_on_demand(sandbox, answer, status, kept):
    await sandbox.put("/sms/2/behaviour", json={"answer": answer, "seconds": 0})
    said = await sandbox.post("/sms/2/messages", json=batch("a"))
    if isinstance(status, int):
        assert said.status_code == status
    else:
        assert said.json()["results"][0]["status"] == status
    assert (await sandbox.get("/sms/messages")).json()["counts"]["messages"] == kept


async def test_strangers_and_bad_numbers_are_refused(sandbox):
    stranger = await sandbox.post("/sms/1/messages", json=batch("a"), headers={"Authorization": "Bearer x"})
    assert stranger.status_code == 401
    wrong = batch("a")
    wrong["messages"][0]["to"] = "12333"
    assert (await sandbox.post("/sms/1/messages", json=wrong)).status_code == 422
    assert (await sandbox.post("/sms/3/messages", json=batch("a"))).status_code == 422


async def test_what_it_kept_outlives_it(tmp_path):
    for round_number in range(2):
        app = create_app(SandboxOptions(data=tmp_path))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox") as client:
            await client.post("/sms/1/messages", json=batch(f"m{round_number}"))
            counts = (await client.get("/sms/messages")).json()["counts"]
        await app.state.callbacks.close()
        app.state.keep.close()
        assert counts["messages"] == round_number + 1
    await asyncio.sleep(0)


async def test_it_signs_what_it_is_told_to_have_seen(sandbox):
    public = (await sandbox.get("/face/jwks.json")).json()
    assert all("d" not in each for each in public["keys"])
    keys = KeySet.import_key_set(public)
    body = {"citizen_id": "341602195005051227", "nonce": "n" * 32, "score": 71.5, "live": False}
    said = [(await sandbox.post("/face/assertions", json=body)).json()["assertion"] for _ in range(2)]
    tokens = [jwt.decode(each, keys, algorithms=["ES256"]) for each in said]
    assert tokens[0].header["typ"] == "face+jwt"
    assert (tokens[0].claims["nonce"], tokens[0].claims["score"], tokens[0].claims["live"]) == ("n" * 32, 71.5, False)
    assert tokens[0].claims["jti"] != tokens[1].claims["jti"]
