"""Certificates peer departments make: taken like every other, never longer by being late, taken back with a successor."""

from datetime import date

import pytest

from shared.contracts.events import CERTIFICATES_ISSUED
from shared.contracts.events.recognition import CERTIFICATE_REVOKED
from tests.services.recognition.rights import Officers, facts
from tests.services.recognition.test_owed import carry_out, lift
from tests.services.recognition.world import assessed, assessment, concluded, enrolled, enrolment

pytestmark = pytest.mark.db

ID = "11010519491231002X"
WHY = {"Purpose-Code": "review", "Legal-Basis": "annual-confirmation"}
BODY = {"program": "vet_disabled", "citizen_id": ID, "certified_on": "2023-08-20", "method": "onsite",
        "reference": "YF-2023-0001"}  # fmt: skip


@pytest.fixture
def veterans(issuer):
    """The veterans' bureau at its terminal."""
    return issuer.headers("recognition.certify", "recognition.check", role="partner", programs=["vet_disabled"],
                          department="veterans", client_id="p-vet") | WHY  # fmt: skip


@pytest.fixture
def hrss(issuer):
    return issuer.headers("recognition.check", role="partner", programs=["resident_pension"], department="hrss",
                          client_id="p-hrss") | WHY  # fmt: skip


@pytest.fixture
async def she(world):
    """A person of two programs nobody has certified."""
    who = world.deps.subjects.one(ID)
    await world.hear(enrolled(enrolment(who)), enrolled(enrolment(who), program="vet_disabled"))
    return who


async def certify(http, headers, **changes):
    return await http.post("/v1/certificates", json={**BODY, **changes}, headers=headers)


async def heard(http, headers, program="resident_pension"):
    body = {"program": program, "citizen_id": ID}
    return (await http.post("/v1/recognitions:check", json=body, headers=headers)).json()


async def test_what_one_department_certified_every_program_recognises_from_the_day_it_saw_her(
    world, http, veterans, hrss, she
):
    made = await certify(http, veterans)
    assert made.status_code == 201, made.text
    shown = await http.get(made.headers["Location"], headers=veterans)
    assert (shown.json()["as_of"], shown.json()["revoked_at"]) == ("2023-08-20", None)
    assert shown.json()["evidence_class"] == "in_person"
    said = await heard(http, hrss)
    assert (said["answer"], said["valid_until"]) == ("recognised", "2024-08-31")  # came in November, counts from August
    [row] = await world.rows("SELECT subject, channel, strength, cap_months, rule_set FROM certificate")
    assert tuple(row.values()) == (she, "partner", "strong", None, "peer@1")
    [issued] = await world.said(CERTIFICATES_ISSUED)
    # Of her two programs that of the disabled asks her for more than being alive: it is none of those she has done with.
    assert (issued["channel"], issued["programs"]) == ("partner", 1)
    looks = await world.rows("SELECT client_id, action, answer FROM usage WHERE action = 'certify'")
    assert [tuple(each.values()) for each in looks] == [("p-vet", "certify", "certified")]


@pytest.mark.parametrize(
    ("method", "worth"),
    [
        ("home", ("partner", "strong", "2024-08-31")),
        ("video", ("partner", "weak", "2024-02-29")),
        ("other_region", ("remote", "strong", "2024-08-31")),
        ("consulate", ("remote", "strong", "2024-08-31")),
    ],
)
@pytest.mark.usefixtures("she")
async def test_the_method_decides_channel_and_length(world, http, veterans, hrss, method, worth):
    await certify(http, veterans, method=method)
    [row] = await world.rows("SELECT channel, strength FROM certificate")
    until = (await heard(http, hrss))["valid_until"]
    assert (row["channel"], row["strength"], until) == worth


async def test_the_same_record_is_taken_once_and_stands_for_nothing_else(world, http, veterans, she):
    first, again = await certify(http, veterans), await certify(http, veterans)
    assert first.json() == again.json()
    other = await certify(http, veterans, certified_on="2023-08-21")
    assert (other.status_code, other.json()["code"]) == (409, "reference_taken")
    assert await world.rows("SELECT count(*)::int AS records FROM peer_certificate") == [{"records": 1}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"certified_on": "2023-11-02"}, (422, "malformed")),
        ({"citizen_id": "340102194001010011"}, (404, "not_found")),
        ({"program": "resident_pension"}, (404, "not_found")),
        ({"reference": "张三"}, (422, "malformed")),
        ({"method": "hearsay"}, (422, "malformed")),
        ({"method": "counter"}, (422, "malformed")),
    ],
    ids=["tomorrow", "a stranger", "another's program", "a name", "no way of seeing", "a counter of somebody else"],
)
async def test_what_cannot_be_certified_leaves_nothing(world, http, veterans, she, changes, said):
    answer = await certify(http, veterans, **changes)
    assert (answer.status_code, answer.json()["code"]) == said
    assert await world.rows("SELECT FROM certificate") == []


async def test_only_the_owner_of_a_program_certifies_for_it_and_the_try_is_logged(world, http, issuer, she):
    bank = issuer.headers("recognition.certify", programs=["*"], department="bank", client_id="p-bank") | WHY
    answer = await certify(http, bank)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_owner")
    hasty = issuer.headers("recognition.check", programs=["*"], department="veterans", client_id="p-2") | WHY
    assert (await certify(http, hasty)).status_code == 403
    looks = await world.rows("SELECT client_id, answer FROM usage ORDER BY usage_id")
    assert [tuple(each.values()) for each in looks] == [("p-bank", "denied:not_owner"), ("p-2", "denied:forbidden")]


async def test_it_certifies_and_clears_no_suspicion(world, http, veterans, hrss, she):
    await world.hear(assessed(assessment(she, "suspected")))
    assert (await certify(http, veterans)).status_code == 201
    assert (await heard(http, hrss))["answer"] == "under_review"


async def test_what_was_wrong_is_taken_back_with_its_successor_and_everybody_is_told(world, http, veterans, hrss, she):
    made = await certify(http, veterans, certified_on="2023-10-20")
    quoted = (await heard(http, hrss))["certificate"]
    body = {"reason": "wrong_day", "instead": {"certified_on": "2023-08-20", "method": "onsite", "reference": "YF-2"}}
    path = f"{made.headers['Location']}:revoke"
    gone = (await http.post(path, json=body, headers=veterans)).json()
    assert gone["reason"] == "wrong_day"
    assert gone["revoked_at"]
    told = (await http.get(f"/v1/certificates/{quoted}", headers=hrss)).json()
    said = await heard(http, hrss)
    assert (said["valid_until"], said["certificate"]) == ("2024-08-31", told["successor"])
    [fact] = await facts(world, CERTIFICATE_REVOKED)
    [successor] = await world.rows("SELECT certificate_id FROM certificate WHERE as_of = '2023-08-20'")
    assert fact["successor_id"] == str(successor["certificate_id"])
    # She had been told October; what holds now is shorter, and she and the programs hear so.
    assert [each["as_of"] for each in await world.said(CERTIFICATES_ISSUED)] == [date(2023, 10, 20), date(2023, 8, 20)]
    assert (await http.post(path, json=body, headers=veterans)).status_code == 404
    again = await certify(http, veterans, certified_on="2023-10-20", reference="YF-3")
    assert (again.status_code, again.json()["code"]) == (409, "revoked")
    assert len(await world.rows("SELECT FROM certificate")) == 2


async def test_a_certificate_two_departments_made_holds_until_both_take_it_back(
    world, http, veterans, hrss, issuer, she
):
    other = issuer.headers("recognition.certify", "recognition.check", programs=["resident_pension"], department="hrss",
                           client_id="p-3") | WHY  # fmt: skip
    made = [
        await certify(http, veterans),
        await certify(http, other, program="resident_pension", method="home", reference="SB-1"),
    ]
    for answer, headers, until in zip(made, (veterans, other), ("2024-08-31", None), strict=True):
        path = f"{answer.headers['Location']}:revoke"
        assert (await http.post(path, json={"reason": "wrong_person"}, headers=headers)).status_code == 200
        assert (await heard(http, hrss))["valid_until"] == until


async def test_nobody_takes_back_what_another_certified(world, http, veterans, hrss, issuer, she):
    await certify(http, veterans)
    quoted = (await heard(http, hrss))["certificate"]
    certifier = issuer.headers("recognition.certify", programs=["*"], department="hrss", client_id="p-hrss") | WHY
    answer = await http.post(f"/v1/certificates/{quoted}:revoke", json={"reason": "wrong_day"}, headers=certifier)
    assert answer.status_code == 404
    assert (await heard(http, hrss))["answer"] == "recognised"


COUNTER = {"program": "vet_disabled", "citizen_id": ID, "present": True, "id_check": "id_card_read",
           "reference": "CK-2023-0001"}  # fmt: skip


class TestCounter:
    """A clerk certifies who stands before him."""

    async def serve(self, http, issuer, *scopes, path="/v1/counter-certificates", body=None, user="clerk-1", **changes):
        headers = issuer.headers(*(scopes or ["recognition.counter"]), role="officer", programs=["vet_disabled"],
                                 department="veterans", client_id="c-vet", user=user) | WHY  # fmt: skip
        return await http.post(path, json=body or {**COUNTER, **changes}, headers=headers)

    async def test_whoever_stands_there_is_certified_once_for_every_program(self, world, http, issuer, hrss, she):
        first, again = await self.serve(http, issuer), await self.serve(http, issuer)
        assert (first.status_code, first.json()) == (201, again.json())
        said = await heard(http, hrss)
        assert (said["answer"], said["valid_until"]) == ("recognised", "2024-11-30")
        rows = await world.rows("SELECT channel, rule_set, id_check, certified_by FROM certificate JOIN peer_certificate "
                                "USING (subject, certificate_id)")  # fmt: skip
        assert [tuple(row.values()) for row in rows] == [("counter", "counter@1", "id_card_read", "clerk-1")]
        looks = await world.rows("SELECT subject, user_ref, answer FROM usage WHERE action = 'counter' LIMIT 1")
        assert [tuple(row.values()) for row in looks] == [(she, "clerk-1", "certified")]

    async def test_who_was_taken_for_another_is_certified_anew_on_the_same_day(self, world, http, issuer, hrss, she):
        made = await self.serve(http, issuer)
        path = f"{made.headers['Location'].replace('/certificates', '/counter-certificates')}:revoke"
        body = {"reason": "wrong_person"}
        assert (await self.serve(http, issuer, path=path, body=body)).json()["reason"] == "wrong_person"
        assert (await heard(http, hrss))["answer"] == "not_yet"
        looks = await world.rows("SELECT user_ref, answer FROM usage WHERE action = 'revocation'")
        assert [tuple(row.values()) for row in looks] == [("clerk-1", "revoked")]
        assert (await self.serve(http, issuer, path=path, body=body)).status_code == 404
        first, again = [await self.serve(http, issuer, reference="CK-2023-0002") for _ in range(2)]
        assert (first.status_code, first.json()) == (201, again.json())
        assert (await heard(http, hrss))["answer"] == "recognised"

    @pytest.mark.parametrize("other", ["clerk-2", "officer"])
    async def test_a_clerk_takes_back_no_other_s_word(self, world, http, issuer, hrss, she, other):
        if other == "officer":
            await world.hear(concluded(she, "confirmed"))
            officers = Officers(http, issuer)
            lives = await carry_out(world, officers, she, "resident_pension")
            await lift(officers, lives, "false_death", "2023-12-02")
        made = await self.serve(http, issuer)
        path = f"{made.headers['Location'].replace('/certificates', '/counter-certificates')}:revoke"
        if other == "clerk-2":
            await self.serve(http, issuer, user=other, reference="CK-2023-0002")
        for status in (200, 404):
            answer = await self.serve(http, issuer, path=path, body={"reason": "wrong_person"})
            assert (answer.status_code, (await heard(http, hrss))["answer"]) == (status, "recognised")

    @pytest.mark.parametrize("dead", [False, True])
    async def test_it_certifies_nobody_over_a_suspicion_or_a_death(self, world, http, issuer, she, dead):
        await world.hear(concluded(she, "confirmed") if dead else assessed(assessment(she, "suspected")))
        answer = await self.serve(http, issuer)
        assert (answer.status_code, answer.json()["code"]) == (409, "under_review")
        assert await world.rows("SELECT FROM certificate") == []
        looks = await world.rows("SELECT subject, answer FROM usage WHERE action = 'counter'")
        assert [tuple(row.values()) for row in looks] == [(she, "denied:under_review")]

    @pytest.mark.parametrize(
        ("scopes", "changes", "status"),
        [(["recognition.manage"], {}, 403), ([], {"present": False}, 422), ([], {"id_check": "known"}, 422)],
        ids=["an officer who is no clerk", "somebody sent", "no card"],
    )
    @pytest.mark.usefixtures("world", "she")
    async def test_what_no_clerk_saw_is_refused(self, http, issuer, scopes, changes, status):
        assert (await self.serve(http, issuer, *scopes, **changes)).status_code == status


class TestOfficersRevocation:
    """An officer takes back a certificate the platform should not have made."""

    async def revoke(self, http, issuer, world, she, programs=("*",)):
        [row] = await world.rows("SELECT certificate_id FROM certificate ORDER BY as_of DESC LIMIT 1")
        body = {"subject": str(she), "certificate_id": str(row["certificate_id"]), "reason": "false_record",
                "grounds": "住院记录系他人冒用"}  # fmt: skip
        officer = Officers(http, issuer, programs=programs)
        return await officer.post("/v1/certificate-revocations", body=body)

    async def test_the_newest_that_is_left_is_its_successor(self, world, http, issuer, hrss, she):
        await world.hear(assessed(assessment(she, as_of=date(2023, 5, 2))))
        await world.hear(assessed(assessment(she)))
        answer = await self.revoke(http, issuer, world, she)
        assert answer.status_code == 201, answer.text
        [left] = await world.rows("SELECT certificate_id FROM certificate WHERE as_of = '2023-05-02'")
        assert answer.json()["successor_id"] == str(left["certificate_id"])
        assert (await heard(http, hrss))["valid_until"] == "2024-05-31"
        again = await self.revoke(http, issuer, world, she)
        assert (again.status_code, again.json()["code"]) == (409, "revoked")

    async def test_it_stops_nothing_and_the_same_opinion_does_not_bring_it_back(self, world, http, issuer, hrss, she):
        await world.hear(assessed(assessment(she)))
        await self.revoke(http, issuer, world, she)
        await world.hear(assessed(assessment(she)))
        assert (await heard(http, hrss))["answer"] == "not_yet"
        assert {row["status"] for row in await world.rows("SELECT status FROM enrolment")} == {"active"}
        history = await Officers(http, issuer)._http.post(
            "/v1/people:history", json={"subject": str(she)}, headers=Officers(http, issuer).headers() | WHY
        )
        [shown] = history.json()["certificates"]
        assert (shown["revoked_for"], shown["revoked_by"], shown["grounds"]) == (
            "false_record", "officer-1", "住院记录系他人冒用")  # fmt: skip

    async def test_an_officer_of_none_of_her_programs_sees_no_certificate(self, world, http, issuer, she):
        await world.hear(assessed(assessment(she)))
        assert (await self.revoke(http, issuer, world, she, programs=["dibao"])).status_code == 404
