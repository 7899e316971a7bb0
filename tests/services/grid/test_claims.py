"""Requests to stop: two people look, and only then it is said. What a reporter is owed."""

import base64
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.grid.domain.claims import (
    Reward,
    StopAction,
    StopState,
    TipAction,
    TipState,
    follow_stop,
    follow_tip,
)
from services.grid.jobs.upkeep import go_round
from shared.contracts.events.recognition import (
    STOP_REQUESTED,
    StopRequested,
)
from shared.kit.bus import Message, PoisonError
from tests.services.grid.town import NOW, VILLAGE, Town, enrolled, fact, roll_csv, subject, suspected

ANNA = subject(1)
REQUEST = UUID(int=77)


def asks(person: UUID = ANNA) -> Message:
    told = StopRequested(
        request_id=REQUEST,
        subject=person,
        programs=["resident_pension"],
        relation="child",
        reason="death",
        event_on=date(2023, 10, 20),
        requested_at=NOW,
    )
    return fact(STOP_REQUESTED, told)


def asks_saying(words: str, town: Town, *, bound_to: UUID = REQUEST) -> Message:
    told = asks().fact(StopRequested)
    sealed = base64.b64encode(town.deps.vault.seal(words.encode(), bound_to.bytes)).decode()
    return fact(STOP_REQUESTED, told.model_copy(update={"reason": "in_own_words", "sealed_reason": sealed}))


@pytest.fixture
async def village(town: Town) -> Town:
    """A village where Anna lives."""
    await town.import_grids(roll_csv(VILLAGE, groups=3))
    await town.hear(enrolled(ANNA))
    return town


class TestMachines:
    def test_every_state_can_be_reached_and_ends_stay(self):
        stops = {follow_stop(state, action) for state in StopState for action in StopAction} - {None}
        assert stops == set(StopState) - {StopState.RECEIVED}
        tips = {follow_tip(state, action) for state in TipState for action in TipAction} - {None}
        assert tips == set(TipState) - {TipState.RECEIVED}
        for end in (TipState.DISMISSED, TipState.KNOWN, TipState.NOT_PROVED, TipState.EXPIRED, TipState.PAID):
            assert not [action for action in TipAction if follow_tip(end, action)]

    @pytest.mark.parametrize(
        ("recovered_fen", "lost", "reward"),
        [
            (0, False, 50_000),
            (0, True, 10_000),
            (1, True, 10_000),
            (199_999, True, 10_000),
            (1_000_019, True, 50_000),
            (10**10, True, 10_000_000),
        ],
    )
    def test_a_reward_follows_the_recovered_sum(self, recovered_fen, lost, reward):
        rule = Reward(
            since=date(2023, 1, 1), without_loss=50_000, share_percent=5.0, least=10_000, most=10_000_000, claim_days=90
        )
        assert rule.of(recovered_fen, lost=lost) == reward


class TestStopRequest:
    async def post(self, town: Town, name: str, headers: dict[str, str], **body: Any) -> Any:
        return await town.ask("POST", f"/v1/stop-requests/{REQUEST}/{name}", headers=headers, json=body)

    async def verified(self, town: Town, *, as_stated: bool = True) -> Any:
        body = {"as_stated": as_stated, "not_family": True}
        return await self.post(town, "verification", town.village(), **body)

    async def test_two_people_look_and_only_then_it_is_said(self, village):
        await village.hear(asks(), asks())
        items = (await village.ask("GET", "/v1/stop-requests", headers=village.village())).json()["items"]
        assert [(each["state"], each["matched"], each["division"]) for each in items] == [("received", False, VILLAGE)]
        early = await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        assert early.json()["code"] == "step_not_possible"
        assert (await self.verified(village)).json()["state"] == "verified"
        same = await self.post(village, "conclusion", village.officer("village-head"), confirmed=True)
        assert same.json()["reason"] == "four_eyes"
        assert await village.said("grid.stop_request.concluded.v1") == []
        await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        said = await village.said("grid.stop_request.concluded.v1")
        assert [(each["confirmed"], each["verified_by"], each["concluded_by"], each["event_on"]) for each in said] == [
            (True, "village-head", "agency", "2023-10-20")
        ]

    async def test_what_the_village_did_not_find_cannot_be_confirmed(self, village):
        await village.hear(asks())
        await self.verified(village, as_stated=False)
        refused = await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        assert refused.json()["reason"] == "finding_does_not_confirm"
        await self.post(village, "conclusion", village.officer("agency"), confirmed=False)
        assert [each["confirmed"] for each in await village.said("grid.stop_request.concluded.v1")] == [False]

    async def test_what_somebody_wrote_is_read_on_screen_and_nowhere_else(self, village):
        words = "我父亲张建国去世"
        await village.hear(asks_saying(words, village))
        for path in ("/v1/stop-requests", f"/v1/stop-requests/{REQUEST}"):
            answer = (await village.ask("GET", path, headers=village.village())).json()
            assert answer.get("items", [answer])[0]["reason"] == words
        assert (await self.verified(village)).json()["reason"] == words
        await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        assert [each["reason"] for each in await village.said("grid.stop_request.concluded.v1")] == ["in_own_words"]
        [kept] = await village.rows("SELECT * FROM stop_requests")
        assert words not in str(kept)
        assert words.encode() not in kept["sealed_reason"]

    async def test_words_of_an_older_version_are_sealed_and_said_to_nobody(self, village):
        words = "我父亲张建国去世"
        older = asks().fact(StopRequested).model_copy(update={"reason": words})
        await village.hear(fact(STOP_REQUESTED, older))
        [kept] = await village.rows("SELECT reason FROM stop_requests")
        assert kept == {"reason": "in_own_words"}
        assert (await self.verified(village)).json()["reason"] == words
        # As a version before sealing kept it.
        async with village.database.write() as tx:
            await tx.run("UPDATE stop_requests SET reason = $1, sealed_reason = NULL", words)
        await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        assert [each["reason"] for each in await village.said("grid.stop_request.concluded.v1")] == ["in_own_words"]

    async def test_the_village_names_what_somebody_wrote_of_and_its_day(self, village):
        words = "我父亲张建国去世"
        undated = asks_saying(words, village).fact(StopRequested).model_copy(update={"event_on": None})
        await village.hear(fact(STOP_REQUESTED, undated))
        found = {"as_stated": True, "not_family": True, "tells_of": "death"}
        refused = await self.post(village, "verification", village.village(), **found)
        assert refused.json()["reason"] == "event_on_missing"
        told = (await self.post(village, "verification", village.village(), **found, event_on="2023-10-19")).json()
        assert (told["reason"], told["tells_of"]) == (words, "death")
        await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        [said] = await village.said("grid.stop_request.concluded.v1")
        assert (said["reason"], said["event_on"]) == ("death", "2023-10-19")

    async def test_words_of_another_request_are_refused(self, village):
        with pytest.raises(PoisonError):
            await village.hear(asks_saying("我父亲去世", village, bound_to=UUID(int=78)))

    async def test_what_registers_say_stands_beside_it(self, village):
        reasons = ("death", "declared_dead", "missing", "detention", "employment", "in_own_words")
        for place, reason in enumerate(reasons):
            other = {"request_id": UUID(int=100 + place), "reason": reason}
            await village.hear(fact(STOP_REQUESTED, asks().fact(StopRequested).model_copy(update=other)))

        async def matched() -> list[str]:
            items = (await village.ask("GET", "/v1/stop-requests", headers=village.village())).json()["items"]
            return [each["reason"] for each in items if each["matched"]]

        await village.hear(suspected(ANNA, kind="suspected_missing", suspicion=UUID(int=9)))
        assert await matched() == ["missing", "in_own_words"]
        await village.hear(suspected(ANNA))
        assert await matched() == ["death", "declared_dead", "missing", "in_own_words"]
        async with village.database.write() as tx:
            await tx.run("UPDATE cases SET state = 'concluded', conclusion = 'false_death', concluded_at = now(), "
                         "verified_by = 'one', concluded_by = 'other'")  # fmt: skip
        assert await matched() == []

    async def test_the_office_whose_turn_it_is_is_told_once_that_it_is_late(self, village):
        await village.hear(asks())
        for days in (15, 1):
            village.clock.move(timedelta(days=days))
            await go_round(village.deps)
        said = await village.said("grid.case.overdue.v1")
        assert [(each["kind"], each["case_id"], each["waits_for"], each["division"]) for each in said] == [
            ("stop_request", str(REQUEST), "village", VILLAGE)
        ]

    async def test_it_finds_its_village_when_the_roster_comes(self, village):
        other = subject(2)
        await village.hear(asks(other))
        path = f"/v1/stop-requests/{REQUEST}"
        assert (await village.ask("GET", path, headers=village.village())).status_code == 404
        await village.hear(enrolled(other))
        assert (await village.ask("GET", path, headers=village.village())).status_code == 200
