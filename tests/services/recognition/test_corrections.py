"""What a partner finds wrong goes to the department it came from, and the answer comes back."""

from uuid import UUID, uuid4

import pytest

from shared.contracts.events.ingest import CORRECTION_CHANGED, CorrectionChanged
from shared.contracts.events.recognition import CORRECTION_REQUESTED, CorrectionRequested
from tests.services.recognition.test_feed import read, said_facts
from tests.services.recognition.test_jobs import ID, OTHER_ID, person
from tests.services.recognition.world import NOW, assessed, assessment, enrolled, enrolment, message

pytestmark = pytest.mark.db


async def test_a_correction_goes_to_the_departments_and_their_answer_comes_back(world, http, partner):
    she = person(world)
    await world.hear(enrolled(enrolment(she)), assessed(assessment(she, evidence_ids=[7, 8])))
    body = {"program": "resident_pension", "citizen_id": ID, "reason": f"not {ID} but her sister"}
    answer = await http.post("/v1/corrections", json=body, headers=partner)
    assert answer.status_code == 202, answer.text
    [fact] = await said_facts(world, CORRECTION_REQUESTED, CorrectionRequested)
    assert (fact.subject, sorted(fact.evidence_ids), fact.asked_by) == (she, [7, 8], "p-1")
    assert ID not in fact.reason
    for part, status in (("a", "open"), ("b", "open"), ("a", "accepted"), ("b", "refused")):
        changed = CorrectionChanged(
            correction_id=UUID(int=ord(part)), request_id=fact.correction_id, source=part, department="medins", status=status,
            reason="it is right", asked_by="p-1", evidence_ids=[7], subject=she, due_on=NOW.date(), changed_at=NOW)  # fmt: skip
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
