"""What a partner finds wrong goes to the department it came from, and the answer comes back."""

from uuid import UUID, uuid4

import pytest

from services.recognition.tables import METADATA
from shared.contracts.events.ingest import CORRECTION_CHANGED, CorrectionChanged
from shared.contracts.events.recognition import CORRECTION_REQUESTED, CorrectionRequested
from shared.contracts.vocabulary import CorrectionStatus
from shared.kit.bus import PoisonError
from shared.kit.crypto import sendable
from tests.services.recognition.test_feed import read, said_facts
from tests.services.recognition.test_jobs import ID, OTHER_ID, person
from tests.services.recognition.world import NOW, assessed, assessment, enrolled, enrolment, message
from tests.support.traces import plain

pytestmark = pytest.mark.db


def sealed(world, text: str, correction_id: UUID) -> str:
    return sendable(world.deps.vault.seal_text(text, correction_id))


async def test_a_correction_goes_to_the_departments_and_their_answer_comes_back(world, http, partner):
    she = person(world)
    await world.hear(enrolled(enrolment(she)), assessed(assessment(she, evidence_ids=[7, 8])))
    body = {"program": "resident_pension", "citizen_id": ID, "reason": f"not {ID} but her sister"}
    answer = await http.post("/v1/corrections", json=body, headers=partner)
    assert answer.status_code == 202, answer.text
    [fact] = await said_facts(world, CORRECTION_REQUESTED, CorrectionRequested)
    assert (fact.subject, sorted(fact.evidence_ids), fact.asked_by) == (she, [7, 8], "p-1")
    assert ID not in answer.text
    for part, status in (("a", "open"), ("b", "open"), ("a", "accepted"), ("b", "refused")):
        changed = CorrectionChanged(
            correction_id=UUID(int=ord(part)), request_id=fact.correction_id, source=part, department="medins", status=status,
            reason="in_own_words", sealed_reason=sealed(world, "it is right", UUID(int=ord(part))), asked_by="p-1", evidence_ids=[7], subject=she, due_on=NOW.date(), changed_at=NOW)  # fmt: skip
        await world.hear(message(CORRECTION_CHANGED, changed.model_dump_json().encode()))
    now = (await http.get(answer.headers["Location"], headers=partner)).json()
    assert (now["status"], now["answer"], now["due_on"]) == ("refused", "it is right", "2023-11-01")
    looks = await world.rows("SELECT answer FROM usage WHERE action = 'correction' AND subject = $1", she)
    assert [row["answer"] for row in looks] == ["correction_requested", "seen"]
    [event] = (await read(http, partner))["items"]
    assert (event["kind"], event["correction"], event["reason"]) == (
        "correction.changed",
        now["correction_id"],
        "refused",
    )


async def test_what_is_written_is_read_by_who_asked_and_stands_plain_nowhere(world, http, partner):
    she, words, why = person(world), "「欧阳建国」的父亲未住院", "欧阳建国本人到院核对"
    await world.hear(enrolled(enrolment(she)), assessed(assessment(she, evidence_ids=[7])))
    body = {"program": "resident_pension", "citizen_id": ID, "reason": words}
    keyed = partner | {"Idempotency-Key": "corrected-1"}
    asked, again = [await http.post("/v1/corrections", json=body, headers=keyed) for _ in range(2)]
    assert (asked.status_code, asked.json()["reason"]) == (202, words)
    assert asked.headers["Location"].endswith(asked.json()["correction_id"])
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (asked.json(), "true")
    [fact] = await said_facts(world, CORRECTION_REQUESTED, CorrectionRequested)
    vault, about = world.deps.vault, fact.correction_id
    assert (fact.reason, vault.open_text(vault.received(fact.sealed_reason, about), about)) == ("in_own_words", words)
    answered = CorrectionChanged(
        correction_id=UUID(int=5), request_id=about, source="a", department="medins", status=CorrectionStatus.REFUSED,
        reason="in_own_words", sealed_reason=sealed(world, why, UUID(int=5)), asked_by="p-1", evidence_ids=[7],
        subject=she, due_on=NOW.date(), changed_at=NOW,
    )  # fmt: skip
    older = {"reason": why, "sealed_reason": None}
    for changes in ({}, older):
        said = answered.model_copy(update=changes).model_dump_json().encode()
        await world.hear(message(CORRECTION_CHANGED, said))
        now = (await http.get(asked.headers["Location"], headers=partner)).json()
        assert (now["status"], now["reason"], now["answer"]) == ("refused", words, why)
    assert await plain(world.deps.database, METADATA, "欧阳建国") == []
    looks = await world.rows("SELECT subject, program, answer FROM usage WHERE action = 'correction' ORDER BY usage_id")
    assert [(each["subject"], each["program"]) for each in looks] == [(she, "resident_pension")] * 3
    assert [each["answer"] for each in looks] == ["correction_requested", "seen", "seen"]
    moved = answered.model_copy(update={"sealed_reason": sealed(world, why, UUID(int=6))})
    with pytest.raises(PoisonError):
        await world.hear(message(CORRECTION_CHANGED, moved.model_dump_json().encode()))


async def test_a_code_is_said_as_it_is(world, http, partner):
    she = person(world)
    await world.hear(enrolled(enrolment(she)), assessed(assessment(she, evidence_ids=[7])))
    body = {"program": "resident_pension", "citizen_id": ID, "reason": "false_death"}
    assert (await http.post("/v1/corrections", json=body, headers=partner)).json()["reason"] == "false_death"
    [fact] = await said_facts(world, CORRECTION_REQUESTED, CorrectionRequested)
    assert (fact.reason, fact.sealed_reason) == ("false_death", None)


async def test_what_cannot_be_corrected_is_refused_and_logged(world, http, partner, issuer):
    await world.hear(enrolled(enrolment(person(world))))
    body = {"program": "resident_pension", "reason": "wrong"}
    for citizen_id, status in ((ID, 409), (OTHER_ID, 404), ("1" * 18, 422)):
        answer = await http.post("/v1/corrections", json=body | {"citizen_id": citizen_id}, headers=partner)
        assert answer.status_code == status
    other = await http.get(f"/v1/corrections/{uuid4()}", headers=partner)
    assert other.status_code == 404
    assert [row["answer"] for row in await world.rows("SELECT answer FROM usage ORDER BY usage_id")] == [
        "denied:conflict", "denied:not_found", "denied:malformed", "denied:not_found",
    ]  # fmt: skip
