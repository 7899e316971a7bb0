"""Worklists and visits: short, right, provable, and the same whatever the network does."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.grid.domain.tasks import TaskOutcome
from services.grid.store.tasks import settle_subject
from shared.contracts.vocabulary import TaskReason
from shared.kit.db import Database
from tests.services.grid.town import (
    NEIGHBOUR,
    NOW,
    VILLAGE,
    Town,
    certified,
    due,
    enrolled,
    roll_csv,
    subject,
    suspected,
    visit,
)

ANNA, BERT = subject(1), subject(2)


async def task_of(town: Town, person: UUID, reason: str = "unmatched") -> UUID:
    rows = await town.rows("SELECT task_id FROM tasks WHERE subject = $1 AND reason = $2", person, reason)
    return UUID(str(rows[0]["task_id"]))


async def outcome_of(town: Town, person: UUID) -> list[tuple[str, str, str | None]]:
    rows = await town.rows("SELECT reason, state, outcome FROM tasks WHERE subject = $1 ORDER BY reason", person)
    return [(row["reason"], row["state"], row["outcome"]) for row in rows]


@pytest.fixture
async def member(town: Town) -> str:
    """The member of the first grid, with two people to visit."""
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    await town.hear(enrolled(ANNA, BERT), due(ANNA, BERT))
    return await town.member_of(VILLAGE + "001")


class TestWorklist:
    async def test_a_list_comes_without_names_when_ingest_is_away_and_says_so(self, town, member):
        answer = (await town.ask("GET", "/v1/worklist", headers=town.member(member))).json()
        assert answer["names"] == "unavailable"
        assert {item["subject"] for item in answer["items"]} == {str(ANNA), str(BERT)}
        assert {item["name"] for item in answer["items"]} == {None}

    async def test_names_come_from_ingest(self, database_for, issuer):
        asked: list[bytes] = []

        def ingest(request: httpx.Request) -> httpx.Response:
            asked.append(request.content)
            item = {
                "subject": str(ANNA),
                "name": "王秀英",
                "phone": "13800000000",
                "family_phone": None,
                "division": VILLAGE,
            }
            return httpx.Response(200, json={"items": [item]})

        town = Town(await database_for("grid"), issuer, peers=httpx.MockTransport(ingest))
        await town.import_grids()
        await town.hear(due(ANNA, BERT))
        headers = town.member(await town.member_of(VILLAGE + "001"))
        answer = (await town.ask("GET", "/v1/worklist", headers=headers)).json()
        assert answer["names"] == "included"
        assert {item["subject"]: item["name"] for item in answer["items"]} == {str(ANNA): "王秀英", str(BERT): None}
        assert b"grid.visit" in asked[0]

    async def test_one_person_is_one_line_with_all_reasons(self, town, member):
        await town.hear(suspected(ANNA))
        answer = (await town.ask("GET", "/v1/worklist", headers=town.member(member))).json()
        assert [item["subject"] for item in answer["items"]] == [str(ANNA), str(BERT)]
        assert {each["reason"] for each in answer["items"][0]["tasks"]} == {"unmatched", "suspicion"}

    async def test_a_delta_holds_what_changed_and_what_is_gone(self, town, member):
        town.clock.move(timedelta(hours=1))
        first = (await town.ask("GET", "/v1/worklist", headers=town.member(member))).json()
        await town.hear(certified(ANNA))
        since = {"since": first["as_of"]}
        delta = (await town.ask("GET", "/v1/worklist", headers=town.member(member), params=since)).json()
        assert [item["subject"] for item in delta["items"]] == [str(BERT)]  # once more: his name could not be had
        assert delta["gone"] == [str(await task_of(town, ANNA))]

    @pytest.mark.parametrize("since", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
    async def test_a_delta_since_before_all_time_is_refused(self, town, member, since):
        answer = await town.ask("GET", "/v1/worklist", headers=town.member(member), params={"since": since})
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed"), answer.text

    async def test_work_is_spread_over_working_days(self, town, member):
        await town.hear(due(*[subject(number) for number in range(10, 30)]))
        answer = (await town.ask("GET", "/v1/worklist", headers=town.member(member))).json()
        days = [item["plan_on"] for item in answer["items"]]
        assert days == sorted(days)
        assert [days.count(day) for day in dict.fromkeys(days)] == [8, 8, 6]
        assert "2023-11-04" not in days

    async def test_a_grid_of_ten_fits_fifty_kilobytes(self, town, member):
        await town.hear(due(*[subject(number) for number in range(10, 20)]))
        answer = await town.ask("GET", "/v1/worklist", headers=town.member(member))
        assert len(answer.content) < 50_000

    async def test_a_substitute_sees_the_work_on_these_days_only(self, town, member):
        other = await town.member_of(VILLAGE + "002")
        days = {"from_on": "2023-11-01", "until_on": "2023-11-03"}
        body = {"worker_id": member, "substitute_id": other, **days}
        answer = await town.ask("POST", "/v1/substitutions", headers=town.officer("o", VILLAGE), json=body)
        assert answer.status_code == 201
        again = await town.ask("POST", "/v1/substitutions", headers=town.officer("o", VILLAGE), json=body)
        assert again.json()["code"] == "substitution_taken"
        found = (await town.ask("GET", "/v1/worklist", headers=town.member(other))).json()
        assert len(found["items"]) == 2
        town.clock.move(timedelta(days=3))
        found = (await town.ask("GET", "/v1/worklist", headers=town.member(other))).json()
        assert found["items"] == []

    async def test_not_mine_moves_the_person_and_later_tasks_follow(self, town, member):
        task = await task_of(town, ANNA)
        before = (await town.ask("GET", "/v1/worklist", headers=town.member(member))).json()
        body = {"grid_code": VILLAGE + "002"}
        answer = await town.ask("POST", f"/v1/tasks/{task}/relocation", headers=town.member(member), json=body)
        other = await town.member_of(VILLAGE + "002")
        assert answer.json()["worker_id"] == other
        await town.hear(suspected(ANNA))
        assert (await town.rows("SELECT worker_id FROM cases"))[0]["worker_id"] == other
        since = {"since": before["as_of"]}
        after = (await town.ask("GET", "/v1/worklist", headers=town.member(member), params=since)).json()
        assert set(before["open_tasks"]) - set(after["open_tasks"]) == {str(task)}  # his phone takes it off


class Waiting:
    """A database on which Anna's tasks are closed while a transaction waits for its people."""

    def __init__(self, database: Database) -> None:
        self.read, self._write = database.read, database.write

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Any]:
        async with self._write() as tx:

            async def run(sql: str, *args: object) -> str:
                if "pg_advisory_xact_lock" in sql:
                    reasons, outcome = [TaskReason.UNMATCHED], TaskOutcome.CERTIFIED_MEANWHILE
                    await settle_subject(tx, ANNA, reasons, outcome, NOW)
                return await tx.run(sql, *args)

            yield SimpleNamespace(run=run, fetch=tx.fetch, driver=tx.driver, after_commit=[])


class TestVisit:
    async def send(self, town: Town, member: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await town.ask("POST", "/v1/visits", headers=town.member(member), json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def test_a_person_seen_closes_every_task_and_is_told(self, town, member):
        await town.hear(suspected(ANNA))
        receipt = await self.send(town, member, visit(await task_of(town, ANNA)))
        assert (receipt["reception"], receipt["task_state"]) == ("recorded", "closed")
        assert await outcome_of(town, ANNA) == [
            ("suspicion", "closed", "seen_alive"),
            ("unmatched", "closed", "seen_alive"),
        ]
        said = await town.said("grid.visit.concluded.v1")
        assert [(fact["subject"], fact["result"], fact["worker_id"], fact["visited_on"]) for fact in said] == [
            (str(ANNA), "seen_alive", member, "2023-11-01")
        ]

    @pytest.mark.parametrize("result", ["absent_informed_by", "refused"])
    async def test_hearsay_is_never_a_pass(self, town, member, result):
        receipt = await self.send(town, member, visit(await task_of(town, ANNA), result))
        assert receipt["notes"] == ["knock_again"]
        assert await outcome_of(town, ANNA) == [("unmatched", "accepted", None)]
        assert await town.said("grid.visit.concluded.v1") == []

    async def test_the_same_report_twice_is_one_visit(self, town, member):
        body = visit(await task_of(town, ANNA))
        await self.send(town, member, body)
        same = {**body, "visited_at": "2023-11-01T10:00:00+08:00"}
        assert (await self.send(town, member, same))["reception"] == "repeated"
        assert len(await town.said("grid.visit.concluded.v1")) == 1

    async def test_another_report_under_a_used_id_is_refused(self, town, member):
        body = visit(await task_of(town, ANNA))
        await self.send(town, member, body)
        receipt = await self.send(town, member, {**body, "id_card_read": False})
        assert (receipt["reception"], receipt["reasons"]) == ("refused", ["visit_id_used"])

    @pytest.mark.parametrize(
        ("result", "kind"),
        [
            ("dead", "suspected_death"),
            ("in_custody", "suspected_incarceration"),
            ("moved", "suspected_missing"),
            ("no_such_person", "suspected_missing"),
        ],
    )
    async def test_what_may_end_a_benefit_opens_a_case(self, town, member, result, kind):
        await self.send(town, member, visit(await task_of(town, ANNA), result))
        cases = await town.rows("SELECT kind, state, division FROM cases")
        assert [(case["kind"], case["state"], case["division"]) for case in cases] == [
            (kind, "in_verification", VILLAGE)
        ]
        assert await outcome_of(town, ANNA) == [("unmatched", "closed", result)]

    async def test_a_death_met_at_the_door_feeds_the_open_case(self, town, member):
        await town.hear(suspected(ANNA))
        await self.send(town, member, visit(await task_of(town, ANNA, "suspicion"), "dead", event_on="2023-09-01"))
        cases = await town.rows("SELECT state, event_on::text AS event_on FROM cases")
        assert [(case["state"], case["event_on"]) for case in cases] == [("in_verification", "2023-09-01")]

    async def test_a_register_that_follows_a_visit_joins_its_case(self, town, member):
        await self.send(town, member, visit(await task_of(town, ANNA), "dead"))
        await town.hear(suspected(ANNA))
        assert [row["action"] for row in await town.rows("SELECT action FROM case_steps ORDER BY step_no")] == [
            "detected",
            "visited",
            "merged",
        ]

    async def test_conflicts_are_told_and_nothing_is_lost(self, town, member):
        task = await task_of(town, ANNA)
        await town.hear(certified(ANNA))
        receipt = await self.send(town, member, visit(task))
        assert receipt["notes"] == ["certified_meanwhile"]
        assert await outcome_of(town, ANNA) == [("unmatched", "closed", "certified_meanwhile")]
        assert len(await town.said("grid.visit.concluded.v1")) == 1

    async def test_what_happens_while_a_report_waits_for_its_turn_is_told(self, town, member):
        body = visit(await task_of(town, ANNA))
        object.__setattr__(town.deps, "database", Waiting(town.database))
        assert (await self.send(town, member, body))["notes"] == ["certified_meanwhile"]

    async def test_a_visit_before_a_suspicion_does_not_answer_it(self, town, member):
        town.clock.move(timedelta(hours=2))
        await town.hear(suspected(ANNA))
        await self.send(town, member, visit(await task_of(town, ANNA), at=NOW + timedelta(hours=1)))
        assert await outcome_of(town, ANNA) == [
            ("suspicion", "dispatched", None),
            ("unmatched", "closed", "seen_alive"),
        ]

    async def test_a_mobile_back_end_names_the_member(self, town, member):
        headers = town.issuer.headers("grid.work", role="citizen", user="demo-mobile")
        body = visit(await task_of(town, ANNA))
        refused = await town.ask("POST", "/v1/visits", headers=headers, json=body)
        assert refused.json()["code"] == "worker_needed"
        stranger = await town.ask("POST", "/v1/visits", headers=headers, json={**body, "worker_id": "w" + "0" * 15})
        assert stranger.json()["code"] == "worker_unknown"
        taken = await town.ask("POST", "/v1/visits", headers=headers, json={**body, "worker_id": member})
        assert taken.json()["reception"] == "recorded"

    async def test_a_member_speaks_for_himself_only(self, town, member):
        other = await town.member_of(VILLAGE + "002")
        body = {**visit(await task_of(town, ANNA)), "worker_id": member}
        assert (await town.ask("POST", "/v1/visits", headers=town.member(other), json=body)).status_code == 403

    async def test_notes_are_sealed(self, town, member):
        await self.send(town, member, visit(await task_of(town, ANNA), "refused", note="儿媳王秀英不让进门"))
        assert "王秀英".encode() not in (await town.rows("SELECT note FROM visits"))[0]["note"]


class TestSync:
    async def test_each_report_has_its_own_receipt(self, town, member):
        bodies = [
            visit(await task_of(town, ANNA)),
            visit(uuid4()),
            visit(await task_of(town, BERT), at=NOW + timedelta(days=1)),
            visit(await task_of(town, BERT), "absent_informed_by"),
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
            ("repeated", []),
        ]

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
            await town.hear(enrolled(*each), due(*each), *(suspected(person) for person in each[:6]))
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
            await town.hear(enrolled(*each), due(*each), *(suspected(person) for person in each[:6]))
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


def script_of(dice: random.Random, number: int) -> tuple[int, str, datetime, str]:
    reason = dice.choice(("unmatched", "suspicion")) if number < 6 else "unmatched"
    at = NOW - timedelta(minutes=dice.randint(0, 3 * 24 * 60))
    return number, dice.choice(RESULTS), at, reason


async def reports(
    town: Town, people: list[UUID], script: list[tuple[int, str, datetime, str]], mark: int
) -> list[dict[str, Any]]:
    return [
        visit(
            await task_of(town, people[number], reason),
            result,
            at=at,
            visit_id=UUID(int=(place << 8) + mark, version=4),
        )
        for place, (number, result, at, reason) in enumerate(script)
    ]


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


async def ending(town: Town, people: list[UUID], sent: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything that should be equal, with people and visits by their numbers."""
    number = {person: place for place, person in enumerate(people)}
    visits = {UUID(body["visit_id"]): place for place, body in enumerate(sent)}
    tasks = await town.rows("SELECT * FROM tasks WHERE subject = ANY($1)", people)
    cases = await town.rows("SELECT * FROM cases WHERE subject = ANY($1)", people)
    steps = await town.rows(
        "SELECT c.subject, c.kind, s.* FROM case_steps s JOIN cases c USING (case_id) WHERE subject = ANY($1)", people
    )
    said = [fact for fact in await town.said("grid.visit.concluded.v1") if UUID(fact["subject"]) in number]
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
            visits[row["visit_id"]]
            for row in await town.rows("SELECT visit_id FROM visits WHERE subject = ANY($1)", people)
        ),
        "cases": sorted((number[c["subject"]], c["kind"], c["state"], str(c["event_on"])) for c in cases),
        "steps": sorted(
            (number[s["subject"]], s["kind"], s["action"], str(s["outcome"]), str(s["happened_at"]))
            for s in steps
            if s["action"] != "detected"
        ),
        "said": sorted((visits[UUID(fact["visit_id"])], fact["result"]) for fact in said),
    }
