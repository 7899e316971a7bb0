"""Old photos are known again, other photos of the same room are not; photos are sealed, looked at by few, and go."""

import asyncio
from collections import Counter
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

from services.grid.domain.photos import Marks, marks_of, same
from services.grid.jobs.upkeep import go_round
from services.grid.usecases.photographing import give_up_waiting, read_photo, take_photo
from tests.services.grid.photos import jpeg, room, shot, tampered
from tests.services.grid.town import NEIGHBOUR, VILLAGE, Town, due, enrolled, roll_csv, subject, visit

ANNA, BERT = subject(1), subject(2)
DISTANCE = 56


def test_rates_on_a_set_of_invented_photos():
    """The rates stated: 100 % of the copies are caught, 0 % of other photos, of the same room or of another."""
    chance = np.random.default_rng(3)
    caught: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    alarms = others = 0
    known: list[Marks] = []
    for seed in range(10):
        place = room(seed)
        photo = shot(place, chance)
        marks = marks_of(photo)
        alarms += sum(same(marks_of(shot(place, chance)), marks, DISTANCE) for _ in range(4))
        others += sum(same(marks, earlier, DISTANCE) for earlier in known)
        known.append(marks)
        for how, copy in tampered(photo, chance):
            copied = marks_of(copy)
            found = set(copied.probes()) & set(marks.bands()) and same(copied, marks, DISTANCE)
            tried[how] += 1
            caught[how] += bool(found)
    assert {how: caught[how] / tried[how] for how in tried} == dict.fromkeys(tried, 1.0)
    assert (alarms, others) == (0, 0)


@pytest.fixture
async def town_of_two(town: Town) -> Town:
    """Two villages, two people in one of them."""
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR, groups=3))
    await town.hear(enrolled(ANNA, BERT), due(ANNA, BERT))
    return town


async def report(town: Town, person: UUID, **more: Any) -> tuple[str, dict[str, str]]:
    """A report that announces a photo; its visit id and its member's headers."""
    task = (await town.rows("SELECT task_id, worker_id FROM tasks WHERE subject = $1 AND state <> 'closed'", person))[0]
    headers = town.member(task["worker_id"])
    body = visit(task["task_id"], photo=True, at=town.clock.now(), **more)
    answer = (await town.ask("POST", "/v1/visits", headers=headers, json=body)).json()
    assert answer["notes"] == ["send_photo"]
    assert answer["task_state"] == "submitted"
    return body["visit_id"], headers


async def send(town: Town, visit_id: str, headers: dict[str, str], photo: bytes) -> dict[str, Any]:
    answer = await town.ask("PUT", f"/v1/visits/{visit_id}/photo", headers=headers, content=photo)
    return dict(answer.json())


async def test_a_visit_counts_when_its_photo_has_come_however_often_it_is_sent(town_of_two):
    town = town_of_two
    visit_id, headers = await report(town, ANNA)
    assert await town.said("grid.visit.concluded.v1") == []
    photo = jpeg(shot(room(1), np.random.default_rng(1)))
    for _ in range(2):
        assert (await send(town, visit_id, headers, photo))["status"] == "concluded"
    assert len(await town.said("grid.visit.concluded.v1")) == 1
    other = jpeg(shot(room(2), np.random.default_rng(2)))
    assert (await send(town, visit_id, headers, other))["code"] == "photo_not_expected"


async def test_a_photo_used_for_somebody_else_or_in_another_month_goes_to_the_leader(town_of_two):
    town, chance = town_of_two, np.random.default_rng(1)
    first = shot(room(1), chance)
    visit_id, headers = await report(town, ANNA)
    await send(town, visit_id, headers, jpeg(first))
    town.clock.move(timedelta(days=35))
    await go_round(town.deps)
    copy = dict(tampered(first, chance))["cropped 2%"]
    visit_id, headers = await report(town, BERT)
    answer = await send(town, visit_id, headers, jpeg(copy, 60))
    assert (answer["status"], answer["flags"]) == ("in_review", ["photo_reused"])
    assert len(await town.said("grid.visit.concluded.v1")) == 1


async def test_another_photo_of_the_same_room_is_none_of_that(town_of_two):
    town, chance, place = town_of_two, np.random.default_rng(1), room(1)
    for person in (ANNA, BERT):
        visit_id, headers = await report(town, person)
        assert (await send(town, visit_id, headers, jpeg(shot(place, chance))))["status"] == "concluded"


async def test_a_photo_that_never_comes_sends_the_report_to_the_leader(town_of_two):
    town = town_of_two
    await report(town, ANNA)
    await go_round(town.deps)
    town.clock.move(timedelta(days=6))
    await go_round(town.deps)
    rows = await town.rows("SELECT status, flags FROM visits")
    assert [(row["status"], row["flags"]) for row in rows] == [("in_review", ["photo_missing"])]


async def test_a_photo_that_comes_as_it_is_given_up_counts_once(committing_database_for, issuer):
    town = Town(await committing_database_for("grid"), issuer)
    await town.import_grids(roll_csv(VILLAGE))
    await town.hear(due(ANNA))
    visit_id, _ = await report(town, ANNA)
    town.clock.move(timedelta(days=6))
    photo, member = read_photo(jpeg(room(1))), await town.member_of(VILLAGE + "001")

    async def give_up() -> int:
        async with town.database.write() as tx:
            return await give_up_waiting(tx, town.deps)

    async with town.database.write() as tx:
        await take_photo(tx, town.deps, UUID(visit_id), photo, worker=member)
        given_up = asyncio.create_task(give_up())
        await asyncio.sleep(0.3)
    assert await given_up == 0
    assert [row["status"] for row in await town.rows("SELECT status FROM visits")] == ["concluded"]


async def test_photos_are_sealed_shown_to_the_village_and_forgotten_in_time(town_of_two):
    town = town_of_two
    visit_id, headers = await report(town, ANNA)
    photo = Image.fromarray(np.asarray(shot(room(1), np.random.default_rng(1))))
    exif = photo.getexif()
    exif[0x010F] = "phone of the member"
    out = BytesIO()
    photo.save(out, "JPEG", exif=exif)
    await send(town, visit_id, headers, out.getvalue())
    sealed = (await town.rows("SELECT sealed FROM photos"))[0]["sealed"]
    assert b"JFIF" not in sealed
    path = f"/v1/visits/{visit_id}/photo"
    shown = await town.ask("GET", path, headers=town.village())
    assert Image.open(BytesIO(shown.content)).size == (640, 480)
    assert b"phone of the member" not in shown.content
    refused = await town.ask("GET", path, headers=town.village(NEIGHBOUR, user="neighbour"))
    assert refused.json()["code"] == "no_such_photo"
    looks = await town.rows('SELECT "user", what, subject, shown FROM readings ORDER BY seq')
    assert [tuple(row.values()) for row in looks] == [
        ("village-head", "photo", ANNA, True),
        ("neighbour", "photo", ANNA, False),
    ]
    town.clock.move(timedelta(days=31))
    await go_round(town.deps)
    assert (await town.ask("GET", path, headers=town.village())).status_code == 404
    assert [row["sealed"] for row in await town.rows("SELECT sealed FROM photos")] == [None]
    town.clock.move(timedelta(days=731))
    await go_round(town.deps)
    assert await town.rows("SELECT FROM photos") == []


@pytest.mark.parametrize("body", [b"", b"no photo", b"GIF89a" + b"\0" * 400, jpeg(Image.new("RGB", (20, 20)))])
async def test_what_is_no_photo_is_refused_and_leaves_nothing(town_of_two, body):
    town = town_of_two
    visit_id, headers = await report(town, ANNA)
    assert (await send(town, visit_id, headers, body))["code"] == "photo_unreadable"
    assert await town.rows("SELECT FROM photos") == []
