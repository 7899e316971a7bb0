"""Cut off anywhere and sent again, sent twice at once, sent overlapping: the same state as if nothing had happened."""

import asyncio

import numpy as np
import pytest
from typing_extensions import override

from services.ingest.store.batches import delete_untouched, find_batch
from services.ingest.store.raw import RawStore
from tests.services.ingest.world import IDS, csv_of, make_world, pharmacy, roster, with_deps

pytestmark = pytest.mark.db
EVIDENCE = "ingest.evidence.accepted.v1"
ROWS = 2500  # three chunks of a thousand


class PowerCutError(Exception):
    pass


class Flaky:
    """An outbox that fails at the nth saying."""

    def __init__(self, outbox, *, fails_at: int, error: type[BaseException] = PowerCutError) -> None:
        self._outbox, self._left, self._error = outbox, fails_at, error

    async def say(self, *args, **options):
        self._count()
        return await self._outbox.say(*args, **options)

    async def say_table(self, *args, **options):
        self._count()
        return await self._outbox.say_table(*args, **options)

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise self._error


def many_rows(seed: int = 0, rows: int = ROWS) -> bytes:
    chance = np.random.default_rng(seed)
    days = np.datetime64("2023-01-01") + chance.integers(0, 300, rows).astype("timedelta64[D]")
    return csv_of(pharmacy([IDS[number] for number in chance.integers(0, 40, rows)], [str(day) for day in days]))


async def state(world):
    """What does not depend on ids given out along the way."""
    evidence = await world.evidence()
    said = sorted(
        (row["subject"], row["occurred_on"], row["kind"], row["evidence_id"] & 0xFFFFFFFF)
        for row in await world.said(EVIDENCE)
    )
    batches = await world.rows(
        "SELECT kind, code, status, counts::text AS counts, chunks_done FROM batch ORDER BY 1, 2"
    )
    quarantine = await world.rows("SELECT sum(rows) AS n FROM quarantine_segment")
    return evidence.to_pylist(), said, [dict(batch) for batch in batches], quarantine


async def forget(world):
    """As if no source had delivered anything."""
    async with world.deps.platform.database.write() as tx:
        await tx.run("TRUNCATE outbox, evidence_segment, duplicate_segment, quarantine_segment")
        await tx.run("DELETE FROM batch WHERE kind = 'source'")


@pytest.fixture
async def undisturbed(real_town):
    await real_town.send(many_rows())
    found = await state(real_town)
    await forget(real_town)
    return found


@pytest.mark.parametrize("error", [PowerCutError, asyncio.CancelledError])
@pytest.mark.parametrize("fails_at", [1, 2, 3, 4])
async def test_a_file_cut_off_at_any_chunk_is_completed_once_when_sent_again(real_town, undisturbed, fails_at, error):
    platform = real_town.deps.platform
    whole = platform.outbox
    platform.outbox = Flaky(whole, fails_at=fails_at, error=error)
    try:
        answer = await real_town.send(many_rows())
        assert answer.status_code == 500
    except asyncio.CancelledError:
        assert error is asyncio.CancelledError
    platform.outbox = whole
    assert real_town.leftovers() == []
    answer = await real_town.send(many_rows())
    assert (answer.status_code, answer.json()["status"]) == (201, "completed")
    assert await state(real_town) == undisturbed
    assert len(real_town.raw_files()) == 2


async def test_a_changed_chunk_size_between_two_tries_loses_no_row(real_town, undisturbed, issuer, tmp_path):
    platform = real_town.deps.platform
    whole, platform.outbox = platform.outbox, Flaky(platform.outbox, fails_at=2)
    await real_town.send(many_rows())
    platform.outbox = whole
    other = make_world(platform.database, issuer, tmp_path, ingest_chunk_rows=1600)
    async with other.client:
        assert (await other.send(many_rows())).status_code == 201
    after, before = await state(real_town), undisturbed
    assert after[:2] == before[:2]
    assert after[2][1]["counts"] == before[2][1]["counts"]


async def test_the_same_file_sent_twice_at_once_is_taken_once(real_town, undisturbed):
    answers = await asyncio.gather(*(real_town.send(many_rows()) for _ in range(3)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert await state(real_town) == undisturbed


async def test_overlapping_files_at_once_accept_each_key_once(real_town):
    bodies = [many_rows(seed, 1500) for seed in range(4)]
    answers = await asyncio.gather(*(real_town.send(body) for body in bodies))
    assert [answer.status_code for answer in answers] == [201] * 4
    keys = (await real_town.evidence()).column("key").to_pylist()
    assert len(keys) == len(set(keys)) == sum(answer.json()["accepted"] for answer in answers)
    said = [(row["subject"], row["occurred_on"]) for row in await real_town.said(EVIDENCE)]
    assert len(said) == len(set(said)) == len(keys)


async def test_a_full_raw_store_is_told_and_nothing_is_kept(town, tmp_path):
    before = await town.traces()
    full = with_deps(town, raw=RawStore("file:///dev/full", tmp_path / "scratch", town.deps.keys.files))
    answer = await full.send(csv_of(pharmacy(IDS[:3])))
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert await town.traces() == before


async def test_a_batch_of_a_killed_process_is_seen_as_taking_until_it_is_sent_again(real_town):
    platform = real_town.deps.platform
    whole, platform.outbox = platform.outbox, Flaky(platform.outbox, fails_at=3)
    await real_town.send(many_rows())
    platform.outbox = whole
    [row] = await real_town.rows("SELECT batch_id, chunks_done FROM batch WHERE kind = 'source'")
    async with platform.database.read() as tx:
        batch = await find_batch(tx, row["batch_id"])
    assert batch is not None
    assert (batch.status, batch.chunks_done, batch.rows) == ("taking", 2, 2000)


@pytest.mark.parametrize("fails_at", [1, 2])
async def test_a_roster_is_taken_whole_or_not_at_all(real_town, fails_at):
    before = await real_town.traces()
    platform = real_town.deps.platform
    whole, platform.outbox = platform.outbox, Flaky(platform.outbox, fails_at=fails_at)
    assert (await real_town.enrol(roster(range(25, 40)), confirm=True)).status_code == 500
    assert await real_town.traces() == before
    platform.outbox = whole
    said = (await real_town.enrol(roster(range(25, 40)), confirm=True)).json()
    assert (said["new"], said["ended"]) == (10, 25)


async def test_the_same_roster_sent_twice_at_once_is_taken_once(real_town):
    answers = await asyncio.gather(*(real_town.enrol(roster(range(40))) for _ in range(3)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    changes = [row["change"] for row in await real_town.said("ingest.enrolments.changed.v1")]
    assert changes.count("new") == 40


class Forgetful(RawStore):
    """A raw store; while the first file is put there, who looks for it finds none, and forgets its batch."""

    def begin(self, world) -> "Forgetful":
        self._world, self._loop, self.forgotten = world, asyncio.get_running_loop(), False
        return self

    @override
    def keep(self, received) -> None:
        if not self.forgotten:
            asyncio.run_coroutine_threadsafe(self._forget(), self._loop).result()
        super().keep(received)

    async def _forget(self) -> None:
        async with self._world.deps.platform.database.write() as tx:
            (row,) = await tx.fetch("SELECT batch_id FROM batch WHERE status = 'taking'")
            found = await find_batch(tx, row["batch_id"])
            assert found is not None
            await delete_untouched(tx, found)
        self.forgotten = True


@pytest.mark.parametrize("kind", ["source", "roster"])
async def test_a_batch_forgotten_while_its_file_comes_again_is_begun_again(real_town, undisturbed, tmp_path, kind):
    """As after a kill: whoever completes what was cut off finds no file yet, while its sender sends it once more."""
    raw = Forgetful(f"file://{tmp_path}", tmp_path / "scratch", real_town.deps.keys.files).begin(real_town)
    town = with_deps(real_town, raw=raw)
    if kind == "source":
        assert (await town.send(many_rows())).status_code == 201
        assert await state(town) == undisturbed
    else:
        assert (await town.enrol(roster(range(25, 40)), confirm=True)).json()["new"] == 10
    assert raw.forgotten
