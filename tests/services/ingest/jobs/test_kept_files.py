"""Whoever needs a kept file finds it, whatever others let go of meanwhile; one that does not open holds nobody up."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import pytest
from typing_extensions import override

from services.ingest.jobs.retention import Retention
from services.ingest.store.raw import RawStore
from tests.services.ingest.api.test_cut_off import Flaky, many_rows
from tests.services.ingest.jobs.test_killed import cut_off, resume
from tests.services.ingest.world import IDS, World, csv_of, pharmacy, with_deps

pytestmark = pytest.mark.db
OTHER = "medins_outpatient"
BODY = csv_of(pharmacy(IDS[:20]) | {"就诊时间": ["2023-05-09"] * 20, "结算时间": ["2023-05-09"] * 20})
_WAITING = (
    "SELECT FROM pg_locks JOIN pg_database d ON d.oid = database "
    "WHERE locktype = 'advisory' AND NOT granted AND d.datname = current_database()"
)


class Dropping(RawStore):
    """A raw store: just before it drops a file, the same bytes come from somebody else, who gets as far as he may."""

    def begin(self, world: World, send: Callable[[], Awaitable[Any]]) -> "Dropping":
        self._world, self._loop, self._send = world, asyncio.get_running_loop(), send
        self.sent: Future[Any] | None = None
        return self

    @override
    def drop(self, sha256: str) -> None:
        if self.sent is None:
            self.sent = asyncio.run_coroutine_threadsafe(self._come(), self._loop)
            asyncio.run_coroutine_threadsafe(self._as_far_as_he_may(), self._loop).result()
        super().drop(sha256)

    async def _come(self) -> Any:
        return await self._send()

    async def _as_far_as_he_may(self) -> None:
        assert self.sent is not None
        while not self.sent.done() and not await self._world.rows(_WAITING):
            await asyncio.sleep(0.01)


async def refused(world: World) -> None:
    """A file of which nothing is kept, since its first chunk fails."""
    platform: Any = world.deps.platform
    platform.outbox = Flaky(platform.outbox, fails_at=1)  # what comes after says as always
    assert (await world.send(BODY)).status_code == 500


async def outlived(world: World) -> None:
    """A file that has been kept long enough."""
    deps = world.deps
    assert (await world.send(BODY)).status_code == 201
    async with deps.platform.database.write() as tx:
        await tx.run("UPDATE batch SET received_at = '2000-01-01' WHERE kind = 'source'")
    await Retention(deps.platform.database, deps.platform.clock, deps.sources, deps.raw, deps.settings).forget()


@pytest.mark.parametrize("way", [refused, outlived])
async def test_a_file_dropped_while_it_comes_from_another_source_is_kept_for_that_one(real_town, tmp_path, way):
    raw = Dropping(f"file://{tmp_path}/kept", tmp_path / "scratch2", real_town.deps.keys.files)
    town = with_deps(real_town, raw=raw)
    raw.begin(town, lambda: town.send(BODY, OTHER))
    await way(town)
    assert raw.sent is not None
    answer = await asyncio.wrap_future(raw.sent)
    assert (answer.status_code, answer.json()["accepted"]) == (201, 20)
    file = raw.fetch(answer.json()["sha256"])
    assert file.path.read_bytes() == BODY
    raw.forget(file)


def damage(world: World) -> None:
    for path in (world.folder / "raw").rglob("*.sealed"):
        path.write_bytes(path.read_bytes()[:-1])


async def test_a_batch_whose_file_does_not_open_is_left_to_its_sender(real_town):
    await cut_off(real_town, 2)
    damage(real_town)
    tries = real_town.deps.settings.ingest_resume_tries
    assert [await resume(real_town).look() for _ in range(tries + 1)] == [0] * (tries + 1)
    [batch] = await real_town.rows("SELECT tries, status FROM batch WHERE kind = 'source'")
    assert batch == {"tries": tries, "status": "taking"}
    assert (await real_town.send(many_rows())).json()["status"] == "completed"
    assert real_town.leftovers() == []


async def test_a_quarantine_whose_file_does_not_open_says_what_to_do(town):
    sent = await town.send(csv_of(pharmacy([*IDS[:8], "12"])))
    damage(town)
    answer = await town.get(f"/v1/batches/{sent.json()['batch_id']}/quarantine/file", scope="ingest.upload")
    assert (answer.status_code, answer.json()["code"]) == (500, "kept_file_broken")
    assert "from a backup" in answer.json()["detail"]
    assert town.leftovers() == []
