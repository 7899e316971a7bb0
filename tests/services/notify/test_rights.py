"""Who may look at whose messages: the person himself, his division's offices, and nobody else however he asks."""

from uuid import uuid4

import pytest

from shared.contracts.events import CONTACTS_CHANGED, SUSPICION_RAISED
from tests.services.notify.world import contacts, hear, rows_of, subject, suspicions, table_message

pytestmark = pytest.mark.db

VILLAGE = "341602001001"
ROLES = ("citizen", "partner", "department", "grid_worker", "grid_leader", "village", "officer", "auditor", "operator")


@pytest.fixture(autouse=True)
async def known(deps):
    """Two people, each suspected of something; only the first one's village is known."""
    await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")], VILLAGE)))
    for number in (1, 2):
        await hear(
            deps, table_message(SUSPICION_RAISED, suspicions([(subject(number), uuid4(), "suspected_missing", 1)]))
        )


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("audience", "readers"),
    [
        ("officer", {"officer", "operator"}),
        ("department", {"department", "operator"}),
        ("grid_worker", {"grid_worker", "grid_leader", "operator"}),
        ("village", {"village", "grid_leader", "officer", "operator"}),
        ("partner", {"partner", "operator"}),
    ],
)
async def test_an_inbox_is_its_roles_alone(http, issuer, audience, readers, role):
    headers = issuer.headers("notify.read", role=role, divisions=[VILLAGE[:6]], department="medins", user="somebody")
    answer = await http.get(f"/v1/inbox/{audience}", headers=headers)
    assert answer.status_code == (200 if role in readers else 403)


@pytest.mark.parametrize(
    ("role", "who", "status"),
    [
        ("citizen", {"user": str(subject(1))}, 200),
        ("citizen", {"user": str(subject(2))}, 403),
        ("citizen", {}, 403),
        ("village", {"divisions": [VILLAGE]}, 403),
        ("department", {"department": "medins"}, 403),
        ("grid_worker", {"divisions": [VILLAGE]}, 403),
        ("partner", {}, 403),
        ("officer", {"divisions": ["341602"]}, 200),
        ("officer", {"divisions": ["341621"]}, 404),
        ("officer", {}, 200),
        ("auditor", {}, 200),
        ("operator", {}, 200),
    ],
)
async def test_a_person_is_looked_at_by_himself_and_the_offices_of_his_division(
    http, issuer, database, role, who, status
):
    headers = issuer.headers("notify.read", role=role, **who)
    for path in ("/v1/messages:search", "/v1/preferences:search"):
        answer = await http.post(path, json={"subject": str(subject(1))}, headers=headers)
        assert answer.status_code == status
    assert len(await rows_of(database, "SELECT FROM look")) == (2 if status == 200 else 0)


async def test_who_belongs_to_no_known_division_is_no_officers_of_one(http, issuer):
    headers = issuer.headers("notify.read", role="officer", divisions=["341602"])
    body = {"subject": str(subject(2))}
    assert (await http.post("/v1/messages:search", json=body, headers=headers)).status_code == 404


@pytest.mark.parametrize(
    ("scope", "who", "status"),
    [
        ("notify.read", {"role": "citizen", "user": str(subject(1))}, 200),
        ("notify.read", {"role": "citizen", "user": str(subject(2))}, 403),
        ("notify.manage", {"role": "citizen", "user": str(subject(2))}, 403),
        ("notify.read", {"role": "officer"}, 403),
        ("notify.manage", {"role": "officer"}, 200),
        ("notify.manage", {"role": "village"}, 403),
    ],
)
async def test_a_person_says_himself_how_he_wants_to_be_told(http, issuer, database, scope, who, status):
    headers = issuer.headers(scope, **who)
    body = {"subject": str(subject(1)), "large_print": True}
    assert (await http.post("/v1/preferences", json=body, headers=headers)).status_code == status
    assert len(await rows_of(database, "SELECT FROM preference")) == (status == 200)


@pytest.mark.parametrize(
    ("role", "divisions", "status"),
    [
        ("village", [VILLAGE], 200), ("village", ["341621"], 404), ("village", [], 403), ("officer", [], 403),
        ("operator", [], 200),
    ],
)  # fmt: skip
async def test_a_villages_letters_are_printed_with_a_token_that_names_it(http, issuer, role, divisions, status):
    headers = issuer.headers("notify.village", role=role, divisions=divisions)
    for path in ("letters:print", "announcements:list"):
        answer = await http.post(f"/v1/villages/{VILLAGE}/{path}", json={}, headers=headers)
        assert answer.status_code == status
    told = {"items": [{"id": str(uuid4()), "delivered": True}]}
    answer = await http.post(f"/v1/villages/{VILLAGE}/letters:confirm", json=told, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ({"role": "officer", "divisions": ["341602"]}, 202),
        ({"role": "officer", "divisions": ["341621"]}, 404),
        ({"role": "service"}, 202),
        ({"role": "citizen", "user": str(subject(1))}, 403),
        ({"role": "village", "divisions": [VILLAGE]}, 403),
        ({"role": "partner"}, 403),
    ],
)
async def test_only_an_office_has_people_written_to_in_its_name(http, issuer, database, who, status):
    asked = {
        "template": "stop_notice", "subject": str(subject(1)), "key": "proposal-0001",
        "variables": {"program": "高龄津贴", "reason": "认证到期", "stop_on": "2024-01-01", "answer_by": "2023-12-15"},
    }  # fmt: skip
    answer = await http.post("/v1/messages", json=asked, headers=issuer.headers("notify.manage", **who))
    assert answer.status_code == status
    written = await rows_of(database, "SELECT FROM message WHERE template = 'stop_notice'")
    assert len(written) == (status == 202)
