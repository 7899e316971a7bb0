"""The demo's caller and its visitors while a part of the platform is away, and what is told when it stays so."""

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import polars as pl
import pytest
from joserfc.jwk import ECKey

from deploy.demo import run as demo
from deploy.demo import visits
from deploy.demo.city.manifest import TRUTH
from deploy.demo.client import Client
from deploy.demo.run import DemoOptions
from deploy.demo.screen import _tasks
from deploy.local.errors import KeepsDyingError
from shared.kit.http import TokenSource
from shared.kit.problems import UnavailableError

KEY = ECKey.generate_key("P-256", auto_kid=True)


def client(answer, patience=5.0) -> Client:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Client(http, "http://g", TokenSource(http, issuer_url="http://g", client_id="d", key=KEY), patience)


async def test_a_token_issuer_that_is_being_restarted_is_waited_for():
    tries: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request.url.path)
        if request.url.path == "/oauth/token":
            if len(tries) == 1:
                raise httpx.ConnectError("away")
            return (
                httpx.Response(503)
                if len(tries) == 2
                else httpx.Response(200, json={"access_token": "t", "expires_in": 600})
            )
        return httpx.Response(200, json={"people": 7})

    assert await client(answer).call("GET", "grid", "/v1/figures") == {"people": 7}
    assert tries == ["/oauth/token"] * 3 + ["/api/grid/v1/figures"]


async def test_a_token_issuer_that_stays_away_is_told_in_a_sentence(monkeypatch, capsys, tmp_path):
    def away(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away")

    with pytest.raises(httpx.TransportError, match="grid stays away"):
        await client(away, patience=0).call("GET", "grid", "/v1/figures")

    async def fails(_options) -> None:
        raise UnavailableError("The token issuer does not answer.")

    monkeypatch.setattr(demo, "demo", fails)
    assert await asyncio.to_thread(demo.main, DemoOptions(data=tmp_path)) == 1
    assert capsys.readouterr().err == "wugan demo: The token issuer does not answer.\n"


@pytest.fixture
def city(tmp_path):
    """One grid with one living person."""
    (tmp_path / "grids").mkdir()
    (tmp_path / TRUTH).parent.mkdir()
    pl.DataFrame({"grid_code": ["341602001001001"], "lon": [115.78], "lat": [33.85]}).write_csv(
        tmp_path / "grids" / "grids.csv"
    )
    pl.DataFrame(
        {"name": ["张三"], "division": ["341602001001"], "group_no": [1], "state": ["alive"], "died_on": [None]},
        schema_overrides={"died_on": pl.Date},
    ).write_parquet(tmp_path / TRUTH)
    return tmp_path


def answering(call, patience: float) -> Any:
    return SimpleNamespace(call=call, patience=patience)


def worklist(names: str):
    task = {"reason": "unmatched", "task_id": "t", "worker_id": "w", "prompt": {"prompt_id": "p"}}
    line = {"name": "张三" if names == "included" else None, "tasks": [task]}
    return {"names": names, "as_of": "2023-11-01T01:00:00Z", "items": [line]}


async def test_doors_without_names_are_asked_for_again(city, monkeypatch):
    said = [worklist("unavailable"), worklist("included"), {"items": [{"reception": "taken"}]}]

    async def call(*_, **__):
        return said.pop(0)

    monkeypatch.setattr(visits, "_ASK_AGAIN_SECONDS", 0.0)
    found = await visits.pay(answering(call, 5.0), city, told=lambda *_: None)
    assert found == {"seen_alive": 1}


async def test_names_nobody_tells_are_told_in_a_sentence(city):
    async def call(*_, **__):
        return worklist("unavailable")

    with pytest.raises(httpx.TransportError, match="tells no names"):
        await visits.pay(answering(call, 0.0), city, told=lambda *_: None)


async def test_a_process_that_keeps_dying_ends_the_demo_with_its_sentence(monkeypatch, tmp_path):
    ended = asyncio.Event()

    async def for_ever(_run):
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def watch():
        raise KeepsDyingError("scoring", 5, 12.0, tmp_path / "scoring.log")

    run: Any = SimpleNamespace(stack=SimpleNamespace(watch=watch))
    monkeypatch.setattr(demo, "_through", for_ever)
    with pytest.raises(KeepsDyingError, match="scoring"):
        await demo.through(run)
    assert ended.is_set()


def test_the_screen_tells_open_tasks_by_their_reason():
    grid = {"tasks_open": {"unmatched": 1200, "suspicion": 3}, "tasks_closed": 40}
    assert _tasks(grid) == "1,243: closed 40, open as suspicion 3, open as unmatched 1,200"
