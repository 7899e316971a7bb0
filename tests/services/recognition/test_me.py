"""The citizen's API: plain words about oneself, and nobody else's data by any route."""

import base64
from datetime import date, timedelta
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from fastapi.routing import APIRoute

from services.recognition.api import faces, me
from services.recognition.tables import METADATA
from shared.contracts.events.recognition import NOTICE_GIVEN, STOP_REQUEST_WITHDRAWN, STOP_REQUESTED, VISIT_REQUESTED
from shared.kit.workdays import after_working_days
from tests.services.recognition.rights import Officers, facts, pay, tell
from tests.services.recognition.world import (
    NOW,
    TODAY,
    assessed,
    assessment,
    concluded,
    enrolled,
    enrolment,
    subject,
    visited,
)
from tests.support.traces import plain

pytestmark = pytest.mark.db
HER_ID, HIS_ID = "341602195005051227", "341602194901011237"


@pytest.fixture
def she(world):
    return world.deps.subjects.one(HER_ID)


@pytest.fixture
def he(world):
    return world.deps.subjects.one(HIS_ID)


@pytest.fixture
def ask(http, issuer):
    async def call(who: UUID, method: str, path: str, body=None, scopes=("me.read", "me.write"), **changes):
        headers = issuer.headers(*scopes, **{"role": "citizen", "user": str(who), **changes})
        return await http.request(method, f"/v1/me{path}", json=body, headers=headers)

    return call


async def test_who_has_more_to_prove_than_that_he_lives_is_not_told_to_do_nothing(world, ask, she):
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(she), program="dibao"), assessed(assessment(she)))
    said = (await ask(she, "GET", "")).json()
    assert said["summary"].startswith("您已通过健在认证，有效期至2024年9月30日，其间不用再认证。")


async def test_most_people_have_nothing_to_do(world, ask, she):
    await world.hear(
        enrolled(enrolment(she)), enrolled(enrolment(she), program="old_age_allow"), assessed(assessment(she))
    )
    said = (await ask(she, "GET", "")).json()
    assert said["summary"] == "您无需办理任何手续，有效期至2024年9月30日。"
    assert (said["certified"], said["valid_until"], said["hotline"]) == (True, "2024-09-30", "12333")
    assert [each["program"] for each in said["benefits"]] == ["old_age_allow", "resident_pension"]
    benefit = said["benefits"][1]
    assert benefit["sentence"] == "城乡居民基本养老金：已认证，有效期至2024年9月30日。"
    assert (benefit["channel"], benefit["evidence"], benefit["as_of"]) == ("数据比对", ["就医与健康服务"], "2023-09-01")


async def test_whoever_is_not_certified_may_choose_among_ways_without_a_face(world, ask, she):
    await world.hear(enrolled(enrolment(she)))
    said = (await ask(she, "GET", "")).json()
    assert (said["certified"], said["benefits"][0]["standing"]) == (False, "not_yet")
    assert "申请网格员上门" in said["ways"]
    assert not any("人脸" in way for way in said["ways"])


async def test_a_review_is_told_in_neutral_words(world, ask, she):
    await world.hear(enrolled(enrolment(she)), assessed(assessment(she, "suspected")))
    said = (await ask(she, "GET", "")).json()
    assert said["benefits"][0]["standing"] == "under_review"
    assert "死" not in str(said)


async def test_a_stranger_to_the_platform_hears_that_nothing_is_known(ask):
    said = (await ask(subject(99), "GET", "")).json()
    assert (said["benefits"], said["certified"]) == ([], False)


async def test_who_looked_is_shown_by_organisation_and_purpose_never_by_name(world, ask, http, issuer, she):
    await world.hear(enrolled(enrolment(she)), assessed(assessment(she)))
    headers = issuer.headers(
        "recognition.check",
        role="partner",
        department="hrss",
        programs=["resident_pension"],
        client_id="p-1",
        user="王某",
    )
    purpose = {"Purpose-Code": "benefit_payment", "Legal-Basis": "art26"}
    body = {"program": "resident_pension", "citizen_id": HER_ID}
    assert (await http.post("/v1/recognitions:check", json=body, headers={**headers, **purpose})).status_code == 200
    await ask(she, "GET", "")  # her own look is not among them
    said = (await ask(she, "GET", "/looks")).json()
    [look] = said["items"]
    assert (look["organisation"], look["purpose"], look["program"]) == ("人社局", "发放待遇", "城乡居民基本养老金")
    assert "王某" not in str(said)
    assert "p-1" not in str(said)


async def test_looks_of_one_moment_are_not_lost_between_two_pages(world, ask, she):
    async with world.deps.database.write() as tx:
        for moment, number in ((1, 2), (2, 4), (3, 1)):
            await tx.run(
                "INSERT INTO usage (logged_at, at, client_id, user_ref, action, subject, answer, request_id) "
                "SELECT now() - make_interval(hours => $1), now(), 'p-1', 'p-1', 'check', $2, 'unknown', 'r' "
                "FROM generate_series(1, $3)",
                moment,
                she,
                number,
            )
    pages: list[int] = []
    before: str | None = ""
    while before is not None:
        said = (await ask(she, "GET", f"/looks?limit=3{before and '&before=' + quote(before)}")).json()
        pages.append(len(said["items"]))
        before = said["before"]
    assert pages == [6, 1]


async def test_every_look_of_her_own_is_logged_before_the_answer(world, ask, she):
    paths = ["", "/looks", "/objections", "/requests"]
    for path in paths:
        assert (await ask(she, "GET", path)).status_code == 200
    rows = await world.rows("SELECT action, answer, subject FROM usage ORDER BY usage_id")
    assert [row["action"] for row in rows] == ["me.status", "me.looks", "me.objections", "me.requests"]
    assert {row["subject"] for row in rows} == {she}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"scopes": ()}, 403),
        ({"scopes": ("recognition.check",)}, 403),
        ({"role": "officer"}, 403),
        ({"role": "partner"}, 403),
        ({"role": "service"}, 403),
        ({"user": "demo-mobile"}, 403),
        ({"lifetime": -60}, 401),
        ({"issuer": "http://elsewhere.test"}, 401),
    ],
)
async def test_only_a_citizens_token_that_names_him_opens_it(world, ask, she, changes, status):
    assert (await ask(she, "GET", "", **changes)).status_code == status
    logged = await world.rows("SELECT action, answer FROM usage")
    code = {401: "unauthorized", 403: "forbidden"}[status]
    assert logged == [{"action": "me.status", "answer": f"denied:{code}"}]


ROUTES = sorted(
    (method, route.path)
    for router in (me.router, faces.router)
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
)


async def test_no_route_shows_or_changes_somebody_else(world, ask, she, he):
    """Every route below /v1/me, asked by him with whatever of hers he may have got hold of."""
    await world.hear(enrolled(enrolment(she)), assessed(assessment(she)))
    body = {"program": "resident_pension", "about": "other", "said": "有疑问"}
    hers = (await ask(she, "POST", "/objections", body)).json()["objection_id"]
    stop = (await ask(she, "POST", "/stop-requests", {"programs": [], "reason": "停掉"})).json()["request_id"]
    bodies = {
        "/v1/me/objections": body,
        "/v1/me/objections/{objection_id}:review": {"said": "不同意"},
        "/v1/me/proof": {"citizen_id": HER_ID},
        "/v1/me/stop-requests": {"programs": ["resident_pension"], "reason": "停掉"},
        "/v1/me/visit-requests": {"reason": "行动不便"},
        "/v1/me/face-sessions/{session_id}:finish": {"assertion": "a" * 30},
    }
    for method, path in ROUTES:
        filled = path.format(objection_id=hers, session_id=uuid4(), request_id=stop)
        sent = bodies.get(path, {} if method == "POST" else None)
        answer = await ask(he, method, filled.removeprefix("/v1/me"), sent)
        assert str(she) not in answer.text, path
        assert hers not in answer.text or answer.status_code == 404, path
        assert "城乡居民" not in answer.text, path
    assert await world.rows("SELECT FROM citizen_request WHERE withdrawn_at IS NOT NULL") == []
    for kind in ("objection", "citizen_request"):
        assert {row["subject"] for row in await world.rows(f"SELECT subject FROM {kind}")} <= {she, he}
    await ask(she, "POST", f"/stop-requests/{stop}:withdraw")
    told = [each for event in (STOP_REQUESTED, STOP_REQUEST_WITHDRAWN) for each in await facts(world, event)]
    assert [each["request_id"] for each in told] == [stop, stop]  # her own
    assert len(await world.rows("SELECT 1 FROM objection")) == 1


async def test_an_objection_is_answered_by_somebody_who_had_no_hand_in_it(world, ask, http, issuer, she):
    await world.hear(enrolled(enrolment(she)), concluded(she, "confirmed"))
    officers = Officers(http, issuer)
    [proposal] = await officers.proposals()
    decision = await officers.decided(proposal["proposal_id"])
    status = (await ask(she, "GET", "")).json()
    assert status["benefits"][0]["standing"] == "stop_intended"
    assert status["benefits"][0]["answer_by"] == "2023-12-01"

    body = {"program": "resident_pension", "about": "intended_stop", "said": f"我还活着，证件{HER_ID}"}
    made = (await ask(she, "POST", "/objections", body)).json()
    assert HER_ID not in made["said"]
    assert made["due_on"] == after_working_days(TODAY, 10).isoformat() == "2023-11-15"
    again = await ask(she, "POST", "/objections", body)
    assert (again.status_code, again.json()["code"]) == (409, "objection_waits")

    await tell(world, she)
    world.deps.clock.move(timedelta(days=31))
    blocked = await officers.post(f"/v1/decisions/{decision}:carry-out")
    assert (blocked.status_code, blocked.json()["code"]) == (409, "objection_open")
    path = f"/v1/objections/{made['objection_id']}:answer"
    answer = {"upheld": True, "answer": "经视频核实，本人健在", "alive_on": "2023-12-01"}
    for involved in ("officer-1", "officer-2"):
        refused = await officers.post(path, involved, answer)
        assert (refused.status_code, refused.json()["code"]) == (403, "four_eyes")
    assert (await officers.post(path, "officer-3", answer)).json()["state"] == "upheld"
    assert (await world.rows("SELECT state FROM decision"))[0]["state"] == "withdrawn"
    assert (await world.rows("SELECT status FROM enrolment"))[0]["status"] == "active"
    [mine] = (await ask(she, "GET", "/objections")).json()["items"]
    assert (mine["state"], mine["answer"]) == ("upheld", "经视频核实，本人健在")
    assert "answered_by" not in mine


async def test_a_dismissal_may_be_reviewed_once_by_somebody_else(world, ask, http, issuer, she):
    await world.hear(enrolled(enrolment(she)))
    officers = Officers(http, issuer)
    body = {"program": "resident_pension", "about": "certification", "said": "为什么没有认证"}
    first = (await ask(she, "POST", "/objections", body)).json()["objection_id"]
    early = await ask(she, "POST", f"/objections/{first}:review", {"said": "再看一次"})
    assert (early.status_code, early.json()["code"]) == (409, "no_review")
    no = {"upheld": False, "answer": "数据无误"}
    await officers.post(f"/v1/objections/{first}:answer", "officer-1", no)
    [notice] = await facts(world, NOTICE_GIVEN)
    said = [notice[name] for name in ("kind", "reason", "deadline_on")]
    assert said == ["answered", "objection_dismissed", "2023-12-31"]
    review = (await ask(she, "POST", f"/objections/{first}:review", {"said": "再看一次"})).json()
    assert (review["stage"], review["reviews"]) == ("review", first)
    path = f"/v1/objections/{review['objection_id']}:answer"
    assert (await officers.post(path, "officer-1", no)).status_code == 403
    assert (await officers.post(path, "officer-2", no)).json()["state"] == "dismissed"
    for again in (first, review["objection_id"]):
        assert (await ask(she, "POST", f"/objections/{again}:review", {"said": "再看"})).status_code == 409


async def test_a_review_comes_too_late_after_its_days(world, ask, http, issuer, she):
    await world.hear(enrolled(enrolment(she)))
    body = {"program": "resident_pension", "about": "data", "said": "地址不对"}
    first = (await ask(she, "POST", "/objections", body)).json()["objection_id"]
    await Officers(http, issuer).post(f"/v1/objections/{first}:answer", body={"upheld": False, "answer": "无误"})
    world.deps.clock.move(timedelta(days=61))
    assert (await ask(she, "POST", f"/objections/{first}:review", {"said": "再看"})).status_code == 409


async def test_a_program_with_a_longer_rule_has_more_days(world, ask, she):
    await world.hear(enrolled(enrolment(she), program="tekun"))
    body = {"program": "tekun", "about": "other", "said": "有疑问"}
    assert (await ask(she, "POST", "/objections", body)).json()["due_on"] == "2023-11-22"


async def test_a_visit_is_asked_for_once_while_it_is_under_way(world, ask, she):
    first = await ask(she, "POST", "/visit-requests", {"reason": "卧床，无法人脸识别，电话13905671234"})
    again = await ask(she, "POST", "/visit-requests", {"reason": "卧床"})
    assert (first.status_code, again.json()["request_id"]) == (202, first.json()["request_id"])
    [fact] = await facts(world, VISIT_REQUESTED)
    assert (fact["subject"], fact["reason"]) == (str(she), "in_own_words")
    world.deps.clock.move(timedelta(days=31))
    second = (await ask(she, "POST", "/visit-requests", {"reason": "卧床"})).json()["request_id"]
    assert second != fact["request_id"]
    came = NOW + timedelta(days=32)
    await world.hear(visited(she, on=came.date(), at=came))
    assert await world.rows("SELECT FROM citizen_request WHERE concluded_at IS NULL") == []


async def test_her_own_benefit_stops_only_after_people_verified_it(world, ask, she):
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(she), program="old_age_allow"))
    body = {"programs": ["old_age_allow"], "reason": "已迁出本市"}
    asked = (await ask(she, "POST", "/stop-requests", body)).json()
    [fact] = await facts(world, STOP_REQUESTED)
    assert (fact["programs"], fact["relation"], fact["request_id"]) == (["old_age_allow"], "self", asked["request_id"])
    assert {row["status"] for row in await world.rows("SELECT status FROM enrolment")} == {"active"}
    assert await world.rows("SELECT 1 FROM proposal") == []
    again = (await ask(she, "POST", "/stop-requests", body)).json()
    assert again["request_id"] == asked["request_id"]
    [listed] = (await ask(she, "GET", "/requests")).json()["items"]
    assert (listed["kind"], listed["programs"], listed["confirmed"]) == ("stop", ["old_age_allow"], None)


async def test_what_somebody_writes_is_sealed_for_who_looks_into_it_and_in_no_event(world, ask, she, he):
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(he)))
    words = "我父亲张建国去世"
    relative = {"event_on": "2023-10-20", "relative": {"citizen_id": HIS_ID, "relation": "child"}}
    await ask(she, "POST", "/visit-requests", {"reason": "张建国不在家，我卧床"})
    await ask(she, "POST", "/stop-requests", {"reason": words, **relative})
    await ask(she, "POST", "/stop-requests", {"reason": "death", "programs": ["resident_pension"]})
    assert await plain(world.deps.database, METADATA, "张建国") == []
    told, coded = await facts(world, STOP_REQUESTED)
    sealed = base64.b64decode(told["sealed_reason"])
    assert told["reason"] == "in_own_words"
    assert world.deps.vault.open(sealed, UUID(told["request_id"]).bytes).decode() == words
    assert (coded["reason"], coded["sealed_reason"]) == ("death", None)
    assert {each["reason"] for each in (await ask(she, "GET", "/requests")).json()["items"]} >= {words, "death"}


async def test_an_objection_and_its_answer_are_read_by_who_may_and_stand_plain_nowhere(world, ask, http, issuer, she):
    await world.hear(enrolled(enrolment(she)))
    said, answer = "我是张建国的母亲，不是他", "已与张建国核对"
    body = {"program": "resident_pension", "about": "data", "said": said}
    made = (await ask(she, "POST", "/objections", body)).json()
    officer = issuer.headers("recognition.manage", role="officer", programs=["*"], user="officer-1")
    [waiting] = (await http.get("/v1/objections", headers=officer)).json()["items"]
    assert waiting["said"] == made["said"] == said
    path, once = f"/v1/objections/{made['objection_id']}:answer", officer | {"Idempotency-Key": "answered-1"}
    for _ in range(2):
        answered = await http.post(path, json={"upheld": False, "answer": answer}, headers=once)
        assert [answered.json()[name] for name in ("said", "answer", "state")] == [said, answer, "dismissed"]
    [mine] = (await ask(she, "GET", "/objections")).json()["items"]
    assert (mine["said"], mine["answer"]) == (said, answer)
    why = {"Purpose-Code": "review", "Legal-Basis": "rule-1"}
    history = await http.post("/v1/people:history", json={"subject": str(she)}, headers=officer | why)
    assert [(each["said"], each["answer"]) for each in history.json()["objections"]] == [(said, answer)]
    assert await plain(world.deps.database, METADATA, "张建国") == []
    looks = await world.rows(
        "SELECT answer FROM usage WHERE action = 'objection' AND subject = $1 ORDER BY usage_id", she
    )
    assert [each["answer"] for each in looks] == ["seen", "answer", "seen"]


async def test_a_second_request_for_another_benefit_is_kept_beside_the_first(world, ask, she):
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(she), program="old_age_allow"))
    for programs in (["old_age_allow"], ["resident_pension"], ["resident_pension"], []):
        body = {"programs": programs, "reason": "不再需要"}
        assert (await ask(she, "POST", "/stop-requests", body)).status_code == 202
    said = [each["programs"] for each in await facts(world, STOP_REQUESTED)]
    assert said == [["old_age_allow"], ["resident_pension"], ["old_age_allow", "resident_pension"]]
    # All of them are asked for by now.
    await ask(she, "POST", "/stop-requests", {"programs": ["old_age_allow"], "reason": "不再需要"})
    assert len(await facts(world, STOP_REQUESTED)) == 3
    not_hers = await ask(she, "POST", "/stop-requests", {"programs": ["dibao"], "reason": "停掉"})
    assert not_hers.status_code == 404


async def test_what_is_not_hers_cannot_be_stopped_by_her(ask, she):
    answer = await ask(she, "POST", "/stop-requests", {"programs": ["dibao"], "reason": "停掉"})
    assert answer.status_code == 404


async def test_a_relatives_death_is_reported_without_learning_anything_of_him(world, ask, she, he):
    body = {"reason": "父亲去世", "event_on": "2023-10-20", "relative": {"citizen_id": HIS_ID, "relation": "child"}}
    unknown = await ask(she, "POST", "/stop-requests", body)
    assert await facts(world, STOP_REQUESTED) == []
    await world.hear(enrolled(enrolment(he)), enrolled(enrolment(he), program="old_age_allow"))
    # Reported before any roster listed him, it is passed on as soon as one does.
    [fact] = await facts(world, STOP_REQUESTED)
    assert (fact["subject"], fact["relation"], fact["event_on"]) == (str(he), "child", "2023-10-20")
    assert (fact["request_id"], fact["programs"]) == (unknown.json()["request_id"], ["resident_pension"])
    world.deps.clock.move(timedelta(days=31))
    known = await ask(she, "POST", "/stop-requests", body)
    assert set(unknown.json()) == set(known.json())
    assert (unknown.status_code, unknown.json()["sentence"]) == (known.status_code, known.json()["sentence"])
    bad = {**body, "relative": {"citizen_id": "341602194901011235", "relation": "child"}}
    answer = await ask(she, "POST", "/stop-requests", bad)
    assert answer.status_code == 422
    assert "341602194901011235" not in answer.text


async def test_the_proof_is_a_page_to_print_for_ones_own_number_only(world, ask, she):
    await world.hear(enrolled(enrolment(she)), assessed(assessment(she)))
    page = await ask(she, "POST", "/proof", {"citizen_id": HER_ID})
    assert (page.status_code, page.headers["content-type"]) == (200, "application/pdf")
    assert page.content.startswith(b"%PDF")
    assert HER_ID.encode() not in page.content
    other = await ask(she, "POST", "/proof", {"citizen_id": HIS_ID})
    assert other.status_code == 422
    assert [row["answer"] for row in await world.rows("SELECT answer FROM usage ORDER BY usage_id")] == [
        "seen",
        "denied:malformed",
    ]


async def test_she_sees_what_was_paid_too_much_and_how_much_is_left(world, ask, http, issuer, she):
    await world.hear(enrolled(enrolment(she)), concluded(she, "confirmed", kind="suspected_incarceration"))
    officers = Officers(http, issuer)
    [proposal] = await officers.proposals()
    decision = await officers.decided(proposal["proposal_id"])
    await pay(world, she, [date(2023, 10, 1)])
    await tell(world, she)
    world.deps.clock.move(timedelta(days=31))
    await officers.post(f"/v1/decisions/{decision}:carry-out")
    said = (await ask(she, "GET", "")).json()
    assert [(each["due_fen"], each["left_fen"]) for each in said["overpaid"]] == [(20_000, 20_000)]
    assert said["benefits"][0]["sentence"] == "城乡居民基本养老金：已从2023年9月起暂停，原因：服刑。恢复后按规定补发。"
