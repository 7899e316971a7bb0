"""Partners are told what happens in their programs, in one order, until they have answered."""

import base64
from uuid import UUID, uuid4

import pytest

from shared.contracts.events import CERTIFICATE_REVOKED, CERTIFICATES_ISSUED, CertificateRevoked
from shared.contracts.events.notify import ENDPOINT_CHANGED, RECEIPT_RECORDED, EndpointChanged
from shared.contracts.events.recognition import (
    ENROLMENT_TERMINATED,
    PARTNER_EVENTS_RECORDED,
    SUBSCRIPTION_CHANGED,
    EnrolmentStateChanged,
    SubscriptionChanged,
)
from tests.services.recognition.test_jobs import ID, person
from tests.services.recognition.world import (
    NOW,
    WHY,
    assessed,
    assessment,
    enrolled,
    enrolment,
    message,
    table_message,
    visited,
)

pytestmark = pytest.mark.db
URL = "https://hooks.partner.example/wugan"


@pytest.fixture
def officer(issuer):
    return issuer.headers("recognition.manage", role="officer", programs=["*"], client_id="o-1", user="officer-1")


async def revoke(world, who, **changes):
    fact = {"certificate_id": uuid4(), "subject": who, "claim": "alive", "reason": "death", "successor_id": None,
            "revoked_at": NOW} | changes  # fmt: skip
    await world.hear(message(CERTIFICATE_REVOKED, CertificateRevoked(**fact).model_dump_json().encode()))
    return fact["certificate_id"]


async def issue(world):
    """Hear what was said of certificates, as the bus brings it back."""
    for row in await world.rows(
        "SELECT body FROM outbox WHERE subject LIKE $1 ORDER BY seq", f"{CERTIFICATES_ISSUED.name}%"
    ):
        await world.hear(message(CERTIFICATES_ISSUED, row["body"]))


async def read(http, partner, **query):
    answer = await http.get("/v1/events", params=query, headers=partner)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ack(http, partner, cursor):
    return await http.post("/v1/events:ack", json={"cursor": cursor}, headers=partner)


async def said_facts(world, event, model):
    rows = await world.rows("SELECT body FROM outbox WHERE subject = $1 ORDER BY seq", event.name)
    return [model.model_validate_json(row["body"]) for row in rows]


async def handovers(world):
    return [
        tuple(row.values())
        for row in await world.rows("SELECT client_id, state, tries FROM handover ORDER BY client_id")
    ]


async def test_a_revocation_reaches_every_program_of_the_person_and_only_its_own_partner(world, http, partner, issuer):
    she = person(world)
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(she), program="old_age_allow"))
    await revoke(world, she)
    [event] = (await read(http, partner))["items"]
    assert (event["kind"], event["program"], event["reason"]) == ("certificate.revoked", "resident_pension", "death")
    assert event["person"] == str(world.deps.pseudonym("p-1", she))
    assert str(she) not in str(event)
    everybody = issuer.headers("recognition.check", programs=["*"], client_id="p-9")
    assert {each["program"] for each in (await read(http, everybody))["items"]} == {"resident_pension", "old_age_allow"}
    logged = await world.rows("SELECT action, answer, subject FROM usage WHERE client_id = 'p-1'")
    assert [tuple(row.values()) for row in logged] == [("events", "certificate.revoked", she)]


async def test_the_feed_goes_on_behind_the_cursor_and_begins_behind_what_was_acknowledged(world, http, partner):
    she = person(world)
    await world.hear(enrolled(enrolment(she)))
    for _ in range(3):
        await revoke(world, she)
    first = await read(http, partner, limit=2)
    assert len(first["items"]) == 2
    rest = await read(http, partner, after=first["next"])
    assert len(rest["items"]) == 1
    assert rest["items"][0]["version"] > first["items"][1]["version"]
    assert (await read(http, partner, after=rest["next"])) == {"items": [], "next": rest["next"]}
    assert len((await read(http, partner))["items"]) == 3
    assert (await ack(http, partner, first["next"])).json() == {"acknowledged": 2}
    assert (await read(http, partner))["items"] == rest["items"]


async def test_a_cursor_of_another_client_is_none(world, http, partner, issuer):
    other = issuer.headers("recognition.check", programs=["*"], client_id="p-2")
    cursor = (await read(http, other))["next"]
    for answer in (
        await ack(http, partner, cursor),
        await http.get("/v1/events", params={"after": cursor}, headers=partner),
    ):
        assert answer.status_code == 422
    assert (await ack(http, partner, "AAAA")).status_code == 422
    assert [row["answer"] for row in await world.rows("SELECT answer FROM usage WHERE client_id = 'p-1'")] == [
        "denied:malformed"
    ] * 3


async def test_certificates_are_told_to_who_listens(world, http, partner):
    await world.hear(enrolled(enrolment(person(world))), assessed(assessment(person(world))))
    await issue(world)
    assert (await read(http, partner))["items"] == []
    await world.hear(visited(person(world)))
    await issue(world)
    [first, second] = (await read(http, partner))["items"]
    assert {first["kind"], second["kind"]} == {"certificate.issued"}
    held = await http.get(f"/v1/certificates/{second['certificate']}", headers=partner)
    assert held.json()["evidence_class"] == "in_person"


async def test_a_decision_reaches_its_program_alone(world, http, partner):
    she = person(world)
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(she), program="old_age_allow"))
    fact = EnrolmentStateChanged(subject=she, program="old_age_allow", decision_id=uuid4(), case_id=None, reason="death",
                                 effective_on=NOW.date(), decided_at=NOW)  # fmt: skip
    await world.hear(message(ENROLMENT_TERMINATED, fact.model_dump_json().encode()))
    assert (await read(http, partner))["items"] == []
    mine = fact.model_copy(update={"program": "resident_pension"})
    await world.hear(message(ENROLMENT_TERMINATED, mine.model_dump_json().encode()))
    [event] = (await read(http, partner))["items"]
    assert (event["kind"], event["decision"], event["certificate"]) == (
        "enrolment.terminated",
        str(fact.decision_id),
        None,
    )
    assert (await http.get(f"/v1/events/{event['event_id']}", headers=partner)).json() == event


async def test_receipts_are_kept_and_a_rejection_is_shown_with_its_reason(world, http, partner, officer):
    await world.hear(enrolled(enrolment(person(world))))
    await revoke(world, person(world))
    [event] = (await read(http, partner))["items"]
    other = str(uuid4())
    body = {"items": [{"event_id": event["event_id"], "outcome": "rejected", "reason": f"no account of {ID}"},
                      {"event_id": other, "outcome": "accepted"}]}  # fmt: skip
    answer = await http.post("/v1/receipts", json=body, headers=partner)
    assert answer.json() == {
        "items": [{"event_id": event["event_id"], "known": True}, {"event_id": other, "known": False}]
    }
    [shown] = (await http.get("/v1/undelivered", headers=officer)).json()["items"]
    assert shown["state"] == "rejected"
    assert ID not in shown["reason"]
    accepted = {"items": [{"event_id": event["event_id"], "outcome": "accepted"}]}
    await http.post("/v1/receipts", json=accepted, headers=partner)
    assert await handovers(world) == [("p-1", "accepted", 1)]
    silent = {"items": [{"event_id": event["event_id"], "outcome": "rejected"}]}
    assert (await http.post("/v1/receipts", json=silent, headers=partner)).status_code == 422


async def test_an_event_of_another_program_is_not_there(world, http, partner, issuer):
    she = person(world)
    await world.hear(enrolled(enrolment(she), program="old_age_allow"))
    await revoke(world, she)
    [event] = (await read(http, issuer.headers("recognition.check", programs=["*"], client_id="p-2")))["items"]
    assert (await http.get(f"/v1/events/{event['event_id']}", headers=partner)).status_code == 404
    receipt = {"items": [{"event_id": event["event_id"], "outcome": "accepted"}]}
    assert (await http.post("/v1/receipts", json=receipt, headers=partner)).json()["items"][0]["known"] is False


# ---- webhooks --------------------------------------------------------------------------------------------------------


async def test_a_subscription_is_sealed_said_and_its_secret_shown_once(world, http, partner):
    answer = await http.post("/v1/subscriptions", json={"url": URL}, headers=partner)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["status"], made["programs"], made["kinds"]) == ("pending", ["resident_pension"], [])
    [fact] = await said_facts(world, SUBSCRIPTION_CHANGED, SubscriptionChanged)
    sealed = base64.b64decode(fact.sealed_secret)
    assert world.deps.vault.open(sealed, fact.subscription_id.bytes).decode() == made["secret"]
    assert made["secret"].startswith("whsec_")
    again = await http.get(answer.headers["Location"], headers=partner)
    assert "secret" not in again.json()
    assert again.headers["ETag"] == '"1"'
    listed = (await http.get("/v1/subscriptions", headers=partner)).json()["items"]
    assert listed == [again.json()]


async def test_under_one_key_there_is_one_subscription_and_no_kept_secret(world, http, partner):
    key = partner | {"Idempotency-Key": uuid4().hex}
    first, again = [(await http.post("/v1/subscriptions", json={"url": URL}, headers=key)).json() for _ in range(2)]
    assert again == first | {"secret": None}
    [kept] = await world.rows("SELECT body FROM idempotency")
    assert b"whsec_" not in kept["body"]


async def test_webhook_partners_are_told_of_their_programs_through_notify(world, http, partner):
    she = person(world)
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(she), program="old_age_allow"))
    await http.post("/v1/subscriptions", json={"url": URL}, headers=partner)
    await revoke(world, she)
    [row] = await world.said(PARTNER_EVENTS_RECORDED)
    [event] = (await read(http, partner))["items"]
    assert (row["subject"], str(UUID(bytes=row["event_id"]))) == (she.bytes, event["event_id"])
    assert (row["kind"], row["version"]) == ("certificate.revoked", event["version"])
    delivered = {
        "subject": she.bytes,
        "event_id": row["event_id"],
        "outcome": "delivered",
        "attempts": 1,
        "recorded_at": NOW,
    }
    await world.hear(table_message(RECEIPT_RECORDED, [delivered], {"client_id": "p-1", "subscription": "s"}))
    assert await handovers(world) == [("p-1", "delivered", 1)]


async def test_a_subscription_is_changed_by_version_and_a_moved_one_proves_itself_again(world, http, partner):
    place = (await http.post("/v1/subscriptions", json={"url": URL}, headers=partner)).headers["Location"]
    identity = UUID(place.rsplit("/", 1)[1])
    fact = EndpointChanged(
        subscription_id=identity, client_id="p-1", status="active", reason="answered", changed_at=NOW
    )
    await world.hear(message(ENDPOINT_CHANGED, fact.model_dump_json().encode()))
    assert (await http.get(place, headers=partner)).json()["status"] == "active"
    stale = await http.patch(place, json={"kinds": []}, headers=partner | {"If-Match": '"1"'})
    assert stale.status_code == 412
    narrowed = await http.patch(place, json={"kinds": ["certificate.revoked"]}, headers=partner | {"If-Match": '"2"'})
    assert (narrowed.json()["status"], narrowed.json()["secret"]) == ("active", None)
    moved = await http.patch(place, json={"url": URL + "/2", "rotate_secret": True}, headers=partner)
    assert (moved.json()["status"], moved.json()["secret"][:6]) == ("pending", "whsec_")
    paused = await http.patch(place, json={"status": "paused"}, headers=partner)
    assert paused.json()["status"] == "paused"
    assert (await http.delete(place, headers=partner)).status_code == 204
    assert (await http.get(place, headers=partner)).status_code == 404
    assert [each.status for each in await said_facts(world, SUBSCRIPTION_CHANGED, SubscriptionChanged)] == [
        "pending", "active", "pending", "paused", "ended",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://hooks.partner.example/x"},
        {"url": "https://user:word@partner.example/x"},
        {"url": "https://partner.example/#x"},
        {"url": "https://[bad/x"},
        {"url": "ftp://partner.example"},
        {"url": URL, "programs": ["old_age_allow"]},
        {"url": URL, "kinds": ["anything"]},
    ],
)
async def test_a_subscription_that_cannot_be_is_refused(world, http, partner, body):
    assert (await http.post("/v1/subscriptions", json=body, headers=partner)).status_code == 422
    assert await world.rows("SELECT FROM subscription") == []


async def test_another_clients_subscription_is_not_there(world, http, partner, issuer):
    place = (await http.post("/v1/subscriptions", json={"url": URL}, headers=partner)).headers["Location"]
    other = issuer.headers("recognition.check", programs=["*"], client_id="p-2")
    for method in ("GET", "PATCH", "DELETE"):
        answer = await http.request(method, place, headers=other, json={} if method == "PATCH" else None)
        assert answer.status_code == 404
    assert (await http.get("/v1/subscriptions", headers=other)).json() == {"items": []}


# ---- certificates and corrections ------------------------------------------------------------------------------------


async def certificate_of(http, partner, citizen_id=ID):
    body = {"program": "resident_pension", "citizen_id": citizen_id}
    return (await http.post("/v1/recognitions:check", json=body, headers=partner)).json()["certificate"]


async def test_a_certificate_has_a_tag_that_changes_when_it_is_revoked_and_every_look_is_logged(world, http, partner):
    await world.hear(enrolled(enrolment(person(world))), visited(person(world)))
    place = f"/v1/certificates/{await certificate_of(http, partner)}"
    first = await http.get(place, headers=partner)
    assert (first.status_code, first.json()["revoked_at"]) == (200, None)
    again = await http.get(place, headers=partner | {"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    async with world.deps.database.write() as tx:
        await tx.run("INSERT INTO revocation (subject, certificate_id, reason, revoked_at) "
                     "SELECT subject, certificate_id, 'death', now() FROM certificate")  # fmt: skip
    after = await http.get(place, headers=partner | {"If-None-Match": first.headers["ETag"]})
    assert (after.status_code, after.json()["reason"]) == (200, "death")
    looks = await world.rows("SELECT answer FROM usage WHERE action = 'certificate' ORDER BY usage_id")
    assert [row["answer"] for row in looks] == ["in_force", "in_force", "revoked"]


async def test_a_reference_is_worthless_to_others(world, http, partner, issuer):
    await world.hear(enrolled(enrolment(person(world))), visited(person(world)))
    place = f"/v1/certificates/{await certificate_of(http, partner)}"
    other = issuer.headers("recognition.check", programs=["*"], client_id="p-2") | WHY
    lost = issuer.headers("recognition.check", programs=["old_age_allow"], client_id="p-1") | WHY
    for headers in (other, lost):
        assert (await http.get(place, headers=headers)).status_code == 404
    assert (await http.get(f"/v1/certificates/{'A' * 64}", headers=partner)).status_code == 404
    denied = await world.rows("SELECT FROM usage WHERE answer = 'denied:not_found' AND action = 'certificate'")
    assert len(denied) == 3
