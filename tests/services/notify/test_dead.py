"""Nobody is written to after he was recorded as dead, whatever happens in which order."""

import random
from datetime import date, timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI

from services.notify.domain.schedule import opening_after
from shared.contracts.events import CERTIFICATES_ISSUED, CERTIFICATIONS_DUE, CONTACTS_CHANGED, SUSPICION_RAISED
from shared.kit.bus import Message
from tests.services.notify.world import (
    YEAR,
    behave,
    certificates,
    contacts,
    drain,
    due,
    hear,
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
