"""The whole stack with services that do nothing: starts, survives, goes on, refuses."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.local.clients import SERVICES
from deploy.local.errors import (
    DiedError,
    FreshNatsError,
    MigrationError,
    OldClusterError,
    PortInUseError,
    UnprovedNatsError,
)
from deploy.local.ports import HOST
from deploy.local.probes import get, is_free
from deploy.local.secrets import SERVICE_KEYS
from deploy.local.stack import LocalStack, StackOptions
from shared.kit.clock import MovableClock
from tests.support.servers import ServiceDatabases, unused_name

pytestmark = [pytest.mark.db, pytest.mark.bus]
FAKES = dict.fromkeys(SERVICES, "tests.support.fake_service")


def options(folder: Path, **changes: Any) -> StackOptions:
    facts: dict[str, Any] = {"port_base": 0, "modules": FAKES, "durable": False, "database_url": None, "nats_url": None}
    return StackOptions(data=folder, **{**facts, **changes})


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    async with LocalStack(options(tmp_path_factory.mktemp("stack"), workers={"scoring": 2})) as running:
        yield running


async def asked(stack: LocalStack, path: str) -> tuple[int, dict[str, Any]]:
    status, body = await get(HOST, stack.ports.gateway, path, seconds=8)
    return status, json.loads(body) if body else {}


@pytest.mark.parametrize("service", SERVICES)
async def test_the_gateway_leads_to_each_service_without_the_prefix(stack, service):
    status, answer = await asked(stack, f"/api/{service}/v1/things?limit=2")
    assert (status, answer["service"]) == (200, service)
    assert answer["head"].startswith("GET /v1/things?limit=2 ")
    assert f"X-Forwarded-Prefix: /api/{service}" in answer["head"]


async def test_the_gateway_spreads_over_all_processes_of_a_service(stack):
    assert len({(await asked(stack, "/api/scoring/x"))[1]["pid"] for _ in range(20)}) == 2


async def test_the_gateway_keeps_metrics_inside_and_says_what_it_does_not_know(stack):
    assert (await asked(stack, "/api/ingest/metrics"))[0] == 404
    status, problem = await asked(stack, "/nothing")
    assert (status, problem["code"], problem["status"]) == (404, "not_found", 404)


async def test_a_killed_service_is_waited_for_by_the_gateway_and_comes_back(stack):
    _, before = await asked(stack, "/api/grid/x")
    stack.kill("grid")
    status, after = await asked(stack, "/api/grid/x")
    assert status == 200
    assert after["pid"] != before["pid"]


async def test_postgres_and_nats_come_back_after_kill_9(stack):
    connection = await asyncpg.connect(stack.database_url("notify"))
    await connection.execute("INSERT INTO starts DEFAULT VALUES")
    before = await connection.fetchval("SELECT count(*) FROM starts")
    await connection.close()
    for name in ("postgres", "nats"):
        stack.kill(name)
        await stack.wait_ready(name)
    connection = await asyncpg.connect(stack.database_url("notify"))
    assert await connection.fetchval("SELECT count(*) FROM starts") == before
    await connection.close()


async def test_a_service_is_restarted_on_request(stack):
    _, before = await asked(stack, "/api/recognition/x")
    await stack.restart("recognition")
    _, after = await asked(stack, "/api/recognition/x")
    assert after["pid"] != before["pid"]
    assert after["starts"] == before["starts"] + 1


async def test_the_clock_can_stand_before_any_service_starts(tmp_path):
    at = datetime(2023, 11, 1, 1, tzinfo=UTC)
    bare = options(tmp_path, services=(), gateway=False, postgres=False, nats=False, clock_at=at)
    async with LocalStack(bare) as stack:
        assert MovableClock(stack.folder.clock).today().isoformat() == "2023-11-01"


async def test_the_clock_is_moved_for_everybody(stack):
    for day in ("2023-11-01", "2023-11-02"):
        stack.set_clock(datetime.fromisoformat(f"{day}T01:00:00Z"))
        assert {(await asked(stack, f"/api/{service}/x"))[1]["day"] for service in SERVICES} == {day}
        assert {(await asked(stack, "/api/scoring/x"))[1]["day"] for _ in range(8)} == {day}, "of each of its processes"


async def test_only_the_issuer_gets_the_issuers_key_and_nobody_a_key_he_does_not_use(stack):
    for service in SERVICES:
        told = stack.children[service].spec.env
        keys = {name for names in SERVICE_KEYS.values() for name in names if f"WUGAN_{name.upper()}" in told}
        assert keys == set(SERVICE_KEYS[service])
        assert ("WUGAN_ISSUER_KEY_FILE" in told) == (service == "recognition")
        assert stack.secrets.roles[service] in told["WUGAN_DATABASE_URL"]
        assert not any(stack.secrets.roles[other] in "".join(told.values()) for other in SERVICES if other != service)


async def test_a_second_start_goes_on_and_fresh_starts_anew(tmp_path):
    seen = []
    for fresh in (False, False, True):
        async with LocalStack(options(tmp_path, services=("grid",), gateway=False, fresh=fresh)) as stack:
            _, body = await get(HOST, stack.ports.services["grid"][0], "/")
            seen.append((json.loads(body)["starts"], stack.secrets.subject_key))
    assert [starts for starts, _ in seen] == [1, 2, 1]
    assert seen[0][1] == seen[1][1] != seen[2][1]


async def test_nothing_is_left_when_a_service_dies_at_start(tmp_path):
    stack = LocalStack(options(tmp_path, services=("ingest", "grid"), environment={"FAKE_DIES": "grid"}))
    with pytest.raises(
        DiedError, match=r"grid ended with code 1 .* “the secret ingredient is missing”: see .*grid\.log"
    ):
        await stack.__aenter__()
    assert all(is_free(HOST, port) for _, port in stack.ports.named())


async def test_a_migration_that_fails_is_told_with_its_last_words(tmp_path):
    failing = options(tmp_path, services=("grid",), gateway=False, environment={"FAKE_MIGRATION_FAILS": "grid"})
    with pytest.raises(DiedError, match="“column frobnicated does not exist”"):
        await LocalStack(failing).__aenter__()
    without = replace(failing, services=())
    async with LocalStack(without) as stack:
        with pytest.raises(MigrationError, match="The migration of grid failed, saying “column frobnicated"):
            await stack.migrate(["grid"])


async def test_a_port_in_use_is_told_before_anything_starts(tmp_path, stack):
    taken = options(tmp_path, port_base=stack.ports.gateway)
    with pytest.raises(PortInUseError, match=f"Port {stack.ports.gateway}, wanted by gateway, .* --port-base"):
        await LocalStack(taken).__aenter__()
    assert not (tmp_path / "postgres").exists()


async def test_a_cluster_of_another_version_is_not_touched(tmp_path):
    only = options(tmp_path, services=(), gateway=False, nats=False)
    async with LocalStack(only):
        pass
    version = tmp_path / "postgres" / "cluster" / "PG_VERSION"
    version.write_text("15\n")
    with pytest.raises(OldClusterError, match="PostgreSQL 15 and this is PostgreSQL 18"):
        await LocalStack(only).__aenter__()


async def test_other_peoples_servers_are_used_and_not_started(tmp_path, servers):
    name = unused_name()
    theirs = options(
        tmp_path,
        services=("grid",),
        gateway=False,
        database_url=servers.postgres.url(name),
        nats_url=servers.nats_url,
        environment={"WUGAN_NATS_UNPROVED": "true"},
    )
    seen = []
    for fresh in (False, False, True):
        async with LocalStack(replace(theirs, fresh=fresh, nats_url=None if fresh else theirs.nats_url)) as stack:
            assert fresh or set(stack.children) == {"grid"}
            assert fresh or stack.nats_url("grid") == servers.nats_url
            _, body = await get(HOST, stack.ports.services["grid"][0], "/")
            seen.append(json.loads(body)["starts"])
    assert seen == [1, 2, 1]
    with pytest.raises(FreshNatsError, match="nats stream rm"):
        await LocalStack(replace(theirs, fresh=True)).__aenter__()
    with pytest.raises(UnprovedNatsError, match=r"WUGAN_NATS_MONITOR_URLS .* WUGAN_NATS_UNPROVED=true"):
        await LocalStack(replace(theirs, environment={})).__aenter__()
    ServiceDatabases(server=servers.postgres, name=name).drop()
