"""Killed, out of disk, out of a database: what was begun is completed once, by the sender or without him."""

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from deploy.local.stack import LocalStack
from services.ingest.api import taking
from services.ingest.jobs.resume import Resume
from services.ingest.store import batches
from services.ingest.store.raw import RawStore
from shared.kit.db import Database
from tests.services.ingest.api.test_cut_off import Flaky, forget, many_rows, state
from tests.services.ingest.world import IDS, PACKINGS, World, csv_of, pharmacy, roster, running, with_deps
from tests.support.servers import servers_alone

pytestmark = pytest.mark.db
ROOT = Path(__file__).parents[4]


def resume(world: World) -> Resume:
    deps = world.deps
    return Resume(deps.platform.database, deps.raw, deps.settings, lambda batch, file: taking.go_on(deps, batch, file))


DYING = {"medins_pharmacy": 1, "bank_self_service": 3}
"""At which saying of its file each source's process is killed: before anything was taken, and in the middle."""
HEADERS = {"medins_pharmacy": "购药时间", "bank_self_service": "交易时间"}


def file_of(source: str) -> bytes:
    """The same rows as each source writes them."""
    return many_rows().replace("购药时间".encode(), HEADERS[source].encode())


async def killed_in_the_middle(world: World) -> None:
    """The uploads in processes of their own, each killed at its saying."""
    url = world.deps.platform.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    words = [sys.executable, "-m", "tests.services.ingest.killed", url, str(world.folder)]
    for source, nth in DYING.items():
        file = world.folder / f"{source}.csv"
        file.write_bytes(file_of(source))
        words += [source, str(file), str(nth)]
    done = await asyncio.to_thread(lambda: subprocess.run(words, cwd=ROOT, capture_output=True, check=False))
    assert done.returncode == 0, done.stderr.decode()


async def test_killed_processes_leave_batches_that_are_completed_without_their_senders(real_town):
    await killed_in_the_middle(real_town)
    found = await real_town.rows("SELECT code, status, chunks_done FROM batch WHERE kind = 'source'")
    assert {row["code"]: (row["status"], row["chunks_done"]) for row in found} == {
        source: ("taking", nth - 1) for source, nth in DYING.items()
    }
    assert await resume(real_town).look() == len(DYING)
    resumed = await state(real_town)
    assert await resume(real_town).look() == 0
    again = [await real_town.send(file_of(source), source) for source in DYING]
    assert [(each.status_code, each.json()["repeated"]) for each in again] == [(200, True)] * len(DYING)
    await forget(real_town)
    for source in DYING:
        assert (await real_town.send(file_of(source), source)).status_code == 201
    assert await state(real_town) == resumed


async def test_a_file_still_being_taken_is_left_alone(real_town):
    platform: Any = real_town.deps.platform
    looked: list[Any] = []
    whole = platform.outbox

    class Looking(Flaky):
        @override
        def _count(self) -> None:
            looked.append(asyncio.create_task(resume(real_town).look()))

    platform.outbox = Looking(whole, fails_at=0)
    assert (await real_town.send(many_rows())).status_code == 201
    platform.outbox = whole
    assert await asyncio.gather(*looked) == [0] * len(looked)
    assert len(looked) == 4


async def test_a_batch_whose_file_was_never_kept_is_forgotten(real_town):
    await cut_off(real_town, 1)
    for path in (real_town.folder / "raw").rglob("*.sealed"):
        path.unlink()
    assert await resume(real_town).look() == 0
    assert await real_town.rows("SELECT 1 AS n FROM batch WHERE kind = 'source'") == []


async def test_what_kills_each_time_is_given_up(real_town):
    await cut_off(real_town, 2)

    async def fails(*_: Any) -> Any:
        raise MemoryError

    deps = real_town.deps
    job = Resume(deps.platform.database, deps.raw, deps.settings, fails)
    for _ in range(deps.settings.ingest_resume_tries + 2):
        assert await job.look() == 0
    [batch] = await real_town.rows("SELECT tries, status FROM batch WHERE kind = 'source'")
    assert batch == {"tries": deps.settings.ingest_resume_tries, "status": "taking"}
    # Its sender may still complete it.
    assert (await real_town.send(many_rows())).json()["status"] == "completed"


async def cut_off(world: World, nth: int, body: bytes | None = None) -> None:
    """A batch as a killed process leaves it, without the cost of one."""
    platform: Any = world.deps.platform
    whole = platform.outbox
    platform.outbox = Flaky(whole, fails_at=nth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "delete_untouched", _nothing)  # a dead process undoes nothing
        assert (await world.send(body or many_rows())).status_code == 500
    platform.outbox = whole


async def _nothing(*_: Any) -> bool:
    return False


async def test_a_roster_goes_on_as_it_was_asked_for_unless_a_newer_one_came(real_town, monkeypatch):
    platform = real_town.deps.platform
    monkeypatch.setattr(batches, "delete_untouched", _nothing)
    whole: Any = platform.outbox
    platform.outbox = Flaky(whole, fails_at=1)
    assert (await real_town.enrol(roster([35]), mode="delta")).status_code == 500
    platform.outbox = whole
    assert await resume(real_town).look() == 1
    assert (await real_town.rows("SELECT count(*) AS n FROM enrolment WHERE ended_on IS NULL"))[0]["n"] == 31
    platform.outbox = Flaky(whole, fails_at=1)
    assert (await real_town.enrol(roster([36]), mode="delta")).status_code == 500
    platform.outbox = whole
    await real_town.enrol(roster([37]), mode="delta")
    monkeypatch.undo()
    assert await resume(real_town).look() == 0
    assert (await real_town.rows("SELECT count(*) AS n FROM enrolment WHERE ended_on IS NULL"))[0]["n"] == 32
    assert await real_town.rows("SELECT 1 AS n FROM batch WHERE status = 'taking'") == []
    # Nobody needs the file of the one that was overtaken.
    assert len(real_town.raw_files()) == 3


# ---- no room ---------------------------------------------------------------------------------------------------------


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel lets no file of this process grow beyond a size, as a full disk would not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path]:
    """A file system of its own with little room."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def noise(size: int) -> bytes:
    """Rows that cannot be compressed."""
    return csv_of(pharmacy(IDS[:20])) + os.urandom(size // 2).hex(",").replace("0,", "0\n").encode()


@pytest.mark.parametrize(
    ("packing", "limit", "times"),
    # The last one fits into a buffer, and finds no room only when that is emptied.
    [*((packing, 60_000, 100) for packing in ("plain", "gzip", "zip", "zstd")), ("plain", 1024, 1)],
)
async def test_no_room_for_the_upload_or_for_what_is_in_it_is_told_and_leaves_nothing(town, packing, limit, times):
    before = await town.traces()
    body = PACKINGS[packing](csv_of(pharmacy(IDS * times)))
    assert len(body) > limit or packing != "plain"
    with largest_file(limit):
        answer = await town.send(body)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert await town.traces() == before
    assert (await town.send(body)).status_code == 201


async def test_no_room_for_the_rows_that_go_back_is_told(town):
    body = csv_of(pharmacy(["1" * 60] * 200))
    held = (await town.send(body)).json()
    path = f"/v1/batches/{held['batch_id']}/quarantine/file"
    # Neither for a copy of what was sent nor, with that in place, for the longer file of its rows.
    for limit in (5_000, len(body) + 500):
        with largest_file(limit):
            answer = await town.get(path, "ingest.upload")
        assert (answer.status_code, answer.json()["code"], town.leftovers()) == (507, "storage_full", [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("full", ["raw", "scratch"])
async def test_a_full_disk_is_told_leaves_nothing_and_the_same_file_is_taken_once_there_is_room(town, tmp_path, full):
    before, whole = await town.traces(), town.deps.raw
    body = noise(400_000)
    with small_disk(tmp_path / "disk", 64 * 1024) as disk:
        raw, scratch = (disk / "raw", tmp_path / "other") if full == "raw" else (tmp_path / "raw2", disk / "scratch")
        store = RawStore(f"file://{raw}", scratch, town.deps.keys.files)
        answer = await with_deps(town, raw=store).send(body)
        assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
        assert [path for path in disk.rglob("*") if path.is_file()] == []
    with_deps(town, raw=whole)
    assert await town.traces() == before
    assert (await town.send(body, confirm=True)).status_code == 201


# ---- no database -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("completed_by", ["its sender", "nobody"])
async def test_a_database_restarted_in_the_middle_costs_an_answer_and_nothing_else(issuer, tmp_path, completed_by):
    async with LocalStack(servers_alone(tmp_path / "server", nats=False)) as stack:
        await stack.migrate(["ingest"])
        database = Database(stack.database_url("ingest"), schema="ingest")
        async with running(database, issuer, tmp_path) as world:
            await world.enrol(roster(range(30)))
            platform = world.deps.platform
            whole = platform.outbox

            class Restarting(Flaky):
                @override
                async def say_table(self, *args: Any, **options: Any) -> Any:
                    self._left -= 1
                    if self._left == 0:
                        stack.kill("postgres")
                        await stack.wait_ready("postgres")
                    return await self._outbox.say_table(*args, **options)

            platform.outbox = Restarting(whole, fails_at=2)
            answer = await world.send(many_rows())
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            platform.outbox = whole
            if completed_by == "its sender":
                answer = await world.send(many_rows())
                assert (answer.status_code, answer.json()["status"]) == (201, "completed")
            else:
                assert await resume(world).look() == 1
            [batch] = await world.rows("SELECT status, chunks_done FROM batch WHERE kind = 'source'")
            assert batch == {"status": "completed", "chunks_done": 3}
            keys = (await world.evidence()).column("key").to_pylist()
            assert len(keys) == len(set(keys)) == len(await world.said("ingest.evidence.accepted.v1"))
        await database.close()
