"""A phone asks for what changed: it loses nothing that is its own, and misses nothing that became its own."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.grid.jobs.upkeep import go_round
from services.grid.usecases.listing import OVERLAP, PAGE_TASKS
from tests.services.grid.town import VILLAGE, Town, certified, due, enrolled, roll_csv, subject, suspected

ANNA = subject(1)
FIRST = VILLAGE + "001"


@pytest.fixture
async def town(database_for, issuer):
    """With an ingest that knows Anna."""
    return Town(await database_for("grid"), issuer, peers=knowing())


@pytest.fixture
async def member(town: Town) -> str:
    """The member of the first grid, with Anna to visit."""
    await town.import_grids(roll_csv(VILLAGE))
    await town.hear(enrolled(ANNA), due(ANNA))
    return await town.member_of(FIRST)


async def ask(town: Town, who: dict[str, str], since: str | None = None, **more: str) -> dict[str, Any]:
    params = {"since": since, **more} if since else more
    return dict((await town.ask("GET", "/v1/worklist", headers=who, params=params)).json())


async def whole(town: Town, who: dict[str, str]) -> list[dict[str, Any]]:
    """All pages of a list."""
    pages = [await ask(town, who)]
    while pages[-1]["next_cursor"]:
        pages.append(await ask(town, who, cursor=pages[-1]["next_cursor"]))
    return pages


def knowing(*names: str) -> httpx.MockTransport:
    """An ingest that answers as long as there are answers left."""
    left = list(names)

    def ingest(_request: httpx.Request) -> httpx.Response:
        if not left:
            return httpx.Response(200, json={"items": [person("王秀英")]})
        return httpx.Response(503) if left.pop() == "away" else httpx.Response(200, json={"items": []})

    return httpx.MockTransport(ingest)


def person(name: str) -> dict[str, Any]:
    return {"subject": str(ANNA), "name": name, "phone": "13800000000", "family_phone": None, "division": VILLAGE}


async def test_a_list_is_whole_however_long_it_is(town, member):
    many = [subject(number) for number in range(10, 630)]
    await town.hear(due(*many))
    town.clock.move(timedelta(hours=1))
    headers = town.leader(await town.holder_of(FIRST, "leader"))
    pages = await whole(town, headers)
    first = pages[0]
    assert len({line["subject"] for page in pages for line in page["items"]}) == 621
    assert sum(len(page["items"]) for page in pages) == 621
    assert {len(page["open_tasks"]) for page in pages} == {621}
    assert {len(page["items"]) for page in pages[:-1]} == {PAGE_TASKS}
    await town.hear(certified(*many[:100]))
    delta = await ask(town, headers, first["as_of"])
    assert (delta["items"], len(delta["gone"]), len(delta["open_tasks"])) == ([], 100, 521)


async def test_a_page_with_names_and_every_reason_fits_fifty_kilobytes(database_for, issuer):
    people = [subject(number) for number in range(1, 41)]

    def ingest(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)["subjects"]
        items = [
            {"subject": each, "name": "阿卜杜热合曼·买买提", "phone": "13800000000", "family_phone": "13900000000"}
            for each in asked
        ]
        return httpx.Response(200, json={"items": items})

    town = Town(await database_for("grid"), issuer, peers=httpx.MockTransport(ingest))
    await town.import_grids(roll_csv(VILLAGE))
    for program in ("resident_pension", "ue_pension", "gi_pension", "old_age_allow", "dis_living"):
        await town.hear(enrolled(subject(99), program=program))
    for program in ("dibao", "dis_nursing"):
        await town.hear(enrolled(*people, program=program))
    await town.hear(due(*people), *(suspected(each) for each in people[:5]))
    await go_round(town.deps)
    headers = town.member(await town.member_of(FIRST))
    answers = [await town.ask("GET", "/v1/worklist", headers=headers)]
    while cursor := answers[-1].json()["next_cursor"]:
        answers.append(await town.ask("GET", "/v1/worklist", headers=headers, params={"cursor": cursor}))
    assert max(len(answer.content) for answer in answers) < 50_000
    assert {line["name"] for answer in answers for line in answer.json()["items"]} == {"阿卜杜热合曼·买买提"}
    assert sum(len(line["tasks"]) for answer in answers for line in answer.json()["items"]) == 80


async def test_an_office_sees_the_most_urgent_of_a_city(town, member):
    await town.hear(due(*[subject(number) for number in range(10, 530)]), suspected(ANNA))
    found = await ask(town, town.operator())
    assert len(found["open_tasks"]) == 500
    assert found["items"][0]["subject"] == str(ANNA)


async def test_names_that_could_not_be_had_come_with_the_next_delta(database_for, issuer):
    town = Town(await database_for("grid"), issuer, peers=knowing("away"))
    await town.import_grids(roll_csv(VILLAGE))
    await town.hear(enrolled(ANNA), due(ANNA))
    headers = town.member(await town.member_of(FIRST))
    town.clock.move(timedelta(days=1))
    first = await ask(town, headers)
    assert (first["names"], first["items"][0]["name"]) == ("unavailable", None)
    town.clock.move(timedelta(days=1))
    delta = await ask(town, headers, first["as_of"])
    assert [(line["subject"], line["name"]) for line in delta["items"]] == [(str(ANNA), "王秀英")]
    town.clock.move(2 * OVERLAP)
    assert (await ask(town, headers, delta["as_of"]))["items"] == []


async def test_a_delta_without_names_is_asked_for_again_from_where_it_began(database_for, issuer):
    town = Town(await database_for("grid"), issuer, peers=knowing("away", "there"))
    await town.import_grids(roll_csv(VILLAGE))
    headers = town.member(await town.member_of(FIRST))
    await town.hear(due(subject(2)))
    town.clock.move(timedelta(days=1))
    first = await ask(town, headers)
    town.clock.move(timedelta(days=1))
    await town.hear(enrolled(ANNA), due(ANNA))
    town.clock.move(timedelta(days=1))
    delta = await ask(town, headers, first["as_of"])
    assert (delta["names"], delta["as_of"]) == ("unavailable", first["as_of"])
    again = await ask(town, headers, delta["as_of"])
    assert [line["name"] for line in again["items"]] == ["王秀英"]


@pytest.mark.parametrize("how", ["substitution", "import"])
async def test_what_became_his_comes_though_it_did_not_change(town, member, how):
    other = await town.member_of(VILLAGE + "002")
    town.clock.move(timedelta(days=1))
    before = await ask(town, town.member(other))
    assert before["items"] == []
    town.clock.move(timedelta(days=1))
    if how == "substitution":
        body = {"worker_id": member, "substitute_id": other, "from_on": "2023-11-03", "until_on": "2023-11-05"}
        await town.ask("POST", "/v1/substitutions", headers=town.officer("o", VILLAGE), json=body)
    else:
        lines = roll_csv(VILLAGE).decode().splitlines()
        mine, his = (",".join(lines[place].split(",")[5:7]) for place in (1, 2))
        lines[1] = lines[1].replace(mine, his)
        await town.import_grids("\n".join(lines).encode())
    town.clock.move(2 * OVERLAP)
    delta = await ask(town, town.member(other), before["as_of"])
    assert [line["subject"] for line in delta["items"]] == [str(ANNA)]
    assert (await ask(town, town.member(other), delta["as_of"]))["items"] == []


@pytest.mark.parametrize(
    "since", ["0001-01-01T00:00:00Z", "1999-12-31T00:00:00Z", "9999-12-31T23:59:59-14:00", "yesterday"]
)
async def test_an_instant_that_is_none_is_refused(town, member, since):
    answer = await town.ask("GET", "/v1/worklist", headers=town.member(member), params={"since": since})
    assert answer.status_code == 422
