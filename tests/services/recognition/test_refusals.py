"""No refusal leaves unlogged, and no flood of them fills the log: beyond a few, their number stands for them."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from services.recognition.domain.limits import Policy
from services.recognition.jobs import ChaseLoop
from services.recognition.usecases.limits import Limiter
from services.recognition.usecases.refusals import OF_ALL, OF_ONE, Refusals
from tests.services.recognition.rights import Officers, pay, tell
from tests.services.recognition.test_feed import revoke
from tests.services.recognition.test_jobs import ID, person
from tests.services.recognition.world import WHY, concluded, enrolled, enrolment

pytestmark = pytest.mark.db
CHECK = {"program": "resident_pension", "citizen_id": ID}
SOME = UUID(int=4)


async def logged(world) -> dict[tuple[str, str, str], int]:
    """Refusals by caller, action and code, those that only stand there as a number too."""
    found: dict[tuple[str, str, str], int] = {}
    for row in await world.rows("SELECT client_id, action, answer FROM usage WHERE answer LIKE 'denied:%'"):
        code, _, times = row["answer"].removeprefix("denied:").partition("*")
        key = (row["client_id"], row["action"], code)
        found[key] = found.get(key, 0) + int(times or 1)
    return found


async def rows(world) -> int:
    return len(await world.rows("SELECT FROM usage"))


@pytest.mark.parametrize(
    ("credentials", "path"),
    [("Bearer rubbish", "/v1/recognitions:check"), ("Bearer a.b.c", "/v1/me"), ("bearer x", "/v1/proposals")],
)
async def test_a_flood_of_worthless_tokens_is_a_few_rows_and_a_number(world, http, credentials, path):
    method, action = ("GET", {"/v1/me": "me.status", "/v1/proposals": "list_proposals"}.get(path, "check"))
    if path.endswith(":check"):
        method = "POST"

    async def come(times: int, address: str) -> None:
        for _ in range(times):
            headers = {"Authorization": credentials, "X-Forwarded-For": f"10.0.0.1, {address}"}
            answer = await http.request(method, path, headers=headers, json=CHECK if method == "POST" else None)
            assert answer.status_code == 401

    await come(OF_ONE.burst + 120, "203.0.113.7")
    assert await rows(world) <= OF_ONE.burst + 1
    await come(1, "203.0.113.8")
    assert await rows(world) <= OF_ONE.burst + 2, "another address has a share of its own"
    assert await world.deps.refusals.flush() >= 119
    assert await world.deps.refusals.flush() == 0
    assert await logged(world) == {("unverified", action, "unauthorized"): OF_ONE.burst + 121}
    assert await rows(world) <= OF_ONE.burst + 3


async def test_a_flood_of_addresses_has_one_share_together(world, http):
    refusals = Refusals(world.deps.database, of_all=Policy(rate=0.001, burst=10, day=0))
    object.__setattr__(world.deps, "refusals", refusals)
    for number in range(2000):
        headers = {"Authorization": "Bearer rubbish", "X-Forwarded-For": f"2001:db8::{number:x}"}
        await http.get("/v1/jobs", headers=headers)
    assert await rows(world) == 10
    await refusals.flush()
    assert await logged(world) == {("unverified", "job", "unauthorized"): 2000}
    assert await rows(world) <= 10 + 1001
    assert OF_ALL.rate * 86_400 < 500_000


async def test_an_address_nobody_vouches_for_is_not_believed(app, http, issuer):
    guard = issuer.guard()
    guard._gateways = []
    app.state.platform.guard = guard
    headers = {"Authorization": "Bearer rubbish", "X-Forwarded-For": "203.0.113.7"}
    for _ in range(3):
        await http.get("/v1/jobs", headers=headers)
    assert set(app.state.deps.refusals._one._of) == {"@127.0.0.1"}


async def test_who_goes_on_beyond_his_limit_is_a_few_rows_and_a_number(world, http, issuer):
    object.__setattr__(world.deps, "limiter", Limiter(Policy(rate=0.001, burst=2, day=100), world.deps.database))
    partner = issuer.headers("recognition.check", programs=["resident_pension"], client_id="p-1") | WHY
    for _ in range(OF_ONE.burst + 50):
        await http.post("/v1/recognitions:check", json=CHECK, headers=partner)
    assert await rows(world) <= 2 + OF_ONE.burst + 1
    await world.deps.refusals.flush()
    assert await logged(world) == {("p-1", "check", "too_many_requests"): OF_ONE.burst + 48}


async def test_a_token_of_another_scope_meets_the_limit_too(world, http, issuer):
    object.__setattr__(world.deps, "limiter", Limiter(Policy(rate=0.001, burst=2, day=100), world.deps.database))
    headers = issuer.headers("notify.read", client_id="p-1") | WHY
    said = [(await http.post("/v1/recognitions:check", json=CHECK, headers=headers)).status_code for _ in range(4)]
    assert said == [403, 403, 429, 429]
    assert await logged(world) == {("p-1", "check", "forbidden"): 2, ("p-1", "check", "too_many_requests"): 2}


@pytest.mark.parametrize("role", ["citizen", "officer", "auditor"])
async def test_a_person_has_a_limit_and_his_neighbour_another(world, http, issuer, role):
    object.__setattr__(world.deps, "persons", Limiter(Policy(rate=0.001, burst=3, day=1), world.deps.database))
    path, scope = {
        "citizen": ("/v1/me", "me.read"),
        "officer": ("/v1/proposals", "recognition.manage"),
        "auditor": ("/v1/usage", "audit.read"),
    }[role]

    async def ask(who: str) -> int:
        headers = issuer.headers(scope, role=role, client_id="shared", user=who)
        return int((await http.get(path, headers=headers)).status_code)

    she, he = str(uuid4()), str(uuid4())
    assert [await ask(she) for _ in range(4)] == [200, 200, 200, 429]
    assert await ask(he) == 200


REFUSED = [
    ("GET", "/v1/recognitions:check", {}, 405, None),
    ("POST", "/v1/recognitions:check", {"Legal-Basis": ""}, 422, ("check", "malformed")),
    ("GET", "/v1/programs/nobodys", {}, 404, ("programs", "not_found")),
]


@pytest.mark.parametrize(("method", "path", "headers", "status", "said"), REFUSED)
async def test_what_a_partner_is_refused_by_the_guard_or_the_route_is_logged(  # noqa: PLR0917
    world, http, partner, method, path, headers, status, said
):
    answer = await http.request(method, path, headers={**partner, **headers}, json=CHECK if method == "POST" else None)
    assert answer.status_code == status
    assert await logged(world) == ({("p-1", *said): 1} if said else {})


OFFICERS = [
    ("GET", f"/v1/proposals/{SOME}", None, 404, "get_proposal"),
    ("POST", f"/v1/proposals/{SOME}:confirm", None, 404, "confirm_proposal"),
    ("POST", f"/v1/proposals/{SOME}:decide", {"grounds": 1}, 422, "decide_proposal"),
    ("GET", f"/v1/decisions/{SOME}", None, 404, "get_decision"),
    ("GET", f"/v1/overpayments/{SOME}", None, 404, "get_overpayment"),
    ("POST", f"/v1/objections/{SOME}:answer", {"upheld": False, "answer": "无误"}, 404, "answer_objection"),
    ("GET", "/v1/certification-cycles/people?program=nobodys&state=overdue", None, 404, "list_people"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "action"), OFFICERS)
async def test_what_an_officer_is_refused_is_logged(  # noqa: PLR0917
    world, http, issuer, method, path, body, status, action
):
    officer = issuer.headers("recognition.manage", role="officer", programs=["*"], client_id="o-1", user="officer-1")
    assert (await http.request(method, path, json=body, headers=officer)).status_code == status
    stranger = issuer.headers("recognition.check", role="officer", client_id="o-2")
    assert (await http.request(method, path, json=body, headers=stranger)).status_code == 403
    late = issuer.headers("recognition.manage", role="officer", lifetime=-60)
    assert (await http.request(method, path, json=body, headers=late)).status_code == 401
    code = {404: "not_found", 422: "malformed"}[status]
    assert await logged(world) == {
        ("o-1", action, code): 1, ("o-2", action, "forbidden"): 1, ("unverified", action, "unauthorized"): 1,
    }  # fmt: skip


@pytest.mark.parametrize(("path", "action"), [("proposals", "proposal"), ("work", "work"),
                                              ("overpayments", "overpayment"), ("undelivered", "undelivered")])  # fmt: skip
async def test_every_person_a_list_shows_an_officer_is_a_look(world, http, issuer, partner, path, action):
    she, officers = person(world), Officers(http, issuer)
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(she), program="old_age_allow"))
    await world.hear(concluded(she, "confirmed"))
    if action == "overpayment":
        of = {each["program"]: each["proposal_id"] for each in await officers.proposals()}
        decision = await officers.decided(of["resident_pension"])
        await pay(world, she, [date(2023, 10, 1)])
        await tell(world, she)
        world.deps.clock.move(timedelta(days=31))
        await officers.post(f"/v1/decisions/{decision}:carry-out")
    if action == "undelivered":
        await world.hear(concluded(she, "false_death"))
        await revoke(world, she)
        world.deps.clock.move(timedelta(days=30))
        for _ in range(3):
            await ChaseLoop(world.deps).step()
            world.deps.clock.move(timedelta(days=30))
    known = (await world.rows("SELECT COALESCE(max(usage_id), 0) AS id FROM usage"))[0]["id"]
    answer = await officers.get(f"/v1/{path}")
    shown = answer.json()["items"]
    assert shown, answer.text
    looks = await world.rows("SELECT action, subject, program, answer FROM usage WHERE usage_id > $1", known)
    assert sorted(tuple(row.values()) for row in looks) == sorted(
        (action, she, each["program"], "seen") for each in shown
    )


async def test_ids_that_are_none_stand_in_the_log_of_a_batch(world, http, issuer):
    partner = issuer.headers("recognition.batch", programs=["resident_pension"], client_id="p-1") | WHY
    items = [{"citizen_id": each} for each in (ID, "341602194901011235", "nobody")]
    answer = await http.post(
        "/v1/recognitions:batch", json={"program": "resident_pension", "items": items}, headers=partner
    )
    assert answer.status_code == 200
    assert await logged(world) == {("p-1", "batch", "bad_citizen_id"): 2}
    assert await rows(world) == 2
