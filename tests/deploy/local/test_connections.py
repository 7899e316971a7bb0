"""Processes share the connections a server has, and are not started where they could not."""

from pathlib import Path
from typing import Any

import pytest

from deploy.local import connections
from deploy.local.connections import OTHERS, share, shares
from deploy.local.errors import TooFewConnectionsError
from deploy.local.ports import HOST
from deploy.local.probes import is_free
from deploy.local.stack import LocalStack, StackOptions


@pytest.mark.parametrize("room", [97, 197, 395, 997])
@pytest.mark.parametrize("processes", [1, 5, 6, 10, 15, 40])
def test_all_shares_together_fit_and_none_is_too_small(room, processes):
    if room < processes * 8 + OTHERS:
        with pytest.raises(
            TooFewConnectionsError, match=f"{processes} service processes need {processes * 8 + OTHERS}"
        ):
            share(room, processes)
        return
    told = {name: int(value) for name, value in share(room, processes).items()}
    each = sum((told or connections.FULL).values())
    assert processes * each + OTHERS <= room
    assert each == 28 or processes * (each + 1) + OTHERS > room, "nothing is left that somebody could have"
    assert not told or (told["WUGAN_DB_POOL_SIZE"] >= 6 and told["WUGAN_DB_QUICK_SIZE"] >= 2)


def test_what_a_server_of_defaults_has_is_enough_for_five_and_not_for_fifteen():
    assert share(97, 5) == {"WUGAN_DB_POOL_SIZE": "13", "WUGAN_DB_QUICK_SIZE": "4"}
    with pytest.raises(TooFewConnectionsError) as told:
        share(97, 15)
    assert str(told.value) == (
        "PostgreSQL leaves 97 connections to ordinary roles and 15 service processes need 130: "
        "raise its max_connections or start fewer processes with --workers."
    )


@pytest.mark.db
async def test_the_server_is_asked(servers):
    assert await shares(servers.postgres, 1) == {}
    assert await shares(servers.postgres, 0) == {}
    with pytest.raises(TooFewConnectionsError, match="leaves 395 connections"):
        await shares(servers.postgres, 100)


def of_one(folder: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> LocalStack:
    async def answer(*_: object) -> str:
        return str(room)

    monkeypatch.setattr(connections, "ask", answer)
    facts: dict[str, Any] = {"port_base": 0, "gateway": False, "durable": False, "database_url": None, "nats_url": None}
    modules = {"grid": "tests.support.fake_service"}
    return LocalStack(StackOptions(data=folder, services=("grid",), modules=modules, **facts))


@pytest.mark.db
@pytest.mark.bus
async def test_a_process_is_told_its_share(tmp_path, monkeypatch):
    async with of_one(tmp_path, monkeypatch, 27) as stack:
        told = stack.children["grid"].spec.env
        assert (told["WUGAN_DB_POOL_SIZE"], told["WUGAN_DB_QUICK_SIZE"]) == ("13", "4")


@pytest.mark.db
@pytest.mark.bus
async def test_where_there_are_too_few_nothing_is_made_and_nothing_left_running(tmp_path, monkeypatch):
    stack = of_one(tmp_path, monkeypatch, 17)
    with pytest.raises(TooFewConnectionsError, match="leaves 17 connections to ordinary roles and 1 service"):
        await stack.__aenter__()
    assert "grid" not in stack.children
    assert all(is_free(HOST, port) for _, port in stack.ports.named())
