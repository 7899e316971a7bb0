"""Nobody is written to after he was recorded as dead, whatever happens in which order."""

import random
from datetime import date, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from services.notify.domain.schedule import opening_after
from shared.contracts.events import (
    CASE_CONCLUDED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CONTACTS_CHANGED,
    DEATH_RETRACTED,
    SUSPICION_RAISED,
    CaseConcluded,
    DeathRetracted,
)
from shared.contracts.events.grid import (
    STOP_REQUEST_CONCLUDED,
    VISIT_CONCLUDED,
    StopRequestConcluded,
    VisitConcluded,
)
from shared.contracts.vocabulary import CaseConclusion, NoticeKind, SuspicionKind, VisitResult
from shared.kit.bus import Message
from tests.services.notify.world import (
    MORNING,
    YEAR,
    behave,
    certificates,
    contacts,
    drain,
    due,
    fact_message,
    hear,
    notice,
    rows_of,
    subject,
    suspicions,
    table_message,
)

pytestmark = pytest.mark.db


class TestDeadAreNeverWrittenTo:
    @pytest.mark.parametrize("seed", range(5))
    async def test_nobody_is_handed_over_after_the_record(self, deps, clock, sandbox, seed):
        """Events, sends, failures and time in a random order: after a record, no hand-over of that person."""
        chance = random.Random(seed)
        people = [subject(number) for number in range(1, 11)]
        handed_before: dict[UUID, int] = {}
        for step in range(40):
            who = chance.choice(people)
            message = random_event(chance, who, people, step)
            if message is not None:
                await hear(deps, message)
                if message.event is SUSPICION_RAISED:
                    handed_before.setdefault(who, handed(sandbox, who))
            elif chance.random() < 0.3:
                behave(sandbox, answer=chance.choice(["accept", "error", "busy"]))
            elif chance.random() < 0.3:
                clock.move(timedelta(hours=chance.choice([1, 5, 30])))
            else:
                await drain(deps)
        behave(sandbox)
        clock.move(opening_after(clock.now() + timedelta(days=1), deps.hours) - clock.now())
        await drain(deps)
        assert handed_before
        assert {who: handed(sandbox, who) for who in handed_before} == handed_before


def random_event(chance: random.Random, who: UUID, people: list[UUID], step: int) -> Message | None:
    """Something that happens, or None for a turn of sender, gateway or clock."""
    what = chance.choice(["certify", "due", "contact", "die", None, None, None])
    if what == "certify":
        row = (who, UUID(int=step + 1000), YEAR + timedelta(days=step), None)
        return table_message(CERTIFICATES_ISSUED, certificates([row]))
    if what == "due":
        return table_message(CERTIFICATIONS_DUE, due([(who, date(2024, 1, 1 + step % 28))]))
    if what == "contact":
        return table_message(CONTACTS_CHANGED, contacts([(each, "phone") for each in people]))
    if what == "die":
        kind = chance.choice(["suspected_death", "conflict"])
        return table_message(SUSPICION_RAISED, suspicions([(who, UUID(int=step), kind, 1)]))
    return None


def handed(sandbox: FastAPI, who: UUID) -> int:
    """How often anything for a person was handed over."""
    return sum(row["handed"] for row in sandbox.state.keep.list_sms(to=f"139{who.int:08d}", limit=99))


def told_dead(suspicion: int, revision: int, *, hours: int = 0, kind: str = "suspected_death", **how: Any) -> Message:
    """A suspicion of the first person's death; without evidence it has been taken back."""
    rows = [(subject(1), UUID(int=suspicion), kind, revision)]
    return table_message(SUSPICION_RAISED, suspicions(rows, **how), at=MORNING + timedelta(hours=hours))


BACK: dict[str, Any] = {"confidence": "hint", "evidence": ()}


class TestRecords:
    @pytest.mark.parametrize(
        ("said", "blocked"),
        [
            ([told_dead(1, 1)], True),
            ([told_dead(1, 1, confidence="hint")], False),
            ([told_dead(1, 1, confidence="hint"), told_dead(1, 2, hours=1)], True),
            ([told_dead(1, 1), told_dead(1, 2, hours=1, **BACK)], False),
            ([told_dead(1, 1), told_dead(2, 1, kind="conflict"), told_dead(1, 2, hours=1, **BACK)], True),
            ([told_dead(1, 1), told_dead(1, 2, hours=1, **BACK), told_dead(1, 3, hours=2)], True),
        ],
    )
    async def test_a_record_counts_while_its_newest_telling_does_in_whatever_order_it_comes(
        self, deps, database, said, blocked
    ):
        for message in (*said, *reversed(said), *said):
            await hear(deps, message)
            await hear(deps, message)
        rows = await rows_of(database, "SELECT blocked FROM do_not_write")
        assert [row["blocked"] for row in rows] in ([[True]] if blocked else [[False], []])

    async def test_one_taken_back_after_people_found_him_alive_blocks_nobody_anew(self, deps, database):
        await hear(deps, told_dead(1, 1))
        await hear(deps, concluded(CaseConclusion.FALSE_DEATH, hours=1))
        async with database.write() as tx:  # the version of before keeps only what follows from it
            await tx.run("DELETE FROM death_record WHERE reason = 'alive'")
            for _ in range(2):
                await tx.run(import_module("services.notify.migrations.versions.0013_before").FOUND_ALIVE)
        await hear(deps, told_dead(1, 2, hours=2, **BACK))
        await hear(deps, told_dead(2, 1))
        assert await rows_of(database, "SELECT blocked FROM do_not_write") == [{"blocked": False}]
        assert len(await rows_of(database, "SELECT FROM death_record WHERE reason = 'alive'")) == 1

    @pytest.mark.parametrize(
        ("order", "kind"),
        [
            ("record news found", None),
            ("record news found", NoticeKind.APOLOGY),
            ("news record found", NoticeKind.RESUMED),
            ("found record news", NoticeKind.RESUMED),
        ],
    )
    async def test_who_was_found_alive_is_told_himself_whichever_is_heard_first(
        self, deps, database, clock, sandbox, order, kind
    ):
        """By a case, or by an officer who lifts the stop because of a false death."""
        found = [concluded(CaseConclusion.FALSE_DEATH, hours=1)]
        if kind:
            found = [retracted(date(2023, 11, 1), hours=1), notice(5, subject(1), kind, reason="false_death")]
        certificate = certificates([(subject(1), UUID(int=7), YEAR, None)])
        news = [notice(6, subject(1), NoticeKind.ARREARS), table_message(CERTIFICATES_ISSUED, certificate)]
        said = {"record": [told_dead(1, 1)], "news": news, "found": found}
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        clock.move(timedelta(hours=2))
        for message in (each for name in order.split() for each in said[name]):
            await hear(deps, message)
            await hear(deps, message)
        await drain(deps)
        told = await rows_of(
            database, "SELECT DISTINCT audience, refused, in_inbox FROM message WHERE template <> 'suspicion_opened'"
        )
        assert [tuple(row.values()) for row in told] == [("citizen", None, True)]
        assert handed(sandbox, subject(1)) == sandbox.state.keep.count_sms()["messages"] == (3 if kind else 2)

    @pytest.mark.parametrize(
        ("alive_on", "found", "later", "blocked"),
        [
            (2, 25, (), False),
            (2, 47, ("case",), True),
            (2, 49, ("case",), True),
            (2, 49, ("record",), True),
            # Who was seen in the morning may have died that night; a visit that names no day is of the day it was made.
            (3, 49, ("record",), True),
            (3, 49, ("visit",), True),
            (3, 49, ("dated visit",), False),
            (4, 73, ("record", "visit", "case"), False),
            (4, 47, ("visit",), True),
        ],
    )
    async def test_a_death_found_false_lifts_no_later_one_in_whatever_order_they_are_heard(
        self, deps, database, alive_on, found, later, blocked
    ):
        died = date(2023, 11, 3)
        more = {
            "case": concluded(CaseConclusion.CONFIRMED, hours=48, event_on=died),
            "record": told_dead(2, 1, hours=48, event_on=died),
            "visit": visited(VisitResult.DEAD, hours=48),
            "dated visit": visited(VisitResult.DEAD, hours=48, event_on=date(2023, 10, 1)),
        }
        said = [told_dead(1, 1), retracted(date(2023, 11, alive_on), hours=found), *(more[each] for each in later)]
        for message in (*said, *reversed(said)):
            await hear(deps, message)
        await hear(deps, notice(5, subject(1), NoticeKind.RESUMED, reason="false_death"))
        rows = await rows_of(database, "SELECT subject FROM do_not_write WHERE blocked")
        assert len(rows) == blocked
        told = await rows_of(database, "SELECT audience FROM message WHERE template = 'notice_resumed'")
        assert [row["audience"] for row in told] == ["family" if blocked else "citizen"]

    @pytest.mark.parametrize(
        ("seen", "died", "later", "blocked"),
        [
            (2, 1, "record", True),
            (3, 1, "record", False),
            # He was found dead after the day on which he was seen; where nobody knows which day it was, it may be later.
            (2, 1, "visit", True),
            (2, 1, "dated visit", False),
            (2, None, "visit", True),
            (3, 1, "visit", False),
            # What registers told without a day is what the case was about.
            (2, None, "undated", False),
            (2, 1, "undated", True),
        ],
    )
    async def test_a_case_that_found_him_alive_on_a_day_lifts_no_later_death(
        self, deps, database, seen, died, later, blocked
    ):
        more = {
            "record": told_dead(2, 1, hours=48, event_on=date(2023, 11, 3)),
            "undated": told_dead(2, 1, hours=48, event_on=None),
            "visit": visited(VisitResult.DEAD, hours=48),
            "dated visit": visited(VisitResult.DEAD, hours=48, event_on=date(2023, 10, 1)),
        }
        event_on, seen_on = died and date(2023, 10, died), date(2023, 11, seen)
        found = concluded(CaseConclusion.FALSE_DEATH, hours=49, seen_on=seen_on, event_on=event_on)
        for message in (told_dead(1, 1), more[later], found):
            await hear(deps, message)
        rows = await rows_of(database, "SELECT blocked FROM do_not_write")
        assert [row["blocked"] for row in rows] == [blocked]

    @pytest.mark.parametrize(
        ("undated", "about", "blocked"), [(True, None, False), (True, 48, False), (True, 47, True), (False, None, True)]
    )
    async def test_a_death_of_a_day_nobody_knew_falls_with_what_names_no_day_and_was_found_by_then(
        self, deps, database, undated, about, blocked
    ):
        found = retracted(date(2023, 11, 1), hours=49, undated=undated, about=about)
        for message in (visited(VisitResult.DEAD, hours=48), found):
            await hear(deps, message)
        rows = await rows_of(database, "SELECT blocked FROM do_not_write")
        assert [row["blocked"] for row in rows] == [blocked]

    @pytest.mark.parametrize(
        ("result", "blocked"),
        [(VisitResult.DEAD, [True]), (VisitResult.ABSENT_INFORMED_BY, []), (VisitResult.MOVED, [])],
    )
    async def test_whom_a_grid_member_found_dead_is_not_written_to(self, deps, database, result, blocked):
        await hear(deps, visited(result))
        assert [row["blocked"] for row in await rows_of(database, "SELECT blocked FROM do_not_write")] == blocked

    @pytest.mark.parametrize(
        ("change", "blocked"),
        [
            ({}, [True]),
            ({"reason": "household_extinct"}, [True]),
            ({"reason": "in_own_words"}, []),  # the day on which she moved to her son
            ({"reason": "moved_abroad"}, []),
            ({"reason": "不再领取", "relation": "self"}, []),
            ({"confirmed": False}, []),
        ],
    )
    async def test_a_death_a_relative_told_of_counts_once_people_have_found_it_so(
        self, deps, database, change, blocked
    ):
        fact = StopRequestConcluded(
            **{
                "request_id": UUID(int=7), "subject": subject(1), "programs": [], "confirmed": True, "relation": "child",
                "reason": "death", "event_on": date(2023, 10, 1), "verified_by": "w1", "concluded_by": "o1",
                "concluded_at": MORNING, **change,
            }
        )  # fmt: skip
        await hear(deps, fact_message(STOP_REQUEST_CONCLUDED, fact))
        assert [row["blocked"] for row in await rows_of(database, "SELECT blocked FROM do_not_write")] == blocked


def retracted(alive_on: date, *, hours: int, undated: bool = False, about: int | None = None) -> Message:
    """Officers have found that the first person lived on a day."""
    at, died = MORNING + timedelta(hours=hours), None if undated else date(2023, 10, 1)
    about_at = None if about is None else MORNING + timedelta(hours=about)
    fact = DeathRetracted(subject=subject(1), event_on=died, alive_on=alive_on, found_at=at, about_at=about_at)
    return fact_message(DEATH_RETRACTED, fact)


def visited(result: VisitResult, *, hours: int = 0, event_on: date | None = None) -> Message:
    at = MORNING + timedelta(hours=hours)
    fact = VisitConcluded(
        visit_id=UUID(int=5), task_id=UUID(int=6), subject=subject(1), result=result, visited_on=at.date(),
        visited_at=at, division="341602001001", worker_id="w1", id_card_read=False,
        event_on=event_on,
    )  # fmt: skip
    return fact_message(VISIT_CONCLUDED, fact)


def concluded(
    conclusion: CaseConclusion, *, hours: int, event_on: date | None = date(2023, 10, 1), seen_on: date | None = None
) -> Message:
    fact = CaseConcluded(
        case_id=UUID(int=9), subject=subject(1), kind=SuspicionKind.DEATH, conclusion=conclusion,
        event_on=event_on, seen_on=seen_on, concluded_at=MORNING + timedelta(hours=hours), verified_by="w1", concluded_by="o1",
    )  # fmt: skip
    return fact_message(CASE_CONCLUDED, fact)
