"""Jobs over HTTP: whole programs and lists, logged, kept for a while, the same words as single checks."""

import base64
import hashlib
import io
import json
from datetime import timedelta
from uuid import UUID, uuid4

import polars as pl
import pytest

from services.recognition.jobs import BulkLoop
from services.recognition.store import files
from services.recognition.usecases import lists
from tests.services.recognition.world import (
    WHY,
    World,
    assessed,
    assessment,
    enrolled,
    enrolment,
    subject,
    visited,
)

pytestmark = pytest.mark.db

ID, OTHER_ID, THIRD_ID = "11010519491231002X", "340102194001010011", "341602195005050013"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def partner(issuer):
    return issuer.headers("recognition.check", "recognition.batch", role="partner", programs=["resident_pension"],
                          department="hrss", client_id="p-1") | WHY  # fmt: skip


def person(world: World, citizen_id: str = ID):
    return world.deps.subjects.one(citizen_id)


async def work(world: World) -> None:
    loop = BulkLoop(world.deps, world.deps.wake_bulk)
    while await loop.step():
        pass
    assert await loop.working() == 0


async def ask(http, headers, body: bytes = b"", **query):
    return await http.post("/v1/jobs", params={"program": "resident_pension", **query}, content=body, headers=headers)


async def done(world, http, partner, answer):
    assert answer.status_code == 202, answer.text
    await work(world)
    job = (await http.get(answer.headers["Location"], headers=partner)).json()
    assert job["state"] == "succeeded", job
    result = await http.get(job["result"]["href"], headers=partner)
    assert result.status_code == 200
    assert result.headers["Repr-Digest"] == job["result"]["digest"]
    digest = base64.b64encode(hashlib.sha256(result.content).digest()).decode()
    assert job["result"]["digest"] == f"sha-256=:{digest}:"
    assert job["result"]["bytes"] == len(result.content)
    return job, result


def lines_of(result) -> list[dict]:
    return [json.loads(line) for line in result.text.splitlines()]


async def test_a_list_is_answered_line_by_line_in_the_words_of_a_check(world, http, partner):
    await world.hear(enrolled(enrolment(person(world)) ), visited(person(world)), enrolled(enrolment(person(world, OTHER_ID))),
                     enrolled(enrolment(person(world, THIRD_ID))), assessed(assessment(person(world, THIRD_ID))))  # fmt: skip
    body = f"citizen_id,ref\n{ID},a-1\n{OTHER_ID},a-2\nnonsense,a-3\n{ID},a-4\n{THIRD_ID},\n{ID},{OTHER_ID}\n".encode()
    job, result = await done(world, http, partner, await ask(http, partner | CSV, body))
    said = lines_of(result)
    assert [(each["line"], each["ref"]) for each in said] == [
        (1, "a-1"), (2, "a-2"), (3, "a-3"), (4, "a-4"), (5, None), (6, None)
    ]  # fmt: skip
    assert [each["answer"] for each in said] == ["recognised", "not_yet", None, "recognised", "recognised", None]
    assert [each["problem"] and each["problem"]["code"] for each in said] == [
        None,
        None,
        "bad_citizen_id",
        None,
        None,
        "bad_ref",
    ]
    for place, citizen_id in ((0, ID), (1, OTHER_ID), (4, THIRD_ID)):
        question = {"program": "resident_pension", "citizen_id": citizen_id}
        single = (await http.post("/v1/recognitions:check", json=question, headers=partner)).json()
        assert {name: said[place][name] for name in single} == single
    assert job["counts"] == {"recognised": 3, "not_yet": 1, "denied:bad_citizen_id": 1, "denied:bad_ref": 1}
    assert (job["people"], job["done"]) == (6, 6)
    assert ID not in result.text


@pytest.fixture
def in_small_parts(monkeypatch):
    """Lists are worked off two lines at a time, and their results put together two lines at a time."""
    monkeypatch.setattr(lists, "PART_ROWS", 2)
    monkeypatch.setattr(files, "_WINDOW_LINES", 2)


async def test_a_long_list_is_answered_as_a_short_one_in_its_order(world, http, partner, request):
    await world.hear(enrolled(enrolment(person(world))), visited(person(world)), enrolled(enrolment(person(world, OTHER_ID))),
                     enrolled(enrolment(person(world, THIRD_ID))), assessed(assessment(person(world, THIRD_ID))))  # fmt: skip
    body = f"citizen_id,ref\n{THIRD_ID},1\nnonsense,2\n{ID},3\n{OTHER_ID},4\n{ID},不\n{THIRD_ID},6\n{OTHER_ID},7\n"
    _, whole = await done(world, http, partner, await ask(http, partner | CSV, body.encode()))
    request.getfixturevalue("in_small_parts")
    job, result = await done(world, http, partner, await ask(http, partner | CSV, body.encode()))
    assert lines_of(result) == lines_of(whole)
    assert [each["line"] for each in lines_of(result)] == list(range(1, 8))
    rows = await world.rows("SELECT parts, (SELECT count(*) FROM usage WHERE request_id = j.request_id AND action = 'job' "
                            "AND answer NOT LIKE 'result%') AS logged FROM job j ORDER BY job_id")  # fmt: skip
    assert [tuple(row.values()) for row in rows] == [(1, 7), (4, 7)]
    kept = world.deps.bulk.files
    assert not [path for path in kept._fs.ls(f"{kept._root}/{job['job_id']}", detail=False) if "window" in path]


async def test_every_line_is_logged_with_its_answer(world, http, partner):
    await world.hear(enrolled(enrolment(person(world))))
    await done(world, http, partner, await ask(http, partner | CSV, f"citizen_id\n{ID}\nbad\n".encode()))
    rows = await world.rows(
        "SELECT subject, answer, purpose, case_ref, client_id FROM usage WHERE action = 'job' ORDER BY usage_id"
    )
    assert [(row["subject"], row["answer"]) for row in rows[:2]] == [
        (person(world), "not_yet"), (None, "denied:bad_citizen_id"),
    ]  # fmt: skip
    assert rows[0]["purpose"] == "pay"
    assert rows[0]["client_id"] == "p-1"
    assert rows[2]["answer"].startswith("result:")


async def test_a_whole_program_says_everybody_the_owner_lists(world, http, partner):
    await world.hear(*(enrolled(enrolment(subject(1, shard))) for shard in range(16)), visited(subject(1, 3)),
                     enrolled(enrolment(subject(9)), program="old_age_allow"))  # fmt: skip
    job, result = await done(world, http, partner, await ask(http, partner))
    said = lines_of(result)
    assert (job["kind"], job["people"], len(said)) == ("program", 16, 16)
    assert sorted(each["answer"] for each in said) == ["not_yet"] * 15 + ["recognised"]
    assert len({each["person"] for each in said}) == 16
    assert len(await world.rows("SELECT FROM usage WHERE action = 'job' AND subject IS NOT NULL")) == 16


async def test_parquet_says_the_same_as_ndjson(world, http, partner):
    await world.hear(enrolled(enrolment(person(world))), visited(person(world)))
    body = f'{{"citizen_id": "{ID}", "ref": "r"}}\n{{"citizen_id": "?"}}\n'.encode()
    kind = {"Content-Type": "application/x-ndjson"}
    _, plain = await done(world, http, partner, await ask(http, partner | kind, body))
    _, columns = await done(world, http, partner, await ask(http, partner | kind, body, result="parquet"))
    frame = pl.read_parquet(io.BytesIO(columns.content))
    assert [json.loads(line) for line in frame.write_ndjson().splitlines()] == lines_of(plain)
    again = {"Content-Type": "application/vnd.apache.parquet"}
    sink = io.BytesIO()
    pl.DataFrame({"公民身份号码": [ID, "?"], "编号": ["r", None]}).write_parquet(sink)
    _, third = await done(world, http, partner, await ask(http, partner | again, sink.getvalue()))
    assert lines_of(third) == lines_of(plain)


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        ("text/csv", b"name\nx\n", 422, "bad_list"),
        ("text/csv", b"citizen_id\n", 422, "bad_list"),
        ("text/csv", b"\n", 422, "bad_list"),
        ("text/csv", b"\xff\xfe\x00", 422, "bad_list"),
        ("application/x-ndjson", b"[1]\n", 422, "bad_list"),
        ("application/x-ndjson", b"{\n", 422, "bad_list"),
        ("application/vnd.apache.parquet", b"PAR1 not", 422, "bad_list"),
        ("application/json", b"{}", 415, "unsupported_media_type"),
    ],
)  # fmt: skip
async def test_a_bad_list_is_refused_whole_and_logged(world, http, partner, kind, body, status, code):  # noqa: PLR0917
    answer = await ask(http, partner | {"Content-Type": kind}, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await world.rows("SELECT FROM job") == []
    assert [row["answer"] for row in await world.rows("SELECT answer FROM usage")] == [f"denied:{code}"]


async def test_a_list_beyond_the_limit_is_refused(world, http, partner):
    body = b"citizen_id\n" + b"x\n" * 10_001
    assert (await ask(http, partner | CSV, body)).status_code == 413
    assert (await ask(http, partner | CSV, b"x" * ((1 << 20) + 1))).status_code == 413


async def test_another_clients_job_is_not_there(world, http, partner, issuer):
    place = (await ask(http, partner)).headers["Location"]
    other = issuer.headers("recognition.batch", client_id="p-2", programs=["*"])
    for method, path in (("GET", place), ("DELETE", place), ("GET", f"{place}/result")):
        answer = await http.request(method, path, headers=other)
        assert answer.status_code == 404
    rows = await world.rows("SELECT client_id, answer FROM usage ORDER BY usage_id")
    assert [tuple(row.values()) for row in rows] == [("p-2", "denied:not_found")] * 3
    assert (await http.get("/v1/jobs", headers=other)).json() == {"items": [], "next": None}
    assert len((await http.get("/v1/jobs", headers=partner)).json()["items"]) == 1


async def test_another_departments_program_gets_no_job(world, http, partner):
    answer = await http.post("/v1/jobs", params={"program": "old_age_allow"}, headers=partner)
    assert answer.status_code == 404
    assert await world.rows("SELECT FROM job") == []


async def test_a_cancelled_job_has_no_result(world, http, partner):
    place = (await ask(http, partner)).headers["Location"]
    assert (await http.get(f"{place}/result", headers=partner)).status_code == 409
    assert (await http.delete(place, headers=partner)).status_code == 204
    await work(world)
    assert (await http.get(place, headers=partner)).json()["state"] == "cancelled"
    assert (await http.get(f"{place}/result", headers=partner)).status_code == 409


async def test_a_result_is_gone_after_three_days(world, http, partner):
    answer = await ask(http, partner)
    job, _ = await done(world, http, partner, answer)
    world.deps.clock.move(timedelta(hours=73))
    await BulkLoop(world.deps, world.deps.wake_bulk).clear_up()
    assert (await http.get(answer.headers["Location"], headers=partner)).json()["state"] == "expired"
    assert (await http.get(job["result"]["href"], headers=partner)).status_code == 410


async def test_one_client_has_so_many_jobs_under_way(world, http, partner):
    for _ in range(3):
        assert (await ask(http, partner)).status_code == 202
    answer = await ask(http, partner)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_jobs")
    assert answer.headers["Retry-After"]


async def test_the_same_request_under_one_key_has_one_effect(world, http, partner):
    key = {"Idempotency-Key": uuid4().hex}
    body = f"citizen_id\n{ID}\n".encode()
    first = await ask(http, partner | CSV | key, body)
    again = await ask(http, partner | CSV | key, body)
    assert (again.status_code, again.json(), again.headers["Location"]) == (
        202,
        first.json(),
        first.headers["Location"],
    )
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(await world.rows("SELECT FROM job")) == 1
    other = await ask(http, partner | CSV | key, body + b"x\n")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await ask(http, partner | CSV | {"Idempotency-Key": "short"}, body)).status_code == 422
    await done(world, http, partner, first)


async def test_a_part_that_fails_is_tried_again_and_then_given_up(world, http, partner, monkeypatch):
    place = (await ask(http, partner)).headers["Location"]

    def broken(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(type(world.deps.bulk.files), "write_part", broken)
    await work(world)
    job = (await http.get(place, headers=partner)).json()
    assert (job["state"], job["done"]) == ("failed", 0)
    assert await world.rows("SELECT FROM usage WHERE subject IS NOT NULL") == []


async def test_a_job_whose_list_was_lost_fails_at_once_and_keeps_nobody_waiting(world, http, partner):
    """As after a restore: the row came back, the file did not."""
    answers = [await ask(http, partner | CSV, f"citizen_id\n{each}\n".encode()) for each in (ID, OTHER_ID)]
    lost, kept = (answer.headers["Location"] for answer in answers)
    world.deps.bulk.files.drop(UUID(lost.rsplit("/", 1)[1]))
    await work(world)
    assert (await http.get(lost, headers=partner)).json()["state"] == "failed"
    assert (await http.get(kept, headers=partner)).json()["state"] == "succeeded"
    assert await world.rows("SELECT failures FROM job WHERE failures > 0") == []
