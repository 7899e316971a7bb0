"""Somebody else says that a department's record is wrong: it is asked, it answers, and its answer is final."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.ingest.handlers import Hearing
from services.ingest.tables import METADATA
from shared.contracts.events import CASE_CONCLUDED, CaseConcluded
from shared.contracts.events.recognition import CORRECTION_REQUESTED, CorrectionRequested
from shared.kit.bus import Message, PoisonError
from shared.kit.crypto import sendable
from tests.services.ingest.api.test_corrections import EMR, changes, correct, counting, stays, withdraw
from tests.services.ingest.world import IDS, NAMES, NOW, csv_of
from tests.support.traces import plain

pytestmark = pytest.mark.db
WORDS = "「欧阳建国」的父亲未在该院住院"


def message(event, said) -> Message:
    return Message(
        id=uuid4(), event=event, shard=None, attributes={}, happened_at=NOW, body=said.model_dump_json().encode()
    )


def hearing(world) -> Hearing:
    platform = world.deps.platform
    return Hearing(
        outbox=platform.outbox,
        sources=world.deps.sources,
        clock=platform.clock,
        vault=world.deps.keys.vault,
        working_days=5,
    )


async def ask(world, number: int, *evidence_ids: int, **changes: Any) -> UUID:
    said = CorrectionRequested(
        correction_id=uuid4(), subject=world.deps.keys.subject.one(IDS[number]), evidence_ids=list(evidence_ids),
        reason="本人未在该院住院", asked_by="citizen", requested_at=NOW,
    ).model_copy(update=changes)  # fmt: skip
    async with world.deps.platform.database.write() as tx:
        await hearing(world).on_correction_requested(tx, message(CORRECTION_REQUESTED, said))
        await hearing(world).on_correction_requested(tx, message(CORRECTION_REQUESTED, said))
    return said.correction_id


async def conclude(world, number: int, conclusion: str, *evidence_ids: int) -> UUID:
    said = CaseConcluded(
        case_id=uuid4(), subject=world.deps.keys.subject.one(IDS[number]), kind="suspected_death",
        conclusion=conclusion, event_on=None, concluded_at=NOW, verified_by="w1", concluded_by="v1",
        evidence_ids=evidence_ids,
    )  # fmt: skip
    async with world.deps.platform.database.write() as tx:
        await hearing(world).on_case_concluded(tx, message(CASE_CONCLUDED, said))
    return said.case_id


async def answer(world, correction_id: object, verb: str, status: int = 200, department: str = "health", **body) -> Any:
    headers = world.issuer.headers("ingest.upload", department=department, user="李科长")
    said = await world.client.post(f"/v1/corrections/{correction_id}:{verb}", json=body, headers=headers)
    assert said.status_code == status, said.text
    return said.json()


async def test_a_false_death_goes_back_to_each_register_it_came_from(town):
    emr = (await town.send(stays((0, "2023-05-09", "死亡")), EMR)).json()
    cremation = csv_of({"身份证号": IDS[:1], "姓名": NAMES[:1], "火化日期": ["2023-05-11"]})
    funeral = (await town.send(cremation, "civil_cremation")).json()
    case_id = await conclude(town, 0, "false_death", emr["batch_no"] << 32, funeral["batch_no"] << 32)
    said = await changes(town)
    assert {(each["department"], each["status"], each["request_id"]) for each in said} == {
        ("health", "open", str(case_id)), ("civil", "open", str(case_id)),
    }  # fmt: skip
    assert {each["due_on"] for each in said} == {"2023-11-08"}  # five working days after Wednesday, 1 November
    [mine] = (await town.get("/v1/corrections?status=open", department="health")).json()["items"]
    assert (mine["source"], mine["records"][0]["filename"], mine["overdue"]) == (EMR, "upload", False)
    assert mine["reason"].startswith("网格核查确认本人健在")
    assert {each["reason"] for each in said} == {"false_death"}
    done = await answer(town, mine["correction_id"], "accept", note="已更正")
    assert (done["status"], done["answered_by"], done["answer"]) == ("accepted", "李科长", "已更正")
    assert {kind for _, _, kind in await counting(town)} == {"died"}
    assert (await changes(town))[-1]["status"] == "accepted"
    assert (await town.get("/v1/corrections?status=open", department="health")).json()["items"] == []


async def test_other_conclusions_ask_nobody(town):
    emr = (await town.send(stays((0, "2023-05-09", "死亡")), EMR)).json()
    await conclude(town, 0, "confirmed", emr["batch_no"] << 32)
    await conclude(town, 0, "false_death")
    assert await changes(town) == []


async def test_a_request_is_one_however_often_it_comes_and_names_only_the_persons_records(town):
    said = (await town.send(stays((0, "2023-05-09", "治愈"), (1, "2023-05-09", "治愈")), EMR)).json()
    request = await ask(town, 0, said["batch_no"] << 32, said["batch_no"] << 32 | 1, 999 << 32)
    [change] = await changes(town)
    assert (change["correction_id"], change["evidence_ids"]) == (str(request), [said["batch_no"] << 32])
    await ask(town, 2, said["batch_no"] << 32)
    assert len(await changes(town)) == 1


async def test_a_refusal_says_why_and_is_final(town):
    said = (await town.send(stays((0, "2023-05-09", "治愈")), EMR)).json()
    request = await ask(town, 0, said["batch_no"] << 32)
    await answer(town, request, "refuse", 404, department="police", reason="不是我们的")
    done = await answer(town, request, "refuse", reason="病案首页与身份证核验一致")
    assert (done["status"], done["answer"]) == ("refused", "病案首页与身份证核验一致")
    said = (await changes(town))[-1]
    sealed = town.deps.keys.vault.received(said["sealed_reason"], request)
    assert town.deps.keys.vault.open_text(sealed, request) == "病案首页与身份证核验一致"
    await answer(town, request, "accept", 409)
    assert len(await counting(town)) == 1


# ---- what people write names people ----------------------------------------------------------------------------------


def sealed(world, correction_id: UUID, text: str = WORDS) -> dict[str, Any]:
    """A request as recognition says it."""
    words = sendable(world.deps.keys.vault.seal_text(text, correction_id))
    return {"correction_id": correction_id, "reason": "in_own_words", "sealed_reason": words}


@pytest.mark.parametrize("verb", ["refuse", "accept"])
@pytest.mark.parametrize("of", ["this version", "the version before"])
async def test_what_is_written_is_read_by_the_department_and_stands_plain_nowhere(town, of, verb):
    first = (await town.send(stays((0, "2023-05-09", "治愈")), EMR)).json()
    cremation = csv_of({"身份证号": IDS[:1], "姓名": NAMES[:1], "火化日期": ["2023-05-11"]})
    second = (await town.send(cremation, "civil_cremation")).json()
    told = sealed(town, uuid4()) if of == "this version" else {"reason": WORDS}
    await ask(town, 0, first["batch_no"] << 32, second["batch_no"] << 32, **told)
    listed = (await town.get("/v1/corrections?status=open")).json()["items"]
    assert {(each["department"], each["reason"]) for each in listed} == {("health", WORDS), ("civil", WORDS)}
    request = next(each["correction_id"] for each in listed if each["department"] == "health")
    why = "欧阳建国本人到院核对"
    body: Any = {"reason" if verb == "refuse" else "note": why}
    done = await answer(town, request, verb, **body)
    found = (await town.get(f"/v1/corrections/{request}")).json()
    assert (found["reason"], found["answer"]) == (done["reason"], done["answer"]) == (WORDS, why)
    assert {each["reason"] for each in await changes(town)} == {"in_own_words"}
    assert await plain(town.deps.platform.database, METADATA, "欧阳建国") == []


async def test_what_a_department_writes_of_its_own_record_stands_plain_nowhere(town):
    said = (await town.send(stays((0, "2023-05-09", "死亡")), EMR)).json()
    made = await correct(town, batch_id=said["batch_id"], row_no=0, reason=WORDS, department="health")
    assert (await town.get(f"/v1/corrections/{made['correction_id']}")).json()["reason"] == made["reason"] == WORDS
    assert await plain(town.deps.platform.database, METADATA, "欧阳建国") == []
    [row] = await town.rows("SELECT body FROM outbox WHERE subject LIKE 'ingest.evidence.corrected.%'")
    assert b"in_own_words" in row["body"]


async def test_each_look_at_what_is_written_is_logged(town):
    said = (await town.send(stays((0, "2023-05-09", "治愈"), (1, "2023-05-09", "治愈")), EMR)).json()
    request = await ask(town, 0, said["batch_no"] << 32)
    await ask(town, 1, said["batch_no"] << 32 | 1)
    await town.get("/v1/corrections", user="李科长")
    await town.get(f"/v1/corrections/{request}", user="李科长")
    await town.get(f"/v1/corrections/{request}", department="police")
    looks = await town.rows('SELECT subject, "user", purpose FROM look ORDER BY seq')
    people = [town.deps.keys.subject.one(IDS[number]) for number in (0, 1, 0)]
    assert [(each["user"], each["purpose"]) for each in looks] == [("李科长", "correction")] * 3
    assert sorted(each["subject"] for each in looks) == sorted(people)


async def test_words_of_another_correction_are_refused(town):
    said = (await town.send(stays((0, "2023-05-09", "治愈")), EMR)).json()
    moved = sealed(town, uuid4()) | {"correction_id": uuid4()}
    with pytest.raises(PoisonError):
        await ask(town, 0, said["batch_no"] << 32, **moved)


async def test_what_the_version_before_kept_plain_is_read_and_not_said_on(town):
    said = (await town.send(stays((0, "2023-05-09", "治愈")), EMR)).json()
    request = await ask(town, 0, said["batch_no"] << 32)
    async with town.deps.platform.database.write() as tx:
        await tx.run("UPDATE correction SET reason = $1, sealed_reason = NULL", WORDS)
    done = await answer(town, request, "accept")
    assert (done["reason"], done["answer"]) == (WORDS, None)
    assert {each["reason"] for each in await changes(town)} == {"in_own_words"}


async def test_an_accepted_request_can_bring_what_is_right(town):
    said = (await town.send(stays((0, "2023-05-09", "死亡")), EMR)).json()
    request = await ask(town, 0, said["batch_no"] << 32)
    right = {"citizen_id": IDS[0], "name": NAMES[0], "occurred_on": "2023-05-09", "values": {"outcome": "转院"}}
    await answer(town, request, "accept", 422, replacements=[right | {"values": {"outcome": "?"}}])
    assert {kind for _, _, kind in await counting(town)} == {"hospital_death"}
    await answer(town, request, "accept", replacements=[right])
    assert {kind for _, _, kind in await counting(town)} == {"seen"}


@pytest.mark.parametrize("by", ["withdrawal", "own correction"])
async def test_an_open_request_is_answered_by_what_the_department_does_anyhow(town, by):
    said = (await town.send(stays((0, "2023-05-09", "死亡"), (1, "2023-05-09", "治愈")), EMR)).json()
    request = await ask(town, 0, said["batch_no"] << 32)
    if by == "withdrawal":
        await withdraw(town, said)
    else:
        await correct(town, batch_id=said["batch_id"], row_no=0)
    found = (await town.get(f"/v1/corrections/{request}")).json()
    assert found["status"] == "accepted"
    late = await ask(town, 0, said["batch_no"] << 32)
    assert (await town.get(f"/v1/corrections/{late}")).json()["status"] == "accepted"


async def test_a_late_answer_is_seen_and_pages_lead_on(town):
    said = (await town.send(stays(*((number, "2023-05-09", "治愈") for number in range(3))), EMR)).json()
    for number in range(3):
        await ask(town, number, said["batch_no"] << 32 | number)
    town.deps.platform.clock.move(timedelta(days=9))
    first = (await town.get("/v1/corrections?limit=2")).json()
    rest = (await town.get(f"/v1/corrections?limit=2&after={first['next_after']}")).json()
    assert [each["overdue"] for each in first["items"] + rest["items"]] == [True] * 3
    assert rest["next_after"] is None
