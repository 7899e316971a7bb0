"""Nobody sees another village's people: every route is tried with a neighbour's token."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.services.grid.photos import jpeg, room
from tests.services.grid.test_claims import REQUEST, asks
from tests.services.grid.town import NEIGHBOUR, VILLAGE, Town, due, enrolled, roll_csv, subject, suspected, visit

ANNA = subject(1)


@pytest.fixture
async def two_villages(town: Town) -> Town:
    """Anna lives in one village; those who ask are of the other."""
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    await town.hear(enrolled(ANNA), due(ANNA), suspected(ANNA), asks(ANNA))
    return town


async def ids(town: Town) -> dict[str, str]:
    task = (await town.rows("SELECT task_id FROM tasks WHERE reason = 'unmatched'"))[0]["task_id"]
    case = (await town.rows("SELECT case_id FROM cases"))[0]["case_id"]
    return {
        "task_id": str(task),
        "case_id": str(case),
        "visit_id": str(await odd_visit(town)),
        "request_id": str(REQUEST),
        "tip_id": str(await a_tip(town)),
        "substitution_id": str(uuid4()),
        "division": VILLAGE,
        "month": "2023-11",
    }


async def a_tip(town: Town) -> UUID:
    """A tip about Anna; made once."""
    if not await town.rows("SELECT FROM tips"):
        body = {"report_id": str(uuid4()), "subject": str(ANNA), "kind": "suspected_death", "text": "某事"}
        headers = town.issuer.headers("me.read", role="citizen", user="back-end")
        await town.ask("POST", "/v1/tips", headers=headers, json=body)
    return UUID(str((await town.rows("SELECT tip_id FROM tips"))[0]["tip_id"]))


async def odd_visit(town: Town) -> UUID:
    """A visit that waits for its village; made once."""
    found = await town.rows("SELECT visit_id FROM visits")
    if found:
        return UUID(str(found[0]["visit_id"]))
    rows = await town.rows("SELECT task_id, worker_id FROM tasks WHERE reason = 'unmatched'")
    body = visit(rows[0]["task_id"], place={"lon": 116.5, "lat": 33.85})
    await town.ask("POST", "/v1/visits", headers=town.member(rows[0]["worker_id"]), json=body)
    return UUID(body["visit_id"])


async def callers(town: Town) -> dict[str, dict[str, str]]:
    member = await town.member_of(NEIGHBOUR + "001")
    scopes = ("grid.work", "grid.read", "grid.manage")
    return {
        "a member of the next village": town.issuer.headers(*scopes, role="grid_worker", user=member),
        "a member with a wide token": town.issuer.headers(
            *scopes, role="grid_worker", user=member, divisions=["341602"]
        ),
        "its leader": town.issuer.headers(*scopes, role="grid_leader", user=member, divisions=[NEIGHBOUR]),
        "its cadre": town.issuer.headers(*scopes, role="village", user="cadre", divisions=[NEIGHBOUR]),
        "a cadre without any village": town.issuer.headers(*scopes, role="village", user="cadre"),
        "an officer of another county": town.issuer.headers(
            *scopes, role="officer", user="officer", divisions=["341621"]
        ),
        "a partner": town.issuer.headers(*scopes, role="partner", user="partner"),
        "a back end for that member": town.issuer.headers(*scopes, role="citizen", user="back-end"),
    }


NOT_ABOUT_PEOPLE = {
    ("POST", "/v1/grids:import"),
    ("GET", "/v1/figures"),
    ("POST", "/v1/substitutions"),
    ("POST", "/v1/substitutions/{substitution_id}/end"),
    # A reporter sends a subject and gets nothing back; afterwards he shows his own code.
    ("POST", "/v1/tips"),
    ("POST", "/v1/tips:status"),
    ("POST", "/v1/tips:claim"),
    ("GET", "/v1/reports"),
    ("GET", "/v1/reports.xlsx"),
    ("GET", "/v1/reports.pdf"),
}
FINDING = {
    "finding": "dead",
    "event_on": "2023-09-09",
    "not_family": True,
    "basis": [{"kind": "paper", "reference": "x"}],
}
PHOTO = jpeg(room(1))
TRIED: dict[tuple[str, str], Any] = {
    ("GET", "/v1/worklist"): None,
    ("GET", "/v1/tasks"): None,
    ("GET", "/v1/cases"): None,
    ("GET", "/v1/looks"): None,
    ("GET", "/v1/me/looks"): None,
    ("GET", "/v1/cases/{case_id}"): None,
    ("POST", "/v1/cases"): lambda _known: {"subject": str(ANNA), "kind": "suspected_missing"},
    ("POST", "/v1/visits"): lambda known: visit(known["task_id"]),
    ("POST", "/v1/visits:sync"): lambda known: {"visits": [visit(known["task_id"])]},
    ("POST", "/v1/cases/{case_id}/finding"): lambda _known: FINDING,
    ("POST", "/v1/cases/{case_id}/review"): lambda _known: {"verdict": "agreed", "not_family": True},
    ("POST", "/v1/cases/{case_id}/conclusion"): lambda _known: {
        "conclusion": "confirmed",
        "event_on": "2023-09-09",
        "not_family": True,
    },
    ("POST", "/v1/cases/{case_id}/recusal"): lambda _known: {},
    ("GET", "/v1/visits"): None,
    ("GET", "/v1/reports/{division}/{month}"): None,
    ("GET", "/v1/reports/{division}/{month}/form"): None,
    ("GET", "/v1/reports/{division}/{month}/lists"): None,
    ("GET", "/v1/stop-requests"): None,
    ("GET", "/v1/stop-requests/{request_id}"): None,
    ("POST", "/v1/stop-requests/{request_id}/verification"): lambda _known: {"as_stated": True, "not_family": True},
    ("POST", "/v1/stop-requests/{request_id}/conclusion"): lambda _known: {"confirmed": True},
    ("GET", "/v1/anomalies"): None,
    ("GET", "/v1/divisions/{division}/subjects"): None,
    ("GET", "/v1/tips"): None,
    ("POST", "/v1/tips/{tip_id}/screening"): lambda _known: {"accepted": True},
    ("POST", "/v1/tips/{tip_id}/approval"): lambda _known: {},
    ("POST", "/v1/tips/{tip_id}/telling"): lambda _known: {},
    ("POST", "/v1/tips/{tip_id}/payment"): lambda _known: {},
    ("POST", "/v1/tips/{tip_id}/reporter:reveal"): lambda _known: {},
    ("POST", "/v1/reports/{division}/{month}/submission"): lambda _known: {"zero_report": False},
    ("POST", "/v1/reports/{division}/{month}/check"): lambda _known: {},
    ("POST", "/v1/reports/{division}/{month}/return"): lambda _known: {},
    ("POST", "/v1/reports/{division}/{month}/signature"): lambda _known: {},
    ("POST", "/v1/reports/{division}/{month}/acceptance"): lambda _known: {},
    ("PUT", "/v1/visits/{visit_id}/photo"): PHOTO,
    ("GET", "/v1/visits/{visit_id}/photo"): None,
    ("POST", "/v1/visits/{visit_id}/review"): lambda _known: {"verdict": "accepted"},
    ("POST", "/v1/tasks/{task_id}/unreachable"): lambda _known: {},
    ("POST", "/v1/tasks/{task_id}/relocation"): lambda _known: {"grid_code": NEIGHBOUR + "001"},
}


def routes(town: Town) -> set[tuple[str, str]]:
    shared = ("/v1/flow", "/v1/today", "/v1/dead-letters")
    document = town.app.openapi()
    return {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if not path.startswith(shared)
    }


async def test_every_route_about_people_is_tried(town):
    assert routes(town) == set(TRIED) | NOT_ABOUT_PEOPLE


@pytest.mark.parametrize(("method", "path"), list(TRIED))
async def test_nobody_reaches_another_villages_people(two_villages, method, path):
    town, known = two_villages, await ids(two_villages)
    before = await town.rows("SELECT state, worker_id, grid_code FROM tasks ORDER BY task_id")
    body = TRIED[method, path]
    member = await town.member_of(NEIGHBOUR + "001")
    for who, headers in (await callers(town)).items():
        options: dict[str, Any] = {}
        if isinstance(body, bytes):
            options["content"] = body
        elif body:
            options["json"] = body(known)
        if "back end" in who and "json" not in options:
            options["params"] = {"worker_id": member}
        elif "back end" in who and path.startswith("/v1/visits"):
            wrapped = options["json"].get("visits", [options["json"]])
            wrapped[0]["worker_id"] = member
        answer = await town.ask(method, path.format(**known), headers=headers, **options)
        assert answer.status_code < 500
        told = answer.text
        assert str(ANNA) not in told, who
        assert '"recorded"' not in told, who
        if "{" in path:
            assert answer.status_code in {400, 403, 404}, who
    assert await town.rows("SELECT state, worker_id, grid_code FROM tasks ORDER BY task_id") == before
    assert [row["status"] for row in await town.rows("SELECT status FROM visits")] == ["in_review"]
    assert [row["state"] for row in await town.rows("SELECT state FROM stop_requests")] == ["received"]
    assert [row["state"] for row in await town.rows("SELECT state FROM tips")] == ["received"]
    assert {row["action"] for row in await town.rows("SELECT action FROM case_steps")} == {"detected", "assigned"}


async def test_nobody_stands_in_for_who_also_holds_grids_elsewhere_unless_both_villages_are_the_offices(town):
    rows = roll_csv(VILLAGE, NEIGHBOUR).decode().splitlines()
    assistant = ",".join(rows[1].split(",")[9:11])
    rows[3] = rows[3].replace(",".join(rows[3].split(",")[9:11]), assistant)  # he helps in the next village, too
    assert (await town.import_grids("\n".join(rows).encode())).status_code == 200
    both, member = await town.holder_of(VILLAGE + "001", "assistant"), await town.member_of(VILLAGE + "001")
    assert await town.holder_of(NEIGHBOUR + "001", "assistant") == both
    body = {"worker_id": both, "substitute_id": member, "from_on": "2023-11-01", "until_on": "2023-11-02"}
    answers = [
        (await town.ask("POST", "/v1/substitutions", headers=town.officer("o", office), json=body)).status_code
        for office in (VILLAGE, VILLAGE[:9])
    ]
    assert answers == [404, 201]


async def test_a_town_sees_its_villages_and_a_county_its_towns(two_villages):
    for prefix in ("341602", "341602001", VILLAGE):
        answer = await two_villages.ask("GET", "/v1/cases", headers=two_villages.officer("o", prefix))
        assert len(answer.json()["items"]) == 1


@pytest.mark.parametrize(("method", "path"), sorted(set(TRIED) | NOT_ABOUT_PEOPLE))
async def test_every_route_wants_a_token_with_its_scope(two_villages, method, path):
    known = await ids(two_villages)
    assert (await two_villages.ask(method, path.format(**known), headers={})).status_code == 401
    wrong = two_villages.issuer.headers("ingest.read", role="officer")
    assert (await two_villages.ask(method, path.format(**known), headers=wrong)).status_code == 403


async def test_pages_go_on_where_they_ended_and_cursors_hold_for_one_question(two_villages):
    town = two_villages
    await town.hear(due(*[subject(number) for number in range(10, 25)]))
    seen, cursor = [], None
    while True:
        params = {"limit": 5, "reason": "unmatched", **({"cursor": cursor} if cursor else {})}
        page = (await town.ask("GET", "/v1/tasks", headers=town.operator(), params=params)).json()
        seen += [item["task_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        other = await town.ask("GET", "/v1/tasks", headers=town.operator(), params={"cursor": cursor})
        assert other.json()["code"] == "cursor_invalid"
    assert len(seen) == len(set(seen)) == 16


async def test_figures_count_without_people(two_villages):
    answer = (await two_villages.ask("GET", "/v1/figures", headers=two_villages.operator())).json()
    assert answer["tasks_open"] == {"suspicion": 1, "unmatched": 1}
    assert (answer["grids"], answer["workers"], answer["cases_open"]) == (4, 8, 1)


async def test_unknown_things_are_not_found(two_villages):
    answer = await two_villages.ask("GET", f"/v1/cases/{uuid4()}", headers=two_villages.village())
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_case")
