"""The log of looks: what people wrote is read by nobody unseen; auditors read it all, a person who looked at him."""

from datetime import timedelta
from uuid import UUID

from tests.services.grid.test_claims import REQUEST, asks_saying
from tests.services.grid.test_scopes import a_tip
from tests.services.grid.town import NEIGHBOUR, VILLAGE, enrolled, roll_csv, subject

ANNA = subject(1)


async def test_a_look_at_a_request_is_kept_and_read_by_auditors_and_by_the_person(town):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    await town.hear(enrolled(ANNA), asks_saying("我父亲张建国去世", town))
    path = f"/v1/stop-requests/{REQUEST}"
    for who, each in (
        (town.village(), path),
        (town.officer("li"), "/v1/stop-requests"),
        (town.village(NEIGHBOUR), path),
    ):
        await town.ask("GET", each, headers=who)
        town.clock.move(timedelta(minutes=1))
    auditor = town.issuer.headers("audit.read", role="auditor", user="auditor-1")
    first = (await town.ask("GET", f"/v1/looks?subject={ANNA}&limit=1", headers=auditor)).json()
    rest = (await town.ask("GET", f"/v1/looks?after={first['next']}", headers=auditor)).json()
    found = [*first["items"], *rest["items"]]
    assert [(each["user"], each["what"], each["request_id"], each["subject"]) for each in found] == [
        ("village-head", "stop_request", str(REQUEST), str(ANNA)),
        ("li", "stop_request", str(REQUEST), str(ANNA)),
        ("auditor-1", "log", None, str(ANNA)),
    ]
    her = town.issuer.headers("me.read", role="citizen", user=str(ANNA))
    newest = (await town.ask("GET", "/v1/me/looks?limit=1", headers=her)).json()
    params = {"before": newest["before"]}
    items = newest["items"] + (await town.ask("GET", "/v1/me/looks", headers=her, params=params)).json()["items"]
    assert [each["organisation"] for each in items] == ["审计人员", "经办机构", "村（居）委会"]
    assert {each["action"] for each in items[1:]} == {"查看停发申请"}
    assert "li" not in str(items)
    nobody = town.issuer.headers("me.read", role="citizen", user="demo-mobile")
    assert (await town.ask("GET", "/v1/me/looks", headers=nobody)).status_code == 403


async def test_who_opens_a_tip_is_known_to_auditors_and_not_to_whom_it_is_about(town):
    tip_id = await a_tip(town)
    await town.ask("POST", f"/v1/tips/{tip_id}/reporter:reveal", headers=town.officer("li"))
    found = await town.rows('SELECT "user", what, subject, request_id FROM readings')
    assert [tuple(row.values()) for row in found] == [("li", "tip", ANNA, UUID(str(tip_id)))]
    her = town.issuer.headers("me.read", role="citizen", user=str(ANNA))
    assert (await town.ask("GET", "/v1/me/looks", headers=her)).json()["items"] == []
