"""What phones collected for days: one receipt a report, and the same end whatever the network does."""

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.kit.bus import Message
from tests.services.grid.test_visiting import ANNA, BERT, task_of
from tests.services.grid.town import (
    NEIGHBOUR,
    NOW,
    VILLAGE,
    Town,
    due,
    enrolled,
    prompt_shown,
    roll_csv,
    subject,
    suspected,
    visit,
)


@pytest.fixture
async def member(town: Town) -> str:
    """The member of the first grid, with two people to visit."""
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    await hear_before(town, enrolled(ANNA, BERT), due(ANNA, BERT))
    return await town.member_of(VILLAGE + "001")


async def hear_before(town: Town, *messages: Message) -> None:
    """What was asked before the visits of these days."""
    town.clock.move(-timedelta(days=4))
    await town.hear(*messages)
    town.clock.move(timedelta(days=4))


class TestSync:
    async def test_each_report_has_its_own_receipt(self, town, member):
        bodies = [
            visit(await task_of(town, ANNA)),
            visit(uuid4()),
            visit(await task_of(town, BERT), at=NOW + timedelta(days=1)),
            visit(await task_of(town, BERT), "absent_informed_by"),
            visit(await task_of(town, BERT)) | {"visited_at": "1970-01-02T00:00:00Z"},
            visit(await task_of(town, BERT)) | {"王秀英": "13800000000", "visit_id": "7"},
            visit(await task_of(town, BERT), worker_id="w" + "0" * 15),
        ]
        answer = await town.ask(
            "POST", "/v1/visits:sync", headers=town.member(member), json={"visits": [*bodies, bodies[0]]}
        )
        receipts = [(item["reception"], item["reasons"]) for item in answer.json()["items"]]
        assert receipts == [
            ("recorded", []),
            ("refused", ["unknown_task"]),
            ("refused", ["visited_at_in_the_future"]),
            ("recorded", []),
            ("refused", ["visited_at_unreadable"]),
            ("refused", ["visit_id_unreadable", "unreadable"]),
            ("refused", ["worker_unknown"]),
            ("repeated", []),
        ]
        assert "王秀英" not in answer.text

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    async def test_a_prompt_serves_once_whichever_report_comes_first(self, town, member, order):
        task = await task_of(town, ANNA)
        both = [
            visit(task, "seen_by_video", at=NOW - timedelta(hours=5 - place), visit_id=UUID(int=place + 1, version=4))
            for place in range(2)
        ]
        for place in order:
            await post(town, member, [[both[place]]])
        rows = await town.rows("SELECT status FROM visits ORDER BY visited_at")
        assert [row["status"] for row in rows] == ["concluded", "in_review"]
        review = f"/v1/visits/{both[1]['visit_id']}/review"
        await town.ask("POST", review, headers=town.village(), json={"verdict": "accepted"})
        assert len(await standing(town)) == 2

    @pytest.mark.parametrize(
        ("verdict", "state", "stands"), [("returned", "returned", []), ("accepted", "closed", [1])]
    )
    async def test_what_counted_until_an_earlier_report_came_stands_by_its_leaders_word_alone(
        self, town, member, verdict, state, stands
    ):
        await hear_before(town, suspected(ANNA))
        task = await task_of(town, ANNA)
        late, early = visit(task, at=NOW - timedelta(hours=1)), visit(task, at=NOW - timedelta(days=1))
        del early["place"]
        await post(town, member, [[late]])
        town.clock.move(timedelta(days=20))
        await post(town, member, [[early]])
        # It is not late of a sudden, and recognition knows by when somebody is to have knocked.
        [again] = await town.rows("SELECT deadline_on FROM tasks WHERE task_id = $1", UUID(str(task)))
        assert again["deadline_on"] == town.deps.knock_by()
        assert len(await town.rows("SELECT FROM outbox WHERE subject LIKE 'grid.tasks.opened.v1%'")) == 2
        assert await standing(town) == []
        for report, word in ((early, "returned"), (late, verdict)):
            review = f"/v1/visits/{report['visit_id']}/review"
            await town.ask("POST", review, headers=town.village(), json={"verdict": word})
        assert [each["revision"] for each in await standing(town)] == stands
        rows = await town.rows("SELECT state, not_by FROM tasks WHERE task_id = $1", UUID(str(task)))
        assert [tuple(row.values()) for row in rows] == [(state, [member])]
        assert len(await town.rows("SELECT FROM case_steps WHERE action = 'visited'")) == 1

    async def test_a_half_cut_request_leaves_nothing(self, town, member):
        body = visit(await task_of(town, ANNA))
        whole = httpx.Request("POST", "http://x", json={"visits": [body]}).content
        headers = {**town.member(member), "content-type": "application/json"}
        answer = await town.ask("POST", "/v1/visits:sync", headers=headers, content=whole[: len(whole) // 2])
        assert answer.status_code == 422
        assert await town.rows("SELECT 1 FROM visits") == []

    @pytest.mark.parametrize("seed", range(6))
    async def test_shuffled_repeated_and_split_reports_end_the_same(self, town, member, seed):
        """Two sets of people live through the same visits; one set is told in order, the other as a bad network would."""
        dice = random.Random(seed)
        people = 24
        worlds = {
            name: [subject(1000 * place + number) for number in range(1, people + 1)]
            for place, name in enumerate(("calm", "wild"), start=1)
        }
        for each in worlds.values():
            await hear_before(town, enrolled(*each), due(*each), *(suspected(person) for person in each[:6]))
        script = [script_of(dice, number) for number in range(people) for _ in range(dice.randint(0, 4))]
        calm, wild = [await reports(town, worlds[name], script, mark) for mark, name in enumerate(("calm", "wild"))]
        await post(town, member, [calm])
        await post(town, member, mangled(dice, wild))
        assert await ending(town, worlds["calm"], calm) == await ending(town, worlds["wild"], wild)

    async def test_two_hundred_visits_of_three_days_survive_a_bad_network(self, town, member):
        """Sent whole in one world; in the other shuffled, repeated, cut in half, with answers that got lost."""
        dice, people = random.Random(2023), 200
        worlds = {
            name: [subject(1000 * place + number) for number in range(1, people + 1)]
            for place, name in enumerate(("calm", "wild"), start=1)
        }
        for each in worlds.values():
            await hear_before(town, enrolled(*each), due(*each), *(suspected(person) for person in each[:6]))
        script = [script_of(dice, number) for number in range(people)]
        calm, wild = [await reports(town, worlds[name], script, mark) for mark, name in enumerate(("calm", "wild"))]
        await post(town, member, [calm])
        headers = {**town.member(member), "content-type": "application/json"}
        for part in mangled(dice, wild):
            whole = httpx.Request("POST", "http://x", json={"visits": part}).content
            cut = await town.ask(
                "POST", "/v1/visits:sync", headers=headers, content=whole[: dice.randrange(len(whole))]
            )
            assert cut.status_code == 422
            await post(town, member, [part])
        counts = await town.rows("SELECT count(*) AS n, count(DISTINCT subject) AS people FROM visits")
        assert (counts[0]["n"], counts[0]["people"]) == (2 * people, 2 * people)
        assert await ending(town, worlds["calm"], calm) == await ending(town, worlds["wild"], wild)


RESULTS = (
    "seen_alive",
    "seen_by_video",
    "absent_informed_by",
    "dead",
    "moved",
    "in_custody",
    "refused",
    "no_such_person",
)


Told = tuple[int, str, datetime, str, str]


def script_of(dice: random.Random, number: int) -> Told:
    """One visit, some with a flaw: no place told, or the prompt of the first sighting, for a phone knows no other."""
    reason = dice.choice(("unmatched", "suspicion")) if number < 6 else "unmatched"
    at = NOW - timedelta(minutes=dice.randint(0, 3 * 24 * 60))
    return number, dice.choice(RESULTS), at, reason, dice.choice(("", "", "", "no_place", "first_prompt"))


async def reports(town: Town, people: list[UUID], script: list[Told], mark: int) -> list[dict[str, Any]]:
    made = []
    for place, (number, result, at, reason, flaw) in enumerate(script):
        task = await task_of(town, people[number], reason)
        before = sum(
            (n, why) == (number, reason) and what.startswith("seen") and (when, other) < (at, place)
            for other, (n, what, when, why, _) in enumerate(script)
        )
        shown = prompt_shown(task, 0 if flaw == "first_prompt" else before)
        more = {"prompt_id": shown} if result.startswith("seen") else {}
        made.append(visit(task, result, at=at, visit_id=UUID(int=(place << 8) + mark, version=4), **more))
        if flaw == "no_place":
            made[-1].pop("place", None)
    return made


def mangled(dice: random.Random, bodies: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    sent = bodies + dice.choices(bodies, k=len(bodies) // 2)
    dice.shuffle(sent)
    parts = []
    while sent:
        size = dice.randint(1, 9)
        parts.append(sent[:size])
        sent = sent[size:]
    return parts + [part for part in parts if dice.random() < 0.3]


async def post(town: Town, member: str, parts: list[list[dict[str, Any]]]) -> None:
    for part in parts:
        answer = await town.ask("POST", "/v1/visits:sync", headers=town.member(member), json={"visits": part})
        assert answer.status_code == 200
        assert {item["reception"] for item in answer.json()["items"]} <= {"recorded", "repeated"}


async def standing(town: Town) -> list[dict[str, Any]]:
    """What was said of visits and not taken back."""
    fell = {(each["visit_id"], each["revision"]) for each in await town.said("grid.visit.withdrawn.v1")}
    said = await town.said("grid.visit.concluded.v1")
    return [each for each in said if (each["visit_id"], each["revision"]) not in fell]


async def ending(town: Town, people: list[UUID], sent: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything that should be equal, with people and visits by their numbers."""
    number = {person: place for place, person in enumerate(people)}
    visits = {UUID(body["visit_id"]): place for place, body in enumerate(sent)}
    tasks = await town.rows("SELECT * FROM tasks WHERE subject = ANY($1)", people)
    cases = await town.rows("SELECT * FROM cases WHERE subject = ANY($1)", people)
    steps = await town.rows(
        "SELECT c.subject, c.kind, s.* FROM case_steps s JOIN cases c USING (case_id) WHERE subject = ANY($1) "
        "AND NOT EXISTS (SELECT FROM visits v WHERE v.withdrawn > 0 AND v.status <> 'concluded' "
        "AND s.basis @> jsonb_build_array(jsonb_build_object('reference', v.visit_id)))",
        people,
    )
    said = [fact for fact in await standing(town) if UUID(fact["subject"]) in number]
    return {
        "tasks": sorted(
            (
                number[t["subject"]],
                t["reason"],
                t["state"],
                t["outcome"] or "",
                visits.get(t["closing_visit_id"], -1),
                str(t["closed_at"]),
            )
            for t in tasks
        ),
        "visits": sorted(
            (visits[row["visit_id"]], row["status"], row["flags"])
            for row in await town.rows("SELECT visit_id, status, flags FROM visits WHERE subject = ANY($1)", people)
        ),
        "cases": sorted((number[c["subject"]], c["kind"], c["state"], str(c["event_on"])) for c in cases),
        "steps": sorted(
            (number[s["subject"]], s["kind"], s["action"], str(s["outcome"]), str(s["happened_at"]))
            for s in steps
            if s["action"] != "detected"
        ),
        "said": sorted((visits[UUID(fact["visit_id"])], fact["result"]) for fact in said),
    }
