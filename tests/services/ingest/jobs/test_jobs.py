"""Silence is seen, old data go, files put into folders are fetched once."""

import asyncio
import os
from datetime import timedelta
from typing import Any

import fsspec
import orjson
import pytest
import structlog
from prometheus_client import REGISTRY

from services.ingest.api import taking
from services.ingest.jobs import pull as pull_job
from services.ingest.jobs.pull import Puller
from services.ingest.jobs.retention import Retention
from services.ingest.jobs.watch import Watch
from services.ingest.settings import Pull
from tests.services.ingest.api.test_held import faulty
from tests.services.ingest.world import IDS, NAMES, PROGRAM, csv_of, pharmacy, roster

pytestmark = pytest.mark.db


def parts(world) -> tuple[Any, Any, Any]:
    deps = world.deps
    return deps.platform.database, deps.platform.clock, deps.sources


async def test_quality_tells_shares_latency_and_silence(town):
    first = (await town.send(csv_of(pharmacy([*IDS[:8], IDS[35], "12"], "2023-10-22")))).json()
    found = (await town.get("/v1/sources/medins_pharmacy/quality")).json()
    assert {name: found[name] for name in ("rows", "accepted_share", "latency_days", "silent_days", "state")} == {
        "rows": 10,
        "accepted_share": 0.8,
        "latency_days": 10.0,
        "silent_days": 0,
        "state": "delivering",
    }
    assert found["match_rate"] == pytest.approx(8 / 9)
    await town.send(csv_of(pharmacy(IDS[:8], "2023-10-22")))
    await town.post(f"/v1/batches/{first['batch_id']}:withdraw", b"")
    left = (await town.get("/v1/sources/medins_pharmacy/quality")).json()
    figures = ("rows", "accepted_share", "match_rate", "latency_days")
    assert [left[name] for name in figures] == [8, 1.0, 1.0, 10.0]
    town.deps.platform.clock.move(timedelta(days=40))
    later = (await town.get("/v1/sources/medins_pharmacy/quality")).json()
    assert (later["state"], later["silent_days"], later["rows"]) == ("silent", 40, 0)
    assert (await town.get("/v1/sources/air_boarding/quality")).json()["state"] == "never"
    assert (await town.get("/v1/sources/no_such/quality")).status_code == 404


async def test_a_held_batch_is_no_delivery(town):
    await town.send(faulty())
    assert (await town.get("/v1/sources/medins_pharmacy/quality")).json()["state"] == "never"


async def test_a_source_that_falls_silent_is_noticed_and_shown(town):
    await town.send(csv_of(pharmacy(IDS[:3])))
    watch = Watch(*parts(town), town.deps.settings, town.deps.platform.outbox)
    assert await watch.look() == frozenset()
    labels = {"source": "medins_pharmacy"}
    assert REGISTRY.get_sample_value("ingest_source_accepted_share", labels) == 1
    town.deps.platform.clock.move(timedelta(days=40))
    assert await watch.look() == {"medins_pharmacy"}
    # Of what did not come there is no share.
    assert REGISTRY.get_sample_value("ingest_source_accepted_share", labels) is None
    assert REGISTRY.get_sample_value("ingest_source_silent", labels) == 1
    assert REGISTRY.get_sample_value("ingest_source_silent_days", labels) == 40
    await town.send(csv_of(pharmacy(IDS[:4])))
    assert await watch.look() == frozenset()


async def test_a_silence_is_said_once_whoever_looks_and_a_new_one_again(town):
    def watch() -> Watch:
        return Watch(*parts(town), town.deps.settings, town.deps.platform.outbox)

    async def missed() -> list[Any]:
        rows = await town.rows("SELECT body FROM outbox WHERE subject = 'ingest.delivery.missed.v1' ORDER BY seq")
        return [orjson.loads(row["body"]) for row in rows]

    await town.send(csv_of(pharmacy(IDS[:3])))
    await watch().look()
    assert await missed() == []
    town.deps.platform.clock.move(timedelta(days=10))
    for _ in range(2):
        await watch().look()  # a restarted process, or another one
    [said] = await missed()
    assert (said["source"], said["department"], said["expected_by"]) == (
        "medins_pharmacy", "medins", "2023-11-05T00:00:00+08:00",
    )  # fmt: skip
    await town.send(csv_of(pharmacy(IDS[:4])))
    await watch().look()
    town.deps.platform.clock.move(timedelta(days=10))
    await watch().look()
    assert len(await missed()) == 2


async def test_what_has_been_kept_long_enough_goes_and_the_rest_stays(town):
    old = (await town.send(csv_of(pharmacy([*IDS[:5], "12"], "2022-12-01")))).json()
    retention = Retention(*parts(town), town.deps.raw, town.deps.settings)
    town.deps.platform.clock.move(timedelta(days=30 * 15))  # December 2022 is more than 24 months ago
    await town.send(csv_of(pharmacy(IDS[:5], "2024-12-31")))
    await retention.forget()
    assert (await town.evidence()).num_rows == 10
    assert len(town.raw_files()) == 3
    town.deps.platform.clock.move(timedelta(days=30 * 12))
    await retention.forget()
    await retention.forget()
    assert (await town.evidence()).num_rows == 5
    assert len(town.raw_files()) == 1
    town.deps.platform.clock.move(timedelta(days=30 * 14))
    await retention.forget()
    assert await town.evidence() is None
    assert town.raw_files() == []
    assert (await town.rows("SELECT count(*) AS n FROM quarantine_segment"))[0]["n"] == 0
    batch = (await town.get(f"/v1/batches/{old['batch_id']}")).json()
    assert (batch["status"], batch["rows"]) == ("completed", 6)
    gone = await town.get(f"/v1/batches/{old['batch_id']}/quarantine/file", "ingest.upload")
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert town.leftovers() == []


async def test_an_old_death_is_said_once_and_stays_corrected_however_often_the_register_repeats_it(town):
    def register(*numbers: int) -> bytes:
        return csv_of({"身份证号": [IDS[number] for number in numbers], "姓名": [NAMES[number] for number in numbers],
                       "火化日期": ["2020-05-09"] * len(numbers), "性别": [""] * len(numbers)})  # fmt: skip

    retention = Retention(*parts(town), town.deps.raw, town.deps.settings)
    first = (await town.send(register(0, 1), "civil_cremation")).json()
    body = {"evidence_id": first["batch_no"] << 32, "reason": "录入错误"}
    answer = await town.client.post("/v1/corrections", json=body, headers=town.issuer.headers("ingest.upload"))
    assert answer.status_code == 201
    await retention.forget()
    again = (await town.send(register(0, 1, 2), "civil_cremation")).json()
    assert (again["accepted"], again["duplicate"], again["quarantine_reasons"]) == (1, 1, {"taken_back": 1})
    kept = await town.get(f"/v1/evidence/{first['batch_no'] << 32 | 1}", "audit.read")
    assert (kept.status_code, kept.json()["standing"]) == (200, "counts")
    town.deps.platform.clock.move(timedelta(days=30 * 30))
    await retention.forget()
    late = (await town.send(register(0), "civil_cremation")).json()
    assert late["quarantine_reasons"] == {"taken_back": 1}


@pytest.fixture
def puller(town):
    database, clock, sources = parts(town)

    async def take(pull, received, new):
        return await taking.take_pulled(town.deps, pull, received, new)

    return Puller(
        database=database, clock=clock, sources=sources, raw=town.deps.raw, settings=town.deps.settings, take=take
    )


async def outcomes(world) -> list[str]:
    return sorted(row["outcome"] for row in await world.rows("SELECT outcome FROM pulled"))


async def test_a_file_put_into_a_folder_is_fetched_once(town, puller, tmp_path):
    inbox = tmp_path / "inbox"
    (inbox / "may").mkdir(parents=True)
    pull = Pull(source="medins_pharmacy", url=f"file://{inbox}")
    (inbox / "may" / "a.csv").write_bytes(csv_of(pharmacy(IDS[:5])))
    assert [await puller.look(pull) for _ in range(3)] == [0, 1, 0]
    assert await outcomes(town) == ["completed"]
    assert len(await town.said("ingest.evidence.accepted.v1")) == 5
    [batch] = await town.rows("SELECT filename, department, client_id FROM batch WHERE kind = 'source'")
    assert batch == {"filename": "a.csv", "department": "medins", "client_id": "pull"}


async def test_a_roster_put_into_a_folder_is_taken(town, puller, tmp_path, monkeypatch):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    pull = Pull(program=PROGRAM, department="hrss", mode="full", url=f"file://{inbox}")
    read = pull_job._read

    def put(name: str, numbers: list[int], at: int) -> None:
        (inbox / f"{name}.csv").write_bytes(csv_of(roster(numbers)))
        os.utime(inbox / f"{name}.csv", (at, at))

    def failing(store, path):
        raise PermissionError

    # The first one was there before, whatever it is called.
    put("9", [*range(30), 30, 31], 1_000)
    assert await puller.look(pull) == 0
    put("10", [*range(30), 31], 2_000)
    monkeypatch.setattr(pull_job, "_read", failing)
    assert await puller.look(pull) == 0
    monkeypatch.setattr(pull_job, "_read", read)
    # Of what is there now the earlier one waits: so does the later one.
    put("9", [*range(30), 30, 31], 1_500)
    assert [await puller.look(pull) for _ in range(3)] == [0, 2, 0]
    put("8", [*range(29)], 1_200)
    assert [await puller.look(pull) for _ in range(3)] == [0, 0, 0]
    # Nor does an older one count when the newer ones have been cleared away, nor behind one that waits.
    for each in inbox.iterdir():
        each.unlink()
    # One from a clock that is ahead counts from then on, and bars none of those that come after it.
    now = int(town.deps.platform.clock.now().timestamp())
    for name, count, at, done in (
        ("7", 28, 1_800, 0), ("11", 12, 3_000, 1), ("6", 28, 2_500, 0),
        ("12", 33, 2 * now, 1), ("5", 28, 4_000, 0), ("13", 30, now, 1),
    ):  # fmt: skip
        put(name, [*range(count)], at)
        assert [await puller.look(pull) for _ in range(2)] == [0, done]
    assert await outcomes(town) == [*["completed"] * 4, "roster_held", *["roster_overtaken"] * 4]
    taken = await town.rows(
        "SELECT code, department, counts->>'new' AS new FROM batch WHERE client_id = 'pull' AND status = 'completed' "
        "ORDER BY batch_no"
    )
    assert taken == [{"code": PROGRAM, "department": "hrss", "new": new} for new in ("2", "0", "1", "0")]


async def test_a_file_still_being_written_is_left_until_it_rests(town, puller, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    pull = Pull(source="medins_pharmacy", url=f"file://{inbox}")
    body = csv_of(pharmacy(IDS[:5]))
    (inbox / "a.csv").write_bytes(body[:60])
    (inbox / "b.csv.part").write_bytes(body)
    (inbox / ".hidden.csv").write_bytes(body)
    assert await puller.look(pull) == 0
    (inbox / "a.csv").write_bytes(body)
    assert [await puller.look(pull) for _ in range(3)] == [0, 1, 0]
    assert len(await town.said("ingest.evidence.accepted.v1")) == 5


async def test_a_bad_or_held_file_is_noted_and_not_asked_for_again(town, puller, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "bad.csv").write_bytes(b"a,b\n1,2\n")
    (inbox / "held.csv").write_bytes(faulty())
    pull = Pull(source="medins_pharmacy", url=f"file://{inbox}")
    assert [await puller.look(pull) for _ in range(3)] == [0, 2, 0]
    assert await outcomes(town) == ["batch_held", "missing_columns"]
    assert town.leftovers() == []


async def test_a_file_that_cannot_be_read_leaves_the_others_their_turn(town, puller, tmp_path, monkeypatch):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name, number in {"a": 0, "b": 1, "c": 2}.items():
        (inbox / f"{name}.csv").write_bytes(csv_of(pharmacy(IDS[number : number + 1])))
    read, errors = pull_job._read, {"a.csv": PermissionError(13, "denied"), "b.csv": RuntimeError("of this store only")}

    def refusing(store, path):
        if error := errors.get(path.rsplit("/", 1)[-1]):
            raise error
        return read(store, path)

    monkeypatch.setattr(pull_job, "_read", refusing)
    pull = Pull(source="medins_pharmacy", url=f"file://{inbox}")
    with structlog.testing.capture_logs() as logs:
        assert [await puller.look(pull) for _ in range(2)] == [0, 1]
    assert [each["reason"] for each in logs if each["event"] == "pull_failed"] == ["PermissionError", "RuntimeError"]
    assert await outcomes(town) == ["completed"]
    errors.clear()
    assert await puller.look(pull) == 2
    assert town.leftovers() == []


async def test_a_broken_read_is_no_full_store(town):
    async def pieces():
        yield b"a"
        raise PermissionError

    with pytest.raises(PermissionError):
        await town.deps.raw.receive(pieces(), limit=10)
    assert town.leftovers() == []


async def test_a_bucket_is_read_like_a_folder(town, puller):
    store = fsspec.filesystem("memory")
    store.pipe("/medins/a.csv", csv_of(pharmacy(IDS[:5])))
    pull = Pull(source="medins_pharmacy", url="memory://medins")
    assert [await puller.look(pull) for _ in range(2)] == [0, 1]
    store.rm("/medins", recursive=True)


async def test_the_loop_goes_on_when_a_folder_cannot_be_reached(town, puller, monkeypatch):
    looked: list[str] = []

    async def unreachable(pull):
        looked.append(pull.source)
        raise OSError if len(looked) % 2 else RuntimeError

    # The same folder for two sources is two folders to look into.
    pulls = [Pull.model_construct(source=code, url="x", every_seconds=0.0) for code in ("air_boarding", "rail_trip")]
    monkeypatch.setattr(puller, "look", unreachable)
    monkeypatch.setattr(pull_job, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(puller, "_settings", town.deps.settings.model_copy(update={"ingest_pulls": tuple(pulls)}))
    running = asyncio.create_task(puller.run())
    async with asyncio.timeout(50):
        while len(looked) < 4:
            await asyncio.sleep(0)
    running.cancel()
    assert looked[:4] == ["air_boarding", "rail_trip"] * 2
