"""Worklists and visits: short, right, provable, and the same whatever the network does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

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
        looks = await town.rows('SELECT what, subject, "user" FROM readings')
        assert [tuple(row.values()) for row in looks] == [("person", ANNA, await town.member_of(VILLAGE + "001"))]

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

    @pytest.mark.parametrize("how", ["over", "back"])
    async def test_a_substitute_sees_the_work_on_these_days_only(self, town, member, how):
        other = await town.member_of(VILLAGE + "002")
        days = {"from_on": "2023-11-01", "until_on": "2023-11-03"}
        body = {"worker_id": member, "substitute_id": other, **days}
        answer = await town.ask("POST", "/v1/substitutions", headers=town.officer("o", VILLAGE), json=body)
        assert answer.status_code == 201
        again = await town.ask("POST", "/v1/substitutions", headers=town.officer("o", VILLAGE), json=body)
        assert again.json()["code"] == "substitution_taken"
        seen = []
        for days_later in {"over": (0, 3), "back": (0, 0, 1)}[how]:
            town.clock.move(timedelta(days=days_later))
            seen.append(len((await town.ask("GET", "/v1/worklist", headers=town.member(other))).json()["items"]))
            if how == "back":
                end = f"/v1/substitutions/{answer.json()['substitution_id']}/end"
                ended = [
                    await town.ask("POST", end, headers=town.officer("o", place)) for place in (NEIGHBOUR, VILLAGE)
                ]
                assert [each.status_code for each in ended] == [404, 204]
        assert seen == {"over": [2, 0], "back": [2, 2, 0]}[how]

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
        assert [fact["event_on"] for fact in await town.said("grid.visit.concluded.v1")] == ["2023-09-01"]

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

    async def test_problems_are_kept_sealed_and_told_to_the_village(self, town, member):
        body = visit(await task_of(town, ANNA), "refused", note="儿媳王秀英不让进门", proofs=["letter"])
        await self.send(town, member, body | {"form": body["form"] | {"problems": True}})
        assert "王秀英".encode() not in (await town.rows("SELECT note FROM visits"))[0]["note"]
        path = "/v1/visits?problems=true"
        [told] = (await town.ask("GET", path, headers=town.village())).json()["items"]
        assert (told["note"], told["proofs"], told["form"]["problems"]) == ("儿媳王秀英不让进门", ["letter"], True)
        assert (await town.ask("GET", path, headers=town.village(NEIGHBOUR))).json()["items"] == []
        assert [row["what"] for row in await town.rows("SELECT what FROM readings")] == ["visit"]
